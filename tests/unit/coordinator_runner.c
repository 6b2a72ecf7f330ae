/* Steps that are configured commands, as the coordinator hands them to the executor: put together from the
 * configuration, each time anew; who submits names none that is not there, and writes no option. */
#include "coordinator_scene.h"

#define RUN(what) "-- schemagate: expand\n-- schemagate: run " what "\n"

static char *tool_words[] = {(char *)"/opt/tool", (char *)"{version}", (char *)"--to={argument}"};
static char *named_words[] = {(char *)"/opt/named", (char *)"{name}"};
static struct config_runner runners[] = {
    {.name = (char *)"tool", .command = {tool_words, 3}, .directory = (char *)"", .timeout_seconds = 5},
    {.name = (char *)"named", .command = {named_words, 2}, .directory = (char *)""},
};

static void begin(struct world *world)
{
    world->config.runners = runners;
    world->config.runner_count = 2;
    world_lead(world);
}

static void test_the_command_is_that_of_the_configuration(void **state)
{
    struct reply reply = {0};

    (void)state;
    send_submit(w, 7, RUN("tool argument=a1"), &reply);
    assert_string_equal(up_to_run(w, "expand")->command, "/opt/tool|7|--to=a1|5000");
    world_settle(w);
    assert_phase(w, 7, PHASE_COMPLETE);
    assert_int_equal(count_events(w, "migration.runner"), 1);
}

static void test_one_that_is_not_configured_is_refused(void **state)
{
    (void)state;
    assert_int_equal(submit(w, 1, RUN("other")).problem, PROBLEM_PLAN_REFUSED);
    assert_int_equal(submit(w, 1, RUN("tool")).problem, PROBLEM_PLAN_REFUSED);
    assert_int_equal(submit(w, 1, RUN("named argument=x")).problem, PROBLEM_PLAN_REFUSED);
    assert_int_equal(w->runs, 0);
}

static void test_a_name_is_no_option(void **state)
{
    static const char *const names[] = {"-x", "--exec", "x;id", ""};
    const char *sql = RUN("named");

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct reply reply = {0};
        coordinator_submit(w->c,
                           &(struct submission){.version = 1, .name = names[i], .sql = sql,
                                                .sql_length = strlen(sql), .soak_seconds = -1,
                                                .keep_hours = -1, .actor = "deployer:ci"},
                           take_reply, &reply);
        world_settle(w);
        assert_int_equal(reply.problem, PROBLEM_PLAN_REFUSED);
    }
    assert_int_equal(w->runs, 0);
}

/* It was there when the migration was submitted. */
static void test_one_that_has_vanished_is_a_failure(void **state)
{
    struct reply reply = {0};

    (void)state;
    send_submit(w, 1, RUN("tool argument=a1"), &reply);
    up_to_run(w, "expand");
    let_fail(w, fail_runs, 1, EXECUTION_FAILED);
    world_settle(w);
    w->config.runner_count = 0;
    unsigned before = w->runs;
    act(w, 1, EVENT_RETRY);
    assert_int_equal(w->runs, before);
    assert_true(the_migration(w, 1)->failed);
    w->config.runner_count = 2;
    act(w, 1, EVENT_RETRY);
    assert_phase(w, 1, PHASE_COMPLETE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_the_command_is_that_of_the_configuration),
        TEST(test_one_that_is_not_configured_is_refused),
        TEST(test_a_name_is_no_option),
        TEST(test_one_that_has_vanished_is_a_failure),
    };
    return scene_run(tests, begin);
}
