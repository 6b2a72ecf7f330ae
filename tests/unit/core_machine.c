/* A migration's life: every phase with every event. What is expected is written by hand from the design, not
 * derived from the table under test. */
#include <support/test.h>

#include <schemagate/core/machine.h>

#include <stdlib.h>
#include <string.h>

#define ORIGIN PHASE_EXPANDED
#define NO PHASES

#define F(fact) FACT_##fact
#define ALL_FACTS ((1u << FACT_BITS) - 1)

static struct machine_step step;
static const char *refusal;

static bool next(enum phase phase, enum machine_event event, unsigned facts)
{
    refusal = NULL;
    return machine_next((struct machine_position){phase, ORIGIN}, event, facts, &step, &refusal);
}

/* ---- every pair, as the plainest migration of its phase sees it ---- */

/* One that is there, has every section, is the newest, has not failed and runs nothing now. */
static const unsigned plain[PHASES] = {
    [PHASE_QUEUED] = F(BACKFILL) | F(CONTRACT) | F(UNDO) | F(NEWEST),
    [PHASE_EXPANDING] = F(BACKFILL) | F(CONTRACT) | F(UNDO) | F(NEWEST),
    [PHASE_BACKFILLING] = F(BACKFILL) | F(CONTRACT) | F(UNDO) | F(NEWEST),
    [PHASE_EXPANDED] = F(BACKFILL) | F(CONTRACT) | F(UNDO) | F(NEWEST) | F(SERVED),
    [PHASE_CONTRACTING] = F(BACKFILL) | F(CONTRACT) | F(UNDO) | F(NEWEST) | F(SERVED) | F(FENCED),
    [PHASE_HIDDEN] = F(BACKFILL) | F(CONTRACT) | F(UNDO) | F(NEWEST) | F(SERVED) | F(HIDES) | F(FLOOR),
    [PHASE_PURGING] = F(BACKFILL) | F(CONTRACT) | F(UNDO) | F(NEWEST) | F(SERVED) | F(FENCED) | F(HIDES) |
                      F(FLOOR),
    [PHASE_RESTORING] = F(BACKFILL) | F(CONTRACT) | F(UNDO) | F(NEWEST) | F(SERVED) | F(HIDES) | F(FLOOR),
    [PHASE_COMPLETE] = F(BACKFILL) | F(UNDO) | F(NEWEST) | F(SERVED),
    [PHASE_UNDOING] = F(BACKFILL) | F(CONTRACT) | F(UNDO) | F(NEWEST) | F(SERVED),
    [PHASE_UNDONE] = F(UNDO) | F(NEWEST),
    [PHASE_CANCELLED] = F(UNDO) | F(NEWEST),
};

#define Q PHASE_QUEUED
#define E PHASE_EXPANDING
#define B PHASE_BACKFILLING
#define X PHASE_EXPANDED
#define C PHASE_CONTRACTING
#define H PHASE_HIDDEN
#define P PHASE_PURGING
#define R PHASE_RESTORING
#define D PHASE_COMPLETE
#define U PHASE_UNDOING
#define Z PHASE_UNDONE
#define K PHASE_CANCELLED

/* Rows: phases; columns: events in the order of enum machine_event. */
static const enum phase expected[PHASES][MACHINE_EVENTS] = {
    /*            turn gate hold verf step phas try  fail reco corr appr paus resu retr undo rest canc */
    [Q] = {E, NO, NO, NO, NO, NO, NO, NO, NO, NO, Q, Q, Q, NO, NO, NO, K},
    [E] = {NO, NO, NO, NO, E, B, E, Q, E, NO, E, E, E, NO, NO, NO, Q},
    [B] = {NO, NO, NO, NO, B, X, B, B, B, NO, B, B, B, NO, NO, NO, B},
    [X] = {NO, C, NO, NO, NO, NO, NO, NO, X, NO, X, X, X, NO, U, NO, NO},
    [C] = {NO, NO, X, C, C, D, X, X, X, NO, C, C, C, NO, NO, NO, NO},
    [H] = {NO, P, NO, NO, NO, NO, NO, NO, H, NO, H, H, H, NO, NO, R, NO},
    [P] = {NO, NO, H, P, P, D, H, H, H, NO, P, P, P, NO, NO, NO, NO},
    [R] = {NO, NO, NO, NO, R, X, R, H, R, NO, R, NO, NO, NO, NO, R, H},
    [D] = {NO, NO, NO, NO, NO, NO, NO, NO, D, NO, NO, NO, NO, NO, U, NO, NO},
    [U] = {NO, U, U, U, U, Z, U, ORIGIN, U, NO, U, U, U, NO, U, NO, ORIGIN},
    [Z] = {NO, NO, NO, NO, NO, NO, NO, NO, Z, NO, NO, NO, NO, NO, NO, NO, NO},
    [K] = {NO, NO, NO, NO, NO, NO, NO, NO, K, Q, NO, NO, NO, NO, NO, NO, K},
};

