/* Commands as child processes: what they are given, what is kept of them, and that nothing outlives them. */
#include <support/process.h>
#include <support/test.h>

#include <schemagate/base/child.h>
#include <schemagate/base/memory.h>
#include <schemagate/base/template.h>

#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct ended {
    int code;
    bool stood_still;
    char *trouble, *output;
};

static void note_end(void *context, const struct child_end *end)
{
    struct ended *ended = context;

    *ended = (struct ended){end->code, end->stood_still, memory_copy(end->trouble), memory_copy(end->output)};
}

static struct ended run(const char *script, struct child_command command)
{
    struct event_base *base = event_base_new();
    const char *arguments[] = {"/bin/sh", "-c", script, NULL}, *none[] = {NULL};
    struct ended ended = {0};

    command.arguments = arguments;
    if (command.environment == NULL)
        command.environment = none;
    if (command.output_max == 0)
        command.output_max = 1000;
    child_start(base, &command, note_end, &ended);
    event_base_dispatch(base);
    event_base_free(base);
    return ended;
}

static void release(struct ended *ended)
{
    free(ended->trouble);
    free(ended->output);
}

static void its_exit_code_and_output_are_told(void **state)
{
    (void)state;
    struct ended ended = run("echo out; echo err >&2; exit 3", (struct child_command){.guarded = true});
    assert_int_equal(ended.code, 3);
    assert_null(ended.trouble);
    assert_string_equal(ended.output, "out\nerr\n");
    release(&ended);
}

static void it_starts_in_its_directory_with_its_own_environment(void **state)
{
    const char *environment[] = {"PATH=/nowhere:/bin:/usr/bin", "OWN=1", NULL};
    (void)state;
    setenv("PGPASSWORD", "secret", 1);
    struct ended ended = run("pwd; echo $PATH $OWN $PGPASSWORD",
                             (struct child_command){.directory = "/usr", .environment = environment});
    assert_string_equal(ended.output, "/usr\n/nowhere:/bin:/usr/bin 1\n");
    release(&ended);
    ended = run("true", (struct child_command){.directory = "/not/there"});
    assert_int_equal(ended.code, 127);
    assert_string_equal(ended.output, "cannot enter /not/there: No such file or directory\n");
    release(&ended);
}

static void the_beginning_and_the_end_of_its_output_are_kept(void **state)
{
    (void)state;
    struct ended ended = run("printf beginning; head -c 1000000 /dev/zero | tr '\\0' x; printf end",
                             (struct child_command){.output_max = 9, .output_end = 3});
    assert_string_equal(ended.output, "beginning\n… 1000000 bytes are left out …\nend");
    release(&ended);
    ended = run("printf beginningend", (struct child_command){.output_max = 9, .output_end = 3});
    assert_string_equal(ended.output, "beginningend");
    release(&ended);
    ended = run("printf beginningend", (struct child_command){.output_max = 9});
    assert_string_equal(ended.output, "beginning");
    release(&ended);
}

/* As a text: nothing behind a zero byte is lost. */
static void zero_bytes_of_its_output_are_blanks(void **state)
{
    (void)state;
    struct ended ended = run("printf 'a\\000\\000b'; printf 'c\\000d'", (struct child_command){0});
    assert_string_equal(ended.output, "a  bc d");
    release(&ended);
}

static void it_is_ended_when_it_takes_too_long(void **state)
{
    (void)state;
    struct ended ended = run("sleep 600 & sleep 600",
                             (struct child_command){.timeout_ms = 100, .guarded = true});
    assert_int_equal(ended.code, -1);
    assert_string_equal(ended.trouble, "took longer than 0.1 s");
    release(&ended);
}

static void it_is_ended_when_nothing_is_heard_of_this_process(void **state)
{
    (void)state;
    struct ended ended = run("sleep 600 & sleep 600",
                             (struct child_command){.guarded = true, .guard_ms = 100});
    assert_int_equal(ended.code, -1);
    assert_true(ended.stood_still);
    assert_string_equal(ended.trouble,
                        "was ended, because nothing was heard of this process for 0.1 s");
    release(&ended);
    ended = run("kill -9 $$", (struct child_command){.guarded = true, .guard_ms = 60000});
    assert_string_equal(ended.trouble, "was ended by signal 9");
    assert_false(ended.stood_still);
    release(&ended);
}

#define GUARD_MS 2000

struct proved {
    struct child *child;
    struct ended ended;
    int64_t last_ms, longest_ms; /* the last proof; the longest time between two */
};

