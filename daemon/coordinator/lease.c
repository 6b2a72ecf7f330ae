/* Leases: renewals in memory, expiry, and the admission of those who wait (docs/design.md §3). */
#include "record.h"
#include "state.h"

#include <schemagate/base/memory.h>

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

/* A change of state of one known replica, to be made durable. */
struct state_intent {
    struct intent intent;
    char *incarnation;
    enum replica_event event;
    const char *because; /* gone: what the conclusion rests on, or NULL */
};

static struct replica *find(const struct coordinator *c, const struct intent *intent)
{
    const struct state_intent *change = (const struct state_intent *)intent;
    struct replica *newest;
    HASH_FIND(by_key, c->registry.replicas, intent->subject, strlen(intent->subject), newest);
    return registry_find_incarnation(newest, change->incarnation);
}

static void release(struct intent *intent)
{
    free(((struct state_intent *)intent)->incarnation);
}

static struct state_intent *add(struct coordinator *c, const struct replica *r,
                                enum replica_event event, const struct intent_kind *kind)
{
    struct state_intent *change = memory_new(sizeof *change);
    change->intent.kind = kind;
    change->intent.subject = memory_printf("%s/%s", r->cohort->app->gate.name, r->instance);
    change->incarnation = memory_copy(r->incarnation);
    change->event = event;
    journal_add(c, &change->intent);
    return change;
}

json_t *replica_note(const struct replica *r)
{
    return json_pack("{s:s, s:I, s:I, s:s}", "incarnation", r->incarnation, "min",
                     (json_int_t)r->cohort->gate.range.min, "max",
                     (json_int_t)r->cohort->gate.range.max, "release", r->cohort->release);
}

static void write_state(const struct coordinator *c, const struct replica *r,
                        enum replica_state state, const char *kind, const char *reason, json_t *data,
                        struct change_set *changes)
{
    json_t *row = record_replica(r, state, r->superseded, coordinator_now(c).wall_ms,
                                 state == REPLICA_GONE ? reason : NULL);

    roles_note(&c->registry, r, row);
    changes_row(changes, "replicas", row);
    changes_event(changes, &(struct change_event){.kind = kind,
                                                  .app = r->cohort->app->gate.name,
                                                  .instance = r->instance,
                                                  .reason = reason,
                                                  .data = data});
}

/* ---- lost, and back: memory knows it at once, the database follows ---- */

static bool follow_decide(struct coordinator *c, struct intent *intent, struct change_set *changes)
{
    const struct replica *r = find(c, intent);
    static const char *const kinds[REPLICA_STATES] = {
        [REPLICA_LIVE] = "replica.renewed", [REPLICA_LOST] = "replica.lost"};
    if (!r || !kinds[r->state])
        return false;
    write_state(c, r, r->state, kinds[r->state], NULL, replica_note(r), changes);
    return true;
}

static void follow_apply(struct coordinator *c, struct intent *intent)
{
    (void)c;
    (void)intent;
}

static const struct intent_kind follow_kind = {
    .decide = follow_decide, .apply = follow_apply, .release = release};

/* ---- gone without anybody's word: never started, or assumed ---- */

static bool gone_decide(struct coordinator *c, struct intent *intent, struct change_set *changes)
{
    const struct replica *r = find(c, intent);
    const struct state_intent *change = (const struct state_intent *)intent;
    enum replica_state next;
    json_t *data;

    if (!r || r->held_open || r->deadline_boot ||
        !replica_next(r->state, change->event, &next) || next != REPLICA_GONE)
        return false;
    data = replica_note(r);
    if (change->because)
        json_object_set_new(data, "because", json_string(change->because));
    c->journal.leaving++;
    write_state(c, r, REPLICA_GONE, "replica.gone", replica_event_name(change->event), data, changes);
    return true;
}

/* Whoever renewed during the commit runs: that counts, and is written back. */
static void gone_apply(struct coordinator *c, struct intent *intent)
{
    struct replica *r = find(c, intent);
    if (!r)
        return;
    if (r->deadline_boot && replica_holds(r->state))
        add(c, r, REPLICA_RENEWED, &follow_kind);
    else
        registry_remove(&c->registry, r);
}

static const struct intent_kind gone_kind = {
    .decide = gone_decide, .apply = gone_apply, .release = release};

/* ---- expiry ---- */

int64_t replica_lease_end(const struct replica *r)
{
    return r->renewed_boot + (int64_t)r->lease_seconds * 1000;
}

/* An entry of the heap that comes too early costs less than moving it with every renewal: when it is due,
 * expire_one looks at the lease itself. */