static void test_every_phase_with_every_event(void **state)
{
    (void)state;
    for (enum phase phase = 0; phase < PHASES; phase++) {
        for (enum machine_event event = 0; event < MACHINE_EVENTS; event++) {
            bool taken = next(phase, event, plain[phase]);
            enum phase wanted = expected[phase][event];
            if (taken != (wanted != NO) || (taken && step.next != wanted))
                fail_msg("%s, %s: %s instead of %s", phase_name(phase), machine_event_name(event),
                         taken ? phase_name(step.next) : "refused",
                         wanted == NO ? "refused" : phase_name(wanted));
        }
    }
}

/* ---- the guards: facts that change what comes ---- */

#define REFUSED PHASES, false, false, ACTION_NONE

static const struct guard {
    enum phase phase;
    enum machine_event event;
    unsigned with, without; /* changes to the plain facts */
    enum phase next;
    bool fails, clears;
    enum machine_action action;
} guards[] = {
    /* Section 2: what a version serves once it is expanded. */
    {E, EVENT_PHASE_DONE, 0, 0, B, false, false, ACTION_RUN},
    {E, EVENT_PHASE_DONE, 0, F(BACKFILL), X, false, false, ACTION_NONE},
    {E, EVENT_PHASE_DONE, 0, F(BACKFILL) | F(CONTRACT), D, false, false, ACTION_NONE},
    {E, EVENT_PHASE_DONE, 0, F(CONTRACT), B, false, false, ACTION_RUN},
    {B, EVENT_PHASE_DONE, 0, 0, X, false, false, ACTION_NONE},
    {B, EVENT_PHASE_DONE, 0, F(CONTRACT), D, false, false, ACTION_NONE},

    /* Section 6: before its first commit a phase that fails is as if it had not begun; after it, it stays. */
    {Q, EVENT_TURN, F(FAILED), 0, REFUSED},
    {Q, EVENT_RETRY, F(FAILED), 0, Q, false, true, ACTION_NONE},
    {Q, EVENT_CORRECTED, F(FAILED), 0, Q, false, true, ACTION_NONE},
    {E, EVENT_STEP_FAILED, 0, 0, Q, true, false, ACTION_NONE},
    {E, EVENT_STEP_FAILED, F(COMMITTED), 0, E, true, false, ACTION_NONE},
    {E, EVENT_RETRY, F(FAILED) | F(COMMITTED), 0, E, false, true, ACTION_RUN},
    {E, EVENT_CORRECTED, F(FAILED) | F(COMMITTED), 0, REFUSED},
    {B, EVENT_STEP_FAILED, 0, 0, B, true, false, ACTION_NONE},
    {B, EVENT_RETRY, F(FAILED), 0, B, false, true, ACTION_RUN},
    {B, EVENT_CORRECTED, F(FAILED), 0, REFUSED},
    {X, EVENT_GATE_OPEN, F(FAILED), 0, REFUSED},
    {X, EVENT_RETRY, F(FAILED), 0, X, false, true, ACTION_NONE},
    {X, EVENT_CORRECTED, F(FAILED), 0, REFUSED},
    {C, EVENT_STEP_FAILED, 0, 0, X, true, false, ACTION_UNFENCE},
    {C, EVENT_STEP_FAILED, F(COMMITTED), 0, C, true, false, ACTION_NONE},
    {C, EVENT_RETRY, F(FAILED) | F(COMMITTED), 0, C, false, true, ACTION_VERIFY},
    {U, EVENT_STEP_FAILED, F(FENCED), 0, ORIGIN, true, false, ACTION_UNFENCE},
    {U, EVENT_STEP_FAILED, F(FENCED) | F(COMMITTED), 0, U, true, false, ACTION_NONE},
    {U, EVENT_RETRY, F(FAILED) | F(COMMITTED), 0, U, false, true, ACTION_VERIFY},

    /* Section 5.3: fence first, then verify, then run; a hold or a failed try reopens admission, unless a
     * breaking step has been committed. */
    {X, EVENT_GATE_OPEN, 0, 0, C, false, false, ACTION_FENCE},
    {C, EVENT_VERIFIED, 0, 0, C, false, false, ACTION_RUN},
    {C, EVENT_HOLD_FOUND, 0, 0, X, false, false, ACTION_UNFENCE},
    {C, EVENT_HOLD_FOUND, F(COMMITTED), 0, C, false, false, ACTION_BACK_OFF},
    {C, EVENT_TRY_FAILED, 0, 0, X, false, false, ACTION_UNFENCE},
    {C, EVENT_TRY_FAILED, F(COMMITTED), 0, C, false, false, ACTION_BACK_OFF},
    {C, EVENT_RECOVERED, 0, 0, X, false, false, ACTION_UNFENCE},
    {C, EVENT_RECOVERED, F(COMMITTED), 0, C, false, false, ACTION_VERIFY},
    {U, EVENT_GATE_OPEN, 0, 0, U, false, false, ACTION_FENCE},
    {U, EVENT_GATE_OPEN, F(FENCED), 0, REFUSED},
    {U, EVENT_GATE_OPEN, F(FAILED), 0, REFUSED},
    {U, EVENT_VERIFIED, F(FENCED), 0, U, false, false, ACTION_RUN},
    {U, EVENT_HOLD_FOUND, F(FENCED), 0, U, false, false, ACTION_UNFENCE},
    {U, EVENT_HOLD_FOUND, F(FENCED) | F(COMMITTED), 0, U, false, false, ACTION_BACK_OFF},
    {U, EVENT_TRY_FAILED, F(FENCED), 0, U, false, false, ACTION_UNFENCE},
    {U, EVENT_TRY_FAILED, F(FENCED) | F(COMMITTED), 0, U, false, false, ACTION_BACK_OFF},
    {U, EVENT_RECOVERED, F(FENCED), 0, U, false, false, ACTION_UNFENCE},
    {U, EVENT_RECOVERED, F(FENCED) | F(COMMITTED), 0, U, false, false, ACTION_VERIFY},

    /* An expand needs no gate: its tries only back off. */
    {E, EVENT_TRY_FAILED, 0, 0, E, false, false, ACTION_BACK_OFF},
    {B, EVENT_TRY_FAILED, 0, 0, B, false, false, ACTION_BACK_OFF},
    {E, EVENT_RECOVERED, F(COMMITTED), 0, E, false, false, ACTION_RUN},
    {B, EVENT_RECOVERED, F(COMMITTED), 0, B, false, false, ACTION_RUN},

    /* Undo: from what is expanded and not contracted; only with a section for it. */
    {Q, EVENT_UNDO, F(FAILED), 0, REFUSED},
    {E, EVENT_UNDO, F(FAILED) | F(COMMITTED), 0, U, false, true, ACTION_NONE},
    {E, EVENT_UNDO, F(FAILED) | F(COMMITTED), F(UNDO), REFUSED},
    {B, EVENT_UNDO, F(FAILED), 0, U, false, true, ACTION_NONE},
    {B, EVENT_UNDO, F(FAILED), F(UNDO), REFUSED},
    {X, EVENT_UNDO, F(FAILED), 0, U, false, true, ACTION_NONE},
    {X, EVENT_UNDO, 0, F(UNDO), REFUSED},
    {C, EVENT_UNDO, F(FAILED) | F(COMMITTED), 0, REFUSED},
    {D, EVENT_UNDO, 0, 0, U, false, true, ACTION_NONE},
    {D, EVENT_UNDO, F(CONTRACT), 0, REFUSED},
    {D, EVENT_UNDO, 0, F(NEWEST), REFUSED},
    {D, EVENT_UNDO, 0, F(UNDO), REFUSED},

    /* Cancel: a running statement; what has not begun; an undo that waits. */
    {Q, EVENT_CANCEL, F(FAILED), 0, K, false, true, ACTION_NONE},
    {E, EVENT_CANCEL, F(RUNNING), 0, E, false, false, ACTION_CANCEL_TRY},
    {E, EVENT_CANCEL, 0, 0, Q, true, false, ACTION_NONE},
    {E, EVENT_CANCEL, F(COMMITTED), 0, E, true, false, ACTION_NONE},
    {E, EVENT_CANCEL, F(FAILED) | F(COMMITTED), 0, REFUSED},
    {B, EVENT_CANCEL, F(RUNNING), 0, B, false, false, ACTION_CANCEL_TRY},
    {B, EVENT_CANCEL, F(COMMITTED), 0, B, true, false, ACTION_NONE},
    {B, EVENT_CANCEL, F(FAILED), 0, REFUSED},
    {C, EVENT_CANCEL, F(RUNNING), 0, C, false, false, ACTION_CANCEL_TRY},
    {C, EVENT_CANCEL, F(FAILED) | F(COMMITTED), 0, REFUSED},
    {U, EVENT_CANCEL, F(RUNNING) | F(FENCED), 0, U, false, false, ACTION_CANCEL_TRY},
    {U, EVENT_CANCEL, 0, 0, ORIGIN, false, true, ACTION_NONE},
    {U, EVENT_CANCEL, 0, F(SERVED), ORIGIN, true, false, ACTION_NONE},
    {U, EVENT_CANCEL, F(FENCED), 0, REFUSED},
    {U, EVENT_CANCEL, F(COMMITTED), 0, REFUSED},
    {K, EVENT_CORRECTED, 0, 0, Q, false, true, ACTION_NONE},

    /* Reversible contracts: hidden first, then purged through the same gate, or restored without one. */
    {C, EVENT_PHASE_DONE, 0, 0, D, false, false, ACTION_NONE},
    {C, EVENT_PHASE_DONE, F(HIDES), 0, H, false, false, ACTION_NONE},
    {H, EVENT_GATE_OPEN, 0, 0, P, false, false, ACTION_FENCE},
    {H, EVENT_GATE_OPEN, F(FAILED), 0, REFUSED},
    {H, EVENT_GATE_OPEN, F(FENCED), 0, REFUSED},
    {H, EVENT_RETRY, F(FAILED), 0, H, false, true, ACTION_NONE},
    {H, EVENT_UNDO, 0, 0, REFUSED},
    {H, EVENT_RESTORE, 0, 0, R, false, true, ACTION_RUN},
    {H, EVENT_RESTORE, F(FAILED), 0, R, false, true, ACTION_RUN},
    {H, EVENT_RESTORE, 0, F(FLOOR), REFUSED},
    {H, EVENT_RESTORE, F(FENCED), 0, REFUSED},
    {P, EVENT_VERIFIED, 0, 0, P, false, false, ACTION_RUN},
    {P, EVENT_HOLD_FOUND, 0, 0, H, false, false, ACTION_UNFENCE},
    {P, EVENT_HOLD_FOUND, F(COMMITTED), 0, P, false, false, ACTION_BACK_OFF},
    {P, EVENT_TRY_FAILED, 0, 0, H, false, false, ACTION_UNFENCE},
    {P, EVENT_TRY_FAILED, F(COMMITTED), 0, P, false, false, ACTION_BACK_OFF},
    {P, EVENT_STEP_FAILED, 0, 0, H, true, false, ACTION_UNFENCE},
    {P, EVENT_STEP_FAILED, F(COMMITTED), 0, P, true, false, ACTION_NONE},
    {P, EVENT_RECOVERED, 0, 0, H, false, false, ACTION_UNFENCE},
    {P, EVENT_RECOVERED, F(COMMITTED), 0, P, false, false, ACTION_VERIFY},
    {P, EVENT_RETRY, F(FAILED) | F(COMMITTED), 0, P, false, true, ACTION_VERIFY},
    {P, EVENT_RESTORE, F(COMMITTED), 0, REFUSED},
    {P, EVENT_CANCEL, F(RUNNING), 0, P, false, false, ACTION_CANCEL_TRY},
    {R, EVENT_TRY_FAILED, 0, 0, R, false, false, ACTION_BACK_OFF},
    {R, EVENT_STEP_FAILED, 0, 0, H, true, false, ACTION_NONE},
    {R, EVENT_STEP_FAILED, F(COMMITTED), 0, R, true, false, ACTION_NONE},
    {R, EVENT_RETRY, F(FAILED) | F(COMMITTED), 0, R, false, true, ACTION_RUN},
    {R, EVENT_RESTORE, F(FAILED) | F(COMMITTED), 0, R, false, true, ACTION_RUN},
    {R, EVENT_RECOVERED, F(COMMITTED), 0, R, false, false, ACTION_RUN},
    {R, EVENT_CANCEL, F(RUNNING), 0, R, false, false, ACTION_CANCEL_TRY},
    {R, EVENT_CANCEL, 0, 0, H, false, true, ACTION_NONE},
    {R, EVENT_CANCEL, F(COMMITTED), 0, REFUSED},
};

