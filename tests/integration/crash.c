/* kill -9 of the daemon before, in and after an expand and a contract. The process kills itself at
 * a named failpoint, so that its wait status proves that the place was reached. After a restart
 * each migration is done exactly once. */
#include <support/expect.h>
#include <support/samples.h>
#include <support/world.h>

#include <signal.h>
#include <string.h>
#include <sys/wait.h>

/* Doing any of this twice fails or shows in the counts. */
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

static void expect_killed(struct daemon *daemon)
{
    int status = daemon_wait_end(daemon);
    if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
        test_fail("the failpoint was not reached: wait status %x", (unsigned)status);
}

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

static void dies_in_the_expand(struct world *world, const char *failpoint)
{
    struct daemon *first = world_daemon(world, &(struct daemon_options){.failpoint = failpoint});
    /* The answer of the submission may die with the daemon; what was answered must be there
     * later. */
    json_t *body = json_pack("{s:i, s:s}", "version", 1, "sql", CREATE_ONCE);
    http_tell(&first->client, "POST", body, "/v1/migrations");
    expect_killed(first);
    struct http_client *client = world_client(world);
    rollout_wait(client, 1, "complete");
    rollout_submit(client, 2, RENAME_ONCE);
    rollout_wait(client, 2, "expanded");
    fleet_join(client, REPLICA("new", 2, 2));
    expect_done_once(world, client);
}

static void dies_in_the_contract(struct world *world, const char *failpoint)
{
    struct daemon *first = world_daemon(world, &(struct daemon_options){.failpoint = failpoint});
    rollout_submit(&first->client, 1, CREATE_ONCE);
    rollout_submit(&first->client, 2, RENAME_ONCE);
    rollout_wait(&first->client, 2, "expanded");
    http_tell(&first->client, "PUT", fleet_body(REPLICA("new", 2, 2)), "/v1/apps/web/replicas/new");
    expect_killed(first);
    struct http_client *client = world_client(world);
    fleet_join(client, REPLICA("new", 2, 2));
    expect_done_once(world, client);
}

#define EXPAND_TEST(name, failpoint)                                                               \
    static void name(void **state)                                                                 \
    {                                                                                              \
        dies_in_the_expand(*state, failpoint "=kill");                                        \
    }

#define CONTRACT_TEST(name, failpoint)                                                             \
    static void name(void **state)                                                                 \
    {                                                                                              \
        dies_in_the_contract(*state, failpoint "=kill");                                           \
    }

EXPAND_TEST(killed_before_an_expand, "expand-begin")
EXPAND_TEST(killed_when_the_expand_is_sent, "expand-sent")
EXPAND_TEST(killed_after_the_commit_of_an_expand, "expand-committed")
CONTRACT_TEST(killed_behind_the_fence, "contract-fenced")
CONTRACT_TEST(killed_after_the_verification, "contract-verified")
CONTRACT_TEST(killed_when_the_contract_is_sent, "contract-sent")
CONTRACT_TEST(killed_after_the_commit_of_a_contract, "contract-committed")

/* The backfill and the undo of a migration, killed in the same way. */
#define WITH_UNDO                                                                                  \
    "-- schemagate: expand\n"                                                                      \
    "ALTER TABLE ledger ADD COLUMN note text;\n"                                                   \
    "-- schemagate: backfill\n"                                                                    \
    "INSERT INTO ledger VALUES ('backfill 2');\n"                                                  \
    "-- schemagate: undo\n"                                                                        \
    "ALTER TABLE ledger DROP COLUMN note;\n"                                                       \
    "INSERT INTO ledger VALUES ('undo 2');\n"

static void dies_in_the_undo(struct world *world, const char *failpoint)
{
    struct daemon *first = world_daemon(world, &(struct daemon_options){.failpoint = failpoint});
    rollout_submit(&first->client, 1, CREATE_ONCE);
    rollout_submit(&first->client, 2, WITH_UNDO);
    rollout_wait(&first->client, 2, "complete");
    fleet_join(&first->client, REPLICA("old", 1, 1));
    http_tell(&first->client, "POST", json_object(), "/v1/migrations/2/undo");
    expect_killed(first);
    struct http_client *client = world_client(world);
    /* An undo that was not recorded is asked for again. */
    http_call(client, "POST", NULL, "/v1/migrations/2/undo");
    fleet_join(client, REPLICA("old", 1, 1));
    rollout_wait(client, 2, "undone");
    rollout_expect_window(client, 0, 1);
    assert_int_equal(sql_number(world->sql, "SELECT count(*) FROM ledger WHERE entry = 'undo 2'"),
                     1);
}

static void dies_in_the_backfill(struct world *world, const char *failpoint)
{
    struct daemon *first = world_daemon(world, &(struct daemon_options){.failpoint = failpoint});
    rollout_submit(&first->client, 1, CREATE_ONCE);
    http_tell(&first->client, "POST", json_pack("{s:i, s:s}", "version", 2, "sql", WITH_UNDO),
              "/v1/migrations");
    expect_killed(first);
    struct http_client *client = world_client(world);
    rollout_wait(client, 2, "complete");
    assert_int_equal(sql_number(world->sql,
                                "SELECT count(*) FROM ledger WHERE entry = 'backfill 2'"), 1);
}

#define UNDO_TEST(name, failpoint)                                                                 \
    static void name(void **state)                                                                 \
    {                                                                                              \
        dies_in_the_undo(*state, failpoint "=kill");                                               \
    }

#define BACKFILL_TEST(name, failpoint)                                                             \
    static void name(void **state)                                                                 \
    {                                                                                              \
        dies_in_the_backfill(*state, failpoint "=kill");                                           \
    }

BACKFILL_TEST(killed_before_a_backfill, "backfill-begin")
BACKFILL_TEST(killed_when_the_backfill_is_sent, "backfill-sent")
BACKFILL_TEST(killed_after_the_commit_of_a_backfill, "backfill-committed")
UNDO_TEST(killed_behind_the_fence_of_an_undo, "undo-fenced")
UNDO_TEST(killed_when_the_undo_is_sent, "undo-sent")
UNDO_TEST(killed_after_the_commit_of_an_undo, "undo-committed")

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
    expect_killed(first);
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
        world_test(killed_before_an_expand),
        world_test(killed_when_the_expand_is_sent),
        world_test(killed_after_the_commit_of_an_expand),
        world_test(killed_behind_the_fence),
        world_test(killed_after_the_verification),
        world_test(killed_when_the_contract_is_sent),
        world_test(killed_after_the_commit_of_a_contract),
        world_test(killed_before_a_backfill),
        world_test(killed_when_the_backfill_is_sent),
        world_test(killed_after_the_commit_of_a_backfill),
        world_test(killed_behind_the_fence_of_an_undo),
        world_test(killed_when_the_undo_is_sent),
        world_test(killed_after_the_commit_of_an_undo),
        world_test(a_restart_behind_the_fence_verifies_again),
    };
    return world_run(tests);
}
