/* What operators and deploy tools ask for: cancel, approve, pause, submit, adopt a baseline, soak. */
#include "coordinator_scene.h"

/* ---- operators ---- */

/* The next try comes due while the cancellation is being committed: it must not begin. */
static void test_cancel_between_two_tries(void **state)
{
    (void)state;
    struct reply cancel = {0};
    let_fail(w, fail_runs, 1, EXECUTION_TRY_AGAIN);
    submit(w, 1, EXPAND);
    assert_phase(w, 1, PHASE_EXPANDING);
    send_act(w, 1, EVENT_CANCEL, &cancel);
    up_to(w, CALL_COMMIT);
    w->now.boot_ms += 60000;
    coordinator_tick(w->c);
    assert_null(world_find(w, CALL_RUN));
    world_settle(w);
    assert_phase(w, 1, PHASE_QUEUED);
    assert_true(the_migration(w, 1)->failed);
    assert_int_equal(w->runs, 0);
}

static void test_cancel_stops_what_runs(void **state)
{
    (void)state;
    struct reply cancel = {0}, submitted = {0};
    send_submit(w, 1, EXPAND CONTRACT, &submitted);
    struct call *run = up_to_run(w, "expand");
    run->held = true;
    send_act(w, 1, EVENT_CANCEL, &cancel);
    world_settle(w);
    assert_int_equal(cancel.count, 1);
    assert_int_equal(cancel.problem, PROBLEM_NONE);
    assert_true(w->cancelled);
    world_answer(w, run);
    world_settle(w);
    assert_phase(w, 1, PHASE_QUEUED);
    assert_true(the_migration(w, 1)->failed);
    assert_string_equal(the_migration(w, 1)->error->message, "cancelled by an operator");
    assert_int_equal(act(w, 1, EVENT_CANCEL).problem, PROBLEM_NONE);
    assert_phase(w, 1, PHASE_CANCELLED);
    assert_int_equal(act(w, 1, EVENT_CANCEL).problem, PROBLEM_NONE); /* it is already */
    assert_int_equal(act(w, 1, EVENT_PAUSE).problem, PROBLEM_INVALID_TRANSITION);
}

static void test_an_undo_behind_its_fence_cannot_be_taken_back(void **state)
{
    (void)state;
    struct reply undo = {0}, cancel = {0};
    join(w, "old", 0, 0);
    submit(w, 1, EXPAND CONTRACT UNDO);
    send_act(w, 1, EVENT_UNDO, &undo);
    struct call *verification = up_to(w, CALL_VERIFY);
    verification->held = true;
    send_act(w, 1, EVENT_CANCEL, &cancel);
    world_settle(w);
    assert_int_equal(cancel.problem, PROBLEM_INVALID_TRANSITION);
    world_answer(w, verification);
    world_settle(w);
    assert_phase(w, 1, PHASE_UNDONE);
}

static void test_a_manual_contract_waits_for_approval(void **state)
{
    (void)state;
    join(w, "a", 0, 1);
    submit(w, 1, "-- schemagate: migration approval=manual\n" EXPAND CONTRACT);
    assert_true(has_hold(w, 1, HOLD_AWAITING_APPROVAL));
    world_restart_term(w);
    renew(w, "a", "i1");
    world_settle(w);
    assert_phase(w, 1, PHASE_EXPANDED);
    assert_int_equal(act(w, 1, EVENT_APPROVE).problem, PROBLEM_NONE);
    assert_phase(w, 1, PHASE_COMPLETE);
    assert_int_equal(act(w, 1, EVENT_APPROVE).problem, PROBLEM_NONE); /* once more, and it has ended */
    assert_int_equal(count_events(w, "operator.approve"), 1);
}

static void test_an_approval_counts_for_one_cluster_and_timeline(void **state)
{
    (void)state;
    submit(w, 1, "-- schemagate: migration approval=manual\n" EXPAND CONTRACT);
    act(w, 1, EVENT_APPROVE);
    act(w, 1, EVENT_APPROVE); /* twice is once */
    assert_int_equal(count_events(w, "operator.approve"), 1);
    world_restart_term(w);
    assert_true(the_migration(w, 1)->approved);
    json_object_set_new(json_array_get(world_table(w, "approvals"), 0), "timeline",
                        json_string("00000002"));
    world_restart_term(w);
    assert_false(the_migration(w, 1)->approved);
}

static void test_a_paused_daemon_begins_nothing(void **state)
{
    (void)state;
    struct reply reply = {0};
    join(w, "a", 0, 2);
    coordinator_pause_all(w->c, true, "an incident", "tester", take_reply, &reply);
    world_settle(w);
    submit(w, 1, EXPAND CONTRACT);
    assert_phase(w, 1, PHASE_QUEUED);
    world_restart_term(w);
    renew(w, "a", "i1");
    world_settle(w);
    assert_true(coordinator_paused(w->c).paused);
    assert_string_equal(coordinator_paused(w->c).reason, "an incident");
    assert_phase(w, 1, PHASE_QUEUED);
    coordinator_pause_all(w->c, false, NULL, "tester", take_reply, &reply);
    world_settle(w);
    assert_phase(w, 1, PHASE_COMPLETE);
}

