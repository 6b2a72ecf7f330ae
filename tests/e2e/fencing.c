/* Replicas that end with their lease: real processes under `schemagate run --on-lost exit`, a daemon, and
 * PostgreSQL. Whatever becomes of the wrapper, the tree ends first, then it counts as gone, then the contract
 * runs. */
#include <support/command.h>
#include <support/expect.h>
#include <support/process.h>
#include <support/relay.h>
#include <support/samples.h>

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A command, and a grandchild in a session of its own; neither listens to SIGTERM. */
#define RUN_TREE                                                                                    \
    "run --app web --instance old --lock-file %s/lock --on-lost exit --lease 6 --kill-after 1 "     \
    "--schema 1..1 -- sh -c 'trap \"\" TERM; echo $$ >%s/child; "                                   \
    "setsid sh -c \"echo \\$\\$ >%s/grandchild; while :; do sleep 0.05; done\" & "                  \
    "while :; do sleep 0.05; done'"

#define LONG_MS (2 * PATIENCE_MS) /* for what leases and graces are a part of */

struct scene {
    struct world *world;
    struct daemon *daemon;
    struct command command;
    pid_t wrapper, child, grandchild;
};

static pid_t read_pid(const struct scene *scene, const char *name)
{
    char *path = scratch_path(&scene->world->scratch, "%s", name), *text = NULL;
    int64_t deadline = test_now_ms() + PATIENCE_MS;
    while (access(path, F_OK) != 0 || !strchr(text = scratch_read(path), '\n')) {
        free(text);
        text = NULL;
        if (test_now_ms() > deadline)
            test_fail("%s was not written", path);
        test_pause();
    }
    pid_t pid = (pid_t)atoi(text);
    remove(path);
    free(text);
    free(path);
    return pid;
}

/* Contract 2 waits for `old` alone, which runs below it, by way of `socket` (NULL: the daemon's own). */
static void begin(struct scene *scene, struct world *world, const char *socket)
{
    const char *folder = world->scratch.path;
    *scene = (struct scene){.world = world, .daemon = &world->daemons[0]};
    if (world->daemon_count == 0)
        world_daemon(world, NULL);
    struct http_client *client = &scene->daemon->client;
    rollout_submit(client, 1, SAMPLE_CREATE);
    rollout_submit(client, 2, SAMPLE_RENAME);
    rollout_wait(client, 2, "expanded");
    command_open(&scene->command, world, scene->daemon);
    if (socket) {
        free(scene->command.url);
        if (asprintf(&scene->command.url, "SCHEMAGATE_URL=unix:%s", socket) < 0)
            test_fail("out of memory");
    }
    scene->wrapper = command_start(&scene->command, RUN_TREE, folder, folder, folder);
    scene->child = read_pid(scene, "child");
    scene->grandchild = read_pid(scene, "grandchild");
    fleet_join(client, REPLICA("new", 2, 2));
    rollout_wait_hold(client, 2, "replica-behind");
}

static void wait_dead(pid_t pid)
{
    int64_t deadline = test_now_ms() + PATIENCE_MS;
    while (kill(pid, 0) == 0) {
        if (test_now_ms() > deadline)
            test_fail("process %d lives on", (int)pid);
        test_pause();
    }
}

/* Waits for the contract, and looks all the while that nobody of the tree is alive once it has run. */
static void wait_contract(const struct scene *scene)
{
    int64_t deadline = test_now_ms() + LONG_MS;
    for (;;) {
        struct http_client *client = &scene->daemon->client;
        fleet_renew(client, REPLICA("new", 2, 2));
        bool alive = kill(scene->child, 0) == 0 || kill(scene->grandchild, 0) == 0;
        if (strcmp(json_text_at(rollout_get(client, 2)->json, "/phase"), "complete") == 0) {
            assert_false(alive);
            return;
        }
        if (test_now_ms() > deadline)
            test_fail("the contract waits: %s", rollout_get(client, 2)->body);
        test_pause();
    }
}

