/* The life of replicas in the coordinator: registration, leases, supersession, ends, terms. */
#include "coordinator_scene.h"

static enum replica_state state_of(const char *instance)
{
    const struct replica *r = coordinator_find_replica(w->c, "web", instance);
    return r ? (enum replica_state)r->state : REPLICA_GONE;
}

static struct reply join_as(const char *instance, const char *incarnation, int64_t min, int64_t max)
{
    struct reply reply = {0};
    send_register(w, instance, incarnation, min, max, &reply);
    world_settle(w);
    assert_int_equal(reply.count, 1);
    return reply;
}

static struct reply take_away(enum replica_event how, const char *instance, const char *incarnation)
{
    struct reply reply = {0};
    send_remove(w, how, instance, incarnation, &reply);
    world_settle(w);
    assert_int_equal(reply.count, 1);
    return reply;
}

static struct reply restart(const char *instance, const char *incarnation, int64_t max)
{
    return register_as(w, (struct registration){.instance = instance, .incarnation = incarnation,
                                                .range = {0, max}, .predecessor_ended = true});
}

/* A contract 1 that waits for a/i1 alone. */
static void begin_contract(void)
{
    join(w, "a", 0, 0);
    join(w, "new", 0, 1);
    submit(w, 1, EXPAND CONTRACT);
    assert_phase(w, 1, PHASE_EXPANDED);
}

/* ---- registering ---- */

static void test_a_registration_is_durable_before_it_is_answered(void **state)
{
    (void)state;
    struct reply reply = {0};
    send_register(w, "a", "i1", 0, 1, &reply);
    up_to(w, CALL_COMMIT);
    assert_int_equal(reply.count, 0);
    world_settle(w);
    assert_true(reply.created);
    assert_int_equal(reply.state, REPLICA_LIVE);
    assert_string_equal(stored_state(w, "a", "i1"), "live");
    assert_false(join(w, "a", 0, 1).created);
}

static void test_a_thousand_at_once_share_few_commits(void **state)
{
    (void)state;
    static struct reply replies[1000];
    memset(replies, 0, sizeof replies);
    unsigned before = w->commits;
    for (int i = 0; i < 1000; i++) {
        char name[16];
        snprintf(name, sizeof name, "r%d", i);
        send_register(w, name, "i1", 0, 1, &replies[i]);
        if (i % 100 == 0)
            world_turn(w);
    }
    world_settle(w);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(replies[i].state, REPLICA_LIVE);
    assert_true(w->commits - before <= 12);
    assert_int_equal(coordinator_counts(w->c)->registrations, 1000);
}

/* Two of one instance are never decided side by side: the second would not see the first. */
static void test_two_incarnations_at_once_supersede_each_other_in_order(void **state)
{
    (void)state;
    struct reply one = {0}, two = {0}, three = {0};
    send_register(w, "a", "i1", 0, 1, &one);
    send_register(w, "a", "i2", 0, 1, &two);
    send_register(w, "a", "i3", 0, 1, &three);
    world_settle(w);
    assert_int_equal(one.count + two.count + three.count, 3);
    assert_string_equal(stored_state(w, "a", "i1"), "lost");
    assert_string_equal(stored_state(w, "a", "i2"), "lost");
    assert_string_equal(stored_state(w, "a", "i3"), "live");
    assert_int_equal(count_events(w, "replica.superseded"), 2);
}

static void test_code_for_a_schema_to_come_waits_until_it_is_there(void **state)
{
    (void)state;
    assert_int_equal(join(w, "a", 1, 1).state, REPLICA_WAITING);
    renew(w, "a", "i1");
    assert_int_equal(state_of("a"), REPLICA_WAITING); /* a renewal never admits */
    submit(w, 1, EXPAND);
    assert_int_equal(state_of("a"), REPLICA_LIVE);
    assert_string_equal(stored_state(w, "a", "i1"), "live");
    assert_int_equal(count_events(w, "replica.admitted"), 1);
}

static void test_a_waiting_replica_that_falls_silent_is_gone(void **state)
{
    (void)state;
    join(w, "a", 5, 5);
    world_pass(w, 31000);
    assert_int_equal(state_of("a"), REPLICA_GONE);
    assert_string_equal(stored_state(w, "a", "i1"), "gone");
    assert_int_equal(renew(w, "a", "i1").problem, PROBLEM_UNKNOWN_REPLICA);
}

