/* What operators ask for: a table of actions on one migration, pausing the whole, and the baseline. */
#include "record.h"
#include "state.h"

#include <schemagate/base/memory.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct act_intent {
    struct intent intent;
    int64_t version;
    enum machine_event action;
    char *reason, *actor;
    bool flag; /* pause: on or off */
    struct transition transition;
};

static void act_release(struct intent *intent)
{
    struct act_intent *a = (struct act_intent *)intent;
    free(a->reason);
    free(a->actor);
    migration_error_free(a->transition.error);
}

static void write_operator_event(const struct act_intent *a, const char *what,
                                 struct change_set *changes)
{
    char kind[64];
    snprintf(kind, sizeof kind, "operator.%s", what);
    changes_event(changes, &(struct change_event){.kind = kind,
                                                  .version = a->version,
                                                  .actor = a->actor,
                                                  .reason = a->reason});
}

/* ---- one migration ---- */

static bool is_approved(const struct migration *m)
{
    return m->approved;
}

static void write_approval(const struct coordinator *c, const struct act_intent *a,
                           const struct migration *m, struct change_set *changes)
{
    changes_row(changes, "approvals",
                json_pack("{s:I, s:s, s:s, s:s, s:s, s:s}", "version", (json_int_t)m->version,
                          "plan_checksum", m->plan_checksum, "system_identifier",
                          c->term.system_identifier, "timeline", c->term.timeline, "actor", a->actor,
                          "reason", a->reason ? a->reason : ""));
}

static void apply_approval(struct coordinator *c, struct act_intent *a, struct migration *m)
{
    (void)c;
    (void)a;
    m->approved = true;
}

static bool is_paused(const struct migration *m)
{
    return m->paused;
}

static bool is_not_paused(const struct migration *m)
{
    return !m->paused;
}

static bool pauses(const struct act_intent *a)
{
    return a->action == EVENT_PAUSE || a->action == EVENT_RESTORE;
}

static void write_pause(const struct coordinator *c, const struct act_intent *a,
                        const struct migration *m, struct change_set *changes)
{
    changes_row(changes, "migrations",
                record_migration_pause(m->version, pauses(a), a->actor, a->reason,
                                       coordinator_now(c).wall_ms));
}

static void apply_pause(struct coordinator *c, struct act_intent *a, struct migration *m)
{
    m->paused = pauses(a);
    memory_replace(&m->paused_by, m->paused ? a->actor : NULL);
    memory_replace(&m->paused_reason, m->paused ? a->reason : NULL);
    m->paused_since_wall = m->paused ? coordinator_now(c).wall_ms : 0;
}

static bool is_cancelled(const struct migration *m)
{
    return m->phase == PHASE_CANCELLED;
}

static bool is_restoring(const struct migration *m)
{
    return m->phase == PHASE_RESTORING && !m->failed;
}

static void write_phase(const struct coordinator *c, const struct act_intent *a,
                        const struct migration *m, struct change_set *changes)
{
    if (a->transition.step.action != ACTION_CANCEL_TRY)
        transition_write(c, m, &a->transition, changes);
}

static void apply_phase(struct coordinator *c, struct act_intent *a, struct migration *m)
{
    if (a->transition.step.action == ACTION_CANCEL_TRY && m->running) {
        m->cancelling = true;
        c->env.executor_ops->cancel(c->env.executor);
        return;
    }
    if (a->transition.step.action == ACTION_CANCEL_TRY) { /* it has ended while the request was committed */
        rollout_transition(c, m, EVENT_CANCEL, migration_cancellation(m));
        return;
    }
    migration_forget_tries(m);
    transition_apply(c, m, &a->transition);
}

/* From the beginning on it is paused: what is restored, or stays hidden after all, must not go by itself. */
static void write_restore(const struct coordinator *c, const struct act_intent *a,
                          const struct migration *m, struct change_set *changes)
{
    write_phase(c, a, m, changes);
    write_pause(c, a, m, changes);
}

static void apply_restore(struct coordinator *c, struct act_intent *a, struct migration *m)
{
    apply_phase(c, a, m);
    apply_pause(c, a, m);
}

/* `is_done` (may be NULL): asking again changes nothing and is answered as the first time, also where the
 * migration has ended since. */
