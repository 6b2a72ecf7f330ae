/* Statements outside of transactions that are interrupted: what they leave behind is taken away, built again
 * or finished, exactly once; what is somebody else's stays as it is. */
#include <support/expect.h>
#include <support/process.h>
#include <support/samples.h>
#include <support/world.h>

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define BUILD "-- schemagate: expand\nCREATE INDEX CONCURRENTLY by_name ON customer (name);\n"
#define BUILD_UNIQUE                                                                                   \
    "-- schemagate: expand\n-- schemagate: allow add-unique reason=\"they are\"\n"                     \
    "CREATE UNIQUE INDEX CONCURRENTLY by_name ON customer (name);\n"
#define OF_CUSTOMER "indrelid = 'customer'::regclass AND NOT indisprimary"

/* A daemon with a table of three rows. */
static struct daemon *begin(struct world *world, const struct daemon_options *options)
{
    struct daemon *daemon = world_daemon(world, options);
    rollout_submit(&daemon->client, 1, SAMPLE_CREATE);
    rollout_wait(&daemon->client, 1, "complete");
    sql_run(world->sql, "INSERT INTO customer VALUES (1, 'Ada'), (2, 'Bob'), (3, 'Cy')");
    return daemon;
}

/* A session that is idle in a transaction, with an old snapshot and a lock: what runs CONCURRENTLY waits for
 * it. */
static PGconn *read_for_long(struct world *world, const char *table)
{
    PGconn *reader = sql_open(world->conninfo);
    sql_run(reader, "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT * FROM %s", table);
    return reader;
}

/* The daemon's session runs what begins so, and waits for the reader. */
static void wait_until_it_waits(struct world *world, PGconn *reader, const char *statement)
{
    sql_wait(world->sql, "SELECT EXISTS (SELECT FROM pg_stat_activity "
             "WHERE application_name = 'schemagate coordinator' AND query LIKE '%s%%' "
             "AND %d = ANY (pg_blocking_pids(pid)))", statement, PQbackendPID(reader));
}

static struct http_client *restart(struct world *world, struct daemon *daemon)
{
    world_kill(world, daemon);
    return world_client(world);
}

static void finish(PGconn *reader)
{
    sql_run(reader, "COMMIT");
    PQfinish(reader);
}

static void expect_built_once(struct world *world, int64_t version)
{
    assert_int_equal(sql_number(world->sql, "SELECT count(*) FROM pg_index WHERE " OF_CUSTOMER), 1);
    assert_int_equal(sql_number(world->sql, "SELECT count(*) FROM pg_index WHERE " OF_CUSTOMER
                                " AND indisvalid AND indexrelid = 'by_name'::regclass"), 1);
    assert_int_equal(sql_number(world->sql, "SELECT count(*) FROM schemagate.event "
                                "WHERE kind = 'migration.complete' AND version = %d", (int)version), 1);
}

/* ---- builds ---- */

/* The second one finds the left-over while the reader is still there, and is as patient. */
static void a_killed_build_is_begun_anew(void **state)
{
    struct world *world = *state;
    struct daemon *first = begin(world, NULL);
    PGconn *reader = read_for_long(world, "customer");

    rollout_submit(&first->client, 2, BUILD);
    wait_until_it_waits(world, reader, "CREATE INDEX");
    rollout_wait_blocked(&first->client, 2);
    int64_t left = sql_number(world->sql, "SELECT 'by_name'::regclass::oid");
    struct http_client *client = restart(world, first);
    wait_until_it_waits(world, reader, "DROP INDEX");
    rollout_wait_blocked(client, 2);
    finish(reader);
    rollout_wait(client, 2, "complete");
    expect_built_once(world, 2);
    assert_true(left != sql_number(world->sql, "SELECT 'by_name'::regclass::oid"));
}

static void dies(struct world *world, const char *failpoint)
{
    struct daemon *first = begin(world, &(struct daemon_options){.failpoint = failpoint});
    http_tell(&first->client, "POST", json_pack("{s:i, s:s}", "version", 2, "sql", BUILD), "/v1/migrations");
    daemon_expect_killed(first);
}

static void a_build_that_was_only_noted_is_begun(void **state)
{
    dies(*state, "alone-noted=kill");
    rollout_wait(world_client(*state), 2, "complete");
    expect_built_once(*state, 2);
}

