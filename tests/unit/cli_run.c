/* `schemagate run` as a process: signals, exit codes, the tree that it brings down, what it says to
 * a daemon. The daemon is a fake: no database is involved in any of this. */
#include "cli_start.h"

#include <schemagate/cli/cli.h>

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

static void the_exit_code_is_the_commands(void **state)
{
    struct fake *fake = *state;
    struct fake_request hello = {0}, goodbye = {0};
    assert_int_equal(RUN(fake, "--schema", "1..2", "--", "true"), 0);
    assert_true(fake_request(fake, "PUT", "?wait=60", 0, &hello));
    json_t *incarnation = fake_member(&hello, "incarnation");
    assert_true(fake_request(fake, "DELETE", json_string_value(incarnation), 0, &goodbye));
    json_decref(incarnation);
    assert_int_equal(RUN(fake, "--schema", "1..2", "--", "sh", "-c", "exit 7"), 7);
    assert_int_equal(RUN(fake, "--schema", "1..2", "--", "sh", "-c", "kill -INT $$"), 128 + SIGINT);
    assert_int_equal(RUN(fake, "--schema", "1..2", "--", "/nonesuch"), CLI_NOT_FOUND);
    assert_int_equal(RUN(fake, "--schema", "1..2", "--", "nonesuch"), CLI_NOT_FOUND);
    assert_int_equal(RUN(fake, "--schema", "1..2", "--", "/etc/passwd"), CLI_NOT_EXECUTABLE);
    assert_int_equal(fake_count(fake, "PUT", "/replicas/a"), 6);
    assert_int_equal(fake_count(fake, "DELETE", "/replicas/a"), 6);
}

static void usage_is_checked_before_anything_is_asked(void **state)
{
    struct fake *fake = *state;
    assert_int_equal(RUN(fake, "--schema", "2..1", "--", "true"), CLI_USAGE);
    assert_int_equal(RUN(fake, "--", "true"), CLI_USAGE);
    assert_int_equal(RUN(fake, "--schema", "1..2"), CLI_USAGE);
    assert_int_equal(RUN(fake, "--schema", "1..2", "--instance", "a/b", "--", "true"), CLI_USAGE);
    assert_int_equal(RUN(fake, "--schema-from", "/nonesuch", "--min", "1", "--", "true"),
                     CLI_USAGE);
    assert_int_equal(
        RUN(fake, "--schema", "1..2", "--lease", "20", "--on-lost", "exit", "--", "true"),
        CLI_USAGE);
    assert_int_equal(RUN(fake, "--schema", "1..2", "--lock-file", "/nonesuch/lock", "--", "true"),
                     CLI_USAGE);
    assert_int_equal(fake_count(fake, "PUT", ""), 0);
}

static void the_registration_carries_what_was_said(void **state)
{
    struct fake *fake = *state;
    struct fake_request hello = {0};
    free(scratch_write(&fake->scratch, "41_one.sql", "-- schemagate: expand\n"));
    free(
        scratch_write(&fake->scratch, "V043__two.up.sql", "\xef\xbb\xbf-- schemagate: expand\r\n"));
    char *folder = fake_file(fake, "release");
    char command[256];
    snprintf(command, sizeof(command), "mkdir %s && cp %s/*.sql %s", folder, fake->scratch.path,
             folder);
    assert_int_equal(system(command), 0);
    assert_int_equal(RUN(fake, "--schema-from", folder, "--min", "40", "--release", "web@9f3",
                         "--lease", "60", "--on-lost", "exit", "--", "true"),
                     0);
    assert_true(fake_request(fake, "PUT", "/replicas/a", 0, &hello));
    json_t *body = json_loads(hello.body, 0, NULL), *knows = json_object_get(body, "knows");
    assert_int_equal(json_integer_value(json_object_get(body, "min")), 40);
    assert_int_equal(json_integer_value(json_object_get(body, "max")), 43);
    assert_int_equal(json_integer_value(json_object_get(body, "lease_seconds")), 60);
    assert_string_equal(json_string_value(json_object_get(body, "release")), "web@9f3");
    assert_string_equal(json_string_value(json_object_get(body, "application_name")), "a");
    assert_string_equal(json_string_value(json_object_get(body, "on_lost")), "exit");
    assert_true(json_is_false(json_object_get(body, "predecessor_ended")));
    assert_int_equal(json_object_size(knows), 2);
    assert_string_equal(json_string_value(json_object_get(knows, "41")),
                        json_string_value(json_object_get(knows, "43")));
    json_decref(body);
    free(folder);
}

