/* Contracts that do not succeed at once: admission is closed for a try and open between two. */
#include <support/expect.h>
#include <support/samples.h>
#include <support/world.h>

#include <stdlib.h>
#include <string.h>

#define FAILING                                                                                    \
    "-- schemagate: expand\nALTER TABLE customer ADD COLUMN full_name text;\n"                     \
    "-- schemagate: contract\nALTER TABLE customer DROP COLUMN name;\n"                            \
    "ALTER TABLE absent DROP COLUMN x;\n"

static struct http_client *begin(struct world *world, const char *const *environment,
                                 const char *sql)
{
    struct daemon_options options = {.environment = environment};
    struct http_client *client = &world_daemon(world, &options)->client;
    rollout_submit(client, 1, SAMPLE_CREATE);
    rollout_submit(client, 2, sql);
    rollout_wait(client, 2, "expanded");
    return client;
}

static void a_contract_that_fails_reopens_admission(void **state)
{
    struct world *world = *state;
    struct http_client *client = begin(world, NULL, FAILING);
    fleet_join(client, REPLICA("new", 1, 2));
    rollout_wait_status(client, 2, "failed");
    rollout_expect_phase(client, 2, "expanded", "failed");
    rollout_expect_window(client, 0, 2);
    const struct http_answer *answer = rollout_get(client, 2);
    assert_string_equal(json_text_at(answer->json, "/error/sqlstate"), "42P01");
    assert_non_null(strstr(json_text_at(answer->json, "/summary"), "failed in contract step 2"));
    assert_int_equal(sql_number(world->sql, SAMPLE_HAS_COLUMN, "name"), 1);
    expect_answer(fleet_register(client, REPLICA("old", 1, 1)), 201, NULL);
}

static void a_contract_that_failed_waits_for_its_gate_again(void **state)
{
    struct world *world = *state;
    struct http_client *client = begin(world, NULL, FAILING);
    fleet_join(client, REPLICA("new", 1, 2));
    rollout_wait_status(client, 2, "failed");
    fleet_join(client, REPLICA("old", 1, 1));
    sql_run(world->sql, "CREATE TABLE absent (x int)");
    rollout_act(client, 2, "retry");
    rollout_wait_hold(client, 2, "replica-behind");
    assert_int_equal(sql_number(world->sql, SAMPLE_HAS_COLUMN, "name"), 1);
    expect_answer(fleet_leave(client, REPLICA("old", 1, 1)), 204, NULL);
    rollout_wait(client, 2, "complete");
    rollout_expect_window(client, 2, 2);
}

/* A reader holds the table: nothing is tried, and admission stays open, while it is there. */
static void while_the_table_is_watched_admission_is_open(void **state)
{
    struct world *world = *state;
    struct http_client *client = begin(world, NULL, SAMPLE_RENAME);
    sql_run(world->sql, "BEGIN; SELECT * FROM customer");
    sql_run(world->sql, "SELECT pg_sleep(0.1)"); /* younger ones are waited for in passing */
    fleet_join(client, REPLICA("new", 1, 2));
    rollout_wait_blocked(client, 2);
    expect_answer(fleet_register(client, REPLICA("old", 1, 1)), 201, NULL);
    sql_run(world->sql, "COMMIT");
    rollout_wait_hold(client, 2, "replica-behind");
    assert_int_equal(sql_number(world->sql, SAMPLE_HAS_COLUMN, "name"), 1);
    expect_answer(fleet_leave(client, REPLICA("old", 1, 1)), 204, NULL);
    rollout_wait(client, 2, "complete");
}

static void tries_end_and_are_said_to_have_failed(void **state)
{
    struct world *world = *state;
    const char *environment[] = {"SCHEMAGATE_MIGRATION_LOCK_TIMEOUT_MS=20",
                                 "SCHEMAGATE_MIGRATION_RETRY_FOR_SECONDS=1", NULL};
    struct http_client *client = begin(world, environment, SAMPLE_RENAME);
    sql_run(world->sql, "BEGIN; SELECT * FROM customer");
    fleet_join(client, REPLICA("new", 1, 2));
    rollout_wait_status(client, 2, "failed");
    rollout_expect_phase(client, 2, "expanded", "failed");
    assert_string_equal(json_text_at(rollout_get(client, 2)->json, "/error/sqlstate"), "55P03");
    sql_run(world->sql, "COMMIT");
    rollout_act(client, 2, "retry");
    rollout_wait(client, 2, "complete");
}