static void test_a_held_answer_keeps_a_waiting_replica(void **state)
{
    (void)state;
    join(w, "a", 5, 5);
    coordinator_hold_lease(w->c, coordinator_find_replica(w->c, "web", "a"), 1);
    world_pass(w, 100000);
    assert_int_equal(state_of("a"), REPLICA_WAITING);
    coordinator_hold_lease(w->c, coordinator_find_replica(w->c, "web", "a"), -1);
    world_pass(w, 29000);
    assert_int_equal(state_of("a"), REPLICA_WAITING);
    world_pass(w, 2000);
    assert_int_equal(state_of("a"), REPLICA_GONE);
}

/* The answer was held by the term before; the count of this one must not fall below nothing. */
static void test_a_held_answer_of_an_earlier_term(void **state)
{
    (void)state;
    join(w, "a", 5, 5);
    coordinator_hold_lease(w->c, coordinator_find_replica(w->c, "web", "a"), 1);
    world_restart_term(w);
    coordinator_hold_lease(w->c, coordinator_find_replica(w->c, "web", "a"), -1);
    world_pass(w, 31000);
    assert_int_equal(state_of("a"), REPLICA_GONE);
}

/* Letting go of an answer must not give a lost replica a deadline at which it would be given up. */
static void test_a_held_answer_never_lets_a_lost_replica_go(void **state)
{
    (void)state;
    join(w, "a", 0, 0);
    coordinator_hold_lease(w->c, coordinator_find_replica(w->c, "web", "a"), 1);
    join_as("a", "i2", 0, 0);
    struct replica *old = coordinator_find_replica(w->c, "web", "a")->older;
    assert_int_equal(old->state, REPLICA_LOST);
    coordinator_hold_lease(w->c, old, -1);
    world_pass(w, 3600000);
    assert_string_equal(stored_state(w, "a", "i1"), "lost");
}

static void test_a_running_incarnation_keeps_what_it_has(void **state)
{
    (void)state;
    join(w, "a", 0, 1);
    struct reply reply = join(w, "a", 7, 7);
    assert_int_equal(reply.problem, PROBLEM_RANGE_NOT_SERVED);
    assert_int_equal(state_of("a"), REPLICA_LIVE);
    assert_int_equal(coordinator_find_replica(w->c, "web", "a")->cohort->gate.range.max, 1);
    assert_false(join(w, "a", 0, 9).created); /* served: it changes */
    assert_int_equal(coordinator_find_replica(w->c, "web", "a")->cohort->gate.range.max, 9);
}

/* An expand is committed while the answer of a registration that has to wait for it is on its way. */
static void test_a_registration_that_crosses_with_its_expand_is_admitted(void **state)
{
    (void)state;
    struct reply submitted = {0}, joined = {0};
    send_submit(w, 1, EXPAND, &submitted);
    struct call *run = up_to(w, CALL_RUN);
    run->held = true;
    send_register(w, "a", "i1", 1, 1, &joined);
    struct call *commit = up_to(w, CALL_COMMIT);
    world_carry_out(w, commit); /* recorded as waiting */
    world_answer(w, run);       /* and now served */
    world_answer(w, commit);
    assert_int_equal(joined.state, REPLICA_WAITING);
    world_settle(w);
    assert_int_equal(state_of("a"), REPLICA_LIVE);
    assert_string_equal(stored_state(w, "a", "i1"), "live");
}

/* ---- leases ---- */

static void test_silence_is_not_death(void **state)
{
    (void)state;
    begin_contract();
    for (int i = 0; i < 360; i++) {
        renew(w, "new", "i1");
        world_pass(w, 10000);
    }
    assert_int_equal(state_of("a"), REPLICA_LOST);
    assert_string_equal(stored_state(w, "a", "i1"), "lost");
    assert_true(has_hold(w, 1, HOLD_REPLICA_LOST));
    assert_int_equal(count_events(w, "replica.lost"), 1);
    assert_int_equal(w->contracts_run, 0);

    assert_int_equal(renew(w, "a", "i1").problem, PROBLEM_NONE); /* it was only slow */
    world_settle(w);
    assert_int_equal(state_of("a"), REPLICA_LIVE);
    assert_string_equal(stored_state(w, "a", "i1"), "live");
    world_pass(w, 31000);
    take_away(REPLICA_EVICTED, "a", NULL);
    assert_phase(w, 1, PHASE_EXPANDED); /* now the fleet is silent: too small */
    renew(w, "new", "i1");
    world_settle(w);
    assert_phase(w, 1, PHASE_COMPLETE);
}

