/* The statements of a batch, and the reading of their answers. */
#include "backfill.h"

#include <inttypes.h>
#include <stdio.h>

bool backfill_is(const struct executor_try *try)
{
    return try->execution.batch.pieces != NULL;
}

struct session_statement backfill_batch(struct executor_try *try)
{
    const struct execution_batch *batch = &try->execution.batch;
    const char *role = try->execution.run_as;

    try->pieces = json_dumps(batch->pieces, JSON_COMPACT);
    try->progress = batch->progress != NULL ? json_dumps(batch->progress, JSON_COMPACT) : NULL;
    snprintf(try->rows, sizeof try->rows, "%" PRId64, batch->rows);
    return (struct session_statement){
        .prepared = "batch",
        .parameters = {try->pieces, try->execution.statements[0].sql, try->progress, try->rows,
                       role != NULL && role[0] != '\0' ? role : "none"},
        .parameter_count = 5,
    };
}

struct session_statement backfill_end(const struct executor_try *try)
{
    return (struct session_statement){
        .prepared = "batch_end",
        .parameters = {try->db->lock_key, try->changes,
                       try->execution.batch.counts_sessions ? "true" : "false"},
        .parameter_count = 3,
    };
}

static void read_slot(const json_t *object, struct batch_slot *slot)
{
    const char *name = json_string_value(json_object_get(object, "name"));

    *slot = (struct batch_slot){
        .active = json_is_true(json_object_get(object, "active")),
        .retained_bytes = (int64_t)json_number_value(json_object_get(object, "retained_bytes")),
    };
    snprintf(slot->name, sizeof slot->name, "%s", name != NULL ? name : "");
}

static void read_load(const char *text, struct batch_load *load)
{
    json_t *object = json_loads(text, 0, NULL);
    const json_t *sessions = json_object_get(object, "active_sessions");

    load->lag_seconds = json_number_value(json_object_get(object, "lag_seconds"));
    load->active_sessions = json_is_integer(sessions) ? json_integer_value(sessions) : -1;
    load->wal_bytes = (int64_t)json_number_value(json_object_get(object, "wal_bytes"));
    read_slot(json_object_get(object, "slot"), &load->slot);
    json_decref(object);
}

bool backfill_read(const PGresult *batch, const PGresult *end, struct execution_result *result)
{
    json_t *progress = json_loads(PQgetvalue(batch, 0, 0), 0, NULL);

    read_load(PQgetvalue(end, 0, 2), &result->load);
    result->progress = progress;
    return json_is_object(progress);
}
