/* POST /v1/plan: what would run, and nothing of it stored; with the facts of the database at hand. */
#include <support/expect.h>
#include <support/samples.h>
#include <support/world.h>

#include <stdlib.h>
#include <string.h>

static const struct http_answer *plan(struct http_client *client, const char *sql)
{
    return http_call(client, "POST", json_pack("{s:s}", "sql", sql), "/v1/plan");
}

static json_t *finding(const struct http_answer *answer, const char *id)
{
    size_t i;
    json_t *item;

    json_array_foreach(json_at(answer->json, "/findings"), i, item)
    {
        if (strcmp(json_text_at(item, "/id"), id) == 0)
            return item;
    }
    return NULL;
}

static void a_plan_shows_what_would_run_and_stores_nothing(void **state)
{
    struct world *world = *state;
    struct http_client *client = world_client(world);
    rollout_submit(client, 1, SAMPLE_CREATE);
    rollout_wait(client, 1, "complete");
    const struct http_answer *answer = plan(client, SAMPLE_RENAME);
    expect_answer(answer, 200, NULL);
    assert_int_equal(strncmp(json_text_at(answer->json, "/checksum"), "sha256:", 7), 0);
    assert_int_equal(strncmp(json_text_at(answer->json, "/plan_checksum"), "sha256:", 7), 0);
    assert_true(json_is_false(json_at(answer->json, "/refused")));
    assert_string_equal(json_text_at(answer->json, "/steps/0/phase"), "expand");
    assert_string_equal(json_text_at(answer->json, "/steps/0/sql"),
                        "ALTER TABLE customer ADD COLUMN full_name text");
    assert_int_equal(json_number_at(answer->json, "/steps/0/n"), 1);
    assert_int_equal(json_number_at(answer->json, "/steps/0/transaction"), 1);
    assert_int_equal(json_number_at(answer->json, "/steps/0/line"), 2);
    assert_string_equal(json_text_at(answer->json, "/steps/0/lock"), "ACCESS EXCLUSIVE");
    assert_string_equal(json_text_at(answer->json, "/steps/0/locks/0/relation"), "customer");
    assert_string_equal(json_text_at(answer->json, "/steps/0/kind"), "statement");
    assert_null(finding(answer, "no-facts"));
    assert_int_equal(world_rows(world, "migration"), 1);
    rollout_expect_window(client, 0, 1);

    /* What is submitted later is planned to the same, and shown so. */
    char *checksum = strdup(json_text_at(answer->json, "/plan_checksum"));
    rollout_submit(client, 2, SAMPLE_RENAME);
    answer = rollout_get(client, 2);
    assert_string_equal(json_text_at(answer->json, "/plan_checksum"), checksum);
    assert_string_equal(json_text_at(answer->json, "/steps/0/lock"), "ACCESS EXCLUSIVE");
    assert_string_equal(json_text_at(answer->json, "/steps/0/kind"), "statement");
    free(checksum);
}

static void parts_are_planned_as_the_file_that_they_make(void **state)
{
    struct http_client *client = world_client(*state);
    json_t *parts =
        json_pack("{s:i, s:s, s:s}", "version", 1, "expand", "SELECT 1", "contract", "SELECT 2");
    const struct http_answer *answer = http_call(client, "POST", parts, "/v1/plan");
    expect_answer(answer, 200, NULL);
    assert_string_equal(json_text_at(answer->json, "/steps/0/phase"), "expand");
    assert_string_equal(json_text_at(answer->json, "/steps/1/phase"), "contract");
}

static void what_is_wrong_is_found_with_its_place(void **state)
{
    struct http_client *client = world_client(*state);
    const struct http_answer *answer = plan(client, "-- schemagate: expand\nSELECT 1;\n COMMIT;\n");
    expect_answer(answer, 200, NULL);
    assert_true(json_is_true(json_at(answer->json, "/refused")));
    const json_t *found = finding(answer, "transaction-control");
    assert_non_null(found);
    assert_int_equal(json_number_at(found, "/line"), 3);
    assert_int_equal(json_number_at(found, "/column"), 2);
    assert_string_equal(json_text_at(found, "/severity"), "error");
    assert_true(strlen(json_text_at(found, "/fix")) > 0);
}

static void what_a_lock_depends_on_is_said(void **state)
{
    struct world *world = *state;
    struct http_client *client = world_client(world);
    sql_run(world->sql, "CREATE TABLE counted AS SELECT i AS a FROM generate_series(1, 3000) AS i;\n"
                        "ANALYZE counted");
    const struct http_answer *answer =
        plan(client, "ALTER TABLE counted ADD b int; ALTER TABLE counted ADD CHECK (a > 0);");
    expect_answer(answer, 200, NULL);
    assert_string_equal(json_text_at(answer->json, "/steps/0/takes/effort"), "moment");
    assert_true(json_is_null(json_at(answer->json, "/steps/0/takes/rows")));
    assert_string_equal(json_text_at(answer->json, "/steps/1/takes/effort"), "moment"); /* NOT VALID */
    assert_string_equal(json_text_at(answer->json, "/steps/2/takes/effort"), "scan");
    assert_string_equal(json_text_at(answer->json, "/steps/2/takes/table"), "counted");
    assert_int_equal(json_number_at(answer->json, "/steps/2/takes/rows"), 3000);
    assert_true(json_number_at(answer->json, "/steps/2/takes/bytes") >= 8192);
}

