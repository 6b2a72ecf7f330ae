/* A migration with its steps, its gate and what it waits for (documents.h). */
#include "documents.h"

static const char *const step_state_names[] = {
    [STEP_PENDING] = "pending",
    [STEP_DONE] = "done",
    [STEP_FAILED] = "failed",
};

/* Of an index that is being built, as PostgreSQL counts it. */
static void write_progress(struct writer *w, const struct migration *m, const struct step *step)
{
    const json_t *progress = coordinator_progress(m, step);

    if (progress != NULL)
        writer_json(w, "progress", progress);
    else
        writer_null(w, "progress");
}

static void write_steps(struct writer *w, const struct coordinator *c, const struct migration *m)
{
    writer_open_list(w, "steps");
    for (size_t i = 0; i < m->step_count; i++) {
        const struct step *step = &m->steps[i];
        writer_open_object(w, NULL);
        writer_text(w, "phase", plan_section_name(step->section));
        writer_number(w, "n", step->number);
        writer_text(w, "sql", step->sql);
        writer_bool(w, "transactional", step->transactional);
        writer_number(w, "transaction", step->transaction);
        writer_number(w, "line", step->line);
        writer_number(w, "column", step->column);
        document_work(w, &step->work);
        writer_text(w, "state",
                    coordinator_step_runs(c, m, step) ? "running" : step_state_names[step->state]);
        writer_number(w, "attempts", step->attempts);
        writer_time(w, "started_at", step->started_wall);
        writer_real(w, "seconds", coordinator_step_seconds(c, m, step));
        write_progress(w, m, step);
        writer_close_object(w);
    }
    writer_close_list(w);
}

static void write_hold(struct writer *w, const struct hold *hold)
{
    writer_open_object(w, NULL);
    writer_text(w, "code", gate_code_name(hold->code));
    if (hold->app != NULL)
        writer_text(w, "app", hold->app);
    if (hold->replica != NULL) {
        const struct version_range *range = &hold->replica->cohort->gate.range;
        writer_text(w, "instance", hold->replica->instance);
        writer_text(w, "incarnation", hold->replica->incarnation);
        writer_number(w, "min", range->min);
        writer_number(w, "max", range->max);
    }
    if (hold->session != NULL) {
        document_session(w, hold->session, hold->count);
        if (hold->session->pinned) {
            writer_number(w, "min", hold->session->range.min);
            writer_number(w, "max", hold->session->range.max);
        }
    }
    if (hold->standby != NULL)
        writer_text(w, "standby", hold->standby);
    if (hold->statement != NULL) {
        writer_text(w, "queryid", hold->statement->id);
        writer_text(w, "role", hold->statement->role);
        writer_text(w, "query", hold->statement->text);
        writer_number(w, "calls", hold->statement->calls);
        writer_time(w, "called_at", hold->statement->seen_wall);
    }
    if (hold->version != 0)
        writer_number(w, "version", hold->version);
    writer_time(w, "since", hold->since_wall);
    writer_text(w, "message", hold->message);
    writer_text(w, "clears_when", gate_code_clears_when(hold->code));
    writer_close_object(w);
}

static void write_waivers(struct writer *w, const struct coordinator *c, const struct migration *m)
{
    const struct waiver *waiver;

    writer_open_list(w, "waivers");
    for (size_t i = 0; i < DOCUMENT_HOLDS_MAX && (waiver = coordinator_waiver(c, m->version, i)); i++) {
        writer_open_object(w, NULL);
        writer_text(w, "code", gate_code_name(waiver->code));
        writer_text_or_null(w, "subject", waiver->subject);
        writer_text(w, "by", waiver->actor);
        writer_text(w, "reason", waiver->reason);
        writer_time(w, "given_at", waiver->given_wall);
        writer_number(w, "for_seconds", waiver->for_seconds);
        writer_close_object(w);
    }
    writer_close_list(w);
}

void document_gate(struct writer *w, const char *name, const struct coordinator *c,
                   const struct migration *m)
{
    struct hold holds[DOCUMENT_HOLDS_MAX];
    size_t total, count = coordinator_holds(c, m, holds, DOCUMENT_HOLDS_MAX, &total);
    json_t *statements = coordinator_statements(m);

    writer_open_object(w, name);
    writer_bool(w, "open", total == 0);
    writer_text(w, "evidence", gate_evidence_name(coordinator_evidence(c, m)));
    writer_number(w, "holds_total", (int64_t)total);
    writer_open_list(w, "holds");
    for (size_t i = 0; i < count; i++)
        write_hold(w, &holds[i]);
    writer_close_list(w);
    write_waivers(w, c, m);
    writer_json(w, "statements", statements);
    json_decref(statements);
    if (name == NULL)
        writer_number(w, "index", m->index);
    writer_close_object(w);
}

