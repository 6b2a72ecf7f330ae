/* The fences in PostgreSQL: what a test puts there behind the daemon's back stops it. */
#include <support/expect.h>
#include <support/process.h>
#include <support/samples.h>
#include <support/world.h>

#include <signal.h>
#include <string.h>

/* A daemon that stops itself at the failpoint, with contract 2 under way. */
static struct daemon *stopped_at(struct world *world, const char *failpoint)
{
    struct daemon *daemon = world_daemon(world, &(struct daemon_options){.failpoint = failpoint});
    rollout_submit(&daemon->client, 1, SAMPLE_CREATE);
    rollout_submit(&daemon->client, 2, SAMPLE_RENAME);
    rollout_wait(&daemon->client, 2, "expanded");
    return daemon;
}

static struct http_pending *open_the_gate(struct daemon *daemon)
{
    struct http_pending *answer =
        http_begin(&daemon->client, "PUT", fleet_body(REPLICA("new", 2, 2)),
                                             "/v1/apps/web/replicas/new");
    process_wait_stopped(daemon->pid);
    return answer;
}

static void a_row_between_fence_and_ddl_stops_the_contract(void **state)
{
    struct world *world = *state;
    struct daemon *daemon = stopped_at(world, "contract-fenced=stop");
    struct http_pending *answer = open_the_gate(daemon);
    assert_int_equal(sql_number(world->sql, "SELECT contracting FROM schemagate.window"), 2);
    sql_run(world->sql,
            "INSERT INTO schemagate.replica (app, instance, incarnation, state, min, max, "
            "lease_seconds) VALUES ('web', 'hand', 'one', 'live', 1, 1, 30)");
    kill(daemon->pid, SIGCONT);
    http_finish(&daemon->client, answer);
    sql_wait(world->sql, "SELECT contracting IS NULL OR contracting = 0 FROM schemagate.window");
    rollout_wait_hold(&daemon->client, 2, "replica-behind"); /* memory has read it in */
    assert_int_equal(sql_number(world->sql, SAMPLE_HAS_COLUMN, "name"), 1);
    /* Admission is open again for the old range. */
    fleet_join(&daemon->client, REPLICA("old", 1, 1));
}

static void admission_is_closed_between_fence_and_ddl(void **state)
{
    struct world *world = *state;
    struct daemon *daemon = stopped_at(world, "contract-sent=stop");
    struct http_pending *answer = open_the_gate(daemon);
    struct http_pending *old = http_begin(&daemon->client, "PUT", fleet_body(REPLICA("old", 1, 1)),
                                          "/v1/apps/web/replicas/old");
    kill(daemon->pid, SIGCONT);
    http_finish(&daemon->client, answer);
    expect_answer(http_finish(&daemon->client, old), 409, "schema-too-old");
    rollout_wait(&daemon->client, 2, "complete");
}

/* A successor has taken over while this daemon was stopped: its next DDL fails at the fence. */
static void a_newer_term_stops_the_next_ddl(void **state)
{
    struct world *world = *state;
    struct daemon *daemon = stopped_at(world, "contract-fenced=stop");
    struct http_pending *answer = open_the_gate(daemon);
    sql_run(world->sql, "UPDATE schemagate.coordinator SET epoch = epoch + 1, nonce = 'the test'");
    int64_t epoch = sql_number(world->sql, "SELECT epoch FROM schemagate.coordinator");
    sql_run(world->sql,
            "CREATE FUNCTION note_ddl() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN "
            "INSERT INTO ddl_log SELECT epoch FROM schemagate.coordinator; END $$; "
            "CREATE TABLE ddl_log (epoch bigint); "
            "CREATE EVENT TRIGGER note_ddl ON sql_drop EXECUTE FUNCTION note_ddl()");
    kill(daemon->pid, SIGCONT);
    http_finish(&daemon->client, answer);
    /* It takes over again, as a term of its own, and only then runs the contract. */
    sql_wait(world->sql, "SELECT epoch > %lld FROM schemagate.coordinator", (long long)epoch);
    daemon_wait_leader(daemon);
    fleet_join(&daemon->client, REPLICA("new", 2, 2));
    rollout_wait(&daemon->client, 2, "complete");
    assert_int_equal(sql_number(world->sql, "SELECT count(*) FROM ddl_log WHERE epoch <= %lld",
                                (long long)epoch),
                     0);
    sql_run(world->sql, "DROP EVENT TRIGGER note_ddl");
}

