/* Looks of the witness: reading, matching, grouping. */
#include "sight.h"
#include "record.h"

#include <schemagate/base/memory.h>

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

/* ---- reading ---- */

static struct witnessed_session *add_session(struct sight *sight, const char *standby)
{
    sight->sessions =
        memory_grow(sight->sessions, sight->session_count + 1, sizeof *sight->sessions);
    struct witnessed_session *session = &sight->sessions[sight->session_count++];
    *session = (struct witnessed_session){.standby = standby};
    return session;
}

static void read_session(struct sight *sight, const json_t *row, const char *standby)
{
    struct witnessed_session *session = add_session(sight, standby);
    session->pid = (int)record_number(row, "pid");
    session->backend_start = record_text(row, "backend_start");
    session->role = record_text(row, "role");
    session->application_name = record_text(row, "application_name");
    session->address = record_text(row, "address");
    session->state = record_text(row, "state");
    session->started_wall = record_time(row, "backend_start");
    session->name = memory_printf("%s/%s", session->role, session->application_name);
}

static int by_pid(const void *a, const void *b)
{
    const struct witnessed_session *left = a, *right = b;
    return (left->pid > right->pid) - (left->pid < right->pid);
}

/* `first`: the server's first session. A pin that nobody seems to have counts nevertheless: its session is
 * just coming or going. */
static void read_pin(struct sight *sight, const json_t *row, size_t first, size_t count,
                     const char *standby)
{
    const struct witnessed_session key = {.pid = (int)record_number(row, "pid")};
    struct witnessed_session *session =
        count ? bsearch(&key, sight->sessions + first, count, sizeof key, by_pid) : NULL;

    if (!session)
        read_session(sight, row, standby), session = &sight->sessions[sight->session_count - 1];
    session->pinned = true;
    session->range = (struct version_range){record_number(row, "min"), record_number(row, "max")};
}

static void read_server(struct sight *sight, const json_t *server, const char *standby)
{
    size_t first = sight->session_count, i;
    const json_t *row;

    sight->sees_all &= record_flag(server, "sees_all");
    json_array_foreach(json_object_get(server, "sessions"), i, row)
    {
        read_session(sight, row, standby);
    }
    size_t count = sight->session_count - first;
    if (count)
        qsort(sight->sessions + first, count, sizeof *sight->sessions, by_pid);
    json_array_foreach(json_object_get(server, "pins"), i, row)
    {
        read_pin(sight, row, first, count, standby);
    }
}

static void raise_lag(struct sight *sight, const json_t *server)
{
    double lag = json_number_value(json_object_get(server, "lag_seconds"));
    if (lag > sight->lag_seconds)
        sight->lag_seconds = lag;
}

static void read_standby(struct sight *sight, const json_t *row)
{
    struct gate_standby *standby = &sight->standbys[sight->standby_count];

    *standby = (struct gate_standby){.name = record_text(row, "name"),
                                     .reachable = record_flag(row, "reachable")};
    sight->standby_errors[sight->standby_count++] = record_text(row, "error");
    raise_lag(sight, row);
    if (standby->reachable)
        read_server(sight, row, standby->name);
    else
        sight->complete = false;
}

struct sight *sight_read(const json_t *look, struct instant asked)
{
    const json_t *standbys = json_object_get(look, "standbys"), *row;
    struct sight *sight = memory_new(sizeof *sight);
    size_t i;

    sight->rows = json_incref((json_t *)look);
    sight->at_boot = asked.boot_ms;
    sight->at_wall = asked.wall_ms;
    sight->sees_all = sight->complete = true;
    sight->standbys = memory_new((json_array_size(standbys) + 1) * sizeof *sight->standbys);
    sight->standby_errors = memory_new((json_array_size(standbys) + 1) * sizeof *sight->standby_errors);
    raise_lag(sight, look);
    read_server(sight, look, NULL);
    json_array_foreach(standbys, i, row)
    {
        read_standby(sight, row);
    }
    sight->complete &= sight->sees_all;
    return sight;
}

void sight_free(struct sight *sight)
{
    if (!sight)
        return;
    for (size_t i = 0; i < sight->session_count; i++)
        free((char *)sight->sessions[i].name);
    free(sight->sessions);
    free(sight->groups);
    free(sight->standbys);
    free(sight->standby_errors);
    json_decref(sight->rows);
    free(sight);
}

/* ---- matching: by the name, else by an address that only one replica has ---- */

static struct identity *identity_of(const struct registry *registry,
                                    const struct witnessed_session *session)
{
    struct identity *named = registry_find_identity(registry->names, session->application_name);
    return named ? named : registry_find_identity(registry->addresses, session->address);
}

/* Replicas that share a name are all known, and hold for themselves; an address that several have may be
 * anybody's. */
static bool is_known(const struct registry *registry, const struct witnessed_session *session)
{
    return registry_find_identity(registry->names, session->application_name) ||
           identity_owner(registry_find_identity(registry->addresses, session->address));
}

static bool is_ignored(const struct config *config, const char *application_name)
{
    const struct config_list *patterns = &config->gate.ignore_application_names;
    for (size_t i = 0; i < patterns->count; i++)
        if (fnmatch(patterns->items[i], application_name, 0) == 0)
            return true;
    return false;
}

static bool is_of_application(const struct config *config, const struct registry *registry,
                              const struct witnessed_session *session)
{
    const struct config_list *configured = &config->gate.app_roles;

    if (session->ignored)
        return false;
    for (size_t i = 0; i < configured->count; i++)
        if (strcmp(configured->items[i], session->role) == 0)
            return true;
    return configured->count == 0 && roles_find(registry, session->role);
}