/* The application's own transaction holds the table: neither the plan nor the daemon waits for it. */
static void a_locked_table_costs_the_facts_and_says_so(void **state)
{
    struct world *world = *state;
    struct http_client *client = world_client(world);
    sql_run(world->sql, "CREATE TABLE held (a int DEFAULT 1)");
    sql_run(world->sql, "BEGIN; LOCK TABLE held");
    const struct http_answer *answer = plan(client, "-- schemagate: expand\nALTER TABLE held ADD b int");
    expect_answer(answer, 200, NULL);
    assert_true(json_is_false(json_at(answer->json, "/refused")));
    assert_non_null(finding(answer, "no-facts"));
    sql_run(world->sql, "ROLLBACK");
    answer = plan(client, "-- schemagate: expand\nALTER TABLE held ADD b int");
    assert_null(finding(answer, "no-facts"));
}

/* Each kind of text that nobody should send; the daemon answers it, and everybody else meanwhile. */
static char *deep(void)
{
    enum { TERMS = 200000 };
    static const char head[] = "-- schemagate: expand\nSELECT 1";
    char *sql = malloc(sizeof head + 2 * TERMS);
    assert_non_null(sql);
    char *at = stpcpy(sql, head);
    for (int i = 0; i < TERMS; i++)
        at = stpcpy(at, "+1");
    return sql;
}

static char *repeated(const char *unit, size_t times)
{
    static const char head[] = "-- schemagate: expand\n";
    size_t length = strlen(unit);
    char *sql = malloc(sizeof head + times * length);
    assert_non_null(sql);
    char *at = stpcpy(sql, head);
    for (size_t i = 0; i < times; i++)
        at = stpcpy(at, unit);
    return sql;
}

static void a_text_that_ends_the_reader_is_a_finding(void **state)
{
    struct http_client *client = world_client(*state);
    char *sql = deep();
    const struct http_answer *answer = plan(client, sql);
    expect_answer(answer, 200, NULL);
    assert_non_null(finding(answer, "unreadable"));
    assert_int_equal(json_array_size(json_at(answer->json, "/steps")), 0);
    expect_answer(plan(client, "-- schemagate: expand\nSELECT 1"), 200, NULL);
    free(sql);
}

static void ten_thousand_statements_are_planned(void **state)
{
    struct http_client *client = world_client(*state);
    char *sql = repeated("UPDATE a SET b = 1 WHERE c = 2;\n", 10000);
    const struct http_answer *answer = plan(client, sql);
    expect_answer(answer, 200, NULL);
    free(sql);
}

static void what_is_never_closed_is_named_where_it_opens(void **state)
{
    struct http_client *client = world_client(*state);
    static const char *const openings[] = {"SELECT 'x", "DO $body$ BEGIN", "SELECT \"x", "/* x"};
    for (size_t i = 0; i < sizeof openings / sizeof *openings; i++) {
        char sql[128];
        snprintf(sql, sizeof sql, "-- schemagate: expand\nSELECT 1;\n%s", openings[i]);
        const struct http_answer *answer = plan(client, sql);
        expect_answer(answer, 200, NULL);
        const json_t *found = finding(answer, "unterminated");
        if (!found)
            test_fail("nothing is said about %s: %s", openings[i], answer->body);
        assert_int_equal(json_number_at(found, "/line"), 3);
    }
}

/* No SQL text holds one, and no JSON of ours. */
static void a_zero_byte_is_refused(void **state)
{
    struct http_client *client = world_client(*state);
    json_t *body = json_pack("{s:s%}", "sql", "-- schemagate: expand\nSELECT \0 1", (size_t)31);
    const struct http_answer *answer = http_call(client, "POST", body, "/v1/plan");
    expect_answer(answer, 400, NULL);
    assert_non_null(strstr(json_text_at(answer->json, "/detail"), "u0000"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        world_test(a_plan_shows_what_would_run_and_stores_nothing),
        world_test(parts_are_planned_as_the_file_that_they_make),
        world_test(what_is_wrong_is_found_with_its_place),
        world_test(what_a_lock_depends_on_is_said),
        world_test(a_locked_table_costs_the_facts_and_says_so),
        world_test(a_text_that_ends_the_reader_is_a_finding),
        world_test(ten_thousand_statements_are_planned),
        world_test(what_is_never_closed_is_named_where_it_opens),
        world_test(a_zero_byte_is_refused),
    };
    return world_run(tests);
}
