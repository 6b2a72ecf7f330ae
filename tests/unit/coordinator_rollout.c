/* Rollouts from submission to completion: what the coordinator does, in which order, and what it waits
 * for. */
#include "coordinator_scene.h"

static void expand_of(int64_t version, int64_t replica_max)
{
    assert_int_equal(join(w, "a", 0, replica_max).problem, PROBLEM_NONE);
    assert_true(submit(w, version, EXPAND CONTRACT UNDO).created);
}

/* ---- the whole way ---- */

static void test_contract_runs_in_the_moment_the_last_old_replica_leaves(void **state)
{
    (void)state;
    join(w, "old", 0, 0);
    join(w, "new", 0, 1);
    assert_true(submit(w, 1, EXPAND BACKFILL CONTRACT).created);
    assert_phase(w, 1, PHASE_EXPANDED);
    assert_window(w, 0, 1, 0, 0);
    assert_true(has_hold(w, 1, HOLD_REPLICA_BEHIND));
    assert_int_equal(w->runs, 2);

    leave(w, "old"); /* no time passes */
    assert_phase(w, 1, PHASE_COMPLETE);
    assert_window(w, 1, 1, 0, 0);
    assert_int_equal(w->contracts_run, 1);
    assert_int_equal(count_events(w, "gate.opened"), 1);
    assert_int_equal(coordinator_counts(w->c)->contracts, 1);
    assert_int_equal(join(w, "late", 0, 0).problem, PROBLEM_SCHEMA_TOO_OLD);
}

static void test_an_empty_contract_passes_no_gate(void **state)
{
    (void)state;
    join(w, "old", 0, 0);
    submit(w, 1, EXPAND UNDO);
    assert_phase(w, 1, PHASE_COMPLETE);
    assert_window(w, 0, 1, 0, 0);
    assert_int_equal(act(w, 1, EVENT_UNDO).problem, PROBLEM_NONE);
    assert_phase(w, 1, PHASE_UNDONE);
    assert_window(w, 0, 0, 0, 0);
}

static void test_an_empty_fleet_opens_no_gate(void **state)
{
    (void)state;
    submit(w, 1, EXPAND CONTRACT);
    assert_phase(w, 1, PHASE_EXPANDED);
    assert_true(has_hold(w, 1, HOLD_FLEET_MISSING));
    join(w, "a", 1, 1);
    assert_phase(w, 1, PHASE_COMPLETE);
    leave(w, "a");
    submit(w, 2, EXPAND CONTRACT);
    assert_true(has_hold(w, 2, HOLD_FLEET_MISSING));
}

/* ---- fence, verification, run ---- */

static void test_admission_closes_before_the_facts_are_read(void **state)
{
    (void)state;
    struct reply late = {0};
    expand_of(1, 0);
    send_register(w, "a", "i1", 0, 1, &late);
    up_to(w, CALL_VERIFY);
    assert_window(w, 0, 1, 1, 0);
    assert_int_equal(w->contracts_run, 0);

    send_register(w, "b", "i1", 0, 0, &late);
    world_settle(w);
    assert_int_equal(late.problem, PROBLEM_SCHEMA_TOO_OLD);
    assert_int_equal(late.needed, 1);
    assert_phase(w, 1, PHASE_COMPLETE);
}

static void test_a_row_that_memory_does_not_know_stops_the_contract(void **state)
{
    (void)state;
    struct reply reply = {0};
    expand_of(1, 0);
    send_register(w, "a", "i1", 0, 1, &reply);
    up_to(w, CALL_VERIFY);
    json_array_append_new(world_table(w, "replicas"),
                          json_pack("{s:s, s:s, s:s, s:s, s:i, s:i, s:i}", "app", "web", "instance",
                                    "by-hand", "incarnation", "x", "state", "live", "min", 0, "max", 0,
                                    "lease_seconds", 30));
    world_settle(w);
    assert_int_equal(w->contracts_run, 0);
    assert_phase(w, 1, PHASE_EXPANDED);
    assert_window(w, 0, 1, 0, 0); /* open again */
    assert_int_equal(w->restarts, 1);
    assert_int_equal(count_events(w, "gate.closed"), 1);
    world_restart_term(w);
    renew(w, "a", "i1");
    world_settle(w);
    assert_true(has_hold(w, 1, HOLD_REPLICA_BEHIND));
    assert_int_equal(w->contracts_run, 0);
}

