/* Pins and their markers over a real PostgreSQL: who may pin what, how markers follow the window through
 * commits, rollbacks and terms, and that an upgraded schema is the same as a fresh one. */
#include "db_scene.h"

#include <unistd.h>

static PGconn *app;

extern const char sql_schema[]; /* daemon/db/sql/schema.sql */

static int lead_with_app(void **state)
{
    char as_app[CLUSTER_CONNINFO_SIZE + 32];

    create_database(state);
    sql_run(sql, "SET client_min_messages = error; DROP ROLE IF EXISTS app; CREATE ROLE app LOGIN");
    snprintf(as_app, sizeof as_app, "%s user=app", conninfo);
    part_lead(&part, conninfo);
    app = sql_open(as_app);
    return 0;
}

static int leave_with_app(void **state)
{
    PQfinish(app);
    return leave(state);
}

static void window_is(const char *members)
{
    char *json = memory_printf("{\"window\":{%s}}", members);
    assert_int_equal(commit_json(&part, 0, json).status, COMMIT_DONE);
    free(json);
}

static void version_is(int version, const char *phase)
{
    char *json = memory_printf("{\"migrations\":[{\"version\":%d,\"checksum\":\"c\",\"plan_checksum\":\"p\","
                               "\"sql\":\"\",\"phase\":\"%s\"}],\"window\":{}}", version, phase);
    assert_int_equal(commit_json(&part, 0, json).status, COMMIT_DONE);
    free(json);
}

static const char *pin(PGconn *session, int min, int max)
{
    static char state[6];
    return sql_try(session, state, "SELECT schemagate.pin(%d, %d)", min, max);
}

static void expect_locks(PGconn *session, const char *expected)
{
    char *text = sql_text(sql, "SELECT string_agg(format('%%s:%%s', to_hex(classid::bigint >> 16), "
                               "objid), ' ' ORDER BY classid, objid) FROM pg_locks "
                               "WHERE locktype = 'advisory' "
                               "AND pid = %d", PQbackendPID(session));
    assert_string_equal(text, expected);
    free(text);
}

static void expect_markers(const char *expected)
{
    char *text = sql_text(sql, "SELECT format('%%s..%%s c%%s u%%s n%%s', f.last_value, t.last_value, "
                               "c.last_value, u.last_value, n.last_value) FROM schemagate.marker_floor f, "
                               "schemagate.marker_ceiling t, schemagate.marker_contracting c, "
                               "schemagate.marker_undoing u, schemagate.marker_undone n");
    assert_string_equal(text, expected);
    free(text);
}

#define SERVED "00000"
#define REFUSED "SG003"

/* ---- pins ---- */

static void an_ordinary_role_pins_and_reads_nothing(void **state)
{
    (void)state;
    char s[6];

    window_is("\"floor\":40,\"ceiling\":42");
    assert_string_equal(pin(app, 41, 42), SERVED);
    expect_locks(app, "5348:42 5349:41");
    assert_string_equal(sql_try(app, s, "SELECT * FROM schemagate.window"), "42501");
    assert_string_equal(sql_try(app, s, "SELECT last_value FROM schemagate.marker_floor"), "42501");
    assert_string_equal(sql_try(app, s, "SELECT schemagate.commit(1, '', 0, '{}')"), "42501");
    assert_string_equal(sql_try(app, s, "SELECT schemagate.settle_markers()"), "42501");
    assert_string_equal(sql_try(app, s, "CREATE TABLE schemagate.mine ()"), "42501");
    assert_int_equal(sql_number(sql, "SELECT count(*) FROM pg_proc "
                                     "WHERE pronamespace = 'schemagate'::regnamespace "
                                     "AND has_function_privilege('app', oid, 'EXECUTE')"), 2);
    sql_run(app, "SELECT schemagate.unpin()");
    expect_locks(app, "");
    sql_run(app, "SELECT schemagate.unpin()");
}

static void a_second_pin_replaces_the_first_and_a_refused_one_leaves_it(void **state)
{
    (void)state;
    window_is("\"floor\":40,\"ceiling\":42");
    assert_string_equal(pin(app, 40, 41), SERVED);
    assert_string_equal(pin(app, 40, 42), SERVED);
    assert_string_equal(pin(app, 40, 42), SERVED);
    expect_locks(app, "5348:42 5349:40");
    assert_string_equal(pin(app, 1, 39), REFUSED);
    assert_string_equal(pin(app, 1, 42), SERVED);
    expect_locks(app, "5348:42 5349:1");
    sql_run(app, "BEGIN; SELECT schemagate.pin(40, 43); ROLLBACK");
    expect_locks(app, "5348:43 5349:40");
    sql_run(app, "SELECT schemagate.unpin()");
    expect_locks(app, "");
}

