/* Registrations: the durable admission of an incarnation, and its end by somebody's word. */
#include "record.h"
#include "state.h"

#include <schemagate/base/memory.h>

#include <stdlib.h>
#include <string.h>

/* ---- registering ---- */

struct register_intent {
    struct intent intent;
    char *app, *instance, *incarnation, *release, *application_name, *address, *actor;
    char *predecessor; /* NULL: whoever was the newest */
    struct version_range range;
    uint32_t lease_seconds;
    bool on_lost_exit, predecessor_ended;
    json_t *knows;
    struct gate_knows *knows_list; /* strings inside `knows` */
    size_t knows_count;
    bool created, refused, renamed;
    enum replica_state state; /* decided */
};

static void register_release(struct intent *intent)
{
    struct register_intent *r = (struct register_intent *)intent;
    free(r->app);
    free(r->instance);
    free(r->incarnation);
    free(r->release);
    free(r->application_name);
    free(r->address);
    free(r->actor);
    free(r->predecessor);
    free(r->knows_list);
    json_decref(r->knows);
}

static struct cohort_key key_of(const struct register_intent *r)
{
    return (struct cohort_key){r->range, r->release, r->knows_list, r->knows_count};
}

/* What it claims, and what an operator recorded for its release. */
static struct gate_cohort cohort_of(const struct coordinator *c, const struct register_intent *r)
{
    const struct application *app = registry_find_app(&c->registry, r->app);
    return (struct gate_cohort){.range = r->range,
                                .compatible_max = app ? registry_compatible_max(app, r->release) : 0,
                                .knows = r->knows_list,
                                .knows_count = r->knows_count};
}

static void note_event(const struct register_intent *r, const char *kind, const char *reason,
                       struct change_set *changes)
{
    changes_event(changes,
                  &(struct change_event){
                      .kind = kind,
                      .app = r->app,
                      .instance = r->instance,
                      .actor = r->actor,
                      .reason = reason,
                      .data = json_pack("{s:s, s:I, s:I, s:s}", "incarnation", r->incarnation, "min",
                                        (json_int_t)r->range.min, "max", (json_int_t)r->range.max,
                                        "release", r->release)});
}

static void write_registration(struct coordinator *c, const struct register_intent *r,
                               struct change_set *changes)
{
    json_t *now = record_time_value(coordinator_now(c).wall_ms);
    json_t *row = json_pack(
        "{s:s, s:s, s:s, s:s, s:I, s:I, s:i, s:s, s:s, s:s, s:O?, s:b, s:o, s:O, s:n, s:s}", "app", r->app,
        "instance", r->instance, "incarnation", r->incarnation, "state", replica_state_name(r->state),
        "min", (json_int_t)r->range.min, "max", (json_int_t)r->range.max, "lease_seconds",
        (int)r->lease_seconds, "release", r->release, "application_name", r->application_name,
        "on_lost", r->on_lost_exit ? "exit" : "keep", "knows", r->knows, "superseded", 0,
        "state_since", now, "registered_at", now, "gone_reason", "address", r->address);
    if (!r->created) {
        json_object_del(row, "registered_at");
        json_object_del(row, "address");
    }
    if (r->renamed)
        json_object_update_new(row, json_pack("{s:b, s:b, s:[]}", "witnessed", 0, "pins", 0, "roles"));
    if (r->lease_seconds > c->settled_on.longest_lease_seconds) {
        /* Noted before it is committed: a shorter one of the same group must not take its place. */
        c->settled_on.longest_lease_seconds = r->lease_seconds;
        changes_window(changes, json_pack("{s:I}", "longest_lease_seconds",
                                          (json_int_t)r->lease_seconds));
    }
    changes_row(changes, "replicas", row);
    changes_row(changes, "apps", json_pack("{s:s}", "app", r->app));
    note_event(r, "replica.registered", NULL, changes);
}

/* What a newer incarnation means for an older one. */
static enum replica_event fate_of(const struct register_intent *r, const struct replica *old,
                                  const struct replica *newest)
{
    bool meant = r->predecessor ? strcmp(r->predecessor, old->incarnation) == 0 : old == newest;
    return r->predecessor_ended && meant ? REPLICA_RESTARTED : REPLICA_SUPERSEDED;
}

static void write_predecessor(const struct coordinator *c, const struct register_intent *r,
                              const struct replica *old, const struct replica *newest,
                              struct change_set *changes)
{
    enum replica_event event = fate_of(r, old, newest);
    enum replica_state next;