static void test_a_replica_of_an_unknown_app_stops_the_contract(void **state)
{
    (void)state;
    struct reply reply = {0};
    expand_of(1, 0);
    send_register(w, "a", "i1", 0, 1, &reply);
    up_to(w, CALL_VERIFY);
    json_array_append_new(world_table(w, "replicas"),
                          json_pack("{s:s, s:s, s:s, s:s, s:i, s:i}", "app", "mail", "instance", "m",
                                    "incarnation", "x", "state", "lost", "min", 1, "max", 1));
    world_settle(w);
    assert_int_equal(w->contracts_run, 0);
    json_array_remove(world_table(w, "replicas"), 1);
}

/* The old one's registration is in the queue already when the last hold goes. */
static void test_a_gate_is_asked_once_more_when_its_turn_comes(void **state)
{
    (void)state;
    struct reply gone = {0}, late = {0};
    join(w, "old", 0, 0);
    expand_of(1, 1);
    send_remove(w, REPLICA_DEREGISTERED, "old", "i1", &gone);
    up_to(w, CALL_COMMIT);
    send_register(w, "late", "i1", 0, 0, &late);
    world_settle(w);
    assert_int_equal(late.state, REPLICA_LIVE);
    assert_int_equal(count_events(w, "gate.opened"), 0);
    assert_true(has_hold(w, 1, HOLD_REPLICA_BEHIND));
}

static void test_a_pause_behind_the_fence_reopens_admission(void **state)
{
    (void)state;
    struct reply reply = {0}, pause = {0};
    expand_of(1, 0);
    send_register(w, "a", "i1", 0, 1, &reply);
    struct call *verification = up_to(w, CALL_VERIFY);
    send_act(w, 1, EVENT_PAUSE, &pause);
    verification->held = true;
    world_settle(w);
    assert_int_equal(pause.count, 1);
    world_answer(w, verification);
    world_settle(w);
    assert_int_equal(w->contracts_run, 0);
    assert_window(w, 0, 1, 0, 0);
    assert_phase(w, 1, PHASE_EXPANDED);
    act(w, 1, EVENT_RESUME);
    assert_phase(w, 1, PHASE_COMPLETE);
}

static void test_a_lock_that_is_not_to_be_had_leaves_admission_open_between_tries(void **state)
{
    (void)state;
    let_fail(w, fail_contracts, 3, EXECUTION_TRY_AGAIN);
    w->chance = UINT32_MAX / 2;
    expand_of(1, 1);
    assert_phase(w, 1, PHASE_EXPANDED);
    assert_window(w, 0, 1, 0, 0);
    assert_int_equal(coordinator_migration_status(w->c, the_migration(w, 1)), STATUS_RETRYING);
    world_pass(w, 400);
    assert_int_equal(run_failures, 2); /* not before its time */
    world_pass(w, 200);
    assert_int_equal(run_failures, 1);
    assert_window(w, 0, 1, 0, 0); /* after the second one as well */
    world_pass(w, 60000);
    assert_phase(w, 1, PHASE_COMPLETE);
    assert_int_equal(count_events(w, "migration.retrying"), 1); /* told once */
    assert_int_equal(count_events(w, "gate.opened"), 1);
    assert_int_equal(coordinator_counts(w->c)->tries_failed, 3);
}

static void test_tries_end_after_the_time_that_is_set(void **state)
{
    (void)state;
    let_fail(w, fail_contracts, 1000, EXECUTION_TRY_AGAIN);
    w->config.migration.retry_for_seconds = 20;
    expand_of(1, 1);
    renew(w, "a", "i1");
    world_pass(w, 60000);
    assert_true(the_migration(w, 1)->failed);
    assert_string_equal(the_migration(w, 1)->error->sqlstate, "55P03");
    assert_window(w, 0, 1, 0, 0);
}

