/* Rows and structs. */
#include "record.h"

#include <schemagate/base/clock.h>
#include <schemagate/base/memory.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ---- values ---- */

const char *record_text(const json_t *row, const char *column)
{
    const char *text = json_string_value(json_object_get(row, column));
    return text ? text : "";
}

int64_t record_number(const json_t *row, const char *column)
{
    return json_integer_value(json_object_get(row, column));
}

bool record_flag(const json_t *row, const char *column)
{
    return json_is_true(json_object_get(row, column));
}

/* PostgreSQL writes timestamptz in JSON as "2026-11-20T09:30:00.123456+00:00". */
int64_t record_time(const json_t *row, const char *column)
{
    const char *text = json_string_value(json_object_get(row, column));
    struct tm tm = {0};
    int used = 0, hours = 0, minutes = 0;
    double fraction = 0;

    if (!text || sscanf(text, "%d-%d-%dT%d:%d:%d%n", &tm.tm_year, &tm.tm_mon, &tm.tm_mday,
                        &tm.tm_hour, &tm.tm_min, &tm.tm_sec, &used) != 6)
        return 0;
    text += used;
    if (*text == '.' && sscanf(text, "%lf%n", &fraction, &used) == 1)
        text += used;
    char sign = *text;
    if (sign == '+' || sign == '-')
        sscanf(text + 1, "%d:%d", &hours, &minutes);
    tm.tm_year -= 1900;
    tm.tm_mon -= 1;
    int64_t offset = (hours * 60 + minutes) * 60 * (sign == '-' ? -1 : 1);
    return ((int64_t)timegm(&tm) - offset) * 1000 + (int64_t)(fraction * 1000 + 0.5);
}

json_t *record_time_value(int64_t wall_ms)
{
    char text[CLOCK_RFC3339_SIZE];
    return wall_ms ? json_string(clock_rfc3339(wall_ms, text)) : json_null();
}

static json_t *text_value(const char *text)
{
    return text && *text ? json_string(text) : json_null();
}

static json_t *number_value(int64_t number)
{
    return number ? json_integer(number) : json_null();
}

static char *copy_text(const json_t *row, const char *column)
{
    return memory_copy(json_string_value(json_object_get(row, column)));
}

/* ---- migrations ---- */

static json_t *sections_value(const struct migration *m)
{
    json_t *sections = json_array();
    for (enum plan_section s = 0; s < PLAN_WRITTEN_SECTIONS; s++)
        if (m->has_section[s])
            json_array_append_new(sections, json_string(plan_section_name(s)));
    return sections;
}

json_t *record_migration_new(const struct migration *m, const char *sql)
{
    json_t *row = json_pack(
        "{s:I, s:s, s:s, s:s, s:s, s:s, s:I, s:I, s:o, s:O?, s:o, s:o, s:s, s:s, s:o, s:b, s:n, s:b, s:I}",
        "version", (json_int_t)m->version, "name", m->name, "checksum", m->checksum, "plan_checksum",
        m->plan_checksum, "sql", sql, "approval", m->approval, "soak_seconds",
        (json_int_t)m->soak_seconds, "keep_hours", (json_int_t)m->keep_hours, "requires",
        number_value(m->requires), "labels", m->labels, "sections", sections_value(m), "submitted_at",
        record_time_value(m->submitted_wall), "submitted_by", m->submitted_by, "phase",
        phase_name(m->phase), "phase_since", record_time_value(m->phase_since_wall), "failed", 0,
        "error", "paused", 0, "soak_elapsed_ms", (json_int_t)0);
    return row;
}

static json_t *error_value(const struct migration_error *error)
{
    if (!error)
        return json_null();
    return json_pack("{s:s, s:i, s:s, s:o, s:o, s:o, s:o, s:i, s:i}", "section",
                     plan_section_name(error->section), "step", (int)error->step, "sqlstate",
                     error->sqlstate, "message", text_value(error->message), "detail",
                     text_value(error->detail), "hint", text_value(error->hint), "context",
                     text_value(error->context), "line", (int)error->line, "column",
                     (int)error->column);
}

json_t *record_migration_phase(const struct migration *m, enum phase phase, enum phase origin,
                               int64_t since_wall, bool failed, const struct migration_error *error)
{
    return json_pack("{s:I, s:s, s:o, s:o, s:b, s:o}", "version", (json_int_t)m->version, "phase",
                     phase_name(phase), "origin",
                     phase == PHASE_UNDOING ? json_string(phase_name(origin)) : json_null(),
                     "phase_since", record_time_value(since_wall), "failed", failed, "error",
                     error_value(failed ? error : NULL));
}

