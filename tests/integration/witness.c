/* Real sessions: strays, pins and absence hold and free a gate; an operator ends sessions, waives,
 * evicts. */
#include <support/expect.h>
#include <support/samples.h>
#include <support/world.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static PGconn *connect_as(const struct world *world, const char *role, const char *name)
{
    char conninfo[CLUSTER_CONNINFO_SIZE + 80];
    snprintf(conninfo, sizeof conninfo, "%s user=%s application_name=%s", world->conninfo, role, name);
    return sql_open(conninfo);
}

static void register_named(struct http_client *client, const struct fleet_replica *replica)
{
    json_t *body = fleet_body(replica);
    json_object_set_new(body, "application_name", json_string(replica->instance));
    expect_answer(http_call(client, "PUT", body, "/v1/apps/%s/replicas/%s", replica->app, replica->instance),
                  201, NULL);
}

/* Version 2 is expanded, and `old`, which has a session like `new`, holds its contract. */
struct scene {
    struct http_client *client;
    PGconn *old, *new;
};

static struct scene begin(struct world *world, const char *sections)
{
    struct daemon_options options = {.sections = sections};
    struct scene s = {.client = &world_daemon(world, &options)->client};

    char sqlstate[6];
    sql_try(world->sql, sqlstate, "CREATE ROLE app LOGIN"); /* of the cluster: once */
    rollout_submit(s.client, 1, SAMPLE_CREATE);
    rollout_submit(s.client, 2, SAMPLE_RENAME);
    rollout_wait(s.client, 2, "expanded");
    s.old = connect_as(world, "app", "old");
    s.new = connect_as(world, "app", "new");
    register_named(s.client, REPLICA("old", 1, 1));
    register_named(s.client, REPLICA("new", 1, 2));
    rollout_wait_hold(s.client, 2, "replica-behind");
    return s;
}

static void end(struct scene *s)
{
    PQfinish(s->old);
    PQfinish(s->new);
}

/* The old replica says goodbye once its session has ended. */
static void old_leaves(struct scene *s)
{
    PQfinish(s->old);
    s->old = NULL;
    expect_answer(fleet_leave(s->client, REPLICA("old", 1, 1)), 204, NULL);
}

static const json_t *first_hold(struct http_client *client)
{
    return json_at(http_call(client, "GET", NULL, "/v1/migrations/2/gate")->json, "/holds/0");
}

static void a_stray_session_holds_until_it_is_terminated(void **state)
{
    struct world *world = *state;
    struct scene s = begin(world, "[gate]\nwitness_interval_seconds = 1\n");
    PGconn *stray = connect_as(world, "app", "cron");

    rollout_wait_hold(s.client, 2, "session-stray");
    old_leaves(&s);
    rollout_wait_hold(s.client, 2, "session-stray");
    const json_t *hold = first_hold(s.client);
    assert_int_equal(json_number_at(hold, "/pid"), PQbackendPID(stray));
    assert_string_equal(json_text_at(hold, "/role"), "app");
    assert_string_equal(json_text_at(hold, "/application_name"), "cron");
    const struct http_answer *status = http_call(s.client, "GET", NULL, "/status");
    assert_int_equal(json_number_at(status->json, "/strays/0/pid"), PQbackendPID(stray));

    json_t *body = json_pack("{s:s}", "reason", "left over");
    expect_answer(http_call(s.client, "POST", body, "/v1/sessions/%d/terminate", PQbackendPID(stray)), 200,
                  NULL);
    rollout_wait(s.client, 2, "complete");
    char *evidence = sql_text(world->sql, "SELECT data->>'evidence' FROM schemagate.event "
                                          "WHERE kind = 'gate.opened' AND version = 2");
    assert_string_equal(evidence, "witnessed");
    free(evidence);
    assert_int_equal(sql_number(world->sql, "SELECT count(*) FROM schemagate.event "
                                            "WHERE kind = 'operator.terminate'"),
                     1);
    PQfinish(stray);
    end(&s);
}

