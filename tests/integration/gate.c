/* Every hold of the gates, and that a gate opens in the moment in which the last one goes: all of
 * it runs twice, the second time with every timer set to a minute. */
#include <support/expect.h>
#include <support/samples.h>
#include <support/world.h>

#include <stdlib.h>
#include <string.h>

/* No poll, no interval and no first retry comes to help within a test. */
static const char *const slow_timers[] = {
    "SCHEMAGATE_GATE_LEASE_SECONDS=60", "SCHEMAGATE_MIGRATION_RETRY_FIRST_MS=60000",
    "SCHEMAGATE_MIGRATION_RETRY_MAX_MS=60000", "SCHEMAGATE_MIGRATION_LOCK_TIMEOUT_MS=60000", NULL};

/* What a gate may take to open once the last hold has gone, on a machine that has something else to do. */
#define AT_ONCE_MS 8000

static bool slow;

static struct http_client *begin(struct world *world, const char *sections)
{
    struct daemon_options options =
        {.sections = sections, .environment = slow ? slow_timers : NULL};
    struct http_client *client = &world_daemon(world, &options)->client;
    rollout_submit(client, 1, SAMPLE_CREATE);
    rollout_submit(client, 2, SAMPLE_RENAME);
    rollout_wait(client, 2, "expanded");
    return client;
}

/* Expects exactly this one hold. */
static void held_by(struct http_client *client, int64_t version, const char *code)
{
    rollout_wait_hold(client, version, code);
    const struct http_answer *gate =
        http_call(client, "GET", NULL, "/v1/migrations/%d/gate", (int)version);
    if (json_number_at(gate->json, "/holds_total") != 1)
        test_fail("expected %s alone, not %s", code, gate->body);
    assert_true(json_is_false(json_at(gate->json, "/open")));
    assert_true(strlen(json_text_at(gate->json, "/holds/0/message")) > 0);
    assert_true(strlen(json_text_at(gate->json, "/holds/0/clears_when")) > 0);
}

static void opens_at_once(struct http_client *client, int64_t version, const char *phase)
{
    int64_t started = test_now_ms();
    rollout_wait(client, version, phase);
    assert_in_range(test_now_ms() - started, 0, AT_ONCE_MS);
}

static void an_empty_fleet_never_opens_a_gate(void **state)
{
    struct http_client *client = begin(*state, NULL);
    held_by(client, 2, "fleet-missing");
    fleet_join(client, REPLICA("a", 2, 2));
    opens_at_once(client, 2, "complete");
}

static void a_fleet_below_its_minimum_holds(void **state)
{
    struct http_client *client = begin(*state, "[app web]\nmin_replicas = 2\n");
    fleet_join(client, REPLICA("a", 1, 2));
    held_by(client, 2, "fleet-missing");
    fleet_join(client, REPLICA("b", 1, 2));
    opens_at_once(client, 2, "complete");
}

static void a_minimum_is_declared_for_an_app(void **state)
{
    struct http_client *client = begin(*state, NULL);
    fleet_join(client, REPLICA("old", 1, 1));
    fleet_join(client, REPLICA("a", 1, 2));
    json_t *body = json_pack("{s:i}", "min_replicas", 2);
    assert_in_range(http_call(client, "PUT", body, "/v1/apps/web")->status, 200, 201);
    expect_answer(fleet_leave(client, REPLICA("old", 1, 1)), 204, NULL);
    held_by(client, 2, "fleet-missing");
    body = json_pack("{s:i}", "min_replicas", 1);
    assert_in_range(http_call(client, "PUT", body, "/v1/apps/web")->status, 200, 201);
    opens_at_once(client, 2, "complete");
}

static void a_replica_behind_holds_until_it_says_goodbye(void **state)
{
    struct http_client *client = begin(*state, NULL);
    fleet_join(client, REPLICA("old", 1, 1));
    fleet_join(client, REPLICA("new", 1, 2));
    held_by(client, 2, "replica-behind");
    const struct http_answer *gate = http_call(client, "GET", NULL, "/v1/migrations/2/gate");
    assert_string_equal(json_text_at(gate->json, "/holds/0/app"), "web");
    assert_string_equal(json_text_at(gate->json, "/holds/0/instance"), "old");
    assert_int_equal(json_number_at(gate->json, "/holds/0/max"), 1);
    expect_answer(fleet_leave(client, REPLICA("old", 1, 1)), 204, NULL);
    opens_at_once(client, 2, "complete");
}