/* A set of signals as /proc shows it, without the two that the C library keeps to itself (32 and
 * 33). */
static unsigned long long read_signals(const struct fake *fake, const char *name)
{
    char *text = fake_read(fake, "signals"), *line = strstr(text, name);
    assert_non_null(line);
    unsigned long long set = strtoull(line + strlen(name), NULL, 16) & ~(3ULL << 31);
    free(text);
    return set;
}

static void the_command_may_say_its_version_to_postgresql(void **state)
{
    struct fake *fake = *state;
    setenv("PGOPTIONS", "-c a.b=c", 1);
    assert_int_equal(RUN(fake, "--schema", "1..2", "--pgoptions", "--", "sh", "-c", "env >$F/env"), 0);
    assert_true(fake_says(fake, "env", "PGOPTIONS=-c a.b=c -c schemagate.version=2\n"));
    assert_int_equal(RUN(fake, "--schema", "1..2", "--", "sh", "-c", "env >$F/env"), 0);
    assert_true(fake_says(fake, "env", "PGOPTIONS=-c a.b=c\n"));
    unsetenv("PGOPTIONS");
}

static void the_command_starts_clean(void **state)
{
    struct fake *fake = *state;
    char *token = scratch_write(&fake->scratch, "token", "very-secret\n");
    struct fake_request hello = {0};
    signal(SIGHUP, SIG_IGN);
    assert_int_equal(RUN(fake, "--schema", "1..2", "--token-file", token, "--", "sh", "-c",
                         "env >$F/env; grep -E 'Sig(Blk|Ign)' /proc/self/status >$F/signals; ps -o "
                         "pgid= -p $$ >$F/group; "
                         "echo $$ >>$F/group"),
                     0);
    signal(SIGHUP, SIG_DFL);
    assert_true(fake_request(fake, "PUT", "/replicas/a", 0, &hello));
    assert_string_equal(hello.authorization, "Bearer very-secret");
    assert_true(fake_says(fake, "env", "PGAPPNAME=a\n"));
    assert_true(fake_says(fake, "env", "SCHEMAGATE_SCHEMA=1..2\n"));
    assert_true(fake_says(fake, "env", "SCHEMAGATE_PROTECTED=yes\n"));
    assert_false(fake_says(fake, "env", "TOKEN"));
    assert_false(fake_says(fake, "env", "secret"));
    assert_int_equal(read_signals(fake, "SigBlk:"), 0);
    assert_int_equal(read_signals(fake, "SigIgn:"), 0);
    char *group = fake_read(fake, "group");
    char *process;
    long leader = strtol(group, &process, 10);
    assert_int_equal(leader, strtol(process, NULL, 10));
    free(group);
    free(token);
}

static void descriptors_are_not_leaked(void **state)
{
    struct fake *fake = *state;
    int ours = open("/dev/null", O_RDWR);
    assert_int_equal(RUN(fake, "--schema", "1..2", "--lock-file", "/dev/zero", "--", "sh", "-c",
                         "ls -l /proc/self/fd >$F/descriptors"),
                     0);
    char *text = fake_read(fake, "descriptors");
    assert_non_null(strstr(text, "/dev/null"));
    assert_non_null(strstr(text, "/dev/zero")); /* the lock */
    assert_null(strstr(text, "signalfd"));
    assert_null(strstr(text, "timerfd"));
    assert_null(strstr(text, "eventpoll"));
    free(text);
    close(ours);
}

/* A grandchild in a session of its own, deaf to SIGTERM, is part of the tree: the lease is renewed
 * until it has ended, and only then comes the goodbye. */