static void start_lease(struct coordinator *c, struct replica *r)
{
    r->renewed_boot = coordinator_now(c).boot_ms;
    if (r->deadline_boot == 0 || r->deadline_boot > replica_lease_end(r))
        registry_set_deadline(&c->registry, r, replica_lease_end(r));
}

/* The first time at which its fate is looked at: at once where absence may be evidence; 0: somebody's word is
 * needed. */
static int64_t judgement_at(const struct coordinator *c, const struct replica *r)
{
    int64_t assume = c->config->gate.assume_gone_after_seconds, ends = fencing_ends_boot(c, r);
    int64_t at = assume > 0 ? r->lost_boot + assume * 1000 : 0;

    if (witness_has_seen(r))
        return r->lost_boot + 1;
    return ends > 0 && (at == 0 || ends < at) ? ends : at;
}

void replica_begin_loss(const struct coordinator *c, struct registry *registry, struct replica *r)
{
    r->lost_boot = coordinator_now(c).boot_ms;
    registry_set_deadline(registry, r, judgement_at(c, r));
}

/* The settings have changed: who is lost already is counted anew. */
void replicas_judge_anew(struct coordinator *c)
{
    for (struct replica *newest = c->registry.replicas; newest; newest = newest->by_key.next)
        for (struct replica *r = newest; r; r = r->older)
            if (r->state == REPLICA_LOST)
                replica_begin_loss(c, &c->registry, r);
}

static void become_lost(struct coordinator *c, struct replica *r)
{
    registry_set_state(&c->registry, r, REPLICA_LOST);
    r->state_since_wall = coordinator_now(c).wall_ms;
    replica_begin_loss(c, &c->registry, r);
    add(c, r, REPLICA_EXPIRED, &follow_kind);
}

/* Returns whether it is over with it. */
static bool judge(struct coordinator *c, struct replica *r)
{
    static const enum replica_event events[] = {[WITNESS_FENCED] = REPLICA_FENCED,
                                                [WITNESS_UNSEEN] = REPLICA_UNSEEN,
                                                [WITNESS_ASSUMED] = REPLICA_ASSUMED};
    struct judgement judgement = witness_judge(c, r);

    if (judgement.verdict == WITNESS_WAIT)
        registry_set_deadline(&c->registry, r, judgement.again_boot);
    else
        add(c, r, events[judgement.verdict], &gone_kind)->because = judgement.because;
    return judgement.verdict != WITNESS_WAIT;
}

/* Returns whether anything has come of it. */
static bool expire_one(struct coordinator *c, struct replica *r, int64_t now)
{
    bool leased = r->state != REPLICA_LOST && replica_lease_end(r) > now;

    registry_set_deadline(&c->registry, r, leased ? replica_lease_end(r) : 0);
    if (leased)
        return false;
    if (r->held_open) {
        start_lease(c, r);
        return false;
    }
    if (r->state == REPLICA_LIVE)
        become_lost(c, r);
    else if (r->state == REPLICA_WAITING)
        add(c, r, REPLICA_EXPIRED, &gone_kind);
    else
        return judge(c, r);
    return true;
}

void replicas_expire(struct coordinator *c)
{
    int64_t now = coordinator_now(c).boot_ms;
    struct replica *r;
    bool any = false;

    if (c->role != ROLE_LEADER && c->role != ROLE_CUT_OFF)
        return;
    while ((r = registry_earliest(&c->registry)) && r->deadline_boot <= now)
        any |= expire_one(c, r, now);
    if (any)
        coordinator_changed(c);
}

/* ---- admission of those who wait ---- */

static bool admit_decide(struct coordinator *c, struct intent *intent, struct change_set *changes)
{
    const struct replica *r = find(c, intent);
    if (!r || r->state != REPLICA_WAITING ||
        admission_of(c, &r->cohort->gate) != ADMISSION_LIVE)
        return false;
    write_state(c, r, REPLICA_LIVE, "replica.admitted", NULL, replica_note(r), changes);
    return true;
}

static void admit_apply(struct coordinator *c, struct intent *intent)
{
    struct replica *r = find(c, intent);
    if (!r)
        return;
    registry_set_state(&c->registry, r, REPLICA_LIVE);
    r->state_since_wall = coordinator_now(c).wall_ms;
    start_lease(c, r);
}

static const struct intent_kind admit_kind = {
    .decide = admit_decide, .apply = admit_apply, .release = release};

void replica_admit_waiting(struct coordinator *c, const struct replica *r)
{
    if (r->state == REPLICA_WAITING &&
        admission_of(c, &r->cohort->gate) == ADMISSION_LIVE)
        add(c, r, REPLICA_ADMITTED, &admit_kind);
}

