/* The planner's worker: what a text does to it is that text's answer and nobody else's. */
#include <schemagate/service/planner.h>

#include <event2/event.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { PATIENCE_SECONDS = 60 };

struct fixture {
    struct event_base *base;
    struct planner *planner;
};

struct answer {
    struct event_base *base;
    struct plan *plan;
    unsigned calls, order;
    unsigned *counter;
};

static void on_done(void *context, struct plan *plan)
{
    struct answer *answer = context;

    answer->plan = plan;
    answer->calls++;
    if (answer->counter != NULL)
        answer->order = ++*answer->counter;
    if (answer->base != NULL)
        event_base_loopbreak(answer->base);
}

static void on_timeout(evutil_socket_t unused, short what, void *context)
{
    (void)unused;
    (void)what;
    event_base_loopbreak(context);
}

/* Runs the loop until `answer` has come. */
static void await(struct fixture *fixture, struct answer *answer)
{
    struct event *limit = evtimer_new(fixture->base, on_timeout, fixture->base);

    event_add(limit, &(struct timeval){.tv_sec = PATIENCE_SECONDS});
    answer->base = fixture->base;
    while (answer->calls == 0 && evtimer_pending(limit, NULL))
        event_base_loop(fixture->base, EVLOOP_ONCE);
    event_free(limit);
    assert_int_equal(answer->calls, 1);
}

static struct plan *ask_bytes(struct fixture *fixture, const char *sql, size_t length)
{
    struct answer answer = {0};

    planner_read(fixture->planner, sql, length, &(struct plan_options){0}, on_done, &answer);
    await(fixture, &answer);
    assert_non_null(answer.plan);
    return answer.plan;
}

static struct plan *ask(struct fixture *fixture, const char *sql)
{
    return ask_bytes(fixture, sql, strlen(sql));
}

static void assert_works(struct fixture *fixture)
{
    struct plan *plan = ask(fixture, "-- schemagate: expand\nSELECT 1; SELECT 2");

    assert_int_equal(plan->finding_count, 0);
    assert_int_equal(plan->statement_count, 2);
    assert_string_equal(plan->statements[1].sql, "SELECT 2");
    plan_free(plan);
}

static void assert_unreadable(struct plan *plan)
{
    assert_int_equal(plan->finding_count, 1);
    assert_string_equal(plan->findings[0].id, "unreadable");
    assert_int_equal(plan->findings[0].severity, PLAN_ERROR);
    assert_non_null(plan->findings[0].message);
    assert_non_null(plan->findings[0].why);
    assert_non_null(plan->findings[0].fix);
    assert_true(plan_is_refused(plan));
    assert_int_equal(plan->statement_count, 0);
    plan_free(plan);
}

/* The only child of this process; 0 if there is none. */
static pid_t worker_pid(void)
{
    char path[64];
    FILE *children;
    int pid = 0;

    snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int)getpid());
    children = fopen(path, "re");
    assert_non_null(children);
    if (fscanf(children, "%d", &pid) != 1)
        pid = 0;
    fclose(children);
    return pid;
}

/* "SELECT 1+1+…": a tree as deep as it is long. */
static char *deep_sum(size_t terms)
{
    static const char head[] = "-- schemagate: expand\nSELECT 1";
    char *sql = malloc(sizeof(head) + 2 * terms);

    assert_non_null(sql);
    strcpy(sql, head);
    for (size_t i = 0; i < terms; i++)
        strcpy(sql + sizeof(head) - 1 + 2 * i, "+1");
    return sql;
}