bool document_has_gate(const struct migration *m)
{
    if (phase_is_final(m->phase))
        return false;
    if (m->phase == PHASE_UNDOING)
        return true;
    for (size_t i = 0; i < m->step_count; i++)
        if (m->steps[i].section == PLAN_CONTRACT)
            return true;
    return false;
}

static void write_backfill(struct writer *w, const struct coordinator *c, const struct migration *m)
{
    struct backfill_view view;
    char advice[SLOT_ADVICE_SIZE] = "";
    const char *command;

    if (!coordinator_backfill(c, m, &view)) {
        writer_null(w, "backfill");
        return;
    }
    writer_open_object(w, "backfill");
    writer_number(w, "rows_done", view.rows_done);
    writer_number(w, "rows_estimate", view.rows_estimate);
    writer_number(w, "rows_changed", view.rows_changed);
    writer_count(w, "rows_per_second", (int64_t)view.rows_per_second);
    writer_count(w, "eta_seconds", view.eta_seconds);
    writer_text(w, "throttled_by", view.throttled_by);
    if (view.slot)
        coordinator_slot_advice(view.slot, advice);
    writer_text_or_null(w, "throttle_advice", advice);
    writer_number(w, "pass", view.pass);
    writer_bool(w, "verifying", view.verifying);
    writer_count(w, "verifying_ms", view.verifying_ms);
    writer_json(w, "verified", view.verified);
    writer_count(w, "rows_left", view.rows_left);
    writer_open_list(w, "vacuum");
    for (size_t i = 0; (command = coordinator_backfill_vacuum(m, i)) != NULL; i++)
        writer_text(w, NULL, command);
    writer_close_list(w);
    writer_close_object(w);
}

static void write_blocker(struct writer *w, const struct blocker *b, int64_t version)
{
    char advice[BLOCKER_ADVICE_SIZE];

    writer_open_object(w, NULL);
    if (b->pid != 0) {
        writer_number(w, "pid", b->pid);
    } else {
        writer_null(w, "pid");
        writer_text(w, "gid", b->gid);
    }
    writer_text(w, "kind", b->kind);
    writer_text(w, "user", b->role);
    writer_text(w, "application_name", b->application_name);
    writer_text_or_null(w, "state", b->state);
    writer_time(w, "since", b->since_wall);
    writer_real(w, "query_seconds", b->query_seconds);
    writer_real(w, "transaction_seconds", b->transaction_seconds);
    writer_text_or_null(w, "relation", b->relation);
    writer_bool(w, "waited_for", b->blocks);
    if (json_is_array(b->waits_for))
        writer_json(w, "waits_for", b->waits_for);
    else
        writer_null(w, "waits_for");
    writer_text(w, "advice", blocker_advice(b, version, advice));
    writer_close_object(w);
}

/* While it waits for its tables: before a try, during one, between two. */
static void write_lock(struct writer *w, const struct migration *m)
{
    const struct lock_wait *wait = &m->lock;

    if (m->next_try_wall == 0 && wait->blocker_count == 0) {
        writer_null(w, "lock");
        return;
    }
    writer_open_object(w, "lock");
    writer_number(w, "attempt", m->attempt);
    writer_time(w, "next_try_at", m->next_try_wall);
    writer_bool(w, "blind", wait->blind);
    writer_text(w, "advice",
                wait->blind ? "the age of other roles' transactions is hidden, so tries are made without "
                              "waiting for a quiet moment: GRANT pg_read_all_stats to the daemon's "
                              "database role"
                            : NULL);
    writer_number(w, "blockers_total", (int64_t)wait->blocker_count);
    writer_open_list(w, "blockers");
    for (size_t i = 0; i < wait->blocker_count && i < DOCUMENT_HOLDS_MAX; i++)
        write_blocker(w, &wait->blockers[i], m->version);
    writer_close_list(w);
    writer_close_object(w);
}