static void a_build_that_had_ended_is_not_done_again(void **state)
{
    struct world *world = *state;
    dies(world, "alone-ran=kill");
    int64_t built = sql_number(world->sql, "SELECT 'by_name'::regclass::oid");
    rollout_wait(world_client(world), 2, "complete");
    expect_built_once(world, 2);
    assert_int_equal(sql_number(world->sql, "SELECT 'by_name'::regclass::oid"), built);
}

#define SOON_MS 20000 /* a moment, on a machine that has something else to do */

static void cancel(struct http_client *client)
{
    int64_t started = test_now_ms();
    rollout_act(client, 2, "cancel");
    rollout_wait_status(client, 2, "failed");
    assert_in_range(test_now_ms() - started, 0, SOON_MS);
}

static void a_cancelled_build_is_tried_again(void **state)
{
    struct world *world = *state;
    struct http_client *client = &begin(world, NULL)->client;
    PGconn *reader = read_for_long(world, "customer");

    rollout_submit(client, 2, BUILD);
    wait_until_it_waits(world, reader, "CREATE INDEX");
    cancel(client);
    const struct http_answer *answer = rollout_get(client, 2);
    assert_non_null(strstr(json_text_at(answer->json, "/error/hint"), "INVALID index of by_name"));
    rollout_act(client, 2, "retry");
    wait_until_it_waits(world, reader, "DROP INDEX");
    cancel(client);
    rollout_act(client, 2, "retry");
    wait_until_it_waits(world, reader, "DROP INDEX");
    finish(reader);
    rollout_wait(client, 2, "complete");
    expect_built_once(world, 2);
}

/* Of the step that runs, and of no other. */
static void its_progress_is_shown_while_it_runs(void **state)
{
    struct world *world = *state;
    struct http_client *client = &begin(world, NULL)->client;
    PGconn *reader = read_for_long(world, "customer");

    rollout_submit(client, 2, "CREATE INDEX by_name ON customer (name);\n");
    wait_until_it_waits(world, reader, "CREATE INDEX");
    rollout_wait_blocked(client, 2);
    const struct http_answer *answer = rollout_get(client, 2);
    assert_string_equal(json_text_at(answer->json, "/steps/0/phase"), "expand");
    assert_string_equal(json_text_at(answer->json, "/steps/0/progress/unit"), "transactions to wait for");
    assert_string_equal(json_text_at(answer->json, "/steps/1/phase"), "undo");
    assert_true(json_is_null(json_at(answer->json, "/steps/1/progress")));
    finish(reader);
    rollout_wait(client, 2, "complete");
    assert_true(json_is_null(json_at(rollout_get(client, 2)->json, "/steps/0/progress")));
}

static void a_duplicate_is_named(void **state)
{
    struct world *world = *state;
    struct http_client *client = &begin(world, NULL)->client;

    sql_run(world->sql, "INSERT INTO customer VALUES (4, 'Ada')");
    rollout_submit(client, 2, BUILD_UNIQUE);
    rollout_wait_status(client, 2, "failed");
    const struct http_answer *answer = rollout_get(client, 2);
    assert_string_equal(json_text_at(answer->json, "/error/sqlstate"), "23505");
    assert_non_null(strstr(json_text_at(answer->json, "/error/detail"), "(name)=(Ada)"));
    assert_int_equal(json_number_at(answer->json, "/error/step"), 1);
    sql_run(world->sql, "DELETE FROM customer WHERE id = 4");
    rollout_act(client, 2, "retry");
    rollout_wait(client, 2, "complete");
    expect_built_once(world, 2);
}

/* It has not begun, says the phase: then nothing of it may be there. As the role that owns the table. */
static void a_failed_build_that_is_given_up_leaves_nothing(void **state)
{
    struct world *world = *state;
    const char *environment[] = {"SCHEMAGATE_MIGRATION_RUN_AS=keeper", NULL};

    sql_run(world->sql, "CREATE ROLE keeper; GRANT ALL ON SCHEMA public TO keeper");
    struct http_client *client = &begin(world, &(struct daemon_options){.environment = environment})->client;
    sql_run(world->sql, "INSERT INTO customer VALUES (4, 'Ada')");
    rollout_submit(client, 2, BUILD_UNIQUE);
    for (int tries = 0; tries < 2; tries++) {
        rollout_wait_status(client, 2, "failed");
        assert_string_equal(json_text_at(rollout_get(client, 2)->json, "/error/sqlstate"), "23505");
        assert_int_equal(sql_number(world->sql, "SELECT count(*) FROM pg_index WHERE " OF_CUSTOMER), 0);
        rollout_act(client, 2, tries == 0 ? "retry" : "cancel");
    }
    rollout_wait_status(client, 2, "done");
    rollout_expect_phase(client, 2, "cancelled", "done");
}

