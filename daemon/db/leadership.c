/* Who leads: from no connection to a term, step by step; back to the start whenever a session is
 * lost (docs/design.md §5, §10). PostgreSQL's advisory lock is the only arbiter. */
#include "answer.h"
#include "leadership.h"
#include "standby.h"
#include "sql.h"

#include <schemagate/base/clock.h>
#include <schemagate/base/log.h>
#include <schemagate/base/memory.h>
#include <schemagate/coordinator/coordinator.h>
#include <schemagate/core/retry.h>
#include <schemagate/db/limits.h>

#include <event2/event.h>
#include <event2/util.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ANSWER_MS 15000 /* for each small statement of the daemon's own; above their lock_timeout */
#define PING_ANSWER_MS 5000
/* While a command runs: with the pause between two pings this ends it before the server gives up the session
 * (idle_session_timeout), and with it the lock. */
#define PING_COMMAND_MS 3000
#define COMMAND_END_MS 50 /* between two looks whether a command of the last term has ended */

static void enter_connecting(struct database *db);
static void enter_leading(struct database *db);
static void ping(struct database *db);
static void begin_again(struct database *db);

/* One row a state: what is done on entering it, what when its timer fires, where success leads, and
 * what it is about, for the message of a failure. Every failure leads to LIFE_DOWN. */
static const struct life_row {
    void (*enter)(struct database *db);
    void (*due)(struct database *db);
    enum life next;
    const char *doing;
} lives[LIVES] = {
    [LIFE_DOWN] = {NULL, begin_again, LIFE_CONNECTING, "wait"},
    [LIFE_CONNECTING] = {enter_connecting, NULL, LIFE_PROVING, "connect"},
    [LIFE_PROVING] = {takeover_prove, NULL, LIFE_POLLING, "ask the server who it is"},
    [LIFE_POLLING] = {takeover_poll, takeover_poll, LIFE_INSTALLING, "take the migration lock"},
    [LIFE_INSTALLING] = {takeover_install, NULL, LIFE_TAKING_OVER, "install schemagate's schema"},
    [LIFE_TAKING_OVER] = {takeover_begin_term, NULL, LIFE_JOINING, "begin a term"},
    [LIFE_JOINING] = {takeover_join, ping, LIFE_WATCHING, "open the store's session"},
    [LIFE_WATCHING] = {takeover_watch, ping, LIFE_LEADING, "open the witness's session"},
    [LIFE_LEADING] = {enter_leading, ping, LIFE_LEADING, "keep the migration lock"},
    [LIFE_ENDED] = {NULL, NULL, LIFE_ENDED, "end"},
};

static void leadership_enter(struct database *db, enum life life)
{
    log_debug("database", LOG_TEXT("step", lives[life].doing));
    db->life = life;
    lives[life].enter(db);
}

void leadership_advance(struct database *db)
{
    leadership_enter(db, lives[db->life].next);
}

void leadership_begin(struct database *db)
{
    leadership_enter(db, LIFE_CONNECTING);
}

/* Nothing is begun beside a command that has been killed and has not ended. */
static void begin_again(struct database *db)
{
    if (executor_runs_command(db))
        leadership_set_timer(db, COMMAND_END_MS);
    else
        leadership_begin(db);
}

void leadership_on_due(struct database *db)
{
    if (lives[db->life].due != NULL)
        lives[db->life].due(db);
}

void leadership_set_timer(struct database *db, int64_t ms)
{
    const struct timeval delay = {ms / 1000, (ms % 1000) * 1000};

    evtimer_add(db->timer, &delay);
}

bool leadership_is_leading(const struct database *db)
{
    return db->life == LIFE_LEADING;
}

/* ---- failures ---- */

void leadership_fall(struct database *db, const char *reason)
{
    if (db->fall_reason.length == 0) {
        buf_puts(&db->fall_reason, reason);
        event_active(db->fall, EV_TIMEOUT, 0);
    }
}

