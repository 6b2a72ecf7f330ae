/* What operators let pass and end: waivers and their time, terminated sessions, evictions with their
 * sessions; and the record of why a gate opened. */
#include "witness_scene.h"

static struct reply waive(int64_t version, enum gate_code code, const char *subject, int64_t seconds)
{
    struct reply reply = {0};
    const char *subjects[] = {subject};
    coordinator_waive(w->c,
                      &(struct waiver_request){.version = version,
                                               .code = code,
                                               .subjects = subjects,
                                               .subject_count = subject ? 1 : 0,
                                               .for_seconds = seconds,
                                               .reason = "known",
                                               .actor = "operator:ann"},
                      take_reply, &reply);
    world_settle(w);
    assert_int_equal(reply.count, 1);
    return reply;
}

/* A contract 1 that a stray session holds, and an app that is too small. */
static void begin_with_stray(void)
{
    w->config.gate.min_replicas = 2;
    connect_session(10, "app", "new", "");
    connect_session(20, "app", "cron", "");
    join(w, "new", 0, 1);
    live_for(5000, "new");
    submit(w, 1, EXPAND CONTRACT);
    live_for(5000, "new");
    assert_true(has_hold(w, 1, HOLD_SESSION_STRAY));
    assert_true(has_hold(w, 1, HOLD_FLEET_MISSING));
}

/* ---- waivers ---- */

static void test_what_is_waived_does_not_hold(void **state)
{
    (void)state;
    begin_with_stray();
    assert_int_equal(waive(1, HOLD_FLEET_MISSING, "web", 600).problem, PROBLEM_NONE);
    assert_false(has_hold(w, 1, HOLD_FLEET_MISSING));
    waive(1, HOLD_SESSION_STRAY, "app/other", 600);
    assert_true(has_hold(w, 1, HOLD_SESSION_STRAY));
    waive(1, HOLD_SESSION_STRAY, "app/cron", 600);
    world_pass(w, 1000);
    assert_phase(w, 1, PHASE_COMPLETE);
    assert_int_equal(count_events(w, "operator.waive"), 3);
}

static void test_its_end_closes_the_gate_again(void **state)
{
    (void)state;
    begin_with_stray();
    waive(1, HOLD_FLEET_MISSING, NULL, 60);
    live_for(55000, "new");
    assert_false(has_hold(w, 1, HOLD_FLEET_MISSING));
    live_for(5000, "new");
    assert_true(has_hold(w, 1, HOLD_FLEET_MISSING));
    assert_null(coordinator_waiver(w->c, 1, 0));
}

static void test_a_gap_does_not_lengthen_it(void **state)
{
    (void)state;
    begin_with_stray();
    waive(1, HOLD_FLEET_MISSING, NULL, 600);
    live_for(300000, "new");
    w->now.wall_ms += 200000; /* no daemon for a while */
    world_restart_term(w);
    assert_non_null(coordinator_waiver(w->c, 1, 0));
    live_for(95000, "new");
    assert_false(has_hold(w, 1, HOLD_FLEET_MISSING));
    live_for(10000, "new");
    assert_true(has_hold(w, 1, HOLD_FLEET_MISSING));
}

static void test_a_clock_that_is_put_back_does_not_lengthen_it(void **state)
{
    (void)state;
    begin_with_stray();
    waive(1, HOLD_FLEET_MISSING, NULL, 600);
    live_for(300000, "new");
    w->now.wall_ms -= 3600000;
    world_restart_term(w);
    live_for(370000, "new"); /* what was not stored yet is given back: a minute at most */
    assert_true(has_hold(w, 1, HOLD_FLEET_MISSING));
}

static void test_what_cannot_be_waived_is_refused(void **state)
{
    (void)state;
    begin_with_stray();
    struct reply reply = waive(1, HOLD_REPLICA_LOST, NULL, 60);
    assert_int_equal(reply.problem, PROBLEM_INVALID);
    assert_string_equal(reply.pointer, "/code");
    assert_int_equal(waive(9, HOLD_FLEET_MISSING, NULL, 60).problem, PROBLEM_UNKNOWN_MIGRATION);
    assert_int_equal(count_events(w, "operator.waive"), 0);
}

static void fail_looks(bool fail)
{
    static json_t *sight;
    if (fail) {
        sight = w->sight;
        w->sight = json_null();
    } else {
        w->sight = sight;
    }
}

