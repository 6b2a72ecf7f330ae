/* pg_stat_statements on a real server: a statement that goes on naming what a contract drops holds it, until
 * it is waived; and where nothing can be seen that is said. */
#include <support/expect.h>
#include <support/samples.h>
#include <support/world.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GATE "[gate]\nwitness_interval_seconds = 1\nstray_sessions = ignore\n"
#define GRANTS "GRANT SELECT, UPDATE ON customer TO app"

static PGconn *connect_as(const struct world *world, const char *role)
{
    char conninfo[CLUSTER_CONNINFO_SIZE + 80];
    snprintf(conninfo, sizeof conninfo, "%s user=%s", world->conninfo, role);
    return sql_open(conninfo);
}

static void call(PGconn *session, const char *statement)
{
    PGresult *result = PQexec(session, statement);
    assert_int_equal(PQresultStatus(result), PGRES_TUPLES_OK);
    PQclear(result);
}

/* Version 2 waits for its approval, and its fleet has moved. */
static struct http_client *begin(struct world *world, const struct daemon_options *options)
{
    struct http_client *client = &world_daemon(world, options)->client;
    char sqlstate[6];

    sql_try(world->sql, sqlstate, "CREATE ROLE app LOGIN"); /* of the cluster: once */
    rollout_submit(client, 1, SAMPLE_CREATE);
    rollout_wait(client, 1, "complete");
    sql_run(world->sql, GRANTS);
    expect_answer(rollout_try_submit(client, 2, SAMPLE_RENAME, json_pack("{s:s}", "approval", "manual")), 201,
                  NULL);
    rollout_wait(client, 2, "expanded");
    fleet_register(client, REPLICA("new", 1, 2));
    return client;
}

static const json_t *wait_for_statements(struct http_client *client, const char *member)
{
    int64_t until = test_now_ms() + 60000;
    const json_t *statements;

    do {
        test_pause();
        fleet_renew(client, REPLICA("new", 1, 2));
        const struct http_answer *gate = http_call(client, "GET", NULL, "/v1/migrations/2/gate");
        statements = json_object_get(gate->json, "statements");
        const char *text = json_string_value(json_object_get(statements, member));
        if (text && *text)
            return statements;
    } while (test_now_ms() < until);
    test_fail("the statements have no %s", member);
}

static const json_t *in_use(struct http_client *client)
{
    const struct http_answer *gate = http_call(client, "GET", NULL, "/v1/migrations/2/gate");
    const json_t *hold;
    size_t i;

    json_array_foreach(json_object_get(gate->json, "holds"), i, hold)
    {
        if (strcmp(json_string_value(json_object_get(hold, "code")), "in-use") == 0)
            return hold;
    }
    test_fail("nothing is in use");
}

static void what_is_still_called_holds_until_it_is_waived(void **state)
{
    struct world *world = *state;
    PGconn *report;

    sql_run(world->sql, "CREATE SCHEMA \"stat tools\"");
    sql_run(world->sql, "CREATE EXTENSION pg_stat_statements SCHEMA \"stat tools\"");
    struct http_client *client = begin(world, &(struct daemon_options){.sections = GATE});
    report = connect_as(world, "app");
    call(report, "SELECT full_name FROM customer WHERE id = 1");
    wait_for_statements(client, "read_at");
    for (int i = 0; i < 3; i++) {
        call(report, "SELECT full_name FROM customer WHERE id = 1");
        call(report, "SELECT id, name FROM customer WHERE note = 'secret'");
    }
    rollout_wait_hold(client, 2, "in-use");

    const json_t *hold = in_use(client);
    char id[32];
    snprintf(id, sizeof id, "%s", json_string_value(json_object_get(hold, "queryid")));
    assert_string_equal(json_string_value(json_object_get(hold, "role")), "app");
    assert_string_equal(json_string_value(json_object_get(hold, "query")),
                        "SELECT id, name FROM customer WHERE note = $1");
    rollout_act(client, 2, "approve");
    assert_true(rollout_has_hold(client, 2, "in-use"));
    rollout_expect_phase(client, 2, "expanded", "waiting");
    expect_answer(http_call(client, "POST",
                            json_pack("{s:s, s:[s], s:s, s:i}", "code", "in-use", "subjects", id, "reason",
                                      "a report", "for_seconds", 3600),
                            "/v1/migrations/2/waive"),
                  200, NULL);
    rollout_wait(client, 2, "complete");
    char *told = sql_text(world->sql, "SELECT data->'statements'->>'note' FROM schemagate.event "
                                      "WHERE kind = 'gate.opened' AND version = 2");
    assert_string_equal(told, "");
    free(told);
    PQfinish(report);
}

static void a_missing_extension_holds_nothing_and_is_said(void **state)
{
    struct world *world = *state;
    struct http_client *client = begin(world, &(struct daemon_options){.sections = GATE});

    const json_t *statements = wait_for_statements(client, "note");
    assert_non_null(strstr(json_string_value(json_object_get(statements, "note")), "is not installed"));
    rollout_act(client, 2, "approve");
    rollout_wait(client, 2, "complete");
}

static void a_role_that_may_not_read_them_is_told_what_to_grant(void **state)
{
    struct world *world = *state;
    char sqlstate[6], conninfo[CLUSTER_CONNINFO_SIZE + 40];

    sql_run(world->sql, "CREATE EXTENSION pg_stat_statements");
    sql_try(world->sql, sqlstate, "CREATE ROLE gatekeeper LOGIN");
    char *database = sql_text(world->sql, "SELECT current_database()");
    sql_run(world->sql, "GRANT CREATE ON DATABASE %s TO gatekeeper", database);
    sql_run(world->sql, "GRANT CREATE ON SCHEMA public TO gatekeeper");
    free(database);
    snprintf(conninfo, sizeof conninfo, "%s user=gatekeeper", world->conninfo);
    struct http_client *client =
        begin(world, &(struct daemon_options){.sections = GATE, .conninfo = conninfo});

    const json_t *statements = wait_for_statements(client, "note");
    const char *note = json_string_value(json_object_get(statements, "note"));
    assert_non_null(strstr(note, "GRANT pg_read_all_stats"));
    rollout_act(client, 2, "approve");
    rollout_wait(client, 2, "complete");
}

static int open_world(void **state)
{
    int code = world_open(state);
    struct world *world = *state;

    cluster_configure(&world->cluster, "shared_preload_libraries = 'pg_stat_statements'");
    cluster_stop(&world->cluster);
    cluster_start(&world->cluster);
    return code;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        world_test(what_is_still_called_holds_until_it_is_waived),
        world_test(a_missing_extension_holds_nothing_and_is_said),
        world_test(a_role_that_may_not_read_them_is_told_what_to_grant),
    };
    return cmocka_run_group_tests(tests, open_world, world_close);
}