static void a_declared_release_below_the_contract_holds(void **state)
{
    struct http_client *client = begin(*state, NULL);
    json_t *body = json_pack("{s:{s:i,s:i}}", "desired", "min", 1, "max", 1);
    assert_in_range(http_call(client, "PUT", body, "/v1/apps/web")->status, 200, 201);
    fleet_join(client, REPLICA("a", 1, 2));
    held_by(client, 2, "desired-behind");
    body = json_pack("{s:{s:i,s:i}}", "desired", "min", 1, "max", 2);
    assert_in_range(http_call(client, "PUT", body, "/v1/apps/web")->status, 200, 201);
    opens_at_once(client, 2, "complete");
}

static void an_operators_word_on_a_release_frees_the_gate(void **state)
{
    struct http_client *client = begin(*state, NULL);
    json_t *body = fleet_body(REPLICA("a", 1, 1));
    json_object_set_new(body, "release", json_string("web@old"));
    expect_answer(http_call(client, "PUT", body, "/v1/apps/web/replicas/a"), 201, NULL);
    held_by(client, 2, "replica-behind");
    body = json_pack("{s:s, s:i, s:s}", "release", "web@old", "max", 2, "reason",
                     "never reads name");
    assert_in_range(http_call(client, "POST", body, "/v1/apps/web/compatible")->status, 200, 201);
    opens_at_once(client, 2, "complete");
}

static struct http_client *begin_with(struct world *world, json_t *more)
{
    struct daemon_options options = {.environment = slow ? slow_timers : NULL};
    struct http_client *client = &world_daemon(world, &options)->client;
    rollout_submit(client, 1, SAMPLE_CREATE);
    expect_answer(rollout_try_submit(client, 2, SAMPLE_RENAME, more), 201, NULL);
    rollout_wait(client, 2, "expanded");
    return client;
}

static void an_approval_is_awaited(void **state)
{
    struct http_client *client = begin_with(*state, json_pack("{s:s}", "approval", "manual"));
    fleet_join(client, REPLICA("a", 1, 2));
    held_by(client, 2, "awaiting-approval");
    rollout_act(client, 2, "approve");
    opens_at_once(client, 2, "complete");
}

static void the_directive_of_a_file_asks_for_approval(void **state)
{
    struct world *world = *state;
    struct http_client *client = world_client(world);
    rollout_submit(client, 1, SAMPLE_CREATE);
    rollout_submit(client, 2, "-- schemagate: migration approval=manual\n" SAMPLE_RENAME);
    rollout_wait(client, 2, "expanded");
    fleet_join(client, REPLICA("a", 1, 2));
    rollout_wait_hold(client, 2, "awaiting-approval");
    rollout_act(client, 2, "approve");
    rollout_act(client, 2, "approve");
    opens_at_once(client, 2, "complete");
}

static void a_soak_lasts_after_the_last_old_replica_went(void **state)
{
    struct http_client *client = begin_with(*state, json_pack("{s:i}", "soak_seconds", 5));
    fleet_join(client, REPLICA("old", 1, 1));
    fleet_join(client, REPLICA("a", 1, 2));
    int64_t started = test_now_ms();
    expect_answer(fleet_leave(client, REPLICA("old", 1, 1)), 204, NULL);
    held_by(client, 2, "soaking");
    rollout_wait(client, 2, "complete");
    assert_in_range(test_now_ms() - started, 5000, 5000 + AT_ONCE_MS);
}

static void pauses_and_earlier_contracts_hold(void **state)
{
    struct http_client *client = begin(*state, NULL);
    rollout_submit(client, 3, SAMPLE_DROP_NOTE);
    rollout_wait(client, 3, "expanded");
    rollout_act(client, 2, "pause");
    fleet_join(client, REPLICA("a", 1, 3));
    held_by(client, 2, "paused");
    held_by(client, 3, "earlier-migration");
    rollout_act(client, 2, "resume");
    opens_at_once(client, 3, "complete");
}

