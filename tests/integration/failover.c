/* A streaming standby is promoted that had not received the last registration: the daemon follows, nothing
 * opens for the longest lease and its grace, and what it has in memory is written back. */
#include "failover_scene.h"

/* The lease of everybody here, 5 s, and its grace. */
#define SETTLING_MS 10000

static void renew_all(struct http_client *client)
{
    fleet_renew(client, REPLICA("new", 1, 2));
    fleet_renew(client, REPLICA("late", 1, 1));
}

static void a_promotion_that_lost_a_registration_opens_no_gate_too_early(void **state)
{
    struct world *world = *state;
    struct http_client *client = begin_with_standby(world, "[gate]\nlease_seconds = 5\n");

    rollout_submit(client, 1, SAMPLE_CREATE);
    rollout_submit(client, 2, SAMPLE_RENAME);
    rollout_wait(client, 2, "expanded");
    fleet_join(client, REPLICA("old", 1, 1));
    fleet_join(client, REPLICA("new", 1, 2));
    cut_off_standby(world);
    fleet_join(client, REPLICA("late", 1, 1)); /* the standby never hears of it */
    fail_over(world, client, renew_all);

    sql_wait(world->sql, "SELECT EXISTS (SELECT FROM schemagate.replica "
                         "WHERE instance = 'late' AND state = 'live')");
    sql_wait(world->sql, "SELECT EXISTS (SELECT FROM schemagate.event WHERE kind = 'daemon.timeline')");
    assert_int_equal(sql_number(world->sql, "SELECT count(*) FROM schemagate.event "
                                            "WHERE kind = 'daemon.timeline'"),
                     1);
    expect_answer(fleet_leave(client, REPLICA("old", 1, 1)), 204, NULL);
    expect_answer(fleet_leave(client, REPLICA("late", 1, 1)), 204, NULL);
    assert_true(rollout_has_hold(client, 2, "settling"));
    json_t *waiver = json_pack("{s:s, s:i, s:s}", "code", "settling", "for_seconds", 60, "reason", "no");
    expect_answer(http_call(client, "POST", waiver, "/v1/migrations/2/waive"), 422, "invalid");
    while (rollout_has_hold(client, 2, "settling")) {
        fleet_renew(client, REPLICA("new", 1, 2));
        test_pause();
    }
    fleet_renew(client, REPLICA("new", 1, 2));
    rollout_wait(client, 2, "complete");
    int64_t settled = sql_number(world->sql,
                                 "SELECT extract(epoch FROM max(at) - min(at)) * 1000 FROM schemagate.event "
                                 "WHERE kind = 'daemon.timeline' "
                                 "OR (kind = 'migration.contracting' AND version = 2)");
    assert_in_range(settled, SETTLING_MS - 2000, 6 * SETTLING_MS);

    end_with_standby(world);
}

/* It takes writes, and libpq finds it first: but the daemon has seen a later timeline. */
static void a_former_primary_that_comes_back_is_not_led_on(void **state)
{
    struct world *world = *state;
    struct http_client *client = begin_with_standby(world, NULL);

    fail_over(world, client, NULL);
    cluster_start(&world->cluster);
    sql_run(world->sql, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                        "WHERE application_name = 'schemagate coordinator'");
    const char *trouble = "";
    for (int64_t until = test_now_ms() + PATIENCE_MS;
         test_now_ms() < until && !strstr(trouble, "a former primary"); test_pause())
        trouble = json_text_at(http_call(client, "GET", NULL, "/status")->json, "/database/trouble");
    assert_non_null(strstr(trouble, "a former primary"));
    cluster_crash(&world->cluster);
    daemon_wait_leader(&world->daemons[0]);
    assert_string_equal(json_text_at(http_call(client, "GET", NULL, "/status")->json, "/database/timeline"),
                        "00000002");
    end_with_standby(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        world_test(a_former_primary_that_comes_back_is_not_led_on),
        world_test(a_promotion_that_lost_a_registration_opens_no_gate_too_early),
    };
    return world_run(tests);
}