static void expect_self_fenced(const struct scene *scene)
{
    char *reason =
        sql_text(scene->world->sql, "SELECT gone_reason FROM schemagate.replica WHERE instance = 'old'");
    assert_string_equal(reason, "self-fenced");
    assert_int_equal(sql_number(scene->world->sql, SAMPLE_HAS_COLUMN, "name"), 0);
    free(reason);
}

static void the_wrapper_is_killed(void **state)
{
    struct scene scene;
    begin(&scene, *state, NULL);
    kill(scene.wrapper, SIGKILL);
    command_finish(&scene.command, scene.wrapper);
    wait_dead(scene.child);
    wait_dead(scene.grandchild);
    assert_true(rollout_has_hold(&scene.daemon->client, 2, "replica-behind")); /* nobody has said so yet */
    wait_contract(&scene);
    expect_self_fenced(&scene);
    command_close(&scene.command);
}

static void the_wrapper_stands_still_and_wakes(void **state)
{
    struct scene scene;
    begin(&scene, *state, NULL);
    kill(scene.wrapper, SIGSTOP);
    process_wait_stopped(scene.wrapper);
    wait_contract(&scene);
    expect_self_fenced(&scene);
    kill(scene.wrapper, SIGCONT);
    assert_int_equal(command_finish(&scene.command, scene.wrapper), 128 + SIGKILL);
    assert_int_equal(sql_number(scene.world->sql, "SELECT count(*) FROM schemagate.replica "
                                                  "WHERE instance = 'old'"),
                     1); /* it has not registered again */
    assert_int_equal(sql_number(scene.world->sql, "SELECT count(*) FROM schemagate.event "
                                                  "WHERE kind = 'replica.renewed'"),
                     0);
    command_close(&scene.command);
}

/* Nothing of what the wrapper says arrives any more, and no goodbye either. */
static void the_renewals_are_held_up(void **state)
{
    struct world *world = *state;
    struct scene scene;
    struct relay relay;
    char *socket = scratch_path(&world->scratch, "relay");
    struct daemon *daemon = world_daemon(world, NULL);
    relay_open(&relay, socket, daemon->client.socket);
    begin(&scene, world, socket);
    relay_hold(&relay);
    wait_dead(scene.child);
    wait_dead(scene.grandchild);
    wait_contract(&scene);
    expect_self_fenced(&scene);
    assert_int_equal(command_finish(&scene.command, scene.wrapper), 128 + SIGKILL);
    relay_close(&relay);
    free(socket);
    command_close(&scene.command);
}

/* A session that may be its own is seen: something of it is left, whatever it has promised. */
static void a_session_that_is_seen_vetoes(void **state)
{
    struct scene scene;
    struct world *world = *state;
    char conninfo[CLUSTER_CONNINFO_SIZE + 40];
    begin(&scene, world, NULL);
    sql_run(world->sql, "CREATE ROLE app LOGIN");
    snprintf(conninfo, sizeof conninfo, "%s user=app application_name=old", world->conninfo);
    PGconn *session = sql_open(conninfo);
    kill(scene.wrapper, SIGKILL);
    command_finish(&scene.command, scene.wrapper);
    int64_t until = test_now_ms() + LONG_MS;
    while (!strstr(rollout_get(&scene.daemon->client, 2)->body, "is still there")) {
        assert_true(test_now_ms() < until);
        fleet_renew(&scene.daemon->client, REPLICA("new", 2, 2));
        test_pause();
    }
    assert_int_equal(sql_number(world->sql, SAMPLE_HAS_COLUMN, "name"), 1);
    PQfinish(session);
    wait_contract(&scene);
    expect_self_fenced(&scene);
    command_close(&scene.command);
}

#define MORTAL_LEASE_S 6