static void a_stray_can_be_waived(void **state)
{
    struct world *world = *state;
    struct scene s = begin(world, "[gate]\nwitness_interval_seconds = 1\n");
    PGconn *stray = connect_as(world, "app", "cron");

    rollout_wait_hold(s.client, 2, "session-stray");
    json_t *body = json_pack("{s:s, s:[s], s:i, s:s}", "code", "replica-behind", "subjects", "web",
                             "for_seconds", 60, "reason", "no");
    expect_answer(http_call(s.client, "POST", body, "/v1/migrations/2/waive"), 422, "invalid");
    body = json_pack("{s:s, s:[s], s:i, s:s}", "code", "session-stray", "subjects", "app/cron",
                     "for_seconds", 600, "reason", "it only reads");
    expect_answer(http_call(s.client, "POST", body, "/v1/migrations/2/waive"), 200, NULL);
    old_leaves(&s);
    rollout_wait(s.client, 2, "complete");
    assert_int_equal(sql_number(world->sql, "SELECT count(*) FROM schemagate.waiver"), 1);
    PQfinish(stray);
    end(&s);
}

static void a_pin_below_holds_until_its_session_ends(void **state)
{
    struct world *world = *state;
    struct scene s = begin(world, "[gate]\nwitness_interval_seconds = 1\n");

    PGconn *job = connect_as(world, "app", "job");
    sql_run(job, "SELECT schemagate.pin(1, 1)");
    rollout_wait_hold(s.client, 2, "session-behind");
    old_leaves(&s);
    rollout_wait_hold(s.client, 2, "session-behind");
    PQfinish(job);
    rollout_wait(s.client, 2, "complete");
    end(&s);
}

static void an_eviction_ends_the_sessions_first(void **state)
{
    struct world *world = *state;
    struct scene s = begin(world, NULL);

    json_t *body = json_pack("{s:s, s:b}", "reason", "it hangs", "terminate_sessions", 1);
    expect_answer(http_call(s.client, "POST", body, "/v1/apps/web/replicas/old/evict"), 200, NULL);
    assert_int_equal(sql_number(world->sql, "SELECT count(*) FROM pg_stat_activity "
                                            "WHERE application_name = 'old'"),
                     0);
    rollout_wait(s.client, 2, "complete");
    end(&s);
}

/* Its lease is over, but its session is there; then neither is. */
static void absence_that_is_trusted_frees_the_gate(void **state)
{
    struct world *world = *state;
    struct scene s = begin(world, "[gate]\nwitness_interval_seconds = 1\nlease_seconds = 5\n"
                                  "trust_absence_seconds = 2\n");

    rollout_wait_hold(s.client, 2, "replica-lost");
    int64_t until = test_now_ms() + 4000;
    while (test_now_ms() < until) {
        fleet_renew(s.client, REPLICA("new", 1, 2));
        rollout_wait_hold(s.client, 2, "replica-lost");
        test_pause();
    }
    PQfinish(s.old);
    s.old = NULL;
    until = test_now_ms() + 20000;
    while (test_now_ms() < until &&
           sql_number(world->sql, "SELECT count(*) FROM schemagate.replica WHERE gone_reason = "
                                  "'no-sessions'") == 0) {
        fleet_renew(s.client, REPLICA("new", 1, 2));
        test_pause();
    }
    fleet_renew(s.client, REPLICA("new", 1, 2));
    rollout_wait(s.client, 2, "complete");
    end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        world_test(a_stray_session_holds_until_it_is_terminated),
        world_test(a_stray_can_be_waived),
        world_test(a_pin_below_holds_until_its_session_ends),
        world_test(an_eviction_ends_the_sessions_first),
        world_test(absence_that_is_trusted_frees_the_gate),
    };
    return world_run(tests);
}
