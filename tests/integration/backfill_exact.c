/* The end of a backfill: nothing is said to be done that one look at all rows, in one snapshot, has not found
 * done. A batch that waits for a row keeps a pass in the middle, for as long as the test needs. */
#include "backfill_scene.h"

#include <string.h>

/* One statement at a time waits for its rows, and is not given up meanwhile. */
static const char *const patient[] = {"SCHEMAGATE_MIGRATION_BACKFILL_BATCH_MS=10",
                                      "SCHEMAGATE_MIGRATION_LOCK_TIMEOUT_MS=60000", NULL};

static struct http_client *patient_client(struct world *world)
{
    return &world_daemon(world, &(struct daemon_options){.environment = patient})->client;
}

/* The first thousand rows are done, and the batch behind them waits. */
static void wait_behind_the_first_batch(struct world *world, int64_t version)
{
    sql_wait(world->sql, "SELECT (progress->>'walked')::bigint BETWEEN 1000 AND 2000 "
                         "FROM schemagate.step WHERE version = %lld AND section = 'backfill'",
             (long long)version);
}

/* ---- rows that move ---- */

/* Rows 2000 and 2500 are left to do. The test does 2000 itself, and commits that when the pass has come up to
 * it; by then 2500 has moved to where the pass has been. So the pass changes nothing: it has found none. */
#define LEFT "CASE WHEN i IN (2000, 2500) THEN NULL ELSE 1 END"

static const struct moving {
    const char *tables, *held, *statement, *move, *left;
} moving[] = {
    /* Ten rows a page; the first pages have room, and the last one has none. */
    {"CREATE TABLE t (k int, n int, pad text); INSERT INTO t SELECT i, " LEFT ", repeat('x', 750) "
     "FROM generate_series(1, 4000) AS i; DELETE FROM t WHERE k <= 50 OR k > 3000",
     "UPDATE t SET n = 1 WHERE k = 2000", "UPDATE t SET n = 1 WHERE n IS NULL",
     "UPDATE t SET k = k WHERE k = 2500", "SELECT count(*) FROM t WHERE n IS NULL"},
    {"CREATE TABLE t (k int, at int, n int, PRIMARY KEY (k, at)) PARTITION BY RANGE (at);"
     "CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (0) TO (1001);"
     "CREATE TABLE t2 PARTITION OF t FOR VALUES FROM (1001) TO (9000);"
     "INSERT INTO t SELECT i, i, " LEFT " FROM generate_series(1, 3000) AS i",
     "UPDATE t SET n = 1 WHERE k = 2000", "UPDATE t SET n = 1 WHERE n IS NULL",
     "UPDATE t SET at = 1 WHERE k = 2500", "SELECT count(*) FROM t WHERE n IS NULL"},
    {"CREATE TABLE t (k int PRIMARY KEY, n int); INSERT INTO t SELECT i, " LEFT
     " FROM generate_series(1, 3000) AS i",
     "UPDATE t SET n = 1 WHERE k = 2000", "UPDATE t AS x SET n = 1 WHERE x.n IS NULL -- some\n",
     "UPDATE t SET k = -1 WHERE k = 2500", "SELECT count(*) FROM t WHERE n IS NULL"},
    {"CREATE TABLE t (k int PRIMARY KEY, n int); INSERT INTO t SELECT i, " LEFT
     " FROM generate_series(1, 3000) AS i",
     "UPDATE t SET n = 1 WHERE k = 2000", "DELETE FROM t WHERE n IS NULL",
     "UPDATE t SET k = -1 WHERE k = 2500", "SELECT count(*) FROM t WHERE n IS NULL"},
    {"CREATE TABLE t (k int PRIMARY KEY, name text); INSERT INTO t SELECT i, 'n' || i "
     "FROM generate_series(1, 3000) AS i;"
     "CREATE TABLE copy (name varchar(20), k bigint, PRIMARY KEY (k, name));"
     "INSERT INTO copy SELECT name, k FROM t WHERE k NOT IN (2000, 2500)",
     "INSERT INTO copy VALUES ('n2000', 2000)",
     "INSERT INTO copy (k, name) SELECT o.k, name FROM t AS o WHERE o.k <> 0 "
     "ON CONFLICT (name, k) DO NOTHING",
     "UPDATE t SET k = -1 WHERE k = 2500",
     "SELECT count(*) FROM t LEFT JOIN copy USING (k, name) WHERE copy.k IS NULL"},
};

static void what_moves_behind_the_last_pass_is_found_by_the_look(void **state)
{
    struct world *world = *state;
    struct http_client *client = patient_client(world);

    for (size_t i = 0; i < sizeof moving / sizeof moving[0]; i++) {
        const struct moving *t = &moving[i];
        int64_t version = (int64_t)i + 1;
        sql_run(world->sql, "DROP TABLE IF EXISTS t, copy");
        sql_run(world->sql, "%s", t->tables);
        sql_run(world->sql, "VACUUM ANALYZE t");
        PGconn *holder = sql_open(world->conninfo);
        sql_run(holder, "BEGIN");
        sql_run(holder, "%s", t->held);
        submit_backfill(client, version, t->statement);
        wait_behind_the_first_batch(world, version);
        sql_run(world->sql, "%s", t->move);
        if (i == 0) /* it got a place on a page that was read */
            assert_in_range(sql_number(world->sql, "SELECT (ctid::text::point)[0] FROM t WHERE k = 2500"), 0,
                            9);
        sql_run(holder, "COMMIT");
        PQfinish(holder);
        rollout_wait(client, version, "complete");
        if (sql_number(world->sql, "%s", t->left) != 0)
            test_fail("missed by: %s", t->statement);
        expect_progress(world, version, "whole", "");
        expect_progress(world, version, "rows", "1");
        expect_progress(world, version, "pass", "2"); /* the first one has changed nothing */
        expect_progress(world, version, "verified", "true");
        expect_progress(world, version, "left", "0");
    }
}