static void test_assumed_gone_after_the_time_that_is_set(void **state)
{
    (void)state;
    w->config.gate.assume_gone_after_seconds = 600;
    begin_contract();
    for (int i = 0; i < 62; i++) {
        renew(w, "new", "i1");
        world_pass(w, 10000);
    }
    assert_int_equal(w->contracts_run, 0);
    for (int i = 0; i < 3; i++) {
        renew(w, "new", "i1");
        world_pass(w, 10000);
    }
    assert_phase(w, 1, PHASE_COMPLETE);
    assert_string_equal(stored_state(w, "a", "i1"), "gone");
}

static void test_assuming_can_be_switched_off_while_it_counts(void **state)
{
    (void)state;
    struct config other = w->config;
    w->config.gate.assume_gone_after_seconds = 600;
    begin_contract();
    world_pass(w, 300000);
    assert_int_equal(state_of("a"), REPLICA_LOST);
    coordinator_configure(w->c, &other);
    for (int i = 0; i < 100; i++) {
        renew(w, "new", "i1");
        world_pass(w, 10000);
    }
    assert_int_equal(state_of("a"), REPLICA_LOST);
    assert_int_equal(w->contracts_run, 0);
    coordinator_configure(w->c, &w->config);
}

/* The renewal arrives while the database commits that it is assumed gone: it was answered, so it counts. */
static void test_a_renewal_during_its_end_keeps_the_replica(void **state)
{
    (void)state;
    w->config.gate.assume_gone_after_seconds = 600;
    begin_contract();
    world_pass(w, 20000);
    renew(w, "new", "i1");
    world_pass(w, 20000); /* `a` is lost */
    while (w->now.boot_ms < 1000000 + 640000 && !world_find(w, CALL_COMMIT)) {
        renew(w, "new", "i1");
        w->woken = false;
        w->now.boot_ms += 1000;
        coordinator_tick(w->c);
        while (world_find(w, CALL_LOOK))
            world_answer(w, world_find(w, CALL_LOOK));
    }
    assert_non_null(world_find(w, CALL_COMMIT));
    assert_int_equal(renew(w, "a", "i1").problem, PROBLEM_NONE);
    world_settle(w);
    assert_int_equal(state_of("a"), REPLICA_LIVE);
    assert_string_equal(stored_state(w, "a", "i1"), "live");
    assert_int_equal(w->contracts_run, 0);
}

/* The same a moment before: its end waits behind another commit. */
static void test_a_renewal_before_its_end_is_written_keeps_the_replica(void **state)
{
    (void)state;
    struct reply reply = {0};
    w->config.gate.assume_gone_after_seconds = 20;
    begin_contract();
    world_pass(w, 20000);
    renew(w, "new", "i1");
    world_pass(w, 20000);
    renew(w, "new", "i1");
    join(w, "waits", 5, 5);
    send_register(w, "b", "i1", 0, 1, &reply);
    up_to(w, CALL_COMMIT);
    w->now.boot_ms += 30000;
    coordinator_tick(w->c);
    renew(w, "a", "i1");
    renew(w, "waits", "i1");
    world_settle(w);
    assert_int_equal(state_of("a"), REPLICA_LIVE);
    assert_string_equal(stored_state(w, "a", "i1"), "live");
    assert_int_equal(state_of("waits"), REPLICA_WAITING);
    assert_int_equal(count_events(w, "replica.gone"), 0);
}

/* ---- incarnations ---- */

static void test_a_superseded_incarnation_goes_on_holding(void **state)
{
    (void)state;
    begin_contract();
    assert_true(join_as("a", "i2", 0, 1).created);
    assert_true(has_hold(w, 1, HOLD_REPLICA_LOST));
    assert_int_equal(renew(w, "a", "i1").problem, PROBLEM_INCARNATION_SUPERSEDED);
    assert_int_equal(join_as("a", "i1", 0, 0).problem, PROBLEM_INCARNATION_SUPERSEDED);
    assert_int_equal(take_away(REPLICA_DEREGISTERED, "a", "i9").problem, PROBLEM_INCARNATION_SUPERSEDED);
    world_pass(w, 20000);
    assert_int_equal(w->contracts_run, 0);
    world_restart_term(w);
    renew(w, "a", "i2");
    renew(w, "new", "i1");
    world_settle(w);
    assert_true(has_hold(w, 1, HOLD_REPLICA_LOST));
    take_away(REPLICA_DEREGISTERED, "a", "i1"); /* its goodbye still counts */
    assert_phase(w, 1, PHASE_COMPLETE);
    assert_int_equal(state_of("a"), REPLICA_LIVE);
}

