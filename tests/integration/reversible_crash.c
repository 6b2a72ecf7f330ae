/* kill -9 of the daemon while something is hidden, purged or restored, at each of its commits: after a
 * restart it goes on, exactly once. */
#include <support/expect.h>
#include <support/samples.h>
#include <support/world.h>


#define CREATE                                                                                         \
    "-- schemagate: expand\n"                                                                          \
    "CREATE TABLE customer (id int, name text NOT NULL);\nCREATE TABLE old (id int);\n"                \
    "INSERT INTO customer VALUES (1, 'Ada');\nINSERT INTO old VALUES (1);\n"

#define DROP                                                                                           \
    "-- schemagate: migration keep_hours=1\n"                                                          \
    "-- schemagate: contract atomic=no\n"                                                              \
    "-- schemagate: allow still-required reason=\"nobody inserts\"\n"                                  \
    "ALTER TABLE customer DROP COLUMN name;\nDROP TABLE old;\n"

static struct http_client *go_on(struct world *world)
{
    struct http_client *client = world_client(world);
    fleet_join(client, REPLICA("new", 1, 2));
    return client;
}

static struct daemon *begin(struct world *world, const char *failpoint)
{
    struct daemon *daemon = world_daemon(world, &(struct daemon_options){.failpoint = failpoint});

    rollout_submit(&daemon->client, 1, CREATE);
    fleet_join(&daemon->client, REPLICA("new", 1, 2));
    http_tell(&daemon->client, "POST", json_pack("{s:i, s:s}", "version", 2, "sql", DROP), "/v1/migrations");
    return daemon;
}

static void dies_while_it_hides(struct world *world, const char *failpoint)
{
    daemon_expect_killed(begin(world, failpoint));
    struct http_client *client = go_on(world);
    rollout_wait(client, 2, "hidden");
    rollout_expect_window(client, 2, 2);
    assert_int_equal(world_rows(world, "hidden"), 2);
    rollout_act(client, 2, "restore");
    rollout_wait(client, 2, "expanded");
    assert_int_equal(sql_number(world->sql, "SELECT count(*) FROM customer, old WHERE name = 'Ada'"), 1);
}

static void dies_in_the_purge(struct world *world, const char *failpoint)
{
    struct daemon *first = begin(world, NULL);

    rollout_wait(&first->client, 2, "hidden");
    daemon_stop(first);
    sql_run(world->sql, "UPDATE schemagate.migration SET soak_elapsed_ms = 3600000 WHERE version = 2");
    struct daemon *second = world_daemon(world, &(struct daemon_options){.failpoint = failpoint});
    http_tell(&second->client, "PUT", fleet_body(REPLICA("new", 1, 2)), "/v1/apps/web/replicas/new");
    daemon_expect_killed(second);
    sql_run(world->sql, "UPDATE schemagate.migration SET soak_elapsed_ms = 3600000 WHERE version = 2");
    struct http_client *client = go_on(world);
    rollout_wait(client, 2, "complete");
    rollout_expect_window(client, 2, 2);
    assert_int_equal(world_rows(world, "hidden"), 0);
    assert_int_equal(sql_number(world->sql, "SELECT count(*) FROM pg_class WHERE relname = 'old'"), 0);
    assert_int_equal(sql_number(world->sql, "SELECT count(*) FROM schemagate.event WHERE version = 2 AND "
                                            "kind = 'migration.complete'"), 1);
}

static void dies_in_the_restore(struct world *world, const char *failpoint)
{
    struct daemon *first = begin(world, failpoint);

    rollout_wait(&first->client, 2, "hidden");
    http_tell(&first->client, "POST", json_object(), "/v1/migrations/2/restore");
    daemon_expect_killed(first);
    struct http_client *client = go_on(world);
    rollout_wait(client, 2, "expanded");
    rollout_expect_phase(client, 2, "expanded", "paused");
    rollout_expect_window(client, 0, 2);
    assert_int_equal(sql_number(world->sql, "SELECT count(*) FROM customer, old WHERE name = 'Ada'"), 1);
    assert_int_equal(sql_number(world->sql, "SELECT attnotnull::int FROM pg_attribute WHERE attrelid = "
                                            "'customer'::regclass AND attname = 'name'"), 1);
    assert_int_equal(sql_number(world->sql, "SELECT count(*) FROM schemagate.step WHERE version = 2 AND "
                                            "state <> 'pending'"), 0);
}

#define DEATH(name, how, failpoint)                                                                    \
    static void name(void **state)                                                                     \
    {                                                                                                  \
        how(*state, failpoint);                                                                        \
    }

DEATH(killed_after_the_first_thing_is_hidden, dies_while_it_hides, "contract-committed=kill:1")
DEATH(killed_when_all_is_hidden, dies_while_it_hides, "contract-committed=kill:2")
DEATH(killed_behind_the_fence_of_a_purge, dies_in_the_purge, "purge-fenced=kill")
DEATH(killed_after_the_verification_of_a_purge, dies_in_the_purge, "purge-verified=kill")
DEATH(killed_when_the_purge_is_sent, dies_in_the_purge, "purge-sent=kill")
DEATH(killed_after_the_first_commit_of_a_purge, dies_in_the_purge, "purge-committed=kill:1")
DEATH(killed_after_the_last_commit_of_a_purge, dies_in_the_purge, "purge-committed=kill:2")
DEATH(killed_before_a_restore, dies_in_the_restore, "restore-begin=kill")
DEATH(killed_when_the_restore_is_sent, dies_in_the_restore, "restore-sent=kill")
DEATH(killed_after_the_first_commit_of_a_restore, dies_in_the_restore, "restore-committed=kill:1")
DEATH(killed_in_the_middle_of_a_restore, dies_in_the_restore, "restore-committed=kill:3")
DEATH(killed_before_the_last_commit_of_a_restore, dies_in_the_restore, "restore-begin=kill:5")
DEATH(killed_after_the_last_commit_of_a_restore, dies_in_the_restore, "restore-committed=kill:5")

int main(void)
{
    const struct CMUnitTest tests[] = {
        world_test(killed_after_the_first_thing_is_hidden),
        world_test(killed_when_all_is_hidden),
        world_test(killed_behind_the_fence_of_a_purge),
        world_test(killed_after_the_verification_of_a_purge),
        world_test(killed_when_the_purge_is_sent),
        world_test(killed_after_the_first_commit_of_a_purge),
        world_test(killed_after_the_last_commit_of_a_purge),
        world_test(killed_before_a_restore),
        world_test(killed_when_the_restore_is_sent),
        world_test(killed_after_the_first_commit_of_a_restore),
        world_test(killed_in_the_middle_of_a_restore),
        world_test(killed_before_the_last_commit_of_a_restore),
        world_test(killed_after_the_last_commit_of_a_restore),
    };
    return world_run_in_lanes(2, tests);
}