static void test_guards(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof guards / sizeof *guards; i++) {
        const struct guard *g = &guards[i];
        bool taken = next(g->phase, g->event, (plain[g->phase] | g->with) & ~g->without);
        bool right = taken == (g->next != PHASES) &&
                     (!taken || (step.next == g->next && step.fails == g->fails &&
                                 step.clears == g->clears && step.action == g->action));
        if (!right)
            fail_msg("guard %zu: %s, %s: %s%s%s, %s", i, phase_name(g->phase),
                     machine_event_name(g->event), taken ? phase_name(step.next) : "refused",
                     taken && step.fails ? ", fails" : "", taken && step.clears ? ", clears" : "",
                     taken ? machine_action_name(step.action) : refusal);
    }
}

/* ---- what must hold under all facts ---- */

static void each(void (*check)(enum phase phase, enum machine_event event, unsigned facts, bool taken))
{
    for (enum phase phase = 0; phase < PHASES; phase++)
        for (enum machine_event event = 0; event < MACHINE_EVENTS; event++)
            for (unsigned facts = 0; facts <= ALL_FACTS; facts++)
                check(phase, event, facts, next(phase, event, facts));
}

static void check_said(enum phase phase, enum machine_event event, unsigned facts, bool taken)
{
    (void)phase, (void)event, (void)facts;
    const char *said = taken ? step.comment : refusal;
    assert_non_null(said);
    assert_true(*said != '\0');
    assert_false(taken && step.fails && step.clears);
}