static void a_registration_under_a_newer_term_is_not_recorded(void **state)
{
    struct world *world = *state;
    struct daemon *daemon = world_daemon(world, NULL);
    rollout_submit(&daemon->client, 1, SAMPLE_CREATE);
    rollout_wait(&daemon->client, 1, "complete");
    sql_run(world->sql, "UPDATE schemagate.coordinator SET epoch = epoch + 1, nonce = 'the test'");
    const struct http_answer *answer = fleet_register(&daemon->client, REPLICA("a", 1, 1));
    if (answer->status == 503) {
        assert_int_equal(world_rows(world, "replica"), 0);
    } else { /* it has begun a new term in between */
        expect_answer(answer, 201, NULL);
        assert_int_not_equal(sql_number(world->sql, "SELECT count(*) FROM schemagate.coordinator "
                                                    "WHERE nonce <> 'the test'"),
                             0);
    }
}

/* SQL that drops the lock is caught before COMMIT: nothing of it stays, and it has failed. */
static void sql_that_drops_the_lock_is_rolled_back(void **state)
{
    struct world *world = *state;
    struct daemon *daemon = world_daemon(world, NULL);
    rollout_submit(&daemon->client, 1,
                   "-- schemagate: expand\nCREATE TABLE customer (id int);\n"
                   "DO $$ BEGIN EXECUTE 'SELECT pg_adv' || 'isory_unlock_all()'; END $$;\n");
    sql_wait(world->sql, "SELECT failed FROM schemagate.migration WHERE version = 1");
    assert_int_equal(sql_number(world->sql,
                                "SELECT count(*) FROM pg_class WHERE relname = 'customer'"),
                     0);
    assert_in_range(sql_number(world->sql, "SELECT epoch FROM schemagate.coordinator"), 1, 2);
    assert_string_equal(json_text_at(rollout_get(&daemon->client, 1)->json, "/error/sqlstate"),
                        "SG002");
}

/* What cannot be read, because it is put together as it runs, is noticed before COMMIT; in a subtransaction
 * too. */
#define HIDDEN(before, behind)                                                                         \
    "-- schemagate: expand\nCREATE TABLE customer (id int);\n"                                        \
    "DO $do$ BEGIN BEGIN EXECUTE '" before " schema' || 'gate." behind "';\n"                          \
    "EXCEPTION WHEN division_by_zero THEN NULL; END; END $do$;\n"

static void expect_rolled_back(struct world *world, struct http_client *client, int64_t version)
{
    rollout_wait_status(client, version, "failed");
    assert_string_equal(json_text_at(rollout_get(client, version)->json, "/error/sqlstate"), "SG002");
    assert_int_equal(sql_number(world->sql, "SELECT count(*) FROM pg_class WHERE relname = 'customer'"), 0);
    assert_int_equal(sql_number(world->sql, "SELECT count(*) FROM schemagate.step WHERE state = 'done'"), 0);
}

static void sql_that_writes_into_our_tables_is_rolled_back(void **state)
{
    static const char *const files[] = {
        HIDDEN("UPDATE", "window SET ceiling = 99"),
        HIDDEN("UPDATE", "migration SET paused = true"),
        HIDDEN("UPDATE", "coordinator SET since = now()"),
        HIDDEN("UPDATE", "step SET state = ''done''"),
        HIDDEN("DELETE FROM", "replica"),
        HIDDEN("DELETE FROM", "event"),
        HIDDEN("INSERT INTO", "app (app) VALUES (''forged'')"),
        HIDDEN("TRUNCATE", "approval"),
        HIDDEN("ALTER TABLE", "waiver DISABLE TRIGGER USER"),
    };
    struct world *world = *state;
    struct http_client *client = world_client(world);

    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        rollout_submit(client, (int64_t)i + 1, files[i]);
        expect_rolled_back(world, client, (int64_t)i + 1);
        rollout_act(client, (int64_t)i + 1, "cancel");
    }
    assert_int_equal(sql_number(world->sql, "SELECT ceiling FROM schemagate.\"window\""), 0);
}