/* ---- submissions ---- */

static void test_submitting_is_idempotent(void **state)
{
    (void)state;
    struct submission s = {.version = 5,
                           .name = "another name",
                           .sql = EXPAND,
                           .sql_length = strlen(EXPAND),
                           .soak_seconds = -1,
                           .keep_hours = -1,
                           .actor = "ci"};
    struct reply reply = {0};
    assert_true(submit(w, 5, EXPAND).created);
    assert_false(submit(w, 5, EXPAND).created);
    assert_int_equal(submit(w, 5, EXPAND BACKFILL).problem, PROBLEM_VERSION_CONFLICT);
    assert_int_equal(submit(w, 4, EXPAND).problem, PROBLEM_OUT_OF_ORDER);
    coordinator_submit(w->c, &s, take_reply, &reply);
    world_settle(w);
    assert_int_equal(reply.problem, PROBLEM_NONE); /* names do not count */
    s.soak_seconds = 60;
    coordinator_submit(w->c, &s, take_reply, &reply);
    world_settle(w);
    assert_int_equal(reply.problem, PROBLEM_VERSION_CONFLICT);
    assert_int_equal(count_events(w, "migration.submitted"), 1);
    assert_int_equal(submit(w, 6, "-- schemagate: expand\nCREAT TABLE t;\n").problem, PROBLEM_PLAN_REFUSED);
    s.soak_seconds = -1;
    s.keep_hours = 1;
    s.version = 7;
    coordinator_submit(w->c, &s, take_reply, &reply);
    world_settle(w);
    assert_true(reply.created);
    assert_int_equal(the_migration(w, 7)->keep_hours, 1);
}

/* Its place in the order is taken by what has run since. */
static void test_a_corrected_plan_comes_before_what_has_run(void **state)
{
    (void)state;
    struct reply reply = {0};
    coordinator_pause_all(w->c, true, "", "tester", take_reply, &reply);
    submit(w, 1, EXPAND);
    submit(w, 2, EXPAND);
    act(w, 1, EVENT_CANCEL);
    assert_true(submit(w, 1, EXPAND BACKFILL).created); /* 2 is still queued */
    act(w, 1, EVENT_CANCEL);
    coordinator_pause_all(w->c, false, "", "tester", take_reply, &reply);
    world_settle(w);
    assert_phase(w, 2, PHASE_COMPLETE);
    assert_int_equal(submit(w, 1, EXPAND CONTRACT).problem, PROBLEM_OUT_OF_ORDER);
}

/* The same version twice at once, with two texts: one is there, the other is told. */
static void test_two_submissions_at_once(void **state)
{
    (void)state;
    struct reply one = {0}, other = {0}, same = {0};
    send_submit(w, 1, EXPAND, &one);
    send_submit(w, 1, EXPAND BACKFILL, &other);
    send_submit(w, 1, EXPAND, &same);
    world_settle(w);
    assert_true(one.created);
    assert_int_equal(other.problem, PROBLEM_VERSION_CONFLICT);
    assert_int_equal(same.problem, PROBLEM_NONE);
    assert_false(same.created);
}

static void test_baseline(void **state)
{
    (void)state;
    assert_int_equal(join(w, "waits", 40, 41).state, REPLICA_WAITING);
    assert_int_equal(join(w, "small", 0, 3).state, REPLICA_LIVE);
    assert_int_equal(baseline(w, 40).problem, PROBLEM_BASELINE_CONFLICT);
    leave(w, "small");
    assert_true(baseline(w, 40).created);
    assert_window(w, 40, 40, 0, 0);
    assert_int_equal(coordinator_find_replica(w->c, "web", "waits")->state, REPLICA_LIVE);
    assert_string_equal(stored_state(w, "waits", "i1"), "live");
    assert_false(baseline(w, 40).created);
    assert_int_equal(baseline(w, 41).problem, PROBLEM_BASELINE_CONFLICT);
    assert_true(submit(w, 39, EXPAND).baselined);
    assert_true(submit(w, 40, EXPAND).baselined);
    world_restart_term(w);
    assert_true(submit(w, 40, EXPAND).baselined);
    assert_true(submit(w, 41, EXPAND CONTRACT).created);
    assert_window(w, 40, 41, 0, 0);
}

static void test_a_baseline_comes_before_migrations(void **state)
{
    (void)state;
    submit(w, 1, EXPAND);
    assert_int_equal(baseline(w, 1).problem, PROBLEM_BASELINE_CONFLICT);
}

