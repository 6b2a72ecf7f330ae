/* The gate: each hold by itself, the order, the cost; and the one invariant (docs/design.md §2, §4). */
#include "gate_scene.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the holds of a contract ---- */

static struct scene s;

static int contract_scene(void **state)
{
    (void)state;
    open_scene(&s, GATE_CONTRACT);
    return 0;
}

static int undo_scene(void **state)
{
    (void)state;
    open_scene(&s, GATE_UNDO);
    return 0;
}

static void test_it_is_open_where_nothing_holds(void **state)
{
    (void)state;
    assert_open(&s);
    open_scene(&s, GATE_UNDO);
    assert_open(&s);
}

static void test_replica_behind(void **state)
{
    (void)state;
    s.cohort.range.max = 41;
    struct seen seen = assert_holds(&s, HOLD_REPLICA_BEHIND, 3);
    assert_ptr_equal(seen.app, &s.app);
    assert_ptr_equal(seen.cohort, &s.cohort);
    assert_int_equal(gate_behind(&s.facts), 3);
}

static void test_replica_lost_holds_as_if_it_were_live(void **state)
{
    (void)state;
    s.cohort.range.max = 41;
    s.cohort.lost = 2;
    s.cohort.live = 0;
    assert_holds(&s, HOLD_REPLICA_LOST, 2);
    assert_int_equal(gate_behind(&s.facts), 2);
    s.cohort.range.max = 42;
    assert_open(&s);
}

static void test_a_cohort_without_live_or_lost_members_holds_nothing(void **state)
{
    (void)state;
    s.cohort.range.max = 41;
    s.cohort.live = 0;
    assert_open(&s);
}

static void test_a_release_that_lists_its_versions_without_this_one_is_behind(void **state)
{
    const struct gate_knows without[] = {{40, "sha256:40"}, {41, "sha256:41"}},
                            another[] = {{41, "sha256:41"}, {42, "sha256:x"}},
                            same[] = {{41, "sha256:41"}, {42, CHECKSUM}, {43, "sha256:43"}};
    (void)state;
    s.cohort.knows = without;
    s.cohort.knows_count = 2;
    assert_holds(&s, HOLD_REPLICA_BEHIND, 3);
    s.cohort.knows = another;
    assert_holds(&s, HOLD_REPLICA_BEHIND, 3);
    s.cohort.knows = same;
    s.cohort.knows_count = 3;
    assert_open(&s);
    s.cohort.range.max = 41; /* listing it does not help one that cannot work with it */
    assert_holds(&s, HOLD_REPLICA_BEHIND, 3);
}

static void test_compatible_after_all(void **state)
{
    const struct gate_knows without[] = {{41, "sha256:41"}};
    (void)state;
    s.cohort.range.max = 41;
    s.cohort.compatible_max = 41;
    assert_holds(&s, HOLD_REPLICA_BEHIND, 3);
    s.cohort.compatible_max = 42;
    assert_open(&s);
    s.cohort.knows = without;
    s.cohort.knows_count = 1;
    assert_open(&s);
}

static void test_desired_behind(void **state)
{
    (void)state;
    s.app.desired = (struct version_range){40, 41};
    assert_open(&s); /* nothing was declared */
    s.app.has_desired = true;
    assert_ptr_equal(assert_holds(&s, HOLD_DESIRED_BEHIND, 1).app, &s.app);
    s.app.desired.max = 42;
    assert_open(&s);
}

static void test_fleet_missing(void **state)
{
    (void)state;
    s.app.min_replicas = 4;
    assert_ptr_equal(assert_holds(&s, HOLD_FLEET_MISSING, 1).app, &s.app);
    s.app.min_replicas = 3;
    assert_open(&s);
    s.app.min_replicas = 0;
    s.app.live = s.cohort.live = 0; /* it scales to nothing */
    assert_open(&s);
    s.facts.app_count = 0; /* nobody has ever reported */
    assert_null(assert_holds(&s, HOLD_FLEET_MISSING, 1).app);
}

static void test_earlier_migration(void **state)
{
    (void)state;
    s.facts.earlier = 41;
    assert_int_equal(assert_holds(&s, HOLD_EARLIER_MIGRATION, 1).version, 41);
    s.facts.earlier = 0;
    s.facts.later = 43; /* does not concern a contract */
    assert_open(&s);
}

static void test_settling_paused_approval(void **state)
{
    (void)state;
    s.facts.settling = 7;
    assert_holds(&s, HOLD_SETTLING, 1);
    s.facts.settling = 0;
    s.facts.paused = true;
    assert_holds(&s, HOLD_PAUSED, 1);
    s.facts.paused = false;
    s.facts.approval_missing = true;
    assert_holds(&s, HOLD_AWAITING_APPROVAL, 1);
}