/* ---- what is somebody else's ---- */

static const struct foreign {
    const char *made, *said;
} foreigners[] = {
    {"INSERT INTO customer VALUES (4, 'Ada')", "is INVALID"}, /* and a unique index that fails */
    {"CREATE INDEX by_name ON customer (note)", "with another definition"},
    {"CREATE UNIQUE INDEX by_name ON customer (name)", "with another definition"},
    {"CREATE INDEX by_name ON customer (name) WHERE id > 1", "with another definition"},
    {"CREATE TABLE by_name (x int)", "is no index on"},
    {"CREATE INDEX by_name ON customer (name)", "already exists"},
};

static void refuses(struct world *world, struct http_client *client, int64_t version, const struct foreign *f)
{
    char sqlstate[6];

    sql_run(world->sql, "%s", f->made);
    if (strncmp(f->made, "INSERT", 6) == 0)
        assert_string_equal(sql_try(world->sql, sqlstate, "CREATE UNIQUE INDEX CONCURRENTLY by_name "
                                    "ON customer (name)"), "23505");
    int64_t theirs = sql_number(world->sql, "SELECT 'by_name'::regclass::oid");
    rollout_submit(client, version, BUILD);
    for (int tries = 0; tries < 2; tries++) {
        rollout_wait_status(client, version, "failed");
        const struct http_answer *answer = rollout_get(client, version);
        assert_string_equal(json_text_at(answer->json, "/error/sqlstate"), "42P07");
        if (!strstr(json_text_at(answer->json, "/error/message"), f->said))
            test_fail("%s: %s", f->made, answer->body);
        assert_int_equal(json_number_at(answer->json, "/error/step"), 1);
        assert_int_equal(json_number_at(answer->json, "/error/position/line"), 2);
        assert_int_equal(sql_number(world->sql, "SELECT 'by_name'::regclass::oid"), theirs);
        if (tries == 0)
            rollout_act(client, version, "retry");
    }
    sql_run(world->sql, "DO $$ BEGIN IF (SELECT relkind FROM pg_class WHERE oid = 'by_name'::regclass) = 'r' "
                        "THEN DROP TABLE by_name; ELSE DROP INDEX by_name; END IF; "
                        "DELETE FROM customer WHERE id = 4; END $$");
    rollout_act(client, version, "retry");
    rollout_wait(client, version, "complete");
    expect_built_once(world, version);
    sql_run(world->sql, "DROP INDEX by_name");
}

static void what_is_somebody_elses_is_left_as_it_is(void **state)
{
    struct world *world = *state;
    struct http_client *client = &begin(world, NULL)->client;

    for (size_t i = 0; i < sizeof foreigners / sizeof *foreigners; i++)
        refuses(world, client, 2 + (int64_t)i, &foreigners[i]);
}

static void if_not_exists_takes_an_equal_one_only(void **state)
{
    struct world *world = *state;
    struct http_client *client = &begin(world, NULL)->client;
    const char *build = "-- schemagate: expand\n"
                        "CREATE INDEX CONCURRENTLY IF NOT EXISTS by_name ON customer (name);\n";

    sql_run(world->sql, "CREATE INDEX by_name ON customer (note)");
    rollout_submit(client, 2, build);
    rollout_wait_status(client, 2, "failed");
    sql_run(world->sql, "DROP INDEX by_name; CREATE INDEX by_name ON customer (name)");
    rollout_act(client, 2, "retry");
    rollout_wait(client, 2, "complete");
    expect_built_once(world, 2);
}

/* It was made between the first attempt's look and its build: what it leaves behind is not ours. */
static void what_comes_in_between_is_not_ours_either(void **state)
{
    struct world *world = *state;
    struct daemon *first = begin(world, &(struct daemon_options){.failpoint = "alone-noted=stop"});
    char sqlstate[6];

    sql_run(world->sql, "INSERT INTO customer VALUES (4, 'Ada')");
    http_tell(&first->client, "POST", json_pack("{s:i, s:s}", "version", 2, "sql", BUILD_UNIQUE),
              "/v1/migrations");
    sql_wait(world->sql, "SELECT EXISTS (SELECT FROM schemagate.step "
                         "WHERE version = 2 AND progress IS NOT NULL)");
    sql_try(world->sql, sqlstate, "CREATE UNIQUE INDEX CONCURRENTLY by_name ON customer (name)");
    process_wait_stopped(first->pid);
    assert_int_equal(kill(first->pid, SIGCONT), 0);
    rollout_wait_status(&first->client, 2, "failed");
    rollout_act(&first->client, 2, "retry");
    rollout_wait_status(&first->client, 2, "failed");
    const struct http_answer *answer = rollout_get(&first->client, 2);
    assert_non_null(strstr(json_text_at(answer->json, "/error/message"), "is INVALID"));
    assert_int_equal(sql_number(world->sql, "SELECT count(*) FROM pg_index WHERE " OF_CUSTOMER), 1);
}

