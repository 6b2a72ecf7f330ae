/* Who leads: from no connection to a term, step by step; back to the start whenever a session is lost
 * (DESIGN.md sections 5 and 10). PostgreSQL's advisory lock is the only arbiter. */
#include "answer.h"
#include "connect.h"
#include "offload.h"
#include "sql.h"
#include "state.h"

#include <schemagate/base/clock.h>
#include <schemagate/base/digest.h>
#include <schemagate/base/log.h>
#include <schemagate/base/memory.h>
#include <schemagate/coordinator/coordinator.h>
#include <schemagate/core/retry.h>

#include <event2/event.h>
#include <event2/util.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ANSWER_MS 15000 /* for each of the daemon's own small statements; above their lock_timeout */
#define POLL_MS 1000
#define PING_MS 1000
#define PING_ANSWER_MS 5000
#define SCRIPT_BYTES (1024 * 1024)
#define NONCE_DIGITS 32

static void enter_connecting(struct database *db);
static void enter_proving(struct database *db);
static void enter_polling(struct database *db);
static void enter_installing(struct database *db);
static void enter_taking_over(struct database *db);
static void enter_joining(struct database *db);
static void enter_leading(struct database *db);
static void ping(struct database *db);

/* One row a state: what is done on entering it, what when its timer fires, where success leads, and what
 * it is about, for the message of a failure. Every failure leads to LIFE_DOWN. */
static const struct life_row {
    void (*enter)(struct database *db);
    void (*due)(struct database *db);
    enum life next;
    const char *doing;
} lives[LIVES] = {
    [LIFE_DOWN] = {NULL, leadership_begin, LIFE_CONNECTING, "wait"},
    [LIFE_CONNECTING] = {enter_connecting, NULL, LIFE_PROVING, "connect"},
    [LIFE_PROVING] = {enter_proving, NULL, LIFE_POLLING, "ask the server who it is"},
    [LIFE_POLLING] = {enter_polling, enter_polling, LIFE_INSTALLING, "take the migration lock"},
    [LIFE_INSTALLING] = {enter_installing, NULL, LIFE_TAKING_OVER, "install schemagate's schema"},
    [LIFE_TAKING_OVER] = {enter_taking_over, NULL, LIFE_JOINING, "begin a term"},
    [LIFE_JOINING] = {enter_joining, ping, LIFE_LEADING, "open the store's session"},
    [LIFE_LEADING] = {enter_leading, ping, LIFE_LEADING, "keep the migration lock"},
    [LIFE_ENDED] = {NULL, NULL, LIFE_ENDED, "end"},
};

static void leadership_enter(struct database *db, enum life life)
{
    log_debug("database", LOG_TEXT("step", lives[life].doing));
    db->life = life;
    lives[life].enter(db);
}

static void leadership_advance(struct database *db)
{
    leadership_enter(db, lives[db->life].next);
}

void leadership_begin(struct database *db)
{
    leadership_enter(db, LIFE_CONNECTING);
}

void leadership_on_due(struct database *db)
{
    if (lives[db->life].due != NULL) {
        lives[db->life].due(db);
    }
}

static void leadership_set_timer(struct database *db, int64_t ms)
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
     "schemagate's schema belongs to another role (psql: \\dn schemagate): connect as that role, or "
     "GRANT it TO \"%1$s\""},
    {LIFE_POLLING, "42501", "as its owner: GRANT USAGE ON SCHEMA schemagate TO \"%1$s\""},
    {LIFE_INSTALLING, "55P03", "another session uses schemagate's tables: end it"},
    {LIFE_TAKING_OVER, "55P03",
     "a transaction of the former leader still runs: see pg_stat_activity for \"schemagate coordinator\""},
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

/* True where a batch of this state did not succeed; the fall is under way. */
static bool leadership_failed(struct database *db, const struct session_outcome *outcome)
{
    if (outcome->error != NULL && !outcome->lost) {
        leadership_fall_error(db, outcome->error);
    }
    return outcome->error != NULL || outcome->lost || db->fall_reason.length > 0;
}

