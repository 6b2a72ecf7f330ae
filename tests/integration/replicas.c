/* The life of a replica: registration, renewal, waiting, refusal, supersession, and every way to
 * end. */
#include <support/expect.h>
#include <support/samples.h>
#include <support/world.h>

#include <stdlib.h>
#include <string.h>

/* Migrations 1 and 2 are expanded: the window is [0, 2]. */
static struct http_client *expanded(struct world *world)
{
    struct http_client *client = world_client(world);
    rollout_submit(client, 1, SAMPLE_CREATE);
    rollout_submit(client, 2, SAMPLE_RENAME);
    rollout_wait(client, 2, "expanded");
    return client;
}

static void a_registration_is_answered_and_durable(void **state)
{
    struct world *world = *state;
    struct http_client *client = expanded(world);
    const struct http_answer *answer = fleet_register(client, REPLICA("a", 1, 2));
    expect_answer(answer, 201, NULL);
    assert_string_equal(json_text_at(answer->json, "/state"), "live");
    assert_string_equal(json_text_at(answer->json, "/incarnation"), "one");
    assert_int_equal(json_number_at(answer->json, "/window/ceiling"), 2);
    assert_int_equal(json_number_at(answer->json, "/lease_seconds"), 30);
    assert_int_equal(json_number_at(answer->json, "/renew_after_seconds"), 10);
    assert_int_equal(sql_number(world->sql, "SELECT count(*) FROM schemagate.replica "
                                            "WHERE app = 'web' AND instance = 'a' AND state = "
                                            "'live'"),
                     1);
    expect_answer(fleet_register(client, REPLICA("a", 1, 2)), 200, NULL);
    assert_int_equal(world_rows(world, "replica"), 1);
}

static void a_renewal_needs_a_known_incarnation(void **state)
{
    struct http_client *client = expanded(*state);
    expect_answer(fleet_renew(client, REPLICA("a", 1, 2)), 404, "unknown-replica");
    fleet_join(client, REPLICA("a", 1, 2));
    const struct http_answer *answer = fleet_renew(client, REPLICA("a", 1, 2));
    expect_answer(answer, 200, NULL);
    assert_string_equal(json_text_at(answer->json, "/state"), "live");
}

static void many_renewals_travel_in_one_request(void **state)
{
    struct http_client *client = expanded(*state);
    fleet_join(client, REPLICA("a", 1, 2));
    json_t *body = json_pack("{s:[{s:s,s:s,s:s},{s:s,s:s,s:s}]}", "renewals", "app", "web",
                             "instance", "a", "incarnation", "one", "app", "web", "instance", "b",
                             "incarnation", "one");
    const struct http_answer *answer = http_call(client, "POST", body, "/v1/renewals");
    expect_answer(answer, 200, NULL);
    assert_int_equal(json_number_at(answer->json, "/results/0/status"), 200);
    assert_string_equal(json_text_at(answer->json, "/results/0/replica/state"), "live");
    assert_int_equal(json_number_at(answer->json, "/results/1/status"), 404);
    assert_non_null(strstr(json_text_at(answer->json, "/results/1/type"), "unknown-replica"));
}

static void a_replica_ahead_of_the_schema_waits_until_the_expand_is_done(void **state)
{
    struct world *world = *state;
    struct http_client *client = world_client(world);
    const struct http_answer *answer = fleet_register(client, REPLICA("a", 1, 1));
    expect_answer(answer, 202, NULL);
    assert_string_equal(json_text_at(answer->json, "/state"), "waiting");
    struct http_pending *pending = http_begin(client, "PUT", fleet_body(REPLICA("a", 1, 1)),
                                              "/v1/apps/web/replicas/a?wait=15");
    rollout_submit(client, 1, SAMPLE_CREATE);
    answer = http_finish(client, pending);
    assert_in_range(answer->status, 200, 201);
    assert_string_equal(json_text_at(answer->json, "/state"), "live");
    assert_int_equal(sql_number(world->sql, "SELECT count(*) FROM schemagate.replica "
                                            "WHERE state = 'live'"),
                     1);
}

static void a_wait_ends_when_its_time_is_up(void **state)
{
    struct http_client *client = world_client(*state);
    int64_t started = test_now_ms();
    const struct http_answer *answer = http_call(client, "PUT", fleet_body(REPLICA("a", 1, 1)),
                                                 "/v1/apps/web/replicas/a?wait=1");
    expect_answer(answer, 202, NULL);
    assert_in_range(test_now_ms() - started, 1000, 30000);
}