/* What to do about an SQLSTATE. %1$s: the role. */
static const struct {
    enum life life;
    const char *sqlstate, *format;
} remedies[] = {
    {LIFE_INSTALLING, "42501",
     "schemagate's schema belongs to another role (psql: \\dn schemagate): connect as that role, "
     "or GRANT it TO \"%1$s\""},
    {LIFE_POLLING, "42501", "as its owner: GRANT USAGE ON SCHEMA schemagate TO \"%1$s\""},
    {LIFE_INSTALLING, "55P03", "another session uses schemagate's tables: end it"},
    {LIFE_TAKING_OVER, "55P03",
     "a transaction of the former leader still runs: see \"schemagate coordinator\" in "
     "pg_stat_activity"},
};

static void leadership_fall_error(struct database *db, const PGresult *error)
{
    const PGconn *connection = session_connection(db->holder);
    const char *sqlstate = answer_sqlstate(error);
    struct buf text = BUF_INIT(2048);

    buf_printf(&text, "cannot %s: ", lives[db->life].doing);
    answer_describe_error(error, &text);
    for (size_t i = 0; i < sizeof remedies / sizeof remedies[0]; i++) {
        if (remedies[i].life == db->life && strcmp(remedies[i].sqlstate, sqlstate) == 0) {
            char remedy[512];

            snprintf(remedy, sizeof remedy, remedies[i].format, PQuser(connection));
            buf_printf(&text, "; %s", remedy);
            break;
        }
    }
    leadership_fall(db, buf_text(&text));
    buf_free(&text);
}

bool leadership_failed(struct database *db, const struct session_outcome *outcome)
{
    if (outcome->error != NULL && !outcome->lost)
        leadership_fall_error(db, outcome->error);
    return outcome->error != NULL || outcome->lost || db->fall_reason.length > 0;
}

void leadership_end(struct database *db, const char *reason)
{
    if (db->fatal == NULL) {
        db->fatal = memory_copy(reason);
        leadership_fall(db, reason);
    }
}

void leadership_drop_sessions(struct database *db)
{
    struct session *holder = db->holder, *store = db->store, *witness = db->witness;

    event_del(db->timer);
    executor_stop(db);
    db->holder = NULL;
    db->store = NULL;
    db->witness = NULL;
    standbys_close(db);
    session_free(witness);
    session_free(store);
    session_free(holder);
}

static void leadership_log_reason(struct database *db, const char *reason)
{
    if (db->logged_reason == NULL || strcmp(db->logged_reason, reason) != 0) {
        log_warn("the database is away", LOG_TEXT("reason", reason));
        memory_replace(&db->logged_reason, reason);
    }
}

void leadership_on_fall(struct database *db)
{
    static const struct retry_policy back_off = {
        .first_ms = 100, .max_ms = 5000, .for_ms = INT64_MAX};
    uint32_t chance;
    char *reason = buf_take(&db->fall_reason);
    bool was_down = db->life == LIFE_DOWN || db->life == LIFE_ENDED;

    if (was_down) {
        free(reason);
        return;
    }
    db->life = db->fatal != NULL || db->stopping ? LIFE_ENDED : LIFE_DOWN;
    leadership_drop_sessions(db);
    memory_replace(&db->leader_url, NULL);
    if (db->stopping) {
        database_stop_finish(db);
    } else {
        leadership_log_reason(db, reason);
        if (db->life == LIFE_DOWN) {
            evutil_secure_rng_get_bytes(&chance, sizeof chance);
            db->failures++;
            leadership_set_timer(db, retry_delay_ms(&back_off, db->failures, 0, chance));
        }
        coordinator_end_term(db->coordinator, reason);
    }
    free(reason);
}

/* ---- sessions ---- */

void leadership_ask(struct database *db, struct session *s,
                    const struct session_statement *statement, session_answered *done)
{
    session_run(s, &(struct session_batch){.statements = statement, .count = 1,
                                           .deadline_ms = ANSWER_MS, .done = done, .context = db});
}

/* Whoever waited for its answer has just been told, and knows only that it is lost: the session knows why. */
void leadership_on_session_lost(void *context, const char *reason)
{
    struct database *db = context;

    buf_consume(&db->fall_reason, db->fall_reason.length);
    leadership_fall(db, reason);
}