    if (!replica_next(old->state, event, &next) || (old->superseded && next != REPLICA_GONE))
        return;
    const char *reason = next == REPLICA_GONE ? replica_event_name(event) : NULL;
    json_t *row = record_replica(old, next, true, coordinator_now(c).wall_ms, reason);
    roles_note(&c->registry, old, row);
    changes_row(changes, "replicas", row);
    changes_event(changes,
                  &(struct change_event){
                      .kind = next == REPLICA_GONE ? "replica.gone" : "replica.superseded",
                      .app = r->app,
                      .instance = r->instance,
                      .actor = r->actor,
                      .reason = reason,
                      .data = replica_note(old)});
}

static bool refuse(struct register_intent *r, enum admission admission, struct change_set *changes)
{
    r->refused = true;
    note_event(r, "replica.refused",
               admission == ADMISSION_TOO_OLD ? "schema-too-old" : "range-not-served", changes);
    return true;
}

/* A running incarnation asks for something else; the old registration stays unless it is served. */
static bool decide_change(struct coordinator *c, struct register_intent *r,
                          const struct replica *old, struct change_set *changes)
{
    const struct gate_cohort wanted = cohort_of(c, r);
    const struct cohort_key key = key_of(r);
    enum admission admission = admission_of(c, &wanted);

    r->renamed = strcmp(old->application_name, r->application_name) != 0;
    if (old->superseded)
        return intent_refuse(&r->intent, PROBLEM_INCARNATION_SUPERSEDED,
                             "a newer incarnation of %s has registered", r->instance);
    if (old->state == REPLICA_WAITING && admission != ADMISSION_LIVE && admission != ADMISSION_WAITING)
        return refuse(r, admission, changes);
    bool same = registry_is_cohort(old->cohort, &key);
    if (old->state != REPLICA_WAITING && !same && admission != ADMISSION_LIVE)
        return intent_refuse(&r->intent, PROBLEM_RANGE_NOT_SERVED,
                             "%lld..%lld is not served now; %lld..%lld stays registered for it",
                             (long long)r->range.min, (long long)r->range.max,
                             (long long)old->cohort->gate.range.min,
                             (long long)old->cohort->gate.range.max);
    /* By what it was granted before it may still go while the answer to this is under way. */
    if ((r->on_lost_exit || old->on_lost_exit) && r->lease_seconds < old->lease_seconds)
        r->lease_seconds = old->lease_seconds;
    r->state = old->state == REPLICA_WAITING && admission == ADMISSION_WAITING ? REPLICA_WAITING
                                                                               : REPLICA_LIVE;
    write_registration(c, r, changes);
    return true;
}

static bool register_decide(struct coordinator *c, struct intent *intent, struct change_set *changes)
{
    struct register_intent *r = (struct register_intent *)intent;
    const struct application *app = registry_find_app(&c->registry, r->app);
    struct replica *newest = registry_find(&c->registry, r->app, r->instance);
    struct replica *same = registry_find_incarnation(newest, r->incarnation);
    const struct gate_cohort wanted = cohort_of(c, r);
    enum admission admission = admission_of(c, &wanted);

    r->refused = r->created = r->renamed = false;
    if (app && app->retired)
        return intent_refuse(intent, PROBLEM_APP_RETIRED,
                             "the app %s was retired for good: register under another name", r->app);
    if (same)
        return decide_change(c, r, same, changes);
    r->created = true;
    if (admission == ADMISSION_TOO_OLD || admission == ADMISSION_NEVER)
        return refuse(r, admission, changes);
    r->state = admission == ADMISSION_LIVE ? REPLICA_LIVE : REPLICA_WAITING;
    soak_forget(c, &wanted, changes);
    write_registration(c, r, changes);
    for (const struct replica *old = newest; old; old = old->older)
        write_predecessor(c, r, old, newest, changes);
    return true;
}

