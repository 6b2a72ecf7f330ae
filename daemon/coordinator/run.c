/* One transaction of a migration's phase: its SQL, its steps, the window and the events are committed
 * together by the executor. */
#include "locks.h"
#include "record.h"
#include "state.h"

#include <schemagate/base/log.h>
#include <schemagate/base/memory.h>

#include <stdlib.h>
#include <string.h>

struct completion {
    struct coordinator *c;
    struct run *run; /* owned: the executor reads from it until the end, also of a term that is over */
    unsigned term;
};

static void run_free(struct run *run)
{
    changes_free(&run->changes);
    json_decref((json_t *)run->batch.pieces);
    runner_free(run->command);
    free(run->trouble);
    free(run->statements);
    free(run->transition);
    free(run);
}

/* ---- preparing ---- */

static bool is_last(const struct migration *m, const struct run *run)
{
    const struct step *next = run->steps + run->step_count;
    return run->step_count == 0 || next == m->steps + m->step_count || next->section != run->section;
}

/* What was hidden, or has come back, is told by the server's own functions: the event says it, and memory
 * takes it. */
static bool tells_hidden(const struct migration *m, const struct transition *t)
{
    bool touches = m->phase == PHASE_CONTRACTING || m->phase == PHASE_PURGING ||
                   m->phase == PHASE_RESTORING;
    return touches && t->event == EVENT_PHASE_DONE && migration_has_steps(m, PLAN_PURGE);
}

static void collect_statements(const struct coordinator *c, struct migration *m, struct run *run)
{
    /* The end of a restore makes its own steps pending again. */
    bool takes_back = m->phase == PHASE_RESTORING && run->transition->event == EVENT_PHASE_DONE;

    run->statements = memory_new((run->step_count + 1) * sizeof *run->statements);
    for (size_t i = 0; i < run->step_count; i++) {
        struct step *step = &run->steps[i];
        if (step->work.kind != WORK_BATCHED) { /* else its batches have done it */
            step->attempts++;
            step->started_wall = coordinator_now(c).wall_ms;
            run->statements[run->statement_count++] =
                (struct execution_statement){step->sql, step->line, step->column, step->number,
                                             step->work.generated};
        }
        if (!takes_back)
            changes_row(&run->changes, "steps", record_step_done(m->version, step));
    }
}

static void prepare_command(const struct coordinator *c, const struct migration *m, struct run *run)
{
    const struct step *step = run->steps;

    if (!step || step->work.kind != WORK_RUNNER)
        return;
    run->command = runner_command(c, m, step, &run->trouble);
    changes_event(&run->changes, &(struct change_event){.kind = "migration.runner",
                                                        .version = m->version,
                                                        .data = runner_event(step)});
}

static struct run *prepare(const struct coordinator *c, struct migration *m)
{
    struct run *run = memory_new(sizeof *run);
    struct step *first = migration_next_step(m, migration_section(m));
    const char *refusal;

    run->version = m->version;
    run->section = migration_section(m);
    run->steps = first;
    run->step_count = first ? migration_transaction_steps(m, first) : 0;
    if (backfill_goes_on(first)) {
        backfill_prepare(c, m, run);
        return run;
    }
    run->transition = memory_new(sizeof *run->transition);
    if (!transition_prepare(c, m, is_last(m, run) ? EVENT_PHASE_DONE : EVENT_STEP_DONE,
                            run->transition, &refusal)) {
        log_error("a phase that cannot end", LOG_NUMBER("version", m->version),
                  LOG_TEXT("because", refusal));
        abort();
    }
    run->transition->quiet = run->transition->event == EVENT_STEP_DONE;
    collect_statements(c, m, run);
    prepare_command(c, m, run);
    transition_write(c, m, run->transition, &run->changes);
    if (tells_hidden(m, run->transition))
        changes_ask_hidden(&run->changes, m->version);
    return run;
}

/* ---- its end ---- */

static char *copy_or_null(const char *text)
{
    return text && *text ? memory_copy(text) : NULL;
}

static struct migration_error *error_of(const struct run *run, const struct execution_error *from)
{
    struct migration_error *error = memory_new(sizeof *error);
    error->section = run->section;
    error->step = from->step;
    memcpy(error->sqlstate, from->sqlstate, sizeof error->sqlstate);
    error->message = memory_copy(from->message ? from->message : "");
    error->detail = copy_or_null(from->detail);
    error->hint = copy_or_null(from->hint);
    error->context = copy_or_null(from->context);
    error->report = json_incref((json_t *)from->report);
    error->line = from->line;
    error->column = from->column;
    return error;
}

static void succeeded(struct coordinator *c, struct migration *m, struct run *run,
                      const struct execution_result *result)
{
    migration_forget_tries(m);
    if (!run->transition) {
        backfill_advance(c, m, run, result);
        return;
    }
    for (size_t i = 0; i < run->step_count; i++)
        run->steps[i].state = STEP_DONE;
    journal_note_generation(c, result->commit.generation);
    term_note_events(c, &run->changes, &result->commit);
    enum phase before = m->phase;
    if (tells_hidden(m, run->transition))
        migration_take_hidden(m, result->commit.hidden);
    transition_apply(c, m, run->transition);
    if (before == PHASE_CONTRACTING && phase_is_contracted(m->phase))
        c->counts.contracts++;
    if (!phase_is_expanded(before) && phase_is_expanded(m->phase))
        c->counts.expands++;
}

