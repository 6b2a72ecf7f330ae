/* What is done next: the scheduler of migrations, and the gate's passage from fence to verification.
 * A contract that is ready goes before a queued expand; contracts and expands run in version order. */
#include "locks.h"
#include "proof.h"
#include "reach.h"
#include "state.h"

#include <schemagate/base/failpoint.h>
#include <schemagate/base/hours.h>
#include <schemagate/base/log.h>
#include <schemagate/base/memory.h>

#include <stdio.h>
#include <stdlib.h>

/* A verification that the witness could not take part in is tried again after so long. */
#define BLIND_MS 1000

/* ---- transitions through the store ---- */

struct transition_intent {
    struct intent intent;
    int64_t version;
    enum machine_event event;
    struct migration_error *error;
    struct transition transition;
};

static void transition_release(struct intent *intent)
{
    struct transition_intent *t = (struct transition_intent *)intent;
    migration_error_free(t->error);
}

static bool gate_is_open(const struct coordinator *c, const struct migration *m)
{
    struct gate_facts facts;
    facts_of_memory(c, m, &facts);
    return gate_evaluate(&facts, NULL, NULL) == 0;
}

/* Only the first of several tries of the same thing is told. */
static bool is_repetition(const struct migration *m, enum machine_event event)
{
    bool at_gate = event == EVENT_GATE_OPEN || event == EVENT_HOLD_FOUND;
    return (at_gate && m->attempt > 0) || (event == EVENT_TRY_FAILED && m->attempt > 1);
}

static bool decide(struct coordinator *c, struct intent *intent, struct change_set *changes)
{
    struct transition_intent *t = (struct transition_intent *)intent;
    const struct migration *m = migrations_find(c, t->version);
    const char *refusal;

    if (!m || (t->event == EVENT_GATE_OPEN && !gate_is_open(c, m)) ||
        !transition_prepare(c, m, t->event, &t->transition, &refusal)) {
        c->rollout.busy = false;
        coordinator_wake(c); /* something else may be begun instead */
        return false;
    }
    t->transition.error = t->transition.step.fails ? t->error : NULL;
    t->transition.quiet = is_repetition(m, t->event);
    transition_write(c, m, &t->transition, changes);
    if (t->event == EVENT_GATE_OPEN && !t->transition.quiet)
        changes_event(changes, &(struct change_event){
                                   .kind = "gate.opened",
                                   .version = m->version,
                                   .data = proof_record(c, m)});
    if (t->event == EVENT_HOLD_FOUND && !t->transition.quiet)
        changes_event(changes, &(struct change_event){.kind = "gate.closed", .version = m->version});
    return true;
}

static void verify(struct coordinator *c, struct migration *m);

/* The next one may be due already. */
static void forget_tries_but_when(struct migration *m)
{
    int64_t boot = m->next_try_boot, wall = m->next_try_wall;
    migration_forget_tries(m);
    m->next_try_boot = boot;
    m->next_try_wall = wall;
}

static void apply(struct coordinator *c, struct intent *intent)
{
    struct transition_intent *t = (struct transition_intent *)intent;
    struct migration *m = migrations_find(c, t->version);

    c->rollout.busy = false;
    if (t->transition.error)
        t->error = NULL; /* the migration has it now */
    transition_apply(c, m, &t->transition);
    bool let_go = t->event == EVENT_STEP_FAILED || t->event == EVENT_CANCEL ||
                  t->transition.step.action == ACTION_UNFENCE;
    if (let_go && t->event != EVENT_TRY_FAILED)
        forget_tries_but_when(m);
    if (t->transition.step.action == ACTION_FENCE)
        verify(c, m);
}

static const struct intent_kind transition_kind = {
    .exclusive = true, .decide = decide, .apply = apply, .release = transition_release};

void rollout_transition(struct coordinator *c, const struct migration *m, enum machine_event event,
                        struct migration_error *error)
{
    struct transition_intent *t = memory_new(sizeof *t);
    t->intent.kind = &transition_kind;
    t->version = m->version;
    t->event = event;
    t->error = error;
    c->rollout.busy = true;
    journal_add(c, &t->intent);
}

/* ---- behind the fence ---- */

/* The store is asked and the witness looks, side by side. */
struct verification {
    struct coordinator *c;
    int64_t version;
    unsigned term, awaited;
    json_t *fleet; /* NULL: the connection went away */
    bool seen;     /* the witness has looked */
};