static void sigterm_drains_the_whole_tree(void **state)
{
    struct fake *fake = *state;
    struct fake_request goodbye = {0};
    pid_t pid = START(
        fake, "--schema", "1..2", "--", "sh", "-c",
        "trap 'exit 9' TERM; setsid sh -c 'trap \"\" TERM; echo $$ >$F/grandchild; "
        "while [ ! -e $F/end ]; do sleep 0.05; done; echo over >$F/over' & "
        "while :; do sleep 0.05; done");
    pid_t grandchild = read_pid(fake, "grandchild");
    kill(pid, SIGTERM);
    size_t before = fake_count(fake, "POST", "/renew");
    fake_wait(fake, "POST", "/renew", before + 4);
    assert_true(process_is_alive(grandchild));
    assert_int_equal(fake_count(fake, "DELETE", ""), 0);
    free(scratch_write(&fake->scratch, "end", ""));
    assert_int_equal(process_code(process_wait(pid, PATIENCE_MS)), 9);
    assert_true(fake_says(fake, "over", "over"));
    assert_true(fake_request(fake, "DELETE", "/replicas/a", 0, &goodbye));
}

static void what_outlives_kill_after_is_killed(void **state)
{
    struct fake *fake = *state;
    pid_t pid = START(
        fake, "--kill-after", "0.3", "--schema", "1..2", "--", "sh", "-c",
        "setsid sh -c 'trap \"\" TERM; echo $$ >$F/grandchild; while :; do sleep 0.05; done' & "
        "trap '' TERM; while :; do sleep 0.05; done");
    pid_t grandchild = read_pid(fake, "grandchild");
    kill(pid, SIGTERM);
    assert_int_equal(process_code(process_wait(pid, PATIENCE_MS)), 128 + SIGKILL);
    assert_false(process_is_alive(grandchild));
    assert_int_equal(fake_count(fake, "DELETE", "/replicas/a"), 1);
}

static void what_the_command_leaves_behind_is_ended(void **state)
{
    struct fake *fake = *state;
    assert_int_equal(RUN(fake, "--schema", "1..2", "--", "sh", "-c",
                         "setsid sleep 60 & echo $! >$F/left; exit 3"),
                     3);
    assert_false(process_is_alive(read_pid(fake, "left")));
    assert_int_equal(fake_count(fake, "DELETE", "/replicas/a"), 1);
}

static void signals_are_forwarded(void **state)
{
    static const int numbers[] = {SIGINT, SIGHUP, SIGUSR1, SIGUSR2, SIGQUIT, SIGWINCH};
    struct fake *fake = *state;
    pid_t pid = START(
        fake, "--schema", "1..2", "--", "sh", "-c",
        "for s in INT HUP USR1 USR2 QUIT WINCH; do trap \"echo $s >>$F/signals\" $s; done; "
        "trap 'exit 4' TERM; echo 1 >$F/ready; while :; do sleep 0.05; done");
    static const char *const names[] = {"INT", "HUP", "USR1", "USR2", "QUIT", "WINCH"};
    fake_wait_says(fake, "ready", "1");
    for (size_t n = 0; n < sizeof(numbers) / sizeof(numbers[0]); n++) {
        kill(pid, numbers[n]);
        fake_wait_says(fake, "signals", names[n]);
    }
    kill(pid, SIGTERM);
    assert_int_equal(process_code(process_wait(pid, PATIENCE_MS)), 4);
}

static void a_killed_wrapper_takes_its_command_along(void **state)
{
    struct fake *fake = *state;
    pid_t pid = START(fake, "--schema", "1..2", "--", "sh", "-c",
                      "echo $$ >$F/child; exec sleep 60");
    pid_t child = read_pid(fake, "child");
    kill(pid, SIGKILL);
    process_wait(pid, PATIENCE_MS);
    process_wait_dead(child);
    assert_int_equal(fake_count(fake, "DELETE", ""), 0);
}