static void failed(struct coordinator *c, struct migration *m, const struct run *run,
                   struct migration_error *error)
{
    if (error->step > 0)
        for (size_t i = 0; i < run->step_count; i++)
            if (run->steps[i].number == error->step)
                run->steps[i].state = STEP_FAILED;
    log_warn("migration failed", LOG_NUMBER("version", m->version),
             LOG_TEXT("section", plan_section_name(run->section)), LOG_NUMBER("step", error->step),
             LOG_TEXT("sqlstate", error->sqlstate), LOG_TEXT("message", error->message));
    rollout_transition(c, m, EVENT_STEP_FAILED, error);
}

static void try_again(struct coordinator *c, struct migration *m, const struct run *run,
                      const struct execution_error *from)
{
    const struct retry_policy policy = {
        .first_ms = c->config->migration.retry_first_ms,
        .max_ms = c->config->migration.retry_max_ms,
        .for_ms = c->config->migration.retry_for_seconds * 1000,
    };
    struct instant now = coordinator_now(c);
    int64_t delay = retry_delay_ms(&policy, m->attempt, now.boot_ms - m->first_try_boot,
                                   c->env.world_ops->chance(c->env.world));

    c->counts.tries_failed++;
    if (!run->transition)
        m->pace.rows = batch_rows_after_conflict(m->pace.rows);
    if (delay < 0) {
        failed(c, m, run, error_of(run, from));
        return;
    }
    m->next_try_boot = now.boot_ms + delay;
    m->next_try_wall = now.wall_ms + delay;
    log_debug("try failed", LOG_NUMBER("version", m->version), LOG_NUMBER("attempt", m->attempt),
              LOG_TEXT("sqlstate", from->sqlstate), LOG_NUMBER("next_in_ms", delay));
    bool fenced = c->view.window.contracting || c->view.window.undoing;
    if (fenced || m->attempt == 1)
        rollout_transition(c, m, EVENT_TRY_FAILED, NULL);
}

static void cancelled(struct coordinator *c, struct migration *m, const struct run *run,
                      const struct execution_error *from)
{
    struct migration_error *error = error_of(run, from);
    migration_error_cancel(error);
    if (c->role == ROLE_LEADER)
        failed(c, m, run, error);
    else
        migration_error_free(error); /* stopping: the next term takes it up again */
}

/* A statement outside of transactions that has left nothing counts as committed no more (run_announce): its
 * contract may be tried anew, corrected or given up. */
static void forget_announced(const struct run *run, const struct execution_result *result)
{
    if (result->untouched && run->steps && migration_section_breaks(run->section))
        run->steps->started_wall = 0;
}

/* However a try ends, its steps were at work. */
static void add_seconds(const struct run *run, const struct execution_result *result)
{
    for (size_t i = 0; i < run->step_count && i < result->seconds_count; i++)
        run->steps[i].seconds += result->seconds[i];
}

static void finish(struct coordinator *c, struct run *run, const struct execution_result *result)
{
    struct migration *m = migrations_find(c, run->version);
    bool lost = result->status == EXECUTION_FENCED || result->status == EXECUTION_UNKNOWN;

    m->running = false;
    add_seconds(run, result);
    forget_announced(run, result);
    (lost ? losses_note : losses_forget)(c, run);
    switch (result->status) {
    case EXECUTION_DONE:
        succeeded(c, m, run, result);
        if (m->cancelling) /* the request came too late for this transaction, but not for what follows */
            rollout_transition(c, m, EVENT_CANCEL, migration_cancellation(m));
        break;
    case EXECUTION_TRY_AGAIN:
        if (m->cancelling) /* nobody waits for another one */
            cancelled(c, m, run, &result->error);
        else
            try_again(c, m, run, &result->error);
        break;
    case EXECUTION_CANCELLED:
        cancelled(c, m, run, &result->error);
        break;
    case EXECUTION_FAILED:
        failed(c, m, run, error_of(run, &result->error));
        break;
    case EXECUTION_FENCED:
        term_restart(c, "another daemon has taken over");
        break;
    case EXECUTION_UNKNOWN:
        term_restart(c, "the coordinator session was lost");
        break;
    }
}

static void done(void *context, const struct execution_result *result)
{
    struct completion completion = *(struct completion *)context;
    struct coordinator *c = completion.c;

    free(context);
    if (completion.term != c->rollout.term) {
        run_free(completion.run);
        return;
    }
    c->rollout.run = NULL;
    c->rollout.busy = false;
    bool was_batch = !completion.run->transition;
    finish(c, completion.run, result);
    run_free(completion.run);
    coordinator_changed(c);
    if (!was_batch) /* between two batches whoever waits has its turn first */
        rollout_advance(c);
    coordinator_wake(c);
}