static void test_soaking(void **state)
{
    (void)state;
    s.facts.soak_ms = 60000;
    assert_holds(&s, HOLD_SOAKING, 1);
    s.facts.soak_elapsed_ms = 59999;
    assert_holds(&s, HOLD_SOAKING, 1);
    s.facts.soak_elapsed_ms = 60000;
    assert_open(&s);
}

/* ---- the holds of an undo ---- */

static void test_replica_ahead(void **state)
{
    (void)state;
    s.cohort.range = (struct version_range){42, 42};
    assert_holds(&s, HOLD_REPLICA_AHEAD, 3);
    s.cohort.lost = 1;
    s.cohort.live = 0;
    assert_holds(&s, HOLD_REPLICA_LOST, 1);
    s.cohort.range.min = 41;
    assert_open(&s);
}

static void test_undo_has_its_own_holds(void **state)
{
    (void)state;
    s.facts.later = 43;
    assert_int_equal(assert_holds(&s, HOLD_LATER_MIGRATION, 1).version, 43);
    s.facts.later = 0;
    s.facts.settling = 1;
    assert_holds(&s, HOLD_SETTLING, 1);
    s.facts.settling = 0;
    s.facts.paused = true;
    assert_holds(&s, HOLD_PAUSED, 1);
    s.facts.paused = false;
    s.facts.approval_missing = true;
    assert_holds(&s, HOLD_AWAITING_APPROVAL, 1);
    s.facts.approval_missing = false;

    /* These are a contract's. */
    s.facts.earlier = 41;
    s.facts.soak_ms = 1000;
    s.app.min_replicas = 9;
    s.app.has_desired = true;
    s.cohort.range.max = 41;
    assert_open(&s);
}

/* Where nothing would be left to serve, everybody is ahead. */
static void test_undo_of_the_last_served_version(void **state)
{
    (void)state;
    s.facts.previous = -1;
    s.cohort.range.min = 0;
    assert_holds(&s, HOLD_REPLICA_AHEAD, 3);
}

/* ---- the list ---- */

static void test_worst_first(void **state)
{
    (void)state;
    s.cohort = (struct gate_cohort){.range = {40, 41}, .live = 1, .lost = 1};
    s.app.has_desired = true;
    s.app.min_replicas = 9;
    s.facts = (struct gate_facts){.kind = GATE_CONTRACT,
                                  .version = 42,
                                  .checksum = CHECKSUM,
                                  .apps = s.apps,
                                  .app_count = 1,
                                  .settling = 1,
                                  .earlier = 41,
                                  .paused = true,
                                  .approval_missing = true,
                                  .soak_ms = 1};
    struct seen seen = look(&s);
    assert_int_equal(seen.count, 9);
    for (size_t i = 1; i < seen.count; i++)
        assert_true(seen.codes[i - 1] < seen.codes[i]);
    assert_int_equal(seen.codes[0], HOLD_REPLICA_LOST);
}

/* A hundred million members cost what one does: each cohort is told once. */
static void test_the_cost_does_not_grow_with_the_members(void **state)
{
    (void)state;
    s.cohort.range.max = 41;
    s.cohort.live = 60000000;
    s.cohort.lost = 40000000;
    struct seen seen = look(&s);
    assert_int_equal(seen.count, 2);
    assert_int_equal(seen.counts[0] + seen.counts[1], 100000000);
}

static void test_names(void **state)
{
    static const char *const names[HOLD_CODES] = {
        "replica-lost",      "replica-behind",    "replica-ahead",     "session-behind",
        "session-ahead",     "session-unpinned",  "session-stray",     "standby-unknown",
        "desired-behind",    "fleet-missing",     "earlier-migration", "later-migration",
        "settling",          "paused",            "awaiting-approval", "outside-hours",
        "unhealthy",         "in-use",            "replication-lag",   "soaking"};
    (void)state;
    for (enum gate_code code = 0; code < HOLD_CODES; code++) {
        assert_string_equal(gate_code_name(code), names[code]);
        assert_true(strlen(gate_code_clears_when(code)) > 0);
        enum gate_code parsed = HOLD_CODES;
        assert_true(gate_code_parse(names[code], &parsed));
        assert_int_equal(parsed, code);
    }
}

/* ---- the invariant, by brute force ---- */

#define TOP 5

/* Served: version 0 … TOP by the bits of `code`. */
static void set_served(unsigned code, int64_t served[TOP + 1], struct window_view *view)
{
    *view = (struct window_view){.served = served, .latest = TOP};
    for (int64_t version = 0; version <= TOP; version++)
        if (code & (1u << version))
            served[view->served_count++] = version;
    if (view->served_count > 0)
        view->window = (struct window){served[0], served[view->served_count - 1], 0, 0};
}

static bool gate_lets_pass(enum gate_kind kind, int64_t version, int64_t previous,
                           struct version_range range, bool lost)
{
    struct scene scene;
    open_scene(&scene, kind);
    scene.cohort.range = range;
    scene.cohort.live = lost ? 0 : 1;
    scene.cohort.lost = lost ? 1 : 0;
    scene.app.min_replicas = 0;
    scene.facts.version = version;
    scene.facts.previous = previous;
    return gate_evaluate(&scene.facts, NULL, NULL) == 0;
}

