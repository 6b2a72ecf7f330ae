/* Replicas that end with their lease (on_lost=exit): when they count as gone, and who may extend them. */
#include "witness_scene.h"

#define LEASE_S 20
#define ENDS_MS 30000   /* lease, and half of it as grace */
#define PROOF_MS 5000   /* so long a proof of the lead lasts */

/* ---- what happens ---- */

static void register_with(const char *instance, const char *incarnation, int64_t max, bool exits,
                          int64_t lease_seconds)
{
    struct reply reply = register_as(w, (struct registration){.instance = instance,
                                                              .incarnation = incarnation,
                                                              .range = {0, max},
                                                              .application_name = instance,
                                                              .on_lost_exit = exits,
                                                              .lease_seconds = lease_seconds});
    assert_int_equal(reply.problem, PROBLEM_NONE);
}

static void prove(void)
{
    coordinator_prove_lead(w->c, w->now.boot_ms);
}

/* `new` renews, the database confirms the lead, the others are silent. */
static void pass(int64_t ms)
{
    for (int64_t step; ms > 0; ms -= step) {
        step = ms < 1000 ? ms : 1000;
        prove();
        renew(w, "new", "i1");
        world_pass(w, step);
    }
}

static void show(const char *name)
{
    connect_session(10, "app", name, "");
}

static void hide_all(void)
{
    json_array_clear(json_object_get(w->sight, "sessions"));
}

/* Contract 1 waits for `old` alone, which has just registered. */
static void begin(bool exits)
{
    register_with("new", "i1", 1, false, LEASE_S);
    register_with("old", "i1", 0, exits, LEASE_S);
    submit(w, 1, EXPAND CONTRACT);
    assert_phase(w, 1, PHASE_EXPANDED);
}

static const char *reason_of(const char *instance)
{
    const json_t *row;
    size_t i;
    json_array_foreach(world_table(w, "replicas"), i, row)
    {
        if (strcmp(world_text(row, "instance"), instance) == 0)
            return world_text(row, "gone_reason");
    }
    return "";
}

/* ---- gone ---- */

/* No session of it was ever seen, as behind a pooler: its own clock has ended it. */
static void test_it_is_gone_when_lease_and_grace_are_over(void **state)
{
    (void)state;
    begin(true);
    pass(ENDS_MS - 1000);
    assert_string_equal(stored_state(w, "old", "i1"), "lost");
    assert_int_equal(w->contracts_run, 0);
    pass(4000);
    assert_string_equal(stored_state(w, "old", "i1"), "gone");
    assert_string_equal(reason_of("old"), "self-fenced");
    assert_phase(w, 1, PHASE_COMPLETE);
}

static void test_the_grace_is_five_seconds_at_least(void **state)
{
    (void)state;
    begin(false);
    leave(w, "old");
    pass(1000);
    assert_phase(w, 1, PHASE_COMPLETE);
    register_with("short", "i1", 1, true, 6);
    pass(10000);
    assert_string_equal(stored_state(w, "short", "i1"), "lost");
    pass(4000);
    assert_string_equal(reason_of("short"), "self-fenced");
}

static void test_one_that_promised_nothing_is_never_gone_by_itself(void **state)
{
    (void)state;
    begin(false);
    pass(3600000);
    assert_string_equal(stored_state(w, "old", "i1"), "lost");
    assert_int_equal(w->contracts_run, 0);
}

static void test_a_renewal_counts_from_its_arrival(void **state)
{
    (void)state;
    begin(true);
    pass(15000);
    prove();
    assert_int_equal(renew(w, "old", "i1").problem, PROBLEM_NONE);
    pass(ENDS_MS - 1000);
    assert_string_equal(stored_state(w, "old", "i1"), "lost");
    pass(4000);
    assert_string_equal(reason_of("old"), "self-fenced");
}

static void test_a_visible_session_vetoes(void **state)
{
    (void)state;
    begin(true);
    show("old");
    pass(600000);
    assert_string_equal(stored_state(w, "old", "i1"), "lost");
    assert_int_equal(w->contracts_run, 0);
    hide_all();
    pass(15000);
    assert_string_equal(reason_of("old"), "self-fenced");
    assert_phase(w, 1, PHASE_COMPLETE);
}

static void test_a_witness_that_does_not_see_all_proves_nothing(void **state)
{
    (void)state;
    begin(true);
    json_object_set_new(w->sight, "sees_all", json_false());
    pass(600000);
    assert_string_equal(stored_state(w, "old", "i1"), "lost");
    json_object_set_new(w->sight, "sees_all", json_true());
    json_array_append_new(json_object_get(w->sight, "standbys"),
                          json_pack("{s:s, s:b, s:s, s:f, s:b, s:[], s:[]}", "name", "replica",
                                    "reachable", 0, "error", "no route", "lag_seconds", 0.0, "sees_all",
                                    0, "sessions", "pins"));
    pass(600000);
    assert_string_equal(stored_state(w, "old", "i1"), "lost");
    json_array_clear(json_object_get(w->sight, "standbys"));
    pass(15000);
    assert_string_equal(reason_of("old"), "self-fenced");
}

/* A moment before, it had no session; at that moment it opens one. */
static void test_a_look_from_before_proves_nothing(void **state)
{
    (void)state;
    w->config.gate.witness_interval_seconds = 1;
    begin(true);
    pass(ENDS_MS - 1500);
    for (unsigned looks = w->looks; w->looks == looks;)
        pass(100);
    show("old");
    pass(60000);
    assert_string_equal(stored_state(w, "old", "i1"), "lost");
}