json_t *record_migration_pause(int64_t version, bool paused, const char *by, const char *reason,
                               int64_t since_wall)
{
    return json_pack("{s:o*, s:b, s:o, s:o, s:o}", "version", version ? json_integer(version) : NULL,
                     "paused", paused, "paused_by", text_value(paused ? by : NULL), "paused_reason",
                     text_value(paused ? reason : NULL), "paused_since",
                     record_time_value(paused ? since_wall : 0));
}

static bool read_section(const char *name, enum plan_section *section)
{
    for (enum plan_section s = 0; s < PLAN_SECTIONS; s++) {
        if (strcmp(plan_section_name(s), name) == 0) {
            *section = s;
            return true;
        }
    }
    return false;
}

static struct migration_error *read_error(const json_t *value)
{
    if (!json_is_object(value))
        return NULL;
    struct migration_error *error = memory_new(sizeof *error);
    read_section(record_text(value, "section"), &error->section);
    error->step = (unsigned)record_number(value, "step");
    snprintf(error->sqlstate, sizeof error->sqlstate, "%s", record_text(value, "sqlstate"));
    error->message = copy_text(value, "message");
    error->detail = copy_text(value, "detail");
    error->hint = copy_text(value, "hint");
    error->context = copy_text(value, "context");
    error->line = (unsigned)record_number(value, "line");
    error->column = (unsigned)record_number(value, "column");
    return error;
}

struct migration *record_read_migration(const json_t *row)
{
    struct migration *m = memory_new(sizeof *m);
    const json_t *labels = json_object_get(row, "labels"), *section;
    size_t i;

    m->version = record_number(row, "version");
    m->name = memory_copy(record_text(row, "name"));
    m->checksum = memory_copy(record_text(row, "checksum"));
    m->plan_checksum = memory_copy(record_text(row, "plan_checksum"));
    m->approval = memory_copy(record_text(row, "approval"));
    m->soak_seconds = record_number(row, "soak_seconds");
    m->keep_hours = record_number(row, "keep_hours");
    m->requires = record_number(row, "requires");
    m->labels = json_is_object(labels) ? json_deep_copy(labels) : NULL;
    json_array_foreach(json_object_get(row, "sections"), i, section)
    {
        enum plan_section s;
        if (read_section(json_string_value(section), &s) && s < PLAN_WRITTEN_SECTIONS)
            m->has_section[s] = true;
    }
    m->submitted_wall = record_time(row, "submitted_at");
    m->submitted_by = memory_copy(record_text(row, "submitted_by"));
    phase_parse(record_text(row, "phase"), &m->phase);
    phase_parse(record_text(row, "origin"), &m->origin);
    m->phase_since_wall = record_time(row, "phase_since");
    m->failed = record_flag(row, "failed");
    m->error = read_error(json_object_get(row, "error"));
    m->paused = record_flag(row, "paused");
    m->paused_by = copy_text(row, "paused_by");
    m->paused_reason = copy_text(row, "paused_reason");
    m->paused_since_wall = record_time(row, "paused_since");
    m->soak_stored_ms = record_number(row, "soak_elapsed_ms");
    m->index = record_number(row, "last_event");
    return m;
}

/* ---- steps ---- */

static const char *const step_states[] = {"pending", "done", "failed"};

static json_t *lock_value(const struct plan_relation_lock *lock)
{
    return json_pack("{s:s, s:s, s:b}", "relation", lock->relation, "mode", plan_lock_name(lock->mode),
                     "parents", lock->parents);
}

json_t *record_drops(const struct plan_work *work)
{
    json_t *drops = json_array();

    for (size_t i = 0; i < work->drop_count; i++) {
        const struct plan_drop *drop = &work->drops[i];
        json_array_append_new(drops, json_pack("{s:s?, s:s, s:s?}", "schema", drop->schema, "table",
                                               drop->table, "column", drop->column));
    }
    return drops;
}

json_t *record_batch(const struct plan_batch *batch)
{
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s?, s:s?, s:s?, s:s?, s:s, s:s, s:s, s:b, s:b, s:b}",
                     "relation", batch->relation, "alias", batch->alias, "head", batch->head, "body",
                     batch->body, "tail", batch->tail, "condition", batch->condition, "into", batch->into,
                     "conflict", batch->conflict, "taken", batch->taken,
                     "assigned", batch->assigned, "calls", batch->calls, "wide_calls", batch->wide_calls,
                     "repeats", batch->repeats, "only", batch->only, "one_table", batch->one_table);
}

