/* Facts for the gate: the fleet from memory, or as PostgreSQL has it; the rest from memory. */
#include "reach.h"
#include "record.h"
#include "state.h"

#include <schemagate/base/memory.h>

#include <stdlib.h>
#include <string.h>

bool migration_gate_kind(const struct migration *m, enum gate_kind *kind)
{
    *kind = m->phase == PHASE_UNDOING ? GATE_UNDO : GATE_CONTRACT;
    return m->phase == PHASE_EXPANDED || m->phase == PHASE_CONTRACTING || m->phase == PHASE_UNDOING ||
           migration_is_kept(m);
}

int64_t app_min_replicas(const struct coordinator *c, const struct application *app)
{
    const struct config_app *configured = config_app_find(c->config, app->gate.name);
    if (app->min_replicas_asked >= 0)
        return app->min_replicas_asked;
    return configured && configured->min_replicas >= 0 ? configured->min_replicas
                                                       : c->config->gate.min_replicas;
}

/* The longest soak that the migration, the configuration or an app asks for; once it is contracted, the time
 * in which it can be restored. */
static int64_t soak_ms(const struct coordinator *c, const struct migration *m)
{
    if (migration_is_kept(m))
        return m->keep_hours * 3600 * 1000;
    int64_t seconds = m->soak_seconds;
    for (size_t i = 0; i < c->registry.gate_app_count; i++) {
        const struct config_app *app = config_app_find(c->config, c->registry.gate_apps[i]->name);
        if (app && app->soak_seconds > seconds)
            seconds = app->soak_seconds;
    }
    return seconds * 1000;
}

static int64_t soak_elapsed_ms(const struct coordinator *c, const struct migration *m)
{
    if (m->soak_from_boot == 0)
        return 0;
    return m->soak_stored_ms + coordinator_now(c).boot_ms - m->soak_from_boot;
}

static enum gate_strays strays(const struct config *config)
{
    const char *policy = config->gate.stray_sessions;
    return policy && strcmp(policy, "ignore") == 0 ? STRAYS_IGNORE
           : policy && strcmp(policy, "warn") == 0 ? STRAYS_WARN
                                                   : STRAYS_BLOCK;
}

/* Live replicas of which no session was ever seen. */
static size_t unwitnessed(const struct coordinator *c)
{
    size_t count = 0;
    for (const struct application *app = c->registry.apps; app; app = app->by_name.next)
        count += app->retired ? 0 : app->gate.live - app->witnessed;
    return count;
}

/* Where the last look failed, the server itself is one that cannot be looked at. */
static void add_sight(const struct coordinator *c, struct gate_facts *facts)
{
    static const struct gate_standby primary = {.name = GATE_PRIMARY, .primary = true};
    const struct sight *sight = witness_sight(c);

    facts->require_pins = c->config->gate.require_pins;
    facts->strays = strays(c->config);
    facts->unwitnessed = unwitnessed(c);
    facts->roles_configured = c->config->gate.app_roles.count > 0;
    facts->max_lag_seconds = (double)c->config->migration.max_replication_lag_seconds;
    if (sight) {
        facts->sees_sessions = sight->sees_all && !c->watch.blind;
        facts->sessions = sight->groups;
        facts->session_count = sight->group_count;
        facts->standbys = sight->standbys;
        facts->standby_count = sight->standby_count;
        facts->lag_seconds = sight->lag_seconds;
    }
    if (c->watch.blind) {
        facts->standbys = &primary;
        facts->standby_count = 1;
    }
}

bool facts_hang_on_sight(const struct coordinator *c, const struct migration *m)
{
    struct gate_facts facts;

    facts_of_memory(c, m, &facts);
    facts.session_count = facts.standby_count = 0;
    facts.lag_seconds = 0;
    return gate_evaluate(&facts, NULL, NULL) == 0;
}

void facts_of_memory(const struct coordinator *c, const struct migration *m, struct gate_facts *facts)
{
    *facts = (struct gate_facts){
        .version = m->version,
        .checksum = m->checksum,
        .apps = c->registry.gate_apps,
        .app_count = c->registry.gate_app_count,
        .settling = c->registry.settling,
        .earlier = migration_earlier(m),
        .later = migration_later(m),
        .paused = m->paused || c->pause.paused,
        .soak_ms = soak_ms(c, m),
        .soak_elapsed_ms = soak_elapsed_ms(c, m),
        .kept = migration_is_kept(m),
    };
    migration_gate_kind(m, &facts->kind);
    /* Who asks for an undo may approve, and has just done so. */
    facts->approval_missing = facts->kind == GATE_CONTRACT && !m->approved &&
                              strcmp(m->approval, "manual") == 0;
    facts->previous = window_previous(&c->view, m->version);
    facts->settling += c->settle_until_boot != 0;
    facts->after_failover = c->settle_until_boot != 0;
    facts->waivers = m->passes;
    facts->waiver_count = m->waiver_count;
    facts->outside_hours = c->outside_hours;
    facts->max_error_percent = (double)c->config->gate.max_error_percent;
    facts->statements = usage_statements(m, &facts->statement_count);
    facts->proved = facts->kind == GATE_CONTRACT && reach_is_proved(c, m);
    add_sight(c, facts);
}