static void answer_refusal(struct coordinator *c, const struct register_intent *r)
{
    const struct window *window = &c->view.window;
    const struct gate_cohort wanted = cohort_of(c, r);
    int64_t needed = window->contracting > window->floor ? window->contracting : window->floor;
    int64_t unlisted = admission_unlisted(c, &wanted);
    char detail[256];

    c->counts.refusals++;
    if (r->range.max >= needed && unlisted) {
        snprintf(detail, sizeof detail,
                 "%s/%s lists the migrations that it ships, and not the schema's %lld: do not start it; "
                 "start a release that ships it",
                 r->app, r->instance, (long long)unlisted);
        intent_answer(&r->intent, &(struct outcome){.problem = PROBLEM_SCHEMA_TOO_OLD,
                                                    .detail = detail,
                                                    .needed = unlisted});
        return;
    }
    if (r->range.max >= needed) {
        intent_refuse(&r->intent, PROBLEM_RANGE_NOT_SERVED,
                      "no version in %lld..%lld is served or can be served again: start a release "
                      "that works with %lld..%lld",
                      (long long)r->range.min, (long long)r->range.max, (long long)window->floor,
                      (long long)window->ceiling);
        return;
    }
    snprintf(detail, sizeof detail,
             "%s/%s works with %lld..%lld, but the schema serves %lld and above: do not start it; "
             "start a release whose max is at least %lld",
             r->app, r->instance, (long long)r->range.min, (long long)r->range.max, (long long)needed,
             (long long)needed);
    intent_answer(&r->intent, &(struct outcome){.problem = PROBLEM_SCHEMA_TOO_OLD,
                                                .detail = detail,
                                                .needed = needed});
}

static void settle_predecessor(struct coordinator *c, const struct register_intent *r,
                               struct replica *old, const struct replica *newest)
{
    enum replica_state next;
    if (!replica_next(old->state, fate_of(r, old, newest), &next))
        return;
    if (next == REPLICA_GONE) {
        registry_remove(&c->registry, old);
        return;
    }
    if (old->superseded)
        return;
    old->superseded = true;
    old->state_since_wall = coordinator_now(c).wall_ms;
    registry_set_state(&c->registry, old, next);
    replica_begin_loss(c, &c->registry, old);
}

static struct replica *enter(struct coordinator *c, const struct register_intent *r)
{
    struct application *app = registry_app(&c->registry, r->app);
    struct replica *old = registry_find(&c->registry, r->app, r->instance);
    struct cohort_key key = key_of(r);

    if (app->created_wall == 0)
        app->created_wall = coordinator_now(c).wall_ms;
    app->gate.min_replicas = app_min_replicas(c, app);
    struct replica *added = registry_add(&c->registry, app, &key, r->instance, r->incarnation,
                                         r->application_name, r->address, r->state);
    const struct replica *newest = old;
    while (old) {
        struct replica *older = old->older;
        settle_predecessor(c, r, old, newest);
        old = older;
    }
    added->registered_wall = coordinator_now(c).wall_ms;
    return added;
}

static void register_apply(struct coordinator *c, struct intent *intent)
{
    struct register_intent *r = (struct register_intent *)intent;
    struct replica *known = registry_find_incarnation(
        registry_find(&c->registry, r->app, r->instance), r->incarnation);

    if (r->refused) {
        answer_refusal(c, r);
        return;
    }
    c->counts.registrations++;
    if (known) {
        struct cohort_key key = key_of(r);
        registry_set_cohort(known, &key);
        registry_rename(&c->registry, known, r->application_name);
        registry_set_state(&c->registry, known, r->state);
        registry_set_settled(&c->registry, known, true);
    } else {
        known = enter(c, r);
    }
    known->on_lost_exit = r->on_lost_exit;
    known->lease_seconds = r->lease_seconds;
    known->state_since_wall = coordinator_now(c).wall_ms;
    known->renewed_boot = coordinator_now(c).boot_ms;
    registry_set_deadline(&c->registry, known, replica_lease_end(known));
    replica_admit_waiting(c, known); /* an expand may have been done since it was decided */
    intent_answer(intent, &(struct outcome){.created = r->created, .replica = known});
}

static const struct intent_kind register_kind = {
    .decide = register_decide, .apply = register_apply, .release = register_release};

static int64_t default_lease(const struct coordinator *c, const char *app)
{
    const struct config_app *configured = config_app_find(c->config, app);
    return configured && configured->lease_seconds > 0 ? configured->lease_seconds
                                                       : c->config->gate.lease_seconds;
}

/* What everything on this machine has identifies nobody. */
static const char *identifying(const char *address)
{
    bool loopback = !address || strncmp(address, "127.", 4) == 0 || strcmp(address, "::1") == 0;
    return loopback ? "" : address;
}

