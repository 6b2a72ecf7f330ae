/* Statements outside of transactions, as the coordinator hands them to the executor: the executor is told
 * what an attempt may leave behind, and what it notes about its attempts is written by nobody else. */
#include "coordinator_scene.h"

#define BUILD "-- schemagate: expand\nCREATE INDEX CONCURRENTLY by_a ON t (a);\n"

static json_t *step_row(void)
{
    return json_array_get(world_table(w, "steps"), 0);
}

static void test_the_executor_is_told_what_may_be_left_behind(void **state)
{
    struct reply reply = {0};

    (void)state;
    send_submit(w, 1, BUILD, &reply);
    assert_int_equal(up_to_run(w, "expand")->work_kind, WORK_INDEX);
    world_settle(w);
    assert_phase(w, 1, PHASE_COMPLETE);
    assert_string_equal(world_text(step_row(), "object"), "by_a");
    assert_string_equal(world_text(step_row(), "shape"), "btree (a)");
}

static enum execution_status take_note_back(struct world *world, const struct call *call)
{
    (void)world, (void)call;
    json_object_set_new(step_row(), "progress", json_null());
    return EXECUTION_DONE;
}

/* The next term has read the note in; then the executor takes it back: the index is somebody else's. */
static void test_a_note_that_was_taken_back_does_not_return(void **state)
{
    struct reply reply = {0};

    (void)state;
    send_submit(w, 1, BUILD, &reply);
    up_to_run(w, "expand");
    json_object_set_new(step_row(), "progress", json_pack("{s:b, s:i}", "begun", 1, "table", 4711));
    let_fail(w, fail_runs, 1, EXECUTION_UNKNOWN);
    world_settle(w);
    w->on_run = take_note_back;
    world_restart_term(w);
    world_settle(w);
    assert_phase(w, 1, PHASE_COMPLETE);
    assert_true(json_is_null(json_object_get(step_row(), "progress")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_the_executor_is_told_what_may_be_left_behind),
        TEST(test_a_note_that_was_taken_back_does_not_return),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