/* Of the places where a crash is tried out. */
static void gate_failpoint(const struct migration *m, const char *place)
{
    char name[64];
    snprintf(name, sizeof name, "%s-%s", plan_section_name(migration_section(m)), place);
    failpoint(name);
}

static void conclude(struct coordinator *c, struct migration *m, const struct verification *v)
{
    gate_failpoint(m, "verified");
    if (!v->seen || !gate_is_open(c, m)) {
        rollout_transition(c, m, EVENT_HOLD_FOUND, NULL);
        m->next_try_boot = v->seen ? 0 : coordinator_now(c).boot_ms + BLIND_MS;
    } else if (facts_verify(c, m, v->fleet) > 0) {
        /* PostgreSQL knows a replica that memory does not: memory is read in anew. */
        log_warn("the registry in PostgreSQL differs from the one in memory",
                 LOG_NUMBER("version", m->version));
        rollout_transition(c, m, EVENT_HOLD_FOUND, NULL);
        c->rollout.reread = true;
    } else if (!run_is_announced(c, m)) {
        run_announce(c, m);
    } else {
        run_start(c, m);
    }
}

static void verified(struct verification *v)
{
    struct coordinator *c = v->c;
    struct migration *m = migrations_find(c, v->version);

    if (--v->awaited > 0)
        return;
    if (v->term == c->rollout.term) {
        c->rollout.busy = false;
        if (!v->fleet || !m)
            term_restart(c, "the store session was lost");
        else if (term_goes_on(c)) /* else the next term finds the fence, and decides anew */
            conclude(c, m, v);
    }
    json_decref(v->fleet);
    free(v);
}

static void fleet_came(void *context, const json_t *fleet)
{
    struct verification *v = context;
    v->fleet = json_incref((json_t *)fleet);
    verified(v);
}

static void sight_came(void *context, bool ok)
{
    struct verification *v = context;
    v->seen = ok;
    verified(v);
}

static void verify(struct coordinator *c, struct migration *m)
{
    struct verification *v = memory_new(sizeof *v);
    *v = (struct verification){
        .c = c, .version = m->version, .term = c->rollout.term, .awaited = 2};
    c->rollout.busy = true;
    gate_failpoint(m, "fenced");
    c->env.store_ops->verify(c->env.store, fleet_came, v);
    witness_look(c, sight_came, v);
}

/* ---- what is next ---- */

static bool may_work(const struct coordinator *c, const struct migration *m)
{
    return !m->failed && !m->paused && !c->pause.paused && !m->running &&
           m->next_try_boot <= coordinator_now(c).boot_ms;
}

static bool may_pass(struct coordinator *c, struct migration *m)
{
    if (gate_is_open(c, m))
        return may_work(c, m);
    migration_forget_tries(m);
    reach_forget(m);
    c->watch.urgent |= facts_hang_on_sight(c, m);
    return false;
}

static bool is_fenced(const struct coordinator *c, const struct migration *m)
{
    return c->view.window.contracting == m->version || c->view.window.undoing == m->version;
}

/* A contract or undo of which a part is committed goes on, behind its closed admission. */
static bool go_on_fenced(struct coordinator *c, struct migration *m)
{
    if (!is_fenced(c, m) || !may_pass(c, m))
        return false;
    if (!locks_are_free(c, m))
        return locks_are_asked_about(m);
    verify(c, m);
    return true;
}

/* What has been found out goes into the record of why the gate opened. */
static void open_gate(struct coordinator *c, struct migration *m)
{
    rollout_transition(c, m, EVENT_GATE_OPEN, NULL);
}

static bool is_at_gate(const struct coordinator *c, const struct migration *m)
{
    enum gate_kind kind;

    return !is_fenced(c, m) && migration_gate_kind(m, &kind) && m->phase != PHASE_CONTRACTING &&
           m->phase != PHASE_PURGING;
}

static bool pass_gate(struct coordinator *c, struct migration *m)
{
    if (!is_at_gate(c, m) || !may_pass(c, m))
        return false;
    /* These answers come before anything of less urgency is begun. */
    if (!usage_is_current(c, m))
        return true;
    if (reach_is_asked_about(m))
        return true;
    if (!locks_are_free(c, m)) /* admission closes for a try that nobody is in the way of */
        return locks_are_asked_about(m);
    if (reach_is_wanted(m))
        reach_ask(c, m, open_gate);
    else
        open_gate(c, m);
    return true;
}

