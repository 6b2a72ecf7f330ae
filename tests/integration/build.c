/* An index that is struck in the middle of its build. The build stands still where the test wants it to: the
 * index calls a function that waits for an advisory lock at one of its rows. */
#include <support/expect.h>
#include <support/samples.h>
#include <support/world.h>

#include <string.h>

#define ROWS 2000
#define MIDDLE 1500 /* the row at which the build waits */
#define GATE 77     /* the advisory lock */

#define BUILD                                                                                          \
    "-- schemagate: expand\nCREATE INDEX CONCURRENTLY by_slow ON ledger (slow(id));\n"                 \
    "INSERT INTO runs DEFAULT VALUES;\n"

/* The only lock of this kind that the test takes; schemagate's own have other numbers. */
static PGconn *close_gate(struct world *world)
{
    PGconn *keeper = sql_open(world->conninfo);
    sql_run(keeper, "SELECT pg_advisory_lock(%d)", GATE);
    return keeper;
}

static struct daemon *begin(struct world *world)
{
    sql_run(world->sql,
            "CREATE TABLE ledger (id int PRIMARY KEY); INSERT INTO ledger SELECT generate_series(1, %d);"
            "CREATE TABLE runs (at timestamptz DEFAULT now());"
            "CREATE FUNCTION slow(n int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN"
            " IF n = %d THEN PERFORM pg_advisory_xact_lock_shared(%d); END IF; RETURN n; END $$",
            ROWS, MIDDLE, GATE);
    return world_daemon(world, NULL);
}

static void wait_until_it_stands(struct world *world, const PGconn *keeper)
{
    sql_wait(world->sql, "SELECT EXISTS (SELECT FROM pg_stat_progress_create_index "
                         "WHERE %d = ANY (pg_blocking_pids(pid)) AND datname = current_database())",
             PQbackendPID(keeper));
}

static void open_gate(PGconn *keeper)
{
    PQfinish(keeper);
}

static void expect_built_once(struct world *world)
{
    assert_int_equal(sql_number(world->sql, "SELECT count(*) FROM pg_index "
                                "WHERE indrelid = 'ledger'::regclass AND NOT indisprimary"), 1);
    assert_int_equal(sql_number(world->sql, "SELECT count(*) FROM pg_index WHERE indisvalid AND indisready "
                                "AND indexrelid = 'by_slow'::regclass"), 1);
    assert_int_equal(sql_number(world->sql, "SELECT count(*) FROM runs"), 1);
    assert_int_equal(sql_number(world->sql, "SELECT count(*) FROM schemagate.event "
                                "WHERE kind IN ('migration.complete', 'migration.failed')"), 1);
    sql_run(world->sql, "SET enable_seqscan = off");
    assert_int_equal(sql_number(world->sql, "SELECT count(*) FROM ledger WHERE slow(id) > 0"), ROWS);
}

/* ---- strikes ---- */

static struct daemon *kill_daemon(struct world *world, struct daemon *daemon)
{
    world_kill(world, daemon);
    return world_launch(world, NULL);
}

static struct daemon *end_backend(struct world *world, struct daemon *daemon)
{
    assert_int_equal(sql_number(world->sql, "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
                                "WHERE application_name = 'schemagate coordinator' "
                                "AND datname = current_database()"), 1);
    return daemon;
}

static struct daemon *crash_server(struct world *world, struct daemon *daemon)
{
    cluster_crash(&world->cluster);
    cluster_start(&world->cluster);
    world_reconnect(world);
    return daemon;
}

/* The gate stays closed until the next build stands before it, too: that one begins from nothing. */
static void survives(struct world *world, struct daemon *(*strike)(struct world *, struct daemon *))
{
    struct daemon *daemon = begin(world);
    PGconn *keeper = close_gate(world);

    rollout_submit(&daemon->client, 1, BUILD);
    wait_until_it_stands(world, keeper);
    int64_t first = sql_number(world->sql, "SELECT 'by_slow'::regclass::oid");
    daemon = strike(world, daemon);
    if (strike == crash_server) { /* the keeper's session has ended with it */
        PQfinish(keeper);
        keeper = close_gate(world);
    }
    sql_wait(world->sql, "SELECT to_regclass('by_slow')::oid <> %lld", (long long)first);
    wait_until_it_stands(world, keeper);
    open_gate(keeper);
    daemon_wait_leader(daemon);
    rollout_wait(&daemon->client, 1, "complete");
    expect_built_once(world);
}

static void a_killed_daemon(void **state)
{
    survives(*state, kill_daemon);
}

static void an_ended_backend(void **state)
{
    survives(*state, end_backend);
}

static void a_crash_of_the_server(void **state)
{
    survives(*state, crash_server);
}