static void test_an_expand_that_fails_is_as_if_it_had_not_begun(void **state)
{
    char summary[256];

    (void)state;
    let_fail(w, fail_runs, 1, EXECUTION_FAILED);
    submit(w, 1, EXPAND CONTRACT);
    assert_phase(w, 1, PHASE_QUEUED);
    assert_int_equal(coordinator_migration_status(w->c, the_migration(w, 1)), STATUS_FAILED);
    submit(w, 2, EXPAND);
    assert_phase(w, 2, PHASE_QUEUED); /* it builds on 1 */
    coordinator_migration_summary(w->c, the_migration(w, 2), summary, sizeof summary);
    assert_string_equal(summary, "waits for 1, which has failed: `schemagate status 1` says what to do");
    assert_int_equal(act(w, 1, EVENT_RETRY).problem, PROBLEM_NONE);
    assert_phase(w, 1, PHASE_EXPANDED);
    assert_phase(w, 2, PHASE_COMPLETE);
    assert_null(the_migration(w, 1)->error);
}

static void test_a_corrected_plan_takes_the_place_of_what_failed(void **state)
{
    (void)state;
    let_fail(w, fail_runs, 1, EXECUTION_FAILED);
    submit(w, 1, "-- schemagate: migration approval=manual\n" EXPAND CONTRACT);
    act(w, 1, EVENT_APPROVE);
    act(w, 1, EVENT_PAUSE);
    assert_true(the_migration(w, 1)->approved);
    struct reply reply = submit(w, 1, "-- schemagate: migration approval=manual\n" EXPAND BACKFILL CONTRACT);
    assert_int_equal(reply.problem, PROBLEM_NONE);
    assert_true(reply.created);
    assert_true(the_migration(w, 1)->paused);
    world_restart_term(w);
    assert_true(the_migration(w, 1)->paused);
    act(w, 1, EVENT_RESUME);
    assert_phase(w, 1, PHASE_EXPANDED);
    assert_false(the_migration(w, 1)->approved);
    assert_true(has_hold(w, 1, HOLD_AWAITING_APPROVAL));
    assert_int_equal(json_array_size(world_table(w, "steps")), 3);
    assert_int_equal(json_array_size(world_table(w, "approvals")), 0);
    assert_int_equal(submit(w, 1, EXPAND).problem, PROBLEM_VERSION_CONFLICT);
}

static void test_a_contract_that_fails_reopens_admission(void **state)
{
    (void)state;
    let_fail(w, fail_contracts, 1, EXECUTION_FAILED);
    expand_of(1, 1);
    assert_phase(w, 1, PHASE_EXPANDED);
    assert_true(the_migration(w, 1)->failed);
    assert_window(w, 0, 1, 0, 0);
    world_pass(w, 3600000); /* by itself it does nothing */
    assert_int_equal(w->contracts_run, 0);
    renew(w, "a", "i1");
    act(w, 1, EVENT_RETRY);
    assert_phase(w, 1, PHASE_COMPLETE);
}

static void test_a_contract_that_fails_in_the_middle_stays_closed(void **state)
{
    (void)state;
    let_fail(w, fail_second, 1, EXECUTION_FAILED);
    join(w, "a", 0, 1);
    submit(w, 1, EXPAND CONTRACT_IN_TWO UNDO);
    assert_phase(w, 1, PHASE_CONTRACTING);
    assert_window(w, 0, 1, 1, 0);
    assert_int_equal(join(w, "old", 0, 0).problem, PROBLEM_SCHEMA_TOO_OLD);
    assert_int_equal(act(w, 1, EVENT_UNDO).problem, PROBLEM_INVALID_TRANSITION);
    world_restart_term(w);
    renew(w, "a", "i1");
    world_settle(w);
    assert_window(w, 0, 1, 1, 0); /* nothing reopens it */
    act(w, 1, EVENT_RETRY);
    assert_phase(w, 1, PHASE_COMPLETE);
    assert_int_equal(w->contracts_run, 2); /* each part once */
}