static bool requirement_is_met(const struct coordinator *c, const struct migration *m)
{
    const struct migration *needed = migrations_find(c, m->requires);
    return m->requires == 0 || (needed ? needed->phase == PHASE_COMPLETE : m->requires <= c->baseline);
}

/* Its first transaction says that it has begun. A statement outside of transactions leaves traces before
 * it ends: then the beginning is committed first. */
static void begin(struct coordinator *c, struct migration *m)
{
    const struct step *first = migration_next_step(m, PLAN_EXPAND);
    struct transition turn;
    const char *refusal;

    if (first && !first->transactional) {
        rollout_transition(c, m, EVENT_TURN, NULL);
    } else if (transition_prepare(c, m, EVENT_TURN, &turn, &refusal)) {
        transition_begin(c, m, &turn);
        run_start(c, m);
    }
}

static bool expand(struct coordinator *c, struct migration *m)
{
    if (m->paused || c->pause.paused)
        migration_forget_tries(m);
    if (!may_work(c, m) || (m->phase == PHASE_QUEUED && !requirement_is_met(c, m)) ||
        !locks_are_free(c, m))
        return false;
    if (m->phase == PHASE_QUEUED)
        begin(c, m);
    else
        run_start(c, m);
    return true;
}

/* The only one whose expand or backfill may run: the lowest that is not expanded. */
static struct migration *next_to_expand(const struct coordinator *c)
{
    struct migration *candidate = NULL;
    for (struct migration *m = c->migrations; m; m = m->by_version.next) {
        if (m->phase == PHASE_UNDOING)
            return NULL;
        bool unexpanded = m->phase == PHASE_QUEUED || m->phase == PHASE_EXPANDING ||
                          m->phase == PHASE_BACKFILLING;
        if (unexpanded && !candidate)
            candidate = m;
    }
    return candidate;
}

/* Nobody's way of working ends with it, so it asks no gate; it is asked for by hand, and that the migration
 * is paused is what it ends with. */
static bool restore(struct coordinator *c, struct migration *m)
{
    if (m->phase != PHASE_RESTORING || m->failed)
        return false;
    if (c->pause.paused)
        migration_forget_tries(m);
    if (c->pause.paused || m->running || m->next_try_boot > coordinator_now(c).boot_ms ||
        !locks_are_free(c, m))
        return false;
    run_start(c, m);
    return true;
}

static bool begin_something(struct coordinator *c)
{
    static bool (*const duties[])(struct coordinator *, struct migration *) = {restore, go_on_fenced,
                                                                               pass_gate};

    for (size_t i = 0; i < sizeof duties / sizeof *duties; i++)
        for (struct migration *m = c->migrations; m; m = m->by_version.next)
            if (!phase_is_final(m->phase) && duties[i](c, m))
                return true;
    struct migration *m = next_to_expand(c);
    return m && expand(c, m);
}

/* ---- looking ahead ---- */

/* What a closed gate waits for. */
struct awaited {
    size_t replicas;
    bool others;
};

static void await(void *context, const struct gate_hold *hold)
{
    struct awaited *awaited = context;

    if (hold->cohort)
        awaited->replicas += hold->count;
    else
        awaited->others = true;
}

/* A guess, from their number: nothing but what is asked ahead follows from it. */
static bool waits_for_those_who_leave(const struct coordinator *c, const struct migration *m)
{
    struct gate_facts facts;
    struct awaited awaited = {0};

    facts_of_memory(c, m, &facts);
    gate_evaluate(&facts, await, &awaited);
    return !awaited.others && awaited.replicas == c->journal.leaving;
}

void rollout_look_ahead(struct coordinator *c)
{
    if (c->rollout.busy)
        return;
    for (struct migration *m = c->migrations; m; m = m->by_version.next) {
        if (phase_is_final(m->phase) || !is_at_gate(c, m) || !may_work(c, m) ||
            !waits_for_those_who_leave(c, m))
            continue;
        locks_look_ahead(c, m);
        reach_look_ahead(c, m);
        return;
    }
}

/* ---- the soaks ---- */

/* Not only while it waits for its gate: an undo may be taken back, and a contract that was begun before a
 * restart passes its gate once more. */
