/* A streaming standby is promoted that had not received the last registration: the daemon follows, nothing
 * opens for the longest lease and its grace, and what it has in memory is written back. */
#include <support/expect.h>
#include <support/samples.h>
#include <support/world.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct cluster standby;

/* The lease of everybody here, 5 s, and its grace. */
#define SETTLING_MS 10000

static void renew_all(struct http_client *client)
{
    fleet_renew(client, REPLICA("new", 1, 2));
    fleet_renew(client, REPLICA("late", 1, 1));
}

static void wait_for_timeline(struct http_client *client)
{
    int64_t until = test_now_ms() + 30000;
    char timeline[16] = "";
    while (test_now_ms() < until && strcmp(timeline, "00000002") != 0) {
        renew_all(client);
        const struct http_answer *status = http_call(client, "GET", NULL, "/status");
        const json_t *database = json_at(status->json, "/database");
        const char *text = json_string_value(json_object_get(database, "timeline"));
        snprintf(timeline, sizeof timeline, "%s", text ? text : "");
        test_pause();
    }
    assert_string_equal(timeline, "00000002");
}

static void a_promotion_that_lost_a_registration_opens_no_gate_too_early(void **state)
{
    struct world *world = *state;
    char both[2 * CLUSTER_CONNINFO_SIZE], there[CLUSTER_CONNINFO_SIZE];
    struct daemon_options options = {.conninfo = both,
                                     .sections = "[gate]\nlease_seconds = 5\n"};

    cluster_open_standby(&standby, &world->cluster);
    snprintf(both, sizeof both, "host=%s,%s user=postgres dbname=%s target_session_attrs=read-write",
             world->cluster.sockets, standby.sockets, PQdb(world->sql));
    struct http_client *client = &world_daemon(world, &options)->client;
    rollout_submit(client, 1, SAMPLE_CREATE);
    rollout_submit(client, 2, SAMPLE_RENAME);
    rollout_wait(client, 2, "expanded");
    fleet_join(client, REPLICA("old", 1, 1));
    fleet_join(client, REPLICA("new", 1, 2));
    sql_wait(world->sql, "SELECT replay_lsn >= pg_current_wal_lsn() FROM pg_stat_replication");

    cluster_stop(&standby);
    fleet_join(client, REPLICA("late", 1, 1)); /* the standby never hears of it */
    PQfinish(world->sql);
    cluster_crash(&world->cluster);
    cluster_start(&standby);
    cluster_promote(&standby);
    wait_for_timeline(client);
    int64_t promoted = test_now_ms();

    cluster_conninfo(&standby, strstr(world->conninfo, "dbname=") + strlen("dbname="), there);
    world->sql = sql_open(there);
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
    assert_in_range(test_now_ms() - promoted, SETTLING_MS - 2000, 3 * SETTLING_MS);
    fleet_renew(client, REPLICA("new", 1, 2));
    rollout_wait(client, 2, "complete");

    daemon_stop(&world->daemons[0]);
    cluster_stop(&standby);
    cluster_start(&world->cluster);
    world_reconnect(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        world_test(a_promotion_that_lost_a_registration_opens_no_gate_too_early),
    };
    return world_run(tests);
}
