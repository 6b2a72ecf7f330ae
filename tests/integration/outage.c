/* PostgreSQL is away: at the start, later, and in the middle of a migration. */
#include <support/expect.h>
#include <support/samples.h>
#include <support/world.h>

#include <stdlib.h>
#include <string.h>

static void wait_database_state(struct http_client *client, const char *wanted)
{
    int64_t deadline = test_now_ms() + PATIENCE_MS;
    for (;;) {
        const struct http_answer *status = http_call(client, "GET", NULL, "/status");
        bool connected = strcmp(json_text_at(status->json, "/database/state"), "connected") == 0;
        if (connected == (strcmp(wanted, "connected") == 0))
            return;
        if (test_now_ms() > deadline)
            test_fail("the database is not %s: %s", wanted, status->body);
        test_pause();
    }
}

static void a_daemon_starts_while_the_database_is_away(void **state)
{
    struct world *world = *state;
    cluster_stop(&world->cluster);
    struct daemon *daemon = world_launch(world, NULL);
    daemon_wait_notification(daemon, "READY=1");
    expect_answer(http_call(&daemon->client, "GET", NULL, "/livez"), 200, NULL);
    expect_answer(http_call(&daemon->client, "GET", NULL, "/readyz"), 503, NULL);
    const struct http_answer *answer = fleet_register(&daemon->client, REPLICA("a", 0, 0));
    assert_int_equal(answer->status, 503);
    char *retry = http_header(answer, "Retry-After");
    assert_true(atoi(retry) > 0);
    free(retry);
    cluster_start(&world->cluster);
    daemon_wait_leader(daemon);
    world_reconnect(world);
    expect_answer(fleet_register(&daemon->client, REPLICA("a", 0, 0)), 201, NULL);
}

static void renewals_go_on_while_the_database_is_away(void **state)
{
    struct world *world = *state;
    struct http_client *client = world_client(world);
    rollout_submit(client, 1, SAMPLE_CREATE);
    rollout_submit(client, 2, SAMPLE_RENAME);
    rollout_wait(client, 2, "expanded");
    fleet_join(client, REPLICA("old", 1, 1));
    fleet_join(client, REPLICA("new", 1, 2));
    cluster_crash(&world->cluster);
    wait_database_state(client, "away");
    expect_answer(fleet_renew(client, REPLICA("old", 1, 1)), 200, NULL);
    expect_answer(http_call(client, "GET", NULL, "/readyz"), 200, NULL);
    expect_answer(fleet_register(client, REPLICA("b", 1, 2)), 503, "database-unavailable");
    expect_answer(fleet_leave(client, REPLICA("old", 1, 1)), 503, "database-unavailable");
    cluster_start(&world->cluster);
    wait_database_state(client, "connected");
    world_reconnect(world);
    assert_int_equal(world_rows(world, "replica"), 2);
    assert_int_equal(sql_number(world->sql, SAMPLE_HAS_COLUMN, "name"), 1);
    int64_t deadline = test_now_ms() + PATIENCE_MS;
    while (fleet_leave(client, REPLICA("old", 1, 1))->status != 204)
        assert_true(test_now_ms() < deadline);
    fleet_renew(client, REPLICA("new", 1, 2));
    rollout_wait(client, 2, "complete");
}

/* The server goes down while a statement of an expand runs. */
static void a_migration_survives_a_restart_of_the_server(void **state)
{
    struct world *world = *state;
    struct http_client *client = world_client(world);
    rollout_submit(client, 1, "-- schemagate: expand\n"
                              "CREATE TABLE customer (id int);\n"
                              "SELECT pg_sleep(5);\n"
                              "INSERT INTO customer VALUES (1);\n");
    sql_wait(world->sql,
             "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE query LIKE '%%pg_sleep%%' "
             "AND pid <> pg_backend_pid() AND state = 'active')");
    cluster_crash(&world->cluster);
    cluster_start(&world->cluster);
    rollout_wait(client, 1, "complete");
    world_reconnect(world);
    assert_int_equal(sql_number(world->sql, "SELECT count(*) FROM customer"), 1);
}

static void a_contract_survives_the_loss_of_its_session(void **state)
{
    struct world *world = *state;
    struct http_client *client = world_client(world);
    rollout_submit(client, 1, SAMPLE_CREATE);
    rollout_submit(client, 2,
                   "-- schemagate: expand\nALTER TABLE customer ADD COLUMN full_name text;\n"
                   "-- schemagate: contract\nSELECT pg_sleep(5);\n"
                   "ALTER TABLE customer DROP COLUMN name;\n");
    rollout_wait(client, 2, "expanded");
    fleet_join(client, REPLICA("new", 2, 2));
    sql_wait(world->sql,
             "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE query LIKE '%%pg_sleep%%' "
             "AND pid <> pg_backend_pid() AND state = 'active')");
    sql_run(world->sql, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                        "WHERE datname = current_database() AND application_name = 'schemagate coordinator'");
    daemon_wait_log(&world->daemons[0], "away\" reason=\"terminating connection due to administrator");
    int64_t deadline = test_now_ms() + PATIENCE_MS;
    while (fleet_renew(client, REPLICA("new", 2, 2))->status != 200)
        assert_true(test_now_ms() < deadline);
    sql_wait(world->sql,
             "SELECT phase = 'complete' OR phase = 'expanded' FROM schemagate.migration "
             "WHERE version = 2");
    deadline = test_now_ms() + PATIENCE_MS;
    while (strcmp(json_text_at(rollout_get(client, 2)->json, "/phase"), "complete") != 0) {
        fleet_renew(client, REPLICA("new", 2, 2));
        assert_true(test_now_ms() < deadline);
        test_pause();
    }
    rollout_expect_window(client, 2, 2);
}

static void a_database_that_does_not_exist_is_named(void **state)
{
    struct world *world = *state;
    char conninfo[CLUSTER_CONNINFO_SIZE];
    cluster_conninfo(&world->cluster, "nonesuch", conninfo);
    struct daemon *daemon = world_launch(world, &(struct daemon_options){.conninfo = conninfo});
    daemon_wait_log(daemon, "nonesuch");
    daemon_wait_log(daemon, world->cluster.sockets);
    expect_answer(http_call(&daemon->client, "GET", NULL, "/livez"), 200, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        world_test(a_daemon_starts_while_the_database_is_away),
        world_test(renewals_go_on_while_the_database_is_away),
        world_test(a_migration_survives_a_restart_of_the_server),
        world_test(a_contract_survives_the_loss_of_its_session),
        world_test(a_database_that_does_not_exist_is_named),
    };
    return world_run(tests);
}
