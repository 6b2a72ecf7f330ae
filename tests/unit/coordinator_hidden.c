/* Reversible contracts: what is hidden waits for its purge, and may be restored until then. */
#include "coordinator_scene.h"

#define KEEP "-- schemagate: migration keep_hours=1\n"
#define HOUR 3600

/* Renewals every ten seconds, for so long. */
static void live_on(int64_t seconds)
{
    for (int64_t i = 0; i < seconds; i += 10) {
        renew(w, "a", "i1");
        world_pass(w, 10000);
    }
}

static void hide(int64_t version, int64_t max)
{
    join(w, "a", 0, max);
    assert_true(submit(w, version, KEEP EXPAND CONTRACT UNDO).created);
    assert_phase(w, version, PHASE_HIDDEN);
    assert_window(w, version, version, 0, 0);
}

static void test_a_contract_hides_and_the_purge_follows_by_itself(void **state)
{
    (void)state;
    hide(1, 1);
    assert_int_equal(w->contracts_run, 1);
    assert_true(has_hold(w, 1, HOLD_SOAKING));
    assert_int_equal(join(w, "late", 0, 0).problem, PROBLEM_SCHEMA_TOO_OLD);
    live_on(HOUR - 20);
    assert_phase(w, 1, PHASE_HIDDEN);
    live_on(30);
    assert_phase(w, 1, PHASE_COMPLETE);
    assert_window(w, 1, 1, 0, 0);
    assert_int_equal(w->purges_run, 1);
    assert_int_equal(count_events(w, "gate.opened"), 2);
    assert_int_equal(act(w, 1, EVENT_RESTORE).problem, PROBLEM_INVALID_TRANSITION);
}

static void test_the_time_is_elapsed_time_and_gaps_lengthen_it(void **state)
{
    (void)state;
    w->config.gate.lease_seconds = 3600;
    hide(1, 1);
    live_on(1800);
    world_restart_term(w);
    renew(w, "a", "i1");
    assert_in_range(the_migration(w, 1)->soak_stored_ms, 1700 * 1000, 1800 * 1000);
    w->now.wall_ms += (int64_t)48 * HOUR * 1000; /* somebody sets the clock */
    live_on(1700);
    assert_phase(w, 1, PHASE_HIDDEN);
    live_on(300);
    assert_phase(w, 1, PHASE_COMPLETE);
}

/* Not from when the last old replica went: that was the soak's beginning. */
static void test_the_time_counts_from_the_hiding(void **state)
{
    (void)state;
    w->config.gate.lease_seconds = 3600;
    join(w, "a", 0, 1);
    submit(w, 1, "-- schemagate: migration keep_hours=1 soak_seconds=1800\n" EXPAND CONTRACT);
    live_on(1790);
    assert_phase(w, 1, PHASE_EXPANDED);
    live_on(20);
    assert_phase(w, 1, PHASE_HIDDEN);
    live_on(HOUR - 40);
    assert_phase(w, 1, PHASE_HIDDEN);
    live_on(60);
    assert_phase(w, 1, PHASE_COMPLETE);
}

static void test_a_waived_soak_waives_no_restore(void **state)
{
    (void)state;
    struct reply reply = {0};
    join(w, "a", 0, 1);
    submit(w, 1, "-- schemagate: migration keep_hours=1 soak_seconds=600\n" EXPAND CONTRACT);
    assert_true(has_hold(w, 1, HOLD_SOAKING));
    const struct waiver_request waiver = {.version = 1, .code = HOLD_SOAKING, .for_seconds = 86400,
                                          .reason = "for a test", .actor = "tester"};
    coordinator_waive(w->c, &waiver, take_reply, &reply);
    world_settle(w);
    assert_phase(w, 1, PHASE_HIDDEN);
    assert_true(has_hold(w, 1, HOLD_SOAKING));
    coordinator_waive(w->c, &waiver, take_reply, &reply);
    world_settle(w);
    assert_int_equal(reply.problem, PROBLEM_INVALID);
    live_on(100);
    assert_phase(w, 1, PHASE_HIDDEN);
}

