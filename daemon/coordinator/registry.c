/* Applications, cohorts and replicas in memory. */
#include "registry.h"
#include "deadlines.h"

#include <schemagate/base/memory.h>

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

/* ---- applications ---- */

struct application *registry_find_app(const struct registry *registry, const char *name)
{
    struct application *app;
    HASH_FIND(by_name, registry->apps, name, strlen(name), app);
    return app;
}

struct application *registry_app(struct registry *registry, const char *name)
{
    struct application *app = registry_find_app(registry, name);
    if (app)
        return app;
    app = memory_new(sizeof *app);
    app->gate.name = memory_copy(name);
    app->min_replicas_asked = -1;
    HASH_ADD_KEYPTR(by_name, registry->apps, app->gate.name, strlen(name), app);
    registry->gate_apps =
        memory_grow(registry->gate_apps, registry->gate_app_count + 1, sizeof *registry->gate_apps);
    registry->gate_apps[registry->gate_app_count++] = &app->gate;
    return app;
}

void registry_retire(struct registry *registry, struct application *app)
{
    app->retired = true;
    for (size_t i = 0; i < registry->gate_app_count; i++) {
        if (registry->gate_apps[i] == &app->gate) {
            registry->gate_apps[i] = registry->gate_apps[--registry->gate_app_count];
            return;
        }
    }
}

void registry_set_compatible(struct application *app, const char *release, int64_t max,
                             const char *reason, const char *actor)
{
    struct compatible *record = NULL;
    for (size_t i = 0; i < app->compatible_count && !record; i++)
        if (strcmp(app->compatible[i].release, release) == 0)
            record = &app->compatible[i];
    if (!record) {
        app->compatible =
            memory_grow(app->compatible, app->compatible_count + 1, sizeof *app->compatible);
        record = &app->compatible[app->compatible_count++];
        *record = (struct compatible){.release = memory_copy(release)};
    }
    record->max = max;
    memory_replace(&record->reason, reason);
    memory_replace(&record->actor, actor);
    for (size_t i = 0; i < app->gate.cohort_count; i++) {
        struct cohort *cohort = (struct cohort *)app->gate.cohorts[i];
        if (strcmp(cohort->release, release) == 0)
            cohort->gate.compatible_max = max;
    }
}

int64_t registry_compatible_max(const struct application *app, const char *release)
{
    for (size_t i = 0; i < app->compatible_count; i++)
        if (strcmp(app->compatible[i].release, release) == 0)
            return app->compatible[i].max;
    return 0;
}

static void free_app(struct application *app)
{
    for (size_t i = 0; i < app->compatible_count; i++) {
        free(app->compatible[i].release);
        free(app->compatible[i].reason);
        free(app->compatible[i].actor);
    }
    free(app->compatible);
    free(app->desired_release);
    free((void *)app->gate.cohorts);
    free((char *)app->gate.name);
    free(app);
}

/* ---- cohorts ---- */

static bool knows_equal(const struct gate_cohort *cohort, const struct cohort_key *key)
{
    if (cohort->knows_count != key->knows_count)
        return false;
    for (size_t i = 0; i < key->knows_count; i++)
        if (cohort->knows[i].version != key->knows[i].version ||
            strcmp(cohort->knows[i].checksum, key->knows[i].checksum) != 0)
            return false;
    return true;
}

bool registry_is_cohort(const struct cohort *cohort, const struct cohort_key *key)
{
    return cohort->gate.range.min == key->range.min && cohort->gate.range.max == key->range.max &&
           strcmp(cohort->release, key->release) == 0 && knows_equal(&cohort->gate, key);
}

static struct gate_knows *copy_knows(const struct cohort_key *key)
{
    if (key->knows_count == 0)
        return NULL;
    struct gate_knows *copy = memory_new(key->knows_count * sizeof *copy);
    for (size_t i = 0; i < key->knows_count; i++)
        copy[i] = (struct gate_knows){key->knows[i].version, memory_copy(key->knows[i].checksum)};
    return copy;
}

static void append_cohort(struct application *app, struct cohort *cohort)
{
    struct cohort **cohorts = (struct cohort **)app->gate.cohorts;
    if (app->gate.cohort_count == app->cohort_capacity) {
        app->cohort_capacity = app->cohort_capacity ? 2 * app->cohort_capacity : 4;
        cohorts = memory_grow(cohorts, app->cohort_capacity, sizeof *cohorts);
        app->gate.cohorts = (struct gate_cohort *const *)cohorts;
    }
    cohort->place = app->gate.cohort_count;
    cohorts[app->gate.cohort_count++] = cohort;
}

static struct cohort *find_cohort(struct application *app, const struct cohort_key *key)
{
    for (size_t i = 0; i < app->gate.cohort_count; i++) {
        struct cohort *cohort = (struct cohort *)app->gate.cohorts[i];
        if (registry_is_cohort(cohort, key))
            return cohort;
    }
    struct cohort *cohort = memory_new(sizeof *cohort);
    cohort->app = app;
    cohort->gate.range = key->range;
    cohort->release = memory_copy(key->release);
    cohort->gate.knows = copy_knows(key);
    cohort->gate.knows_count = key->knows_count;
    cohort->gate.compatible_max = registry_compatible_max(app, key->release);
    append_cohort(app, cohort);
    return cohort;
}

