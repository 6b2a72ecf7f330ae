/* A term: all rows are read in beside what is there, then take its place; what was under way when the
 * last term ended is recovered. */
#include "record.h"
#include "state.h"

#include <schemagate/base/log.h>
#include <schemagate/base/memory.h>

#include <stdlib.h>
#include <string.h>

struct loading {
    struct coordinator *c;
    struct registry registry;
    struct migration *migrations;
    struct migration *current; /* that the last step row was about */
    struct window window;
    struct pause_note pause;
    int64_t baseline, generation, index;
    struct settled_on settled_on;
    bool given_up; /* the term ended while it was read in */
};

bool term_goes_on(const struct coordinator *c)
{
    return c->role == ROLE_LEADER && !c->rollout.over;
}

void term_restart(struct coordinator *c, const char *reason)
{
    c->rollout.over = true;
    c->env.world_ops->restart_term(c->env.world, reason);
}

void term_note_events(struct coordinator *c, const struct change_set *changes,
                      const struct commit_result *result)
{
    for (size_t i = 0; i < result->event_count && i < changes->event_count; i++) {
        struct migration *m = migrations_find(c, changes->event_versions[i]);
        if (m)
            m->index = result->event_ids[i];
        if (result->event_ids[i] > c->index)
            c->index = result->event_ids[i];
    }
}

/* ---- rows ---- */

static void read_window(struct loading *l, const json_t *row)
{
    l->window = (struct window){record_number(row, "floor"), record_number(row, "ceiling"),
                                record_number(row, "contracting"), record_number(row, "undoing")};
    l->baseline = record_number(row, "baseline");
    l->generation = record_number(row, "generation");
    l->index = record_number(row, "last_event");
    snprintf(l->settled_on.system_identifier, sizeof l->settled_on.system_identifier, "%s",
             record_text(row, "system_identifier"));
    snprintf(l->settled_on.timeline, sizeof l->settled_on.timeline, "%s", record_text(row, "timeline"));
    l->settled_on.longest_lease_seconds = record_number(row, "longest_lease_seconds");
    l->pause = (struct pause_note){
        .paused = record_flag(row, "paused"),
        .by = memory_copy(json_string_value(json_object_get(row, "paused_by"))),
        .reason = memory_copy(json_string_value(json_object_get(row, "paused_reason"))),
        .since_wall = record_time(row, "paused_since"),
    };
}

static void read_migration(struct loading *l, const json_t *row)
{
    struct migration *m = record_read_migration(row);
    m->soak_written_ms = m->soak_stored_ms;
    /* What replicas reported before this term is not known any more: it counts from here. */
    m->requests_before = l->c->reported.requests;
    m->errors_before = l->c->reported.errors;
    HASH_ADD(by_version, l->migrations, version, sizeof m->version, m);
}

static struct migration *find(const struct loading *l, int64_t version)
{
    struct migration *m;
    HASH_FIND(by_version, l->migrations, &version, sizeof version, m);
    return m;
}

/* Steps are kept by section, then number; rows come in any order of sections. */
static void read_step(struct loading *l, const json_t *row)
{
    struct migration *m = find(l, record_number(row, "version"));
    struct step step;

    if (!m || !record_read_step(row, &step))
        return;
    m->steps = memory_grow(m->steps, m->step_count + 1, sizeof *m->steps);
    size_t at = m->step_count++;
    while (at > 0 && (m->steps[at - 1].section > step.section ||
                      (m->steps[at - 1].section == step.section &&
                       m->steps[at - 1].number > step.number))) {
        m->steps[at] = m->steps[at - 1];
        at--;
    }
    m->steps[at] = step;
}

/* An approval counts for the plan, the cluster and the timeline for which it was given. */
static void read_approval(struct loading *l, const json_t *row)
{
    const struct term *term = &l->c->term;
    struct migration *m = find(l, record_number(row, "version"));

    if (m && strcmp(record_text(row, "plan_checksum"), m->plan_checksum) == 0 &&
        strcmp(record_text(row, "system_identifier"), term->system_identifier) == 0 &&
        strcmp(record_text(row, "timeline"), term->timeline) == 0)
        m->approved = true;
}

static void read_waiver(struct loading *l, const json_t *row)
{
    struct migration *m = find(l, record_number(row, "version"));
    if (m)
        waivers_read(m, row, coordinator_now(l->c));
}

static void read_hidden(struct loading *l, const json_t *row)
{
    struct migration *m = find(l, record_number(row, "version"));

    if (!m)
        return;
    if (!m->hidden)
        m->hidden = json_array();
    json_array_append_new(m->hidden, json_deep_copy(row));
}