static void test_a_half_done_contract_waits_for_its_holds_without_a_clock(void **state)
{
    (void)state;
    let_fail(w, fail_second, 1, EXECUTION_TRY_AGAIN);
    join(w, "a", 0, 1);
    submit(w, 1, EXPAND CONTRACT_IN_TWO);
    act(w, 1, EVENT_PAUSE);
    world_pass(w, 20000);
    renew(w, "a", "i1");
    assert_int_equal(w->contracts_run, 1);
    act(w, 1, EVENT_RESUME); /* in this very moment */
    assert_phase(w, 1, PHASE_COMPLETE);
}

static void test_a_half_done_contract_goes_on_as_soon_as_all_have_settled(void **state)
{
    (void)state;
    let_fail(w, fail_second, 1, EXECUTION_TRY_AGAIN);
    join(w, "a", 0, 1);
    submit(w, 1, EXPAND CONTRACT_IN_TWO);
    world_restart_term(w);
    assert_true(has_hold(w, 1, HOLD_SETTLING));
    assert_window(w, 0, 1, 1, 0);
    renew(w, "a", "i1");
    world_settle(w);
    assert_phase(w, 1, PHASE_COMPLETE);
}

static void test_time_spent_behind_a_hold_does_not_count_as_trying(void **state)
{
    (void)state;
    let_fail(w, fail_contracts, 3, EXECUTION_TRY_AGAIN);
    w->config.gate.lease_seconds = 3600;
    w->config.migration.retry_for_seconds = 60;
    expand_of(1, 1);
    join(w, "old", 0, 0);
    world_pass(w, 100000);
    assert_int_equal(run_failures, 2);
    leave(w, "old");
    assert_int_equal(run_failures, 1); /* tried at once, and in vain */
    assert_false(the_migration(w, 1)->failed);
    world_pass(w, 20000);
    assert_phase(w, 1, PHASE_COMPLETE);
}

static void test_time_spent_paused_does_not_count_as_trying(void **state)
{
    (void)state;
    let_fail(w, fail_runs, 2, EXECUTION_TRY_AGAIN);
    w->config.migration.retry_for_seconds = 60;
    submit(w, 1, EXPAND);
    act(w, 1, EVENT_PAUSE);
    world_pass(w, 100000);
    act(w, 1, EVENT_RESUME);
    assert_false(the_migration(w, 1)->failed);
    world_pass(w, 20000);
    assert_phase(w, 1, PHASE_COMPLETE);
}

/* ---- undo ---- */

static void pause_all(bool paused)
{
    struct reply reply = {0};
    coordinator_pause_all(w->c, paused, "for a test", "tester", take_reply, &reply);
    world_settle(w);
    assert_int_equal(reply.problem, PROBLEM_NONE);
}

static void test_an_undo_waits_for_those_who_need_the_new_shape(void **state)
{
    (void)state;
    join(w, "old", 0, 0);
    submit(w, 1, EXPAND CONTRACT UNDO);
    join(w, "new", 1, 1);
    act(w, 1, EVENT_UNDO);
    assert_phase(w, 1, PHASE_UNDOING);
    assert_true(has_hold(w, 1, HOLD_REPLICA_AHEAD));
    assert_window(w, 0, 1, 0, 0);
    leave(w, "new");
    assert_phase(w, 1, PHASE_UNDONE);
    assert_window(w, 0, 0, 0, 0);
    assert_int_equal(join(w, "new", 1, 1).problem, PROBLEM_RANGE_NOT_SERVED);
    assert_int_equal(submit(w, 1, EXPAND).problem, PROBLEM_VERSION_CONFLICT);
}

static void test_an_undo_waits_for_later_versions(void **state)
{
    (void)state;
    join(w, "a", 0, 2);
    join(w, "old", 0, 0);
    submit(w, 1, EXPAND CONTRACT UNDO);
    submit(w, 2, EXPAND CONTRACT UNDO);
    act(w, 1, EVENT_UNDO);
    assert_true(has_hold(w, 1, HOLD_LATER_MIGRATION));
    act(w, 2, EVENT_UNDO);
    assert_phase(w, 2, PHASE_UNDONE);
    assert_phase(w, 1, PHASE_UNDONE);
    assert_window(w, 0, 0, 0, 0);
}