/* ---- grouping ---- */

static int compare_numbers(int64_t a, int64_t b)
{
    return (a > b) - (a < b);
}

static int compare_standbys(const char *a, const char *b)
{
    return strcmp(a ? a : "", b ? b : "");
}

/* 0: a gate need not tell them apart, nor does an operator. */
static int compare_kinds(const struct witnessed_session *a, const struct witnessed_session *b)
{
    const int differences[] = {
        compare_numbers(a->pinned, b->pinned),
        compare_numbers(a->range.max, b->range.max),
        compare_numbers(a->range.min, b->range.min),
        compare_numbers(a->application, b->application),
        compare_numbers(a->known, b->known),
        strcmp(a->name, b->name),
        strcmp(a->address, b->address),
        compare_standbys(a->standby, b->standby),
    };
    for (size_t i = 0; i < sizeof differences / sizeof *differences; i++)
        if (differences[i])
            return differences[i];
    return 0;
}

static int by_kind_then_age(const void *left, const void *right)
{
    const struct witnessed_session *a = left, *b = right;
    int kind = compare_kinds(a, b);
    return kind ? kind : compare_numbers(a->started_wall, b->started_wall);
}

/* An operator's word about a release counts for its pins as well. */
static struct version_range range_of(const struct witnessed_session *session)
{
    struct version_range range = session->range;
    const struct replica *r = session->replica;
    if (r && r->cohort->gate.compatible_max > range.max)
        range.max = r->cohort->gate.compatible_max;
    return range;
}

static void group(struct sight *sight)
{
    sight->group_count = 0;
    if (sight->session_count == 0)
        return;
    qsort(sight->sessions, sight->session_count, sizeof *sight->sessions, by_kind_then_age);
    if (!sight->groups)
        sight->groups = memory_new(sight->session_count * sizeof *sight->groups);
    for (size_t i = 0; i < sight->session_count; i++) {
        const struct witnessed_session *session = &sight->sessions[i];
        struct version_range range = range_of(session);
        struct gate_session *last = sight->group_count ? &sight->groups[sight->group_count - 1] : NULL;
        if (last && compare_kinds(last->subject, session) == 0 && last->range.max == range.max)
            last->count++;
        else
            sight->groups[sight->group_count++] = (struct gate_session){.name = session->name,
                                                                        .count = 1,
                                                                        .pinned = session->pinned,
                                                                        .range = range,
                                                                        .application = session->application,
                                                                        .known = session->known,
                                                                        .subject = session};
    }
}

/* Where every session of a role has a pin, connecting with that role goes through a hook that pins. */
static uint64_t unpinned_role(const struct registry *registry, const struct witnessed_session *session)
{
    const struct role *role = roles_find(registry, session->role);
    bool counts = role && !session->pinned && !session->ignored;
    return counts ? role_bit(role) : 0;
}

void sight_match(struct sight *sight, const struct config *config, const struct registry *registry)
{
    sight->unpinned_roles = 0;
    for (size_t i = 0; i < sight->session_count; i++) {
        struct witnessed_session *session = &sight->sessions[i];
        session->ignored = is_ignored(config, session->application_name);
        session->known = is_known(registry, session);
        session->replica = identity_owner(identity_of(registry, session));
        session->application = is_of_application(config, registry, session);
        sight->unpinned_roles |= unpinned_role(registry, session);
    }
    group(sight);
    sight->registry_changes = registry->changes;
}

/* ---- what is remembered ---- */

/* What only comes from its address may be another's, who is not registered (any more): where it has said
 * under which name it connects, that is no evidence of it; and no role or pin is ever taken from it. */
static void note_owner(struct replica *owner, const struct witnessed_session *session,
                       const struct role *role)
{
    bool anonymous = *owner->application_name == '\0';
    bool named = !anonymous && strcmp(owner->application_name, session->application_name) == 0;

    if (owner->state == REPLICA_LIVE && !owner->witnessed && (named || anonymous))
        registry_set_witnessed(owner);
    if (!named)
        return;
    owner->roles |= role_bit(role);
    owner->pins = true; /* unless one without is found below */
}

static void note_bars(const struct sight *sight, const struct registry *registry)
{
    const json_t *name;
    size_t i;

    for (struct role *role = registry->roles; role; role = role->hh.next) {
        bool barred = false;
        json_array_foreach(json_object_get(sight->rows, "barred_roles"), i, name)
        {
            barred |= strcmp(role->name, json_string_value(name)) == 0;
        }
        if (!barred || role->barred_since_boot == 0)
            role->barred_since_boot = barred ? sight->at_boot : 0;
    }
}

/* Whoever may be seen here counts as seen: that only ever keeps a gate closed. */
void sight_witness(const struct sight *sight, struct registry *registry)
{
    for (size_t i = 0; i < sight->session_count; i++) {
        const struct witnessed_session *session = &sight->sessions[i];
        struct identity *identity = identity_of(registry, session);
        struct replica *owner = identity_owner(identity);

        if (identity)
            identity->seen_boot = sight->at_boot;
        if (!is_known(registry, session))
            continue;
        const struct role *role = roles_add(registry, session->role);
        if (owner)
            note_owner(owner, session, role);
    }
    for (size_t i = 0; i < sight->session_count; i++) {
        struct replica *owner = identity_owner(identity_of(registry, &sight->sessions[i]));
        if (owner && !sight->sessions[i].pinned)
            owner->pins = false;
    }
    note_bars(sight, registry);
}