static void join_mortal(struct http_client *client)
{
    json_t *body = fleet_body(REPLICA("mortal", 0, 0));
    json_object_set_new(body, "on_lost", json_string("exit"));
    json_object_set_new(body, "lease_seconds", json_integer(MORTAL_LEASE_S));
    expect_answer(http_call(client, "PUT", body, "/v1/apps/web/replicas/mortal"), 201, NULL);
}

/* One leader is cut off from the database and does not know it yet, another has taken over. Whatever the
 * first one has extended is over when the second one counts the replica as gone. */
static void two_leaders_agree_about_the_end(void **state)
{
    struct world *world = *state;
    struct relay relay;
    char *folder = scratch_path(&world->scratch, "relayed"), socket[200], target[200], conninfo[300];
    assert_int_equal(mkdir(folder, 0755), 0);
    snprintf(socket, sizeof socket, "%s/.s.PGSQL.5432", folder);
    snprintf(target, sizeof target, "%s/.s.PGSQL.5432", world->cluster.sockets);
    snprintf(conninfo, sizeof conninfo, "%s host=%s", world->conninfo, folder);
    relay_open(&relay, socket, target);
    struct daemon *first = world_daemon(world, &(struct daemon_options){.conninfo = conninfo}),
                  *second = world_launch(world, NULL);
    daemon_wait_notification(second, "READY=1");
    join_mortal(&first->client);
    fleet_join(&first->client, REPLICA("patient", 0, 0));
    relay_hold(&relay);
    int64_t deadline = test_now_ms() + LONG_MS, extended = 0;
    while (sql_number(world->sql, "SELECT count(*) FROM schemagate.replica "
                                  "WHERE gone_reason = 'self-fenced'") == 0) {
        int64_t sent = test_now_ms();
        int status = fleet_renew(&first->client, REPLICA("mortal", 0, 0))->status;
        extended = status == 200 ? sent : extended;
        assert_true(status == 200 || status == 503);
        assert_true(sent < deadline);
        test_pause();
    }
    assert_true(extended > 0);
    assert_true(test_now_ms() - extended > MORTAL_LEASE_S * 1000);
    expect_answer(fleet_renew(&first->client, REPLICA("patient", 0, 0)), 200, NULL);
    relay_close(&relay);
    rmdir(folder);
    free(folder);
}

/* Nobody can say whether this daemon still leads: such a lease is not extended, others are. */
static void a_leader_that_is_cut_off_from_the_database_extends_no_such_lease(void **state)
{
    struct world *world = *state;
    struct http_client *client = world_client(world);
    join_mortal(client);
    fleet_join(client, REPLICA("patient", 0, 0));
    expect_answer(fleet_renew(client, REPLICA("mortal", 0, 0)), 200, NULL);
    cluster_stop(&world->cluster);
    int64_t deadline = test_now_ms() + PATIENCE_MS;
    const struct http_answer *answer;
    while ((answer = fleet_renew(client, REPLICA("mortal", 0, 0)))->status == 200) {
        assert_true(test_now_ms() < deadline);
        test_pause();
    }
    expect_answer(answer, 503, "database-unavailable");
    char *retry = http_header(answer, "Retry-After");
    assert_true(atoi(retry) > 0);
    free(retry);
    expect_answer(fleet_renew(client, REPLICA("patient", 0, 0)), 200, NULL);
    cluster_start(&world->cluster);
    while ((answer = fleet_renew(client, REPLICA("mortal", 0, 0)))->status == 503) {
        assert_true(test_now_ms() < deadline);
        test_pause();
    }
    expect_answer(answer, 200, NULL);
    world_reconnect(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        world_test(the_wrapper_is_killed),
        world_test(the_wrapper_stands_still_and_wakes),
        world_test(the_renewals_are_held_up),
        world_test(a_session_that_is_seen_vetoes),
        world_test(two_leaders_agree_about_the_end),
        world_test(a_leader_that_is_cut_off_from_the_database_extends_no_such_lease),
    };
    return world_run_in_lanes(3, tests);
}
