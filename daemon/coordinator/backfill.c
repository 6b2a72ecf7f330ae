/* Steps that run in batches: each is a transaction of its own through the executor, and whatever waits (a
 * contract, an operator) has its turn between two of them. Their pace is core/batch.h's. */
#include "record.h"
#include "state.h"

#include <schemagate/base/log.h>
#include <schemagate/base/memory.h>

#include <math.h>

static int64_t progress_number(const json_t *progress, const char *name)
{
    return json_integer_value(json_object_get(progress, name));
}

static bool is_done(const struct step *step)
{
    return json_is_true(json_object_get(step->progress, "done"));
}

/* Its next batch is the one look at all rows. */
static bool is_verifying(const struct step *step)
{
    return json_is_true(json_object_get(step->progress, "verifying"));
}

/* The command that its dead rows ask for, or NULL. */
static const char *vacuum_of(const struct step *step)
{
    return step->work.kind == WORK_BATCHED
               ? json_string_value(json_object_get(step->progress, "vacuum")) : NULL;
}

bool backfill_goes_on(const struct step *step)
{
    return step && step->work.kind == WORK_BATCHED && !is_done(step);
}

/* ---- a batch ---- */

void backfill_prepare(const struct coordinator *c, struct migration *m, struct run *run)
{
    struct step *step = run->steps;
    struct batch_pace *pace = &m->pace;

    if (pace->rows == 0)
        *pace = (struct batch_pace){.rows = BATCH_ROWS_FIRST, .wal_bytes = -1};
    if (!step->progress || m->attempt > 0)
        step->attempts++;
    if (step->started_wall == 0)
        step->started_wall = coordinator_now(c).wall_ms;
    run->statements = memory_new(sizeof *run->statements);
    run->statements[run->statement_count++] =
        (struct execution_statement){step->sql, step->line, step->column, step->number,
                                     step->work.generated};
    run->batch = (struct execution_batch){
        .pieces = record_batch(&step->work.batch),
        .progress = step->progress,
        .rows = pace->look ? 0 : pace->rows,
        .counts_sessions = c->config->migration.backfill_max_active_sessions > 0,
    };
    changes_row(&run->changes, "steps", record_step_timed(m->version, step, STEP_PENDING));
}

/* ---- the pace ---- */

static double lag_seconds(const struct coordinator *c, const struct batch_load *load)
{
    const struct sight *sight = c->watch.sight; /* knows the standbys of the configuration, too */
    return sight ? fmax(load->lag_seconds, sight->lag_seconds) : load->lag_seconds;
}

static struct batch_wait judge_load(const struct coordinator *c, struct batch_pace *pace,
                                    const struct batch_load *seen)
{
    const struct batch_limits limits = {
        .max_lag_seconds = (double)c->config->migration.max_replication_lag_seconds,
        .max_active_sessions = c->config->migration.backfill_max_active_sessions,
        .max_wal_mb_per_second = c->config->migration.backfill_max_wal_mb_per_second,
        .max_retained_wal_mb = c->config->migration.backfill_max_retained_wal_mb,
    };
    int64_t now = coordinator_now(c).boot_ms;
    struct batch_load load = *seen;

    load.lag_seconds = lag_seconds(c, seen);
    struct batch_wait wait =
        batch_wait(&limits, &load, pace->wal_bytes, (double)(now - pace->wal_at_ms));
    pace->wal_bytes = load.wal_bytes;
    pace->slot = load.slot;
    /* The time that pays for this batch's log does not pay for that of the next one. */
    pace->wal_at_ms = wait.throttle == THROTTLE_WAL_RATE ? now + wait.for_ms : now;
    return wait;
}

static void follow_size(const struct coordinator *c, struct migration *m, const struct run *run,
                        int64_t walked, const struct execution_result *result)
{
    double elapsed_ms = result->seconds_count > 0 ? result->seconds[0] * 1000 : 0;

    m->pace.rows = batch_rows_next(run->batch.rows, walked, elapsed_ms,
                                   c->config->migration.backfill_batch_ms);
}