static unsigned passages;

/* What is served before and after; a range that is covered now must be then, if the gate opens. */
static void check_step(enum gate_kind kind, const struct window_view *before, int64_t version,
                       const struct window_view *after)
{
    for (int64_t min = 0; min <= TOP; min++) {
        for (int64_t max = min; max <= TOP + 1; max++) {
            struct version_range range = {min, max};
            for (int lost = 0; lost <= 1; lost++) {
                if (!window_covers(before, range) ||
                    !gate_lets_pass(kind, version, window_previous(before, version), range, lost))
                    continue;
                passages++;
                if (!window_covers(after, range))
                    fail_msg("%s %d leaves %d..%d without a version",
                             kind == GATE_CONTRACT ? "contract" : "undo", (int)version, (int)min,
                             (int)max);
            }
        }
    }
}

static void test_no_live_range_loses_its_last_served_version(void **state)
{
    (void)state;
    passages = 0;
    for (unsigned code = 1; code < 1u << (TOP + 1); code++) {
        int64_t served[TOP + 1], rest[TOP + 1];
        struct window_view before, after;
        set_served(code, served, &before);
        for (int64_t version = 1; version <= TOP; version++) {
            if (!window_serves(&before, version))
                continue;
            set_served(code & ~((1u << version) - 1), rest, &after); /* nothing below it is left */
            check_step(GATE_CONTRACT, &before, version, &after);
            if (version != before.window.ceiling)
                continue;
            set_served(code & ~(1u << version), rest, &after);
            check_step(GATE_UNDO, &before, version, &after);
        }
    }
    assert_true(passages > 1000);
}

/* The gate is not only safe: whoever does not need what goes does not hold it. */
static void test_nobody_holds_without_need(void **state)
{
    (void)state;
    for (int64_t min = 0; min <= TOP; min++) {
        for (int64_t max = min; max <= TOP + 1; max++) {
            struct version_range range = {min, max};
            assert_int_equal(gate_lets_pass(GATE_CONTRACT, 3, 2, range, false), max >= 3);
            assert_int_equal(gate_lets_pass(GATE_UNDO, 3, 2, range, false), min <= 2);
        }
    }
}

/* Whoever is admitted behind a fence does not hold the gate that it belongs to. */
static void test_admission_behind_the_fence_and_the_gate_agree(void **state)
{
    (void)state;
    for (unsigned code = 1; code < 1u << (TOP + 1); code++) {
        int64_t served[TOP + 1];
        struct window_view view;
        set_served(code, served, &view);
        for (int64_t version = 1; version <= TOP; version++) {
            if (!window_serves(&view, version))
                continue;
            for (int64_t min = 0; min <= TOP; min++) {
                for (int64_t max = min; max <= TOP + 1; max++) {
                    struct version_range range = {min, max};
                    int64_t previous = window_previous(&view, version);
                    view.window.contracting = version;
                    if (window_admit(&view, range) == ADMISSION_LIVE)
                        assert_true(gate_lets_pass(GATE_CONTRACT, version, previous, range, false));
                    view.window.contracting = 0;
                    view.window.undoing = version;
                    if (version == view.window.ceiling && window_admit(&view, range) == ADMISSION_LIVE)
                        assert_true(gate_lets_pass(GATE_UNDO, version, previous, range, false));
                    view.window.undoing = 0;
                }
            }
        }
    }
}

#define CONTRACT(test) cmocka_unit_test_setup(test, contract_scene)
#define UNDO(test) cmocka_unit_test_setup(test, undo_scene)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CONTRACT(test_it_is_open_where_nothing_holds),
        CONTRACT(test_replica_behind),
        CONTRACT(test_replica_lost_holds_as_if_it_were_live),
        CONTRACT(test_a_cohort_without_live_or_lost_members_holds_nothing),
        CONTRACT(test_a_release_that_lists_its_versions_without_this_one_is_behind),
        CONTRACT(test_compatible_after_all),
        CONTRACT(test_desired_behind),
        CONTRACT(test_fleet_missing),
        CONTRACT(test_earlier_migration),
        CONTRACT(test_settling_paused_approval),
        CONTRACT(test_soaking),
        UNDO(test_replica_ahead),
        UNDO(test_undo_has_its_own_holds),
        UNDO(test_undo_of_the_last_served_version),
        CONTRACT(test_worst_first),
        CONTRACT(test_the_cost_does_not_grow_with_the_members),
        CONTRACT(test_names),
        cmocka_unit_test(test_no_live_range_loses_its_last_served_version),
        cmocka_unit_test(test_nobody_holds_without_need),
        cmocka_unit_test(test_admission_behind_the_fence_and_the_gate_agree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