/* ---- drops, rebuilds, partitions ---- */

static struct http_client *killed_in_a_contract(struct world *world, struct daemon *first, PGconn *reader,
                                                const char *sql, const char *statement)
{
    char file[256];

    fleet_join(&first->client, REPLICA("new", 1, 9));
    snprintf(file, sizeof file, "-- schemagate: contract\n%s;\n", sql);
    rollout_submit(&first->client, 2, file);
    wait_until_it_waits(world, reader, statement);
    struct http_client *client = restart(world, first);
    fleet_join(client, REPLICA("new", 1, 9));
    return client;
}

static void a_killed_drop_goes_on(void **state)
{
    struct world *world = *state;
    struct daemon *first = begin(world, NULL);
    sql_run(world->sql, "CREATE INDEX by_name ON customer (name)");
    PGconn *reader = read_for_long(world, "customer");

    struct http_client *client = killed_in_a_contract(world, first, reader, "DROP INDEX CONCURRENTLY by_name",
                                                      "DROP INDEX");
    wait_until_it_waits(world, reader, "DROP INDEX");
    finish(reader);
    rollout_wait(client, 2, "complete");
    assert_int_equal(sql_number(world->sql, "SELECT count(*) FROM pg_index WHERE " OF_CUSTOMER), 0);
}

/* Another index of that name is not what was to be dropped. */
static void a_drop_that_has_ended_is_not_done_again(void **state)
{
    struct world *world = *state;
    struct daemon *first = begin(world, &(struct daemon_options){.failpoint = "alone-ran=kill"});

    sql_run(world->sql, "CREATE INDEX by_name ON customer (name)");
    rollout_submit(&first->client, 2, "-- schemagate: contract\nDROP INDEX CONCURRENTLY by_name;\n");
    http_tell(&first->client, "PUT", fleet_body(REPLICA("new", 1, 9)), "/v1/apps/web/replicas/new");
    daemon_expect_killed(first);
    sql_run(world->sql, "CREATE INDEX by_name ON customer (name)");
    struct http_client *client = world_client(world);
    fleet_join(client, REPLICA("new", 1, 9));
    rollout_wait(client, 2, "complete");
    expect_built_once(world, 2);
}

static void a_killed_rebuild_leaves_nothing(void **state)
{
    struct world *world = *state;
    struct daemon *first = begin(world, NULL);
    char sqlstate[6];

    sql_run(world->sql, "CREATE INDEX by_name ON customer (name); INSERT INTO customer VALUES (4, 'Ada')");
    sql_try(world->sql, sqlstate, "CREATE UNIQUE INDEX CONCURRENTLY by_name_ccnew7 ON customer (name)");
    PGconn *reader = read_for_long(world, "customer");
    rollout_submit(&first->client, 2, "-- schemagate: expand\nREINDEX INDEX CONCURRENTLY by_name;\n");
    wait_until_it_waits(world, reader, "REINDEX");
    struct http_client *client = restart(world, first);
    wait_until_it_waits(world, reader, "DROP INDEX CONCURRENTLY public.by_name_ccnew");
    finish(reader);
    rollout_wait(client, 2, "complete");
    assert_int_equal(sql_number(world->sql, "SELECT count(*) FROM pg_index WHERE NOT indisvalid "
                                "AND indexrelid = 'by_name_ccnew7'::regclass"), 1);
    sql_run(world->sql, "DROP INDEX by_name_ccnew7");
    expect_built_once(world, 2);
}

