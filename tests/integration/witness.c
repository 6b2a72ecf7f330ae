/* Real sessions: strays and pins hold a gate; an operator ends sessions, waives, evicts. */
#include "session_scene.h"

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

static void expect_action(struct http_client *client, const char *name, bool offered)
{
    const json_t *actions = json_at(rollout_get(client, 2)->json, "/actions"), *action;
    bool found = false;
    size_t i;

    json_array_foreach(actions, i, action)
    {
        found |= strcmp(json_string_value(action), name) == 0;
    }
    assert_int_equal(found, offered);
}

static void a_stray_can_be_waived(void **state)
{
    struct world *world = *state;
    struct scene s = begin(world, "[gate]\nwitness_interval_seconds = 1\n");
    PGconn *stray = connect_as(world, "app", "cron");

    rollout_wait_hold(s.client, 2, "session-stray");
    expect_action(s.client, "waive", true);
    json_t *body = json_pack("{s:s, s:[s], s:i, s:s}", "code", "replica-behind", "subjects", "web",
                             "for_seconds", 60, "reason", "no");
    expect_answer(http_call(s.client, "POST", body, "/v1/migrations/2/waive"), 422, "invalid");
    body = json_pack("{s:s, s:[s], s:i, s:s}", "code", "session-stray", "subjects", "app/cron",
                     "for_seconds", 600, "reason", "it only reads");
    expect_answer(http_call(s.client, "POST", body, "/v1/migrations/2/waive"), 200, NULL);
    expect_action(s.client, "waive", false); /* what is left cannot be */
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
    /* It has been told to end; on a busy machine it takes a moment to. */
    sql_wait(world->sql, "SELECT count(*) = 0 FROM pg_stat_activity WHERE application_name = 'old'");
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
    };
    return world_run(tests);
}
