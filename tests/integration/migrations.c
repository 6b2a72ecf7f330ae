/* Running migrations: steps, failures, order, and what operators do to them. */
#include <support/expect.h>
#include <support/samples.h>
#include <support/world.h>

#include <stdlib.h>
#include <string.h>

#define EXPAND(statement) "-- schemagate: expand\n" statement "\n"

static void what_cannot_run_in_a_transaction_runs_as_a_step_of_its_own(void **state)
{
    struct world *world = *state;
    struct http_client *client = world_client(world);
    rollout_submit(client, 1, SAMPLE_CREATE);
    rollout_submit(client, 2, EXPAND("CREATE INDEX CONCURRENTLY by_name ON customer (name);"));
    rollout_wait(client, 2, "complete");
    assert_int_equal(sql_number(world->sql, "SELECT count(*) FROM pg_index "
                                            "WHERE indisvalid AND "
                                            "indexrelid = 'by_name'::regclass"),
                     1);
}

static void failing_sql_is_rolled_back_and_says_where(void **state)
{
    struct world *world = *state;
    struct http_client *client = world_client(world);
    rollout_submit(client, 1, "-- schemagate: expand\nCREATE TABLE t (id int);\n"
                              "ALTER TABLE nowhere ADD COLUMN x int;\n");
    rollout_wait_status(client, 1, "failed");
    const struct http_answer *answer = rollout_get(client, 1);
    assert_string_equal(json_text_at(answer->json, "/error/sqlstate"), "42P01");
    assert_int_equal(json_number_at(answer->json, "/error/position/line"), 3);
    assert_non_null(strstr(json_text_at(answer->json, "/summary"),
                           "failed in expand step 2: 42P01"));
    assert_int_equal(sql_number(world->sql, "SELECT count(*) FROM pg_class WHERE relname = 't'"),
                     0);
}

static void an_error_is_placed_by_its_character(void **state)
{
    struct http_client *client = world_client(*state);
    rollout_submit(client, 1, "-- schemagate: expand\nCREATE TABLE t (id int);\n"
                              "INSERT INTO t\n  SELECT 'ü', nonesuch;\n");
    rollout_wait_status(client, 1, "failed");
    const struct http_answer *answer = rollout_get(client, 1);
    assert_string_equal(json_text_at(answer->json, "/error/sqlstate"), "42703");
    assert_int_equal(json_number_at(answer->json, "/error/position/line"), 4);
    assert_int_equal(json_number_at(answer->json, "/error/position/column"), 15);
}

static void a_failed_migration_is_retried(void **state)
{
    struct world *world = *state;
    struct http_client *client = world_client(world);
    rollout_submit(client, 1, EXPAND("ALTER TABLE customer ADD COLUMN x int;"));
    rollout_wait_status(client, 1, "failed");
    sql_run(world->sql, "CREATE TABLE customer (id int)");
    rollout_act(client, 1, "retry");
    rollout_wait(client, 1, "complete");
    assert_int_equal(sql_number(world->sql, SAMPLE_HAS_COLUMN, "x"), 1);
}

static void a_failed_migration_is_replaced_by_a_corrected_plan(void **state)
{
    struct world *world = *state;
    struct http_client *client = world_client(world);
    rollout_submit(client, 1, EXPAND("ALTER TABLE nowhere ADD COLUMN x int;"));
    rollout_wait_status(client, 1, "failed");
    const struct http_answer *answer = rollout_try_submit(client, 1, SAMPLE_CREATE, NULL);
    assert_in_range(answer->status, 200, 201);
    rollout_wait(client, 1, "complete");
    assert_int_equal(sql_number(world->sql, SAMPLE_HAS_COLUMN, "name"), 1);
}