/* An operator waives all standbys; the primary is none of them. */
static void test_the_primary_is_never_waived(void **state)
{
    (void)state;
    begin_with_stray();
    struct reply reply = waive(1, HOLD_STANDBY_UNKNOWN, "primary", 600);
    assert_int_equal(reply.problem, PROBLEM_INVALID);
    assert_string_equal(reply.pointer, "/subjects");
    assert_int_equal(waive(1, HOLD_STANDBY_UNKNOWN, NULL, 600).problem, PROBLEM_NONE);
    waive(1, HOLD_SESSION_STRAY, NULL, 600);
    fail_looks(true);
    live_for(10000, "new");
    waive(1, HOLD_FLEET_MISSING, NULL, 600);
    live_for(10000, "new");
    assert_true(has_hold(w, 1, HOLD_STANDBY_UNKNOWN));
    assert_int_equal(count_events(w, "gate.opened"), 0);
    fail_looks(false);
    live_for(10000, "new");
    assert_phase(w, 1, PHASE_COMPLETE);
}

/* The gate was open by the look before; the one behind the fence fails, whatever is waived. */
static void test_a_look_that_fails_behind_the_fence_is_never_waived(void **state)
{
    (void)state;
    begin_with_stray();
    waive(1, HOLD_STANDBY_UNKNOWN, NULL, 600);
    waive(1, HOLD_SESSION_STRAY, NULL, 600);
    struct reply reply = {0};
    coordinator_waive(w->c,
                      &(struct waiver_request){.version = 1, .code = HOLD_FLEET_MISSING,
                                               .for_seconds = 600, .reason = "known", .actor = "tester"},
                      take_reply, &reply);
    up_to(w, CALL_VERIFY);
    fail_looks(true);
    world_settle(w);
    assert_int_equal(count_events(w, "gate.opened"), 1);
    assert_int_equal(count_events(w, "gate.closed"), 1);
    assert_int_equal(w->contracts_run, 0);
    fail_looks(false);
    live_for(10000, "new");
    assert_phase(w, 1, PHASE_COMPLETE);
}

static void test_waiving_is_offered_while_it_helps(void **state)
{
    (void)state;
    begin_with_stray();
    assert_true(coordinator_may_waive(w->c, the_migration(w, 1)));
    waive(1, HOLD_SESSION_STRAY, NULL, 600);
    assert_true(coordinator_may_waive(w->c, the_migration(w, 1)));
    fail_looks(true);
    live_for(10000, "new");
    waive(1, HOLD_FLEET_MISSING, NULL, 600);
    assert_false(coordinator_may_waive(w->c, the_migration(w, 1))); /* the primary holds */
    fail_looks(false);
    live_for(10000, "new");
    assert_false(coordinator_may_waive(w->c, the_migration(w, 1))); /* it is complete */
}

static void test_a_corrected_plan_voids_it(void **state)
{
    (void)state;
    let_fail(w, fail_runs, 1, EXECUTION_FAILED);
    submit(w, 1, EXPAND CONTRACT);
    waive(1, HOLD_FLEET_MISSING, NULL, 600);
    submit(w, 1, EXPAND "-- schemagate: contract\nALTER TABLE t DROP COLUMN c;\n");
    assert_null(coordinator_waiver(w->c, 1, 0));
    assert_int_equal(json_array_size(world_table(w, "waivers")), 0);
}

/* ---- ending sessions ---- */

static struct reply terminate_session(int pid)
{
    struct reply reply = {0};
    coordinator_terminate(w->c, pid, "", "in the way", "operator:ann", take_reply, &reply);
    world_settle(w);
    assert_int_equal(reply.count, 1);
    return reply;
}

static void test_a_session_is_terminated(void **state)
{
    (void)state;
    begin_with_stray();
    waive(1, HOLD_FLEET_MISSING, NULL, 600);
    assert_int_equal(terminate_session(20).problem, PROBLEM_NONE);
    world_pass(w, 1000);
    assert_phase(w, 1, PHASE_COMPLETE);
    assert_int_equal(count_events(w, "operator.terminate"), 1);
    assert_int_equal(terminate_session(20).problem, PROBLEM_UNKNOWN_SESSION);
}

static void test_what_postgresql_refuses_is_told(void **state)
{
    (void)state;
    begin_with_stray();
    w->terminate_error = "42501 permission denied";
    struct reply reply = terminate_session(20);
    assert_int_equal(reply.problem, PROBLEM_NOT_TERMINATED);
    assert_string_equal(reply.detail, "42501 permission denied");
}

static struct reply evict_sessions(const char *instance)
{
    struct reply reply = {0};
    coordinator_evict_sessions(w->c, "web", instance, NULL, "dead", "operator:ann", take_reply, &reply);
    world_settle(w);
    assert_int_equal(reply.count, 1);
    return reply;
}