static void drop_cohort_if_empty(struct cohort *cohort)
{
    if (cohort->members)
        return;
    struct gate_app *app = &cohort->app->gate;
    struct cohort **cohorts = (struct cohort **)app->cohorts;
    cohorts[cohort->place] = cohorts[--app->cohort_count];
    cohorts[cohort->place]->place = cohort->place;
    for (size_t i = 0; i < cohort->gate.knows_count; i++)
        free((char *)cohort->gate.knows[i].checksum);
    free((void *)cohort->gate.knows);
    free(cohort->release);
    free(cohort);
}

/* ---- identities ---- */

struct identity *registry_find_identity(struct identity *identities, const char *text)
{
    struct identity *identity;
    HASH_FIND_STR(identities, text, identity);
    return identity;
}

struct replica *identity_owner(const struct identity *identity)
{
    return identity && identity->count == 1 ? (struct replica *)identity->members : NULL;
}

static void identify(struct identity **identities, const char *text, const struct replica *r)
{
    struct identity *identity = registry_find_identity(*identities, text);
    if (*text == '\0')
        return;
    if (!identity) {
        identity = memory_new(sizeof *identity + strlen(text) + 1);
        strcpy(identity->text, text);
        HASH_ADD_STR(*identities, text, identity);
    }
    identity->count++;
    identity->members ^= (uintptr_t)r;
}

static void forget(struct identity **identities, const char *text, const struct replica *r)
{
    struct identity *identity = registry_find_identity(*identities, text);
    if (!identity)
        return;
    identity->members ^= (uintptr_t)r;
    if (--identity->count > 0)
        return;
    HASH_DELETE(hh, *identities, identity);
    free(identity);
}

int64_t registry_seen_boot(const struct registry *registry, const struct replica *r)
{
    const struct identity *name = registry_find_identity(registry->names, r->application_name);
    const struct identity *address = registry_find_identity(registry->addresses, r->address);
    int64_t by_name = name ? name->seen_boot : 0, by_address = address ? address->seen_boot : 0;
    return by_name > by_address ? by_name : by_address;
}

/* ---- replicas ---- */

/* Counts the replica in or out (change 1 or -1) under its present state and cohort. */
static void count(struct replica *r, int change)
{
    struct cohort *cohort = r->cohort;
    size_t *const counters[REPLICA_STATES][2] = {
        [REPLICA_WAITING] = {&cohort->waiting, &cohort->app->waiting},
        [REPLICA_LIVE] = {&cohort->gate.live, &cohort->app->gate.live},
        [REPLICA_LOST] = {&cohort->gate.lost, &cohort->app->lost},
    };
    for (size_t i = 0; i < 2; i++)
        *counters[r->state][i] += (size_t)change;
    if (r->state == REPLICA_LIVE && r->witnessed)
        cohort->app->witnessed += (size_t)change;
}

static void join(struct replica *r, struct cohort *cohort)
{
    r->cohort = cohort;
    DL_APPEND2(cohort->members, r, cohort_prev, cohort_next);
    cohort->gate.requests += r->requests;
    cohort->gate.errors += r->errors;
    count(r, 1);
}

static void leave(struct replica *r)
{
    count(r, -1);
    r->cohort->gate.requests -= r->requests;
    r->cohort->gate.errors -= r->errors;
    DL_DELETE2(r->cohort->members, r, cohort_prev, cohort_next);
    drop_cohort_if_empty(r->cohort);
}

/* One allocation holds the struct and its strings: "app/instance", incarnation, address, application name
 * (which is mostly the instance again, and then shared). */
static struct replica *allocate(const char *app, const char *instance, const char *incarnation,
                                const char *application_name, const char *address,
                                size_t *key_length)
{
    size_t app_length = strlen(app), instance_size = strlen(instance) + 1,
           incarnation_size = strlen(incarnation) + 1;
    bool shared = strcmp(instance, application_name) == 0;
    size_t name_size = shared ? 0 : strlen(application_name) + 1, address_size = strlen(address) + 1;
    struct replica *r = memory_new(sizeof *r + app_length + 1 + instance_size + incarnation_size +
                                   address_size + name_size);
    char *text = (char *)(r + 1);

    memcpy(text, app, app_length);
    text[app_length] = '/';
    *key_length = app_length + instance_size;
    r->instance = memcpy(text + app_length + 1, instance, instance_size);
    text += app_length + 1 + instance_size;
    r->incarnation = memcpy(text, incarnation, incarnation_size);
    text += incarnation_size;
    r->address = memcpy(text, address, address_size);
    r->application_name =
        shared ? r->instance : memcpy(text + address_size, application_name, name_size);
    return r;
}