static void test_every_pair_says_why(void **state)
{
    (void)state;
    each(check_said);
}

static void check_contracting(enum phase phase, enum machine_event event, unsigned facts, bool taken)
{
    if (!taken)
        return;
    if (step.next == C && phase != C) { /* only the gate leads there, and only behind a fence */
        assert_int_equal(phase, X);
        assert_int_equal(event, EVENT_GATE_OPEN);
        assert_int_equal(step.action, ACTION_FENCE);
        assert_false(facts & F(FAILED));
    }
    if (phase == C && step.action == ACTION_RUN) /* nothing runs that was not verified */
        assert_true(event == EVENT_VERIFIED || event == EVENT_STEP_DONE);
    if (phase == C && step.next == X) { /* admission reopens, and only before the first commit */
        assert_int_equal(step.action, ACTION_UNFENCE);
        assert_false(facts & F(COMMITTED));
    }
    if (phase == C)
        assert_true(step.next == C || step.next == X ||
                    ((step.next == D || step.next == H) && event == EVENT_PHASE_DONE));
}

/* What was hidden is gone after its gate alone, and comes back only while the floor can fall. */
static void check_hidden(enum phase phase, enum machine_event event, unsigned facts, bool taken)
{
    if (!taken)
        return;
    if (step.next == H && phase != H)
        assert_true((phase == C && event == EVENT_PHASE_DONE && facts & F(HIDES)) ||
                    ((phase == P || phase == R) && !(facts & F(COMMITTED))));
    if (step.next == P && phase != P)
        assert_true(phase == H && event == EVENT_GATE_OPEN && step.action == ACTION_FENCE &&
                    !(facts & F(FAILED)));
    if (phase == P && step.action == ACTION_RUN)
        assert_true(event == EVENT_VERIFIED || event == EVENT_STEP_DONE);
    if (step.next == R && phase != R)
        assert_true(phase == H && event == EVENT_RESTORE && facts & F(FLOOR));
    if (phase == R && step.next == X)
        assert_int_equal(event, EVENT_PHASE_DONE);
}

