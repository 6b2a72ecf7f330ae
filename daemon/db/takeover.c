/* From an open session to a term: is it real, is the lock free, is the schema there, the epoch, the
 * store's session (docs/design.md §5). Each step ends in leadership_advance or in a fall. */
#include "answer.h"
#include "connect.h"
#include "leadership.h"
#include "standby.h"
#include "sql.h"

#include <schemagate/base/digest.h>
#include <schemagate/base/log.h>
#include <schemagate/base/memory.h>
#include <schemagate/coordinator/coordinator.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define POLL_MS 1000
#define SCRIPT_BYTES (1024 * 1024)
#define NONCE_DIGITS 32

/* ---- who the server is ---- */

static void identity_read(struct identity *identity, const PGresult *row)
{
    memset(identity, 0, sizeof *identity); /* compared as bytes */
    snprintf(identity->system_identifier, sizeof identity->system_identifier, "%s",
             PQgetvalue(row, 0, 2));
    snprintf(identity->timeline, sizeof identity->timeline, "%s", PQgetvalue(row, 0, 3));
    snprintf(identity->postmaster_start, sizeof identity->postmaster_start, "%s",
             PQgetvalue(row, 0, 4));
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

    buf_puts(&text, "schemagate needs a session of its own, but a connection pooler stands between "
                    "it and PostgreSQL (");
    connect_describe(session_connection(s), &text);
    buf_puts(&text, "): let database.conninfo name the server itself, not the pooler");
    leadership_end(db, buf_text(&text));
    buf_free(&text);
}

/* A former primary that came back, or was never stopped, may still take writes; nobody should lead there. */
static bool is_left_behind(const struct identity *identity, const struct identity *seen)
{
    return strcmp(identity->system_identifier, seen->system_identifier) == 0 &&
           strcmp(identity->timeline, seen->timeline) < 0; /* eight digits each */
}

static void fall_from_former_primary(struct database *db, const struct identity *identity)
{
    struct buf text = BUF_INIT(1024);

    buf_puts(&text, "the server that answers (");
    connect_describe(session_connection(db->holder), &text);
    buf_printf(&text,
               ") is on timeline %s, and this daemon has seen timeline %s of the same cluster: "
               "a former primary. Stop it, or take it out of database.conninfo; if it is meant, "
               "restart schemagate",
               identity->timeline, db->identity.timeline);
    leadership_fall(db, buf_text(&text));
    buf_free(&text);
}

static const struct session_statement identity_statement = {.sql = sql_identity};

static void on_proved(void *context, struct session_outcome *outcome)
{
    struct database *db = context;

    if (leadership_failed(db, outcome))
        return;
    const PGresult *row = outcome->results[0];
    if (!is_real_session(db->holder, row)) {
        refuse_pooler(db, db->holder);
    } else if (answer_is_true(row, 1)) {
        leadership_fall(db, "the server is a standby in recovery: waiting until it is promoted; "
                            "let database.conninfo name all servers of the cluster, and "
                            "schemagate finds the primary");
    } else {
        struct identity identity;

        identity_read(&identity, row);
        if (is_left_behind(&identity, &db->identity)) {
            fall_from_former_primary(db, &identity);
        } else {
            db->identity = identity;
            leadership_advance(db);
        }
    }
}

void takeover_prove(struct database *db)
{
    leadership_ask(db, db->holder, &identity_statement, on_proved);
}

/* ---- the lock ---- */