static void code_that_needs_no_schema_may_start_before_the_first_migration(void **state)
{
    struct http_client *client = world_client(*state);
    expect_answer(fleet_register(client, REPLICA("a", 0, 0)), 201, NULL);
    expect_answer(fleet_register(client, REPLICA("b", 0, 3)), 201, NULL);
}

/* Contract 2 is done: the window is [2, 2]. */
static struct http_client *contracted(struct world *world)
{
    struct http_client *client = expanded(world);
    fleet_join(client, REPLICA("new", 2, 2));
    rollout_wait(client, 2, "complete");
    return client;
}

static void an_old_replica_is_refused_after_the_contract(void **state)
{
    struct world *world = *state;
    struct http_client *client = contracted(world);
    rollout_expect_window(client, 2, 2);
    const struct http_answer *answer = fleet_register(client, REPLICA("old", 1, 1));
    expect_answer(answer, 409, "schema-too-old");
    assert_int_equal(json_number_at(answer->json, "/window/floor"), 2);
    assert_int_equal(sql_number(world->sql, "SELECT count(*) FROM schemagate.replica "
                                            "WHERE instance = 'old' AND state <> 'gone'"),
                     0);
}

static void a_running_replica_keeps_its_range_when_the_new_one_is_not_served(void **state)
{
    struct http_client *client = expanded(*state);
    fleet_join(client, REPLICA("a", 1, 2));
    expect_answer(fleet_register(client, REPLICA("a", 7, 8)), 409, "range-not-served");
    const struct http_answer *answer = fleet_renew(client, REPLICA("a", 1, 2));
    expect_answer(answer, 200, NULL);
    assert_int_equal(json_number_at(answer->json, "/min"), 1);
    assert_int_equal(json_number_at(answer->json, "/max"), 2);
}

static void a_running_replica_may_change_its_range(void **state)
{
    struct world *world = *state;
    struct http_client *client = expanded(world);
    fleet_join(client, REPLICA("a", 1, 1));
    rollout_wait_hold(client, 2, "replica-behind");
    expect_answer(fleet_register(client, REPLICA("a", 1, 2)), 200, NULL);
    rollout_wait(client, 2, "complete");
}

static void a_new_incarnation_supersedes_and_the_old_one_goes_on_holding(void **state)
{
    struct http_client *client = expanded(*state);
    struct fleet_replica first = *REPLICA("a", 1, 1), second = *REPLICA("a", 1, 2);
    second.incarnation = "two";
    fleet_join(client, &first);
    fleet_join(client, &second);
    expect_answer(fleet_renew(client, &first), 409, "incarnation-superseded");
    expect_answer(fleet_register(client, &first), 409, "incarnation-superseded");
    fleet_wait_state(client, &first, "lost");
    assert_true(rollout_has_hold(client, 2, "replica-lost"));
    rollout_expect_phase(client, 2, "expanded", "waiting");
    expect_answer(fleet_evict(client, &first), 200, NULL);
    rollout_wait(client, 2, "complete");
    expect_answer(fleet_renew(client, &second), 200, NULL);
}

static void a_successor_that_attests_the_end_frees_the_gate(void **state)
{
    struct world *world = *state;
    struct http_client *client = expanded(world);
    struct fleet_replica second = *REPLICA("a", 1, 2);
    second.incarnation = "two";
    second.predecessor_ended = true;
    fleet_join(client, REPLICA("a", 1, 1));
    fleet_join(client, &second);
    fleet_wait_state(client, REPLICA("a", 1, 1), "gone");
    rollout_wait(client, 2, "complete");
    char *reason = sql_text(world->sql, "SELECT gone_reason FROM schemagate.replica "
                                        "WHERE state = 'gone'");
    assert_string_equal(reason, "restarted");
    free(reason);
}

static void a_goodbye_is_idempotent_and_names_its_incarnation(void **state)
{
    struct http_client *client = expanded(*state);
    struct fleet_replica other = *REPLICA("a", 1, 1);
    other.incarnation = "other";
    fleet_join(client, REPLICA("a", 1, 1));
    expect_answer(fleet_leave(client, &other), 409, NULL);
    assert_true(rollout_has_hold(client, 2, "replica-behind"));
    expect_answer(fleet_leave(client, REPLICA("a", 1, 1)), 204, NULL);
    expect_answer(fleet_leave(client, REPLICA("a", 1, 1)), 204, NULL);
    expect_answer(fleet_renew(client, REPLICA("a", 1, 1)), 404, "unknown-replica");
}