static void test_an_undo_that_waits_can_be_taken_back(void **state)
{
    (void)state;
    join(w, "old", 0, 0);
    submit(w, 1, EXPAND CONTRACT UNDO);
    join(w, "new", 1, 1);
    act(w, 1, EVENT_UNDO);
    assert_int_equal(act(w, 1, EVENT_CANCEL).problem, PROBLEM_NONE);
    assert_phase(w, 1, PHASE_EXPANDED);
    assert_false(the_migration(w, 1)->failed);
    leave(w, "old");
    assert_phase(w, 1, PHASE_COMPLETE);
}

static void test_undo_without_a_section_says_so(void **state)
{
    (void)state;
    join(w, "old", 0, 0);
    submit(w, 1, EXPAND CONTRACT);
    assert_int_equal(act(w, 1, EVENT_UNDO).problem, PROBLEM_NO_UNDO);
    submit(w, 2, EXPAND "-- schemagate: undo\n");
    assert_int_equal(act(w, 2, EVENT_UNDO).problem, PROBLEM_NONE);
    assert_phase(w, 2, PHASE_UNDONE); /* nothing to run */
}

static void test_a_failed_undo_of_a_complete_migration_can_be_asked_for_again(void **state)
{
    (void)state;
    join(w, "a", 0, 1);
    submit(w, 1, EXPAND UNDO);
    let_fail(w, fail_runs, 1, EXECUTION_FAILED);
    act(w, 1, EVENT_UNDO);
    assert_phase(w, 1, PHASE_COMPLETE);
    assert_window(w, 0, 1, 0, 0);
    act(w, 1, EVENT_UNDO);
    assert_phase(w, 1, PHASE_UNDONE);
}

static void test_a_failed_expand_that_is_half_done_can_be_undone(void **state)
{
    (void)state;
    let_fail(w, fail_second_of_all, 1, EXECUTION_FAILED);
    submit(w, 1, "-- schemagate: expand atomic=no\nCREATE TABLE t (a int);\nCREATE TABLE u (a int);\n" UNDO);
    assert_phase(w, 1, PHASE_EXPANDING);
    assert_true(the_migration(w, 1)->failed);
    assert_int_equal(join(w, "new", 1, 1).state, REPLICA_WAITING);
    assert_int_equal(submit(w, 1, EXPAND).problem, PROBLEM_VERSION_CONFLICT);
    act(w, 1, EVENT_UNDO);
    assert_phase(w, 1, PHASE_UNDONE);
    assert_window(w, 0, 0, 0, 0);
    assert_int_equal(renew(w, "new", "i1").problem, PROBLEM_RANGE_NOT_SERVED);
}

/* Race: a contract is half done and waits, an undo above it has been asked for; neither may touch the other's
 * marker, also when a term begins anew. */
static void test_one_unfencing_leaves_the_marker_of_another(void **state)
{
    (void)state;
    passed = 0;
    run_failures = 1;
    run_failure = EXECUTION_FAILED;
    join(w, "a", 0, 2);
    join(w, "old", 0, 0);
    submit(w, 1, EXPAND CONTRACT_IN_TWO UNDO);
    submit(w, 2, EXPAND CONTRACT UNDO);
    join(w, "ahead", 2, 2);
    w->on_run = fail_second;
    leave(w, "old");
    assert_window(w, 0, 2, 1, 0); /* the first half is committed, the second has failed */
    act(w, 2, EVENT_UNDO);
    assert_phase(w, 2, PHASE_UNDOING);
    world_restart_term(w);
    renew(w, "a", "i1");
    renew(w, "ahead", "i1");
    world_settle(w);
    assert_window(w, 0, 2, 1, 0);
    assert_int_equal(join(w, "old", 0, 0).problem, PROBLEM_SCHEMA_TOO_OLD);

    run_failures = 1; /* the undo passes its gate, and fails before anything is committed */
    passed = 1;
    leave(w, "ahead");
    assert_phase(w, 2, PHASE_EXPANDED);
    assert_window(w, 0, 2, 1, 0);
}

