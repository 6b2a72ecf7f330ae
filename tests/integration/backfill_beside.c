/* What goes on beside a backfill: writers, busy sessions, operators, contracts. A row that somebody locks
 * keeps it in the middle, for as long as the test needs. */
#include "backfill_scene.h"

#include <string.h>

#define BUSY 4

/* Somebody has row 3000 for himself. */
static PGconn *hold_row(struct world *world)
{
    PGconn *writer = sql_open(world->conninfo);
    sql_run(writer, "BEGIN; SELECT FROM t WHERE k = 3000 FOR UPDATE");
    return writer;
}

static void release_row(PGconn *writer)
{
    sql_run(writer, "COMMIT");
    PQfinish(writer);
}

/* Some rows are done, and it cannot go on: the batch with the locked row is tried again and again. */
static void wait_in_the_middle(struct world *world, int64_t version)
{
    sql_wait(world->sql, "SELECT (progress->>'rows')::bigint > 0 FROM schemagate.step WHERE version = %lld "
                         "AND section = 'backfill'", (long long)version);
}

static int64_t rows_done(struct world *world, int64_t version)
{
    char *rows = progress_of(world, version, "rows");
    int64_t number = strtoll(rows, NULL, 10);
    free(rows);
    return number;
}

static void create_rows(struct world *world, const char *key)
{
    sql_run(world->sql, "CREATE TABLE t (k int %s, n int);"
                        "INSERT INTO t SELECT i FROM generate_series(1, " ROWS ") AS i; ANALYZE t", key);
}

/* A row that is updated gets a new place: behind the last page that was there at the beginning, where no pass
 * over these comes by. So does one that is inserted. */
static void rows_that_move_between_pages_are_found(void **state)
{
    struct world *world = *state;
    struct http_client *client = client_of_small_batches(world);
    create_rows(world, "");
    PGconn *writer = hold_row(world);
    submit_backfill(client, 1, "UPDATE t SET n = 1 WHERE n IS NULL");
    wait_in_the_middle(world, 1);
    char *pages = progress_of(world, 1, "pages");
    sql_run(writer, "UPDATE t SET k = k WHERE k > 4000;"
                    "INSERT INTO t SELECT i FROM generate_series(5001, 5100) AS i");
    int64_t moved = sql_number(writer, "SELECT count(*) FROM t WHERE k > 4000 "
                                       "AND (ctid::text::point)[0] >= %s", pages);
    assert_int_equal(moved, 1100);
    release_row(writer);
    rollout_wait(client, 1, "complete");
    expect_all_once(world, "t");
    expect_progress(world, 1, "rows", "5100");
    expect_progress(world, 1, "pass", "2"); /* the look behind the first one has found them */
    expect_progress(world, 1, "verified", "true");
    free(pages);
}

/* ---- busy servers ---- */

static void wait_throttled(struct http_client *client, int64_t version, const char *by)
{
    int64_t deadline = test_now_ms() + PATIENCE_MS;
    for (;;) {
        const struct http_answer *answer = rollout_get(client, version);
        const json_t *throttle = json_at(answer->json, "/backfill/throttled_by");
        if (json_is_string(throttle) && strcmp(json_string_value(throttle), by) == 0)
            return;
        if (test_now_ms() > deadline)
            test_fail("migration %lld is not throttled: %s", (long long)version, answer->body);
        test_pause();
    }
}

static void it_waits_while_sessions_are_at_work(void **state)
{
    static const char *const few_sessions[] = {"SCHEMAGATE_MIGRATION_BACKFILL_BATCH_MS=10",
                                               "SCHEMAGATE_MIGRATION_BACKFILL_MAX_ACTIVE_SESSIONS=3", NULL};
    struct world *world = *state;
    struct daemon *daemon = world_daemon(world, &(struct daemon_options){.environment = few_sessions});
    struct http_client *client = &daemon->client;
    PGconn *busy[BUSY];
    create_rows(world, "PRIMARY KEY");
    sql_run(world->sql, "CREATE TABLE gate ()");
    sql_run(world->sql, "BEGIN; LOCK TABLE gate");
    for (size_t i = 0; i < BUSY; i++) {
        busy[i] = sql_open(world->conninfo);
        assert_int_equal(PQsendQuery(busy[i], "SELECT FROM gate"), 1);
    }
    submit_backfill(client, 1, "UPDATE t SET n = 1");
    wait_throttled(client, 1, "active-sessions");
    const struct http_answer *answer = rollout_get(client, 1);
    assert_in_range(json_integer_value(json_at(answer->json, "/backfill/rows_done")), 1, 4999);
    assert_string_equal(json_text_at(answer->json, "/status"), "waiting");
    assert_string_equal(json_text_at(answer->json, "/steps/0/state"), "running");
    answer = http_try(client, "GET", NULL, "Accept: text/html", "/");
    assert_non_null(strstr(answer->body, "<label for=\"progress-1-0\">Backfill</label>"));
    assert_non_null(strstr(answer->body, "<progress id=\"progress-1-0\" max=\""));
    sql_run(world->sql, "COMMIT");
    rollout_wait(client, 1, "complete");
    expect_all_once(world, "t");
    for (size_t i = 0; i < BUSY; i++)
        PQfinish(busy[i]);
}

