/* The daemon as a service: notification, watchdog, socket activation, signals, configuration. */
#include <support/expect.h>
#include <support/process.h>
#include <support/samples.h>
#include <support/world.h>

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define EXIT_CONFIGURATION 2

static void sigterm_ends_cleanly_and_says_so(void **state)
{
    struct daemon *daemon = world_daemon(*state, NULL);
    kill(daemon->pid, SIGTERM);
    daemon_wait_notification(daemon, "STOPPING=1");
    assert_int_equal(process_code(daemon_wait_end(daemon)), 0);
}

static void open_answers_are_finished_before_the_end(void **state)
{
    struct world *world = *state;
    struct daemon *daemon = world_daemon(world, NULL);
    rollout_submit(&daemon->client, 1, SAMPLE_CREATE);
    rollout_wait(&daemon->client, 1, "complete");
    int64_t index = json_number_at(rollout_get(&daemon->client, 1)->json, "/index");
    struct http_pending *poll = http_begin(&daemon->client, "GET", NULL,
                                           "/v1/migrations/1?wait=60&index=%d", (int)index);
    struct http_pending *waiting =
        http_begin(&daemon->client, "PUT", fleet_body(REPLICA("a", 9, 9)),
                                              "/v1/apps/web/replicas/a?wait=60");
    sql_wait(world->sql, "SELECT count(*) = 1 FROM schemagate.replica");
    int64_t started = test_now_ms();
    daemon_stop(daemon);
    assert_in_range(test_now_ms() - started, 0, 9000); /* not by its deadline, 10 s */
    assert_int_equal(http_finish(&daemon->client, poll)->status, 200);
    const struct http_answer *answer = http_finish(&daemon->client, waiting);
    assert_true(answer->status == 202 || answer->status == 503);
}

static void a_migration_that_runs_is_not_left_half_done(void **state)
{
    struct world *world = *state;
    struct daemon *daemon = world_daemon(world, NULL);
    rollout_submit(&daemon->client, 1, "-- schemagate: expand\nCREATE TABLE customer (id int);\n"
                                       "SELECT pg_sleep(5);\nINSERT INTO customer VALUES (1);\n");
    sql_wait(world->sql,
             "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE query LIKE '%%pg_sleep%%' "
             "AND pid <> pg_backend_pid() AND state = 'active')");
    daemon_stop(daemon);
    sql_wait(world->sql, "SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE datname = "
                         "current_database() AND pid <> pg_backend_pid())");
    struct http_client *client = world_client(world);
    rollout_wait(client, 1, "complete");
    assert_int_equal(sql_number(world->sql, "SELECT count(*) FROM customer"), 1);
}

static void the_watchdog_is_fed_while_sql_runs(void **state)
{
    struct world *world = *state;
    static const char runs[] = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep%' "
                               "AND pid <> pg_backend_pid() AND state = 'active'";
    /* Ten messages fit into the socket: there are fewer while nobody reads them. */
    struct daemon *daemon = world_daemon(world, &(struct daemon_options){.watchdog_ms = 1600});
    rollout_submit(&daemon->client, 1, "-- schemagate: expand\nSELECT pg_sleep(120);\n");
    sql_wait(world->sql, "SELECT (%s) = 1", runs);
    int64_t begun = test_now_ms();
    do {
        daemon_wait_notification(daemon, "WATCHDOG=1");
    } while (test_now_ms() < begun + 1600);
    assert_int_equal(sql_number(world->sql, "%s", runs), 1);
    rollout_act(&daemon->client, 1, "cancel");
    rollout_wait_status(&daemon->client, 1, "failed");
}

/* Takes all the room that there is for notifications. */
static void fill_up(const struct daemon *daemon)
{
    struct sockaddr_un address;
    socklen_t length = sizeof address;
    int end = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    assert_int_equal(getsockname(daemon->notifications, (struct sockaddr *)&address, &length), 0);
    while (sendto(end, "filler", 6, 0, (struct sockaddr *)&address, length) == 6)
        continue;
    assert_int_equal(errno, EAGAIN);
    close(end);
}