static void an_agent_attests_an_end(void **state)
{
    struct http_client *client = expanded(*state);
    fleet_join(client, REPLICA("a", 1, 1));
    expect_answer(fleet_attest(client, REPLICA("a", 1, 1)), 200, NULL);
    fleet_wait_state(client, REPLICA("a", 1, 1), "gone");
}

static void silence_makes_lost_and_holds_until_it_is_evicted(void **state)
{
    struct http_client *client = expanded(*state);
    struct fleet_replica silent = *REPLICA("silent", 1, 1);
    silent.lease_seconds = 5;
    fleet_join(client, &silent);
    fleet_join(client, REPLICA("new", 1, 2));
    fleet_wait_state(client, &silent, "lost");
    rollout_wait_hold(client, 2, "replica-lost");
    rollout_expect_phase(client, 2, "expanded", "waiting");
    expect_answer(fleet_renew(client, &silent), 200, NULL);
    fleet_wait_state(client, &silent, "live");
    rollout_wait_hold(client, 2, "replica-behind");
    expect_answer(fleet_evict(client, &silent), 200, NULL);
    rollout_wait(client, 2, "complete");
}

static void a_lost_replica_is_assumed_gone_where_the_operator_says_so(void **state)
{
    struct world *world = *state;
    const char *environment[] = {"SCHEMAGATE_GATE_ASSUME_GONE_AFTER_SECONDS=1", NULL};
    struct http_client *client =
        &world_daemon(world, &(struct daemon_options){.environment = environment})->client;
    rollout_submit(client, 1, SAMPLE_CREATE);
    rollout_wait(client, 1, "complete");
    struct fleet_replica silent = *REPLICA("silent", 1, 1);
    silent.lease_seconds = 5;
    fleet_join(client, &silent);
    fleet_wait_state(client, &silent, "gone");
    char *reason = sql_text(world->sql, "SELECT gone_reason FROM schemagate.replica");
    assert_string_equal(reason, "assumed");
    free(reason);
}

/* Becoming live is an admission of its own: one that has gone quiet while it waited is not admitted
 * by the way. */
static void a_waiting_replica_whose_lease_ran_out_registers_again(void **state)
{
    struct world *world = *state;
    struct http_client *client = world_client(world);
    struct fleet_replica early = *REPLICA("early", 1, 1);
    early.lease_seconds = 5;
    expect_answer(fleet_register(client, &early), 202, NULL);
    sql_wait(world->sql, "SELECT count(*) = 0 FROM schemagate.replica WHERE state = 'waiting'");
    rollout_submit(client, 1, SAMPLE_CREATE);
    rollout_wait(client, 1, "complete");
    assert_int_equal(sql_number(world->sql, "SELECT count(*) FROM schemagate.replica "
                                            "WHERE state IN ('live', 'lost')"),
                     0);
    expect_answer(fleet_renew(client, &early), 404, "unknown-replica");
    fleet_join(client, &early);
}

static void an_absurd_maximum_is_taken_as_it_is_said(void **state)
{
    struct http_client *client = expanded(*state);
    fleet_join(client, REPLICA("a", 1, (INT64_C(1) << 48) - 1));
    rollout_wait(client, 2, "complete");
    expect_answer(fleet_register(client, REPLICA("b", 1, INT64_C(1) << 48)), 422, NULL);
}

static void a_release_that_lists_its_versions_counts_as_behind_without_them(void **state)
{
    struct http_client *client = expanded(*state);
    json_t *body = fleet_body(REPLICA("a", 1, 2));
    json_object_set_new(body, "knows", json_pack("{s:s}", "1", "sha256:00"));
    const struct http_answer *answer = http_call(client, "PUT", body, "/v1/apps/web/replicas/a");
    assert_in_range(answer->status, 201, 422);
    if (answer->status == 201)
        rollout_wait_hold(client, 2, "replica-behind");
}

