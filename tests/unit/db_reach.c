/* Who can reach what a contract takes away, asked of a real PostgreSQL: each way in is found. */
#include "db_scene.h"

#include <jansson.h>

/* The table's owner cannot log in; `app` is an application's role and may read `id` alone. */
static const char scene[] =
    "CREATE TABLE users (id int, name text);"
    "ALTER TABLE users OWNER TO owner_role;"
    "GRANT SELECT (id), INSERT (id) ON users TO app;"
    "INSERT INTO schemagate.application_role VALUES ('app')";

static int set_scene(void **state)
{
    create_database(state);
    sql_run(sql, "DROP ROLE IF EXISTS other_app");
    for (size_t i = 0; i < 3; i++) {
        static const char *const roles[] = {"CREATE ROLE owner_role", "CREATE ROLE app LOGIN",
                                            "CREATE ROLE readers"};
        char sqlstate[6];
        sql_try(sql, sqlstate, "%s", roles[i]); /* of the cluster: once */
    }
    sql_run(sql, "REVOKE readers FROM app");
    part_lead(&part, conninfo);
    sql_run(sql, scene);
    return 0;
}

static int leave_scene(void **state)
{
    sql_run(sql, "DROP OWNED BY app, owner_role, readers CASCADE");
    return leave(state);
}

struct answer {
    bool came;
    json_t *reach;
};

static void on_answer(void *context, const json_t *reach)
{
    struct answer *answer = context;
    answer->came = true;
    answer->reach = json_deep_copy(reach);
}

static json_t *ask(const char *table, const char *column)
{
    struct answer answer = {0};
    json_t *drops = json_array();

    json_array_append_new(drops, json_pack("{s:n, s:s, s:s?}", "schema", "table", table, "column", column));
    database_witness_ops.reach(part.db, drops, json_array(), on_answer, &answer);
    part_wait(&part, answer.came);
    assert_non_null(answer.reach);
    return answer.reach;
}

/* Whether `member` of the answer names it. */
static bool finds(const char *member, const char *name)
{
    json_t *reach = ask("users", "name"), *one;
    bool found = false;
    size_t i;

    json_array_foreach(json_object_get(reach, member), i, one)
    {
        found |= strcmp(json_string_value(one), name) == 0;
    }
    json_decref(reach);
    return found;
}

static void nobody_reaches_what_only_its_owner_may_read(void **state)
{
    static const char *const members[] = {"missing", "roles", "views", "functions"};
    (void)state;
    json_t *reach = ask("users", "name");
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(json_array_size(json_object_get(reach, members[i])), 0);
    assert_int_equal(json_integer_value(json_object_get(reach, "subscriptions")), 0);
    json_decref(reach);
}