static void a_failed_step_is_retried_where_it_failed(void **state)
{
    struct world *world = *state;
    struct http_client *client = world_client(world);
    rollout_submit(client, 1, "-- schemagate: expand atomic=no\nCREATE TABLE first (id int);\n"
                              "ALTER TABLE second ADD COLUMN x int;\n");
    rollout_wait_status(client, 1, "failed");
    assert_int_equal(sql_number(world->sql, "SELECT count(*) FROM first"), 0);
    sql_run(world->sql, "CREATE TABLE second (id int)");
    rollout_act(client, 1, "retry");
    rollout_wait(client, 1, "complete");
}

static void an_expanded_migration_is_undone(void **state)
{
    struct world *world = *state;
    struct http_client *client = world_client(world);
    rollout_submit(client, 1, SAMPLE_CREATE);
    rollout_submit(client, 2, SAMPLE_RENAME);
    rollout_wait(client, 2, "expanded");
    rollout_act(client, 2, "undo");
    rollout_wait(client, 2, "undone");
    assert_int_equal(sql_number(world->sql, SAMPLE_HAS_COLUMN, "full_name"), 0);
    rollout_expect_window(client, 0, 1);
    expect_answer(rollout_try_submit(client, 2, SAMPLE_DROP_NOTE, NULL), 409, NULL);
    rollout_submit(client, 3, SAMPLE_RENAME);
    rollout_wait(client, 3, "expanded");
    expect_answer(fleet_register(client, REPLICA("a", 2, 2)), 409, NULL);
}

static void without_an_undo_section_there_is_no_undo(void **state)
{
    struct http_client *client = world_client(*state);
    rollout_submit(client, 1, SAMPLE_CREATE);
    rollout_wait(client, 1, "complete");
    expect_answer(http_call(client, "POST", NULL, "/v1/migrations/1/undo"), 409, "no-undo");
}

static void a_complete_contract_cannot_be_undone(void **state)
{
    struct http_client *client = world_client(*state);
    rollout_submit(client, 1, SAMPLE_CREATE);
    rollout_submit(client, 2, SAMPLE_RENAME);
    rollout_wait(client, 2, "expanded");
    fleet_join(client, REPLICA("a", 2, 2));
    rollout_wait(client, 2, "complete");
    const struct http_answer *answer = http_call(client, "POST", NULL, "/v1/migrations/2/undo");
    expect_answer(answer, 409, "invalid-transition");
}

static void a_queued_migration_is_cancelled_and_its_version_can_be_corrected(void **state)
{
    struct http_client *client = world_client(*state);
    rollout_submit(client, 1, EXPAND("ALTER TABLE nowhere ADD COLUMN x int;"));
    rollout_submit(client, 2, EXPAND("CREATE TABLE t (id int);"));
    rollout_wait_status(client, 1, "failed");
    rollout_expect_phase(client, 2, "queued", "waiting");
    rollout_act(client, 2, "cancel");
    rollout_expect_phase(client, 2, "cancelled", "done");
    expect_answer(http_call(client, "POST", NULL, "/v1/migrations/2/retry"), 409,
                  "invalid-transition");
}

static void a_paused_migration_stays_where_it_is(void **state)
{
    struct http_client *client = world_client(*state);
    rollout_submit(client, 1, SAMPLE_CREATE);
    rollout_submit(client, 2, SAMPLE_RENAME);
    rollout_wait(client, 2, "expanded");
    rollout_act(client, 2, "pause");
    fleet_join(client, REPLICA("a", 2, 2));
    assert_true(rollout_has_hold(client, 2, "paused"));
    rollout_expect_phase(client, 2, "expanded", "paused");
    rollout_act(client, 2, "resume");
    rollout_wait(client, 2, "complete");
}