/* Nobody is in the way of taking it away: it is gone as soon as the cancel is answered. */
static void a_cancel_leaves_nothing(void **state)
{
    struct world *world = *state;
    struct http_client *client = &begin(world)->client;
    PGconn *keeper = close_gate(world);

    rollout_submit(client, 1, BUILD);
    wait_until_it_stands(world, keeper);
    rollout_act(client, 1, "cancel");
    rollout_wait_status(client, 1, "failed");
    assert_int_equal(sql_number(world->sql, "SELECT count(*) FROM pg_class WHERE relname = 'by_slow'"), 0);
    open_gate(keeper);
    rollout_act(client, 1, "retry");
    rollout_wait(client, 1, "complete");
    assert_int_equal(sql_number(world->sql, "SELECT count(*) FROM runs"), 1);
}

/* ---- what is seen of it ---- */

static const json_t *wait_progress(struct http_client *client, const char *unit)
{
    int64_t deadline = test_now_ms() + PATIENCE_MS;

    for (;;) {
        const struct http_answer *answer = rollout_get(client, 1);
        const json_t *progress = json_at(answer->json, "/steps/0/progress");
        const char *shown = json_string_value(json_object_get(progress, "unit"));
        if (shown && strcmp(shown, unit) == 0)
            return progress;
        if (test_now_ms() > deadline)
            test_fail("no progress in %s: %s", unit, answer->body);
        test_pause();
    }
}

static void its_progress_is_that_of_the_server(void **state)
{
    struct world *world = *state;
    struct http_client *client = &begin(world)->client;
    PGconn *keeper = close_gate(world), *writer = sql_open(world->conninfo);

    sql_run(writer, "BEGIN; UPDATE ledger SET id = id WHERE id = 1");
    rollout_submit(client, 1, BUILD);
    const json_t *progress = wait_progress(client, "transactions to wait for");
    assert_int_equal(json_integer_value(json_object_get(progress, "done")), 0);
    assert_int_equal(json_integer_value(json_object_get(progress, "total")), 1);
    sql_run(writer, "COMMIT");
    wait_until_it_stands(world, keeper);
    progress = wait_progress(client, "blocks");
    assert_non_null(strstr(json_string_value(json_object_get(progress, "phase")), "building index"));
    int64_t blocks = sql_number(world->sql, "SELECT pg_relation_size('ledger') / 8192");
    assert_int_equal(json_integer_value(json_object_get(progress, "total")), blocks);
    assert_in_range(json_integer_value(json_object_get(progress, "done")), 1, blocks - 1);
    open_gate(keeper);
    rollout_wait(client, 1, "complete");
    assert_true(json_is_null(json_at(rollout_get(client, 1)->json, "/steps/0/progress")));
    expect_built_once(world);
    PQfinish(writer);
}

#define OWN "application_name LIKE 'schemagate%%' AND datname = current_database()"

/* It waits for one who holds an old snapshot, and the daemon's other sessions go on looking: none of them is
 * ever among those for whom it waits, nor is a second daemon that polls for the lock. */
static void it_never_waits_for_schemagate_itself(void **state)
{
    struct world *world = *state;
    struct http_client *client = &begin(world)->client;
    struct daemon *standby = world_launch(world, NULL);
    PGconn *reader = sql_open(world->conninfo);

    daemon_wait_notification(standby, "READY=1");
    sql_run(reader, "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1 FROM runs");
    rollout_submit(client, 1, BUILD);
    sql_wait(world->sql, "SELECT EXISTS (SELECT FROM pg_stat_progress_create_index WHERE "
                         "%d = ANY (pg_blocking_pids(pid)))", PQbackendPID(reader));
    assert_true(sql_number(world->sql, "SELECT count(*) FROM pg_stat_activity WHERE " OWN) >= 4);
    for (int looks = 0; looks < 200; looks++) {
        fleet_join(client, REPLICA("busy", 0, 1000)); /* the store writes, the witness looks */
        assert_int_equal(sql_number(world->sql, "SELECT count(*) FROM pg_stat_activity AS a, "
                                    "unnest(pg_blocking_pids(a.pid)) AS b (pid) WHERE b.pid <> %d AND "
                                    OWN, PQbackendPID(reader)), 0);
        assert_int_equal(sql_number(world->sql, "SELECT count(*) FROM pg_stat_activity WHERE " OWN
                                    " AND state LIKE 'idle in transaction%%'"), 0);
    }
    sql_run(reader, "COMMIT");
    PQfinish(reader);
    rollout_wait(client, 1, "complete");
    expect_built_once(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        world_test(a_killed_daemon),
        world_test(an_ended_backend),
        world_test(a_crash_of_the_server),
        world_test(a_cancel_leaves_nothing),
        world_test(its_progress_is_that_of_the_server),
        world_test(it_never_waits_for_schemagate_itself),
    };
    return world_run(tests);
}