/* ---- what no look can tell ---- */

/* Nothing is ever in the way of a null: a further pass would copy its row again. */
static void a_copy_that_nothing_is_in_the_way_of_is_made_once(void **state)
{
    struct world *world = *state;
    struct http_client *client = world_client(world);
    sql_run(world->sql, "CREATE TABLE t (k int PRIMARY KEY, n int); CREATE TABLE copy (n int UNIQUE);"
                        "INSERT INTO t SELECT i, CASE WHEN i > 10 THEN i END "
                        "FROM generate_series(1, 2000) AS i");
    fill(client, 1, "INSERT INTO copy (n) SELECT n FROM t ON CONFLICT (n) DO NOTHING");
    assert_int_equal(sql_number(world->sql, "SELECT count(*) FROM copy"), 2000);
    expect_progress(world, 1, "verified", "");
    sql_run(world->sql, "TRUNCATE copy; UPDATE t SET n = 0 WHERE n IS NULL;"
                        "ALTER TABLE copy ADD PRIMARY KEY (n)");
    fill(client, 2, "INSERT INTO copy (n) SELECT n FROM t ON CONFLICT (n) DO NOTHING");
    assert_int_equal(sql_number(world->sql, "SELECT count(*) FROM copy"), 1991);
    expect_progress(world, 2, "verified", "true");
}

/* ---- the look ---- */

/* Row 7 never gets its value, so the look comes by; there it waits for the test. Row 3000 keeps the first
 * pass from its end until the test stands in the way. */
static PGconn *begin_a_look(struct world *world, struct http_client *client)
{
    PGconn *gate = sql_open(world->conninfo), *holder = sql_open(world->conninfo);

    sql_run(world->sql, "CREATE TABLE t (k int PRIMARY KEY, a text, b text);"
                        "INSERT INTO t SELECT i, nullif(i, 7) FROM generate_series(1, " ROWS ") AS i;"
                        "ANALYZE t;"
                        "CREATE FUNCTION passes(k int) RETURNS bool LANGUAGE plpgsql AS 'BEGIN "
                        "IF k = 7 THEN PERFORM pg_advisory_xact_lock_shared(7); END IF; RETURN true; END'");
    sql_run(holder, "BEGIN; SELECT FROM t WHERE k = 3000 FOR UPDATE");
    submit_backfill(client, 1, "UPDATE t SET b = a WHERE b IS NULL AND passes(k)");
    wait_behind_the_first_batch(world, 1);
    sql_run(gate, "SELECT pg_advisory_lock(7)");
    sql_run(holder, "COMMIT");
    PQfinish(holder);
    sql_wait(world->sql, "SELECT count(*) = 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted "
                         "AND objid = 7");
    return gate;
}

static void the_look_only_reads_is_told_and_can_be_cancelled(void **state)
{
    struct world *world = *state;
    struct http_client *client = patient_client(world);
    PGconn *gate = begin_a_look(world, client);
    const struct http_answer *answer = rollout_get(client, 1);

    assert_true(json_is_true(json_at(answer->json, "/backfill/verifying")));
    assert_true(json_is_integer(json_at(answer->json, "/backfill/verifying_ms")));
    assert_non_null(strstr(json_text_at(answer->json, "/summary"),
                           "looks in one statement for rows that are left, at all of about "));
    char *modes = sql_text(world->sql,
                           "SELECT string_agg(DISTINCT mode, ' ') FROM pg_locks WHERE pid = "
                           "(SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND NOT granted "
                           "AND objid = 7) AND relation IN ('t'::regclass, 't_pkey'::regclass)");
    assert_string_equal(modes, "AccessShareLock");
    free(modes);
    sql_run(world->sql, "UPDATE t SET a = a"); /* nobody waits for it */
    rollout_act(client, 1, "cancel");
    rollout_wait_status(client, 1, "failed");
    sql_run(gate, "SELECT pg_advisory_unlock(7)");
    PQfinish(gate);
    rollout_act(client, 1, "retry");
    rollout_wait(client, 1, "complete");
    answer = rollout_get(client, 1);
    assert_true(json_is_false(json_at(answer->json, "/backfill/verified")));
    assert_int_equal(json_integer_value(json_at(answer->json, "/backfill/rows_left")), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        world_test(what_moves_behind_the_last_pass_is_found_by_the_look),
        world_test(a_copy_that_nothing_is_in_the_way_of_is_made_once),
        world_test(the_look_only_reads_is_told_and_can_be_cancelled),
    };
    return world_run(tests);
}