static void while_waiting_nothing_is_started(void **state)
{
    struct fake *fake = *state;
    fake_answer(fake, "PUT", "/v1/apps/web/replicas/", 202, FAKE_REPLICA("waiting", "30", "10"));
    pid_t pid = START(fake, "--schema", "3..3", "--", "sh", "-c", "echo 1 >$F/started");
    fake_wait(fake, "PUT", "/replicas/a", 2);
    fake_wait_says(fake, "errors", "waiting");
    kill(pid, SIGTERM);
    assert_int_equal(process_code(process_wait(pid, PATIENCE_MS)), 128 + SIGTERM);
    assert_int_equal(fake_count(fake, "DELETE", "/replicas/a"), 1);
    assert_false(fake_says(fake, "started", "1"));

    pid = START(fake, "--schema", "3..3", "--", "sh", "-c", "echo 1 >$F/started");
    fake_wait(fake, "PUT", "/replicas/a", 3);
    fake_answer(fake, "PUT", "/v1/apps/web/replicas/", 200, FAKE_REPLICA("live", "30", "10"));
    assert_int_equal(process_code(process_wait(pid, PATIENCE_MS)), 0);
    assert_true(fake_says(fake, "started", "1"));
}

static void an_old_release_is_refused(void **state)
{
    struct fake *fake = *state;
    fake_answer(fake, "PUT", "/v1/apps/web/replicas/", 409, FAKE_PROBLEM("schema-too-old"));
    assert_int_equal(RUN(fake, "--schema", "1..1", "--", "sh", "-c", "echo 1 >$F/started"),
                     CLI_TOO_OLD);
    assert_false(fake_says(fake, "started", "1"));
    assert_true(fake_says(fake, "errors", "so it is"));
    fake_answer(fake, "PUT", "/v1/apps/web/replicas/", 403, FAKE_PROBLEM("forbidden"));
    assert_int_equal(RUN(fake, "--schema", "1..1", "--", "true"), CLI_REFUSED);
    fake_answer(fake, "PUT", "/v1/apps/web/replicas/", 422, FAKE_PROBLEM("invalid"));
    assert_int_equal(RUN(fake, "--schema", "1..1", "--", "true"), CLI_USAGE);
}

static void a_superseded_command_is_kept(void **state)
{
    struct fake *fake = *state;
    fake_answer(fake, "POST", "/v1/apps/web/replicas/", 409,
                FAKE_PROBLEM("incarnation-superseded"));
    pid_t pid = START(fake, "--schema", "1..2", "--", "sh", "-c",
                      "while [ ! -e $F/end ]; do sleep 0.05; done; exit 6");
    fake_wait_says(fake, "errors", "newer incarnation");
    assert_true(process_runs(pid));
    size_t renewals = fake_count(fake, "POST", "/renew");
    free(scratch_write(&fake->scratch, "end", ""));
    assert_int_equal(process_code(process_wait(pid, PATIENCE_MS)), 6);
    assert_int_equal(renewals, 1);
    assert_int_equal(fake_count(fake, "POST", "/renew"), 1);
    assert_int_equal(fake_count(fake, "DELETE", "/replicas/a"), 1);
}

/* With --on-lost exit the daemon counts on an end before the lease's: also of a superseded one. */
static void a_superseded_command_keeps_its_promise(void **state)
{
    struct fake *fake = *state;
    fake_answer(fake, "PUT", "/v1/apps/web/replicas/", 201, FAKE_REPLICA("live", "8", "2"));
    fake_answer(fake, "POST", "/v1/apps/web/replicas/", 409,
                FAKE_PROBLEM("incarnation-superseded"));
    assert_int_equal(RUN(fake, "--on-lost", "exit", "--lease", "8", "--kill-after", "3", "--schema",
                         "1..2", "--", "sleep", "60"),
                     128 + SIGTERM);
    assert_int_equal(fake_count(fake, "POST", "/renew"), 1);
}

static void a_forgotten_replica_registers_again(void **state)
{
    struct fake *fake = *state;
    struct fake_request first = {0}, second = {0};
    fake_answer(fake, "POST", "/v1/apps/web/replicas/", 404, FAKE_PROBLEM("unknown-replica"));
    pid_t pid = START(fake, "--schema", "1..2", "--", "sleep", "60");
    fake_wait(fake, "PUT", "/replicas/a", 2);
    kill(pid, SIGTERM);
    assert_int_equal(process_code(process_wait(pid, PATIENCE_MS)), 128 + SIGTERM);
    assert_true(fake_request(fake, "PUT", "/replicas/a", 0, &first));
    assert_true(fake_request(fake, "PUT", "/replicas/a", 1, &second));
    assert_string_equal(first.body, second.body);
}

