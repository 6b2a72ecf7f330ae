/* Sessions with standbys, and looking at them once they have replayed far enough. */
#include "standby.h"

#include "answer.h"
#include "connect.h"
#include "sql.h"

#include <schemagate/base/clock.h>
#include <schemagate/base/log.h>
#include <schemagate/base/memory.h>
#include <schemagate/core/retry.h>

#include <event2/event.h>
#include <event2/util.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#define PATIENCE_MS 2000 /* for replay, and for an answer */
#define REPLAY_POLL_MS 20 /* nothing tells when a record has been replayed */
#define OPEN_MS 10000
#define TROUBLE_BYTES 2048

/* A look at one standby that is under way. */
struct glance {
    struct glance *prev, *next;
    struct standby *standby;
    size_t place;
    char lsn[24];
    int64_t deadline;    /* CLOCK_BOOTTIME, ms */
    struct event *timer; /* to look again */
    double lag_seconds;
    standby_seen *seen;
    void *context;
};

struct standby {
    struct standby *prev, *next;
    struct database *db;
    char *name, *conninfo, *setting;
    struct session *session;
    bool ready;         /* the session is open, and is one with a standby of this cluster */
    unsigned failures;  /* since it was ready */
    struct event *retry;
    struct buf trouble; /* why it is not ready; empty: it is, or has not been tried to the end yet */
    struct glance *glances;
};

static void standby_connect(struct standby *s);

/* ---- glances ---- */

static void glance_end(struct glance *g, const char *text, const char *error)
{
    const struct standby_answer answer = {
        .place = g->place, .name = g->standby->name, .text = text, .error = error,
        .lag_seconds = g->lag_seconds};

    DL_DELETE(g->standby->glances, g);
    event_free(g->timer);
    g->seen(g->context, &answer);
    free(g);
}

static void glance_again(struct glance *g, const char *error)
{
    const struct timeval delay = {0, REPLAY_POLL_MS * 1000};

    if (clock_sample().boot_ms < g->deadline)
        evtimer_add(g->timer, &delay);
    else
        glance_end(g, NULL, error);
}

static void standby_fall(struct standby *s, const char *reason);

/* Results: where replay is, then what is to be seen; in this order, so that what is seen is younger. */
static void glance_on_answer(void *context, struct session_outcome *outcome)
{
    struct glance *g = context;
    struct standby *s = g->standby;
    char text[256];

    if (outcome->lost) {
        glance_end(g, NULL, s->trouble.length > 0 ? buf_text(&s->trouble)
                                                  : "the connection was lost");
    } else if (outcome->error != NULL) { /* a conflict with recovery, perhaps */
        struct buf error = BUF_INIT(TROUBLE_BYTES);

        answer_describe_error(outcome->error, &error);
        glance_again(g, buf_text(&error));
        buf_free(&error);
    } else if (!answer_is_true(outcome->results[0], 0)) {
        standby_fall(s, "it is no standby any more: it has been promoted");
        glance_end(g, NULL, buf_text(&s->trouble));
    } else {
        g->lag_seconds = strtod(PQgetvalue(outcome->results[0], 0, 2), NULL);
        if (answer_is_true(outcome->results[0], 1)) {
            glance_end(g, PQgetvalue(outcome->results[1], 0, 0), NULL);
            return;
        }
        snprintf(text, sizeof text,
                 "has not replayed the log up to %s within %d s: it lags by %.0f s; see "
                 "pg_stat_replication on the primary",
                 g->lsn, PATIENCE_MS / 1000, g->lag_seconds);
        glance_again(g, text);
    }
}

static void glance_step(struct glance *g)
{
    struct standby *s = g->standby;

    if (s->ready) {
        const struct session_statement statements[] = {
            {.prepared = "replayed", .parameters = {g->lsn}, .parameter_count = 1},
            {.prepared = "witness", .parameters = {"{}"}, .parameter_count = 1},
        };
        session_run(s->session, &(struct session_batch){.statements = statements, .count = 2,
                                                        .deadline_ms = PATIENCE_MS,
                                                        .done = glance_on_answer, .context = g});
    } else if (s->trouble.length > 0) {
        glance_end(g, NULL, buf_text(&s->trouble));
    } else {
        glance_again(g, "the connection to it is still being opened");
    }
}

static void glance_on_timer(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    glance_step(context);
}

size_t standbys_look(struct database *db, const char *lsn, standby_seen *seen, void *context)
{
    const struct timeval now = {0, 0};
    struct standby *s;
    size_t place = 0;

    DL_FOREACH(db->standbys, s)
    {
        struct glance *g = memory_new(sizeof *g);

        g->standby = s;
        g->place = place++;
        g->deadline = clock_sample().boot_ms + PATIENCE_MS;
        g->seen = seen;
        g->context = context;
        snprintf(g->lsn, sizeof g->lsn, "%s", lsn);
        g->timer = evtimer_new(db->base, glance_on_timer, g);
        evtimer_add(g->timer, &now);
        DL_APPEND(s->glances, g);
    }
    return place;
}

/* ---- the session ---- */

static void standby_fall(struct standby *s, const char *reason)
{
    static const struct retry_policy back_off = {
        .first_ms = 200, .max_ms = 10000, .for_ms = INT64_MAX};
    uint32_t chance;

    if (strcmp(buf_text(&s->trouble), reason) != 0) {
        log_warn("a standby cannot be watched", LOG_TEXT("standby", s->name),
                 LOG_TEXT("reason", reason));
        buf_consume(&s->trouble, s->trouble.length);
        buf_puts(&s->trouble, reason);
    }
    s->ready = false;
    if (!evtimer_pending(s->retry, NULL)) {
        evutil_secure_rng_get_bytes(&chance, sizeof chance);
        int64_t ms = retry_delay_ms(&back_off, ++s->failures, 0, chance);
        const struct timeval delay = {ms / 1000, (ms % 1000) * 1000};
        evtimer_add(s->retry, &delay);
    }
}

