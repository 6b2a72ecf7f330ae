/* `schemagate run`: an application under the gate. */
#include <support/command.h>
#include <support/process.h>
#include <support/samples.h>

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TOO_OLD = 4, UNREACHABLE = 5, CANNOT_EXECUTE = 126, NOT_FOUND = 127 };

#define RUN "run --app web --instance a --lock-file %s/lock "

/* Migrations 1 and 2 are expanded: the window is [0, 2]. */
static struct daemon *begin(struct world *world, struct command *command)
{
    struct daemon *daemon = world_daemon(world, NULL);
    rollout_submit(&daemon->client, 1, SAMPLE_CREATE);
    rollout_submit(&daemon->client, 2, SAMPLE_RENAME);
    rollout_wait(&daemon->client, 2, "expanded");
    command_open(command, world, daemon);
    return daemon;
}

static void wait_live(struct world *world, const char *instance)
{
    sql_wait(world->sql, "SELECT EXISTS (SELECT FROM schemagate.replica WHERE instance = '%s' "
                         "AND state = 'live')", instance);
}

static void wait_file(const char *path)
{
    int64_t deadline = test_now_ms() + PATIENCE_MS;
    while (access(path, F_OK) != 0) {
        if (test_now_ms() > deadline)
            test_fail("%s did not appear", path);
        test_pause();
    }
}

static void the_exit_code_is_the_childs(void **state)
{
    struct world *world = *state;
    struct command command;
    begin(world, &command);
    const char *folder = world->scratch.path;
    command_expect(&command, 0, RUN "--schema 1..2 -- true", folder);
    command_expect(&command, 7, RUN "--schema 1..2 -- sh -c 'exit 7'", folder);
    command_expect(&command, 128 + SIGINT, RUN "--schema 1..2 -- sh -c 'kill -INT $$'", folder);
    command_expect(&command, NOT_FOUND, RUN "--schema 1..2 -- /nonesuch", folder);
    command_expect(&command, CANNOT_EXECUTE, RUN "--schema 1..2 -- /etc/passwd", folder);
    assert_int_equal(sql_number(world->sql, "SELECT count(*) FROM schemagate.replica "
                                            "WHERE state <> 'gone'"),
                     0);
    command_close(&command);
}

static void the_child_is_told_and_gets_no_token(void **state)
{
    struct world *world = *state;
    struct command command;
    begin(world, &command);
    command_expect(&command, 0, RUN "--schema 1..2 -- env", world->scratch.path);
    assert_non_null(strstr(command.output, "PGAPPNAME="));
    assert_non_null(strstr(command.output, "SCHEMAGATE_"));
    assert_null(strstr(command.output, "TOKEN"));
    command_close(&command);
}

static void sigterm_is_forwarded_and_the_replica_says_goodbye(void **state)
{
    struct world *world = *state;
    struct command command;
    begin(world, &command);
    char *ready = scratch_path(&world->scratch, "ready");
    pid_t pid = command_start(&command,
                              RUN "--schema 1..2 -- sh -c 'trap \"exit 9\" TERM; touch %s; "
                                  "while :; do sleep 0.05; done'",
                              world->scratch.path, ready);
    wait_file(ready);
    wait_live(world, "a");
    kill(pid, SIGTERM);
    assert_int_equal(command_finish(&command, pid), 9);
    char *reason = sql_text(world->sql, "SELECT gone_reason FROM schemagate.replica "
                                        "WHERE instance = 'a'");
    assert_string_equal(reason, "deregistered");
    remove(ready);
    free(reason);
    free(ready);
    command_close(&command);
}

static void a_child_that_does_not_end_is_killed(void **state)
{
    struct world *world = *state;
    struct command command;
    begin(world, &command);
    char *ready = scratch_path(&world->scratch, "ready");
    pid_t pid = command_start(&command,
                              RUN "--kill-after 1 --schema 1..2 -- "
                                  "sh -c 'trap \"\" TERM; touch %s; while :; do sleep 0.05; done'",
                              world->scratch.path, ready);
    wait_file(ready);
    kill(pid, SIGTERM);
    assert_int_equal(command_finish(&command, pid), 128 + SIGKILL);
    remove(ready);
    free(ready);
    command_close(&command);
}

static void it_waits_for_its_schema(void **state)
{
    struct world *world = *state;
    struct command command;
    struct daemon *daemon = begin(world, &command);
    char *started = scratch_path(&world->scratch, "started");
    pid_t pid =
        command_start(&command, RUN "--schema 3..3 -- touch %s", world->scratch.path, started);
    sql_wait(world->sql, "SELECT count(*) = 1 FROM schemagate.replica WHERE state = 'waiting'");
    assert_int_not_equal(access(started, F_OK), 0);
    rollout_submit(&daemon->client, 3, "-- schemagate: expand\nCREATE TABLE extra (id int);\n");
    assert_int_equal(command_finish(&command, pid), 0);
    assert_int_equal(access(started, F_OK), 0);
    remove(started);
    free(started);
    command_close(&command);
}