void coordinator_register(struct coordinator *c, const struct registration *registration,
                          coordinator_answer *answer, void *context)
{
    struct register_intent *r = memory_new(sizeof *r);

    r->intent = (struct intent){
        .kind = &register_kind,
        .subject = memory_printf("%s/%s", registration->app, registration->instance),
        .answer = answer,
        .context = context,
    };
    r->app = memory_copy(registration->app);
    r->instance = memory_copy(registration->instance);
    r->incarnation = memory_copy(registration->incarnation);
    r->release = memory_copy(registration->release);
    r->application_name = memory_copy(registration->application_name);
    r->address = memory_copy(identifying(registration->address));
    r->actor = memory_copy(registration->actor);
    r->range = registration->range;
    r->lease_seconds = (uint32_t)(registration->lease_seconds > 0 ? registration->lease_seconds
                                                                  : default_lease(c, r->app));
    r->on_lost_exit = registration->on_lost_exit;
    r->predecessor_ended = registration->predecessor_ended;
    r->predecessor = memory_copy(registration->predecessor);
    r->knows = record_knows(registration->knows, registration->knows_count);
    r->knows_count = record_read_knows(r->knows, &r->knows_list);
    journal_add(c, &r->intent);
}

/* ---- the end, by somebody's word ---- */

struct remove_intent {
    struct intent intent;
    enum replica_event how;
    char *app, *instance, *incarnation, *reason, *actor; /* incarnation NULL: see coordinator.h */
};

static void remove_release(struct intent *intent)
{
    struct remove_intent *r = (struct remove_intent *)intent;
    free(r->app);
    free(r->instance);
    free(r->incarnation);
    free(r->reason);
    free(r->actor);
}

/* Evicting without an incarnation means all of them, attesting the newest. */
static bool is_meant(const struct remove_intent *r, const struct replica *newest,
                     const struct replica *candidate)
{
    if (r->incarnation)
        return strcmp(candidate->incarnation, r->incarnation) == 0;
    return r->how == REPLICA_EVICTED || candidate == newest;
}

static bool answer_absent(const struct remove_intent *r, bool others)
{
    if (others)
        return intent_refuse(&r->intent, PROBLEM_INCARNATION_SUPERSEDED,
                             "%s/%s is registered with another incarnation", r->app, r->instance);
    if (r->how != REPLICA_DEREGISTERED)
        return intent_refuse(&r->intent, PROBLEM_UNKNOWN_REPLICA,
                             "%s/%s is not registered (any more)", r->app, r->instance);
    intent_answer(&r->intent, &(struct outcome){0});
    return false;
}

static bool remove_decide(struct coordinator *c, struct intent *intent, struct change_set *changes)
{
    const struct remove_intent *r = (const struct remove_intent *)intent;
    const struct replica *newest = registry_find(&c->registry, r->app, r->instance);
    bool any = false;

    for (const struct replica *old = newest; old; old = old->older) {
        enum replica_state next;
        if (!is_meant(r, newest, old) || !replica_next(old->state, r->how, &next))
            continue;
        any = true;
        c->journal.leaving++;
        changes_row(changes, "replicas",
                    record_replica(old, next, old->superseded, coordinator_now(c).wall_ms,
                                   replica_event_name(r->how)));
        changes_event(changes, &(struct change_event){.kind = "replica.gone",
                                                      .app = r->app,
                                                      .instance = r->instance,
                                                      .actor = r->actor,
                                                      .reason = r->reason && *r->reason
                                                                    ? r->reason
                                                                    : replica_event_name(r->how),
                                                      .data = replica_note(old)});
    }
    return any || answer_absent(r, newest != NULL);
}

static void remove_apply(struct coordinator *c, struct intent *intent)
{
    const struct remove_intent *r = (const struct remove_intent *)intent;
    const struct replica *newest = registry_find(&c->registry, r->app, r->instance);
    struct replica *old = (struct replica *)newest;

    while (old) {
        struct replica *older = old->older;
        if (is_meant(r, newest, old))
            registry_remove(&c->registry, old);
        old = older;
    }
    intent_answer(intent, &(struct outcome){0});
}

static const struct intent_kind remove_kind = {
    .decide = remove_decide, .apply = remove_apply, .release = remove_release};

void coordinator_remove(struct coordinator *c, enum replica_event how, const char *app,
                        const char *instance, const char *incarnation, const char *reason,
                        const char *actor, coordinator_answer *answer, void *context)
{
    struct remove_intent *r = memory_new(sizeof *r);
    r->intent = (struct intent){.kind = &remove_kind,
                                .subject = memory_printf("%s/%s", app, instance),
                                .answer = answer,
                                .context = context};
    r->how = how;
    r->app = memory_copy(app);
    r->instance = memory_copy(instance);
    r->incarnation = memory_copy(incarnation);
    r->reason = memory_copy(reason);
    r->actor = memory_copy(actor);
    journal_add(c, &r->intent);
}