/* Without them nothing could be committed: they are prepared again, and the migration has failed. */
static void sql_that_deallocates_our_statements_is_rolled_back(void **state)
{
    struct world *world = *state;
    struct http_client *client = world_client(world);
    int64_t epoch = sql_number(world->sql, "SELECT epoch FROM schemagate.coordinator");

    rollout_submit(client, 1, "-- schemagate: expand\nCREATE TABLE customer (id int);\n"
                              "DO $$ BEGIN EXECUTE 'DEALLOCATE ALL'; END $$;\n");
    rollout_wait_status(client, 1, "failed");
    assert_non_null(strstr(json_text_at(rollout_get(client, 1)->json, "/error/hint"), "deallocates"));
    assert_int_equal(sql_number(world->sql, "SELECT count(*) FROM pg_class WHERE relname = 'customer'"), 0);
    rollout_submit(client, 1, "-- schemagate: expand\nCREATE TABLE customer (id int);\n");
    rollout_wait(client, 1, "complete");
    assert_int_equal(sql_number(world->sql, "SELECT epoch FROM schemagate.coordinator"), epoch);
}

/* Functions of the application that leave the session otherwise than they found it. */
static void sql_that_changes_what_it_runs_under_is_rolled_back(void **state)
{
    static const char *const changes[] = {
        "set_config('role', 'none', false)",          "set_config('role', 'pg_monitor', true)",
        "set_config('search_path', 'public', false)", "set_config('lock_timeout', '0', true)",
        "set_config('session_authorization', 'nobody', true)",
        "set_config('synchronous_commit', 'off', true)",
    };
    struct world *world = *state;
    struct daemon_options options = {.sections = "[migration]\nrun_as = owner_of_it\n"};
    char sqlstate[6];

    sql_try(world->sql, sqlstate, "CREATE ROLE owner_of_it"); /* of the cluster: once */
    sql_try(world->sql, sqlstate, "CREATE ROLE nobody");
    sql_run(world->sql, "GRANT ALL ON SCHEMA public TO owner_of_it");
    sql_run(world->sql, "CREATE TABLE filled (id int PRIMARY KEY, n int); INSERT INTO filled VALUES (1); "
                        "ALTER TABLE filled OWNER TO owner_of_it");
    struct http_client *client = &world_daemon(world, &options)->client;

    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        sql_run(world->sql, "CREATE OR REPLACE FUNCTION meddle() RETURNS text LANGUAGE sql AS "
                            "$$ SELECT %s $$", changes[i]);
        rollout_submit(client, (int64_t)i + 1,
                       "-- schemagate: expand\nCREATE TABLE customer (id int);\nSELECT meddle();\n");
        expect_rolled_back(world, client, (int64_t)i + 1);
        rollout_act(client, (int64_t)i + 1, "cancel");
    }
    /* In a batch of a backfill. */
    sql_run(world->sql, "DROP FUNCTION meddle(); CREATE FUNCTION meddle() RETURNS int LANGUAGE sql AS "
                        "$$ SELECT length(set_config('role', 'none', false)) $$");
    rollout_submit(client, 10, "-- schemagate: backfill\nUPDATE filled SET n = meddle() WHERE n IS NULL;\n");
    expect_rolled_back(world, client, 10);
    /* What gives it back has changed nothing; what is set openly has been read. */
    sql_run(world->sql, "CREATE OR REPLACE FUNCTION meddle() RETURNS int LANGUAGE sql "
                        "SET lock_timeout = '1s' "
                        "AS $$ SELECT length(set_config('lock_timeout', '5s', true)) $$; "
                        "CREATE SCHEMA other AUTHORIZATION owner_of_it");
    rollout_act(client, 10, "retry");
    rollout_submit(client, 11, "-- schemagate: expand\nSET search_path TO other;\n"
                               "CREATE TABLE customer (id int);\nSELECT public.meddle();\n");
    rollout_wait(client, 11, "complete");
    assert_int_equal(sql_number(world->sql, "SELECT count(*) FROM pg_class WHERE relowner = "
                                            "'owner_of_it'::regrole AND oid = to_regclass('other.customer')"),
                     1);
}

/* ---- a zombie whose statement waits for its lock when its successor comes ---- */

#define ADDS "ALTER TABLE customer ADD COLUMN added int;\n"

/* Stands still while its statement waits for the table, which `blocker` has locked behind its back. */
static struct daemon *zombie(struct world *world, PGconn *blocker, const char *file)
{
    static const char *const patient[] = {"SCHEMAGATE_MIGRATION_LOCK_TIMEOUT_MS=60000", NULL};
    struct daemon *daemon = world_daemon(
        world, &(struct daemon_options){.failpoint = "expand-begin=stop", .environment = patient});

