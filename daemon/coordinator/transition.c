/* The one function that changes a migration's phase, in three parts: decide, write, apply. */
#include "record.h"
#include "state.h"

#include <schemagate/base/log.h>

#include <stdio.h>
#include <stdlib.h>

/* What the window is once the step is committed. */
static struct window window_after(const struct coordinator *c, const struct migration *m,
                                  const struct machine_step *step)
{
    struct window window = c->view.window;

    if (step->action == ACTION_FENCE &&
        (step->next == PHASE_CONTRACTING || step->next == PHASE_PURGING))
        window.contracting = m->version;
    if (step->action == ACTION_FENCE && step->next == PHASE_UNDOING)
        window.undoing = m->version;
    if (step->action == ACTION_UNFENCE && window.contracting == m->version)
        window.contracting = 0;
    if (step->action == ACTION_UNFENCE && window.undoing == m->version)
        window.undoing = 0;
    if (step->next == m->phase)
        return window;
    if (phase_is_expanded(step->next) && m->version > window.ceiling)
        window.ceiling = m->version;
    if (m->phase == PHASE_CONTRACTING && phase_is_contracted(step->next)) {
        window.floor = m->version;
        window.contracting = 0;
    }
    if (m->phase == PHASE_PURGING && step->next == PHASE_COMPLETE)
        window.contracting = 0;
    if (m->phase == PHASE_RESTORING && step->next == PHASE_EXPANDED)
        window.floor = migration_floor_below(c, m);
    if (step->next == PHASE_UNDONE) {
        int64_t previous = window_previous(&c->view, m->version);
        if (window.ceiling == m->version && previous >= 0)
            window.ceiling = previous;
        window.undoing = 0;
    }
    return window;
}

bool transition_prepare(const struct coordinator *c, const struct migration *m,
                        enum machine_event event, struct transition *t, const char **refusal)
{
    struct machine_position at = {m->phase, m->origin};

    *t = (struct transition){.event = event};
    if (!machine_next(at, event, migration_facts(c, m), &t->step, refusal))
        return false;
    t->window = window_after(c, m, &t->step);
    t->window_changes = !window_equal(&t->window, &c->view.window);
    return true;
}

static enum phase origin_after(const struct migration *m, const struct machine_step *step)
{
    return step->next == PHASE_UNDOING && m->phase != PHASE_UNDOING ? m->phase : m->origin;
}

static bool failed_after(const struct migration *m, const struct machine_step *step)
{
    return step->fails || (m->failed && !step->clears);
}

static void write_event(const struct migration *m, const struct transition *t,
                        struct change_set *changes)
{
    char kind[64];
    bool failed = t->step.fails;

    snprintf(kind, sizeof kind, "migration.%s",
             failed                                     ? "failed"
             : t->event == EVENT_TRY_FAILED             ? "retrying"
             : t->step.next == m->phase                 ? machine_event_name(t->event)
                                                        : phase_name(t->step.next));
    json_t *data = json_pack("{s:s, s:s}", "phase", phase_name(t->step.next), "because",
                             t->step.comment);
    if (m->phase == PHASE_BACKFILLING && phase_is_expanded(t->step.next))
        json_object_set_new(data, "backfill", backfill_report(m));
    if (t->error && t->error->report)
        json_object_update(data, t->error->report);
    if (t->error)
        json_object_update_new(data, json_pack("{s:s, s:s*, s:i}", "sqlstate", t->error->sqlstate,
                                               "message", t->error->message, "step",
                                               (int)t->error->step));
    changes_event(changes, &(struct change_event){.kind = kind,
                                                  .version = m->version,
                                                  .actor = t->actor,
                                                  .reason = t->reason,
                                                  .data = data});
}

/* The time that it soaks, or that a restore is possible, counts anew. */
static bool begins_to_soak(const struct migration *m, const struct machine_step *step)
{
    return (m->phase == PHASE_CONTRACTING && step->next == PHASE_HIDDEN) ||
           (m->phase == PHASE_RESTORING && step->next == PHASE_EXPANDED);
}