static void note_proof(struct proved *proved)
{
    int64_t now = test_now_ms(), since = now - proved->last_ms;

    if (proved->last_ms != 0 && since > proved->longest_ms)
        proved->longest_ms = since;
    proved->last_ms = now;
}

/* Also due in the turn of the loop in which the child has ended. */
static void prove(evutil_socket_t fd, short what, void *context)
{
    struct proved *proved = context;
    (void)fd, (void)what;
    note_proof(proved);
    if (proved->ended.output == NULL)
        child_prove(proved->child);
}

/* It takes longer than the guard would wait. */
static struct proved play_proved(void)
{
    struct event_base *base = event_base_new();
    const char *arguments[] = {"/bin/sh", "-c", "sleep 4", NULL}, *none[] = {NULL};
    const struct child_command command = {.arguments = arguments, .environment = none, .output_max = 1,
                                          .guarded = true, .guard_ms = GUARD_MS};
    const struct timeval often = {.tv_usec = 10000};
    struct proved proved = {0};
    struct event *timer = event_new(base, -1, EV_PERSIST, prove, &proved);
    note_proof(&proved);
    proved.child = child_start(base, &command, note_end, &proved.ended);
    event_add(timer, &often);
    while (proved.ended.output == NULL)
        event_base_loop(base, EVLOOP_ONCE);
    note_proof(&proved);
    event_free(timer);
    event_base_free(base);
    return proved;
}

static void it_goes_on_while_it_is_proved(void **state)
{
    struct proved proved = play_proved();
    (void)state;
    /* Where this process itself stood still for so long, the guard was right. */
    for (int again = 5; proved.ended.code != 0 && proved.longest_ms > GUARD_MS / 2 && again > 0; again--) {
        release(&proved.ended);
        proved = play_proved();
    }
    assert_int_equal(proved.ended.code, 0);
    release(&proved.ended);
}

/* As a daemon may be killed while its command and what that has started run. */
static void what_it_has_started_dies_with_this_process(void **state)
{
    const char *none[] = {NULL};
    char path[] = "/tmp/base_child.XXXXXX", script[128];
    int file = mkstemp(path);
    long pid = 0;
    (void)state;
    snprintf(script, sizeof script, "sleep 600 & echo $! >%s; wait", path);
    const char *arguments[] = {"/bin/sh", "-c", script, NULL};
    const struct child_command command = {
        .arguments = arguments, .environment = none, .output_max = 1, .guarded = true};
    pid_t process = fork();
    if (process == 0) {
        child_start(event_base_new(), &command, NULL, NULL);
        pause();
    }
    int64_t end = test_now_ms() + PATIENCE_MS;
    for (FILE *told = fdopen(file, "r"); pid == 0; test_pause()) {
        rewind(told);
        if (fscanf(told, "%ld", &pid) != 1)
            pid = 0;
        assert_true(test_now_ms() < end);
    }
    assert_true(process_is_alive((pid_t)pid));
    kill(process, SIGKILL);
    waitpid(process, NULL, 0);
    process_wait_dead((pid_t)pid);
    unlink(path);
}

static void places_are_filled_in_and_nothing_else(void **state)
{
    const char *const values[TEMPLATE_PLACES] = {"42", "expand", "name", "{version}"};
    (void)state;
    assert_null(template_check("--set={version}-{phase}{name}/{argument}"));
    assert_non_null(template_check("{versions}"));
    assert_non_null(template_check("{version"));
    assert_non_null(template_check("version}"));
    assert_true(template_has("a{argument}", TEMPLATE_ARGUMENT));
    assert_false(template_has("a{argument}", TEMPLATE_NAME));
    char *text = template_fill("a {version}-{phase}:{name} {argument}.", values);
    assert_string_equal(text, "a 42-expand:name {version}.");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(its_exit_code_and_output_are_told),
        cmocka_unit_test(it_starts_in_its_directory_with_its_own_environment),
        cmocka_unit_test(the_beginning_and_the_end_of_its_output_are_kept),
        cmocka_unit_test(zero_bytes_of_its_output_are_blanks),
        cmocka_unit_test(it_is_ended_when_it_takes_too_long),
        cmocka_unit_test(it_is_ended_when_nothing_is_heard_of_this_process),
        cmocka_unit_test(it_goes_on_while_it_is_proved),
        cmocka_unit_test(what_it_has_started_dies_with_this_process),
        cmocka_unit_test(places_are_filled_in_and_nothing_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
