/* The planner and the database that it asks: a text that names something is read again with the facts, and
 * never waits for a database that does not answer. What PostgreSQL answers is in db_catalog.c. */
#include <schemagate/service/planner.h>

#include <event2/event.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { PATIENCE_SECONDS = 60 };

static struct event_base *base;
static struct planner *planner;

/* The database's side: what it was asked, and whom it owes an answer. */
static char asked[512];
static unsigned questions;
static planner_look_done *owed;
static void *owed_to;

static void on_question(void *database, const char *names, planner_look_done *done, void *context)
{
    (void)database;
    snprintf(asked, sizeof(asked), "%s", names);
    questions++;
    owed = done;
    owed_to = context;
}

static struct plan *received;
static unsigned answers;

static void on_plan(void *context, struct plan *plan)
{
    (void)context;
    received = plan;
    answers++;
}

static void on_timeout(evutil_socket_t unused, short what, void *context)
{
    (void)unused;
    (void)what;
    (void)context;
    fail_msg("waited in vain");
}

static void wait_until(const unsigned *count, unsigned reached)
{
    struct event *limit = evtimer_new(base, on_timeout, NULL);

    event_add(limit, &(struct timeval){.tv_sec = PATIENCE_SECONDS});
    while (*count < reached)
        event_base_loop(base, EVLOOP_ONCE);
    event_free(limit);
}

static void send_text(const char *sql)
{
    planner_read(planner, sql, strlen(sql), &(struct plan_options){.version = 7}, on_plan, NULL);
}

static const struct plan_finding *note_of(const struct plan *plan)
{
    for (size_t i = 0; i < plan->finding_count; i++)
        if (strcmp(plan->findings[i].id, "no-facts") == 0)
            return &plan->findings[i];
    return NULL;
}

static void a_text_is_read_again_with_the_facts(void **state)
{
    (void)state;
    send_text("-- schemagate: expand\nALTER TABLE s.t ADD a int; SELECT 1 FROM u");
    wait_until(&questions, 1);
    assert_string_equal(asked, "[{\"schema\":\"s\",\"name\":\"t\"},{\"name\":\"u\"}]");
    assert_int_equal(answers, 0);
    owed(owed_to, "{\"server_version\": 150000, \"tables\": [], \"missing\": [\"s.t\", \"u\"]}", NULL);
    wait_until(&answers, 1);
    assert_null(note_of(received));
    assert_int_equal(received->statement_count, 2);
    assert_int_equal(questions, 1);
    plan_free(received);
}

static void a_text_that_names_nothing_asks_nobody(void **state)
{
    (void)state;
    send_text("-- schemagate: expand\nSELECT 1");
    wait_until(&answers, 1);
    assert_int_equal(questions, 0);
    assert_null(note_of(received));
    plan_free(received);
}

static void without_facts_the_plan_says_why(void **state)
{
    (void)state;
    send_text("-- schemagate: expand\nALTER TABLE t ADD a int");
    wait_until(&questions, 1);
    owed(owed_to, NULL, "there is no connection to the database");
    wait_until(&answers, 1);
    assert_non_null(note_of(received));
    assert_non_null(strstr(note_of(received)->message, "no connection"));
    assert_int_equal(note_of(received)->severity, PLAN_NOTE);
    assert_false(plan_is_refused(received));
    assert_int_equal(received->statement_count, 1);
    plan_free(received);
}

static void a_database_that_does_not_answer_is_not_waited_for(void **state)
{
    (void)state;
    send_text("-- schemagate: expand\nALTER TABLE t ADD a int");
    send_text("-- schemagate: expand\nSELECT 1");
    wait_until(&answers, 1);
    assert_non_null(note_of(received));
    plan_free(received);
    wait_until(&answers, 2); /* those behind it go on */
    plan_free(received);
    owed(owed_to, "{\"server_version\": 150000}", NULL); /* too late for anybody */
    assert_int_equal(answers, 2);
}

static void names_without_end_are_not_asked_for(void **state)
{
    enum { NAMES = 2001 };
    char *sql = calloc(NAMES + 2, 32);
    size_t length = 0;

    (void)state;
    assert_non_null(sql);
    length += (size_t)sprintf(sql, "-- schemagate: expand\n");
    for (int i = 0; i < NAMES; i++)
        length += (size_t)sprintf(sql + length, "TABLE t%d;", i);
    send_text(sql);
    free(sql);
    wait_until(&answers, 1);
    assert_int_equal(questions, 0);
    assert_non_null(note_of(received));
    plan_free(received);
}

static void facts_that_are_none_refuse_the_text(void **state)
{
    (void)state;
    send_text("-- schemagate: expand\nALTER TABLE t ADD a int");
    wait_until(&questions, 1);
    owed(owed_to, "nonsense", NULL);
    wait_until(&answers, 1);
    assert_true(plan_is_refused(received));
    assert_string_equal(received->findings[0].id, "unreadable");
    plan_free(received);
}

static void closing_answers_who_waits_for_facts(void **state)
{
    (void)state;
    send_text("-- schemagate: expand\nALTER TABLE t ADD a int");
    wait_until(&questions, 1);
    planner_close(planner);
    planner = NULL;
    assert_int_equal(answers, 1);
    assert_null(received);
    owed(owed_to, NULL, "the session is closed");
}

static int open_planner(void **state)
{
    (void)state;
    base = event_base_new();
    planner = planner_open(base, on_question, NULL);
    questions = answers = 0;
    return 0;
}

static int close_planner(void **state)
{
    (void)state;
    planner_close(planner);
    event_base_free(base);
    return 0;
}

#define WITH_PLANNER(test) cmocka_unit_test_setup_teardown(test, open_planner, close_planner)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        WITH_PLANNER(a_text_is_read_again_with_the_facts),
        WITH_PLANNER(a_text_that_names_nothing_asks_nobody),
        WITH_PLANNER(without_facts_the_plan_says_why),
        WITH_PLANNER(a_database_that_does_not_answer_is_not_waited_for),
        WITH_PLANNER(names_without_end_are_not_asked_for),
        WITH_PLANNER(facts_that_are_none_refuse_the_text),
        WITH_PLANNER(closing_answers_who_waits_for_facts),
    };

    /* The worker is found through /proc/self/exe, which is this program here. */
    if (argc == 3 && strcmp(argv[1], "plan") == 0 && strcmp(argv[2], "--worker") == 0)
        return planner_worker_main(argc - 2, argv + 2);
    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