/* ---- announcing ---- */

struct announcement {
    struct intent intent;
    int64_t version, started_wall;
};

static bool announce_decide(struct coordinator *c, struct intent *intent, struct change_set *changes)
{
    struct announcement *a = (struct announcement *)intent;
    struct migration *m = migrations_find(c, a->version);
    const struct step *next = m ? migration_next_step(m, migration_section(m)) : NULL;

    if (!next) {
        c->rollout.busy = false;
        coordinator_wake(c);
        return false;
    }
    struct step step = *next;
    a->started_wall = step.started_wall = coordinator_now(c).wall_ms;
    changes_row(changes, "steps", record_step(m->version, &step, STEP_PENDING));
    return true;
}

/* Behind the fence, which stays closed from here on, it is verified once more. */
static void announce_apply(struct coordinator *c, struct intent *intent)
{
    const struct announcement *a = (const struct announcement *)intent;
    struct migration *m = migrations_find(c, a->version);
    migration_next_step(m, migration_section(m))->started_wall = a->started_wall;
    c->rollout.busy = false;
}

static const struct intent_kind announce_kind = {
    .exclusive = true, .decide = announce_decide, .apply = announce_apply};

bool run_is_announced(const struct coordinator *c, struct migration *m)
{
    const struct step *next = migration_next_step(m, migration_section(m));
    return !migration_section_breaks(migration_section(m)) || !next || next->transactional ||
           (migration_facts(c, m) & FACT_COMMITTED);
}

void run_announce(struct coordinator *c, const struct migration *m)
{
    struct announcement *a = memory_new(sizeof *a);
    a->intent.kind = &announce_kind;
    a->version = m->version;
    c->rollout.busy = true;
    journal_add(c, &a->intent);
}

/* ---- what is told ---- */

static const struct run *run_of(const struct coordinator *c, const struct migration *m,
                                const struct step *step)
{
    const struct run *run = m->running ? c->rollout.run : NULL;
    bool works = run && run->step_count > 0 && step >= run->steps && step < run->steps + run->step_count;

    return works ? run : NULL;
}

bool coordinator_step_runs(const struct coordinator *c, const struct migration *m, const struct step *step)
{
    enum migration_status status = coordinator_migration_status(c, m);
    bool begun = step->work.kind == WORK_BATCHED && step->started_wall != 0 &&
                 step == migration_next_step(m, migration_section(m));

    return run_of(c, m, step) ||
           (begun && (status == STATUS_RUNNING || (status == STATUS_WAITING && m->pace.throttle)));
}

double coordinator_step_seconds(const struct coordinator *c, const struct migration *m,
                                const struct step *step)
{
    const struct run *run = run_of(c, m, step);
    int64_t now_ms = run ? coordinator_now(c).boot_ms - run->since_boot : 0;

    return step->seconds + (double)now_ms / 1000;
}

/* ---- starting ---- */

/* It is not begun; a retry looks again. */
static void give_up(struct coordinator *c, struct migration *m, struct run *run, const char *hint)
{
    const struct step *step = run->step_count > 0 ? run->steps : NULL;
    const struct execution_error error = {.message = run->trouble,
                                          .hint = hint,
                                          .step = step ? step->number : 0,
                                          .line = step ? step->line : 0,
                                          .column = step ? step->column : 0};
    losses_forget(c, run);
    failed(c, m, run, error_of(run, &error));
    run_free(run);
}

void run_start(struct coordinator *c, struct migration *m)
{
    struct run *run = prepare(c, m);

    if (run->trouble) {
        give_up(c, m, run, "change the daemon's configuration, reload it, then retry");
        return;
    }
    if ((run->trouble = losses_verdict(c, run))) {
        give_up(c, m, run, "the logs of PostgreSQL and of the daemon say why; mend that, then retry");
        return;
    }
    struct completion *completion = memory_new(sizeof *completion);
    m->attempt++;
    if (m->first_try_boot == 0)
        m->first_try_boot = coordinator_now(c).boot_ms;
    locks_begin_run(c, m);
    m->next_try_boot = m->next_try_wall = 0;
    m->running = true;
    run->since_boot = coordinator_now(c).boot_ms;
    m->cancelling = false;
    c->rollout.busy = true;
    c->rollout.run = run;
    *completion = (struct completion){c, run, c->rollout.term};
    c->env.executor_ops->run(
        c->env.executor,
        &(struct execution){
            .version = m->version,
            .phase = plan_section_name(run->section),
            .transactional = run->statement_count == 0 || run->steps[0].transactional,
            .statements = run->statements,
            .statement_count = run->statement_count,
            .batch = run->batch,
            .work = run->step_count > 0 ? &run->steps[0].work : NULL,
            .command = run->command,
            .changes = changes_take(&run->changes),
            .lock_timeout_ms = c->config->migration.lock_timeout_ms,
            .statement_timeout_ms = c->config->migration.statement_timeout_ms,
            .run_as = c->config->migration.run_as,
        },
        done, completion);
    locks_look_past(c, run);
    coordinator_changed(c);
}