/* The same with two undos: one waits for its gate, the other is half done. */
static void test_an_undo_that_waits_leaves_the_marker_of_another(void **state)
{
    (void)state;
    join(w, "a", 0, 2);
    join(w, "old", 0, 0);
    submit(w, 1, EXPAND CONTRACT UNDO);
    submit(w, 2, EXPAND CONTRACT UNDO_IN_TWO);
    act(w, 1, EVENT_UNDO);
    let_fail(w, fail_second, 1, EXECUTION_FAILED);
    act(w, 2, EVENT_UNDO);
    assert_window(w, 0, 2, 0, 2);
    world_restart_term(w);
    assert_window(w, 0, 2, 0, 2);
    assert_int_equal(join(w, "new", 2, 2).state, REPLICA_WAITING);
}

static void test_nothing_is_expanded_upon_what_is_being_undone(void **state)
{
    (void)state;
    join(w, "old", 0, 0);
    submit(w, 1, EXPAND CONTRACT UNDO);
    join(w, "new", 1, 1);
    pause_all(true);
    submit(w, 2, EXPAND);
    act(w, 1, EVENT_UNDO);
    pause_all(false);
    assert_phase(w, 2, PHASE_QUEUED);
    assert_true(has_hold(w, 1, HOLD_LATER_MIGRATION));
    act(w, 2, EVENT_CANCEL);
    leave(w, "new");
    assert_phase(w, 1, PHASE_UNDONE);
}

/* Else each would wait for the other. */
static void test_nothing_is_submitted_above_what_is_being_undone(void **state)
{
    (void)state;
    join(w, "old", 0, 0);
    submit(w, 1, EXPAND CONTRACT UNDO);
    submit(w, 2, EXPAND);
    act(w, 2, EVENT_UNDO); /* it has no undo section */
    submit(w, 3, EXPAND CONTRACT UNDO);
    join(w, "new", 3, 3);
    act(w, 3, EVENT_UNDO);
    struct reply reply = submit(w, 4, EXPAND);
    assert_int_equal(reply.problem, PROBLEM_UNDO_UNDER_WAY);
    assert_non_null(strstr(reply.detail, "schemagate cancel 3"));
    assert_int_equal(submit(w, 3, EXPAND CONTRACT UNDO).problem, PROBLEM_NONE); /* what is there stays */
    leave(w, "new");
    assert_phase(w, 3, PHASE_UNDONE);
    assert_int_equal(submit(w, 4, EXPAND).problem, PROBLEM_NONE);
}

/* Nor does a corrected text come back above it. */
static void test_nothing_is_corrected_above_what_is_being_undone(void **state)
{
    (void)state;
    join(w, "old", 0, 0);
    submit(w, 1, EXPAND CONTRACT UNDO);
    join(w, "new", 1, 1);
    pause_all(true);
    submit(w, 2, EXPAND);
    act(w, 2, EVENT_CANCEL);
    act(w, 1, EVENT_UNDO);
    assert_phase(w, 1, PHASE_UNDOING);
    assert_int_equal(submit(w, 2, EXPAND CONTRACT).problem, PROBLEM_UNDO_UNDER_WAY);
    act(w, 1, EVENT_CANCEL);
    assert_int_equal(submit(w, 2, EXPAND CONTRACT).problem, PROBLEM_NONE);
}

static void test_an_undo_needs_no_approval(void **state)
{
    (void)state;
    join(w, "old", 0, 0);
    submit(w, 1, "-- schemagate: migration approval=manual\n" EXPAND CONTRACT UNDO);
    act(w, 1, EVENT_UNDO);
    assert_phase(w, 1, PHASE_UNDONE);
}

/* ---- several at a time ---- */