static void test_a_superseded_incarnation_that_renews_is_not_assumed_gone(void **state)
{
    (void)state;
    w->config.gate.assume_gone_after_seconds = 60;
    begin_contract();
    join_as("a", "i2", 0, 1);
    for (int i = 0; i < 20; i++) {
        renew(w, "a", "i1");
        renew(w, "a", "i2");
        renew(w, "new", "i1");
        world_pass(w, 10000);
    }
    assert_string_equal(stored_state(w, "a", "i1"), "lost");
    assert_int_equal(w->contracts_run, 0);
}

static void test_an_attested_restart_ends_the_predecessor(void **state)
{
    (void)state;
    begin_contract();
    assert_true(restart("a", "i2", 1).created);
    assert_string_equal(stored_state(w, "a", "i1"), "gone");
    assert_phase(w, 1, PHASE_COMPLETE);
}

/* i2's registration comes late: i3, which was started after it, runs. */
static void test_a_late_word_about_a_predecessor_is_none_about_a_younger_one(void **state)
{
    (void)state;
    begin_contract();
    join_as("a", "i3", 0, 0);
    register_as(w, (struct registration){.instance = "a", .incarnation = "i2", .range = {0, 1},
                                         .predecessor_ended = true, .predecessor = "i1"});
    assert_string_equal(stored_state(w, "a", "i1"), "gone");
    assert_string_equal(stored_state(w, "a", "i3"), "lost");
    assert_int_equal(w->contracts_run, 0);
}

static void test_attesting_means_the_newest_and_evicting_all(void **state)
{
    (void)state;
    begin_contract();
    join_as("a", "i2", 0, 0);
    take_away(REPLICA_ATTESTED, "a", NULL);
    assert_string_equal(stored_state(w, "a", "i1"), "lost");
    assert_string_equal(stored_state(w, "a", "i2"), "gone");
    assert_int_equal(w->contracts_run, 0);
    join_as("a", "i3", 0, 0);
    take_away(REPLICA_EVICTED, "a", NULL);
    assert_phase(w, 1, PHASE_COMPLETE);
    assert_int_equal(take_away(REPLICA_DEREGISTERED, "a", "i3").problem, PROBLEM_NONE); /* already */
    assert_int_equal(take_away(REPLICA_EVICTED, "a", NULL).problem, PROBLEM_UNKNOWN_REPLICA);
}

/* ---- applications ---- */

static void change_app(struct app_change change)
{
    struct reply reply = {0};
    change.app = "web";
    change.actor = "deployer:ci";
    coordinator_change_app(w->c, &change, take_reply, &reply);
    world_settle(w);
    assert_int_equal(reply.problem, PROBLEM_NONE);
}

static void test_min_replicas_and_a_desired_release_hold(void **state)
{
    (void)state;
    change_app((struct app_change){.set_min_replicas = true, .min_replicas = 2});
    change_app((struct app_change){.set_desired = true, .desired = {0, 0}, .desired_release = "r0"});
    join(w, "a", 0, 1);
    submit(w, 1, EXPAND CONTRACT);
    assert_true(has_hold(w, 1, HOLD_FLEET_MISSING));
    assert_true(has_hold(w, 1, HOLD_DESIRED_BEHIND));
    world_restart_term(w);
    renew(w, "a", "i1");
    world_settle(w);
    join(w, "b", 0, 1);
    assert_false(has_hold(w, 1, HOLD_FLEET_MISSING));
    assert_true(has_hold(w, 1, HOLD_DESIRED_BEHIND));
    change_app((struct app_change){.clear_desired = true});
    assert_phase(w, 1, PHASE_COMPLETE);
}