static void admit_cohort(struct coordinator *c, const struct cohort *cohort)
{
    struct replica *r;
    if (cohort->waiting == 0 || admission_of(c, &cohort->gate) != ADMISSION_LIVE)
        return;
    DL_FOREACH2(cohort->members, r, cohort_next)
    {
        if (r->state == REPLICA_WAITING)
            add(c, r, REPLICA_ADMITTED, &admit_kind);
    }
}

void replicas_admit_waiting(struct coordinator *c)
{
    for (size_t a = 0; a < c->registry.gate_app_count; a++) {
        const struct gate_app *app = c->registry.gate_apps[a];
        for (size_t i = 0; i < app->cohort_count; i++)
            admit_cohort(c, (const struct cohort *)app->cohorts[i]);
    }
}

/* ---- renewal ---- */

/* A replica that waits for what will never come must be told. */
static bool waits_in_vain(const struct coordinator *c, const struct replica *r, struct outcome *o)
{
    if (r->state != REPLICA_WAITING)
        return false;
    switch (admission_of(c, &r->cohort->gate)) {
    case ADMISSION_TOO_OLD:
        o->problem = PROBLEM_SCHEMA_TOO_OLD;
        o->needed = c->view.window.contracting ? c->view.window.contracting : c->view.window.floor;
        o->detail = "the schema has moved on while this replica waited: start a newer release";
        return true;
    case ADMISSION_NEVER:
        o->problem = PROBLEM_RANGE_NOT_SERVED;
        o->detail = "every version in the range was undone or cancelled: start another release";
        return true;
    case ADMISSION_LIVE:
    case ADMISSION_WAITING:
        break;
    }
    return false;
}

static void extend(struct coordinator *c, struct replica *r)
{
    bool was_settling = c->registry.settling > 0;

    start_lease(c, r);
    registry_set_settled(&c->registry, r, true);
    if (r->state == REPLICA_LOST) {
        registry_set_state(&c->registry, r, REPLICA_LIVE);
        r->state_since_wall = coordinator_now(c).wall_ms;
        add(c, r, REPLICA_RENEWED, &follow_kind);
        coordinator_changed(c);
    }
    if (was_settling && c->registry.settling == 0)
        coordinator_wake(c);
}

void coordinator_renew(struct coordinator *c, const char *app, const char *instance,
                       const char *incarnation, uint32_t requests, uint32_t errors,
                       struct outcome *outcome)
{
    struct replica *newest = registry_find(&c->registry, app, instance);
    struct replica *r = registry_find_incarnation(newest, incarnation);

    *outcome = (struct outcome){.replica = r};
    if (c->role != ROLE_LEADER && c->role != ROLE_CUT_OFF) {
        outcome->problem = c->role == ROLE_STANDBY    ? PROBLEM_NOT_LEADER
                           : c->role == ROLE_STOPPING ? PROBLEM_STOPPING
                                                      : PROBLEM_DATABASE_UNAVAILABLE;
        outcome->detail = c->role == ROLE_STANDBY && *c->leader_url
                              ? c->leader_url
                              : "this daemon does not lead now: try again soon";
        return;
    }
    if (!r) {
        outcome->problem = newest ? PROBLEM_INCARNATION_SUPERSEDED : PROBLEM_UNKNOWN_REPLICA;
        outcome->detail = newest ? "a newer incarnation of this instance has registered"
                                 : "this replica is not registered (any more): register it again";
        return;
    }
    if (r->on_lost_exit && !r->superseded && !fencing_may_extend(c)) {
        outcome->problem = PROBLEM_DATABASE_UNAVAILABLE;
        outcome->detail = "a replica that ends with its lease (on_lost exit) is extended only while the "
                          "database confirms that this daemon leads, and it does not answer now";
        return;
    }
    c->counts.renewals++;
    registry_add_health(r, requests, errors);
    c->reported.requests += requests;
    c->reported.errors += errors;
    if (r->superseded) {
        replica_begin_loss(c, &c->registry, r);
        outcome->problem = PROBLEM_INCARNATION_SUPERSEDED;
        outcome->detail = "a newer incarnation of this instance has registered; this one goes on "
                          "holding gates until it says goodbye or is evicted";
        return;
    }
    if (!waits_in_vain(c, r, outcome))
        extend(c, r);
}

void coordinator_hold_lease(struct coordinator *c, struct replica *r, int change)
{
    if (change > 0 || r->held_open > 0) /* a new term has read it in anew, without those who wait */
        r->held_open = (uint16_t)(r->held_open + change);
    if (r->state != REPLICA_LOST)
        start_lease(c, r);
}

int64_t coordinator_lease_left_ms(const struct coordinator *c, const struct replica *r)
{
    return replica_lease_end(r) - coordinator_now(c).boot_ms;
}
