/* The gate and what the witness sees: sessions, pins, standbys; hours, health and lag; waivers; the
 * grade. */
#include "gate_scene.h"

#include <string.h>

static struct scene s;
static struct gate_session session;
static struct gate_standby standby;

static int set_scene(enum gate_kind kind)
{
    open_scene(&s, kind);
    session = (struct gate_session){
        .name = "app/web-1", .count = 1, .application = true, .known = true, .range = {40, 42}};
    standby = (struct gate_standby){.name = "reader", .reachable = true};
    s.facts.sees_sessions = true;
    s.facts.sessions = &session;
    s.facts.session_count = 1;
    s.facts.standbys = &standby;
    s.facts.standby_count = 1;
    return 0;
}

static int contract_scene(void **state)
{
    (void)state;
    return set_scene(GATE_CONTRACT);
}

static int undo_scene(void **state)
{
    (void)state;
    return set_scene(GATE_UNDO);
}

static void waive(enum gate_code code, const char *subject)
{
    static struct gate_waiver waiver;
    waiver = (struct gate_waiver){code, subject};
    s.facts.waivers = &waiver;
    s.facts.waiver_count = 1;
}

/* ---- sessions ---- */

static void test_a_session_pinned_below_holds(void **state)
{
    (void)state;
    assert_open(&s);
    session.range.max = 41;
    assert_open(&s); /* it is no pin */
    session.pinned = true;
    assert_ptr_equal(assert_holds(&s, HOLD_SESSION_BEHIND, 1).session, &session);
    session.application = session.known = false; /* a pin counts, whoever has it */
    assert_holds(&s, HOLD_SESSION_BEHIND, 1);
    session.range.max = 42;
    assert_open(&s);
}

static void test_a_session_pinned_above_holds_an_undo(void **state)
{
    (void)state;
    session.pinned = true;
    session.range = (struct version_range){42, 42};
    assert_holds(&s, HOLD_SESSION_AHEAD, 1);
    session.range.min = 41;
    assert_open(&s);
}

static void test_pins_that_are_required(void **state)
{
    (void)state;
    s.facts.require_pins = true;
    session.count = 7;
    assert_holds(&s, HOLD_SESSION_UNPINNED, 7);
    session.application = false;
    assert_open(&s);
    session.application = session.pinned = true;
    assert_open(&s);
    set_scene(GATE_UNDO);
    s.facts.require_pins = true;
    assert_open(&s);
}

static void test_strays(void **state)
{
    (void)state;
    session.known = false;
    session.count = 3;
    assert_holds(&s, HOLD_SESSION_STRAY, 3);
    s.facts.strays = STRAYS_WARN;
    assert_open(&s);
    s.facts.strays = STRAYS_IGNORE;
    assert_open(&s);
    s.facts.strays = STRAYS_BLOCK;
    session.pinned = true; /* what it needs is known */
    assert_open(&s);
    session.pinned = session.application = false;
    assert_open(&s);
}

static void test_a_standby_that_cannot_be_looked_at(void **state)
{
    (void)state;
    standby.reachable = false;
    assert_ptr_equal(assert_holds(&s, HOLD_STANDBY_UNKNOWN, 1).standby, &standby);
    set_scene(GATE_UNDO); /* a session there may be pinned to what the undo ends */
    standby.reachable = false;
    assert_ptr_equal(assert_holds(&s, HOLD_STANDBY_UNKNOWN, 1).standby, &standby);
}

/* ---- hours, health, lag ---- */

static void test_outside_hours(void **state)
{
    (void)state;
    s.facts.outside_hours = true;
    assert_holds(&s, HOLD_OUTSIDE_HOURS, 1);
    s.facts.kind = GATE_UNDO;
    assert_open(&s);
}

static void test_unhealthy_replicas_of_the_new_release(void **state)
{
    (void)state;
    s.cohort.requests = 200;
    s.cohort.errors = 11;
    assert_open(&s); /* off */
    s.facts.max_error_percent = 5;
    assert_holds(&s, HOLD_UNHEALTHY, 1);
    s.cohort.errors = 10;
    assert_open(&s);
    s.cohort.errors = 200;
    s.cohort.range.max = 41; /* of the old one: it holds for another reason */
    s.cohort.compatible_max = 42;
    assert_open(&s);
    assert_true(gate_error_percent(&s.facts) < 0);
    s.cohort.range.max = 42;
    s.cohort.requests = 0;
    assert_open(&s);
}

static void test_replication_lag_holds_both(void **state)
{
    (void)state;
    for (int kind = GATE_CONTRACT; kind <= GATE_UNDO; kind++) {
        set_scene((enum gate_kind)kind);
        s.facts.lag_seconds = 10;
        assert_open(&s);
        s.facts.max_lag_seconds = 10;
        assert_open(&s);
        s.facts.lag_seconds = 10.5;
        assert_holds(&s, HOLD_REPLICATION_LAG, 1);
    }
}

/* ---- waivers ---- */

static void test_a_waiver_lets_its_subject_pass(void **state)
{
    (void)state;
    session.known = false;
    waive(HOLD_SESSION_STRAY, "app/web-1");
    assert_open(&s);
    waive(HOLD_SESSION_STRAY, "app/web-2");
    assert_holds(&s, HOLD_SESSION_STRAY, 1);
    waive(HOLD_SESSION_STRAY, "");
    assert_open(&s);
    waive(HOLD_SESSION_UNPINNED, "");
    assert_holds(&s, HOLD_SESSION_STRAY, 1);
}

static void test_waivers_name_apps_and_standbys(void **state)
{
    (void)state;
    s.app.min_replicas = 9;
    waive(HOLD_FLEET_MISSING, "api");
    assert_holds(&s, HOLD_FLEET_MISSING, 1);
    waive(HOLD_FLEET_MISSING, "web");
    assert_open(&s);
    s.app.min_replicas = 1;
    standby.reachable = false;
    waive(HOLD_STANDBY_UNKNOWN, "reader");
    assert_open(&s);
}

