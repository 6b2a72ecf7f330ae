/* Several daemons on one database: one leads, the others stand by, and never do two run
 * migrations. */
#include <support/expect.h>
#include <support/process.h>
#include <support/samples.h>
#include <support/world.h>

#include <signal.h>
#include <string.h>

static struct daemon *standby(struct world *world)
{
    struct daemon *daemon = world_launch(world, NULL);
    daemon_wait_notification(daemon, "READY=1");
    return daemon;
}

static void a_second_daemon_stands_by(void **state)
{
    struct world *world = *state;
    world_daemon(world, &(struct daemon_options){
                            .environment = (const char *[]){
                                "SCHEMAGATE_HTTP_ADVERTISE_URL=http://leader.example:7433", NULL}});
    struct daemon *second = standby(world);
    expect_answer(http_call(&second->client, "GET", NULL, "/livez"), 200, NULL);
    const struct http_answer *answer = fleet_register(&second->client, REPLICA("a", 0, 1));
    assert_int_equal(answer->status, 503);
    int64_t deadline = test_now_ms() + PATIENCE_MS;
    do
        answer = http_call(&second->client, "GET", NULL, "/readyz");
    while (!strstr(answer->body, "http://leader.example:7433") && test_now_ms() < deadline);
    assert_int_equal(answer->status, 503);
    assert_non_null(strstr(answer->body, "http://leader.example:7433"));
    answer = http_call(&second->client, "GET", NULL, "/status");
    assert_string_equal(json_text_at(answer->json, "/role"), "standby");
}

static void the_standby_takes_over_when_the_leader_dies(void **state)
{
    struct world *world = *state;
    struct daemon *first = world_daemon(world, NULL);
    struct daemon *second = standby(world);
    rollout_submit(&first->client, 1, SAMPLE_CREATE);
    rollout_submit(&first->client, 2, SAMPLE_RENAME);
    rollout_wait(&first->client, 2, "expanded");
    fleet_join(&first->client, REPLICA("old", 1, 1));
    int64_t epoch = sql_number(world->sql, "SELECT epoch FROM schemagate.coordinator");
    daemon_kill(first);
    daemon_wait_leader(second);
    assert_true(sql_number(world->sql, "SELECT epoch FROM schemagate.coordinator") > epoch);
    expect_answer(fleet_renew(&second->client, REPLICA("old", 1, 1)), 200, NULL);
    fleet_join(&second->client, REPLICA("new", 2, 2));
    assert_true(rollout_has_hold(&second->client, 2, "replica-behind"));
    expect_answer(fleet_leave(&second->client, REPLICA("old", 1, 1)), 204, NULL);
    rollout_wait(&second->client, 2, "complete");
}

static void the_standby_takes_over_when_the_leader_ends(void **state)
{
    struct world *world = *state;
    struct daemon *first = world_daemon(world, NULL);
    struct daemon *second = standby(world);
    daemon_stop(first);
    daemon_wait_leader(second);
}

/* The leader is stopped behind the fence, its session is ended from outside, the standby takes over
 * and finishes; then the old leader goes on and must run nothing. */
static void a_stopped_leader_that_goes_on_runs_nothing(void **state)
{
    struct world *world = *state;
    struct daemon *first =
        world_daemon(world, &(struct daemon_options){.failpoint = "contract-verified=stop"});
    rollout_submit(&first->client, 1, SAMPLE_CREATE);
    rollout_submit(&first->client, 2, SAMPLE_RENAME);
    rollout_wait(&first->client, 2, "expanded");
    struct daemon *second = standby(world);
    struct http_pending *answer =
        http_begin(&first->client, "PUT", fleet_body(REPLICA("new", 2, 2)),
                                             "/v1/apps/web/replicas/new");
    process_wait_stopped(first->pid);
    sql_run(world->sql,
            "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' "
            "AND granted AND database = (SELECT oid FROM pg_database "
            "WHERE datname = current_database())");
    daemon_wait_leader(second);
    rollout_act(&second->client, 2, "pause");
    kill(first->pid, SIGCONT);
    http_finish(&first->client, answer);
    /* The old leader finds out by its next look at the database, and stands by. */
    int64_t deadline = test_now_ms() + PATIENCE_MS;
    while (http_call(&first->client, "GET", NULL, "/readyz")->status == 200 &&
           test_now_ms() < deadline)
        test_pause();
    assert_int_equal(http_call(&first->client, "GET", NULL, "/readyz")->status, 503);
    assert_int_equal(sql_number(world->sql, SAMPLE_HAS_COLUMN, "name"), 1);
    rollout_act(&second->client, 2, "resume");
    fleet_join(&second->client, REPLICA("new", 2, 2));
    rollout_wait(&second->client, 2, "complete");
    assert_int_equal(sql_number(world->sql, "SELECT count(*) FROM schemagate.event "
                                            "WHERE kind = 'migration.complete' AND version = 2"),
                     1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        world_test(a_second_daemon_stands_by),
        world_test(the_standby_takes_over_when_the_leader_dies),
        world_test(the_standby_takes_over_when_the_leader_ends),
        world_test(a_stopped_leader_that_goes_on_runs_nothing),
    };
    return world_run(tests);
}