static void the_whole_daemon_is_paused(void **state)
{
    struct http_client *client = world_client(*state);
    rollout_submit(client, 1, SAMPLE_CREATE);
    rollout_wait(client, 1, "complete");
    json_t *reason = json_pack("{s:s}", "reason", "the shop is busy");
    expect_answer(http_call(client, "POST", reason, "/v1/pause"), 200, NULL);
    rollout_submit(client, 2, SAMPLE_RENAME);
    fleet_join(client, REPLICA("a", 1, 2));
    rollout_expect_phase(client, 2, "queued", "paused");
    const struct http_answer *status = http_call(client, "GET", NULL, "/status");
    assert_string_equal(json_text_at(status->json, "/paused/reason"), "the shop is busy");
    expect_answer(http_call(client, "POST", NULL, "/v1/resume"), 200, NULL);
    rollout_wait(client, 2, "complete");
}

static void contracts_run_in_version_order(void **state)
{
    struct world *world = *state;
    struct http_client *client = world_client(world);
    rollout_submit(client, 1, SAMPLE_CREATE);
    rollout_submit(client, 2, SAMPLE_RENAME);
    rollout_submit(client, 3, SAMPLE_DROP_NOTE);
    rollout_wait(client, 3, "expanded");
    rollout_expect_window(client, 0, 3);
    fleet_join(client, REPLICA("old", 1, 1));
    fleet_join(client, REPLICA("new", 1, 3));
    rollout_wait_hold(client, 3, "earlier-migration");
    assert_true(rollout_has_hold(client, 2, "replica-behind"));
    expect_answer(fleet_leave(client, REPLICA("old", 1, 1)), 204, NULL);
    rollout_wait(client, 3, "complete");
    rollout_expect_window(client, 3, 3);
    char *ordered = sql_text(world->sql, "SELECT string_agg(version::text, ',' ORDER BY id) FROM "
                                         "schemagate.event WHERE kind = 'migration.complete'");
    assert_string_equal(ordered, "1,2,3");
    free(ordered);
}

static void several_migrations_are_open_at_once(void **state)
{
    struct http_client *client = world_client(*state);
    rollout_submit(client, 1, SAMPLE_CREATE);
    rollout_submit(client, 2, SAMPLE_RENAME);
    rollout_submit(client, 3, SAMPLE_DROP_NOTE);
    rollout_submit(client, 4, EXPAND("CREATE TABLE other (id int);"));
    rollout_wait(client, 4, "complete");
    rollout_expect_phase(client, 2, "expanded", "waiting");
    rollout_expect_phase(client, 3, "expanded", "waiting");
    expect_answer(fleet_register(client, REPLICA("one", 1, 1)), 201, NULL);
    expect_answer(fleet_register(client, REPLICA("four", 4, 4)), 201, NULL);
    const struct http_answer *status = http_call(client, "GET", NULL, "/status");
    assert_int_equal(json_array_size(json_at(status->json, "/migrations/open")), 2);
}

static void an_existing_database_is_adopted(void **state)
{
    struct world *world = *state;
    sql_run(world->sql, "CREATE TABLE customer (id int, name text, note text)");
    struct http_client *client = world_client(world);
    json_t *body = json_pack("{s:i}", "version", 40);
    expect_answer(http_call(client, "POST", json_incref(body), "/v1/baseline"), 201, NULL);
    expect_answer(http_call(client, "POST", body, "/v1/baseline"), 200, NULL);
    expect_answer(http_call(client, "POST", json_pack("{s:i}", "version", 41), "/v1/baseline"), 409,
                  NULL);
    rollout_expect_window(client, 40, 40);
    const struct http_answer *answer = rollout_try_submit(client, 39, SAMPLE_CREATE, NULL);
    expect_answer(answer, 200, NULL);
    assert_int_equal(json_is_true(json_at(answer->json, "/baselined")), 1);
    fleet_join(client, REPLICA("a", 40, 41));
    rollout_submit(client, 41, SAMPLE_RENAME);
    rollout_wait(client, 41, "complete");
    rollout_expect_window(client, 41, 41);
}

static void a_baseline_that_shuts_out_a_replica_is_refused(void **state)
{
    struct http_client *client = world_client(*state);
    fleet_join(client, REPLICA("a", 0, 3));
    expect_answer(http_call(client, "POST", json_pack("{s:i}", "version", 40), "/v1/baseline"), 409,
                  NULL);
}