static void test_a_restore_lowers_the_floor_and_leaves_it_paused(void **state)
{
    (void)state;
    hide(1, 1);
    assert_int_equal(act(w, 1, EVENT_RESTORE).problem, PROBLEM_NONE);
    assert_phase(w, 1, PHASE_EXPANDED);
    assert_window(w, 0, 1, 0, 0);
    assert_true(the_migration(w, 1)->paused);
    assert_true(has_hold(w, 1, HOLD_PAUSED));
    live_on(2 * HOUR);
    assert_phase(w, 1, PHASE_EXPANDED);

    assert_int_equal(join(w, "old", 0, 0).problem, PROBLEM_NONE);
    act(w, 1, EVENT_RESUME);
    assert_true(has_hold(w, 1, HOLD_REPLICA_BEHIND));
    leave(w, "old");
    assert_phase(w, 1, PHASE_HIDDEN); /* all of the contract has run again */
    assert_int_equal(w->contracts_run, 2);
    assert_int_equal(act(w, 1, EVENT_RESTORE).problem, PROBLEM_NONE);
    assert_phase(w, 1, PHASE_EXPANDED);
    world_restart_term(w);
    assert_true(the_migration(w, 1)->paused);
    assert_phase(w, 1, PHASE_EXPANDED);
}

static void test_the_floor_falls_to_the_contract_before(void **state)
{
    (void)state;
    join(w, "a", 0, 9);
    submit(w, 1, EXPAND CONTRACT);
    submit(w, 2, EXPAND);
    submit(w, 3, KEEP EXPAND CONTRACT);
    submit(w, 4, EXPAND);
    assert_window(w, 3, 4, 0, 0);
    act(w, 3, EVENT_RESTORE);
    assert_phase(w, 3, PHASE_EXPANDED);
    assert_window(w, 1, 4, 0, 0);
    assert_int_equal(join(w, "two", 0, 2).problem, PROBLEM_NONE);
    assert_int_equal(join(w, "none", 0, 0).problem, PROBLEM_SCHEMA_TOO_OLD);
}

static void test_a_later_contract_ends_the_way_back(void **state)
{
    (void)state;
    hide(1, 1);
    submit(w, 2, EXPAND CONTRACT);
    assert_true(has_hold(w, 2, HOLD_REPLICA_BEHIND)); /* what is hidden holds no contract */
    assert_false(has_hold(w, 2, HOLD_EARLIER_MIGRATION));
    leave(w, "a");
    join(w, "a", 0, 2);
    assert_phase(w, 2, PHASE_COMPLETE);
    assert_int_equal(act(w, 1, EVENT_RESTORE).problem, PROBLEM_INVALID_TRANSITION);
    live_on(HOUR + 60);
    assert_phase(w, 1, PHASE_COMPLETE);
    assert_window(w, 2, 2, 0, 0);
}

static void test_a_later_contract_waits_for_a_restore(void **state)
{
    (void)state;
    join(w, "a", 0, 2);
    submit(w, 1, KEEP EXPAND CONTRACT);
    coordinator_pause_all(w->c, true, "", "tester", take_reply, &(struct reply){0});
    world_settle(w);
    act(w, 1, EVENT_RESTORE);
    assert_phase(w, 1, PHASE_RESTORING); /* the whole daemon is paused */
    submit(w, 2, EXPAND CONTRACT);
    coordinator_pause_all(w->c, false, "", "tester", take_reply, &(struct reply){0});
    world_settle(w);
    assert_phase(w, 1, PHASE_EXPANDED);
    assert_phase(w, 2, PHASE_EXPANDED);
    assert_window(w, 0, 2, 0, 0);
    assert_true(has_hold(w, 2, HOLD_EARLIER_MIGRATION));
}

static void test_requirements_are_met_by_the_purge(void **state)
{
    (void)state;
    hide(1, 1);
    submit(w, 2, "-- schemagate: migration requires=1\n" EXPAND);
    assert_phase(w, 2, PHASE_QUEUED);
    live_on(HOUR + 60);
    assert_phase(w, 1, PHASE_COMPLETE);
    assert_phase(w, 2, PHASE_COMPLETE);
}

