/* A migration that waits for its tables: nobody queues behind it, whoever is in its way is named and can be
 * ended, and it can be cancelled at any moment. */
#include <support/expect.h>
#include <support/samples.h>
#include <support/world.h>

#include <stdlib.h>
#include <string.h>

#define ALTERS "-- schemagate: expand\nALTER TABLE customer ADD COLUMN age int;\n"

static struct http_client *begin(struct world *world, const char *const *environment)
{
    struct daemon_options options = {.environment = environment};
    struct http_client *client = &world_daemon(world, &options)->client;
    rollout_submit(client, 1, SAMPLE_CREATE);
    rollout_wait(client, 1, "complete");
    return client;
}

/* A session that holds the table and does nothing. */
static PGconn *hold_table(struct world *world, const char *options)
{
    char conninfo[CLUSTER_CONNINFO_SIZE + 64];
    snprintf(conninfo, sizeof conninfo, "%s %s", world->conninfo, options);
    PGconn *reader = sql_open(conninfo);
    sql_run(reader, "BEGIN; SELECT * FROM customer");
    sql_wait(world->sql, "SELECT xact_start < clock_timestamp() - interval '100 ms' "
                         "FROM pg_stat_activity WHERE pid = %d", PQbackendPID(reader));
    return reader;
}

static void an_idle_reader_is_named_and_nobody_queues(void **state)
{
    struct world *world = *state;
    struct http_client *client = begin(world, NULL);
    PGconn *reader = hold_table(world, "application_name=report");

    rollout_submit(client, 2, ALTERS);
    rollout_wait_blocked(client, 2);
    const struct http_answer *answer = rollout_get(client, 2);
    assert_int_equal(json_number_at(answer->json, "/lock/blockers/0/pid"), PQbackendPID(reader));
    assert_string_equal(json_text_at(answer->json, "/lock/blockers/0/application_name"), "report");
    assert_string_equal(json_text_at(answer->json, "/lock/blockers/0/kind"), "session");
    assert_string_equal(json_text_at(answer->json, "/lock/blockers/0/state"), "idle in transaction");
    assert_string_equal(json_text_at(answer->json, "/lock/blockers/0/relation"), "customer");
    assert_string_equal(json_text_at(answer->json, "/status"), "waiting");
    char expected[128];
    snprintf(expected, sizeof expected, "waits for a lock on customer, try 1, blocked by pid %d (report)",
             PQbackendPID(reader));
    assert_string_equal(json_text_at(answer->json, "/summary"), expected);
    /* Nobody waits for a lock, and no try was made. */
    assert_int_equal(sql_number(world->sql, "SELECT count(*) FROM pg_locks WHERE NOT granted"), 0);
    assert_int_equal(json_number_at(answer->json, "/lock/attempt"), 0);
    sql_run(reader, "COMMIT");
    rollout_wait(client, 2, "complete");
    PQfinish(reader);
}

static void those_in_the_way_are_ended_when_an_operator_says_so(void **state)
{
    struct world *world = *state;
    struct http_client *client = begin(world, NULL);
    PGconn *reader = hold_table(world, "application_name=report");

    rollout_submit(client, 2, ALTERS);
    rollout_wait_blocked(client, 2);
    const char *actions = rollout_get(client, 2)->body;
    assert_non_null(strstr(actions, "\"unblock\""));
    rollout_act(client, 2, "unblock");
    rollout_wait(client, 2, "complete");
    assert_int_equal(sql_number(world->sql, "SELECT count(*) FROM pg_stat_activity WHERE pid = %d",
                                PQbackendPID(reader)), 0);
    assert_int_equal(sql_number(world->sql, "SELECT count(*) FROM schemagate.event "
                                "WHERE kind = 'operator.unblock' AND version = 2 AND actor <> ''"), 1);
    expect_answer(http_call(client, "POST", NULL, "/v1/migrations/2/unblock"), 409, "invalid-transition");
    PQfinish(reader);
}

static void the_configuration_ends_what_is_idle_in_transaction(void **state)
{
    struct world *world = *state;
    const char *environment[] = {"SCHEMAGATE_MIGRATION_TERMINATE_IDLE_IN_TRANSACTION_SECONDS=1", NULL};
    struct http_client *client = begin(world, environment);
    PGconn *reader = hold_table(world, "application_name=report");

    rollout_submit(client, 2, ALTERS);
    rollout_wait(client, 2, "complete");
    assert_int_equal(sql_number(world->sql, "SELECT count(*) FROM pg_stat_activity WHERE pid = %d",
                                PQbackendPID(reader)), 0);
    assert_int_equal(sql_number(world->sql, "SELECT count(*) FROM schemagate.event "
                                "WHERE kind = 'migration.unblock' AND version = 2"), 1);
    PQfinish(reader);
}