static json_t *work_value(const struct plan_work *work)
{
    json_t *locks = json_array(), *batch = json_null();

    for (size_t i = 0; i < work->lock_count; i++)
        json_array_append_new(locks, lock_value(&work->locks[i]));
    if (work->batch.relation)
        batch = record_batch(&work->batch);
    return json_pack("{s:s, s:o, s:o, s:o, s:o, s:i, s:b, s:o, s:o, s:b}", "kind",
                     plan_kind_name(work->kind), "locks", locks, "object", text_value(work->object),
                     "shape", text_value(work->shape), "batch", batch, "source",
                     (int)work->source, "generated", work->generated, "note", text_value(work->note),
                     "drops", record_drops(work), "only_drops", work->only_drops);
}

json_t *record_step_new(int64_t version, const struct step *step)
{
    json_t *row = json_pack("{s:I, s:s, s:i, s:i, s:b, s:i, s:i, s:s, s:s}", "version",
                            (json_int_t)version, "section", plan_section_name(step->section), "number",
                            (int)step->number, "transaction", (int)step->transaction, "transactional",
                            step->transactional, "line", (int)step->line, "column", (int)step->column,
                            "sql", step->sql, "state", step_states[step->state]);

    json_object_update_new(row, work_value(&step->work));
    return row;
}

/* What a statement outside of transactions has noted is the executor's alone (db/sql/functions/online.sql):
 * memory may have it from before. */
json_t *record_step(int64_t version, const struct step *step, enum step_state state)
{
    json_t *progress = step->work.kind == WORK_BATCHED ? step->progress : NULL;

    return json_pack("{s:I, s:s, s:i, s:s, s:i, s:o, s:f, s:O*}", "version", (json_int_t)version,
                     "section", plan_section_name(step->section), "number", (int)step->number, "state",
                     step_states[state], "attempts", (int)step->attempts, "started_at",
                     record_time_value(step->started_wall), "seconds", step->seconds, "progress",
                     progress);
}

json_t *record_step_timed(int64_t version, const struct step *step, enum step_state state)
{
    json_t *row = record_step(version, step, state);

    json_object_set_new(row, "timed", json_true());
    return row;
}

json_t *record_step_done(int64_t version, const struct step *step)
{
    return step->work.kind == WORK_BATCHED ? record_step(version, step, STEP_DONE)
                                           : record_step_timed(version, step, STEP_DONE);
}

static void read_drops(const json_t *rows, struct plan_work *work)
{
    const json_t *row;
    size_t i;

    if (json_array_size(rows) == 0)
        return;
    work->drops = memory_new(json_array_size(rows) * sizeof *work->drops);
    json_array_foreach(rows, i, row)
    {
        work->drops[work->drop_count++] = (struct plan_drop){
            copy_text(row, "schema"), copy_text(row, "table"), copy_text(row, "column")};
    }
}

/* False where a newer daemon has written what this one does not know. */
static bool read_work(const json_t *row, struct plan_work *work)
{
    const json_t *locks = json_object_get(row, "locks"), *batch = json_object_get(row, "batch"), *lock;
    enum plan_lock mode;
    size_t i;

    if (!plan_kind_parse(record_text(row, "kind"), &work->kind))
        return false;
    json_array_foreach(locks, i, lock)
    {
        if (!plan_lock_parse(record_text(lock, "mode"), &mode))
            return false;
        plan_work_lock(work, record_text(lock, "relation"), mode);
        work->locks[work->lock_count - 1].parents = record_flag(lock, "parents");
    }
    if (json_is_object(batch))
        work->batch = (struct plan_batch){
            .relation = copy_text(batch, "relation"),
            .alias = copy_text(batch, "alias"),
            .head = copy_text(batch, "head"),
            .body = copy_text(batch, "body"),
            .tail = copy_text(batch, "tail"),
            .condition = copy_text(batch, "condition"),
            .into = copy_text(batch, "into"),
            .conflict = copy_text(batch, "conflict"),
            .taken = copy_text(batch, "taken"),
            .assigned = copy_text(batch, "assigned"),
            .calls = copy_text(batch, "calls"),
            .wide_calls = copy_text(batch, "wide_calls"),
            .repeats = record_flag(batch, "repeats"),
            .only = record_flag(batch, "only"),
            .one_table = record_flag(batch, "one_table"),
        };
    work->object = copy_text(row, "object");
    work->shape = copy_text(row, "shape");
    work->source = (unsigned)record_number(row, "source");
    work->generated = record_flag(row, "generated");
    work->note = copy_text(row, "note");
    work->only_drops = record_flag(row, "only_drops");
    read_drops(json_object_get(row, "drops"), work);
    return true;
}

