/* Batches in libpq's pipeline mode: sent at once, answered in order. */
#include "session_private.h"

#include <schemagate/base/memory.h>

#include <assert.h>
#include <event2/event.h>
#include <stdlib.h>
#include <time.h>
#include <utlist.h>

static double monotonic_seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static void pending_free(struct pending *p)
{
    for (size_t i = 0; i < p->batch.count; i++)
        PQclear(p->outcome.results[i]);
    PQclear(p->outcome.error);
    free(p->outcome.results);
    free(p->drops);
    free(p->seconds);
    free(p);
}

static void pending_answer(struct session *s, struct pending *p)
{
    DL_DELETE(s->pending, p);
    p->batch.done(p->batch.context, &p->outcome);
    pending_free(p);
}

void session_answer_lost(struct session *s)
{
    struct pending *p;

    while ((p = s->pending) != NULL) {
        p->outcome.lost = true;
        pending_answer(s, p);
    }
}

/* ---- answers ---- */

/* The oldest batch has its turn now. */
static void session_begin_turn(struct session *s)
{
    struct pending *p = s->pending;

    event_del(s->deadline);
    if (p == NULL)
        return;
    p->since = monotonic_seconds();
    if (p->batch.deadline_ms > 0) {
        const struct timeval delay = {p->batch.deadline_ms / 1000,
                                      (p->batch.deadline_ms % 1000) * 1000};
        event_add(s->deadline, &delay);
    }
}

/* Rows that are streamed or dropped are never held together in memory. Has to be said before the
 * first answer to the statement is looked at. */
static void session_begin_statement(struct session *s)
{
    const struct pending *p = s->pending;

    if (p == NULL || p->current == p->batch.count)
        return;
    if (p->drops[p->current] || p->batch.row != NULL)
        PQsetSingleRowMode(s->connection);
}

static void pending_take_row(struct pending *p, const PGresult *result)
{
    if (p->batch.row != NULL && PQntuples(result) > 0)
        p->batch.row(p->batch.context, result);
}

static void pending_take_result(struct pending *p, PGresult *result)
{
    size_t i = p->current;
    double now = monotonic_seconds();

    if (i >= p->batch.count) {
        PQclear(result);
        return;
    }
    p->seconds[i] = now - p->since;
    p->since = now;
    if (p->drops[i] || p->batch.row != NULL) {
        pending_take_row(p, result);
        PQclear(result);
        return;
    }
    PQclear(p->outcome.results[i]);
    p->outcome.results[i] = result;
}

static void pending_take_error(struct pending *p, PGresult *error)
{
    if (p->current < p->batch.count)
        p->seconds[p->current] = monotonic_seconds() - p->since;
    if (p->outcome.error == NULL)
        p->outcome.error = error;
    else
        PQclear(error);
}

/* NULL: the statement, or the script, is done. */
static void session_end_statement(struct session *s)
{
    struct pending *p = s->pending;

    if (p->current < p->batch.count) {
        p->current++;
        if (p->outcome.error == NULL)
            p->outcome.succeeded = p->current;
    }
    if (!p->script) {
        session_begin_statement(s);
        return;
    }
    if (PQenterPipelineMode(s->connection) != 1) {
        session_lose_connection(s);
        return;
    }
    pending_answer(s, p);
    session_begin_turn(s);
}

static void session_end_batch(struct session *s)
{
    struct pending *p = s->pending;

    pending_answer(s, p);
    session_begin_turn(s);
    session_begin_statement(s);
}

/* Takes one answer of libpq's. */
static void session_take(struct session *s, PGresult *result)
{
    struct pending *p = s->pending;

    switch (PQresultStatus(result)) {
    case PGRES_TUPLES_OK:
    case PGRES_COMMAND_OK:
    case PGRES_EMPTY_QUERY:
        pending_take_result(p, result);
        return;
    case PGRES_SINGLE_TUPLE:
        pending_take_row(p, result);
        break;
    case PGRES_PIPELINE_SYNC:
        PQclear(result);
        session_end_batch(s);
        return;
    case PGRES_PIPELINE_ABORTED:
        break;
    case PGRES_COPY_IN:
    case PGRES_COPY_OUT:
    case PGRES_COPY_BOTH:
        session_lose(s, "COPY to or from the client cannot be run by schemagate");
        break;
    default:
        session_hear(s, result);
        pending_take_error(p, result);
        return;
    }
    PQclear(result);
}