/* The chain's root is elsewhere: whoever is in the way waits for somebody. */
static void for_whom_those_in_the_way_wait_is_told(void **state)
{
    struct world *world = *state;
    struct http_client *client = begin(world, NULL);
    PGconn *root = sql_open(world->conninfo), *reader = hold_table(world, "application_name=report");
    const struct http_answer *answer;
    char advice[64];

    sql_run(root, "SELECT pg_advisory_lock(5)");
    assert_int_equal(PQsendQuery(reader, "SELECT pg_advisory_lock(5)"), 1);
    sql_wait(world->sql, "SELECT wait_event_type = 'Lock' FROM pg_stat_activity WHERE pid = %d",
             PQbackendPID(reader));
    rollout_submit(client, 2, ALTERS);
    rollout_wait_blocked(client, 2);
    answer = rollout_get(client, 2);
    assert_int_equal(json_number_at(answer->json, "/lock/blockers/0/pid"), PQbackendPID(reader));
    assert_int_equal(json_number_at(answer->json, "/lock/blockers/0/waits_for/0"), PQbackendPID(root));
    snprintf(advice, sizeof advice, "it waits for pid %d itself", PQbackendPID(root));
    assert_non_null(strstr(json_text_at(answer->json, "/lock/blockers/0/advice"), advice));
    PQfinish(root);
    PQfinish(reader);
    rollout_wait(client, 2, "complete");
}

static void a_prepared_transaction_is_named(void **state)
{
    struct world *world = *state;
    struct http_client *client = begin(world, NULL);

    sql_run(world->sql, "BEGIN; UPDATE customer SET name = 'x'; PREPARE TRANSACTION 'two''phase'");
    rollout_submit(client, 2, ALTERS);
    rollout_wait_blocked(client, 2);
    const struct http_answer *answer = rollout_get(client, 2);
    assert_string_equal(json_text_at(answer->json, "/lock/blockers/0/kind"), "prepared-transaction");
    assert_string_equal(json_text_at(answer->json, "/lock/blockers/0/gid"), "two'phase");
    assert_non_null(strstr(json_text_at(answer->json, "/lock/blockers/0/advice"),
                           "ROLLBACK PREPARED 'two''phase'"));
    assert_null(strstr(answer->body, "\"unblock\""));
    answer = http_tell(client, "POST", NULL, "/v1/migrations/2/unblock");
    assert_int_equal(answer->status, 409);
    assert_non_null(strstr(json_text_at(answer->json, "/detail"), "ROLLBACK PREPARED 'two''phase'"));
    sql_run(world->sql, "ROLLBACK PREPARED 'two''phase'");
    rollout_wait(client, 2, "complete");
}

/* A build waits for all who wrote before it; a prepared transaction among them has no pid to be named by. */
static void a_prepared_transaction_in_the_way_of_a_build_is_named(void **state)
{
    struct world *world = *state;
    struct http_client *client = begin(world, NULL);

    sql_run(world->sql, "BEGIN; UPDATE customer SET name = 'x'; PREPARE TRANSACTION 'pay'");
    rollout_submit(client, 2, "-- schemagate: expand\n"
                              "CREATE INDEX CONCURRENTLY by_name ON customer (name);\n");
    rollout_wait_blocked(client, 2);
    const struct http_answer *answer = rollout_get(client, 2);
    assert_string_equal(json_text_at(answer->json, "/lock/blockers/0/gid"), "pay");
    sql_run(world->sql, "ROLLBACK PREPARED 'pay'");
    rollout_wait(client, 2, "complete");
}

/* The child of a foreign key is dropped: its parent is locked as well, which only the catalog knows. */
static void the_other_end_of_a_foreign_key_is_watched(void **state)
{
    struct world *world = *state;
    struct http_client *client = begin(world, NULL);

    rollout_submit(client, 2, "-- schemagate: expand\n"
                              "CREATE TABLE orders (customer_id int REFERENCES customer);\n");
    rollout_wait(client, 2, "complete");
    PGconn *reader = hold_table(world, "application_name=report");
    fleet_join(client, REPLICA("new", 1, 3));
    rollout_submit(client, 3, "-- schemagate: contract\nDROP TABLE orders;\n");
    rollout_wait_blocked(client, 3);
    assert_string_equal(json_text_at(rollout_get(client, 3)->json, "/lock/blockers/0/relation"), "customer");
    sql_run(reader, "COMMIT");
    rollout_wait(client, 3, "complete");
    PQfinish(reader);
}

static void partitions_are_watched_with_their_parent(void **state)
{
    struct world *world = *state;
    struct http_client *client = begin(world, NULL);

    sql_run(world->sql, "CREATE TABLE \"Parts\" (id int) PARTITION BY RANGE (id); "
                        "CREATE TABLE part PARTITION OF \"Parts\" FOR VALUES FROM (0) TO (9)");
    PGconn *reader = sql_open(world->conninfo);
    sql_run(reader, "BEGIN; SELECT * FROM part");
    rollout_submit(client, 2, "-- schemagate: expand\nALTER TABLE \"Parts\" ADD COLUMN x int;\n");
    rollout_wait_blocked(client, 2);
    assert_string_equal(json_text_at(rollout_get(client, 2)->json, "/lock/blockers/0/relation"), "part");
    sql_run(reader, "COMMIT");
    rollout_wait(client, 2, "complete");
    PQfinish(reader);
}

