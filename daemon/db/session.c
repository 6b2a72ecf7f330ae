/* libpq's pipeline mode on libevent. */
#include "session.h"

#include "connect.h"
#include "offload.h"
#include "sql.h"

#include <schemagate/base/log.h>
#include <schemagate/base/memory.h>

#include <assert.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <utlist.h>

#define REASON_BYTES 1024

/* What was sent and not yet answered. */
struct pending {
    struct pending *prev, *next;
    struct session_batch batch; /* statements are gone, `count` counts */
    bool script;
    size_t current; /* statement whose answer comes next */
    bool *drops;
    double *seconds;
    double since;
    struct session_outcome outcome;
};

struct session {
    struct event_base *base;
    struct session_settings settings;
    struct session_owner owner;
    struct offload *connecting; /* NULL once connected */
    PGconn *connection;
    struct event *readable, *writable, *deadline, *ending;
    struct pending *pending; /* utlist, oldest first */
    struct buf reason;       /* why it is lost; empty: it is not */
};

static double monotonic_seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* ---- the end of a session ---- */

static bool session_is_lost(const struct session *s)
{
    return s->reason.length > 0;
}

/* The end itself comes with the next turn of the loop, never from inside a caller's call. */
static void session_lose(struct session *s, const char *reason)
{
    if (!session_is_lost(s)) {
        connect_append_line(&s->reason, reason[0] != '\0' ? reason : "the connection was closed");
        event_active(s->ending, EV_TIMEOUT, 0);
    }
}

static void session_lose_connection(struct session *s)
{
    session_lose(s, PQerrorMessage(s->connection));
}

static void pending_free(struct pending *p)
{
    for (size_t i = 0; i < p->batch.count; i++) {
        PQclear(p->outcome.results[i]);
    }
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

static void session_answer_lost(struct session *s)
{
    struct pending *p;

    while ((p = s->pending) != NULL) {
        p->outcome.lost = true;
        pending_answer(s, p);
    }
}

static void session_on_end(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct session *s = context;

    session_answer_lost(s);
    if (s->owner.lost != NULL) {
        void (*lost)(void *, const char *) = s->owner.lost;

        s->owner.lost = NULL;
        lost(s->owner.context, buf_text(&s->reason));
    }
}

static void event_release(struct event *event)
{
    if (event != NULL) {
        event_free(event);
    }
}

void session_free(struct session *s)
{
    if (s == NULL) {
        return;
    }
    s->owner.lost = NULL;
    session_lose(s, "the session is closed");
    session_answer_lost(s);
    if (s->connecting != NULL) {
        offload_abandon(s->connecting);
    }
    event_release(s->readable);
    event_release(s->writable);
    event_release(s->deadline);
    event_release(s->ending);
    PQfinish(s->connection);
    buf_free(&s->reason);
    free(s);
}

/* ---- answers ---- */

/* The oldest batch has its turn now. */
static void session_begin_turn(struct session *s)
{
    struct pending *p = s->pending;

    event_del(s->deadline);
    if (p == NULL) {
        return;
    }
    p->since = monotonic_seconds();
    if (p->batch.deadline_ms > 0) {
        const struct timeval delay = {p->batch.deadline_ms / 1000,
                                      (p->batch.deadline_ms % 1000) * 1000};
        event_add(s->deadline, &delay);
    }
}

/* Rows that are streamed or dropped are never held together in memory. Has to be said before the first
 * answer to the statement is looked at. */
static void session_begin_statement(struct session *s)
{
    struct pending *p = s->pending;

    if (p != NULL && p->current < p->batch.count && (p->drops[p->current] || p->batch.row != NULL)) {
        PQsetSingleRowMode(s->connection);
    }
}

static void pending_take_row(struct pending *p, const PGresult *result)
{
    if (p->batch.row != NULL && PQntuples(result) > 0) {
        p->batch.row(p->batch.context, result);
    }
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
    if (p->current < p->batch.count) {
        p->seconds[p->current] = monotonic_seconds() - p->since;
    }
    if (p->outcome.error == NULL) {
        p->outcome.error = error;
    } else {
        PQclear(error);
    }
}

/* NULL: the statement, or the script, is done. */
static void session_end_statement(struct session *s)
{
    struct pending *p = s->pending;

    if (p->current < p->batch.count) {
        p->current++;
        if (p->outcome.error == NULL) {
            p->outcome.succeeded = p->current;
        }
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
        pending_take_error(p, result);
        return;
    }
    PQclear(result);
}

static void session_drain(struct session *s)
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
    if (s->pending == NULL) {
        PQisBusy(s->connection); /* lets libpq look at notices */
    }
    if (PQstatus(s->connection) != CONNECTION_OK) {
        session_lose_connection(s);
    }
}

/* ---- the socket ---- */

static void session_flush(struct session *s)
{
    int left = PQflush(s->connection);

    if (left < 0) {
        session_lose_connection(s);
    } else if (left > 0) {
        event_add(s->writable, NULL);
    }
}

static void session_on_readable(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct session *s = context;

    if (session_is_lost(s)) {
        event_del(s->readable);
        return;
    }
    bool alive = PQconsumeInput(s->connection) == 1;
    session_drain(s);
    if (!alive) {
        session_lose_connection(s);
    } else if (!session_is_lost(s)) {
        session_flush(s);
    }
}