static void what_is_no_range_is_refused(void **state)
{
    (void)state;
    char s[6];
    static const char *const wrong[] = {"-1, 3", "3, 2", "0, 281474976710656", "NULL, 3", "1, NULL"};

    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_string_equal(sql_try(app, s, "SELECT schemagate.pin(%s)", wrong[i]), "22023");
    window_is("\"floor\":281474976710655,\"ceiling\":281474976710655");
    sql_run(app, "SELECT schemagate.pin(0, 281474976710655)");
    char *key = sql_text(sql, "SELECT ((classid::bigint << 32 | objid::bigint) & "
                              "((1::bigint << 48) - 1))::text FROM pg_locks "
                              "WHERE classid::bigint >> 16 = x'5348'::bigint");
    assert_string_equal(key, "281474976710655");
    free(key);
}

static void the_refusal_says_what_to_do(void **state)
{
    (void)state;
    window_is("\"floor\":40,\"ceiling\":42,\"contracting\":42");
    PGresult *result = PQexec(app, "SELECT schemagate.pin(40, 41)");
    assert_string_equal(PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY),
                        "no schema version from 40 to 41 is served: the window is 40 to 42, "
                        "contract 42 is under way");
    assert_string_equal(PQresultErrorField(result, PG_DIAG_MESSAGE_HINT),
                        "Deploy a release that works with version 42 or a later one.");
    PQclear(result);
    expect_locks(app, "");
}

/* The rules of section 2 of the design, over one window. */
static void a_pin_needs_a_version_that_is_served(void **state)
{
    (void)state;
    static const struct {
        const char *window;
        int min, max;
        const char *outcome;
    } cases[] = {
        {"\"floor\":40,\"ceiling\":44", 1, 39, REFUSED},  {"\"floor\":40,\"ceiling\":44", 1, 40, SERVED},
        {"\"floor\":40,\"ceiling\":44", 41, 41, REFUSED}, /* never submitted */
        {"\"floor\":40,\"ceiling\":44", 42, 42, SERVED},  {"\"floor\":40,\"ceiling\":44", 43, 43, REFUSED},
        {"\"floor\":40,\"ceiling\":44", 42, 43, SERVED},  {"\"floor\":40,\"ceiling\":44", 44, 99, SERVED},
        {"\"floor\":40,\"ceiling\":44", 45, 99, REFUSED},
        {"\"contracting\":42", 40, 41, REFUSED},          {"\"contracting\":42", 40, 42, SERVED},
        {"\"contracting\":42", 42, 43, SERVED},           {"\"contracting\":42", 44, 44, SERVED},
        {"\"contracting\":null,\"undoing\":44", 44, 99, REFUSED},
        {"\"undoing\":44", 43, 44, REFUSED},              {"\"undoing\":44", 42, 44, SERVED},
        {"\"undoing\":44", 40, 40, SERVED},               {"\"undoing\":null", 44, 44, SERVED},
    };

    version_is(42, "expanded");
    version_is(43, "undone");
    version_is(44, "expanded");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        window_is(cases[i].window);
        if (strcmp(pin(app, cases[i].min, cases[i].max), cases[i].outcome) != 0)
            test_fail("case %zu: pin(%d, %d)", i, cases[i].min, cases[i].max);
    }
}