static void test_an_app_that_is_retired_holds_no_more_and_never_returns(void **state)
{
    char summary[256];

    (void)state;
    struct reply reply = {0};
    begin_contract();
    coordinator_retire_app(w->c, "web", "given up", "tester", take_reply, &reply);
    world_settle(w);
    assert_int_equal(reply.problem, PROBLEM_APP_IN_USE);
    leave(w, "a");
    leave(w, "new");
    coordinator_retire_app(w->c, "web", "given up", "tester", take_reply, &reply);
    world_settle(w);
    assert_int_equal(reply.problem, PROBLEM_NONE);
    assert_int_equal(join(w, "b", 0, 1).problem, PROBLEM_APP_RETIRED);
    submit(w, 2, EXPAND CONTRACT);
    coordinator_migration_summary(w->c, the_migration(w, 2), summary, sizeof summary);
    assert_string_equal(summary, "every application has been retired");
    coordinator_retire_app(w->c, "mail", "", "tester", take_reply, &reply);
    world_settle(w);
    assert_int_equal(reply.problem, PROBLEM_UNKNOWN_APP);
}

static void test_a_compatible_release_does_not_hold(void **state)
{
    (void)state;
    struct reply reply = {0};
    begin_contract();
    coordinator_record_compatible(w->c, "web", "", 1, "it never reads it", "tester", take_reply, &reply);
    world_settle(w);
    assert_phase(w, 1, PHASE_COMPLETE);
    /* Its replicas may be restarted, too: what was recorded counts for the release. */
    assert_int_equal(join(w, "b", 0, 0).problem, PROBLEM_NONE);
}

static void test_a_release_that_lists_another_text_is_behind(void **state)
{
    (void)state;
    const struct gate_knows knows = {1, "sha256:another"};
    register_as(w, (struct registration){.instance = "a", .range = {0, 1}, .release = "r1",
                                         .application_name = "a", .knows = &knows, .knows_count = 1});
    submit(w, 1, EXPAND CONTRACT);
    assert_true(has_hold(w, 1, HOLD_REPLICA_BEHIND));
    world_restart_term(w);
    renew(w, "a", "i1");
    world_settle(w);
    assert_true(has_hold(w, 1, HOLD_REPLICA_BEHIND)); /* it is stored */
}

static void test_admission_names_the_contracts_to_come(void **state)
{
    (void)state;
    int64_t pending[1];
    size_t count;
    begin_contract();
    submit(w, 2, EXPAND CONTRACT);
    assert_int_equal(coordinator_admission(w->c, (struct version_range){0, 0}, pending, 1, &count),
                     ADMISSION_LIVE);
    assert_int_equal(count, 2);
    assert_int_equal(pending[0], 1);
}

/* ---- terms ---- */

static void test_no_gate_opens_until_everybody_has_renewed(void **state)
{
    (void)state;
    join(w, "a", 0, 1);
    join(w, "b", 0, 1);
    join(w, "old", 0, 0);
    submit(w, 1, EXPAND CONTRACT);
    world_restart_term(w);
    take_away(REPLICA_DEREGISTERED, "old", "i1");
    assert_true(has_hold(w, 1, HOLD_SETTLING));
    renew(w, "a", "i1");
    world_settle(w);
    assert_int_equal(w->contracts_run, 0);
    world_pass(w, 20000);
    renew(w, "a", "i1");
    world_pass(w, 9000);
    assert_true(has_hold(w, 1, HOLD_SETTLING)); /* b has a fresh full lease */
    world_pass(w, 2000);
    assert_phase(w, 1, PHASE_COMPLETE); /* b is lost, but works with 1 */
}

static void test_cut_off_it_answers_renewals_and_opens_nothing(void **state)
{
    (void)state;
    struct reply reply = {0};
    begin_contract();
    coordinator_end_term(w->c, "the network");
    assert_int_equal(coordinator_role(w->c), ROLE_CUT_OFF);
    assert_int_equal(renew(w, "a", "i1").problem, PROBLEM_NONE);
    send_remove(w, REPLICA_DEREGISTERED, "a", "i1", &reply);
    world_settle(w);
    assert_int_equal(reply.problem, PROBLEM_DATABASE_UNAVAILABLE);
    assert_int_equal(join_as("b", "i1", 0, 1).problem, PROBLEM_DATABASE_UNAVAILABLE);
    assert_int_equal(act(w, 1, EVENT_PAUSE).problem, PROBLEM_DATABASE_UNAVAILABLE);
    world_pass(w, 600000);
    assert_int_equal(w->contracts_run, 0);
    world_lead(w);
    assert_int_equal(state_of("a"), REPLICA_LIVE); /* nothing is forgotten */
    assert_int_equal(state_of("b"), REPLICA_GONE);
}

