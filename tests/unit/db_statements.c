/* pg_stat_statements, read on a real PostgreSQL: whose calls are shown, which texts, and why nothing is. */
#include "db_scene.h"

#include <jansson.h>

static PGconn *app;

static int lead_with_app(void **state)
{
    char sqlstate[6], app_conninfo[CLUSTER_CONNINFO_SIZE + 20];

    create_database(state);
    sql_try(sql, sqlstate, "CREATE ROLE app LOGIN"); /* of the cluster: once */
    snprintf(app_conninfo, sizeof app_conninfo, "%s user=app", conninfo);
    app = sql_open(app_conninfo);
    part_lead(&part, conninfo);
    return 0;
}

static int leave_with_app(void **state)
{
    PQfinish(app);
    return leave(state);
}

struct answer {
    bool came;
    json_t *read;
};

static void on_answer(void *context, const json_t *read)
{
    struct answer *answer = context;
    answer->came = true;
    answer->read = json_deep_copy(read);
}

/* roles and wanted are taken over. */
static json_t *ask(json_t *roles, json_t *wanted)
{
    struct answer answer = {0};

    database_witness_ops.statements(part.db, roles, wanted, on_answer, &answer);
    part_wait(&part, answer.came);
    assert_non_null(answer.read);
    return answer.read;
}

static const char *member(const json_t *read, const char *name)
{
    const char *text = json_string_value(json_object_get(read, name));
    return text != NULL ? text : "";
}

/* The calls of a role, all together; *id: of the last of its statements. */
static int64_t calls_of(const json_t *read, const char *role, const char **id)
{
    int64_t calls = 0;
    const json_t *row;
    size_t i;

    json_array_foreach(json_object_get(read, "statements"), i, row)
    {
        if (strcmp(json_string_value(json_array_get(row, 1)), role) != 0) {
            continue;
        }
        calls += json_integer_value(json_array_get(row, 2));
        *id = json_string_value(json_array_get(row, 0));
    }
    return calls;
}

static void a_missing_extension_is_said(void **state)
{
    (void)state;
    json_t *read = ask(json_array(), json_array());
    assert_non_null(strstr(member(read, "trouble"), "not installed"));
    json_decref(read);
}

static void what_the_roles_of_applications_have_called_is_shown(void **state)
{
    const char *id = "";

    (void)state;
    sql_run(sql, "CREATE EXTENSION pg_stat_statements");
    for (int i = 0; i < 3; i++) {
        sql_run(app, "DO $$ BEGIN END $$");
    }
    sql_run(sql, "DO $$ BEGIN END $$");
    json_t *read = ask(json_array(), json_array());
    assert_string_equal(member(read, "trouble"), "");
    assert_int_equal(calls_of(read, "app", &id), 3);
    assert_int_equal(calls_of(read, "postgres", &id), 0); /* a superuser, and the daemon's own role */
    assert_int_equal(json_object_size(json_object_get(read, "texts")), 0);
    bool says = PQserverVersion(sql) >= 140000; /* when all was reset, and what was thrown out */
    assert_int_equal(*member(read, "reset_at") != '\0', says);
    assert_int_equal(json_integer_value(json_object_get(read, "lost")), says ? 0 : -1);
    json_decref(read);

    read = ask(json_pack("[s]", "postgres"), json_array());
    assert_true(calls_of(read, "postgres", &id) > 0); /* an application's, says the configuration */
    json_decref(read);
    sql_run(sql, "INSERT INTO schemagate.application_role VALUES ('postgres')");
    read = ask(json_array(), json_array());
    assert_true(calls_of(read, "postgres", &id) > 0); /* or has been seen with replicas */
    json_decref(read);
}

static void texts_are_shown_where_they_are_asked_for(void **state)
{
    const char *id = "";

    (void)state;
    sql_run(sql, "CREATE EXTENSION pg_stat_statements");
    sql_run(sql, "SELECT pg_stat_statements_reset()");
    sql_run(app, "DO $$ BEGIN END $$");
    json_t *read = ask(json_array(), json_array());
    assert_int_equal(calls_of(read, "app", &id), 1);
    json_t *again = ask(json_array(), json_pack("[s, s]", id, "-1"));
    assert_int_equal(json_object_size(json_object_get(again, "texts")), 1);
    assert_string_equal(member(json_object_get(again, "texts"), id), "DO $$ BEGIN END $$");
    json_decref(again);
    json_decref(read);
}

static void other_databases_are_left_alone(void **state)
{
    char other[CLUSTER_CONNINFO_SIZE];
    const char *id = "";

    (void)state;
    sql_run(sql, "CREATE EXTENSION pg_stat_statements");
    cluster_database(&cluster, other);
    strncat(other, " user=app", sizeof other - strlen(other) - 1);
    PGconn *elsewhere = sql_open(other);
    sql_run(elsewhere, "DO $$ BEGIN END $$");
    PQfinish(elsewhere);
    json_t *read = ask(json_array(), json_array());
    assert_int_equal(calls_of(read, "app", &id), 0);
    json_decref(read);
}

static void that_nothing_is_tracked_is_said(void **state)
{
    (void)state;
    sql_run(sql, "CREATE EXTENSION pg_stat_statements");
    char *database = sql_text(sql, "SELECT current_database()");
    sql_run(sql, "ALTER DATABASE %s SET pg_stat_statements.track = 'none'", database);
    free(database);
    part_stop(&part);
    part_lead(&part, conninfo);
    json_t *read = ask(json_array(), json_array());
    assert_non_null(strstr(member(read, "trouble"), "track is none"));
    json_decref(read);
}

/* The extension is there, and the library is not loaded. */
static void that_the_library_is_not_loaded_is_said(void **state)
{
    (void)state;
    sql_run(sql, "CREATE EXTENSION pg_stat_statements");
    json_t *read = ask(json_array(), json_array());
    assert_non_null(strstr(member(read, "trouble"), "shared_preload_libraries"));
    json_decref(read);
}

static int load_the_library(void **state)
{
    cluster_configure(&cluster, "shared_preload_libraries = 'pg_stat_statements'");
    cluster_stop(&cluster);
    cluster_start(&cluster);
    return lead_with_app(state);
}

#define WITH_APP(test) cmocka_unit_test_setup_teardown(test, lead_with_app, leave_with_app)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_APP(that_the_library_is_not_loaded_is_said),
        cmocka_unit_test_setup_teardown(a_missing_extension_is_said, load_the_library, leave_with_app),
        WITH_APP(what_the_roles_of_applications_have_called_is_shown),
        WITH_APP(texts_are_shown_where_they_are_asked_for),
        WITH_APP(other_databases_are_left_alone),
        WITH_APP(that_nothing_is_tracked_is_said),
    };
    return cmocka_run_group_tests(tests, open_cluster, close_cluster);
}