static void session_on_writable(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct session *s = context;

    if (!session_is_lost(s)) {
        session_flush(s);
        session_drain(s); /* while it could not write, libpq may have read */
    }
}

static void session_on_deadline(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;

    session_lose(context, "PostgreSQL did not answer in time");
}

/* An idle session hears of its termination by a notice (57P01), before the socket is closed. */
static void session_on_notice(void *context, const PGresult *result)
{
    struct session *s = context;
    const char *severity = PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED);
    const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);

    if (message == NULL) {
        return;
    }
    log_debug("PostgreSQL says", LOG_TEXT("session", s->settings.application_name),
              LOG_TEXT("severity", severity), LOG_TEXT("message", message));
    if (severity != NULL && strcmp(severity, "FATAL") == 0) {
        session_lose(s, message);
    }
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
    if (session_is_lost(s)) {
        event_active(s->ending, EV_TIMEOUT, 0);
    }
    return p;
}

static int session_send_statement(struct session *s, const struct session_statement *statement)
{
    if (statement->prepare != NULL) {
        return PQsendPrepare(s->connection, statement->prepare, statement->sql, 0, NULL);
    }
    if (statement->prepared != NULL) {
        return PQsendQueryPrepared(s->connection, statement->prepared, statement->parameter_count,
                                   statement->parameters, NULL, NULL, 0);
    }
    return PQsendQueryParams(s->connection, statement->sql, statement->parameter_count, NULL,
                             statement->parameters, NULL, NULL, 0);
}

static bool session_send(struct session *s, const struct session_batch *batch, struct pending *p)
{
    for (size_t i = 0; i < batch->count; i++) {
        p->drops[i] = batch->statements[i].drops_rows;
        if (session_send_statement(s, &batch->statements[i]) != 1) {
            return false;
        }
        if (batch->flushes && PQsendFlushRequest(s->connection) != 1) {
            return false;
        }
    }
    return PQpipelineSync(s->connection) == 1;
}

void session_run(struct session *s, const struct session_batch *batch)
{
    assert(batch->done != NULL && s->connection != NULL);
    struct pending *p = session_queue(s, batch);

    p->batch.statements = NULL;
    if (session_is_lost(s)) {
        return;
    }
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

void session_run_script(struct session *s, const char *script,
                        void (*done)(void *context, struct session_outcome *outcome), void *context)
{
    assert(s->pending == NULL);
    const struct session_batch batch = {.count = 1, .done = done, .context = context};
    struct pending *p = session_queue(s, &batch);

    p->script = true;
    if (session_is_lost(s)) {
        return;
    }
    if (PQexitPipelineMode(s->connection) != 1 || PQsendQuery(s->connection, script) != 1) {
        session_lose_connection(s);
        return;
    }
    session_begin_turn(s);
    session_flush(s);
}

struct session_statement session_pin(const struct session *s)
{
    return (struct session_statement){
        .prepared = "pin",
        .parameters = {s->settings.lock_timeout, s->settings.idle_session_timeout},
        .parameter_count = 2,
        .drops_rows = true,
    };
}

/* ---- opening ---- */

static void session_on_pinned(void *context, struct session_outcome *outcome)
{
    struct session *s = context;

    if (outcome->error != NULL) {
        session_lose(s, PQresultErrorMessage(outcome->error));
    } else if (!outcome->lost) {
        s->owner.opened(s->owner.context);
    }
}

static void session_on_connected(void *context, PGconn *connection, const char *trouble)
{
    struct session *s = context;

    s->connecting = NULL;
    s->connection = connection;
    if (connection == NULL) {
        session_lose(s, trouble);
        return;
    }
    PQsetNoticeReceiver(connection, session_on_notice, s);
    s->readable = event_new(s->base, PQsocket(connection), EV_READ | EV_PERSIST, session_on_readable, s);
    s->writable = event_new(s->base, PQsocket(connection), EV_WRITE, session_on_writable, s);
    event_add(s->readable, NULL);
    if (PQsetnonblocking(connection, 1) != 0 || PQenterPipelineMode(connection) != 1) {
        session_lose_connection(s);
        return;
    }
    const struct session_statement statements[] = {
        {.sql = sql_pin_session, .prepare = "pin"},
        session_pin(s),
    };
    session_run(s, &(struct session_batch){.statements = statements, .count = 2, .deadline_ms = 10000,
                                           .done = session_on_pinned, .context = s});
}

struct session *session_open(struct event_base *base, const struct config *config,
                             const struct session_settings *settings, const struct session_owner *owner)
{
    struct session *s = memory_new(sizeof *s);

    s->base = base;
    s->settings = *settings;
    s->owner = *owner;
    s->reason = BUF_INIT(REASON_BYTES);
    s->deadline = event_new(base, -1, 0, session_on_deadline, s);
    s->ending = event_new(base, -1, 0, session_on_end, s);
    s->connecting = connect_start(base, config, settings->application_name, session_on_connected, s);
    return s;
}

bool session_is_idle(const struct session *s)
{
    return s->connection != NULL && s->pending == NULL && !session_is_lost(s);
}

PGconn *session_connection(const struct session *s)
{
    return s->connection;
}