/* An index of a TOAST table is a superuser's to drop: what is left of it keeps nobody from going on. */
static void what_it_may_not_drop_is_left(void **state)
{
    struct world *world = *state;
    const char *environment[] = {"SCHEMAGATE_MIGRATION_RUN_AS=rebuilder", NULL};

    sql_run(world->sql, "CREATE ROLE rebuilder; GRANT ALL ON SCHEMA public TO rebuilder");
    struct http_client *client = &begin(world, &(struct daemon_options){.environment = environment})->client;
    PGconn *reader = read_for_long(world, "customer");
    rollout_submit(client, 2, "-- schemagate: expand\nREINDEX TABLE CONCURRENTLY customer;\n");
    wait_until_it_waits(world, reader, "REINDEX");
    cancel(client);
    finish(reader);
    rollout_act(client, 2, "retry");
    rollout_wait(client, 2, "complete");
    assert_int_equal(sql_number(world->sql, "SELECT count(*) FROM pg_index "
                                "WHERE NOT indisvalid AND indrelid = 'customer'::regclass"), 0);
}

static void a_killed_detach_is_finished(void **state)
{
    struct world *world = *state;
    struct daemon *first = begin(world, NULL);

    if (PQserverVersion(world->sql) < 140000)
        skip();
    sql_run(world->sql, "CREATE TABLE parted (id int) PARTITION BY RANGE (id); "
                        "CREATE TABLE part PARTITION OF parted FOR VALUES FROM (0) TO (9)");
    PGconn *reader = read_for_long(world, "parted");
    struct http_client *client = killed_in_a_contract(
        world, first, reader, "ALTER TABLE parted DETACH PARTITION part CONCURRENTLY", "ALTER TABLE");
    /* It is finished with short tries: readers of the partition do not queue behind it for long. */
    sql_wait(world->sql, "SELECT EXISTS (SELECT FROM schemagate.event WHERE version = 2 "
                         "AND kind = 'migration.retrying') "
                         "AND EXISTS (SELECT FROM pg_inherits WHERE inhdetachpending)");
    finish(reader);
    rollout_wait(client, 2, "complete");
    assert_int_equal(sql_number(world->sql, "SELECT count(*) FROM pg_inherits"), 0);
    assert_int_equal(sql_number(world->sql, "SELECT count(*) FROM part"), 0);
}

/* It makes keys of the partition's own, and lets go those that refer to it: with locks that the writers of
 * the other tables would queue behind, for as long as it waits for one of them. */
static void writers_do_not_queue_behind_a_detach(void **state)
{
    static const char *const written[] = {"member", "loan"};
    struct world *world = *state;

    if (PQserverVersion(world->sql) < 140000)
        skip();
    struct http_client *client = &begin(world, NULL)->client;
    fleet_join(client, REPLICA("new", 1, 9));
    for (int64_t i = 0; i < 2; i++) {
        sql_run(world->sql, "DROP TABLE IF EXISTS loan, part, parted, member;"
                            "CREATE TABLE member (id int PRIMARY KEY, n int);"
                            "CREATE TABLE parted (id int PRIMARY KEY, member int REFERENCES member) "
                            "PARTITION BY RANGE (id);"
                            "CREATE TABLE part PARTITION OF parted FOR VALUES FROM (0) TO (9);"
                            "CREATE TABLE loan (id int PRIMARY KEY, n int, of int REFERENCES parted);"
                            "INSERT INTO member VALUES (1), (2); INSERT INTO loan VALUES (1), (2)");
        PGconn *writer = sql_open(world->conninfo);
        sql_run(writer, "BEGIN; UPDATE %s SET n = 1 WHERE id = 1", written[i]);
        rollout_submit(client, 2 + i, "-- schemagate: contract\n"
                                      "ALTER TABLE parted DETACH PARTITION part CONCURRENTLY;\n");
        sql_wait(world->sql, "SELECT EXISTS (SELECT FROM schemagate.event "
                             "WHERE version = %lld AND kind = 'migration.retrying')", (long long)(2 + i));
        sql_run(world->sql, "SET lock_timeout = '20s'; UPDATE %s SET n = 1 WHERE id = 2; RESET lock_timeout",
                written[i]);
        assert_int_equal(sql_number(world->sql, "SELECT count(*) FROM pg_inherits "
                                                "WHERE inhparent = 'parted'::regclass"), 1);
        finish(writer);
        rollout_wait(client, 2 + i, "complete");
        assert_int_equal(sql_number(world->sql, "SELECT count(*) FROM pg_inherits "
                                                "WHERE inhparent = 'parted'::regclass"), 0);
    }
}

/* ---- a contract that begins with one, and fails ---- */

static void contract(struct http_client *client, int64_t version, const char *sql)
{
    char file[256];

    snprintf(file, sizeof file, "-- schemagate: contract\n%s;\n", sql);
    rollout_submit(client, version, file);
}

