/* The life of a session: opening, the socket, the end. */
#include "session_private.h"

#include "offload.h"
#include "sql.h"

#include <schemagate/base/log.h>
#include <schemagate/base/memory.h>

#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#define REASON_BYTES 1024
#define LAST_WORDS 8 /* results of a closed connection, at most, among which they are looked for */
#define OPEN_MS 10000 /* for the first answer of a new session */

/* ---- the end of a session ---- */

bool session_is_lost(const struct session *s)
{
    return s->reason.length > 0;
}

void session_lose(struct session *s, const char *reason)
{
    if (!session_is_lost(s)) {
        connect_append_line(&s->reason, reason[0] != '\0' ? reason : "the connection was closed");
        event_active(s->ending, EV_TIMEOUT, 0);
    }
}

void session_hear(struct session *s, const PGresult *said)
{
    const char *severity = PQresultErrorField(said, PG_DIAG_SEVERITY_NONLOCALIZED);
    const char *message = PQresultErrorField(said, PG_DIAG_MESSAGE_PRIMARY);

    if (severity != NULL && message != NULL && strcmp(severity, "FATAL") == 0)
        session_lose(s, message);
}

/* What the server said before it closed the connection may have arrived while we were writing. Where nothing
 * was under way it comes as a notice. */
static void session_take_last_words(struct session *s)
{
    PQisBusy(s->connection);
    for (int i = 0; i < LAST_WORDS && !session_is_lost(s); i++) {
        PGresult *result = PQgetResult(s->connection);

        session_hear(s, result);
        PQclear(result);
    }
}

void session_lose_connection(struct session *s)
{
    char *reason = memory_copy(PQerrorMessage(s->connection));

    if (PQstatus(s->connection) == CONNECTION_BAD)
        session_take_last_words(s);
    session_lose(s, reason);
    free(reason);
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
    if (event != NULL)
        event_free(event);
}

void session_free(struct session *s)
{
    if (s == NULL)
        return;
    s->owner.lost = NULL;
    session_lose(s, "the session is closed");
    session_answer_lost(s);
    if (s->connecting != NULL)
        offload_abandon(s->connecting);
    event_release(s->readable);
    event_release(s->writable);
    event_release(s->deadline);
    event_release(s->ending);
    PQfinish(s->connection);
    buf_free(&s->reason);
    free(s);
}

/* ---- the socket ---- */

void session_flush(struct session *s)
{
    int left = PQflush(s->connection);

    if (left < 0)
        session_lose_connection(s);
    else if (left > 0)
        event_add(s->writable, NULL);
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
    if (!alive)
        session_lose_connection(s);
    else if (!session_is_lost(s))
        session_flush(s);
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

    session_lose(context, "PostgreSQL did not answer in time: the network is cut, or wait_event in "
                          "pg_stat_activity says what it waits for (SyncRep: for a synchronous standby)");
}

/* An idle session hears of its termination by a notice (57P01), before the socket is closed. */
static void session_on_notice(void *context, const PGresult *result)
{
    struct session *s = context;
    const char *severity = PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED);
    const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);

    if (message == NULL)
        return;
    log_debug("PostgreSQL says", LOG_TEXT("session", s->settings.application_name),
              LOG_TEXT("severity", severity), LOG_TEXT("message", message));
    session_hear(s, result);
}

/* ---- opening ---- */

struct session_statement session_prepare_pin(void)
{
    return (struct session_statement){.sql = sql_pin_session, .prepare = "pin"};
}

struct session_statement session_pin(const struct session *s)
{
    return (struct session_statement){
        .prepared = "pin",
        .parameters = {s->settings.lock_timeout, s->settings.idle_session_timeout,
                       s->settings.reads_only ? "on" : "off"},
        .parameter_count = 3,
        .drops_rows = true,
    };
}

static void session_on_pinned(void *context, struct session_outcome *outcome)
{
    struct session *s = context;

    if (outcome->error != NULL)
        session_lose(s, PQresultErrorMessage(outcome->error));
    else if (!outcome->lost)
        s->owner.opened(s->owner.context);
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
    int fd = PQsocket(connection);
    s->readable = event_new(s->base, fd, EV_READ | EV_PERSIST, session_on_readable, s);
    s->writable = event_new(s->base, fd, EV_WRITE, session_on_writable, s);
    event_add(s->readable, NULL);
    if (PQsetnonblocking(connection, 1) != 0 || PQenterPipelineMode(connection) != 1) {
        session_lose_connection(s);
        return;
    }
    const struct session_statement statements[] = {
        session_prepare_pin(),
        session_pin(s),
    };
    session_run(s, &(struct session_batch){.statements = statements, .count = 2,
                                           .deadline_ms = OPEN_MS, .done = session_on_pinned,
                                           .context = s});
}

struct session *session_open(struct event_base *base, const struct connect_target *target,
                             const struct session_settings *settings,
                             const struct session_owner *owner)
{
    struct session *s = memory_new(sizeof *s);

    s->base = base;
    s->settings = *settings;
    s->owner = *owner;
    s->reason = BUF_INIT(REASON_BYTES);
    s->deadline = event_new(base, -1, 0, session_on_deadline, s);
    s->ending = event_new(base, -1, 0, session_on_end, s);
    s->connecting = connect_start(base, target, settings->application_name,
                                  session_on_connected, s);
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