static const struct {
    bool (*is_done)(const struct migration *m);
    void (*write)(const struct coordinator *c, const struct act_intent *a, const struct migration *m,
                  struct change_set *changes);
    void (*apply)(struct coordinator *c, struct act_intent *a, struct migration *m);
} actions[MACHINE_EVENTS] = {
    [EVENT_APPROVE] = {is_approved, write_approval, apply_approval},
    [EVENT_PAUSE] = {is_paused, write_pause, apply_pause},
    [EVENT_RESUME] = {is_not_paused, write_pause, apply_pause},
    [EVENT_RETRY] = {NULL, write_phase, apply_phase},
    [EVENT_UNDO] = {NULL, write_phase, apply_phase},
    [EVENT_RESTORE] = {is_restoring, write_restore, apply_restore},
    [EVENT_CANCEL] = {is_cancelled, write_phase, apply_phase},
};

static bool refuse_action(const struct coordinator *c, const struct act_intent *a,
                          const struct migration *m, const char *refusal)
{
    bool allowed[MACHINE_EVENTS];
    char names[160] = "";
    size_t used = 0;

    coordinator_actions(c, m, allowed);
    for (enum machine_event e = EVENT_APPROVE; e <= EVENT_CANCEL; e++)
        if (allowed[e])
            used += (size_t)snprintf(names + used, sizeof names - used, "%s%s", used ? ", " : "",
                                     machine_event_name(e));
    char detail[448];
    snprintf(detail, sizeof detail, "migration %lld is %s: %s; possible now: %s",
             (long long)m->version, phase_name(m->phase), refusal, used ? names : "nothing");
    intent_answer(&a->intent, &(struct outcome){.problem = PROBLEM_INVALID_TRANSITION,
                                                .detail = detail,
                                                .migration = m});
    return false;
}

static bool act_decide(struct coordinator *c, struct intent *intent, struct change_set *changes)
{
    struct act_intent *a = (struct act_intent *)intent;
    struct migration *m = migrations_find(c, a->version);
    const char *refusal;

    migration_error_free(a->transition.error); /* of an earlier, stale decision */
    a->transition.error = NULL;
    if (!m)
        return intent_refuse(intent, PROBLEM_UNKNOWN_MIGRATION,
                             "no migration has version %lld: `schemagate status` lists them",
                             (long long)a->version);
    if (actions[a->action].is_done && actions[a->action].is_done(m)) {
        intent_answer(intent, &(struct outcome){.migration = m});
        return false;
    }
    if (!transition_prepare(c, m, a->action, &a->transition, &refusal)) {
        bool could = m->phase == PHASE_EXPANDED ||
                     (m->phase == PHASE_COMPLETE && !migration_has_steps(m, PLAN_CONTRACT)) || m->failed;
        if (a->action == EVENT_UNDO && could && !migration_can_go_back(m))
            return intent_refuse(intent, PROBLEM_NO_UNDO,
                                 "the file of version %lld has no undo section", (long long)a->version);
        return refuse_action(c, a, m, refusal);
    }
    a->transition.actor = a->actor;
    a->transition.reason = a->reason;
    if (a->transition.step.fails)
        a->transition.error = migration_cancellation(m);
    actions[a->action].write(c, a, m, changes);
    write_operator_event(a, machine_event_name(a->action), changes);
    return true;
}

static void act_apply(struct coordinator *c, struct intent *intent)
{
    struct act_intent *a = (struct act_intent *)intent;
    struct migration *m = migrations_find(c, a->version);
    actions[a->action].apply(c, a, m);
    intent_answer(intent, &(struct outcome){.migration = m});
}

static const struct intent_kind act_kind = {
    .exclusive = true, .decide = act_decide, .apply = act_apply, .release = act_release};

void coordinator_act(struct coordinator *c, int64_t version, enum machine_event action,
                     const char *reason, const char *actor, coordinator_answer *answer, void *context)
{
    struct act_intent *a = memory_new(sizeof *a);
    a->intent = (struct intent){.kind = &act_kind, .answer = answer, .context = context};
    a->version = version;
    a->action = action;
    a->reason = memory_copy(reason);
    a->actor = memory_copy(actor);
    journal_add(c, &a->intent);
}

void coordinator_actions(const struct coordinator *c, const struct migration *m,
                         bool allowed[MACHINE_EVENTS])
{
    struct machine_position at = {m->phase, m->origin};
    unsigned facts = migration_facts(c, m);

    memset(allowed, 0, MACHINE_EVENTS * sizeof *allowed);
    for (enum machine_event e = EVENT_APPROVE; e <= EVENT_CANCEL; e++) {
        struct machine_step step;
        const char *refusal;
        bool done = actions[e].is_done && actions[e].is_done(m);
        bool pointless = e == EVENT_APPROVE && strcmp(m->approval, "manual") != 0;
        allowed[e] = !done && !pointless && machine_next(at, e, facts, &step, &refusal);
    }
}