static void sigterm_while_it_waits_starts_nothing(void **state)
{
    struct world *world = *state;
    struct command command;
    begin(world, &command);
    char *started = scratch_path(&world->scratch, "started");
    pid_t pid =
        command_start(&command, RUN "--schema 3..3 -- touch %s", world->scratch.path, started);
    sql_wait(world->sql, "SELECT count(*) = 1 FROM schemagate.replica WHERE state = 'waiting'");
    kill(pid, SIGTERM);
    assert_int_equal(command_finish(&command, pid), 128 + SIGTERM);
    assert_int_not_equal(access(started, F_OK), 0);
    sql_wait(world->sql, "SELECT count(*) = 0 FROM schemagate.replica WHERE state <> 'gone'");
    free(started);
    command_close(&command);
}

static void an_old_release_is_not_started(void **state)
{
    struct world *world = *state;
    struct command command;
    struct daemon *daemon = begin(world, &command);
    fleet_join(&daemon->client, REPLICA("new", 2, 2));
    rollout_wait(&daemon->client, 2, "complete");
    char *started = scratch_path(&world->scratch, "started");
    command_expect(&command, TOO_OLD, RUN "--schema 1..1 -- touch %s", world->scratch.path,
                   started);
    assert_int_not_equal(access(started, F_OK), 0);
    assert_true(strlen(command.errors) > 0);
    free(started);
    command_close(&command);
}

/* The wrapper is killed: its child dies with it, nobody says goodbye, and the next start on the
 * same lock file knows that its predecessor has ended. */
static void a_killed_wrapper_takes_its_child_along_and_the_next_start_attests_it(void **state)
{
    struct world *world = *state;
    struct command command;
    struct daemon *daemon = begin(world, &command);
    char *ready = scratch_path(&world->scratch, "ready");
    pid_t pid = command_start(&command,
                              RUN "--schema 1..1 -- sh -c 'echo $$ >%s.part; mv %s.part %s; "
                                  "exec sleep 60'",
                              world->scratch.path, ready, ready, ready);
    wait_file(ready);
    wait_live(world, "a");
    char *child = scratch_read(ready);
    kill(pid, SIGKILL);
    assert_int_equal(command_finish(&command, pid), 128 + SIGKILL);
    int64_t deadline = test_now_ms() + PATIENCE_MS;
    while (kill((pid_t)atoi(child), 0) == 0 && test_now_ms() < deadline)
        test_pause();
    assert_int_not_equal(kill((pid_t)atoi(child), 0), 0);
    assert_true(rollout_has_hold(&daemon->client, 2, "replica-behind"));
    command_expect(&command, 0, RUN "--schema 2..2 -- true", world->scratch.path);
    char *reason = sql_text(world->sql, "SELECT gone_reason FROM schemagate.replica WHERE min = 1");
    assert_string_equal(reason, "restarted");
    remove(ready);
    free(reason);
    free(child);
    free(ready);
    command_close(&command);
}

static void without_a_coordinator_it_fails_waits_or_runs(void **state)
{
    struct world *world = *state;
    struct command command;
    struct daemon *daemon = begin(world, &command);
    daemon_stop(daemon);
    const char *folder = world->scratch.path;
    command_expect(&command, UNREACHABLE, RUN "--on-unavailable fail --schema 1..2 -- true",
                   folder);
    command_expect(&command, 3, RUN "--on-unavailable run --schema 1..2 -- sh -c 'exit 3'", folder);
    assert_true(strlen(command.errors) > 0);
    command_close(&command);
}

static void as_pid_1_it_reaps_and_ends(void **state)
{
    struct world *world = *state;
    struct command command;
    begin(world, &command);
    if (geteuid() != 0)
        skip(); /* a PID namespace needs root */
    pid_t pid = process_start(&(struct process_options){
        .arguments = (const char *[]){"unshare", "--pid", "--fork", "--kill-child", "--mount-proc",
                                      getenv("SCHEMAGATE_BINARY"), "run", "--app", "web",
                                      "--instance",
                                      "pod", "--schema", "1..2", "--", "sh", "-c",
                                      "(sleep 0.1 &) ; sleep 0.3; exit 5", NULL},
        .environment = (const char *[]){command.url, NULL}});
    assert_int_equal(process_code(process_wait(pid, PATIENCE_MS)), 5);
    assert_int_equal(sql_number(world->sql, "SELECT count(*) FROM schemagate.replica "
                                            "WHERE gone_reason = 'deregistered'"),
                     1);
    command_close(&command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        world_test(the_exit_code_is_the_childs),
        world_test(the_child_is_told_and_gets_no_token),
        world_test(sigterm_is_forwarded_and_the_replica_says_goodbye),
        world_test(a_child_that_does_not_end_is_killed),
        world_test(it_waits_for_its_schema),
        world_test(sigterm_while_it_waits_starts_nothing),
        world_test(an_old_release_is_not_started),
        world_test(a_killed_wrapper_takes_its_child_along_and_the_next_start_attests_it),
        world_test(without_a_coordinator_it_fails_waits_or_runs),
        world_test(as_pid_1_it_reaps_and_ends),
    };
    return world_run(tests);
}