static void replicas_are_listed_in_pages(void **state)
{
    struct http_client *client = expanded(*state);
    char path[160] = "/v1/replicas?limit=2";
    for (int i = 0; i < 5; i++) {
        char name[8];
        snprintf(name, sizeof name, "r%d", i);
        fleet_join(client, REPLICA(name, 1, 2));
    }
    size_t seen = 0, pages = 0;
    for (;;) {
        const struct http_answer *answer = http_call(client, "GET", NULL, "%s", path);
        expect_answer(answer, 200, NULL);
        seen += json_array_size(json_at(answer->json, "/items"));
        pages++;
        const char *next = json_text_at(answer->json, "/next");
        if (*next == '\0')
            break;
        snprintf(path, sizeof path, "/v1/replicas?limit=2&cursor=%s", next);
    }
    assert_int_equal(seen, 5);
    assert_int_equal(pages, 3);
    const struct http_answer *none = http_call(client, "GET", NULL, "/v1/replicas?app=nobody");
    assert_int_equal(json_array_size(json_at(none->json, "/items")), 0);
}

static void a_deploy_tool_asks_whether_a_range_may_start(void **state)
{
    struct http_client *client = contracted(*state);
    static const struct {
        int min, max;
        const char *verdict;
    } asked[] = {{1, 1, "too-old"}, {1, 2, "live"}, {3, 3, "waiting"}};
    for (size_t i = 0; i < sizeof asked / sizeof asked[0]; i++) {
        const struct http_answer *answer =
            http_call(client, "GET", NULL, "/v1/apps/web/admission?min=%d&max=%d", asked[i].min,
                      asked[i].max);
        expect_answer(answer, 200, NULL);
        assert_string_equal(json_text_at(answer->json, "/verdict"), asked[i].verdict);
    }
}

static void an_app_with_replicas_cannot_be_retired(void **state)
{
    struct http_client *client = expanded(*state);
    fleet_join(client, REPLICA("a", 1, 2));
    expect_answer(http_call(client, "DELETE", NULL, "/v1/apps/web?reason=over"), 409, NULL);
    expect_answer(fleet_leave(client, REPLICA("a", 1, 2)), 204, NULL);
    assert_in_range(http_call(client, "DELETE", NULL, "/v1/apps/web?reason=over")->status, 200,
                    204);
}

/* Every registration that arrives during one database round trip shares one transaction. */
static void a_thousand_registrations_cost_few_commits(void **state)
{
    struct world *world = *state;
    struct http_client *client = expanded(world);
    struct fleet_replica like = *REPLICA("", 1, 2);
    static const char transactions[] = "SELECT txid_current()"; /* those that wrote, and this one */
    fleet_join(client, REPLICA("first", 1, 2));
    int64_t before = sql_number(world->sql, transactions);
    assert_int_equal(fleet_register_many(client, &like, 1000), 1000);
    assert_int_equal(world_rows(world, "replica"), 1001);
    int64_t commits = sql_number(world->sql, transactions) - before - 1;
    print_message("1,000 registrations: %d commits\n", (int)commits);
    assert_in_range(commits, 1, 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        world_test(a_registration_is_answered_and_durable),
        world_test(a_renewal_needs_a_known_incarnation),
        world_test(many_renewals_travel_in_one_request),
        world_test(a_replica_ahead_of_the_schema_waits_until_the_expand_is_done),
        world_test(a_wait_ends_when_its_time_is_up),
        world_test(code_that_needs_no_schema_may_start_before_the_first_migration),
        world_test(an_old_replica_is_refused_after_the_contract),
        world_test(a_running_replica_keeps_its_range_when_the_new_one_is_not_served),
        world_test(a_running_replica_may_change_its_range),
        world_test(a_new_incarnation_supersedes_and_the_old_one_goes_on_holding),
        world_test(a_successor_that_attests_the_end_frees_the_gate),
        world_test(a_goodbye_is_idempotent_and_names_its_incarnation),
        world_test(an_agent_attests_an_end),
        world_test(silence_makes_lost_and_holds_until_it_is_evicted),
        world_test(a_lost_replica_is_assumed_gone_where_the_operator_says_so),
        world_test(a_waiting_replica_whose_lease_ran_out_registers_again),
        world_test(an_absurd_maximum_is_taken_as_it_is_said),
        world_test(a_release_that_lists_its_versions_counts_as_behind_without_them),
        world_test(replicas_are_listed_in_pages),
        world_test(a_deploy_tool_asks_whether_a_range_may_start),
        world_test(an_app_with_replicas_cannot_be_retired),
        world_test(a_thousand_registrations_cost_few_commits),
    };
    return world_run_in_lanes(2, tests);
}