static void a_plan_crosses_whole(void **state)
{
    struct plan *plan = ask(
        *state, "-- schemagate: migration name=\"split \\\"name\\\"\" approval=manual "
                "soak_seconds=86400 keep_hours=0 requires=41\n"
                "-- schemagate: expand\nALTER TABLE a ADD b int;\n"
                "-- schemagate: contract\n"
                "-- schemagate: allow suspect-do-block reason=\"only a word\"\n"
                "DO $$ BEGIN RAISE NOTICE 'schemagate'; END $$;\n"
                "DROP INDEX CONCURRENTLY i");

    assert_string_equal(plan->name, "split \"name\"");
    assert_string_equal(plan->approval, "manual");
    assert_int_equal(plan->soak_seconds, 86400);
    assert_int_equal(plan->keep_hours, 0);
    assert_int_equal(plan->requires, 41);
    assert_true(plan->has_section[PLAN_EXPAND]);
    assert_false(plan->has_section[PLAN_BACKFILL]);
    assert_true(plan->has_section[PLAN_CONTRACT]);
    assert_false(plan->has_section[PLAN_UNDO]);
    assert_int_equal(plan->statement_count, 3);
    assert_int_equal(plan->statements[2].section, PLAN_CONTRACT);
    assert_int_equal(plan->statements[2].number, 2);
    assert_int_equal(plan->statements[2].transaction, 2);
    assert_false(plan->statements[2].transactional);
    assert_int_equal(plan->statements[2].line, 7);
    assert_int_equal(plan->statements[2].column, 1);
    assert_string_equal(plan->statements[2].sql, "DROP INDEX CONCURRENTLY i");
    assert_int_equal(plan->finding_count, 1);
    assert_string_equal(plan->findings[0].id, "suspect-do-block");
    assert_string_equal(plan->findings[0].object, "schemagate");
    assert_true(plan->findings[0].allowed);
    assert_string_equal(plan->findings[0].allow_reason, "only a word");
    assert_non_null(plan->findings[0].why);
    assert_false(plan_is_refused(plan));
    plan_free(plan);
}

/* printf -- '-- schemagate: expand\nSELECT 1;\n' | sha256sum */
static void checksums_ignore_line_ends_and_bind_what_runs(void **state)
{
    static const char known[] =
        "sha256:fa906e275ec021c293bdc36b9e05ec00f2d171613b4534b269612bd7c41feb8b";
    struct plan *plain = ask(*state, "-- schemagate: expand\nSELECT 1;\n");
    struct plan *windows = ask(*state, "\xEF\xBB\xBF-- schemagate: expand\r\nSELECT 1;\r\n");
    struct plan *commented = ask(*state, "-- schemagate: expand\nSELECT 1; -- more\n");
    struct plan *other = ask(*state, "-- schemagate: contract\nSELECT 1;\n");

    assert_string_equal(plain->checksum, known);
    assert_string_equal(plain->checksum, windows->checksum);
    assert_string_not_equal(plain->checksum, commented->checksum);
    assert_string_equal(plain->plan_checksum, windows->plan_checksum);
    assert_string_equal(plain->plan_checksum, commented->plan_checksum);
    assert_string_not_equal(plain->plan_checksum, other->plan_checksum);
    assert_memory_equal(plain->plan_checksum, "sha256:", strlen("sha256:"));
    plan_free(plain);
    plan_free(windows);
    plan_free(commented);
    plan_free(other);
}

static void a_text_that_kills_the_worker_harms_only_itself(void **state)
{
    char *hostile = deep_sum(20000);

    assert_works(*state);
    assert_unreadable(ask(*state, hostile));
    assert_works(*state);
    assert_unreadable(ask(*state, hostile));
    assert_works(*state);
    free(hostile);
}

static void requests_behind_a_killer_are_answered_in_order(void **state)
{
    struct fixture *fixture = *state;
    static const char *const fine = "-- schemagate: expand\nSELECT 1";
    char *hostile = deep_sum(20000);
    unsigned counter = 0;
    struct answer answers[4] = {{.counter = &counter}, {.counter = &counter},
                                {.counter = &counter}, {.counter = &counter}};

    for (size_t i = 0; i < 4; i++) {
        const char *sql = i == 1 ? hostile : fine;

        planner_read(fixture->planner, sql, strlen(sql), &(struct plan_options){0}, on_done, &answers[i]);
    }
    await(fixture, &answers[3]);
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(answers[i].calls, 1);
        assert_int_equal(answers[i].order, i + 1);
        if (i == 1) {
            assert_unreadable(answers[i].plan);
        } else {
            assert_int_equal(answers[i].plan->statement_count, 1);
            plan_free(answers[i].plan);
        }
    }
    free(hostile);
}

static void a_worker_killed_in_between_is_replaced(void **state)
{
    for (int round = 0; round < 20; round++) {
        pid_t before;

        assert_works(*state);
        before = worker_pid();
        assert_int_not_equal(before, 0);
        kill(before, SIGKILL);
        assert_works(*state);
        assert_int_not_equal(worker_pid(), before);
    }
}