static void read_app(struct loading *l, const json_t *row)
{
    struct application *app = registry_app(&l->registry, record_text(row, "app"));

    app->created_wall = record_time(row, "created_at");
    if (json_is_integer(json_object_get(row, "min_replicas")))
        app->min_replicas_asked = record_number(row, "min_replicas");
    app->gate.min_replicas = app_min_replicas(l->c, app);
    app->gate.has_desired = json_is_integer(json_object_get(row, "desired_max"));
    app->gate.desired = (struct version_range){record_number(row, "desired_min"),
                                               record_number(row, "desired_max")};
    memory_replace(&app->desired_release,
                   json_string_value(json_object_get(row, "desired_release")));
    if (record_flag(row, "retired"))
        registry_retire(&l->registry, app);
}

static void read_role(struct loading *l, const json_t *row)
{
    roles_add(&l->registry, record_text(row, "role"))->stored = true;
}

static void read_compatible(struct loading *l, const json_t *row)
{
    registry_set_compatible(registry_app(&l->registry, record_text(row, "app")),
                            record_text(row, "release"), record_number(row, "max"),
                            record_text(row, "reason"), record_text(row, "actor"));
}

static enum replica_state read_state(const json_t *row)
{
    for (enum replica_state state = 0; state < REPLICA_GONE; state++)
        if (strcmp(replica_state_name(state), record_text(row, "state")) == 0)
            return state;
    return REPLICA_LOST; /* doubt holds */
}

/* Every known live replica gets a fresh full lease, and no gate opens until it has renewed. */
static void read_replica(struct loading *l, const json_t *row)
{
    struct application *app = registry_app(&l->registry, record_text(row, "app"));
    struct gate_knows *knows;
    size_t knows_count = record_read_knows(json_object_get(row, "knows"), &knows);
    struct cohort_key key = {{record_number(row, "min"), record_number(row, "max")},
                             record_text(row, "release"),
                             knows,
                             knows_count};
    struct replica *r =
        registry_add(&l->registry, app, &key, record_text(row, "instance"),
                     record_text(row, "incarnation"), record_text(row, "application_name"),
                     record_text(row, "address"), read_state(row));

    free(knows);
    if (record_flag(row, "witnessed"))
        registry_set_witnessed(r);
    roles_read(&l->registry, r, row);
    r->lease_seconds = (uint32_t)record_number(row, "lease_seconds");
    r->on_lost_exit = strcmp(record_text(row, "on_lost"), "exit") == 0;
    r->superseded = record_flag(row, "superseded");
    r->registered_wall = record_time(row, "registered_at");
    r->state_since_wall = record_time(row, "state_since");
    if (r->state == REPLICA_LOST) {
        replica_begin_loss(l->c, &l->registry, r);
        return;
    }
    r->renewed_boot = coordinator_now(l->c).boot_ms;
    registry_set_deadline(&l->registry, r, replica_lease_end(r));
    registry_set_settled(&l->registry, r, r->state != REPLICA_LIVE);
}

static void row(void *context, const char *table, const json_t *row)
{
    static const struct {
        const char *table;
        void (*read)(struct loading *l, const json_t *row);
    } readers[] = {
        {"window", read_window},         {"migrations", read_migration}, {"steps", read_step},
        {"approvals", read_approval},    {"apps", read_app},             {"compatible", read_compatible},
        {"replicas", read_replica},      {"waivers", read_waiver},       {"roles", read_role},
        {"hidden", read_hidden},
    };
    struct loading *l = context;
    for (size_t i = 0; i < sizeof readers / sizeof *readers; i++)
        if (!l->given_up && strcmp(readers[i].table, table) == 0)
            readers[i].read(l, row);
}

/* ---- taking their place ---- */

static void free_migrations(struct migration **migrations)
{
    struct migration *m, *next;
    HASH_ITER(by_version, *migrations, m, next)
    {
        HASH_DELETE(by_version, *migrations, m);
        migration_free(m);
    }
}

static void free_loading(struct loading *l)
{
    registry_free(&l->registry);
    free_migrations(&l->migrations);
    free((char *)l->pause.by);
    free((char *)l->pause.reason);
    free(l);
}

static void swap_in(struct coordinator *c, struct loading *l)
{
    struct registry registry = c->registry;
    struct migration *migrations = c->migrations;
    struct pause_note pause = c->pause;

    c->registry = l->registry;
    c->migrations = l->migrations;
    c->pause = l->pause;
    c->view.window = l->window;
    c->baseline = l->baseline;
    c->generation = l->generation;
    c->index = l->index;
    l->registry = registry;
    l->migrations = migrations;
    l->pause = pause;
    migrations_refresh_view(c);
}