static void log_throttle(const struct migration *m, enum batch_throttle throttle)
{
    const struct batch_slot *slot = &m->pace.slot;

    if (throttle == THROTTLE_REPLICATION_SLOT)
        log_warn("a backfill waits: a replication slot holds back the server's log",
                 LOG_NUMBER("version", m->version), LOG_TEXT("slot", slot->name),
                 LOG_NUMBER("retained_bytes", slot->retained_bytes),
                 LOG_TEXT("consumer", slot->active ? "reads" : "is gone"));
    else
        log_info("backfill", LOG_NUMBER("version", m->version), LOG_TEXT("throttled_by",
                 throttle ? batch_throttle_name(throttle) : "nothing any more"));
}

static void follow_load(const struct coordinator *c, struct migration *m,
                        const struct execution_result *result)
{
    struct batch_pace *pace = &m->pace;
    int64_t now = coordinator_now(c).boot_ms;
    struct batch_wait wait = judge_load(c, pace, &result->load);

    if (wait.throttle != pace->throttle)
        log_throttle(m, wait.throttle);
    pace->throttle = wait.throttle;
    pace->look = wait.look;
    if (wait.throttle)
        m->next_try_boot = now + wait.for_ms;
}

static void log_end(const struct migration *m, const struct step *step)
{
    const char *whole = json_string_value(json_object_get(step->progress, "whole"));
    const json_t *verified = json_object_get(step->progress, "verified");

    log_info("backfill done", LOG_NUMBER("version", m->version), LOG_NUMBER("step", step->number),
             LOG_NUMBER("rows", progress_number(step->progress, "rows")),
             LOG_TEXT("in_one_statement_because", whole ? whole : ""),
             LOG_TEXT("dead_rows_ask_for", vacuum_of(step) ? vacuum_of(step) : ""));
    if (json_is_false(verified))
        log_warn("the backfill's condition still finds rows",
                 LOG_NUMBER("version", m->version), LOG_NUMBER("step", step->number),
                 LOG_NUMBER("rows", progress_number(step->progress, "left")));
}

static void log_verifying(const struct migration *m, const struct step *step)
{
    log_info("the backfill looks for rows that are left, at all of them in one statement",
             LOG_NUMBER("version", m->version), LOG_NUMBER("step", step->number),
             LOG_NUMBER("pass", progress_number(step->progress, "pass")));
}

static void log_whole(const struct migration *m, const struct step *step)
{
    const char *whole = json_string_value(json_object_get(step->progress, "whole"));

    if (whole && !is_done(step))
        log_warn("the backfill runs as one statement, which locks its rows until it ends",
                 LOG_NUMBER("version", m->version), LOG_NUMBER("step", step->number),
                 LOG_TEXT("because", whole));
}

void backfill_advance(struct coordinator *c, struct migration *m, const struct run *run,
                      const struct execution_result *result)
{
    struct step *step = run->steps;
    int64_t before = progress_number(step->progress, "walked"),
            now = progress_number(result->progress, "walked");
    bool was_batch = run->batch.rows > 0 && !is_verifying(step);

    step->state = STEP_PENDING; /* it may have failed before */
    json_decref(step->progress);
    step->progress = json_deep_copy(result->progress);
    log_whole(m, step);
    if (is_verifying(step) && was_batch)
        log_verifying(m, step);
    if (was_batch) /* how long all rows are looked at says nothing of a batch */
        follow_size(c, m, run, now > before ? now - before : now, result);
    follow_load(c, m, result);
    batch_meter_add(&m->pace.meter, coordinator_now(c).boot_ms, now);
    if (is_done(step)) {
        log_end(m, step);
        m->pace = (struct batch_pace){0};
    }
}

/* ---- what is told ---- */