static void stand_by(struct database *db, const char *leader_url)
{
    if (db->leader_url == NULL || strcmp(db->leader_url, leader_url) != 0) {
        log_info("another daemon holds the migration lock: standing by",
                 LOG_TEXT("leader", leader_url));
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

    if (leadership_failed(db, outcome))
        return;
    if (answer_is_true(outcome->results[0], 0)) {
        memory_replace(&db->leader_url, NULL);
        leadership_advance(db);
    } else if (answer_is_true(outcome->results[0], 1)) {
        const struct session_statement statement = {.sql = sql_leader};
        leadership_ask(db, db->holder, &statement, on_leader);
    } else {
        stand_by(db, "");
    }
}

void takeover_poll(struct database *db)
{
    const struct session_statement statement = {
        .sql = sql_poll_lock, .parameters = {db->lock_key}, .parameter_count = 1};

    leadership_ask(db, db->holder, &statement, on_polled);
}

/* ---- schemagate's own schema ---- */

static void on_installed(void *context, struct session_outcome *outcome)
{
    struct database *db = context;

    if (!leadership_failed(db, outcome))
        leadership_advance(db);
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

    if (leadership_failed(db, outcome))
        return;
    int layout = atoi(PQgetvalue(outcome->results[0], 0, 0));
    if (layout > SQL_LAYOUT) {
        char text[256];

        snprintf(text, sizeof text,
                 "the database was used by a newer schemagate: its layout is %d, this program knows "
                 "%d; run that version or a later one",
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

    if (leadership_failed(db, outcome))
        return;
    bool installed = answer_is_true(outcome->results[0], 0);
    bool may_create = answer_is_true(outcome->results[0], 1);
    if (installed) {
        const struct session_statement statement = {.sql = sql_layout};
        leadership_ask(db, db->holder, &statement, on_layout);
    } else if (may_create) {
        install(db, 0);
    } else {
        fall_without_privilege(db);
    }
}

void takeover_install(struct database *db)
{
    const struct session_statement statement = {.sql = sql_installed};

    leadership_ask(db, db->holder, &statement, on_installation_known);
}

/* ---- the term ---- */

static void on_taken_over(void *context, struct session_outcome *outcome)
{
    struct database *db = context;

    if (leadership_failed(db, outcome))
        return;
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

void takeover_begin_term(struct database *db)
{
    digest_random_hex(NONCE_DIGITS, db->nonce);
    const struct session_statement statement = {
        .sql = sql_take_over,
        .parameters = {db->lock_key, db->nonce, db->advertise_url},
        .parameter_count = 3,
    };
    leadership_ask(db, db->holder, &statement, on_taken_over);
}

/* ---- the sessions of the store and of the witness: both speak with the server of the first ---- */

static void on_executor_ready(void *context, struct session_outcome *outcome)
{
    leadership_failed(context, outcome);
}

static void on_prepared(void *context, struct session_outcome *outcome)
{
    struct database *db = context;

    if (!leadership_failed(db, outcome))
        leadership_advance(db);
}

static bool is_same_server(struct database *db, const struct session *s,
                           const struct session_outcome *outcome)
{
    struct identity identity;

    if (leadership_failed(db, outcome))
        return false;
    identity_read(&identity, outcome->results[0]);
    if (!is_real_session(s, outcome->results[0])) {
        refuse_pooler(db, s);
        return false;
    }
    if (memcmp(&identity, &db->identity, sizeof identity) != 0) {
        leadership_fall(db, "two sessions reached different servers: system identifier, timeline "
                            "or start time differ; database.conninfo should name the primary");
        return false;
    }
    return true;
}

static void on_store_proved(void *context, struct session_outcome *outcome)
{
    struct database *db = context;

    if (is_same_server(db, db->store, outcome))
        store_prepare(db, on_prepared);
}

static void on_store_opened(void *context)
{
    struct database *db = context;

    leadership_ask(db, db->store, &identity_statement, on_store_proved);
}

void takeover_join(struct database *db)
{
    static const struct session_settings settings = {
        .application_name = "schemagate store", .lock_timeout = "10s", .idle_session_timeout = "0"};
    const struct session_owner owner = {db, on_store_opened, leadership_on_session_lost};
    const struct connect_target target = leadership_target(db);

    db->store = session_open(db->base, &target, &settings, &owner);
    executor_prepare(db, on_executor_ready);
    leadership_set_timer(db, LEADERSHIP_PING_MS);
}

static void on_witness_proved(void *context, struct session_outcome *outcome)
{
    struct database *db = context;

    if (is_same_server(db, db->witness, outcome))
        witness_prepare(db, on_prepared);
}

static void on_witness_opened(void *context)
{
    struct database *db = context;

    leadership_ask(db, db->witness, &identity_statement, on_witness_proved);
}

void takeover_watch(struct database *db)
{
    static const struct session_settings settings = {.application_name = "schemagate witness",
                                                     .lock_timeout = "10s",
                                                     .idle_session_timeout = "0",
                                                     .reads_only = true};
    const struct session_owner owner = {db, on_witness_opened, leadership_on_session_lost};
    const struct connect_target target = leadership_target(db);

    db->witness = session_open(db->base, &target, &settings, &owner);
    standbys_open(db);
}