static void test_one_that_is_superseded_and_heard_of_is_not_gone(void **state)
{
    (void)state;
    begin(true);
    register_with("old", "i2", 1, false, 3600);
    for (int i = 0; i < 10; i++) {
        pass(ENDS_MS - 5000);
        assert_int_equal(renew(w, "old", "i1").problem, PROBLEM_INCARNATION_SUPERSEDED);
    }
    assert_string_equal(stored_state(w, "old", "i1"), "lost");
    pass(ENDS_MS + 5000);
    assert_string_equal(stored_state(w, "old", "i1"), "gone");
}

/* It may not have heard the answer yet, and go by the longer one. */
static void test_a_lease_once_granted_is_never_shortened(void **state)
{
    (void)state;
    begin(true);
    register_with("old", "i1", 0, true, 5);
    assert_int_equal(coordinator_find_replica(w->c, "web", "old")->lease_seconds, LEASE_S);
    register_with("old", "i1", 0, true, 2 * LEASE_S);
    assert_int_equal(coordinator_find_replica(w->c, "web", "old")->lease_seconds, 2 * LEASE_S);
}

/* ---- who may extend it ---- */

static void test_it_is_extended_only_while_the_lead_is_proved(void **state)
{
    (void)state;
    begin(true);
    world_pass(w, PROOF_MS - 1);
    assert_int_equal(renew(w, "old", "i1").problem, PROBLEM_NONE);
    world_pass(w, 1);
    uint64_t counted = coordinator_counts(w->c)->renewals;
    assert_int_equal(renew(w, "old", "i1").problem, PROBLEM_DATABASE_UNAVAILABLE);
    assert_int_equal(coordinator_counts(w->c)->renewals, counted);
    assert_int_equal(renew(w, "new", "i1").problem, PROBLEM_NONE); /* as ever */
    coordinator_prove_lead(w->c, w->now.boot_ms - PROOF_MS); /* an answer that took too long */
    assert_int_equal(renew(w, "old", "i1").problem, PROBLEM_DATABASE_UNAVAILABLE);
    prove();
    assert_int_equal(renew(w, "old", "i1").problem, PROBLEM_NONE);
}

static void test_cut_off_it_is_not_extended_and_not_gone(void **state)
{
    (void)state;
    begin(true);
    w->database_away = true;
    coordinator_end_term(w->c, "for a test");
    world_pass(w, PROOF_MS);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(renew(w, "old", "i1").problem, PROBLEM_DATABASE_UNAVAILABLE);
        assert_int_equal(renew(w, "new", "i1").problem, PROBLEM_NONE);
        world_pass(w, 5000);
    }
    assert_int_equal(coordinator_find_replica(w->c, "web", "old")->state, REPLICA_LOST);
    assert_int_equal(coordinator_find_replica(w->c, "web", "new")->state, REPLICA_LIVE);
    assert_string_equal(stored_state(w, "old", "i1"), "live");
    w->database_away = false;
}

/* A commit proves it by when it was sent, not by when it was answered. */
static void test_a_commit_proves_the_lead(void **state)
{
    (void)state;
    begin(true);
    world_pass(w, PROOF_MS);
    register_with("another", "i1", 1, false, LEASE_S);
    assert_int_equal(renew(w, "old", "i1").problem, PROBLEM_NONE);
    world_pass(w, PROOF_MS);
    struct reply reply = {0};
    send_register(w, "slow", "i1", 0, 1, &reply);
    up_to(w, CALL_COMMIT)->held = true;
    world_pass(w, PROOF_MS);
    world_find(w, CALL_COMMIT)->held = false;
    world_settle(w);
    assert_int_equal(reply.problem, PROBLEM_NONE);
    assert_int_equal(renew(w, "old", "i1").problem, PROBLEM_DATABASE_UNAVAILABLE);
}

/* ---- the next term ---- */

/* The leader before may have extended it until its proof ran out, and by the longest such lease. */
static void test_a_successor_counts_from_its_takeover(void **state)
{
    (void)state;
    begin(true);
    register_with("long", "i1", 1, true, 2 * LEASE_S);
    pass(LEASE_S * 1000 + 1000);
    assert_string_equal(stored_state(w, "old", "i1"), "lost");
    world_restart_term(w);
    pass(PROOF_MS + 2 * ENDS_MS - 1000);
    assert_string_equal(stored_state(w, "old", "i1"), "lost");
    pass(4000);
    assert_string_equal(reason_of("old"), "self-fenced");
}

/* A lease that the new server does not know of may be the longest ever granted. */
static void test_after_a_failover_settling_comes_first(void **state)
{
    (void)state;
    begin(true);
    register_with("patient", "i1", 1, false, 600);
    pass(LEASE_S * 1000 + 1000);
    world_fail_over(w);
    pass(899000); /* 600 s and half of it */
    assert_string_equal(stored_state(w, "old", "i1"), "lost");
    pass(5000);
    assert_string_equal(reason_of("old"), "self-fenced");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_it_is_gone_when_lease_and_grace_are_over),
        TEST(test_the_grace_is_five_seconds_at_least),
        TEST(test_one_that_promised_nothing_is_never_gone_by_itself),
        TEST(test_a_renewal_counts_from_its_arrival),
        TEST(test_a_visible_session_vetoes),
        TEST(test_a_witness_that_does_not_see_all_proves_nothing),
        TEST(test_a_look_from_before_proves_nothing),
        TEST(test_one_that_is_superseded_and_heard_of_is_not_gone),
        TEST(test_a_lease_once_granted_is_never_shortened),
        TEST(test_it_is_extended_only_while_the_lead_is_proved),
        TEST(test_cut_off_it_is_not_extended_and_not_gone),
        TEST(test_a_commit_proves_the_lead),
        TEST(test_a_successor_counts_from_its_takeover),
        TEST(test_after_a_failover_settling_comes_first),
    };
    return scene_run(tests, begin_watched);
}