static void write_error(struct writer *w, const struct migration_error *error)
{
    if (error == NULL) {
        writer_null(w, "error");
        return;
    }
    writer_open_object(w, "error");
    writer_text(w, "phase", plan_section_name(error->section));
    writer_version(w, "step", error->step);
    writer_text_or_null(w, "sqlstate", error->sqlstate);
    writer_text(w, "message", error->message);
    writer_text(w, "detail", error->detail);
    writer_text(w, "hint", error->hint);
    writer_text(w, "context", error->context);
    if (error->line > 0) {
        writer_open_object(w, "position");
        writer_number(w, "line", error->line);
        writer_number(w, "column", error->column);
        writer_close_object(w);
    } else {
        writer_null(w, "position");
    }
    writer_close_object(w);
}

void document_actions(struct writer *w, const struct coordinator *c, const struct migration *m)
{
    static const struct {
        enum machine_event event;
        const char *name;
    } actions[] = {
        {EVENT_APPROVE, "approve"}, {EVENT_PAUSE, "pause"}, {EVENT_RESUME, "resume"},
        {EVENT_RETRY, "retry"},     {EVENT_UNDO, "undo"},   {EVENT_RESTORE, "restore"},
        {EVENT_CANCEL, "cancel"},
    };
    bool allowed[MACHINE_EVENTS] = {false};

    coordinator_actions(c, m, allowed);
    writer_open_list(w, "actions");
    for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++)
        if (allowed[actions[i].event])
            writer_text(w, NULL, actions[i].name);
    if (coordinator_can_unblock(c, m))
        writer_text(w, NULL, "unblock");
    if (coordinator_may_waive(c, m))
        writer_text(w, NULL, "waive");
    writer_close_list(w);
}

static void write_plan(struct writer *w, const struct migration *m)
{
    writer_text(w, "approval", m->approval);
    writer_bool(w, "approved", m->approved);
    writer_number(w, "soak_seconds", m->soak_seconds);
    writer_number(w, "keep_hours", m->keep_hours);
    writer_version(w, "requires", m->requires);
    if (m->labels != NULL) {
        writer_json(w, "labels", m->labels);
    } else {
        writer_open_object(w, "labels");
        writer_close_object(w);
    }
    writer_time(w, "submitted_at", m->submitted_wall);
    writer_text(w, "submitted_by", m->submitted_by);
}

/* What is hidden, what a restore could not put back, and how the fleet has done without it. */
static void write_hidden(struct writer *w, const struct coordinator *c, const struct migration *m)
{
    if (m->hidden != NULL) {
        writer_json(w, "hidden", m->hidden);
    } else {
        writer_open_list(w, "hidden");
        writer_close_list(w);
    }
    if (m->phase != PHASE_HIDDEN && m->phase != PHASE_PURGING) {
        writer_null(w, "reported");
        return;
    }
    const struct reported reported = coordinator_reported(c, m);
    writer_open_object(w, "reported");
    writer_number(w, "requests", (int64_t)reported.requests);
    writer_number(w, "errors", (int64_t)reported.errors);
    writer_close_object(w);
}

void document_migration(struct writer *w, const char *name, const struct coordinator *c,
                        const struct migration *m, enum caller_role role)
{
    char summary[512];
    const struct pause_note pause = {m->paused, m->paused_by, m->paused_reason, m->paused_since_wall};

    coordinator_migration_summary(c, m, summary, sizeof(summary));
    writer_open_object(w, name);
    writer_number(w, "version", m->version);
    writer_text(w, "name", m->name);
    writer_text(w, "checksum", m->checksum);
    writer_text(w, "plan_checksum", m->plan_checksum);
    writer_text(w, "phase", phase_name(m->phase));
    writer_text(w, "status", migration_status_name(coordinator_migration_status(c, m)));
    writer_text(w, "summary", summary);
    write_plan(w, m);
    writer_time(w, "phase_since", m->phase_since_wall);
    document_pause(w, &pause);
    write_steps(w, c, m);
    write_backfill(w, c, m);
    write_lock(w, m);
    if (document_has_gate(m)) {
        document_gate(w, "gate", c, m);
    } else {
        writer_null(w, "gate");
    }
    write_hidden(w, c, m);
    write_error(w, m->error);
    if (role == CALLER_OPERATOR) {
        document_actions(w, c, m);
    } else {
        writer_open_list(w, "actions");
        writer_close_list(w);
    }
    writer_number(w, "index", m->index);
    writer_close_object(w);
}