static void test_a_hidden_migration_is_not_undone(void **state)
{
    (void)state;
    hide(1, 1);
    assert_int_equal(act(w, 1, EVENT_UNDO).problem, PROBLEM_INVALID_TRANSITION);
    act(w, 1, EVENT_RESTORE);
    leave(w, "a");
    assert_int_equal(act(w, 1, EVENT_UNDO).problem, PROBLEM_NONE);
}

/* ---- trouble ---- */

static enum execution_status failing;
static const char *failing_phase;

static enum execution_status fail_phase(struct world *world, const struct call *call)
{
    (void)world;
    return strcmp(call->phase, failing_phase) == 0 ? failing : EXECUTION_DONE;
}

static void fail_in(const char *phase, enum execution_status status)
{
    failing_phase = phase;
    failing = status;
    w->on_run = fail_phase;
}

static void test_a_purge_that_gets_no_lock_tries_on_and_can_be_paused_and_restored(void **state)
{
    (void)state;
    hide(1, 1);
    fail_in("purge", EXECUTION_TRY_AGAIN);
    live_on(HOUR + 60);
    assert_phase(w, 1, PHASE_HIDDEN);
    assert_window(w, 1, 1, 0, 0);
    assert_int_equal(coordinator_migration_status(w->c, the_migration(w, 1)), STATUS_RETRYING);
    act(w, 1, EVENT_PAUSE);
    assert_int_equal(act(w, 1, EVENT_RESTORE).problem, PROBLEM_NONE);
    assert_phase(w, 1, PHASE_EXPANDED);
}

static void test_a_failed_purge_stays_hidden_until_it_is_retried(void **state)
{
    (void)state;
    hide(1, 1);
    fail_in("purge", EXECUTION_FAILED);
    live_on(HOUR + 60);
    assert_phase(w, 1, PHASE_HIDDEN);
    assert_true(the_migration(w, 1)->failed);
    assert_window(w, 1, 1, 0, 0);
    w->on_run = NULL;
    live_on(60);
    assert_phase(w, 1, PHASE_HIDDEN);
    act(w, 1, EVENT_RETRY);
    assert_phase(w, 1, PHASE_COMPLETE);
}

static void test_a_failed_restore_stays_hidden_and_paused(void **state)
{
    (void)state;
    hide(1, 1);
    fail_in("restore", EXECUTION_FAILED);
    act(w, 1, EVENT_RESTORE);
    assert_phase(w, 1, PHASE_HIDDEN);
    assert_window(w, 1, 1, 0, 0);
    assert_true(the_migration(w, 1)->failed);
    assert_true(the_migration(w, 1)->paused);
    act(w, 1, EVENT_RETRY);
    live_on(HOUR + 60);
    assert_phase(w, 1, PHASE_HIDDEN); /* paused: nothing is lost while somebody looks */
    w->on_run = NULL;
    act(w, 1, EVENT_RESTORE);
    assert_phase(w, 1, PHASE_EXPANDED);
}

static unsigned restores;

static enum execution_status fail_second_restore(struct world *world, const struct call *call)
{
    (void)world;
    return strcmp(call->phase, "restore") == 0 && ++restores == 2 ? EXECUTION_FAILED : EXECUTION_DONE;
}

static void test_a_half_done_restore_keeps_the_floor_and_goes_on(void **state)
{
    (void)state;
    restores = 0;
    hide(1, 1);
    w->on_run = fail_second_restore;
    act(w, 1, EVENT_RESTORE);
    assert_phase(w, 1, PHASE_RESTORING);
    assert_window(w, 1, 1, 0, 0);
    assert_int_equal(join(w, "old", 0, 0).problem, PROBLEM_SCHEMA_TOO_OLD);
    assert_int_equal(act(w, 1, EVENT_CANCEL).problem, PROBLEM_INVALID_TRANSITION);
    world_restart_term(w);
    assert_phase(w, 1, PHASE_RESTORING);
    assert_int_equal(act(w, 1, EVENT_RETRY).problem, PROBLEM_NONE);
    assert_phase(w, 1, PHASE_EXPANDED);
    assert_window(w, 0, 1, 0, 0);
}