/* A transaction that began before the undo sees the version as served, and is not believed. */
static void an_old_snapshot_cannot_pin_an_undone_version(void **state)
{
    (void)state;
    version_is(40, "complete");
    version_is(42, "expanded");
    version_is(43, "expanded");
    window_is("\"floor\":40,\"ceiling\":43");
    sql_run(app, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
    assert_string_equal(pin(app, 43, 43), SERVED);
    window_is("\"undoing\":43");
    commit_json(&part, 0, "{\"window\":{\"undoing\":null,\"ceiling\":42},\"migrations\":["
                          "{\"version\":43,\"checksum\":\"c\",\"plan_checksum\":\"p\",\"sql\":\"\","
                          "\"phase\":\"undone\"}]}");
    version_is(44, "expanded");
    window_is("\"ceiling\":44");
    assert_string_equal(pin(app, 43, 43), REFUSED);
    sql_run(app, "ROLLBACK; BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
    assert_string_equal(pin(app, 43, 43), REFUSED);
    sql_run(app, "ROLLBACK; BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
    assert_string_equal(pin(app, 42, 42), SERVED);
    sql_run(app, "ROLLBACK");
}

static void an_old_snapshot_sees_a_fence(void **state)
{
    (void)state;
    window_is("\"floor\":40,\"ceiling\":42");
    sql_run(app, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
    sql_run(app, "SELECT count(*) FROM pg_class");
    window_is("\"contracting\":42");
    assert_string_equal(pin(app, 40, 41), REFUSED);
    sql_run(app, "ROLLBACK");
    window_is("\"contracting\":null");
    assert_string_equal(pin(app, 40, 41), SERVED);
}

/* ---- markers ---- */

static void markers_follow_the_window(void **state)
{
    (void)state;
    expect_markers("0..0 c0 u0 n0");
    window_is("\"floor\":40,\"ceiling\":42");
    expect_markers("40..42 c0 u0 n0");
    window_is("\"contracting\":42");
    expect_markers("40..42 c42 u0 n0");
    window_is("\"contracting\":null,\"floor\":42");
    expect_markers("42..42 c0 u0 n0");
    window_is("\"floor\":40,\"ceiling\":44,\"undoing\":44");
    expect_markers("40..44 c0 u44 n0");
    window_is("\"undoing\":null");
    expect_markers("40..44 c0 u0 n0");
    version_is(44, "undone");
    expect_markers("40..44 c0 u0 n1");
}

/* The settings of a transaction that is rolled back stay on the side of refusal, until the next commit. */
static void a_rollback_leaves_the_markers_closed(void **state)
{
    (void)state;
    char fence[256];

    snprintf(fence, sizeof fence, "SELECT schemagate.commit(epoch, nonce, 0, $${\"window\":{%%s}}$$) "
                                  "FROM schemagate.coordinator");
    window_is("\"floor\":40,\"ceiling\":42,\"contracting\":42");
    /* What would open does not: not in the transaction, nor after it. */
    sql_run(sql, "BEGIN");
    sql_run(sql, fence, "\"contracting\":null,\"floor\":30,\"ceiling\":50");
    expect_markers("40..42 c42 u0 n0");
    sql_run(sql, "ROLLBACK");
    expect_markers("40..42 c42 u0 n0");
    window_is("\"contracting\":null");
    /* What closes does so at once, and stays although it never happened. */
    sql_run(sql, "BEGIN");
    sql_run(sql, fence, "\"contracting\":42");
    assert_string_equal(pin(app, 40, 41), REFUSED);
    sql_run(sql, "ROLLBACK");
    assert_string_equal(pin(app, 40, 41), REFUSED);
    assert_string_equal(pin(app, 42, 42), SERVED);
    window_is("");
    assert_string_equal(pin(app, 40, 41), SERVED);
}

static void a_new_term_sets_the_markers_right(void **state)
{
    (void)state;
    window_is("\"floor\":40,\"ceiling\":42");
    sql_run(sql, "SELECT setval('schemagate.marker_contracting', 42), "
                 "setval('schemagate.marker_ceiling', 7)");
    database_restart_term(part.db, "asked for by the test");
    part_wait(&part, part.coordinator.begun == 2);
    expect_markers("40..42 c0 u0 n0");
}

/* The opening of one commit does not undo the closing of another that is in flight. */
static void settling_waits_for_a_commit_in_flight(void **state)
{
    (void)state;
    char s[6];
    PGconn *other = sql_open(conninfo);

    window_is("\"floor\":40,\"ceiling\":42");
    sql_run(sql, "BEGIN");
    sql_run(sql, "SELECT schemagate.commit(epoch, nonce, 0, $${\"window\":{\"contracting\":42}}$$) "
                 "FROM schemagate.coordinator");
    sql_run(other, "SET lock_timeout = '50ms'");
    assert_string_equal(sql_try(other, s, "SELECT schemagate.settle_markers()"), "55P03");
    sql_run(sql, "COMMIT");
    sql_run(other, "SELECT schemagate.settle_markers()");
    expect_markers("40..42 c42 u0 n0");
    PQfinish(other);
}

static void an_execution_that_changes_the_window_settles_the_markers(void **state)
{
    (void)state;
    const struct execution_statement create = {.sql = "CREATE TABLE made (n int)", .number = 1};
    const struct execution_statement fails = {.sql = "SELECT 1/0", .number = 1};
    struct execution expand = {.transactional = true, .statements = &create, .statement_count = 1};
    struct execution broken = {.transactional = true, .statements = &fails, .statement_count = 1};

    struct executed e = execute(&part, expand, "{\"window\":{\"ceiling\":5}}");
    assert_int_equal(e.status, EXECUTION_DONE);
    assert_true(e.commit.generation > 1);
    expect_markers("0..5 c0 u0 n0");
    assert_int_equal(execute(&part, broken, "{\"window\":{\"ceiling\":6}}").status, EXECUTION_FAILED);
    expect_markers("0..5 c0 u0 n0");
    assert_int_equal(execute(&part, (struct execution){.transactional = true}, "{}").status, EXECUTION_DONE);
}

/* ---- waivers, and what was witnessed ---- */

static void waivers_are_written_again_and_voided_by_a_corrected_plan(void **state)
{
    (void)state;
    const char *waive = "{\"waivers\":[{\"version\":7,\"code\":\"soaking\",\"for_seconds\":%d,"
                        "\"reason\":\"r\",\"actor\":\"a\"}]}";
    char json[256];

    version_is(7, "expanded");
    for (int seconds = 60; seconds <= 120; seconds += 60) {
        snprintf(json, sizeof json, waive, seconds);
        assert_int_equal(commit_json(&part, 0, json).status, COMMIT_DONE);
    }
    assert_int_equal(sql_number(sql, "SELECT sum(for_seconds) FROM schemagate.waiver"), 120);
    commit_json(&part, 0, "{\"migrations\":[{\"version\":7,\"checksum\":\"c\",\"plan_checksum\":\"p\","
                          "\"sql\":\"\",\"replaced\":true}]}");
    assert_int_equal(sql_number(sql, "SELECT count(*) FROM schemagate.waiver"), 0);
}

/* ---- the layout ---- */

#define SCHEMA_DIGEST \
    "SELECT md5(string_agg(line, E'\\n' ORDER BY line)) FROM (" \
    "SELECT format('%%s %%s %%s', c.relkind, c.relname, c.relacl) AS line FROM pg_class c " \
    "WHERE relnamespace = 'schemagate'::regnamespace UNION ALL " \
    "SELECT format('%%s.%%s %%s %%s %%s %%s', c.relname, a.attnum, a.attname, " \
    "format_type(atttypid, atttypmod), attnotnull, pg_get_expr(adbin, adrelid)) " \
    "FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid " \
    "LEFT JOIN pg_attrdef ON adrelid = c.oid AND adnum = attnum " \
    "WHERE relnamespace = 'schemagate'::regnamespace AND attnum > 0 UNION ALL " \
    "SELECT pg_get_constraintdef(oid) FROM pg_constraint " \
    "WHERE connamespace = 'schemagate'::regnamespace UNION ALL " \
    "SELECT format('%%s %%s', pg_get_functiondef(oid), proacl) FROM pg_proc " \
    "WHERE pronamespace = 'schemagate'::regnamespace UNION ALL " \
    "SELECT format('schema %%s', nspacl) FROM pg_namespace WHERE nspname = 'schemagate') AS lines"

/* With rows in it, and a contract under way. */
static void an_upgraded_schema_is_the_same_as_a_fresh_one(void **state)
{
    (void)state;
    char old[CLUSTER_CONNINFO_SIZE];
    struct part upgraded;

    cluster_database(&cluster, old);
    PGconn *session = sql_open(old);
    PQclear(PQexec(session, sql_schema));
    sql_run(session, "UPDATE schemagate.window SET floor = 40, ceiling = 42, contracting = 42");
    sql_run(session, "INSERT INTO schemagate.replica (app, instance, incarnation, state, min, max, "
                     "lease_seconds) VALUES ('web', 'a', 'i', 'live', 40, 42, 30)");
    part_lead(&upgraded, old);
    char *fresh = sql_text(sql, SCHEMA_DIGEST), *now = sql_text(session, SCHEMA_DIGEST);
    assert_string_equal(now, fresh);
    assert_int_equal(sql_number(session, "SELECT last_value FROM schemagate.marker_contracting"), 42);
    assert_int_equal(sql_number(session, "SELECT last_value FROM schemagate.marker_floor"), 40);
    assert_int_equal(sql_number(session, "SELECT count(*) FROM schemagate.replica WHERE NOT witnessed"), 1);
    assert_int_equal(sql_number(session, "SELECT max(version) FROM schemagate.schema_version"), 3);
    free(fresh);
    free(now);
    PQfinish(session);
    part_stop(&upgraded);
}

#define WITH_APP(test) cmocka_unit_test_setup_teardown(test, lead_with_app, leave_with_app)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_APP(an_ordinary_role_pins_and_reads_nothing),
        WITH_APP(a_second_pin_replaces_the_first_and_a_refused_one_leaves_it),
        WITH_APP(what_is_no_range_is_refused),
        WITH_APP(the_refusal_says_what_to_do),
        WITH_APP(a_pin_needs_a_version_that_is_served),
        WITH_APP(an_old_snapshot_cannot_pin_an_undone_version),
        WITH_APP(an_old_snapshot_sees_a_fence),
        WITH_APP(markers_follow_the_window),
        WITH_APP(a_rollback_leaves_the_markers_closed),
        WITH_APP(a_new_term_sets_the_markers_right),
        WITH_APP(settling_waits_for_a_commit_in_flight),
        WITH_APP(an_execution_that_changes_the_window_settles_the_markers),
        WITH_APP(waivers_are_written_again_and_voided_by_a_corrected_plan),
        WITH_APP(an_upgraded_schema_is_the_same_as_a_fresh_one),
    };
    cmocka_set_test_filter(getenv("TEST_FILTER"));
    return cmocka_run_group_tests(tests, open_cluster, close_cluster);
}