/* ---- the whole daemon ---- */

static bool pause_decide(struct coordinator *c, struct intent *intent, struct change_set *changes)
{
    const struct act_intent *a = (const struct act_intent *)intent;
    if (c->pause.paused == a->flag) {
        intent_answer(intent, &(struct outcome){0});
        return false;
    }
    changes_window(changes, record_migration_pause(0, a->flag, a->actor, a->reason,
                                                   coordinator_now(c).wall_ms));
    write_operator_event(a, a->flag ? "pause" : "resume", changes);
    return true;
}

static void pause_apply(struct coordinator *c, struct intent *intent)
{
    const struct act_intent *a = (const struct act_intent *)intent;
    c->pause.paused = a->flag;
    memory_replace((char **)&c->pause.by, a->flag ? a->actor : NULL);
    memory_replace((char **)&c->pause.reason, a->flag ? a->reason : NULL);
    c->pause.since_wall = a->flag ? coordinator_now(c).wall_ms : 0;
    intent_answer(intent, &(struct outcome){0});
}

static const struct intent_kind pause_kind = {
    .exclusive = true, .decide = pause_decide, .apply = pause_apply, .release = act_release};

void coordinator_pause_all(struct coordinator *c, bool paused, const char *reason, const char *actor,
                           coordinator_answer *answer, void *context)
{
    struct act_intent *a = memory_new(sizeof *a);
    a->intent = (struct intent){.kind = &pause_kind, .answer = answer, .context = context};
    a->flag = paused;
    a->reason = memory_copy(reason);
    a->actor = memory_copy(actor);
    journal_add(c, &a->intent);
}

/* ---- the baseline ---- */

static const struct replica *excluded_by_baseline(const struct coordinator *c, int64_t version)
{
    for (size_t a = 0; a < c->registry.gate_app_count; a++) {
        const struct gate_app *app = c->registry.gate_apps[a];
        for (size_t i = 0; i < app->cohort_count; i++) {
            const struct cohort *cohort = (const struct cohort *)app->cohorts[i];
            bool runs = cohort->gate.live + cohort->gate.lost > 0;
            struct version_range range = cohort->gate.range;
            if (range.max < version || (runs && range.min > version))
                return cohort->members;
        }
    }
    return NULL;
}

static bool baseline_decide(struct coordinator *c, struct intent *intent, struct change_set *changes)
{
    const struct act_intent *a = (const struct act_intent *)intent;
    const struct replica *excluded = excluded_by_baseline(c, a->version);

    if (c->baseline == a->version) {
        intent_answer(intent, &(struct outcome){0});
        return false;
    }
    if (c->baseline > 0)
        return intent_refuse(intent, PROBLEM_BASELINE_CONFLICT, "the baseline is %lld already",
                             (long long)c->baseline);
    if (c->migrations)
        return intent_refuse(intent, PROBLEM_BASELINE_CONFLICT,
                             "migrations were submitted already (the first is %lld): a baseline comes "
                             "before them",
                             (long long)c->migrations->version);
    if (excluded)
        return intent_refuse(intent, PROBLEM_BASELINE_CONFLICT,
                             "%s/%s is registered with %lld..%lld, which leaves %lld out",
                             excluded->cohort->app->gate.name, excluded->instance,
                             (long long)excluded->cohort->gate.range.min,
                             (long long)excluded->cohort->gate.range.max, (long long)a->version);
    changes_window(changes, json_pack("{s:I, s:I, s:I}", "floor", (json_int_t)a->version, "ceiling",
                                      (json_int_t)a->version, "baseline", (json_int_t)a->version));
    write_operator_event(a, "baseline", changes);
    return true;
}

static void baseline_apply(struct coordinator *c, struct intent *intent)
{
    const struct act_intent *a = (const struct act_intent *)intent;
    c->baseline = c->view.window.floor = c->view.window.ceiling = a->version;
    migrations_refresh_view(c);
    replicas_admit_waiting(c);
    intent_answer(intent, &(struct outcome){.created = true});
}

static const struct intent_kind baseline_kind = {
    .exclusive = true, .decide = baseline_decide, .apply = baseline_apply, .release = act_release};

void coordinator_baseline(struct coordinator *c, int64_t version, const char *actor,
                          coordinator_answer *answer, void *context)
{
    struct act_intent *a = memory_new(sizeof *a);
    a->intent = (struct intent){.kind = &baseline_kind, .answer = answer, .context = context};
    a->version = version;
    a->actor = memory_copy(actor);
    journal_add(c, &a->intent);
}