/* While the contract cannot have its lock, the application's queries never queue for longer than
 * one try. */
static void a_waiting_contract_stalls_nobody_for_longer_than_its_lock_timeout(void **state)
{
    struct world *world = *state;
    const char *environment[] = {"SCHEMAGATE_MIGRATION_LOCK_TIMEOUT_MS=50", NULL};
    struct http_client *client = begin(world, environment, SAMPLE_RENAME);
    PGconn *application = sql_open(world->conninfo);
    sql_run(application, "SET statement_timeout = '10s'"); /* who queues does so until the reader goes */
    sql_run(world->sql, "BEGIN; SELECT * FROM customer");
    fleet_join(client, REPLICA("new", 1, 2));
    rollout_wait_blocked(client, 2);
    int64_t deadline = test_now_ms() + 2000;
    while (test_now_ms() < deadline)
        sql_run(application, "SELECT * FROM customer");
    sql_run(world->sql, "COMMIT");
    PQfinish(application);
    rollout_wait(client, 2, "complete");
}

static void a_try_is_cancelled(void **state)
{
    struct world *world = *state;
    struct http_client *client =
        begin(world, NULL, "-- schemagate: contract\nSELECT pg_sleep(60);\nDROP TABLE customer;\n");
    fleet_join(client, REPLICA("new", 1, 2));
    sql_wait(world->sql,
             "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE query LIKE '%%pg_sleep%%' "
             "AND pid <> pg_backend_pid() AND state = 'active')");
    rollout_act(client, 2, "cancel");
    rollout_wait_status(client, 2, "failed");
    rollout_expect_phase(client, 2, "expanded", "failed");
    assert_int_equal(sql_number(world->sql, SAMPLE_HAS_COLUMN, "name"), 1);
    expect_answer(fleet_register(client, REPLICA("old", 1, 1)), 201, NULL);
}

static void an_approval_does_not_outlive_the_plan_that_it_was_given_for(void **state)
{
    struct world *world = *state;
    struct http_client *client = world_client(world);
    static const char first[] = "-- schemagate: expand\nALTER TABLE nowhere ADD COLUMN x int;\n"
                                "-- schemagate: contract\nDROP TABLE customer;\n";
    rollout_submit(client, 1, SAMPLE_CREATE);
    rollout_wait(client, 1, "complete");
    expect_answer(rollout_try_submit(client, 2, first, json_pack("{s:s}", "approval", "manual")),
                  201,
                  NULL);
    rollout_wait_status(client, 2, "failed");
    http_call(client, "POST", NULL, "/v1/migrations/2/approve");
    assert_in_range(
        rollout_try_submit(client, 2, SAMPLE_RENAME,
                           json_pack("{s:s}", "approval", "manual"))->status, 200,
        201);
    rollout_wait(client, 2, "expanded");
    fleet_join(client, REPLICA("new", 1, 2));
    rollout_wait_hold(client, 2, "awaiting-approval");
    rollout_act(client, 2, "approve");
    rollout_wait(client, 2, "complete");
}

/* One that cannot run in a transaction commits by itself: from then on there is no way back. */
static void after_a_breaking_step_admission_stays_closed(void **state)
{
    struct world *world = *state;
    struct http_client *client =
        begin(world, NULL,
              "-- schemagate: contract atomic=no\nALTER TABLE customer DROP COLUMN name;\n"
              "ALTER TABLE absent DROP COLUMN x;\n");
    fleet_join(client, REPLICA("new", 1, 2));
    rollout_wait_status(client, 2, "failed");
    rollout_expect_phase(client, 2, "contracting", "failed");
    expect_answer(fleet_register(client, REPLICA("old", 1, 1)), 409, "schema-too-old");
    sql_run(world->sql, "CREATE TABLE absent (x int)");
    rollout_act(client, 2, "retry");
    rollout_wait(client, 2, "complete");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        world_test(a_contract_that_fails_reopens_admission),
        world_test(a_contract_that_failed_waits_for_its_gate_again),
        world_test(while_the_table_is_watched_admission_is_open),
        world_test(tries_end_and_are_said_to_have_failed),
        world_test(a_waiting_contract_stalls_nobody_for_longer_than_its_lock_timeout),
        world_test(a_try_is_cancelled),
        world_test(an_approval_does_not_outlive_the_plan_that_it_was_given_for),
        world_test(after_a_breaking_step_admission_stays_closed),
    };
    return world_run(tests);
}
