/* Submitting migrations: what is the same, what is a conflict, what is refused and how it says
 * so. */
#include <support/expect.h>
#include <support/samples.h>
#include <support/world.h>

#include <stdlib.h>
#include <string.h>

#define EXPAND(statement) "-- schemagate: expand\n" statement "\n"

static void the_same_file_again_is_no_new_migration(void **state)
{
    struct world *world = *state;
    struct http_client *client = world_client(world);
    const struct http_answer *answer = rollout_try_submit(client, 1, SAMPLE_CREATE, NULL);
    expect_answer(answer, 201, NULL);
    char *location = http_header(answer, "Location");
    assert_string_equal(location, "/v1/migrations/1");
    free(location);
    expect_answer(rollout_try_submit(client, 1, SAMPLE_CREATE, NULL), 200, NULL);
    expect_answer(rollout_try_submit(client, 1, "\xEF\xBB\xBF" SAMPLE_CREATE, NULL), 200, NULL);
    json_t *labels = json_pack("{s:{s:s}, s:s}", "labels", "commit", "9f3c2ab", "name", "other");
    expect_answer(rollout_try_submit(client, 1, SAMPLE_CREATE, labels), 200, NULL);
    rollout_wait(client, 1, "complete");
    expect_answer(rollout_try_submit(client, 1, SAMPLE_CREATE, NULL), 200, NULL);
    assert_int_equal(world_rows(world, "migration"), 1);
}

static void another_file_for_the_same_version_is_a_conflict(void **state)
{
    struct http_client *client = world_client(*state);
    rollout_submit(client, 1, SAMPLE_CREATE);
    expect_answer(rollout_try_submit(client, 1, EXPAND("CREATE TABLE other (id int);"), NULL), 409,
                  "version-conflict");
    expect_answer(rollout_try_submit(client, 1, SAMPLE_CREATE,
                                     json_pack("{s:s}", "approval", "manual")),
                  409, "version-conflict");
}

static void a_lower_version_is_out_of_order(void **state)
{
    struct http_client *client = world_client(*state);
    rollout_submit(client, 5, SAMPLE_CREATE);
    expect_answer(rollout_try_submit(client, 4, EXPAND("CREATE TABLE other (id int);"), NULL), 409,
                  "out-of-order");
}

static void parts_are_the_same_as_the_file_that_they_make(void **state)
{
    struct http_client *client = world_client(*state);
    json_t *parts = json_pack("{s:i, s:s, s:s}", "version", 1, "expand", "CREATE TABLE t (id int);",
                              "undo", "DROP TABLE t;");
    expect_answer(http_call(client, "POST", json_incref(parts), "/v1/migrations"), 201, NULL);
    expect_answer(http_call(client, "POST", parts, "/v1/migrations"), 200, NULL);
    rollout_wait(client, 1, "complete");
}

static void a_file_without_markers_is_planned(void **state)
{
    struct http_client *client = world_client(*state);

    rollout_submit(client, 1, "CREATE TABLE t (id int);");
    rollout_wait(client, 1, "complete");
    expect_answer(rollout_try_submit(client, 2, "DO $$ BEGIN NULL; END $$;", NULL), 422, "plan-refused");
}

static void sql_that_does_not_parse_is_refused_with_line_and_column(void **state)
{
    struct world *world = *state;
    struct http_client *client = world_client(world);
    const struct http_answer *answer = rollout_try_submit(
        client, 1, "-- schemagate: expand\nCREATE TABLE t (id int);\nSELECT 1 FORM t;\n", NULL);
    expect_answer(answer, 422, "plan-refused");
    assert_int_equal(json_number_at(answer->json, "/findings/0/line"), 3);
    assert_in_range(json_number_at(answer->json, "/findings/0/column"), 10, 15);
    assert_int_equal(world_rows(world, "migration"), 0);
}

static void statements_are_split_by_the_grammar(void **state)
{
    struct world *world = *state;
    if (PQserverVersion(world->sql) < 140000) /* which brought BEGIN ATOMIC */
        skip();
    struct http_client *client = world_client(world);
    rollout_submit(client, 1,
                   "-- schemagate: expand\n"
                   "CREATE TABLE \"a;b\" (x text DEFAULT ';');\n"
                   "CREATE FUNCTION f() RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT 1; SELECT 2; "
                   "END;\n"
                   "CREATE FUNCTION g() RETURNS text LANGUAGE plpgsql AS $$ BEGIN\n"
                   "-- schemagate: contract\n"
                   "RETURN ';'; END $$;\n");
    rollout_wait(client, 1, "complete");
    assert_int_equal(sql_number(world->sql, "SELECT f()"), 2);
    assert_int_equal(sql_number(world->sql, "SELECT count(*) FROM schemagate.step"), 3);
}

static void submitted_sql_cannot_end_its_transaction_or_touch_our_schema(void **state)
{
    struct http_client *client = world_client(*state);
    static const char *const refused[] = {
        EXPAND("CREATE TABLE t (id int); COMMIT; CREATE TABLE u (id int);"),
        EXPAND("DROP SCHEMA schemagate CASCADE;"),
        EXPAND("SELECT pg_advisory_unlock_all();"),
        EXPAND("\\i other.sql"),
    };
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++)
        expect_answer(rollout_try_submit(client, 1, refused[i], NULL), 422, "plan-refused");
}

static void a_hostile_nesting_costs_nothing_but_its_own_request(void **state)
{
    struct http_client *client = world_client(*state);
    size_t depth = 200000;
    char *sql = malloc(depth * 2 + 64);
    assert_non_null(sql);
    strcpy(sql, "-- schemagate: expand\nSELECT 1");
    size_t length = strlen(sql);
    for (size_t i = 0; i < depth; i++, length += 2)
        memcpy(sql + length, "+1", 2);
    strcpy(sql + length, ";\n");
    expect_answer(rollout_try_submit(client, 1, sql, NULL), 422, "plan-refused");
    free(sql);
    rollout_submit(client, 1, SAMPLE_CREATE);
    rollout_wait(client, 1, "complete");
}

/* Deploy jobs of the same commit submit the same file at the same time. */
static void the_same_file_many_times_at_once_is_one_migration(void **state)
{
    struct world *world = *state;
    struct http_client *client = world_client(world);
    int connections[20], created = 0;
    json_t *body = json_pack("{s:i, s:s}", "version", 1, "sql", SAMPLE_CREATE);
    for (int i = 0; i < 20; i++)
        connections[i] = http_send(client, "POST", json_incref(body), "/v1/migrations");
    for (int i = 0; i < 20; i++) {
        int status = http_receive(connections[i]);
        assert_true(status == 200 || status == 201);
        created += status == 201;
    }
    json_decref(body);
    assert_int_equal(created, 1);
    rollout_wait(client, 1, "complete");
    assert_int_equal(sql_number(world->sql, "SELECT count(*) FROM schemagate.event "
                                            "WHERE kind = 'migration.submitted'"),
                     1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        world_test(the_same_file_again_is_no_new_migration),
        world_test(another_file_for_the_same_version_is_a_conflict),
        world_test(a_lower_version_is_out_of_order),
        world_test(parts_are_the_same_as_the_file_that_they_make),
        world_test(a_file_without_markers_is_planned),
        world_test(sql_that_does_not_parse_is_refused_with_line_and_column),
        world_test(statements_are_split_by_the_grammar),
        world_test(submitted_sql_cannot_end_its_transaction_or_touch_our_schema),
        world_test(a_hostile_nesting_costs_nothing_but_its_own_request),
        world_test(the_same_file_many_times_at_once_is_one_migration),
    };
    return world_run(tests);
}
