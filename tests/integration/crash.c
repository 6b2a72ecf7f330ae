/* kill -9 of the daemon between the fence of a contract and its SQL.
 * crash_expand.c and crash_gates.c walk all other places. */
#include <support/expect.h>
#include <support/samples.h>
#include <support/world.h>

#include <string.h>

#define CREATE_ONCE                                                                                \
    "-- schemagate: expand\n"                                                                      \
    "CREATE TABLE ledger (entry text);\n"                                                          \
    "INSERT INTO ledger VALUES ('expand 1');\n"

#define RENAME_ONCE                                                                                \
    "-- schemagate: expand\n"                                                                      \
    "ALTER TABLE ledger ADD COLUMN note text;\n"                                                   \
    "INSERT INTO ledger VALUES ('expand 2');\n"                                                    \
    "-- schemagate: contract\n"                                                                    \
    "ALTER TABLE ledger ADD COLUMN contracted int;\n"                                              \
    "INSERT INTO ledger VALUES ('contract 2');\n"

static void expect_done_once(struct world *world, struct http_client *client)
{
    rollout_wait(client, 2, "complete");
    rollout_expect_window(client, 2, 2);
    assert_int_equal(sql_number(world->sql, "SELECT count(*) FROM ledger"), 3);
    assert_int_equal(sql_number(world->sql, "SELECT count(DISTINCT entry) FROM ledger"), 3);
    assert_int_equal(sql_number(world->sql, "SELECT count(*) FROM schemagate.event "
                                            "WHERE kind = 'migration.complete' AND version = 2"),
                     1);
    assert_int_equal(sql_number(world->sql,
                                "SELECT count(*) FROM schemagate.step WHERE state <> 'done'"),
                     0);
    expect_answer(fleet_register(client, REPLICA("late", 1, 1)), 409, "schema-too-old");
}

/* While admission is closed for a contract whose daemon has died, nobody may slip in. */
static void a_restart_behind_the_fence_verifies_again(void **state)
{
    struct world *world = *state;
    struct daemon *first =
        world_daemon(world, &(struct daemon_options){.failpoint = "contract-fenced=kill"});
    rollout_submit(&first->client, 1, CREATE_ONCE);
    rollout_submit(&first->client, 2, RENAME_ONCE);
    rollout_wait(&first->client, 2, "expanded");
    http_tell(&first->client, "PUT", fleet_body(REPLICA("new", 2, 2)), "/v1/apps/web/replicas/new");
    daemon_expect_killed(first);
    sql_run(world->sql,
            "INSERT INTO schemagate.replica (app, instance, incarnation, state, min, max, "
            "lease_seconds) VALUES ('web', 'old', 'one', 'live', 1, 1, 30)");
    struct http_client *client = world_client(world);
    fleet_join(client, REPLICA("new", 2, 2));
    rollout_wait_hold(client, 2, "replica-behind");
    assert_int_equal(sql_number(world->sql, "SELECT count(*) FROM ledger"), 2);
    expect_answer(fleet_leave(client, REPLICA("old", 1, 1)), 204, NULL);
    expect_done_once(world, client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        world_test(a_restart_behind_the_fence_verifies_again),
    };
    return world_run(tests);
}