/* Waiting cannot mend it: the service ends. */
static void leadership_end(struct database *db, const char *reason)
{
    if (db->fatal == NULL) {
        db->fatal = memory_copy(reason);
        leadership_fall(db, reason);
    }
}

void leadership_drop_sessions(struct database *db)
{
    struct session *holder = db->holder, *store = db->store;

    event_del(db->timer);
    executor_stop(db);
    db->holder = NULL;
    db->store = NULL;
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
    static const struct retry_policy back_off = {.first_ms = 100, .max_ms = 5000, .for_ms = INT64_MAX};
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

typedef void answered(void *context, struct session_outcome *outcome);

static void ask(struct database *db, struct session *s, const struct session_statement *statement,
                answered *done)
{
    session_run(s, &(struct session_batch){.statements = statement, .count = 1,
                                           .deadline_ms = ANSWER_MS, .done = done, .context = db});
}

static void on_session_lost(void *context, const char *reason)
{
    leadership_fall(context, reason);
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
    const struct session_owner owner = {db, on_session_opened, on_session_lost};

    db->holder = session_open(db->base, db->config, &settings, &owner);
}

/* ---- who the server is ---- */

static void identity_read(struct identity *identity, const PGresult *row)
{
    memset(identity, 0, sizeof *identity); /* compared as bytes */
    snprintf(identity->system_identifier, sizeof identity->system_identifier, "%s",
             PQgetvalue(row, 0, 2));
    snprintf(identity->timeline, sizeof identity->timeline, "%s", PQgetvalue(row, 0, 3));
    snprintf(identity->postmaster_start, sizeof identity->postmaster_start, "%s", PQgetvalue(row, 0, 4));
    snprintf(identity->database_oid, sizeof identity->database_oid, "%s", PQgetvalue(row, 0, 5));
}

/* Behind a pooler the backend is not the one that libpq was told of, and may change with each
 * transaction: the lock would belong to nobody. */
static bool is_real_session(const struct session *s, const PGresult *row)
{
    return PQbackendPID(session_connection(s)) == atoi(PQgetvalue(row, 0, 0));
}

static void refuse_pooler(struct database *db, const struct session *s)
{
    struct buf text = BUF_INIT(1024);

    buf_puts(&text, "schemagate needs a session of its own, but a connection pooler stands between it and "
                    "PostgreSQL (");
    connect_describe(session_connection(s), &text);
    buf_puts(&text, "): let database.conninfo name the server itself, not the pooler");
    leadership_end(db, buf_text(&text));
    buf_free(&text);
}

static const struct session_statement identity_statement = {.sql = sql_identity};

static bool is_true(const PGresult *result, int column)
{
    return PQgetvalue(result, 0, column)[0] == 't';
}

static void on_proved(void *context, struct session_outcome *outcome)
{
    struct database *db = context;

    if (leadership_failed(db, outcome)) {
        return;
    }
    const PGresult *row = outcome->results[0];
    if (!is_real_session(db->holder, row)) {
        refuse_pooler(db, db->holder);
    } else if (is_true(row, 1)) {
        leadership_fall(db, "the server is a standby in recovery: waiting until it is promoted; let "
                            "database.conninfo name all servers of the cluster, and schemagate finds the "
                            "primary");
    } else {
        identity_read(&db->identity, row);
        leadership_advance(db);
    }
}

static void enter_proving(struct database *db)
{
    ask(db, db->holder, &identity_statement, on_proved);
}

/* ---- the lock ---- */

static void stand_by(struct database *db, const char *leader_url)
{
    if (db->leader_url == NULL || strcmp(db->leader_url, leader_url) != 0) {
        log_info("another daemon holds the migration lock: standing by", LOG_TEXT("leader", leader_url));
        memory_replace(&db->leader_url, leader_url);
        memory_replace(&db->logged_reason, NULL);
        coordinator_stand_by(db->coordinator, db->leader_url);
    }
    db->failures = 0;
    leadership_set_timer(db, POLL_MS);
}

static void on_leader(void *context, struct session_outcome *outcome)
{
    struct database *db = context;

    if (!outcome->lost) {
        bool known = outcome->error == NULL && PQntuples(outcome->results[0]) == 1;
        stand_by(db, known ? PQgetvalue(outcome->results[0], 0, 0) : "");
    }
}

static void on_polled(void *context, struct session_outcome *outcome)
{
    struct database *db = context;

    if (leadership_failed(db, outcome)) {
        return;
    }
    if (is_true(outcome->results[0], 0)) {
        memory_replace(&db->leader_url, NULL);
        leadership_advance(db);
    } else if (is_true(outcome->results[0], 1)) {
        const struct session_statement statement = {.sql = sql_leader};
        ask(db, db->holder, &statement, on_leader);
    } else {
        stand_by(db, "");
    }
}

static void enter_polling(struct database *db)
{
    const struct session_statement statement = {
        .sql = sql_poll_lock, .parameters = {db->lock_key}, .parameter_count = 1};

    ask(db, db->holder, &statement, on_polled);
}

/* ---- schemagate's own schema ---- */

static void on_installed(void *context, struct session_outcome *outcome)
{
    struct database *db = context;

    if (!leadership_failed(db, outcome)) {
        leadership_advance(db);
    }
}

static void install(struct database *db, int layout)
{
    struct buf script = BUF_INIT(SCRIPT_BYTES);

    sql_write_install_script(&script, layout);
    session_run_script(db->holder, buf_text(&script), on_installed, db);
    buf_free(&script);
}

static void on_layout(void *context, struct session_outcome *outcome)
{
    struct database *db = context;

    if (leadership_failed(db, outcome)) {
        return;
    }
    int layout = atoi(PQgetvalue(outcome->results[0], 0, 0));
    if (layout > SQL_LAYOUT) {
        char text[256];

        snprintf(text, sizeof text,
                 "the database was used by a newer schemagate: its layout is %d, this program knows %d; "
                 "run that version or a later one",
                 layout, SQL_LAYOUT);
        leadership_end(db, text);
        return;
    }
    install(db, layout);
}

static void fall_without_privilege(struct database *db)
{
    const PGconn *connection = session_connection(db->holder);
    struct buf text = BUF_INIT(1024);

    buf_printf(&text,
               "role \"%s\" may not create schemagate's own schema; as the owner of the database: "
               "psql -d \"%s\" -c 'GRANT CREATE ON DATABASE \"%s\" TO \"%s\"'",
               PQuser(connection), PQdb(connection), PQdb(connection), PQuser(connection));
    leadership_fall(db, buf_text(&text));
    buf_free(&text);
}

static void on_installation_known(void *context, struct session_outcome *outcome)
{
    struct database *db = context;

    if (leadership_failed(db, outcome)) {
        return;
    }
    bool installed = is_true(outcome->results[0], 0), may_create = is_true(outcome->results[0], 1);
    if (installed) {
        const struct session_statement statement = {.sql = sql_layout};
        ask(db, db->holder, &statement, on_layout);
    } else if (may_create) {
        install(db, 0);
    } else {
        fall_without_privilege(db);
    }
}

static void enter_installing(struct database *db)
{
    const struct session_statement statement = {.sql = sql_installed};

    ask(db, db->holder, &statement, on_installation_known);
}

/* ---- the term ---- */

static void on_taken_over(void *context, struct session_outcome *outcome)
{
    struct database *db = context;

    if (leadership_failed(db, outcome)) {
        return;
    }
    const PGresult *row = outcome->results[0];
    if (PQntuples(row) != 1) {
        leadership_fall(db, "the migration lock was lost before the term began");
        return;
    }
    snprintf(db->epoch, sizeof db->epoch, "%s", PQgetvalue(row, 0, 0));
    db->term.epoch = strtoll(PQgetvalue(row, 0, 0), NULL, 10);
    db->term.since_wall = strtoll(PQgetvalue(row, 0, 1), NULL, 10);
    leadership_advance(db);
}

static void enter_taking_over(struct database *db)
{
    digest_random_hex(NONCE_DIGITS, db->nonce);
    const struct session_statement statement = {
        .sql = sql_take_over,
        .parameters = {db->lock_key, db->nonce, db->advertise_url},
        .parameter_count = 3,
    };
    ask(db, db->holder, &statement, on_taken_over);
}

/* ---- the store's session ---- */

static void on_executor_ready(void *context, struct session_outcome *outcome)
{
    leadership_failed(context, outcome);
}

static void on_store_ready(void *context, struct session_outcome *outcome)
{
    struct database *db = context;

    if (!leadership_failed(db, outcome)) {
        leadership_advance(db);
    }
}

static void on_store_proved(void *context, struct session_outcome *outcome)
{
    struct database *db = context;
    struct identity identity;

    if (leadership_failed(db, outcome)) {
        return;
    }
    identity_read(&identity, outcome->results[0]);
    if (!is_real_session(db->store, outcome->results[0])) {
        refuse_pooler(db, db->store);
        return;
    }
    if (memcmp(&identity, &db->identity, sizeof identity) != 0) {
        leadership_fall(db, "two sessions reached different servers: system identifier, timeline or start "
                            "time differ; database.conninfo should name the primary");
        return;
    }
    store_prepare(db, on_store_ready);
}

static void on_store_opened(void *context)
{
    struct database *db = context;

    ask(db, db->store, &identity_statement, on_store_proved);
}

static void enter_joining(struct database *db)
{
    static const struct session_settings settings = {
        .application_name = "schemagate store", .lock_timeout = "10s", .idle_session_timeout = "0"};
    const struct session_owner owner = {db, on_store_opened, on_session_lost};

    db->store = session_open(db->base, db->config, &settings, &owner);
    executor_prepare(db, on_executor_ready);
    leadership_set_timer(db, PING_MS);
}

/* ---- leading ---- */

static void term_describe(struct term *term, const struct identity *identity, const PGconn *connection)
{
    const char *version = PQparameterStatus(connection, "server_version");
    const char *host = PQhost(connection);

    snprintf(term->system_identifier, sizeof term->system_identifier, "%s", identity->system_identifier);
    snprintf(term->timeline, sizeof term->timeline, "%s", identity->timeline);
    version = version != NULL ? version : "";
    snprintf(term->server_version, sizeof term->server_version, "%.*s", (int)strcspn(version, " "),
             version);
    snprintf(term->host, sizeof term->host, "%s:%s", host != NULL ? host : "", PQport(connection));
}

static void enter_leading(struct database *db)
{
    term_describe(&db->term, &db->identity, session_connection(db->holder));
    db->failures = 0;
    memory_replace(&db->logged_reason, NULL);
    log_info("the migration lock is taken: leading", LOG_NUMBER("epoch", db->term.epoch),
             LOG_TEXT("host", db->term.host), LOG_TEXT("timeline", db->term.timeline));
    leadership_set_timer(db, PING_MS);
    coordinator_begin_term(db->coordinator, &db->term);
}

static void on_pinged(void *context, struct session_outcome *outcome)
{
    struct database *db = context;

    if (!leadership_failed(db, outcome) && !is_true(outcome->results[0], 0)) {
        leadership_fall(db, "the session does not hold the migration lock any more");
    }
}

/* A session that is busy needs no ping. */
static void ping(struct database *db)
{
    leadership_set_timer(db, PING_MS);
    if (session_is_idle(db->holder)) {
        const struct session_statement statement = {
            .sql = sql_ping, .parameters = {db->lock_key}, .parameter_count = 1};
        session_run(db->holder,
                    &(struct session_batch){.statements = &statement, .count = 1,
                                            .deadline_ms = PING_ANSWER_MS, .done = on_pinged,
                                            .context = db});
    }
}
