/* The end of an execution: what an error means, and where it is in the submitted file. */
#include "execution.h"

#include "answer.h"

#include <schemagate/base/memory.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OWN_FUNCTION "PL/pgSQL function schemagate."

struct executor_try *execution_new(struct database *db, const struct execution *execution,
                                   execution_done *done, void *context)
{
    struct executor_try *try = memory_new(sizeof *try);

    try->db = db;
    try->execution = *execution;
    try->done = done;
    try->context = context;
    try->changes = json_dumps(execution->changes, JSON_COMPACT);
    try->settles = json_object_get(execution->changes, "window") != NULL;
    try->seconds = memory_new((execution->statement_count + 1) * sizeof *try->seconds);
    snprintf(try->lock_timeout, sizeof try->lock_timeout, "%" PRId64, execution->lock_timeout_ms);
    snprintf(try->statement_timeout, sizeof try->statement_timeout, "%" PRId64,
             execution->statement_timeout_ms);
    snprintf(try->version, sizeof try->version, "%" PRId64, execution->version);
    snprintf(try->number, sizeof try->number, "%u",
             execution->statement_count > 0 ? execution->statements[0].number : 0);
    json_decref(execution->changes);
    return try;
}

/* What a SQLSTATE means for the try. */
static const struct {
    const char *sqlstate;
    enum execution_status status;
} meanings[] = {
    {"SG001", EXECUTION_FENCED},    {"55P03", EXECUTION_TRY_AGAIN}, /* lock_timeout */
    {"40P01", EXECUTION_TRY_AGAIN},                                 /* deadlock */
    {"40001", EXECUTION_TRY_AGAIN},                                 /* serialization failure */
};

static enum execution_status status_of(const struct executor_try *try, const PGresult *error)
{
    const char *sqlstate = answer_sqlstate(error);

    for (size_t i = 0; i < sizeof meanings / sizeof meanings[0]; i++)
        if (strcmp(meanings[i].sqlstate, sqlstate) == 0)
            return meanings[i].status;
    bool cancelled = try->cancelled && strcmp(sqlstate, "57014") == 0;
    return cancelled ? EXECUTION_CANCELLED : EXECUTION_FAILED;
}

/* Where the error is, in the file: where PostgreSQL says, else at the beginning of the statement. */
static void locate_error(const struct executor_try *try, struct execution_error *error)
{
    if (try->failed == 0)
        return;
    const struct execution_statement *statement = &try->execution.statements[try->failed - 1];
    const char *position = PQresultErrorField(try->error, PG_DIAG_STATEMENT_POSITION);
    struct file_place place = {statement->line, statement->column};

    if (position != NULL && !statement->generated)
        place = file_place_of(place, statement->sql, (unsigned)strtoul(position, NULL, 10));
    error->step = statement->number;
    error->line = place.line;
    error->column = place.column;
}

static void describe_error(const struct executor_try *try, struct execution_error *error)
{
    error->message = PQresultErrorField(try->error, PG_DIAG_MESSAGE_PRIMARY);
    error->detail = PQresultErrorField(try->error, PG_DIAG_MESSAGE_DETAIL);
    error->hint = PQresultErrorField(try->error, PG_DIAG_MESSAGE_HINT);
    error->context = PQresultErrorField(try->error, PG_DIAG_CONTEXT);
    if (error->context != NULL && strncmp(error->context, OWN_FUNCTION, sizeof OWN_FUNCTION - 1) == 0)
        error->context = NULL; /* what schemagate's own functions refuse, they explain */
    if (try->left[0] != '\0' && error->hint == NULL)
        error->hint = try->left;
    snprintf(error->sqlstate, sizeof error->sqlstate, "%s", answer_sqlstate(try->error));
    if (error->message == NULL)
        error->message = PQresultErrorMessage(try->error);
    if (try->deallocated) {
        error->detail = "The statements deallocated what schemagate had prepared. Nothing of them was kept.";
        error->hint = "Take out what deallocates prepared statements.";
    }
    locate_error(try, error);
}

static void execution_free(struct executor_try *try)
{
    PQclear(try->error);
    json_decref(try->sequence);
    free(try->changes);
    free(try->pieces);
    free(try->progress);
    free(try->seconds);
    free(try);
}

void execution_finish_with(struct executor_try *try, struct execution_result *result)
{
    struct database *db = try->db;

    result->seconds = try->seconds;
    result->seconds_count = try->seconds_count;
    if (try->error != NULL)
        describe_error(try, &result->error);
    db->running = NULL;
    try->done(try->context, result);
    execution_free(try);
    database_stop_step(db);
}

void execution_finish(struct executor_try *try, enum execution_status status)
{
    struct execution_result result = {.status = status, .untouched = try->untouched};

    execution_finish_with(try, &result);
}

void execution_finish_failed(struct executor_try *try)
{
    execution_finish(try, status_of(try, try->error));
}