static void test_a_standby_answers_nothing_and_sleeps(void **state)
{
    (void)state;
    begin_contract();
    coordinator_end_term(w->c, "the network");
    coordinator_stand_by(w->c, "http://leader:7433");
    assert_int_equal(renew(w, "a", "i1").problem, PROBLEM_NOT_LEADER);
    struct reply reply = join_as("b", "i1", 0, 1);
    assert_int_equal(reply.problem, PROBLEM_NOT_LEADER);
    assert_non_null(strstr(reply.detail, "http://leader:7433"));
    w->now.boot_ms += 3600000;
    w->wake_at = 0;
    coordinator_tick(w->c); /* leases have run out: it must not ask to be woken for them */
    assert_int_equal(w->wake_at, 0);
}

static void test_stopping_answers_everybody(void **state)
{
    (void)state;
    struct reply in_flight = {0}, waiting = {0};
    send_register(w, "a", "i1", 0, 1, &in_flight);
    up_to(w, CALL_COMMIT);
    send_register(w, "b", "i1", 0, 1, &waiting);
    coordinator_stop(w->c);
    assert_false(coordinator_is_idle(w->c));
    world_settle(w);
    assert_int_equal(in_flight.problem, PROBLEM_NONE);
    assert_int_equal(waiting.problem, PROBLEM_STOPPING);
    assert_true(coordinator_is_idle(w->c));
    assert_int_equal(renew(w, "a", "i1").problem, PROBLEM_STOPPING);
}

/* A reload of what was decided: what the new term reads counts, not what memory believed. */
static void test_a_term_that_is_read_in_while_another_begins(void **state)
{
    (void)state;
    begin_contract();
    coordinator_end_term(w->c, "the network");
    world_begin_term(w);
    struct call *load = world_find(w, CALL_LOAD);
    load->held = true;
    coordinator_end_term(w->c, "again");
    world_begin_term(w);
    world_settle(w);
    assert_int_equal(coordinator_role(w->c), ROLE_LEADER);
    world_answer(w, load); /* the first one's rows come last, and are dropped */
    world_settle(w);
    assert_phase(w, 1, PHASE_EXPANDED);
    assert_int_equal(state_of("a"), REPLICA_LIVE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_registration_is_durable_before_it_is_answered),
        TEST(test_a_thousand_at_once_share_few_commits),
        TEST(test_two_incarnations_at_once_supersede_each_other_in_order),
        TEST(test_code_for_a_schema_to_come_waits_until_it_is_there),
        TEST(test_a_waiting_replica_that_falls_silent_is_gone),
        TEST(test_a_held_answer_keeps_a_waiting_replica),
        TEST(test_a_held_answer_of_an_earlier_term),
        TEST(test_a_held_answer_never_lets_a_lost_replica_go),
        TEST(test_a_running_incarnation_keeps_what_it_has),
        TEST(test_a_registration_that_crosses_with_its_expand_is_admitted),
        TEST(test_silence_is_not_death),
        TEST(test_assumed_gone_after_the_time_that_is_set),
        TEST(test_assuming_can_be_switched_off_while_it_counts),
        TEST(test_a_renewal_during_its_end_keeps_the_replica),
        TEST(test_a_renewal_before_its_end_is_written_keeps_the_replica),
        TEST(test_a_superseded_incarnation_goes_on_holding),
        TEST(test_a_superseded_incarnation_that_renews_is_not_assumed_gone),
        TEST(test_an_attested_restart_ends_the_predecessor),
        TEST(test_a_late_word_about_a_predecessor_is_none_about_a_younger_one),
        TEST(test_attesting_means_the_newest_and_evicting_all),
        TEST(test_min_replicas_and_a_desired_release_hold),
        TEST(test_an_app_that_is_retired_holds_no_more_and_never_returns),
        TEST(test_a_compatible_release_does_not_hold),
        TEST(test_a_release_that_lists_another_text_is_behind),
        TEST(test_admission_names_the_contracts_to_come),
        TEST(test_no_gate_opens_until_everybody_has_renewed),
        TEST(test_cut_off_it_answers_renewals_and_opens_nothing),
        TEST(test_a_standby_answers_nothing_and_sleeps),
        TEST(test_stopping_answers_everybody),
        TEST(test_a_term_that_is_read_in_while_another_begins),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