static void each_privilege_is_found(void **state)
{
    static const char *const grants[][2] = {
        {"GRANT SELECT ON users TO app", "REVOKE SELECT ON users FROM app"},
        {"GRANT UPDATE (name) ON users TO app", "REVOKE UPDATE (name) ON users FROM app"},
        {"GRANT INSERT ON users TO PUBLIC", "REVOKE INSERT ON users FROM PUBLIC"},
        {"GRANT SELECT ON users TO readers; GRANT readers TO app",
         "REVOKE readers FROM app; REVOKE SELECT ON users FROM readers"},
        {"GRANT SELECT ON users TO readers; ALTER ROLE app NOINHERIT; GRANT readers TO app",
         "REVOKE readers FROM app; REVOKE SELECT ON users FROM readers; ALTER ROLE app INHERIT"},
        {"GRANT owner_role TO app", "REVOKE owner_role FROM app"},
        {"ALTER ROLE app CREATEROLE", "ALTER ROLE app NOCREATEROLE"},
        {"ALTER ROLE app SUPERUSER", "ALTER ROLE app NOSUPERUSER"},
        {"ALTER TABLE users OWNER TO app",
         "ALTER TABLE users OWNER TO owner_role; REVOKE ALL ON users FROM app; "
         "GRANT SELECT (id) ON users TO app"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof grants / sizeof *grants; i++) {
        sql_run(sql, "%s", grants[i][0]);
        if (!finds("roles", "app"))
            fail_msg("not found: %s", grants[i][0]);
        sql_run(sql, "%s", grants[i][1]);
        if (finds("roles", "app"))
            fail_msg("still found after: %s", grants[i][1]);
    }
}

static void a_role_that_may_not_log_in_counts_while_it_has_a_session(void **state)
{
    char as_app[CLUSTER_CONNINFO_SIZE + 16];
    (void)state;
    sql_run(sql, "GRANT SELECT ON users TO app");
    snprintf(as_app, sizeof as_app, "%s user=app", conninfo);
    PGconn *session = sql_open(as_app);
    sql_run(sql, "ALTER ROLE app NOLOGIN");
    assert_true(finds("roles", "app"));
    PQfinish(session);
    sql_wait(sql, "SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE usename = 'app')");
    assert_false(finds("roles", "app"));
    sql_run(sql, "ALTER ROLE app LOGIN");
}

static void views_and_functions_reach_for_others(void **state)
{
    (void)state;
    sql_run(sql, "CREATE VIEW ids AS SELECT id FROM users");
    assert_false(finds("views", "public.ids"));
    sql_run(sql, "CREATE VIEW names AS SELECT name FROM users");
    assert_true(finds("views", "public.names"));
    sql_run(sql, "CREATE FUNCTION all_names() RETURNS SETOF text LANGUAGE sql SECURITY DEFINER "
                 "AS 'SELECT name FROM users'");
    assert_true(finds("functions", "public.all_names()"));
    sql_run(sql, "REVOKE EXECUTE ON FUNCTION all_names() FROM PUBLIC");
    assert_false(finds("functions", "public.all_names()"));
}

static void partitions_have_privileges_of_their_own(void **state)
{
    (void)state;
    sql_run(sql, "CREATE TABLE more_users () INHERITS (users)");
    assert_false(finds("roles", "app"));
    sql_run(sql, "GRANT SELECT ON more_users TO app");
    assert_true(finds("roles", "app"));
}

/* The search_path of others is not known. */
static void a_name_without_a_schema_stands_for_all_of_that_name(void **state)
{
    (void)state;
    sql_run(sql, "CREATE SCHEMA elsewhere; CREATE TABLE elsewhere.users (name text); "
                 "GRANT SELECT ON elsewhere.users TO app");
    assert_true(finds("roles", "app"));
}

static void what_is_not_there_is_named(void **state)
{
    (void)state;
    json_t *reach = ask("users", "nickname");
    assert_int_equal(json_array_size(json_object_get(reach, "missing")), 1);
    json_decref(reach);
    reach = ask("nobody", NULL);
    assert_int_equal(json_array_size(json_object_get(reach, "missing")), 1);
    json_decref(reach);
    reach = ask("users", NULL); /* the whole table: app may read one column of it */
    assert_int_equal(json_array_size(json_object_get(reach, "missing")), 0);
    assert_int_equal(json_array_size(json_object_get(reach, "roles")), 1);
    json_decref(reach);
}

#define IN_SCENE(test) cmocka_unit_test_setup_teardown(test, set_scene, leave_scene)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_SCENE(nobody_reaches_what_only_its_owner_may_read),
        IN_SCENE(each_privilege_is_found),
        IN_SCENE(a_role_that_may_not_log_in_counts_while_it_has_a_session),
        IN_SCENE(views_and_functions_reach_for_others),
        IN_SCENE(partitions_have_privileges_of_their_own),
        IN_SCENE(a_name_without_a_schema_stands_for_all_of_that_name),
        IN_SCENE(what_is_not_there_is_named),
    };
    cmocka_set_test_filter(getenv("TEST_FILTER"));
    return cmocka_run_group_tests(tests, open_cluster, close_cluster);
}