static bool awaits_contract(const struct migration *m)
{
    return m->phase == PHASE_EXPANDED || m->phase == PHASE_CONTRACTING || migration_is_kept(m) ||
           (m->phase == PHASE_UNDOING && m->origin == PHASE_EXPANDED);
}

static void soak_facts(const struct coordinator *c, const struct migration *m, struct gate_facts *facts)
{
    facts_of_memory(c, m, facts);
    facts->kind = GATE_CONTRACT;
}

/* Also while something else runs for hours: an old replica that comes and goes begins the soak anew. */
static void follow_soaks(struct coordinator *c)
{
    for (struct migration *m = c->migrations; m; m = m->by_version.next) {
        struct gate_facts facts;
        if (!awaits_contract(m))
            continue;
        soak_facts(c, m, &facts);
        soak_follow(c, m, &facts);
    }
}

/* ---- the clock on the wall ---- */

#define MINUTE_MS 60000

/* A line that cannot be read any more (its time zone is gone) contains nothing. */
static bool is_within(const char *line, int64_t wall_ms)
{
    struct hours hours;
    const char *mistake;
    return hours_parse(line, &hours, &mistake) &&
           hours_contain(&hours, hours_minute_of_week(hours.zone, wall_ms));
}

static void follow_hours(struct coordinator *c)
{
    const struct config_list *lines = &c->config->gate.contract_hours;
    int64_t wall_ms = coordinator_now(c).wall_ms;

    if (c->hours_minute == wall_ms / MINUTE_MS && c->hours_config == c->config)
        return;
    c->hours_minute = wall_ms / MINUTE_MS;
    c->hours_config = c->config;
    c->outside_hours = lines->count > 0;
    for (size_t i = 0; i < lines->count && c->outside_hours; i++)
        c->outside_hours = !is_within(lines->items[i], wall_ms);
}

/* ---- when to look again ---- */

static void earlier_of(int64_t *at, int64_t candidate)
{
    if (candidate > 0 && (*at == 0 || candidate < *at))
        *at = candidate;
}

static void ask_to_be_woken(const struct coordinator *c)
{
    const struct replica *earliest = registry_earliest(&c->registry);
    bool expires = earliest && (c->role == ROLE_LEADER || c->role == ROLE_CUT_OFF);
    int64_t at = expires ? earliest->deadline_boot : 0, now = coordinator_now(c).boot_ms;

    earlier_of(&at, witness_due_boot(c));
    earlier_of(&at, usage_due_boot(c));

    for (const struct migration *m = term_goes_on(c) ? c->migrations : NULL; m;
         m = m->by_version.next) {
        struct gate_facts facts;
        if (phase_is_final(m->phase))
            continue;
        if (m->next_try_boot > now)
            earlier_of(&at, m->next_try_boot);
        if (locks_due_boot(c, m) > now)
            earlier_of(&at, locks_due_boot(c, m));
        earlier_of(&at, waivers_due_boot(m));
        if (!awaits_contract(m))
            continue;
        soak_facts(c, m, &facts);
        earlier_of(&at, soak_end_boot(m, &facts));
        if (c->outside_hours)
            earlier_of(&at, now + MINUTE_MS - coordinator_now(c).wall_ms % MINUTE_MS);
    }
    if (term_goes_on(c) && c->settle_until_boot > now)
        earlier_of(&at, c->settle_until_boot);
    if (at)
        c->env.world_ops->wake_at(c->env.world, at);
}

void rollout_advance(struct coordinator *c)
{
    if (term_goes_on(c)) {
        c->watch.urgent = false;
        failover_follow(c);
        follow_hours(c);
        for (struct migration *m = c->migrations; m; m = m->by_version.next)
            waivers_follow(c, m);
        follow_soaks(c);
        if (c->rollout.reread && !c->rollout.busy)
            term_restart(c, "the registry has to be read in anew");
        else if (!c->rollout.busy && !c->journal.exclusive)
            begin_something(c);
        locks_follow_run(c);
        usage_follow(c);
        witness_advance(c);
    }
    ask_to_be_woken(c);
}

void rollout_reset(struct coordinator *c)
{
    c->rollout = (struct rollout){.term = c->rollout.term + 1};
    for (struct migration *m = c->migrations; m; m = m->by_version.next) {
        m->running = m->cancelling = false;
        locks_forget(m);
        m->lock = (struct lock_wait){0};
        reach_forget_ahead(m);
    }
    usage_reset(c);
    witness_reset(c);
}