static int64_t cancel_and_wait(struct http_client *client, int64_t version, const char *status)
{
    int64_t started = test_now_ms();
    rollout_act(client, version, "cancel");
    rollout_wait_status(client, version, status);
    return test_now_ms() - started;
}

/* On a machine that has something else to do. Otherwise the daemon would watch for 30 s. */
#define SOON_MS 20000

static void it_is_cancelled_at_once_while_it_watches(void **state)
{
    struct world *world = *state;
    struct http_client *client = begin(world, NULL);
    PGconn *reader = hold_table(world, "application_name=report");

    rollout_submit(client, 2, ALTERS);
    rollout_wait_blocked(client, 2);
    assert_in_range(cancel_and_wait(client, 2, "done"), 0, SOON_MS);
    rollout_expect_phase(client, 2, "cancelled", "done");
    fleet_join(client, REPLICA("new", 1, 3));
    rollout_submit(client, 3, SAMPLE_DROP_NOTE);
    rollout_wait_blocked(client, 3);
    assert_in_range(cancel_and_wait(client, 3, "failed"), 0, SOON_MS);
    rollout_expect_phase(client, 3, "expanded", "failed");
    PQfinish(reader);
    rollout_act(client, 3, "retry");
    rollout_wait(client, 3, "complete");
}

/* Whom it may not end, or cannot tell from another, it says, with what a superuser can type. */
static void expect_not_ended(struct http_client *client, const char *because, PGconn *reader)
{
    int64_t deadline = test_now_ms() + PATIENCE_MS;
    const char *type, *detail;
    char remedy[64];

    snprintf(remedy, sizeof remedy, "SELECT pg_terminate_backend(%d)", PQbackendPID(reader));
    do { /* the next look may still be to come; when a try begins nobody is known to be in its way */
        const struct http_answer *answer = http_tell(client, "POST", NULL, "/v1/migrations/2/unblock");
        assert_int_equal(answer->status, 409);
        type = json_text_at(answer->json, "/type");
        detail = json_text_at(answer->json, "/detail");
    } while ((strcmp(type, "urn:schemagate:problem:invalid-transition") == 0 || !strstr(detail, because)) &&
             test_now_ms() < deadline);
    assert_string_equal(type, "urn:schemagate:problem:not-terminated");
    assert_non_null(strstr(detail, remedy));
    assert_non_null(strstr(detail, because));
}

/* Whoever may not see the age of transactions makes plain tries, and says so. */
static void without_the_right_to_look_tries_are_made_all_the_same(void **state)
{
    struct world *world = *state;
    char conninfo[CLUSTER_CONNINFO_SIZE + 32];

    sql_run(world->sql, "DROP ROLE IF EXISTS modest; CREATE ROLE modest LOGIN; "
                        "GRANT pg_signal_backend TO modest");
    sql_run(world->sql, "GRANT CREATE ON DATABASE %s TO modest; GRANT ALL ON SCHEMA public TO modest",
            PQdb(world->sql));
    snprintf(conninfo, sizeof conninfo, "%s user=modest", world->conninfo);
    struct daemon_options options = {.conninfo = conninfo};
    struct http_client *client = &world_daemon(world, &options)->client;
    rollout_submit(client, 1, SAMPLE_CREATE);
    rollout_wait(client, 1, "complete");
    PGconn *reader = hold_table(world, "application_name=report");
    rollout_submit(client, 2, ALTERS);
    sql_wait(world->sql, "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE "
                         "application_name = 'schemagate coordinator' AND wait_event_type = 'Lock')");
    rollout_wait_blocked(client, 2);
    const struct http_answer *answer = rollout_get(client, 2);
    assert_true(json_is_true(json_at(answer->json, "/lock/blind")));
    assert_non_null(strstr(json_text_at(answer->json, "/lock/advice"), "pg_read_all_stats"));
    assert_string_equal(json_text_at(answer->json, "/lock/blockers/0/application_name"), "report");
    expect_not_ended(client, "pg_read_all_stats", reader);
    sql_run(world->sql, "GRANT pg_read_all_stats TO modest");
    expect_not_ended(client, "GRANT pg_signal_backend", reader);
    sql_run(reader, "COMMIT");
    rollout_wait(client, 2, "complete");
    PQfinish(reader);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        world_test(an_idle_reader_is_named_and_nobody_queues),
        world_test(those_in_the_way_are_ended_when_an_operator_says_so),
        world_test(the_configuration_ends_what_is_idle_in_transaction),
        world_test(for_whom_those_in_the_way_wait_is_told),
        world_test(a_prepared_transaction_is_named),
        world_test(a_prepared_transaction_in_the_way_of_a_build_is_named),
        world_test(the_other_end_of_a_foreign_key_is_watched),
        world_test(partitions_are_watched_with_their_parent),
        world_test(it_is_cancelled_at_once_while_it_watches),
        world_test(without_the_right_to_look_tries_are_made_all_the_same),
    };
    return world_run(tests);
}