static void an_undo_waits_for_replicas_that_need_it(void **state)
{
    struct http_client *client = begin(*state, NULL);
    fleet_join(client, REPLICA("old", 1, 1));
    fleet_join(client, REPLICA("ahead", 2, 2));
    rollout_act(client, 2, "undo");
    held_by(client, 2, "replica-ahead");
    expect_answer(fleet_leave(client, REPLICA("ahead", 2, 2)), 204, NULL);
    opens_at_once(client, 2, "undone");
}

static void an_undo_waits_for_later_migrations(void **state)
{
    struct http_client *client = begin(*state, NULL);
    fleet_join(client, REPLICA("old", 1, 1));
    rollout_submit(client, 3, "-- schemagate: expand\nCREATE TABLE extra (id int);\n"
                              "-- schemagate: undo\nDROP TABLE extra;\n");
    rollout_wait(client, 3, "complete");
    const struct http_answer *answer = http_call(client, "POST", NULL, "/v1/migrations/2/undo");
    if (answer->status == 200) {
        rollout_wait_hold(client, 2, "later-migration");
        rollout_act(client, 3, "undo");
        opens_at_once(client, 2, "undone");
    } else {
        expect_answer(answer, 409, "invalid-transition");
    }
}

static void after_a_restart_the_gate_settles_until_each_replica_has_renewed(void **state)
{
    struct world *world = *state;
    struct http_client *client = begin(world, NULL);
    rollout_act(client, 2, "pause");
    fleet_join(client, REPLICA("a", 1, 2));
    fleet_join(client, REPLICA("b", 1, 2));
    daemon_stop(&world->daemons[0]);
    struct daemon_options options = {.environment = slow ? slow_timers : NULL};
    client = &world_daemon(world, &options)->client;
    rollout_act(client, 2, "resume");
    rollout_wait_hold(client, 2, "settling");
    expect_answer(fleet_renew(client, REPLICA("a", 1, 2)), 200, NULL);
    assert_true(rollout_has_hold(client, 2, "settling"));
    expect_answer(fleet_renew(client, REPLICA("b", 1, 2)), 200, NULL);
    opens_at_once(client, 2, "complete");
}

static void the_list_of_holds_is_bounded(void **state)
{
    struct http_client *client = begin(*state, NULL);
    for (int i = 0; i < 25; i++) {
        char name[8];
        snprintf(name, sizeof name, "old%d", i);
        fleet_join(client, REPLICA(name, 1, 1));
    }
    const struct http_answer *gate = http_call(client, "GET", NULL, "/v1/migrations/2/gate");
    assert_int_equal(json_number_at(gate->json, "/holds_total"), 25);
    assert_int_equal(json_array_size(json_at(gate->json, "/holds")), 20);
    const struct http_answer *status = http_call(client, "GET", NULL, "/status");
    assert_non_null(strstr(status->body, "25 of 25"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        world_test(an_empty_fleet_never_opens_a_gate),
        world_test(a_fleet_below_its_minimum_holds),
        world_test(a_minimum_is_declared_for_an_app),
        world_test(a_replica_behind_holds_until_it_says_goodbye),
        world_test(a_declared_release_below_the_contract_holds),
        world_test(an_operators_word_on_a_release_frees_the_gate),
        world_test(an_approval_is_awaited),
        world_test(the_directive_of_a_file_asks_for_approval),
        world_test(a_soak_lasts_after_the_last_old_replica_went),
        world_test(pauses_and_earlier_contracts_hold),
        world_test(an_undo_waits_for_replicas_that_need_it),
        world_test(an_undo_waits_for_later_migrations),
        world_test(after_a_restart_the_gate_settles_until_each_replica_has_renewed),
        world_test(the_list_of_holds_is_bounded),
    };
    int failed = world_run(tests);
    slow = true;
    return failed + world_run(tests);
}