void session_drain(struct session *s)
{
    bool ended = false; /* two NULLs in a row: nothing more is there */

    while (s->pending != NULL && !session_is_lost(s) && !PQisBusy(s->connection)) {
        PGresult *result = PQgetResult(s->connection);

        if (result != NULL) {
            session_take(s, result);
            ended = false;
        } else if (!ended) {
            session_end_statement(s);
            ended = true;
        } else {
            break;
        }
    }
    if (s->pending == NULL)
        PQisBusy(s->connection); /* lets libpq look at notices */
    if (PQstatus(s->connection) != CONNECTION_OK)
        session_lose_connection(s);
}

/* ---- sending ---- */

static struct pending *session_queue(struct session *s, const struct session_batch *batch)
{
    struct pending *p = memory_new(sizeof *p);

    p->batch = *batch;
    p->drops = memory_new((batch->count + 1) * sizeof *p->drops);
    p->seconds = memory_new((batch->count + 1) * sizeof *p->seconds);
    p->outcome.results = memory_new((batch->count + 1) * sizeof(PGresult *));
    p->outcome.seconds = p->seconds;
    DL_APPEND(s->pending, p);
    if (session_is_lost(s))
        event_active(s->ending, EV_TIMEOUT, 0);
    return p;
}

static int session_send_statement(struct session *s, const struct session_statement *statement)
{
    if (statement->prepare != NULL)
        return PQsendPrepare(s->connection, statement->prepare, statement->sql, 0, NULL);
    if (statement->prepared != NULL)
        return PQsendQueryPrepared(s->connection, statement->prepared, statement->parameter_count,
                                   statement->parameters, NULL, NULL, 0);
    return PQsendQueryParams(s->connection, statement->sql, statement->parameter_count, NULL,
                             statement->parameters, NULL, NULL, 0);
}

/* Also the answer before the first of them: the time counts from it. */
static bool session_flushes_behind(const struct session_batch *batch, size_t i)
{
    size_t next = i + 1;

    return batch->timed_count > 0 && next >= batch->timed_first &&
           next <= batch->timed_first + batch->timed_count;
}

static bool session_send(struct session *s, const struct session_batch *batch, struct pending *p)
{
    for (size_t i = 0; i < batch->count; i++) {
        p->drops[i] = batch->statements[i].drops_rows;
        if (session_send_statement(s, &batch->statements[i]) != 1)
            return false;
        if (session_flushes_behind(batch, i) && PQsendFlushRequest(s->connection) != 1)
            return false;
    }
    return PQpipelineSync(s->connection) == 1;
}

void session_run(struct session *s, const struct session_batch *batch)
{
    assert(batch->done != NULL && s->connection != NULL);
    struct pending *p = session_queue(s, batch);

    p->batch.statements = NULL;
    if (session_is_lost(s))
        return;
    if (!session_send(s, batch, p)) {
        session_lose_connection(s);
        return;
    }
    if (s->pending == p) {
        session_begin_turn(s);
        session_begin_statement(s);
    }
    session_flush(s);
}

void session_run_script(struct session *s, const char *script, session_answered *done,
                        void *context)
{
    assert(s->pending == NULL);
    const struct session_batch batch = {.count = 1, .done = done, .context = context};
    struct pending *p = session_queue(s, &batch);

    p->script = true;
    if (session_is_lost(s))
        return;
    if (PQexitPipelineMode(s->connection) != 1 || PQsendQuery(s->connection, script) != 1) {
        session_lose_connection(s);
        return;
    }
    session_begin_turn(s);
    session_flush(s);
}