/* ---- the daemon's own events ---- */

static bool leader_decide(struct coordinator *c, struct intent *intent, struct change_set *changes)
{
    (void)intent;
    changes_event(changes,
                  &(struct change_event){
                      .kind = "daemon.leader",
                      .data = json_pack("{s:I, s:s}", "epoch", (json_int_t)c->term.epoch, "timeline",
                                        c->term.timeline)});
    failover_write(c, changes);
    return true;
}

static void leader_apply(struct coordinator *c, struct intent *intent)
{
    (void)intent;
    if (c->settle_until_boot == 0)
        failover_note_settled(c);
    replicas_admit_waiting(c);
}

static const struct intent_kind leader_kind = {
    .exclusive = true, .decide = leader_decide, .apply = leader_apply};

static void recover(struct coordinator *c)
{
    for (const struct migration *m = c->migrations; m; m = m->by_version.next) {
        struct transition t;
        const char *refusal;
        if (transition_prepare(c, m, EVENT_RECOVERED, &t, &refusal) &&
            (t.step.next != m->phase || t.window_changes))
            rollout_transition(c, m, EVENT_RECOVERED, NULL);
    }
}

static void done(void *context, bool ok)
{
    struct loading *l = context;
    struct coordinator *c = l->c;

    if (l->given_up) {
        free_loading(l);
        return;
    }
    c->loading = NULL;
    if (!ok) {
        free_loading(l);
        term_restart(c, "the state could not be read");
        return;
    }
    failover_look(c, &l->registry, &l->settled_on);
    roles_carry(&l->registry, &c->registry);
    swap_in(c, l);
    free_loading(l);
    fencing_begin_term(c);
    c->role = ROLE_LEADER;
    memory_replace(&c->trouble, "");
    log_info("leading", LOG_NUMBER("epoch", c->term.epoch), LOG_NUMBER("floor", c->view.window.floor),
             LOG_NUMBER("ceiling", c->view.window.ceiling),
             LOG_NUMBER("replicas", HASH_CNT(by_key, c->registry.replicas)),
             LOG_NUMBER("settling", c->registry.settling));
    struct intent *leader = memory_new(sizeof *leader);
    leader->kind = &leader_kind;
    journal_add(c, leader);
    roles_store(c);
    losses_begin_term(c);
    recover(c);
    coordinator_changed(c);
    coordinator_wake(c);
}

/* ---- beginning and ending ---- */

static void give_up_loading(struct coordinator *c)
{
    if (c->loading)
        c->loading->given_up = true;
    c->loading = NULL;
}

void coordinator_begin_term(struct coordinator *c, const struct term *term)
{
    give_up_loading(c);
    rollout_reset(c);
    c->term = *term;
    memory_replace(&c->leader_url, "");
    c->loading = memory_new(sizeof *c->loading);
    c->loading->c = c;
    c->env.store_ops->load(c->env.store, row, done, c->loading);
}

static void lose_lead(struct coordinator *c, enum coordinator_role role)
{
    give_up_loading(c);
    if (c->rollout.run && c->role != ROLE_STOPPING)
        losses_note(c, c->rollout.run);
    rollout_reset(c);
    if (c->role != ROLE_STOPPING)
        c->role = role;
    journal_fail(c);
    coordinator_changed(c);
}

void coordinator_end_term(struct coordinator *c, const char *reason)
{
    bool led = c->role == ROLE_LEADER || c->role == ROLE_CUT_OFF;
    memory_replace(&c->trouble, reason);
    lose_lead(c, led ? ROLE_CUT_OFF : ROLE_STARTING);
}

void coordinator_stand_by(struct coordinator *c, const char *leader_url)
{
    if (c->role == ROLE_STANDBY && strcmp(c->leader_url, leader_url) == 0)
        return;
    memory_replace(&c->leader_url, leader_url);
    memory_replace(&c->trouble, "");
    lose_lead(c, ROLE_STANDBY);
}

void coordinator_stop(struct coordinator *c)
{
    give_up_loading(c);
    c->role = ROLE_STOPPING;
    journal_flush(c);
    coordinator_changed(c);
}

void coordinator_free(struct coordinator *c)
{
    if (!c)
        return;
    rollout_reset(c);
    witness_free(&c->watch);
    registry_free(&c->registry);
    free_migrations(&c->migrations);
    changes_free(&c->journal.changes);
    free((void *)c->view.served);
    free((void *)c->view.pending);
    free((char *)c->pause.by);
    free((char *)c->pause.reason);
    free(c->trouble);
    free(c->leader_url);
    free(c);
}