static void a_manager_that_does_not_read_is_not_waited_for(void **state)
{
    struct daemon *daemon = world_daemon(*state, NULL);

    fill_up(daemon);
    kill(daemon->pid, SIGHUP);
    daemon_wait_log(daemon, "configuration reread");
    expect_answer(http_call(&daemon->client, "GET", NULL, "/readyz"), 200, NULL);
    daemon_wait_notification(daemon, "RELOADING=1"); /* now it reads */
    daemon_wait_notification(daemon, "READY=1");
    fill_up(daemon);
    kill(daemon->pid, SIGTERM);
    assert_int_equal(process_code(process_wait(daemon->pid, 60000)), 0);
    daemon->pid = 0;
}

static void a_socket_of_the_service_manager_is_served(void **state)
{
    struct daemon *daemon = world_daemon(*state, &(struct daemon_options){.tcp = true});
    struct http_client client;
    http_open(&client, NULL, daemon->port);
    expect_answer(http_call(&client, "GET", NULL, "/livez"), 200, NULL);
    const struct http_answer *status = http_call(&client, "GET", NULL, "/status");
    assert_string_equal(json_text_at(status->json, "/role"), "leader");
    http_close(&client);
}

static void rewrite(const char *path, const char *text)
{
    FILE *file = fopen(path, "a");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void sighup_rereads_what_can_change(void **state)
{
    struct daemon *daemon = world_daemon(*state, NULL);
    rewrite(daemon->config, "[gate]\napproval = manual\nlease_seconds = 45\n");
    kill(daemon->pid, SIGHUP);
    daemon_wait_notification(daemon, "RELOADING=1");
    daemon_wait_notification(daemon, "READY=1");
    rollout_submit(&daemon->client, 1, SAMPLE_CREATE);
    rollout_submit(&daemon->client, 2, SAMPLE_RENAME);
    rollout_wait(&daemon->client, 2, "expanded");
    const struct http_answer *answer = fleet_register(&daemon->client, REPLICA("a", 1, 2));
    assert_int_equal(json_number_at(answer->json, "/lease_seconds"), 45);
    rollout_wait_hold(&daemon->client, 2, "awaiting-approval");
}

static void a_wrong_file_at_a_reload_changes_nothing(void **state)
{
    struct daemon *daemon = world_daemon(*state, NULL);
    rewrite(daemon->config, "[gate]\nlease_second = 45\n");
    kill(daemon->pid, SIGHUP);
    daemon_wait_log(daemon, "lease_second");
    expect_answer(http_call(&daemon->client, "GET", NULL, "/readyz"), 200, NULL);
}

static void what_cannot_change_while_running_is_said(void **state)
{
    struct daemon *daemon = world_daemon(*state, NULL);
    rewrite(daemon->config, "max_connections = 17\n");
    kill(daemon->pid, SIGHUP);
    daemon_wait_log(daemon, "http.max_connections");
}

static void refused_at_start(struct world *world, const char *sections, const char *word)
{
    struct daemon *daemon = world_launch(world, &(struct daemon_options){.sections = sections});
    assert_int_equal(process_code(daemon_wait_end(daemon)), EXIT_CONFIGURATION);
    daemon_wait_log(daemon, word);
}

static void mistakes_in_the_configuration_are_named_with_file_and_line(void **state)
{
    refused_at_start(*state, "[gate]\nlease_second = 30\n", ".ini:6");
    refused_at_start(*state, "[gate]\nlease_seconds = many\n", ".ini:6");
    refused_at_start(*state, "[gates]\nlease_seconds = 30\n", "gates");
}

static void without_tokens_only_the_loopback_is_served(void **state)
{
    struct world *world = *state;
    const char *environment[] = {"SCHEMAGATE_HTTP_LISTEN=0.0.0.0:0", NULL};
    struct daemon *daemon =
        world_launch(world, &(struct daemon_options){.environment = environment});
    assert_int_equal(process_code(daemon_wait_end(daemon)), EXIT_CONFIGURATION);
    daemon_wait_log(daemon, "tokens_file");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        world_test(sigterm_ends_cleanly_and_says_so),
        world_test(open_answers_are_finished_before_the_end),
        world_test(a_migration_that_runs_is_not_left_half_done),
        world_test(the_watchdog_is_fed_while_sql_runs),
        world_test(a_manager_that_does_not_read_is_not_waited_for),
        world_test(a_socket_of_the_service_manager_is_served),
        world_test(sighup_rereads_what_can_change),
        world_test(a_wrong_file_at_a_reload_changes_nothing),
        world_test(what_cannot_change_while_running_is_said),
        world_test(mistakes_in_the_configuration_are_named_with_file_and_line),
        world_test(without_tokens_only_the_loopback_is_served),
    };
    return world_run(tests);
}