static void a_worker_killed_over_a_harmless_text_is_asked_again(void **state)
{
    struct fixture *fixture = *state;
    struct answer answer = {0};
    pid_t worker;

    assert_works(fixture);
    worker = worker_pid();
    kill(worker, SIGSTOP); /* so that the text is with it when it dies */
    planner_read(fixture->planner, "-- schemagate: undo\n", 20, &(struct plan_options){0}, on_done, &answer);
    event_base_loop(fixture->base, EVLOOP_NONBLOCK);
    kill(worker, SIGKILL);
    await(fixture, &answer);
    assert_int_equal(answer.plan->finding_count, 0);
    assert_true(answer.plan->has_section[PLAN_UNDO]);
    plan_free(answer.plan);
}

static void a_worker_that_does_not_answer_is_given_up(void **state)
{
    assert_works(*state);
    kill(worker_pid(), SIGSTOP);
    assert_unreadable(ask(*state, "-- schemagate: expand\nSELECT 1"));
    assert_works(*state);
}

static void signals_for_the_daemon_leave_the_worker_alone(void **state)
{
    pid_t worker;

    assert_works(*state);
    worker = worker_pid();
    kill(worker, SIGTERM);
    kill(worker, SIGINT);
    assert_works(*state);
    assert_int_equal(worker_pid(), worker);
}

static void ten_megabytes_are_answered_within_the_bounds(void **state)
{
    static const char row[] =
        "INSERT INTO t (a, b) VALUES (1, 'text that is a little longer than usual');\n";
    static const char head[] = "-- schemagate: expand\n";
    size_t rows = 10000000 / (sizeof(row) - 1), length = sizeof(head) - 1;
    char *sql = malloc(length + rows * (sizeof(row) - 1) + 1);
    struct plan *plan;

    assert_non_null(sql);
    strcpy(sql, head);
    for (size_t i = 0; i < rows; i++, length += sizeof(row) - 1)
        strcpy(sql + length, row);
    plan = ask_bytes(*state, sql, length);
    if (plan->finding_count == 0) {
        assert_int_equal(plan->statement_count, rows);
        plan_free(plan);
    } else {
        assert_unreadable(plan);
    }
    assert_works(*state);
    free(sql);
}

static void any_bytes_are_answered(void **state)
{
    static const char bytes[] = "-- schemagate: expand\nSELECT '\0\xff'";
    struct plan *plan = ask_bytes(*state, bytes, sizeof(bytes) - 1);

    assert_string_equal(plan->findings[0].id, "nul-byte");
    plan_free(plan);
    plan = ask_bytes(*state, "", 0);
    assert_string_equal(plan->findings[0].id, "empty-file");
    plan_free(plan);
}

static void closing_answers_what_is_open(void **state)
{
    struct fixture *fixture = *state;
    struct answer answers[3] = {0};

    for (size_t i = 0; i < 3; i++)
        planner_read(fixture->planner, "", 0, &(struct plan_options){0}, on_done, &answers[i]);
    planner_close(fixture->planner);
    fixture->planner = NULL;
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(answers[i].calls, 1);
        assert_null(answers[i].plan);
    }
    assert_int_equal(worker_pid(), 0);
}

static void the_worker_holds_nothing_of_the_daemon(void **state)
{
    struct fixture *fixture = *state;
    int pipe_ends[2]; /* not close-on-exec, as a careless library would open it */
    char path[64], environment[16];
    FILE *file;

    assert_int_equal(pipe(pipe_ends), 0);
    planner_close(fixture->planner);
    fixture->planner = planner_open(fixture->base, NULL, NULL);
    assert_works(fixture);
    close(pipe_ends[1]);
    assert_int_equal(read(pipe_ends[0], path, 1), 0); /* nobody else has the other end */
    close(pipe_ends[0]);
    snprintf(path, sizeof(path), "/proc/%d/environ", (int)worker_pid());
    file = fopen(path, "re");
    assert_non_null(file);
    assert_int_equal(fread(environment, 1, sizeof(environment), file), 0);
    fclose(file);
}

/* Of a signal, or of the end of its input; a daemon that is killed says nothing. */
static void the_worker_dies_with_the_daemon(void **state)
{
    pid_t daemon = fork(), worker;
    int status;

    (void)state;
    assert_int_not_equal(daemon, -1);
    if (daemon == 0) {
        struct fixture fixture = {.base = event_base_new()};

        fixture.planner = planner_open(fixture.base, NULL, NULL);
        assert_works(&fixture);
        raise(SIGSTOP);
        _exit(1);
    }
    prctl(PR_SET_CHILD_SUBREAPER, 1); /* so that the orphan's end can be awaited */
    assert_int_equal(waitpid(daemon, &status, WUNTRACED), daemon);
    assert_true(WIFSTOPPED(status));
    kill(daemon, SIGKILL);
    assert_int_equal(waitpid(daemon, &status, 0), daemon);
    alarm(PATIENCE_SECONDS);
    worker = waitpid(-1, &status, 0);
    alarm(0);
    assert_int_not_equal(worker, -1);
}