static void test_what_is_hidden_is_purged_by_its_gate_or_restored(void **state)
{
    (void)state;
    each(check_hidden);
}

static void test_contracting_is_entered_by_its_gate_and_left_before_the_first_commit(void **state)
{
    (void)state;
    each(check_contracting);
}

static void check_final(enum phase phase, enum machine_event event, unsigned facts, bool taken)
{
    (void)facts;
    if (!taken || !phase_is_final(phase) || step.next == phase)
        return;
    assert_true((phase == D && step.next == U && event == EVENT_UNDO && !(facts & F(CONTRACT))) ||
                (phase == K && step.next == Q && event == EVENT_CORRECTED));
}

static void test_what_has_ended_stays_ended(void **state)
{
    (void)state;
    each(check_final);
}

/* Unfencing where something is committed would open admission to what is half gone. */
static void check_unfence(enum phase phase, enum machine_event event, unsigned facts, bool taken)
{
    (void)event;
    if (!taken || step.action != ACTION_UNFENCE)
        return;
    assert_true(phase == C || phase == P || phase == U);
    assert_false(facts & F(COMMITTED));
}

static void test_nothing_half_done_is_unfenced(void **state)
{
    (void)state;
    each(check_unfence);
}

static void test_an_undo_returns_to_where_it_came_from(void **state)
{
    static const enum phase origins[] = {E, B, X, D};
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        struct machine_position at = {U, origins[i]};
        assert_true(machine_next(at, EVENT_CANCEL, 0, &step, &refusal));
        assert_int_equal(step.next, origins[i]);
        assert_true(machine_next(at, EVENT_STEP_FAILED, F(FENCED), &step, &refusal));
        assert_int_equal(step.next, origins[i]);
    }
}