/* A restore takes the contract back: both may run again. */
static bool is_taken_back(const struct migration *m, const struct machine_step *step,
                          const struct step *of)
{
    return m->phase == PHASE_RESTORING && step->next == PHASE_EXPANDED &&
           (of->section == PLAN_CONTRACT || of->section == PLAN_RESTORE);
}

static void write_taken_back(const struct migration *m, const struct transition *t,
                             struct change_set *changes)
{
    for (size_t i = 0; i < m->step_count; i++) {
        const struct step *step = &m->steps[i];
        const struct step again = {.section = step->section, .number = step->number};
        if (is_taken_back(m, &t->step, step))
            changes_row(changes, "steps", record_step(m->version, &again, STEP_PENDING));
    }
}

static void apply_taken_back(struct migration *m, const struct transition *t)
{
    for (size_t i = 0; i < m->step_count; i++) {
        struct step *step = &m->steps[i];
        if (!is_taken_back(m, &t->step, step))
            continue;
        step->state = STEP_PENDING;
        step->attempts = 0;
        step->started_wall = 0;
        step->seconds = 0;
    }
}

/* The statement outside of transactions that was to be run has left nothing: it is announced no more. */
static void write_unannounced(const struct migration *m, const struct transition *t,
                              struct change_set *changes)
{
    bool tried = t->event == EVENT_STEP_FAILED || t->event == EVENT_TRY_FAILED;
    const struct step *next = tried ? migration_next_step(m, migration_section(m)) : NULL;

    if (next && !next->transactional && next->started_wall == 0)
        changes_row(changes, "steps", record_step(m->version, next, STEP_PENDING));
}

static int64_t since_after(const struct coordinator *c, const struct migration *m,
                           const struct machine_step *step)
{
    return step->next == m->phase ? m->phase_since_wall : coordinator_now(c).wall_ms;
}

void transition_write(const struct coordinator *c, const struct migration *m,
                      const struct transition *t, struct change_set *changes)
{
    if (t->window_changes)
        changes_window(changes, record_window(&t->window));
    changes_row(changes, "migrations",
                record_migration_phase(m, t->step.next, origin_after(m, &t->step),
                                       since_after(c, m, &t->step), failed_after(m, &t->step),
                                       t->error ? t->error : m->error));
    if (begins_to_soak(m, &t->step))
        changes_row(changes, "migrations", record_soak(m->version, 0));
    write_taken_back(m, t, changes);
    write_unannounced(m, t, changes);
    if (m->begun)
        changes_event(changes, &(struct change_event){.kind = "migration.expanding",
                                                      .version = m->version});
    if (!t->quiet)
        write_event(m, t, changes);
}

void transition_begin(struct coordinator *c, struct migration *m, struct transition *t)
{
    transition_apply(c, m, t);
    m->begun = true;
}

void transition_apply(struct coordinator *c, struct migration *m, struct transition *t)
{
    bool moved = t->step.next != m->phase;
    enum phase origin = origin_after(m, &t->step);

    m->phase_since_wall = since_after(c, m, &t->step);
    m->failed = failed_after(m, &t->step);
    if (t->error || t->step.clears) {
        migration_error_free(m->error);
        m->error = t->error;
        t->error = NULL;
    }
    if (begins_to_soak(m, &t->step)) {
        m->soak_from_boot = m->soak_stored_ms = m->soak_written_ms = 0;
        m->requests_before = c->reported.requests;
        m->errors_before = c->reported.errors;
    }
    apply_taken_back(m, t);
    m->origin = origin;
    m->phase = t->step.next;
    m->begun = false;
    if (moved && !t->quiet)
        log_info("migration", LOG_NUMBER("version", m->version), LOG_TEXT("phase", phase_name(m->phase)),
                 LOG_TEXT("status", m->failed ? "failed" : "ok"), LOG_TEXT("because", t->step.comment));
    if (t->window_changes)
        c->view.window = t->window;
    if (moved || t->window_changes) {
        migrations_refresh_view(c);
        replicas_admit_waiting(c);
    }
    coordinator_changed(c);
}