/* The schema has moved beyond code that runs unprotected: it is stopped. */
static void an_unprotected_command_that_is_too_old_is_stopped(void **state)
{
    struct fake *fake = *state;
    fake_answer(fake, "PUT", "/v1/apps/web/replicas/", 503, FAKE_PROBLEM("database-unavailable"));
    assert_int_equal(RUN(fake, "--on-unavailable", "fail", "--schema", "1..2", "--", "true"),
                     CLI_UNREACHABLE);
    pid_t pid = START(fake, "--on-unavailable", "run", "--schema", "1..2", "--", "sh", "-c",
                      "env >$F/env; exec sleep 60");
    fake_wait_says(fake, "env", "SCHEMAGATE_PROTECTED=no");
    assert_true(fake_says(fake, "errors", "UNPROTECTED"));
    fake_answer(fake, "PUT", "/v1/apps/web/replicas/", 409, FAKE_PROBLEM("schema-too-old"));
    assert_int_equal(process_code(process_wait(pid, PATIENCE_MS)), CLI_TOO_OLD);
}

static void it_waits_for_a_daemon(void **state)
{
    struct fake *fake = *state;
    fake_answer(fake, "PUT", "/v1/apps/web/replicas/", 503, FAKE_PROBLEM("database-unavailable"));
    pid_t pid = START(fake, "--schema", "1..2", "--", "sh", "-c", "exit 5");
    fake_wait(fake, "PUT", "/replicas/a", 2);
    fake_answer(fake, "PUT", "/v1/apps/web/replicas/", 201, FAKE_REPLICA("live", "30", "10"));
    assert_int_equal(process_code(process_wait(pid, PATIENCE_MS)), 5);
}

/* lease 10 s, kill-after 3 s: renewals every 2.3 s at most, and the command must be gone before
 * second 10 after the last renewal that succeeded. */
static int64_t play_refused_renewals(struct fake *fake)
{
    size_t before = fake_count(fake, "POST", "/renew");
    fake_answer(fake, "PUT", "/v1/apps/web/replicas/", 201, FAKE_REPLICA("live", "10", "4"));
    fake_answer(fake, "POST", "/v1/apps/web/replicas/", 200, FAKE_REPLICA("live", "10", "4"));
    pid_t pid = START(fake, "--on-lost", "exit", "--lease", "10", "--kill-after", "3", "--schema",
                      "1..2", "--", "sleep", "60");
    fake_wait(fake, "POST", "/renew", before + 1);
    fake_answer(fake, "POST", "/v1/apps/web/replicas/", 503, FAKE_PROBLEM("database-unavailable"));
    assert_int_equal(process_code(process_wait(pid, PATIENCE_MS)), 128 + SIGTERM);
    int64_t lasted = test_now_ms() - fake_last_renewal(fake);
    assert_true(fake_count(fake, "POST", "/renew") >= before + 3);
    return lasted;
}

static void on_lost_exit_ends_before_the_lease(void **state)
{
    expect_within(*state, play_refused_renewals, 5000, 9900);
}

/* The registration waits for nearly as long as the lease lasts: that must not use the lease up. */
static void a_long_wait_does_not_use_the_lease_up(void **state)
{
    struct fake *fake = *state;
    fake->hold_ms = 7000;
    fake_answer(fake, "PUT", "/v1/apps/web/replicas/", 201, FAKE_REPLICA("live", "10", "4"));
    fake_answer(fake, "POST", "/v1/apps/web/replicas/", 200, FAKE_REPLICA("live", "10", "4"));
    assert_int_equal(RUN(fake, "--on-lost", "exit", "--lease", "10", "--kill-after", "3", "--schema",
                         "1..2", "--", "sh", "-c", "sleep 0.5; exit 5"),
                     5);
    assert_int_equal(fake_count(fake, "POST", "/renew"), 1);
}