bool record_read_step(const json_t *row, struct step *step)
{
    *step = (struct step){
        .number = (unsigned)record_number(row, "number"),
        .transaction = (unsigned)record_number(row, "transaction"),
        .transactional = record_flag(row, "transactional"),
        .line = (unsigned)record_number(row, "line"),
        .column = (unsigned)record_number(row, "column"),
        .attempts = (unsigned)record_number(row, "attempts"),
        .started_wall = record_time(row, "started_at"),
        .seconds = json_number_value(json_object_get(row, "seconds")),
    };
    if (!read_section(record_text(row, "section"), &step->section))
        return false;
    for (enum step_state state = 0; state <= STEP_FAILED; state++)
        if (strcmp(step_states[state], record_text(row, "state")) == 0)
            step->state = state;
    if (!read_work(row, &step->work)) {
        plan_work_release(&step->work);
        return false;
    }
    const json_t *progress = json_object_get(row, "progress");
    step->progress = json_is_object(progress) ? json_deep_copy(progress) : NULL;
    step->sql = memory_copy(record_text(row, "sql"));
    return true;
}

/* ---- replicas and the window ---- */

json_t *record_knows(const struct gate_knows *knows, size_t count)
{
    if (count == 0)
        return NULL;
    json_t *object = json_object();
    for (size_t i = 0; i < count; i++) {
        char version[24];
        snprintf(version, sizeof version, "%lld", (long long)knows[i].version);
        json_object_set_new(object, version, json_string(knows[i].checksum));
    }
    return object;
}

static int by_version(const void *a, const void *b)
{
    int64_t left = ((const struct gate_knows *)a)->version,
            right = ((const struct gate_knows *)b)->version;
    return (left > right) - (left < right);
}

size_t record_read_knows(const json_t *object, struct gate_knows **knows)
{
    const char *version;
    json_t *checksum;
    size_t count = 0;

    *knows = NULL;
    if (!json_is_object(object) || json_object_size(object) == 0)
        return 0;
    *knows = memory_new(json_object_size(object) * sizeof **knows);
    json_object_foreach((json_t *)object, version, checksum)
    {
        const char *text = json_string_value(checksum);
        (*knows)[count++] = (struct gate_knows){strtoll(version, NULL, 10), text ? text : ""};
    }
    qsort(*knows, count, sizeof **knows, by_version);
    return count;
}

json_t *record_replica(const struct replica *r, enum replica_state state, bool superseded,
                       int64_t since_wall, const char *gone_reason)
{
    return json_pack("{s:s, s:s, s:s, s:s, s:b, s:o, s:o, s:b}", "app", r->cohort->app->gate.name,
                     "instance", r->instance, "incarnation", r->incarnation, "state",
                     replica_state_name(state), "superseded", superseded, "state_since",
                     record_time_value(since_wall), "gone_reason", text_value(gone_reason),
                     "witnessed", r->witnessed);
}

json_t *record_replica_whole(const struct replica *r)
{
    const struct cohort *cohort = r->cohort;
    json_t *row = record_replica(r, (enum replica_state)r->state, r->superseded, r->state_since_wall, NULL);
    json_t *more = json_pack(
        "{s:I, s:I, s:i, s:s, s:s, s:s, s:o*, s:o, s:s}", "min", (json_int_t)cohort->gate.range.min,
        "max", (json_int_t)cohort->gate.range.max, "lease_seconds", (int)r->lease_seconds, "release",
        cohort->release, "application_name", r->application_name, "on_lost",
        r->on_lost_exit ? "exit" : "keep", "knows",
        record_knows(cohort->gate.knows, cohort->gate.knows_count), "registered_at",
        record_time_value(r->registered_wall), "address", r->address);

    json_object_update_new(row, more);
    return row;
}

json_t *record_soak(int64_t version, int64_t elapsed_ms)
{
    return json_pack("{s:I, s:I}", "version", (json_int_t)version, "soak_elapsed_ms",
                     (json_int_t)elapsed_ms);
}

json_t *record_window(const struct window *window)
{
    return json_pack("{s:I, s:I, s:o, s:o}", "floor", (json_int_t)window->floor, "ceiling",
                     (json_int_t)window->ceiling, "contracting", number_value(window->contracting),
                     "undoing", number_value(window->undoing));
}