static void standby_on_lost(void *context, const char *reason)
{
    standby_fall(context, reason);
}

static void standby_on_retry(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct standby *s = context;

    session_free(s->session);
    standby_connect(s);
}

/* NULL: a standby of this cluster, connected to this database. */
static const char *standby_wrong(const struct standby *s, const PGresult *row)
{
    const struct identity *primary = &s->db->identity;

    if (PQbackendPID(session_connection(s->session)) != atoi(PQgetvalue(row, 0, 0)))
        return "a connection pooler stands between: let its conninfo name the server itself";
    if (strcmp(PQgetvalue(row, 0, 2), primary->system_identifier) != 0)
        return "its conninfo leads to another cluster: the system identifier differs";
    if (!answer_is_true(row, 1))
        return "its conninfo leads to a server that is no standby";
    if (strcmp(PQgetvalue(row, 0, 5), primary->database_oid) != 0)
        return "its conninfo leads to another database: give it the dbname of database.conninfo";
    return NULL;
}

static void standby_on_proved(void *context, struct session_outcome *outcome)
{
    struct standby *s = context;

    if (outcome->lost)
        return; /* standby_on_lost knows why */
    if (outcome->error != NULL) {
        struct buf error = BUF_INIT(TROUBLE_BYTES);

        answer_describe_error(outcome->error, &error);
        standby_fall(s, buf_text(&error));
        buf_free(&error);
        return;
    }
    const char *wrong = standby_wrong(s, outcome->results[0]);
    if (wrong != NULL) {
        standby_fall(s, wrong);
        return;
    }
    log_info("a standby is watched", LOG_TEXT("standby", s->name));
    buf_consume(&s->trouble, s->trouble.length);
    s->failures = 0;
    s->ready = true;
}

static void standby_on_opened(void *context)
{
    struct standby *s = context;
    const struct session_statement statements[] = {
        {.sql = sql_identity},
        {.sql = sql_replayed, .prepare = "replayed"},
        {.sql = sql_witness, .prepare = "witness"},
    };

    session_run(s->session, &(struct session_batch){.statements = statements, .count = 3,
                                                    .deadline_ms = OPEN_MS,
                                                    .done = standby_on_proved, .context = s});
}

static void standby_connect(struct standby *s)
{
    static const struct session_settings settings = {.application_name = "schemagate witness",
                                                     .lock_timeout = "10s",
                                                     .idle_session_timeout = "0",
                                                     .reads_only = true};
    const struct session_owner owner = {s, standby_on_opened, standby_on_lost};
    /* A standby has the primary's roles, and so their passwords. */
    const struct connect_target target = {.setting = s->setting,
                                          .conninfo = s->conninfo,
                                          .password_file = s->db->config->database.password_file,
                                          .standby = true};

    s->session = session_open(s->db->base, &target, &settings, &owner);
}

/* ---- all of them ---- */

static void standby_free(struct standby *s)
{
    struct glance *g, *next;

    s->ready = false;
    buf_consume(&s->trouble, s->trouble.length);
    buf_puts(&s->trouble, "it is not watched any more");
    session_free(s->session); /* answers what it was asked */
    DL_FOREACH_SAFE(s->glances, g, next)
    {
        glance_end(g, NULL, buf_text(&s->trouble));
    }
    event_free(s->retry);
    buf_free(&s->trouble);
    free(s->name);
    free(s->conninfo);
    free(s->setting);
    free(s);
}

void standbys_open(struct database *db)
{
    for (size_t i = 0; i < db->config->standby_count; i++) {
        const struct config_standby *config = &db->config->standbys[i];
        struct standby *s = memory_new(sizeof *s);

        s->db = db;
        s->name = memory_copy(config->name);
        s->conninfo = memory_copy(config->conninfo);
        s->setting = memory_printf("[standby %s] conninfo", config->name);
        s->trouble = BUF_INIT(TROUBLE_BYTES);
        s->retry = evtimer_new(db->base, standby_on_retry, s);
        DL_APPEND(db->standbys, s);
        standby_connect(s);
    }
}

void standbys_close(struct database *db)
{
    struct standby *s;

    while ((s = db->standbys) != NULL) {
        DL_DELETE(db->standbys, s);
        standby_free(s);
    }
}

static bool standbys_changed(const struct database *db)
{
    const struct standby *s;
    size_t i = 0;

    DL_FOREACH(db->standbys, s)
    {
        if (i == db->config->standby_count ||
            strcmp(s->name, db->config->standbys[i].name) != 0 ||
            strcmp(s->conninfo, db->config->standbys[i].conninfo) != 0)
            return true;
        i++;
    }
    return i != db->config->standby_count;
}

void standbys_configure(struct database *db)
{
    if (db->witness != NULL && standbys_changed(db)) {
        standbys_close(db);
        standbys_open(db);
    }
}

struct session *standby_session(struct database *db, const char *name)
{
    struct standby *s;

    DL_FOREACH(db->standbys, s)
    {
        if (strcmp(s->name, name) == 0)
            return s->ready ? s->session : NULL;
    }
    return NULL;
}