/* ---- soak ---- */

static void submit_soaking(int64_t seconds)
{
    char text[256];
    snprintf(text, sizeof text, "-- schemagate: migration soak_seconds=%lld\n" EXPAND CONTRACT UNDO,
             (long long)seconds);
    submit(w, 1, text);
}

/* Renewals every ten seconds, for so long. */
static void live_on(int64_t seconds)
{
    for (int64_t i = 0; i < seconds; i += 10) {
        renew(w, "a", "i1");
        world_pass(w, 10000);
    }
}

static void test_soak_counts_from_the_last_old_replica(void **state)
{
    (void)state;
    join(w, "a", 0, 1);
    join(w, "old", 0, 0);
    submit_soaking(60);
    leave(w, "old");
    assert_true(has_hold(w, 1, HOLD_SOAKING));
    live_on(50);
    join(w, "old", 0, 0); /* rolled back, and again forward: it begins anew */
    leave(w, "old");
    live_on(50);
    assert_phase(w, 1, PHASE_EXPANDED);
    live_on(10);
    assert_phase(w, 1, PHASE_COMPLETE);
}

static void test_soak_survives_a_restart_and_loses_at_most_its_last_seconds(void **state)
{
    (void)state;
    join(w, "a", 0, 1);
    submit_soaking(60);
    live_on(30);
    world_restart_term(w);
    renew(w, "a", "i1");
    world_settle(w);
    assert_true(the_migration(w, 1)->soak_stored_ms >= 20000);
    assert_true(the_migration(w, 1)->soak_stored_ms <= 30000);
    live_on(20);
    assert_phase(w, 1, PHASE_EXPANDED);
    live_on(20);
    assert_phase(w, 1, PHASE_COMPLETE);
}

static void test_a_soak_that_began_anew_is_not_remembered(void **state)
{
    (void)state;
    w->config.gate.lease_seconds = 3600;
    join(w, "a", 0, 1);
    submit_soaking(60);
    live_on(50);
    join(w, "old", 0, 0);
    leave(w, "old");
    world_restart_term(w);
    assert_int_equal(the_migration(w, 1)->soak_stored_ms, 0);
}

static void test_what_comes_while_an_undo_waits_begins_the_soak_anew(void **state)
{
    (void)state;
    join(w, "a", 0, 1);
    submit_soaking(60);
    join(w, "ahead", 1, 1);
    live_on(50);
    act(w, 1, EVENT_UNDO);
    assert_phase(w, 1, PHASE_UNDOING);
    join(w, "old", 0, 0);
    leave(w, "old");
    act(w, 1, EVENT_CANCEL);
    assert_phase(w, 1, PHASE_EXPANDED);
    live_on(20);
    assert_phase(w, 1, PHASE_EXPANDED);
}

static void test_a_half_done_contract_does_not_soak_for_ever_after_a_restart(void **state)
{
    (void)state;
    let_fail(w, fail_second, 1, EXECUTION_FAILED);
    join(w, "a", 0, 1);
    submit(w, 1, "-- schemagate: migration soak_seconds=20\n" EXPAND CONTRACT_IN_TWO);
    live_on(30);
    assert_phase(w, 1, PHASE_CONTRACTING);
    act(w, 1, EVENT_RETRY);
    assert_phase(w, 1, PHASE_COMPLETE);

    passed = 0;
    run_failures = 1;
    w->config.gate.lease_seconds = 3600;
    leave(w, "a");
    join(w, "a", 0, 2);
    submit(w, 2, "-- schemagate: migration soak_seconds=20\n" EXPAND CONTRACT_IN_TWO);
    live_on(30);
    world_restart_term(w);
    act(w, 2, EVENT_RETRY);
    live_on(30);
    assert_phase(w, 2, PHASE_COMPLETE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_cancel_between_two_tries),
        TEST(test_cancel_stops_what_runs),
        TEST(test_an_undo_behind_its_fence_cannot_be_taken_back),
        TEST(test_a_manual_contract_waits_for_approval),
        TEST(test_an_approval_counts_for_one_cluster_and_timeline),
        TEST(test_a_paused_daemon_begins_nothing),
        TEST(test_submitting_is_idempotent),
        TEST(test_a_corrected_plan_comes_before_what_has_run),
        TEST(test_two_submissions_at_once),
        TEST(test_baseline),
        TEST(test_a_baseline_comes_before_migrations),
        TEST(test_soak_counts_from_the_last_old_replica),
        TEST(test_soak_survives_a_restart_and_loses_at_most_its_last_seconds),
        TEST(test_a_soak_that_began_anew_is_not_remembered),
        TEST(test_what_comes_while_an_undo_waits_begins_the_soak_anew),
        TEST(test_a_half_done_contract_does_not_soak_for_ever_after_a_restart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