struct replica *registry_add(struct registry *registry, struct application *app,
                             const struct cohort_key *key, const char *instance,
                             const char *incarnation, const char *application_name,
                             const char *address, enum replica_state state)
{
    size_t key_length;
    struct replica *r =
        allocate(app->gate.name, instance, incarnation, application_name, address, &key_length);
    const char *text = (const char *)(r + 1);

    HASH_FIND(by_key, registry->replicas, text, key_length, r->older);
    if (r->older)
        HASH_DELETE(by_key, registry->replicas, r->older);
    HASH_ADD_KEYPTR(by_key, registry->replicas, text, key_length, r);
    r->state = (uint8_t)state;
    r->settled = true;
    r->heap_place = DEADLINES_NOWHERE;
    join(r, find_cohort(app, key));
    identify(&registry->names, r->application_name, r);
    identify(&registry->addresses, r->address, r);
    registry->changes++;
    return r;
}

struct replica *registry_find(const struct registry *registry, const char *app, const char *instance)
{
    char key[256];
    size_t app_length = strlen(app), length = strlen(instance);
    if (app_length + 1 + length > sizeof key)
        return NULL;
    memcpy(key, app, app_length);
    key[app_length] = '/';
    memcpy(key + app_length + 1, instance, length);

    struct replica *r;
    HASH_FIND(by_key, registry->replicas, key, app_length + 1 + length, r);
    return r;
}

struct replica *registry_find_incarnation(struct replica *newest, const char *incarnation)
{
    struct replica *r = newest;
    while (r && strcmp(r->incarnation, incarnation) != 0)
        r = r->older;
    return r;
}

void registry_set_state(struct registry *registry, struct replica *r, enum replica_state state)
{
    count(r, -1);
    r->state = (uint8_t)state;
    count(r, 1);
    if (state != REPLICA_LIVE)
        registry_set_settled(registry, r, true);
}

void registry_set_cohort(struct replica *r, const struct cohort_key *key)
{
    struct cohort *cohort = find_cohort(r->cohort->app, key);
    if (cohort == r->cohort)
        return;
    leave(r);
    join(r, cohort);
}

void registry_set_settled(struct registry *registry, struct replica *r, bool settled)
{
    if (r->settled == settled)
        return;
    r->settled = settled;
    registry->settling += settled ? (size_t)-1 : 1;
}

void registry_set_witnessed(struct replica *r)
{
    count(r, -1);
    r->witnessed = true;
    count(r, 1);
}

void registry_rename(struct registry *registry, struct replica *r, const char *application_name)
{
    if (strcmp(r->application_name, application_name) == 0)
        return;
    count(r, -1);
    r->witnessed = r->pins = false;
    r->roles = 0;
    count(r, 1);
    forget(&registry->names, r->application_name, r);
    memory_replace(&r->renamed, application_name);
    r->application_name = r->renamed;
    identify(&registry->names, r->application_name, r);
    registry->changes++;
}

static uint32_t add_saturating(uint32_t *to, uint32_t number)
{
    uint32_t before = *to;
    *to = before > UINT32_MAX - number ? UINT32_MAX : before + number;
    return *to - before;
}

void registry_add_health(struct replica *r, uint32_t requests, uint32_t errors)
{
    r->cohort->gate.requests += add_saturating(&r->requests, requests);
    r->cohort->gate.errors += add_saturating(&r->errors, errors);
}

void registry_set_deadline(struct registry *registry, struct replica *r, int64_t deadline_boot)
{
    deadlines_remove(registry, r);
    r->deadline_boot = deadline_boot;
    if (deadline_boot)
        deadlines_add(registry, r);
}

struct replica *registry_earliest(const struct registry *registry)
{
    return registry->heap_count ? registry->heap[0] : NULL;
}

/* Takes r out of its instance's chain. */
static void unchain(struct registry *registry, struct replica *r)
{
    struct replica *newest = registry_find(registry, r->cohort->app->gate.name, r->instance);
    if (newest != r) {
        while (newest->older != r)
            newest = newest->older;
        newest->older = r->older;
        return;
    }
    unsigned length = r->by_key.keylen;
    HASH_DELETE(by_key, registry->replicas, r);
    if (r->older)
        HASH_ADD_KEYPTR(by_key, registry->replicas, (const char *)(r->older + 1), length, r->older);
}

void registry_remove(struct registry *registry, struct replica *r)
{
    registry_set_settled(registry, r, true);
    deadlines_remove(registry, r);
    unchain(registry, r);
    forget(&registry->names, r->application_name, r);
    forget(&registry->addresses, r->address, r);
    registry->changes++;
    leave(r);
    free(r->renamed);
    free(r);
}

void registry_free(struct registry *registry)
{
    while (registry->replicas)
        registry_remove(registry, registry->replicas);
    struct application *app, *next;
    HASH_ITER(by_name, registry->apps, app, next)
    {
        HASH_DELETE(by_name, registry->apps, app);
        free_app(app);
    }
    roles_free(registry);
    free((void *)registry->gate_apps);
    free(registry->heap);
    *registry = (struct registry){0};
}