/* The GET answers that the incarnation of the first registration is lost. */
static void list_first_incarnation(struct fake *fake, const char *other)
{
    struct fake_request hello = {0};
    char body[512];
    assert_true(fake_request(fake, "PUT", "/replicas/a", 0, &hello));
    json_t *incarnation = fake_member(&hello, "incarnation");
    snprintf(body, sizeof(body), "{\"items\":[{\"incarnation\":\"%s\",\"state\":\"live\"}%s%s%s]}",
             json_string_value(incarnation), other ? ",{\"state\":\"lost\",\"incarnation\":\"" : "",
             other ? other : "", other ? "\"}" : "");
    fake_answer(fake, "GET", "/v1/apps/web/replicas/", 200, body);
    json_decref(incarnation);
}

static bool attests(struct fake *fake, size_t registration)
{
    struct fake_request hello = {0};
    assert_true(fake_request(fake, "PUT", "/replicas/a", registration, &hello));
    json_t *ended = fake_member(&hello, "predecessor_ended");
    bool attested = json_is_true(ended);
    json_decref(ended);
    return attested;
}

/* Wrapper and guard are killed, and the command with them, but a grandchild lives on and holds the lock: no
 * word about an end. When it has gone, the next start knows. */
static void an_end_is_attested_when_nobody_holds_the_lock(void **state)
{
    struct fake *fake = *state;
    char *lock = fake_file(fake, "lock");
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    pid_t pid = START(fake, "--lock-file", lock, "--schema", "1..2", "--", "sh", "-c",
                      "echo $PPID >$F/guard; setsid sleep 60 & echo $! >$F/grandchild; wait");
    pid_t guard = read_pid(fake, "guard"), grandchild = read_pid(fake, "grandchild");
    kill(pid, SIGSTOP); /* else it would end what the guard leaves to it */
    kill(guard, SIGKILL);
    process_wait_dead(guard);
    kill(pid, SIGKILL);
    process_wait(pid, PATIENCE_MS);
    list_first_incarnation(fake, NULL);
    assert_int_equal(RUN(fake, "--lock-file", lock, "--schema", "1..2", "--", "true"), 0);
    assert_false(attests(fake, 1));
    kill(grandchild, SIGKILL);
    waitpid(grandchild, NULL, 0);
    assert_int_equal(RUN(fake, "--lock-file", lock, "--schema", "1..2", "--", "true"), 0);
    assert_true(attests(fake, 2));
    free(lock);
}

/* An incarnation that never held this file, on another machine perhaps, is not declared dead. */
static void strangers_are_not_attested(void **state)
{
    struct fake *fake = *state;
    char *lock = fake_file(fake, "lock");
    assert_int_equal(RUN(fake, "--lock-file", lock, "--schema", "1..2", "--", "true"), 0);
    list_first_incarnation(fake, "somebody-else");
    assert_int_equal(RUN(fake, "--lock-file", lock, "--schema", "1..2", "--", "true"), 0);
    assert_false(attests(fake, 1));
    list_first_incarnation(fake, NULL);
    assert_int_equal(RUN(fake, "--lock-file", lock, "--schema", "1..2", "--", "true"), 0);
    assert_true(attests(fake, 2));
    free(lock);
}

#define fake_test(function) cmocka_unit_test_setup_teardown(function, fake_open, fake_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        fake_test(the_exit_code_is_the_commands),
        fake_test(usage_is_checked_before_anything_is_asked),
        fake_test(the_registration_carries_what_was_said),
        fake_test(the_command_may_say_its_version_to_postgresql),
        fake_test(the_command_starts_clean),
        fake_test(descriptors_are_not_leaked),
        fake_test(sigterm_drains_the_whole_tree),
        fake_test(what_outlives_kill_after_is_killed),
        fake_test(what_the_command_leaves_behind_is_ended),
        fake_test(signals_are_forwarded),
        fake_test(a_killed_wrapper_takes_its_command_along),
        fake_test(while_waiting_nothing_is_started),
        fake_test(an_old_release_is_refused),
        fake_test(a_superseded_command_is_kept),
        fake_test(a_superseded_command_keeps_its_promise),
        fake_test(a_forgotten_replica_registers_again),
        fake_test(an_unprotected_command_that_is_too_old_is_stopped),
        fake_test(it_waits_for_a_daemon),
        fake_test(on_lost_exit_ends_before_the_lease),
        fake_test(a_long_wait_does_not_use_the_lease_up),
        fake_test(an_end_is_attested_when_nobody_holds_the_lock),
        fake_test(strangers_are_not_attested),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
