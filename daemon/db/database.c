/* The life of the database part as the service sees it. */
#include "standby.h"

#include <schemagate/base/log.h>
#include <schemagate/base/memory.h>

#include <event2/event.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define REASON_BYTES 4096

static void on_timer(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    leadership_on_due(context);
}

static void on_fall(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    leadership_on_fall(context);
}

static void on_cancel_again(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    executor_on_cancel_again(context);
}

static void on_stop_deadline(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    database_stop_finish(context);
}

struct database *database_new(struct event_base *base, const struct config *config,
                              const char *advertise_url)
{
    struct database *db = memory_new(sizeof *db);

    db->base = base;
    db->config = config;
    db->advertise_url = memory_copy(advertise_url != NULL ? advertise_url : "");
    db->life = LIFE_DOWN;
    db->timer = evtimer_new(base, on_timer, db);
    db->fall = evtimer_new(base, on_fall, db);
    db->stop_deadline = evtimer_new(base, on_stop_deadline, db);
    db->cancel_again = evtimer_new(base, on_cancel_again, db);
    db->fall_reason = BUF_INIT(REASON_BYTES);
    snprintf(db->lock_key, sizeof db->lock_key, "%" PRId64, DATABASE_LOCK_KEY);
    return db;
}

void database_start(struct database *db, struct coordinator *coordinator)
{
    db->coordinator = coordinator;
    leadership_begin(db);
}

void database_configure(struct database *db, const struct config *config)
{
    db->config = config;
    standbys_configure(db);
}

void database_restart_term(struct database *db, const char *reason)
{
    leadership_fall(db, reason);
}

const char *database_fatal(const struct database *db)
{
    return db->fatal;
}

/* ---- the orderly end: the executor's try, then the store's work, then the lock ---- */

void database_stop_finish(struct database *db)
{
    if (db->stopped == NULL)
        return;
    void (*stopped)(void *) = db->stopped;

    db->stopped = NULL;
    db->life = LIFE_ENDED;
    event_del(db->stop_deadline);
    leadership_drop_sessions(db);
    stopped(db->stop_context);
}

/* Sessions are never freed inside their own answers. */
static void finish_soon(struct database *db)
{
    const struct timeval now = {0, 0};

    evtimer_add(db->stop_deadline, &now);
}

static void on_unlocked(void *context, struct session_outcome *outcome)
{
    (void)outcome;
    finish_soon(context);
}

static void on_store_drained(void *context, struct session_outcome *outcome)
{
    struct database *db = context;
    const struct session_statement unlock = {.sql = "SELECT pg_advisory_unlock_all()",
                                             .drops_rows = true};

    if (outcome->lost)
        return; /* the fall finishes */
    session_run(db->holder, &(struct session_batch){.statements = &unlock, .count = 1,
                                                    .done = on_unlocked, .context = db});
}

void database_stop_step(struct database *db)
{
    const struct session_statement nothing = {.sql = "SELECT"};

    if (!db->stopping || db->running != NULL)
        return;
    if (!leadership_is_leading(db)) {
        finish_soon(db);
        return;
    }
    session_run(db->store, &(struct session_batch){.statements = &nothing, .count = 1,
                                                   .done = on_store_drained, .context = db});
}

void database_stop(struct database *db, int64_t deadline_ms, void (*done)(void *context),
                   void *context)
{
    const struct timeval deadline = {deadline_ms / 1000, (deadline_ms % 1000) * 1000};

    db->stopping = true;
    db->stopped = done;
    db->stop_context = context;
    evtimer_add(db->stop_deadline, &deadline);
    if (db->running != NULL)
        database_executor_ops.cancel(db);
    database_stop_step(db);
}

void database_free(struct database *db)
{
    if (db == NULL)
        return;
    db->life = LIFE_ENDED;
    leadership_drop_sessions(db);
    executor_close(db);
    event_free(db->timer);
    event_free(db->fall);
    event_free(db->stop_deadline);
    event_free(db->cancel_again);
    buf_free(&db->fall_reason);
    free(db->advertise_url);
    free(db->logged_reason);
    free(db->leader_url);
    free(db->fatal);
    free(db->search_path);
    free(db);
}