struct connect_target leadership_target(const struct database *db)
{
    return (struct connect_target){
        .setting = "database.conninfo",
        .conninfo = db->config->database.conninfo,
        .password_file = db->config->database.password_file,
    };
}

static void on_session_opened(void *context)
{
    leadership_advance(context);
}

static void enter_connecting(struct database *db)
{
    static const struct session_settings settings = {
        .application_name = "schemagate coordinator",
        .lock_timeout = "10s",
        .idle_session_timeout = "5s",
    };
    const struct session_owner owner = {db, on_session_opened, leadership_on_session_lost};

    const struct connect_target target = leadership_target(db);

    db->holder = session_open(db->base, &target, &settings, &owner);
}

/* ---- leading ---- */

static void term_describe(struct term *term, const struct identity *identity,
                          const PGconn *connection)
{
    const char *version = PQparameterStatus(connection, "server_version");
    const char *host = PQhost(connection);

    snprintf(term->system_identifier, sizeof term->system_identifier, "%s",
             identity->system_identifier);
    snprintf(term->timeline, sizeof term->timeline, "%s", identity->timeline);
    version = version != NULL ? version : "";
    snprintf(term->server_version, sizeof term->server_version, "%.*s", (int)strcspn(version, " "),
             version);
    snprintf(term->host, sizeof term->host, "%s:%s", host != NULL ? host : "", PQport(connection));
}

static void tell_limits(const struct term *term)
{
    for (size_t i = 0; term->limits[i] != NULL; i++)
        log_warn("this server has a limit", LOG_TEXT("server_version", term->server_version),
                 LOG_TEXT("limit", term->limits[i]));
}

static void enter_leading(struct database *db)
{
    term_describe(&db->term, &db->identity, session_connection(db->holder));
    db->failures = 0;
    memory_replace(&db->logged_reason, NULL);
    log_info("the migration lock is taken", LOG_NUMBER("epoch", db->term.epoch),
             LOG_TEXT("host", db->term.host), LOG_TEXT("timeline", db->term.timeline));
    limits_describe(PQserverVersion(session_connection(db->holder)), db->may_hurry, db->term.limits);
    tell_limits(&db->term);
    ping(db);
    coordinator_begin_term(db->coordinator, &db->term);
}

/* A question whether this daemon still leads, on its way. */
struct ping {
    struct database *db;
    int64_t asked_boot;
    const char *otherwise; /* what follows from a no */
};

static void on_pinged(void *context, struct session_outcome *outcome)
{
    struct ping ping = *(struct ping *)context;

    free(context);
    if (leadership_failed(ping.db, outcome))
        return;
    if (answer_is_true(outcome->results[0], 0)) {
        executor_prove(ping.db);
        coordinator_prove_lead(ping.db->coordinator, ping.asked_boot);
    } else {
        leadership_fall(ping.db, ping.otherwise);
    }
}

static void send_ping(struct database *db, struct session *s,
                      const struct session_statement *statement, int64_t answer_ms,
                      const char *otherwise)
{
    struct ping *ping = memory_new(sizeof *ping);

    *ping = (struct ping){db, clock_sample().boot_ms, otherwise};
    session_run(s, &(struct session_batch){.statements = statement, .count = 1,
                                           .deadline_ms = answer_ms, .done = on_pinged,
                                           .context = ping});
}

/* A session that is busy needs no ping; but the lead has to be proved while migration SQL runs for hours.
 * What the store has under way proves it as well. */
static void ping(struct database *db)
{
    leadership_set_timer(db, LEADERSHIP_PING_MS);
    if (session_is_idle(db->holder)) {
        const struct session_statement lock = {
            .sql = sql_ping, .parameters = {db->lock_key}, .parameter_count = 1};
        send_ping(db, db->holder, &lock,
                  executor_runs_command(db) ? PING_COMMAND_MS : PING_ANSWER_MS,
                  "the session does not hold the migration lock any more");
    } else if (leadership_is_leading(db) && session_is_idle(db->store)) {
        const struct session_statement term = {
            .sql = sql_prove, .parameters = {db->epoch, db->nonce}, .parameter_count = 2};
        send_ping(db, db->store, &term, ANSWER_MS, "another daemon has taken over");
    }
}