static void expect_admission(struct http_client *client, bool open)
{
    const struct http_answer *answer = http_tell(client, "GET", NULL, "/status");
    assert_int_equal(json_is_null(json_at(answer->json, "/window/contracting")), open);
}

/* Nothing of it is there: old code may start again, and nobody has to go on with it. */
static void a_contract_that_has_left_nothing_is_taken_back(void **state)
{
    struct world *world = *state;
    bool detaches = PQserverVersion(world->sql) >= 140000; /* 13 does not know the word */
    const struct {
        const char *sql, *sqlstate;
    } failures[] = {
        {"CREATE UNIQUE INDEX CONCURRENTLY by_name ON customer (name)", "23505"},
        {"CREATE INDEX CONCURRENTLY customer_pkey ON customer (name)", "42P07"},
        {"CREATE INDEX CONCURRENTLY by_name ON customer (nothing)", "42703"},
        {"DROP INDEX CONCURRENTLY customer_pkey", "2BP01"},
        {"DROP INDEX CONCURRENTLY nothing", "42704"},
        {"REINDEX INDEX CONCURRENTLY nothing", "42P01"},
        {"ALTER TABLE parted DETACH PARTITION customer CONCURRENTLY", detaches ? "42P01" : "42601"},
    };
    struct http_client *client = &begin(world, NULL)->client;

    sql_run(world->sql, "INSERT INTO customer VALUES (4, 'Ada'); "
                        "CREATE TABLE parted (id int) PARTITION BY RANGE (id)");
    fleet_join(client, REPLICA("new", 1, 99));
    for (size_t i = 0; i < sizeof failures / sizeof *failures; i++) {
        int64_t version = 2 + (int64_t)i;
        contract(client, version, failures[i].sql);
        rollout_wait_status(client, version, "failed");
        assert_string_equal(json_text_at(rollout_get(client, version)->json, "/error/sqlstate"),
                            failures[i].sqlstate);
        rollout_expect_phase(client, version, "expanded", "failed");
        expect_admission(client, true);
        rollout_act(client, version, "undo");
        rollout_wait(client, version, "undone");
    }
    assert_int_equal(sql_number(world->sql, "SELECT count(*) FROM pg_index WHERE " OF_CUSTOMER), 0);
}

/* The index is not valid any more: what old code knew is not there. Also after a restart. */
static void a_contract_that_is_half_done_stays(void **state)
{
    struct world *world = *state;
    struct daemon *daemon = begin(world, NULL);
    PGconn *reader = read_for_long(world, "customer");

    sql_run(world->sql, "CREATE INDEX by_name ON customer (name)");
    fleet_join(&daemon->client, REPLICA("new", 1, 9));
    contract(&daemon->client, 2, "DROP INDEX CONCURRENTLY by_name");
    wait_until_it_waits(world, reader, "DROP INDEX");
    cancel(&daemon->client);
    rollout_expect_phase(&daemon->client, 2, "contracting", "failed");
    expect_admission(&daemon->client, false);
    finish(reader);
    struct http_client *client = restart(world, daemon);
    fleet_join(client, REPLICA("new", 1, 9));
    rollout_act(client, 2, "retry");
    rollout_wait(client, 2, "complete");
    assert_int_equal(sql_number(world->sql, "SELECT count(*) FROM pg_index WHERE " OF_CUSTOMER), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        world_test(a_killed_build_is_begun_anew),
        world_test(a_build_that_was_only_noted_is_begun),
        world_test(a_build_that_had_ended_is_not_done_again),
        world_test(a_cancelled_build_is_tried_again),
        world_test(its_progress_is_shown_while_it_runs),
        world_test(a_duplicate_is_named),
        world_test(a_failed_build_that_is_given_up_leaves_nothing),
        world_test(what_is_somebody_elses_is_left_as_it_is),
        world_test(if_not_exists_takes_an_equal_one_only),
        world_test(what_comes_in_between_is_not_ours_either),
        world_test(a_killed_drop_goes_on),
        world_test(a_drop_that_has_ended_is_not_done_again),
        world_test(a_killed_rebuild_leaves_nothing),
        world_test(what_it_may_not_drop_is_left),
        world_test(a_killed_detach_is_finished),
        world_test(a_contract_that_has_left_nothing_is_taken_back),
        world_test(a_contract_that_is_half_done_stays),
        world_test(writers_do_not_queue_behind_a_detach),
    };
    return world_run(tests);
}