/* A place in a text that was generated is none in the file. */
static void an_error_in_what_was_generated_is_at_its_statement(void **state)
{
    struct world *world = *state;
    struct http_client *client = &world_daemon(world, NULL)->client;

    sql_run(world->sql, "CREATE TABLE t (id int PRIMARY KEY, b int)");
    rollout_submit(client, 1, "ALTER TABLE t\n\n ALTER COLUMN b\n TYPE uuid USING missing(b);\n");
    rollout_wait_status(client, 1, "failed");
    const struct http_answer *answer = rollout_get(client, 1);
    assert_string_equal(json_text_at(answer->json, "/error/sqlstate"), "42883");
    assert_int_equal(json_number_at(answer->json, "/error/position/line"), 1);
    assert_int_equal(json_number_at(answer->json, "/error/position/column"), 1);
    rollout_act(client, 1, "cancel");
    rollout_wait_status(client, 1, "done");
    assert_int_equal(json_array_size(json_at(rollout_get(client, 1)->json, "/actions")), 0);
}

static void a_lock_that_is_not_to_be_had_is_waited_for(void **state)
{
    struct world *world = *state;
    struct http_client *client = world_client(world);
    rollout_submit(client, 1, SAMPLE_CREATE);
    rollout_wait(client, 1, "complete");
    sql_run(world->sql, "BEGIN; SELECT * FROM customer");
    rollout_submit(client, 2, SAMPLE_RENAME);
    rollout_wait_blocked(client, 2);
    sql_run(world->sql, "COMMIT");
    rollout_wait(client, 2, "expanded");
}

static void every_step_leaves_a_row_and_every_transition_an_event(void **state)
{
    struct world *world = *state;
    struct http_client *client = world_client(world);
    rollout_submit(client, 1, SAMPLE_CREATE);
    rollout_submit(client, 2, SAMPLE_RENAME);
    fleet_join(client, REPLICA("a", 1, 2));
    rollout_wait(client, 2, "complete");
    assert_int_equal(sql_number(world->sql,
                                "SELECT count(*) FROM schemagate.step WHERE version = 2 "
                                "AND section <> 'undo' AND state = 'done'"),
                     3);
    char *kinds =
        sql_text(world->sql, "SELECT string_agg(kind, ' ' ORDER BY id) FROM schemagate.event "
                             "WHERE version = 2 AND kind LIKE 'migration.%%'");
    assert_string_equal(kinds, "migration.submitted migration.expanding migration.backfilling "
                               "migration.expanded migration.contracting migration.complete");
    free(kinds);
}

static void a_long_poll_ends_with_the_change_that_it_waits_for(void **state)
{
    struct http_client *client = world_client(*state);
    rollout_submit(client, 1, SAMPLE_CREATE);
    rollout_submit(client, 2, SAMPLE_RENAME);
    rollout_wait(client, 2, "expanded");
    int64_t index = json_number_at(rollout_get(client, 2)->json, "/index");
    int64_t started = test_now_ms();
    const struct http_answer *answer =
        http_call(client, "GET", NULL, "/v1/migrations/2?wait=1&index=%d", (int)index);
    expect_answer(answer, 200, NULL);
    assert_in_range(test_now_ms() - started, 900, 30000); /* a loop's timers count from when its turn began */
    struct http_pending *pending =
        http_begin(client, "GET", NULL, "/v1/migrations/2?wait=60&index=%d",
                                              (int)index);
    rollout_act(client, 2, "pause");
    answer = http_finish(client, pending);
    assert_string_equal(json_text_at(answer->json, "/status"), "paused");
    assert_true(json_number_at(answer->json, "/index") > index);
    assert_in_range(test_now_ms() - started, 1000, 45000);
}