static void test_settling_is_not_waived_after_a_failover(void **state)
{
    (void)state;
    s.facts.settling = 1;
    waive(HOLD_SETTLING, "");
    assert_open(&s);
    s.facts.after_failover = true;
    assert_holds(&s, HOLD_SETTLING, 1);
}

/* docs/design.md §4 names what can be waived. */
static void test_what_can_be_waived(void **state)
{
    static const enum gate_code waivable[] = {
        HOLD_SESSION_STRAY,  HOLD_SESSION_UNPINNED, HOLD_STANDBY_UNKNOWN, HOLD_FLEET_MISSING,
        HOLD_DESIRED_BEHIND, HOLD_SOAKING,          HOLD_SETTLING,        HOLD_UNHEALTHY,
        HOLD_IN_USE};
    (void)state;
    for (enum gate_code code = 0; code < HOLD_CODES; code++) {
        bool expected = false;
        for (size_t i = 0; i < sizeof waivable / sizeof *waivable; i++)
            expected |= waivable[i] == code;
        assert_int_equal(gate_code_is_waivable(code), expected);
    }
}

/* Each for itself; and a contract alone takes names away. */
static void test_statements_hold_until_they_are_waived(void **state)
{
    static const struct gate_statement statements[] = {{"42", NULL}, {"-7", NULL}};
    (void)state;
    s.facts.statements = statements;
    s.facts.statement_count = 2;
    assert_int_equal(look(&s).count, 2);
    waive(HOLD_IN_USE, "42");
    assert_holds(&s, HOLD_IN_USE, 1);
    waive(HOLD_IN_USE, "");
    assert_open(&s);
    s.facts.waiver_count = 0;
    s.facts.kind = GATE_UNDO;
    assert_open(&s);
}

static void test_what_cannot_be_waived_goes_on_holding(void **state)
{
    (void)state;
    s.cohort.range.max = 41;
    waive(HOLD_REPLICA_BEHIND, "");
    assert_holds(&s, HOLD_REPLICA_BEHIND, 3);
    s.cohort.range.max = 42;
    session.pinned = true;
    session.range.max = 41;
    waive(HOLD_SESSION_BEHIND, "");
    assert_holds(&s, HOLD_SESSION_BEHIND, 1);
}

/* ---- the grade ---- */

static void assert_grade(enum gate_evidence evidence)
{
    assert_string_equal(gate_evidence_name(gate_grade(&s.facts)), gate_evidence_name(evidence));
}

static void test_witnessed_is_never_more_than_is_true(void **state)
{
    (void)state;
    assert_grade(EVIDENCE_WITNESSED);
    s.facts.sees_sessions = false; /* no look, or a role that may not see */
    assert_grade(EVIDENCE_REPORTED);
    s.facts.sees_sessions = true;
    standby.reachable = false;
    assert_grade(EVIDENCE_REPORTED);
    standby.reachable = true;
    s.facts.unwitnessed = 1; /* through a pooler, perhaps */
    assert_grade(EVIDENCE_REPORTED);
    s.facts.unwitnessed = 0;
    session.known = false;
    s.facts.strays = STRAYS_IGNORE; /* ignoring it does not make it known */
    assert_grade(EVIDENCE_REPORTED);
    session.known = true;
    s.facts.session_count = 0; /* nobody to see */
    assert_grade(EVIDENCE_REPORTED);
}

static void test_pinned(void **state)
{
    (void)state;
    session.pinned = true;
    assert_grade(EVIDENCE_PINNED);
    session.known = false;
    assert_grade(EVIDENCE_PINNED);
    s.facts.unwitnessed = 1; /* it may use a role that nobody knows */
    assert_grade(EVIDENCE_REPORTED);
    s.facts.roles_configured = true;
    assert_grade(EVIDENCE_PINNED);
    s.facts.sees_sessions = false;
    assert_grade(EVIDENCE_REPORTED);
}

/* A proof is no more than what it rests on: that all sessions can be seen. */
static void test_a_proof_needs_to_see_every_server(void **state)
{
    (void)state;
    s.facts.proved = true;
    assert_grade(EVIDENCE_PROVED);
    standby.reachable = false;
    assert_grade(EVIDENCE_REPORTED);
    standby.reachable = true;
    s.facts.sees_sessions = false;
    assert_grade(EVIDENCE_REPORTED);
}

#define CONTRACT(test) cmocka_unit_test_setup(test, contract_scene)
#define UNDO(test) cmocka_unit_test_setup(test, undo_scene)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CONTRACT(test_a_session_pinned_below_holds),
        UNDO(test_a_session_pinned_above_holds_an_undo),
        CONTRACT(test_pins_that_are_required),
        CONTRACT(test_strays),
        CONTRACT(test_a_standby_that_cannot_be_looked_at),
        CONTRACT(test_outside_hours),
        CONTRACT(test_unhealthy_replicas_of_the_new_release),
        CONTRACT(test_replication_lag_holds_both),
        CONTRACT(test_a_waiver_lets_its_subject_pass),
        CONTRACT(test_waivers_name_apps_and_standbys),
        CONTRACT(test_settling_is_not_waived_after_a_failover),
        CONTRACT(test_what_can_be_waived),
        CONTRACT(test_statements_hold_until_they_are_waived),
        CONTRACT(test_what_cannot_be_waived_goes_on_holding),
        CONTRACT(test_witnessed_is_never_more_than_is_true),
        CONTRACT(test_pinned),
        CONTRACT(test_a_proof_needs_to_see_every_server),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