/* Its consumer is gone, and nobody has told the server: the log is kept for it, by whomever it is written. */
static void it_waits_for_a_slot_that_holds_back_the_log(void **state)
{
    static const char *const little_log[] = {"SCHEMAGATE_MIGRATION_BACKFILL_BATCH_MS=10",
                                             "SCHEMAGATE_MIGRATION_BACKFILL_MAX_RETAINED_WAL_MB=1", NULL};
    struct world *world = *state;
    struct daemon *daemon = world_daemon(world, &(struct daemon_options){.environment = little_log});
    struct http_client *client = &daemon->client;
    create_rows(world, "PRIMARY KEY");
    sql_run(world->sql, "SELECT pg_create_physical_replication_slot('forgotten', true);"
                        "CREATE TABLE other AS SELECT repeat('x', 1000) FROM generate_series(1, 3000)");
    submit_backfill(client, 1, "UPDATE t SET n = 1");
    wait_throttled(client, 1, "replication-slot");
    const struct http_answer *answer = rollout_get(client, 1);
    assert_non_null(strstr(json_text_at(answer->json, "/summary"),
                           "the replication slot forgotten holds back "));
    assert_non_null(strstr(json_text_at(answer->json, "/backfill/throttle_advice"),
                           "SELECT pg_drop_replication_slot('forgotten')"));
    sql_run(world->sql, "SELECT pg_drop_replication_slot('forgotten')");
    rollout_wait(client, 1, "complete");
    expect_all_once(world, "t");
}

/* ---- what has its turn between two batches ---- */

static void a_pause_stops_it_and_resume_goes_on_behind_the_last_row(void **state)
{
    struct world *world = *state;
    struct http_client *client = client_of_small_batches(world);
    create_rows(world, "PRIMARY KEY");
    sql_run(world->sql, "UPDATE t SET n = 0; CREATE TABLE other (k int PRIMARY KEY)");
    PGconn *writer = hold_row(world);
    submit_backfill(client, 1, "UPDATE t SET n = n + 1");
    wait_in_the_middle(world, 1);
    rollout_act(client, 1, "pause");
    rollout_wait_status(client, 1, "paused");
    int64_t before = rows_done(world, 1);
    release_row(writer);
    /* The way is free, and the daemon is at work elsewhere. */
    rollout_submit(client, 2, "-- schemagate: expand\nALTER TABLE other ADD COLUMN a int;\n");
    rollout_expect_phase(client, 1, "backfilling", "paused");
    assert_int_equal(rows_done(world, 1), before);
    assert_int_equal(sql_number(world->sql, "SELECT count(*) FROM t WHERE n = 1"), before);
    rollout_act(client, 1, "resume");
    rollout_wait(client, 1, "complete");
    expect_all_once(world, "t");
    expect_progress(world, 1, "rows", ROWS);
}

static void a_contract_that_is_ready_runs_in_the_middle_of_a_backfill(void **state)
{
    struct world *world = *state;
    struct http_client *client = client_of_small_batches(world);
    create_rows(world, "PRIMARY KEY");
    rollout_submit(client, 1, SAMPLE_CREATE);
    rollout_wait(client, 1, "complete");
    fleet_join(client, REPLICA("old", 1, 1));
    fleet_join(client, REPLICA("new", 1, 3));
    rollout_submit(client, 2, SAMPLE_DROP_NOTE);
    rollout_wait(client, 2, "expanded");
    PGconn *writer = hold_row(world);
    submit_backfill(client, 3, "UPDATE t SET n = 1");
    wait_in_the_middle(world, 3);
    assert_int_equal(sql_number(world->sql, SAMPLE_HAS_COLUMN, "note"), 1);
    expect_answer(fleet_leave(client, REPLICA("old", 1, 1)), 204, NULL);
    rollout_wait(client, 2, "complete");
    assert_int_equal(sql_number(world->sql, SAMPLE_HAS_COLUMN, "note"), 0);
    assert_in_range(rows_done(world, 3), 1, 4999);
    release_row(writer);
    rollout_wait(client, 3, "complete");
    expect_all_once(world, "t");
    expect_progress(world, 3, "rows", ROWS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        world_test(rows_that_move_between_pages_are_found),
        world_test(it_waits_while_sessions_are_at_work),
        world_test(it_waits_for_a_slot_that_holds_back_the_log),
        world_test(a_pause_stops_it_and_resume_goes_on_behind_the_last_row),
        world_test(a_contract_that_is_ready_runs_in_the_middle_of_a_backfill),
    };
    return world_run(tests);
}