/* Nobody can tell whether a statement outside of transactions has had its effects: it counts as committed. */
static void test_a_purge_that_begins_outside_of_transactions_ends_the_way_back(void **state)
{
    (void)state;
    w->config.gate.lease_seconds = 3600;
    join(w, "a", 0, 1);
    submit(w, 1, KEEP EXPAND "-- schemagate: contract\nDROP INDEX CONCURRENTLY i;\n"
                             "ALTER TABLE t DROP COLUMN b;\n");
    live_on(HOUR - 10);
    assert_phase(w, 1, PHASE_HIDDEN);
    w->now.boot_ms += 20000;
    coordinator_tick(w->c);
    up_to_run(w, "purge");
    world_restart_term(w);
    assert_phase(w, 1, PHASE_PURGING);
    assert_int_equal(act(w, 1, EVENT_RESTORE).problem, PROBLEM_INVALID_TRANSITION);
    renew(w, "a", "i1");
    world_settle(w);
    live_on(120);
    assert_phase(w, 1, PHASE_COMPLETE);
}

/* The window has one marker for what is under way. */
static void test_a_purge_waits_for_a_contract_that_is_under_way(void **state)
{
    (void)state;
    w->config.gate.lease_seconds = 3600;
    hide(1, 2);
    live_on(HOUR - 10);
    send_submit(w, 2, EXPAND CONTRACT, &(struct reply){0});
    struct call *contract = up_to_run(w, "contract");
    contract->held = true;
    renew(w, "a", "i1");
    w->now.boot_ms += 20000;
    coordinator_tick(w->c);
    world_settle(w);
    assert_phase(w, 1, PHASE_HIDDEN);
    assert_true(has_hold(w, 1, HOLD_EARLIER_MIGRATION));
    contract->held = false;
    world_settle(w);
    assert_phase(w, 2, PHASE_COMPLETE);
    live_on(60);
    assert_phase(w, 1, PHASE_COMPLETE);
}

static void test_a_purge_asks_the_fleet_again(void **state)
{
    (void)state;
    hide(1, 1);
    leave(w, "a");
    world_pass(w, (HOUR + 60) * 1000);
    assert_phase(w, 1, PHASE_HIDDEN);
    assert_true(has_hold(w, 1, HOLD_FLEET_MISSING));
    join(w, "a", 1, 1);
    assert_phase(w, 1, PHASE_COMPLETE);
}

static void test_reported_errors_are_counted_from_the_hiding(void **state)
{
    (void)state;
    struct outcome outcome;
    join(w, "a", 0, 1);
    coordinator_renew(w->c, "web", "a", "i1", 100, 50, &outcome);
    submit(w, 1, KEEP EXPAND CONTRACT);
    coordinator_renew(w->c, "web", "a", "i1", 10, 3, &outcome);
    struct reported reported = coordinator_reported(w->c, the_migration(w, 1));
    assert_int_equal(reported.requests, 10);
    assert_int_equal(reported.errors, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_contract_hides_and_the_purge_follows_by_itself),
        TEST(test_the_time_is_elapsed_time_and_gaps_lengthen_it),
        TEST(test_the_time_counts_from_the_hiding),
        TEST(test_a_waived_soak_waives_no_restore),
        TEST(test_a_restore_lowers_the_floor_and_leaves_it_paused),
        TEST(test_the_floor_falls_to_the_contract_before),
        TEST(test_a_later_contract_ends_the_way_back),
        TEST(test_a_later_contract_waits_for_a_restore),
        TEST(test_requirements_are_met_by_the_purge),
        TEST(test_a_hidden_migration_is_not_undone),
        TEST(test_a_purge_that_gets_no_lock_tries_on_and_can_be_paused_and_restored),
        TEST(test_a_failed_purge_stays_hidden_until_it_is_retried),
        TEST(test_a_failed_restore_stays_hidden_and_paused),
        TEST(test_a_half_done_restore_keeps_the_floor_and_goes_on),
        TEST(test_a_purge_that_begins_outside_of_transactions_ends_the_way_back),
        TEST(test_a_purge_waits_for_a_contract_that_is_under_way),
        TEST(test_a_purge_asks_the_fleet_again),
        TEST(test_reported_errors_are_counted_from_the_hiding),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