static int open_planner(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));

    assert_non_null(fixture);
    fixture->base = event_base_new();
    assert_non_null(fixture->base);
    fixture->planner = planner_open(fixture->base, NULL, NULL);
    *state = fixture;
    return 0;
}

static int close_planner(void **state)
{
    struct fixture *fixture = *state;

    planner_close(fixture->planner);
    event_base_free(fixture->base);
    free(fixture);
    return 0;
}

#define WITH_PLANNER(test) cmocka_unit_test_setup_teardown(test, open_planner, close_planner)

/* ---- uses ---- */

struct uses_answer {
    struct event_base *base;
    enum plan_use first, second;
    bool came, unread;
};

static void on_uses(void *context, const struct plan_used *uses)
{
    struct uses_answer *answer = context;

    answer->came = true;
    answer->unread = uses == NULL;
    answer->first = uses != NULL ? uses[0].use : USE_NONE;
    answer->second = uses != NULL ? uses[1].use : USE_NONE;
}

static struct uses_answer find_uses(struct fixture *fixture, const char *first, const char *second)
{
    static const struct plan_drop drop = {.schema = "app", .table = "users", .column = "name"};
    const char *const texts[] = {first, second};
    const struct plan_question question = {&drop, 1, texts, 2};
    struct uses_answer answer = {0};
    struct event *limit = evtimer_new(fixture->base, on_timeout, fixture->base);

    event_add(limit, &(struct timeval){.tv_sec = PATIENCE_SECONDS});
    planner_find_uses(fixture->planner, &question, on_uses, &answer);
    while (!answer.came && evtimer_pending(limit, NULL))
        event_base_loop(fixture->base, EVLOOP_ONCE);
    event_free(limit);
    assert_true(answer.came);
    return answer;
}

static void statements_are_asked_about_beside_plans(void **state)
{
    struct fixture *fixture = *state;
    struct uses_answer uses = find_uses(fixture, "SELECT name FROM users", "SELECT id FROM users");

    assert_false(uses.unread);
    assert_int_equal(uses.first, USE_NAMED);
    assert_int_equal(uses.second, USE_NONE);
    assert_works(fixture);
}

/* The daemon is told, and the next one is answered. */
static void a_statement_that_ends_the_worker_is_unread(void **state)
{
    struct fixture *fixture = *state;
    char *deep = malloc(400100);

    assert_non_null(deep);
    strcpy(deep, "SELECT name FROM users WHERE 1 = 1");
    for (size_t at = strlen(deep), i = 0; i < 200000; i++, at += 2)
        memcpy(deep + at, "+1", 3);
    assert_true(find_uses(fixture, deep, "SELECT 1").unread);
    assert_int_equal(find_uses(fixture, "SELECT 1", "SELECT * FROM app.users").second, USE_WHOLE);
    free(deep);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        WITH_PLANNER(a_plan_crosses_whole),
        WITH_PLANNER(checksums_ignore_line_ends_and_bind_what_runs),
        WITH_PLANNER(a_text_that_kills_the_worker_harms_only_itself),
        WITH_PLANNER(requests_behind_a_killer_are_answered_in_order),
        WITH_PLANNER(a_worker_killed_in_between_is_replaced),
        WITH_PLANNER(a_worker_killed_over_a_harmless_text_is_asked_again),
        WITH_PLANNER(a_worker_that_does_not_answer_is_given_up),
        WITH_PLANNER(signals_for_the_daemon_leave_the_worker_alone),
        WITH_PLANNER(ten_megabytes_are_answered_within_the_bounds),
        WITH_PLANNER(any_bytes_are_answered),
        WITH_PLANNER(closing_answers_what_is_open),
        WITH_PLANNER(the_worker_holds_nothing_of_the_daemon),
        WITH_PLANNER(statements_are_asked_about_beside_plans),
        WITH_PLANNER(a_statement_that_ends_the_worker_is_unread),
        cmocka_unit_test(the_worker_dies_with_the_daemon),
    };

    /* The worker is found through /proc/self/exe, which is this program here. */
    if (argc == 3 && strcmp(argv[1], "plan") == 0 && strcmp(argv[2], "--worker") == 0)
        return planner_worker_main(argc - 2, argv + 2);
    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