static void test_an_eviction_ends_the_sessions_first(void **state)
{
    (void)state;
    begin_with_stray();
    join(w, "old", 0, 0);
    connect_session(30, "app", "old", "");
    assert_int_equal(evict_sessions("old").problem, PROBLEM_NONE);
    assert_string_equal(stored_state(w, "old", "i1"), "gone");
    const json_t *session;
    size_t i;
    json_array_foreach(json_object_get(w->sight, "sessions"), i, session)
    {
        assert_int_not_equal(world_number(session, "pid"), 30);
    }
}

static void test_an_eviction_whose_sessions_stay_does_not_happen(void **state)
{
    (void)state;
    begin_with_stray();
    join(w, "old", 0, 0);
    connect_session(30, "app", "old", "");
    w->terminate_error = "42501 permission denied";
    assert_int_equal(evict_sessions("old").problem, PROBLEM_NOT_TERMINATED);
    assert_string_equal(stored_state(w, "old", "i1"), "live");
}

/* ---- hours and health ---- */

static void test_contracts_wait_for_their_hours(void **state)
{
    (void)state;
    char *hours[] = {(char *)"Mon-Sun 09:00-10:00 UTC"};
    w->now.wall_ms = 1768392000000; /* 12:00 UTC */
    w->config.gate.contract_hours = (struct config_list){hours, 1};
    coordinator_configure(w->c, &w->config);
    join(w, "new", 0, 1);
    submit(w, 1, EXPAND CONTRACT);
    assert_true(has_hold(w, 1, HOLD_OUTSIDE_HOURS));
    live_for(20 * 3600000, "new"); /* 08:00 */
    assert_int_equal(w->contracts_run, 0);
    live_for(3600000 + 5000, "new");
    assert_phase(w, 1, PHASE_COMPLETE);
}

static void test_new_replicas_that_fail_hold(void **state)
{
    (void)state;
    struct outcome outcome;
    w->config.gate.max_error_percent = 10;
    join(w, "old", 0, 0);
    join(w, "new", 0, 1);
    submit(w, 1, EXPAND CONTRACT);
    coordinator_renew(w->c, "web", "new", "i1", 100, 20, &outcome);
    leave(w, "old");
    assert_true(has_hold(w, 1, HOLD_UNHEALTHY));
    assert_int_equal(w->contracts_run, 0);
    coordinator_renew(w->c, "web", "new", "i1", 200, 0, &outcome);
    coordinator_tick(w->c);
    world_settle(w);
    assert_phase(w, 1, PHASE_COMPLETE);
}

/* ---- the proof ---- */

static void test_the_record_says_why_it_opened(void **state)
{
    (void)state;
    begin_with_stray();
    waive(1, HOLD_FLEET_MISSING, NULL, 600);
    terminate_session(20);
    world_pass(w, 1000);
    const json_t *event, *data = NULL;
    size_t i;
    json_array_foreach(world_table(w, "events"), i, event)
    {
        if (strcmp(world_text(event, "kind"), "gate.opened") == 0)
            data = json_object_get(event, "data");
    }
    assert_non_null(data);
    assert_string_equal(world_text(data, "evidence"), "witnessed");
    assert_string_equal(world_text(data, "timeline"), "00000001");
    assert_int_equal(json_array_size(json_object_get(data, "cohorts")), 1);
    assert_int_equal(json_array_size(json_object_get(data, "waivers")), 1);
    assert_int_equal(world_number(json_object_get(data, "sessions"), "application"), 1);
    assert_true(world_number(data, "generation") > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_what_is_waived_does_not_hold),
        TEST(test_its_end_closes_the_gate_again),
        TEST(test_a_gap_does_not_lengthen_it),
        TEST(test_a_clock_that_is_put_back_does_not_lengthen_it),
        TEST(test_what_cannot_be_waived_is_refused),
        TEST(test_the_primary_is_never_waived),
        TEST(test_a_look_that_fails_behind_the_fence_is_never_waived),
        TEST(test_waiving_is_offered_while_it_helps),
        TEST(test_a_corrected_plan_voids_it),
        TEST(test_a_session_is_terminated),
        TEST(test_what_postgresql_refuses_is_told),
        TEST(test_an_eviction_ends_the_sessions_first),
        TEST(test_an_eviction_whose_sessions_stay_does_not_happen),
        TEST(test_contracts_wait_for_their_hours),
        TEST(test_new_replicas_that_fail_hold),
        TEST(test_the_record_says_why_it_opened),
    };
    return scene_run(tests, begin_watched);
}