static void test_contracts_run_in_version_order(void **state)
{
    (void)state;
    join(w, "a", 0, 3);
    join(w, "old", 0, 0);
    submit(w, 1, EXPAND CONTRACT);
    submit(w, 2, EXPAND CONTRACT);
    submit(w, 3, EXPAND CONTRACT);
    act(w, 1, EVENT_PAUSE);
    assert_window(w, 0, 3, 0, 0); /* all are served side by side */
    leave(w, "old");
    assert_true(has_hold(w, 2, HOLD_EARLIER_MIGRATION));
    assert_int_equal(w->contracts_run, 0);
    act(w, 1, EVENT_RESUME);
    assert_int_equal(w->contracts_run, 3);
    assert_window(w, 3, 3, 0, 0);
}

static void test_a_ready_contract_goes_before_a_queued_expand(void **state)
{
    (void)state;
    struct reply two = {0}, three = {0}, gone = {0};
    join(w, "a", 0, 3);
    join(w, "old", 0, 0);
    submit(w, 1, EXPAND CONTRACT);
    send_submit(w, 2, EXPAND, &two);
    struct call *run = up_to_run(w, "expand");
    run->held = true; /* the expand of 2 takes long */
    send_submit(w, 3, EXPAND, &three);
    send_remove(w, REPLICA_DEREGISTERED, "old", "i1", &gone);
    world_settle(w);
    assert_int_equal(three.count, 1);
    world_answer(w, run);
    assert_string_equal(up_to(w, CALL_RUN)->phase, "contract");
    world_settle(w);
    assert_phase(w, 3, PHASE_COMPLETE);
}

static void test_requires_waits_for_a_contract(void **state)
{
    (void)state;
    join(w, "old", 0, 0);
    join(w, "a", 0, 2);
    submit(w, 1, EXPAND CONTRACT);
    submit(w, 2, "-- schemagate: migration requires=1\n" EXPAND);
    assert_phase(w, 2, PHASE_QUEUED);
    leave(w, "old");
    assert_phase(w, 2, PHASE_COMPLETE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_contract_runs_in_the_moment_the_last_old_replica_leaves),
        TEST(test_an_empty_contract_passes_no_gate),
        TEST(test_an_empty_fleet_opens_no_gate),
        TEST(test_admission_closes_before_the_facts_are_read),
        TEST(test_a_row_that_memory_does_not_know_stops_the_contract),
        TEST(test_a_replica_of_an_unknown_app_stops_the_contract),
        TEST(test_a_gate_is_asked_once_more_when_its_turn_comes),
        TEST(test_a_pause_behind_the_fence_reopens_admission),
        TEST(test_a_lock_that_is_not_to_be_had_leaves_admission_open_between_tries),
        TEST(test_tries_end_after_the_time_that_is_set),
        TEST(test_an_expand_that_fails_is_as_if_it_had_not_begun),
        TEST(test_a_corrected_plan_takes_the_place_of_what_failed),
        TEST(test_a_contract_that_fails_reopens_admission),
        TEST(test_a_contract_that_fails_in_the_middle_stays_closed),
        TEST(test_a_half_done_contract_waits_for_its_holds_without_a_clock),
        TEST(test_a_half_done_contract_goes_on_as_soon_as_all_have_settled),
        TEST(test_time_spent_behind_a_hold_does_not_count_as_trying),
        TEST(test_time_spent_paused_does_not_count_as_trying),
        TEST(test_an_undo_waits_for_those_who_need_the_new_shape),
        TEST(test_an_undo_waits_for_later_versions),
        TEST(test_an_undo_that_waits_can_be_taken_back),
        TEST(test_undo_without_a_section_says_so),
        TEST(test_a_failed_undo_of_a_complete_migration_can_be_asked_for_again),
        TEST(test_a_failed_expand_that_is_half_done_can_be_undone),
        TEST(test_one_unfencing_leaves_the_marker_of_another),
        TEST(test_an_undo_that_waits_leaves_the_marker_of_another),
        TEST(test_nothing_is_expanded_upon_what_is_being_undone),
        TEST(test_nothing_is_submitted_above_what_is_being_undone),
        TEST(test_nothing_is_corrected_above_what_is_being_undone),
        TEST(test_an_undo_needs_no_approval),
        TEST(test_contracts_run_in_version_order),
        TEST(test_a_ready_contract_goes_before_a_queued_expand),
        TEST(test_requires_waits_for_a_contract),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