/* The step that is under way, or the last one that was. */
static const struct step *shown_step(const struct migration *m)
{
    const struct step *shown = NULL;

    for (size_t i = 0; i < m->step_count; i++) {
        const struct step *step = &m->steps[i];
        if (step->work.kind != WORK_BATCHED || !step->progress)
            continue;
        shown = step;
        if (step->state != STEP_DONE)
            break;
    }
    return shown;
}

/* The whole is verified where every part is; one that no pass can tell about leaves it open. */
static json_t *verdict(const struct migration *m)
{
    bool open = false, left = false;

    for (size_t i = 0; i < m->step_count; i++) {
        const json_t *verified = json_object_get(m->steps[i].progress, "verified");
        if (m->steps[i].work.kind != WORK_BATCHED)
            continue;
        left |= json_is_false(verified);
        open |= !json_is_boolean(verified);
    }
    return left ? json_false() : open ? json_null() : json_true();
}

/* How long it has looked at all rows; -1: it does not. */
static int64_t verifying_ms(const struct coordinator *c, const struct migration *m,
                            const struct step *step)
{
    bool looks = is_verifying(step) && m->running && m->first_try_boot > 0;

    return looks ? coordinator_now(c).boot_ms - m->first_try_boot : -1;
}

bool coordinator_backfill(const struct coordinator *c, const struct migration *m,
                          struct backfill_view *view)
{
    const struct step *step = shown_step(m);

    if (!step)
        return false;
    const json_t *left = json_object_get(step->progress, "left");
    int64_t walked = progress_number(step->progress, "walked"),
            estimate = progress_number(step->progress, "estimate");
    bool done = is_done(step);
    *view = (struct backfill_view){
        .rows_done = walked,
        .rows_estimate = done || walked > estimate ? walked : estimate,
        .rows_changed = progress_number(step->progress, "rows"),
        .rows_per_second = done ? -1 : batch_meter_rate(&m->pace.meter),
        .eta_seconds = done ? -1 : batch_meter_eta(&m->pace.meter, estimate - walked),
        .throttled_by = m->pace.throttle ? batch_throttle_name(m->pace.throttle) : NULL,
        .slot = m->pace.throttle == THROTTLE_REPLICATION_SLOT ? &m->pace.slot : NULL,
        .pass = progress_number(step->progress, "pass"),
        .verifying = is_verifying(step),
        .verifying_ms = verifying_ms(c, m, step),
        .verified = done ? verdict(m) : NULL,
        .rows_left = json_is_integer(left) ? json_integer_value(left) : -1,
        .whole = done ? NULL : json_string_value(json_object_get(step->progress, "whole")),
    };
    return true;
}

const char *coordinator_backfill_vacuum(const struct migration *m, size_t number)
{
    for (size_t i = 0; i < m->step_count; i++) {
        const char *command = vacuum_of(&m->steps[i]);
        if (command && number-- == 0)
            return command;
    }
    return NULL;
}

json_t *backfill_report(const struct migration *m)
{
    json_t *vacuum = json_array(), *whole = json_array();
    double seconds = 0;
    int64_t rows = 0;
    bool any = false;

    for (size_t i = 0; i < m->step_count; i++) {
        const struct step *step = &m->steps[i];
        if (step->work.kind != WORK_BATCHED || !step->progress)
            continue;
        any = true;
        seconds += step->seconds;
        rows += progress_number(step->progress, "rows");
        if (json_is_string(json_object_get(step->progress, "whole")))
            json_array_append(whole, json_object_get(step->progress, "whole"));
        if (vacuum_of(step))
            json_array_append_new(vacuum, json_string(vacuum_of(step)));
    }
    json_t *report = any ? json_pack("{s:I, s:f, s:o, s:O, s:O}", "rows", (json_int_t)rows, "seconds",
                                     seconds, "verified", verdict(m), "in_one_statement", whole,
                                     "vacuum", vacuum)
                         : NULL;
    json_decref(vacuum);
    json_decref(whole);
    return report;
}