static void test_names_are_read_back(void **state)
{
    static const char *const names[PHASES] = {"queued",      "expanding", "backfilling", "expanded",
                                              "contracting", "hidden",    "purging",     "restoring",
                                              "complete",    "undoing",   "undone",      "cancelled"};
    enum phase phase;
    (void)state;
    for (enum phase p = 0; p < PHASES; p++) {
        assert_string_equal(phase_name(p), names[p]);
        assert_true(phase_parse(names[p], &phase));
        assert_int_equal(phase, p);
        assert_int_equal(phase_is_final(p), p == D || p == Z || p == K);
        assert_int_equal(phase_is_expanded(p), p == X || p == C || p == H || p == P || p == R || p == D);
        assert_int_equal(phase_is_contracted(p), p == H || p == P || p == D);
    }
    assert_false(phase_parse("kept", &phase));
    assert_false(phase_parse("(before the undo)", &phase));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_phase_with_every_event),
        cmocka_unit_test(test_guards),
        cmocka_unit_test(test_every_pair_says_why),
        cmocka_unit_test(test_contracting_is_entered_by_its_gate_and_left_before_the_first_commit),
        cmocka_unit_test(test_what_is_hidden_is_purged_by_its_gate_or_restored),
        cmocka_unit_test(test_what_has_ended_stays_ended),
        cmocka_unit_test(test_nothing_half_done_is_unfenced),
        cmocka_unit_test(test_an_undo_returns_to_where_it_came_from),
        cmocka_unit_test(test_names_are_read_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