    sql_run(world->sql, "CREATE TABLE customer (id int)");
    http_send(&daemon->client, "POST", json_pack("{s:i, s:s}", "version", 1, "sql", file), "/v1/migrations");
    process_wait_stopped(daemon->pid);
    sql_run(blocker, "BEGIN; LOCK TABLE customer");
    kill(daemon->pid, SIGCONT);
    sql_wait(world->sql, "SELECT EXISTS (SELECT FROM pg_locks WHERE relation = 'customer'::regclass "
                         "AND NOT granted)");
    kill(daemon->pid, SIGSTOP);
    process_wait_stopped(daemon->pid);
    return daemon;
}

static void a_zombie_that_waits_for_its_lock_is_counted_once(void **state)
{
    struct world *world = *state;
    PGconn *blocker = sql_open(world->conninfo);
    struct daemon *first = zombie(world, blocker, "-- schemagate: expand\n" ADDS);
    struct daemon *second = world_launch(world, NULL);
    int64_t epoch = sql_number(world->sql, "SELECT epoch FROM schemagate.coordinator");

    daemon_wait_notification(second, "READY=1");
    expect_answer(http_call(&second->client, "GET", NULL, "/readyz"), 503, NULL);
    assert_int_equal(sql_number(world->sql, "SELECT epoch FROM schemagate.coordinator"), epoch);
    sql_run(blocker, "COMMIT");
    PQfinish(blocker);
    /* Its transaction ends, the server ends its session, and only then does the successor begin. */
    if (PQserverVersion(world->sql) < 140000) /* without idle_session_timeout somebody has to */
        sql_wait(world->sql, "SELECT bool_or(pg_terminate_backend(pid)) FROM pg_stat_activity "
                             "JOIN pg_locks USING (pid) WHERE locktype = 'advisory' AND state = 'idle' "
                             "AND datname = current_database()");
    sql_wait(world->sql, "SELECT epoch > %lld FROM schemagate.coordinator", (long long)epoch);
    kill(first->pid, SIGCONT);
    daemon_wait_leader(second);
    rollout_wait(&second->client, 1, "complete");
    assert_int_equal(sql_number(world->sql, SAMPLE_HAS_COLUMN, "added"), 1);
    assert_int_equal(sql_number(world->sql, "SELECT count(*) FROM schemagate.event "
                                            "WHERE kind = 'migration.complete'"), 1);
}

/* Its SQL has let the lock go: a successor gets it, and still waits for the transaction, which cannot
 * commit. */
static void a_successor_waits_for_the_transaction_of_a_zombie_without_the_lock(void **state)
{
    struct world *world = *state;
    PGconn *blocker = sql_open(world->conninfo);
    struct daemon *first = zombie(world, blocker,
        "-- schemagate: expand\n"
        "DO $$ BEGIN EXECUTE 'SELECT pg_adv' || 'isory_unlock_all()'; END $$;\n" ADDS);
    int64_t epoch = sql_number(world->sql, "SELECT epoch FROM schemagate.coordinator");

    world_launch(world, NULL);
    sql_wait(world->sql, "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' "
                         "AND query LIKE '%%UPDATE schemagate.coordinator%%' "
                         "AND datname = current_database())");
    assert_int_equal(sql_number(world->sql, "SELECT epoch FROM schemagate.coordinator"), epoch);
    sql_run(blocker, "COMMIT");
    PQfinish(blocker);
    kill(first->pid, SIGCONT);
    sql_wait(world->sql, "SELECT failed FROM schemagate.migration WHERE version = 1");
    assert_int_equal(sql_number(world->sql, SAMPLE_HAS_COLUMN, "added"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        world_test(a_row_between_fence_and_ddl_stops_the_contract),
        world_test(admission_is_closed_between_fence_and_ddl),
        world_test(a_newer_term_stops_the_next_ddl),
        world_test(a_registration_under_a_newer_term_is_not_recorded),
        world_test(sql_that_drops_the_lock_is_rolled_back),
        world_test(sql_that_writes_into_our_tables_is_rolled_back),
        world_test(sql_that_changes_what_it_runs_under_is_rolled_back),
        world_test(sql_that_deallocates_our_statements_is_rolled_back),
        world_test(a_zombie_that_waits_for_its_lock_is_counted_once),
        world_test(a_successor_waits_for_the_transaction_of_a_zombie_without_the_lock),
    };
    return world_run(tests);
}
