/* After a failover: what the new server has lost is written back, and no gate opens for the longest
 * lease. */
#include "coordinator_scene.h"

/* The new server has this row of replicas; NULL: what the old one had. */
static void fail_over(json_t *replicas)
{
    if (replicas)
        json_object_set_new(w->tables, "replicas", replicas);
    world_fail_over(w);
}

static const char *stored_timeline(void)
{
    return world_text(world_table(w, "window"), "timeline");
}

static void test_the_first_term_notes_its_timeline(void **state)
{
    (void)state;
    assert_string_equal(stored_timeline(), "00000001");
    assert_int_equal(count_events(w, "daemon.timeline"), 0);
    world_restart_term(w);
    assert_int_equal(count_events(w, "daemon.timeline"), 0);
}

static void test_no_gate_opens_for_the_longest_lease_and_grace(void **state)
{
    (void)state;
    join(w, "old", 0, 0);
    join(w, "new", 0, 1);
    submit(w, 1, EXPAND CONTRACT);
    fail_over(NULL);
    assert_int_equal(count_events(w, "daemon.timeline"), 1);
    leave(w, "old");
    live_for(40000, "new"); /* 30 s and 15 s of grace are not over */
    assert_true(has_hold(w, 1, HOLD_SETTLING));
    assert_int_equal(w->contracts_run, 0);
    assert_string_equal(stored_timeline(), "00000001");
    live_for(10000, "new");
    assert_phase(w, 1, PHASE_COMPLETE);
    assert_string_equal(stored_timeline(), "00000002");
}

static void test_a_longer_lease_counts_even_when_its_replica_is_gone(void **state)
{
    (void)state;
    register_as(w, (struct registration){.instance = "slow", .lease_seconds = 600});
    leave(w, "slow");
    join(w, "new", 0, 1);
    submit(w, 1, EXPAND);
    submit(w, 2, EXPAND CONTRACT);
    fail_over(NULL);
    join(w, "new", 0, 2);
    live_for(895000, "new");
    assert_int_equal(w->contracts_run, 0);
    live_for(10000, "new");
    assert_phase(w, 2, PHASE_COMPLETE);
}

static void test_it_cannot_be_waived(void **state)
{
    (void)state;
    struct reply reply = {0};
    join(w, "old", 0, 0);
    submit(w, 1, EXPAND CONTRACT);
    fail_over(NULL);
    coordinator_waive(w->c,
                      &(struct waiver_request){.version = 1,
                                               .code = HOLD_SETTLING,
                                               .for_seconds = 600,
                                               .reason = "hurry",
                                               .actor = "ann"},
                      take_reply, &reply);
    world_settle(w);
    assert_int_equal(reply.problem, PROBLEM_INVALID);
}

/* A restart in the middle does not shorten it. */
static void test_a_restart_begins_it_anew(void **state)
{
    (void)state;
    join(w, "new", 0, 1);
    join(w, "old", 0, 0);
    submit(w, 1, EXPAND CONTRACT);
    fail_over(NULL);
    leave(w, "old");
    live_for(30000, "new");
    fail_over(NULL);
    live_for(40000, "new");
    assert_int_equal(w->contracts_run, 0);
    live_for(10000, "new");
    assert_phase(w, 1, PHASE_COMPLETE);
}

static void test_what_only_memory_knows_is_written_back(void **state)
{
    (void)state;
    join(w, "new", 0, 1);
    submit(w, 1, EXPAND CONTRACT);
    join(w, "late", 1, 1);
    assert_phase(w, 1, PHASE_COMPLETE);
    submit(w, 2, EXPAND CONTRACT);
    assert_true(has_hold(w, 2, HOLD_REPLICA_BEHIND));
    fail_over(json_array()); /* all registrations are lost */
    assert_string_equal(stored_state(w, "late", "i1"), "live");
    assert_string_equal(stored_state(w, "new", "i1"), "live");
    assert_true(has_hold(w, 2, HOLD_REPLICA_BEHIND));
    assert_int_equal(renew(w, "late", "i1").problem, PROBLEM_NONE);
    live_for(600000, "new");
    assert_int_equal(w->contracts_run, 1);
}

static void test_a_daemon_that_stood_by_writes_nothing_back(void **state)
{
    (void)state;
    join(w, "a", 0, 1);
    coordinator_end_term(w->c, "away");
    coordinator_stand_by(w->c, "http://other");
    fail_over(json_array());
    assert_string_equal(stored_state(w, "a", "i1"), "");
}

static void test_approvals_are_void(void **state)
{
    (void)state;
    w->config.gate.approval = (char *)"manual";
    join(w, "new", 0, 1);
    join(w, "old", 0, 0);
    submit(w, 1, EXPAND CONTRACT);
    act(w, 1, EVENT_APPROVE);
    assert_false(has_hold(w, 1, HOLD_AWAITING_APPROVAL));
    fail_over(NULL);
    assert_true(has_hold(w, 1, HOLD_AWAITING_APPROVAL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_the_first_term_notes_its_timeline),
        TEST(test_no_gate_opens_for_the_longest_lease_and_grace),
        TEST(test_a_longer_lease_counts_even_when_its_replica_is_gone),
        TEST(test_it_cannot_be_waived),
        TEST(test_a_restart_begins_it_anew),
        TEST(test_what_only_memory_knows_is_written_back),
        TEST(test_a_daemon_that_stood_by_writes_nothing_back),
        TEST(test_approvals_are_void),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