static double step_seconds(struct http_client *client, int64_t version)
{
    return json_real_value(json_at(rollout_get(client, version)->json, "/steps/0/seconds"));
}

static void wait_until_it_runs(struct http_client *client, int64_t version, double longer_than)
{
    const int64_t deadline = test_now_ms() + 60000;

    while (strcmp(json_text_at(rollout_get(client, version)->json, "/steps/0/state"), "running") != 0
           || step_seconds(client, version) <= longer_than) {
        assert_true(test_now_ms() < deadline);
        test_pause();
    }
}

/* While it waits for a row of somebody else's, and its time is the same to the next daemon. */
static void a_step_that_runs_says_so_and_its_time_is_kept(void **state)
{
    struct world *world = *state;
    const struct daemon_options patient = {.sections = "[migration]\nlock_timeout_ms = 60000\n"};

    sql_run(world->sql, "CREATE TABLE t (id int PRIMARY KEY, n int); INSERT INTO t VALUES (1)");
    sql_run(world->sql, "BEGIN; INSERT INTO t VALUES (2)");
    struct daemon *first = world_daemon(world, &patient);
    rollout_submit(&first->client, 1, EXPAND("INSERT INTO t VALUES (2);"));
    sql_wait(world->sql, "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)");
    wait_until_it_runs(&first->client, 1, 0);
    double seen = step_seconds(&first->client, 1);
    assert_non_null(json_text_at(rollout_get(&first->client, 1)->json, "/steps/0/started_at"));
    wait_until_it_runs(&first->client, 1, seen);
    double waited = step_seconds(&first->client, 1) - seen; /* of the statement alone */
    sql_run(world->sql, "ROLLBACK");
    rollout_wait(&first->client, 1, "complete");
    assert_true(step_seconds(&first->client, 1) >= waited);
    rollout_submit(&first->client, 2, EXPAND("CREATE INDEX CONCURRENTLY i ON t (n);"));
    rollout_submit(&first->client, 3, "-- schemagate: backfill\nUPDATE t SET n = 1 WHERE n IS NULL;\n");
    rollout_wait(&first->client, 3, "complete");
    double built = step_seconds(&first->client, 2);
    assert_true(built > 0);
    daemon_stop(first);

    struct daemon *second = world_daemon(world, &patient);
    assert_string_equal(json_text_at(rollout_get(&second->client, 1)->json, "/steps/0/state"), "done");
    assert_true(step_seconds(&second->client, 1) >= waited);
    assert_true(step_seconds(&second->client, 2) == built);
    assert_true(step_seconds(&second->client, 3) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        world_test(what_cannot_run_in_a_transaction_runs_as_a_step_of_its_own),
        world_test(failing_sql_is_rolled_back_and_says_where),
        world_test(an_error_is_placed_by_its_character),
        world_test(a_failed_migration_is_retried),
        world_test(a_step_that_runs_says_so_and_its_time_is_kept),
        world_test(a_failed_migration_is_replaced_by_a_corrected_plan),
        world_test(a_failed_step_is_retried_where_it_failed),
        world_test(an_expanded_migration_is_undone),
        world_test(without_an_undo_section_there_is_no_undo),
        world_test(a_complete_contract_cannot_be_undone),
        world_test(a_queued_migration_is_cancelled_and_its_version_can_be_corrected),
        world_test(a_paused_migration_stays_where_it_is),
        world_test(the_whole_daemon_is_paused),
        world_test(contracts_run_in_version_order),
        world_test(several_migrations_are_open_at_once),
        world_test(an_existing_database_is_adopted),
        world_test(a_baseline_that_shuts_out_a_replica_is_refused),
        world_test(an_error_in_what_was_generated_is_at_its_statement),
        world_test(a_lock_that_is_not_to_be_had_is_waited_for),
        world_test(every_step_leaves_a_row_and_every_transition_an_event),
        world_test(a_long_poll_ends_with_the_change_that_it_waits_for),
    };
    return world_run(tests);
}