/* ---- the fleet as PostgreSQL has it ---- */

struct fleet {
    struct gate_app *apps;
    const struct gate_app **app_pointers;
    size_t app_count;
};

static void free_fleet(struct fleet *fleet)
{
    for (size_t a = 0; a < fleet->app_count; a++) {
        struct gate_app *app = &fleet->apps[a];
        for (size_t i = 0; i < app->cohort_count; i++) {
            struct gate_cohort *cohort = (struct gate_cohort *)app->cohorts[i];
            free((void *)cohort->knows);
            free(cohort);
        }
        free((void *)app->cohorts);
    }
    free(fleet->apps);
    free((void *)fleet->app_pointers);
}

static void read_apps(const struct coordinator *c, const json_t *rows, struct fleet *fleet)
{
    const json_t *row;
    size_t i;

    fleet->apps = memory_new((json_array_size(rows) + 1) * sizeof *fleet->apps);
    fleet->app_pointers = memory_new((json_array_size(rows) + 1) * sizeof *fleet->app_pointers);
    json_array_foreach(rows, i, row)
    {
        if (record_flag(row, "retired"))
            continue;
        const struct application *known = registry_find_app(&c->registry, record_text(row, "app"));
        struct gate_app *app = &fleet->apps[fleet->app_count];
        *app = (struct gate_app){
            .name = record_text(row, "app"),
            .min_replicas = known ? known->gate.min_replicas : c->config->gate.min_replicas,
            .has_desired = json_is_integer(json_object_get(row, "desired_max")),
            .desired = {record_number(row, "desired_min"), record_number(row, "desired_max")},
        };
        fleet->app_pointers[fleet->app_count++] = app;
    }
}

static int64_t compatible_max(const json_t *rows, const json_t *replica)
{
    const json_t *row;
    size_t i;

    json_array_foreach(rows, i, row)
    {
        if (strcmp(record_text(row, "app"), record_text(replica, "app")) == 0 &&
            strcmp(record_text(row, "release"), record_text(replica, "release")) == 0)
            return record_number(row, "max");
    }
    return 0;
}

static struct gate_app *find_app(struct fleet *fleet, const char *name)
{
    for (size_t a = 0; a < fleet->app_count; a++)
        if (strcmp(fleet->apps[a].name, name) == 0)
            return &fleet->apps[a];
    return NULL;
}

/* False: a replica of an app that PostgreSQL does not list, or has retired. Doubt keeps a gate closed. */
static bool read_replicas(const json_t *object, struct fleet *fleet)
{
    const json_t *rows = json_object_get(object, "replicas"), *row;
    size_t i;

    json_array_foreach(rows, i, row)
    {
        enum replica_state state = strcmp(record_text(row, "state"), "live") == 0   ? REPLICA_LIVE
                                   : strcmp(record_text(row, "state"), "lost") == 0 ? REPLICA_LOST
                                                                                    : REPLICA_WAITING;
        struct gate_app *app = find_app(fleet, record_text(row, "app"));
        size_t members = (size_t)record_number(row, "count");
        struct gate_knows *knows;

        if (!replica_holds(state))
            continue;
        if (!app)
            return false;
        struct gate_cohort *cohort = memory_new(sizeof *cohort);
        cohort->range =
            (struct version_range){record_number(row, "min"), record_number(row, "max")};
        cohort->compatible_max = compatible_max(json_object_get(object, "compatible"), row);
        cohort->knows_count = record_read_knows(json_object_get(row, "knows"), &knows);
        cohort->knows = knows;
        cohort->live = state == REPLICA_LIVE ? members : 0;
        cohort->lost = state == REPLICA_LOST ? members : 0;
        app->live += cohort->live;
        app->cohorts =
            memory_grow((void *)app->cohorts, app->cohort_count + 1, sizeof *app->cohorts);
        ((struct gate_cohort **)app->cohorts)[app->cohort_count++] = cohort;
    }
    return true;
}

size_t facts_verify(const struct coordinator *c, const struct migration *m, const json_t *object)
{
    struct fleet fleet = {0};
    struct gate_facts facts;

    facts_of_memory(c, m, &facts);
    read_apps(c, json_object_get(object, "apps"), &fleet);
    size_t holds = read_replicas(object, &fleet) ? 0 : 1;
    facts.apps = fleet.app_pointers;
    facts.app_count = fleet.app_count;
    holds += gate_evaluate(&facts, NULL, NULL);
    free_fleet(&fleet);
    return holds;
}
