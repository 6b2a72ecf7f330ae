/* A migration that needs a table which an autovacuum is at work on, with real workers that take their time:
 * they make way; where they do not, and those that prevent a wraparound, are waited for and named. */
#include <support/expect.h>
#include <support/samples.h>
#include <support/world.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ALTERS "-- schemagate: expand\nALTER TABLE customer ADD COLUMN age int;\n"

/* Pages enough for minutes: after each of them the worker sleeps. */
#define MAKE                                                                                           \
    "CREATE TABLE customer (id int) WITH (fillfactor = 10, autovacuum_vacuum_cost_delay = 100,"        \
    " autovacuum_vacuum_cost_limit = 1, autovacuum_vacuum_threshold = 0,"                              \
    " autovacuum_vacuum_scale_factor = 0, autovacuum_freeze_max_age = 100000);"                        \
    "INSERT INTO customer SELECT generate_series(1, 20000)"

static void set_autovacuum(struct world *world, const char *state)
{
    sql_run(world->sql, "ALTER SYSTEM SET autovacuum = %s", state);
    sql_run(world->sql, "ALTER SYSTEM SET autovacuum_naptime = 1");
    sql_run(world->sql, "SELECT pg_reload_conf()");
}

/* Returns its pid once it is at work on the table. */
static int start_worker(struct world *world)
{
    set_autovacuum(world, "on");
    sql_wait(world->sql, "SELECT EXISTS (SELECT FROM pg_stat_progress_vacuum "
                         "WHERE relid = 'customer'::regclass)");
    return (int)sql_number(world->sql, "SELECT pid FROM pg_stat_progress_vacuum "
                                       "WHERE relid = 'customer'::regclass");
}

static void end_worker(struct world *world, int pid)
{
    set_autovacuum(world, "off");
    sql_run(world->sql, "SELECT pg_terminate_backend(%d)", pid);
}

static struct http_client *begin(struct world *world)
{
    sql_run(world->sql, MAKE);
    return world_client(world);
}

static void an_autovacuum_makes_way(void **state)
{
    struct world *world = *state;
    struct http_client *client = begin(world);

    sql_run(world->sql, "DELETE FROM customer WHERE id %% 2 = 0");
    start_worker(world);
    rollout_submit(client, 1, ALTERS);
    rollout_wait(client, 1, "complete");
    set_autovacuum(world, "off");
    char *log = scratch_read(world->cluster.log);
    assert_non_null(strstr(log, "canceling autovacuum task"));
    free(log);
}

/* The role may not set deadlock_timeout: no try lasts long enough for the worker to make way. */
static void one_that_cannot_be_hurried_is_named_with_the_missing_grant(void **state)
{
    struct world *world = *state;
    char conninfo[CLUSTER_CONNINFO_SIZE + 32];

    sql_run(world->sql, MAKE);
    sql_run(world->sql, "DROP ROLE IF EXISTS modest; CREATE ROLE modest LOGIN; "
                        "GRANT pg_read_all_stats TO modest; ALTER TABLE customer OWNER TO modest");
    sql_run(world->sql, "GRANT CREATE ON DATABASE %s TO modest; GRANT ALL ON SCHEMA public TO modest",
            PQdb(world->sql));
    snprintf(conninfo, sizeof conninfo, "%s user=modest", world->conninfo);
    struct http_client *client = &world_daemon(world, &(struct daemon_options){.conninfo = conninfo})->client;
    sql_run(world->sql, "DELETE FROM customer WHERE id %% 2 = 0");
    int worker = start_worker(world);
    rollout_submit(client, 1, ALTERS);
    rollout_wait_blocked(client, 1);
    const struct http_answer *answer = rollout_get(client, 1);
    assert_int_equal(json_number_at(answer->json, "/lock/blockers/0/pid"), worker);
    assert_string_equal(json_text_at(answer->json, "/lock/blockers/0/kind"), "autovacuum");
    assert_non_null(strstr(json_text_at(answer->json, "/lock/blockers/0/advice"),
                           "GRANT SET ON PARAMETER deadlock_timeout"));
    end_worker(world, worker);
    rollout_wait(client, 1, "complete");
}

/* Subtransactions that write have ids of their own. */
static void use_up_transaction_ids(struct world *world)
{
    sql_run(world->sql, "CREATE TEMPORARY TABLE burnt (x int); "
            "DO $$ BEGIN FOR i IN 1..110000 LOOP BEGIN INSERT INTO burnt VALUES (1); "
            "EXCEPTION WHEN division_by_zero THEN NULL; END; END LOOP; END $$");
}

static void one_that_prevents_a_wraparound_is_named(void **state)
{
    struct world *world = *state;
    struct http_client *client = begin(world);

    use_up_transaction_ids(world);
    int worker = start_worker(world);
    rollout_submit(client, 1, ALTERS);
    rollout_wait_blocked(client, 1);
    const struct http_answer *answer = rollout_get(client, 1);
    assert_int_equal(json_number_at(answer->json, "/lock/blockers/0/pid"), worker);
    assert_string_equal(json_text_at(answer->json, "/lock/blockers/0/kind"), "autovacuum-wraparound");
    assert_string_equal(json_text_at(answer->json, "/lock/blockers/0/relation"), "customer");
    assert_non_null(strstr(json_text_at(answer->json, "/lock/blockers/0/advice"), "wrapping around"));
    assert_non_null(strstr(json_text_at(answer->json, "/summary"), "blocked by pid"));
    assert_null(strstr(answer->body, "\"unblock\""));
    answer = http_tell(client, "POST", NULL, "/v1/migrations/1/unblock");
    assert_int_equal(answer->status, 409);
    assert_non_null(strstr(json_text_at(answer->json, "/detail"), "autovacuum-wraparound"));
    assert_int_equal(sql_number(world->sql, "SELECT count(*) FROM pg_stat_progress_vacuum WHERE pid = %d",
                                worker), 1);
    end_worker(world, worker);
    rollout_wait(client, 1, "complete");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        world_test(an_autovacuum_makes_way),
        world_test(one_that_cannot_be_hurried_is_named_with_the_missing_grant),
        world_test(one_that_prevents_a_wraparound_is_named),
    };
    return world_run(tests);
}
