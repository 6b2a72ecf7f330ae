/* Admission to the window (docs/design.md §2), and the back-off between tries. */
#include <support/test.h>

#include <schemagate/core/retry.h>
#include <schemagate/core/window.h>

#include <string.h>

/* ---- admission, row by row ---- */

/* The baseline 40, and 41, 42, 44 above it; 43 was undone, 45 is queued; 46 was cancelled. */
static const struct window_view view = {
    .window = {40, 44, 0, 0},
    .served = (const int64_t[]){40, 41, 42, 44},
    .served_count = 4,
    .pending = (const int64_t[]){45},
    .pending_count = 1,
    .latest = 46,
};

static enum admission admit(int64_t min, int64_t max)
{
    return window_admit(&view, (struct version_range){min, max});
}

static enum admission admit_while(int64_t contracting, int64_t undoing, int64_t min, int64_t max)
{
    struct window_view under_way = view;
    under_way.window.contracting = contracting;
    under_way.window.undoing = undoing;
    return window_admit(&under_way, (struct version_range){min, max});
}

static void test_below_the_floor_is_too_old(void **state)
{
    (void)state;
    assert_int_equal(admit(1, 39), ADMISSION_TOO_OLD);
    assert_int_equal(admit(0, 0), ADMISSION_TOO_OLD);
    assert_int_equal(admit(1, 40), ADMISSION_LIVE);
}

static void test_one_served_version_is_enough(void **state)
{
    (void)state;
    assert_int_equal(admit(41, 41), ADMISSION_LIVE);
    assert_int_equal(admit(44, 99), ADMISSION_LIVE);
    assert_int_equal(admit(0, SCHEMA_VERSION_MAX), ADMISSION_LIVE);
    assert_int_equal(admit(43, 44), ADMISSION_LIVE);
}

static void test_above_the_ceiling_waits(void **state)
{
    (void)state;
    assert_int_equal(admit(45, 45), ADMISSION_WAITING); /* queued */
    assert_int_equal(admit(45, 46), ADMISSION_WAITING);
    assert_int_equal(admit(47, 47), ADMISSION_WAITING); /* not submitted yet */
    assert_int_equal(admit(46, 47), ADMISSION_WAITING);
}

static void test_what_was_undone_or_cancelled_never_comes(void **state)
{
    (void)state;
    assert_int_equal(admit(43, 43), ADMISSION_NEVER);
    assert_int_equal(admit(46, 46), ADMISSION_NEVER);
    assert_int_equal(admit(43, 45), ADMISSION_LIVE); /* 44 */
}

static void test_a_contract_under_way_closes_admission_below_it(void **state)
{
    (void)state;
    assert_int_equal(admit_while(42, 0, 40, 41), ADMISSION_TOO_OLD);
    assert_int_equal(admit_while(42, 0, 40, 42), ADMISSION_LIVE);
    assert_int_equal(admit_while(44, 0, 42, 43), ADMISSION_TOO_OLD);
    assert_int_equal(admit_while(42, 0, 44, 44), ADMISSION_LIVE);
    assert_int_equal(admit_while(42, 0, 43, 43), ADMISSION_NEVER);
    /* Covering it does not help one whose other versions are gone: only 42 and above count. */
    assert_int_equal(admit_while(42, 0, 41, 43), ADMISSION_LIVE);
}

static void test_an_undo_under_way_makes_those_wait_who_need_it(void **state)
{
    (void)state;
    assert_int_equal(admit_while(0, 44, 44, 44), ADMISSION_WAITING);
    assert_int_equal(admit_while(0, 44, 43, 44), ADMISSION_WAITING); /* min > prev(44) = 42 */
    assert_int_equal(admit_while(0, 44, 42, 44), ADMISSION_LIVE);
    assert_int_equal(admit_while(0, 44, 44, 45), ADMISSION_WAITING);
    assert_int_equal(admit_while(0, 44, 43, 43), ADMISSION_NEVER);
    assert_int_equal(admit_while(41, 44, 40, 41), ADMISSION_LIVE); /* both at once */
    assert_int_equal(admit_while(41, 44, 40, 40), ADMISSION_TOO_OLD);
}

static void test_before_anything_is_there(void **state)
{
    const struct window_view empty = {.served = (const int64_t[]){0}, .served_count = 1};
    (void)state;
    assert_int_equal(window_admit(&empty, (struct version_range){0, 0}), ADMISSION_LIVE);
    assert_int_equal(window_admit(&empty, (struct version_range){0, 9}), ADMISSION_LIVE);
    assert_int_equal(window_admit(&empty, (struct version_range){1, 1}), ADMISSION_WAITING);
    assert_int_equal(window_admit(&empty, (struct version_range){20261120093000, SCHEMA_VERSION_MAX}),
                     ADMISSION_WAITING);
}

static void test_before_and_serves(void **state)
{
    (void)state;
    assert_int_equal(window_previous(&view, 45), 44);
    assert_int_equal(window_previous(&view, 44), 42);
    assert_int_equal(window_previous(&view, 41), 40);
    assert_int_equal(window_previous(&view, 40), -1);
    assert_true(window_serves(&view, 44));
    assert_false(window_serves(&view, 43));
    assert_true(window_covers(&view, (struct version_range){43, 44}));
    assert_false(window_covers(&view, (struct version_range){43, 43}));
}

/* ---- every small window ---- */

#define TOP 5 /* versions 0 … TOP */

struct small {
    int64_t served[TOP + 1], pending[TOP + 1];
    struct window_view view;
};

/* Each version in turn: served, pending, or neither (two bits). False where it is no window. */
static bool make(unsigned code, int64_t contracting, int64_t undoing, struct small *small)
{
    *small = (struct small){.view = {.latest = TOP}};
    struct window_view *v = &small->view;

    for (int64_t version = 0; version <= TOP; version++, code /= 3) {
        if (code % 3 == 1)
            small->served[v->served_count++] = version;
        if (code % 3 == 2)
            small->pending[v->pending_count++] = version;
    }
    v->served = small->served;
    v->pending = small->pending;
    if (v->served_count == 0)
        return false;
    int64_t lowest = small->served[0], highest = small->served[v->served_count - 1];
    v->window = (struct window){lowest, highest, contracting, undoing};
    bool ordered = v->pending_count == 0 || small->pending[0] > highest;
    bool contracts = contracting == 0 || (contracting > lowest && window_serves(v, contracting));
    bool undoes = undoing == 0 || (undoing == highest && undoing > lowest && undoing != contracting);
    return ordered && contracts && undoes;
}

/* The rules once more, version by version. */
static enum admission by_hand(const struct window_view *v, struct version_range range)
{
    bool may_come = range.max > v->latest;

    if (range.max < v->window.floor || range.max < v->window.contracting)
        return ADMISSION_TOO_OLD;
    for (size_t i = 0; i < v->served_count; i++) {
        int64_t version = v->served[i];
        bool in = range.min <= version && version <= range.max;
        bool goes = v->window.undoing > 0 && version == v->window.undoing;
        if (in && version >= v->window.contracting && !goes)
            return ADMISSION_LIVE;
        if (in && goes)
            may_come = true; /* the undo may fail */
    }
    for (size_t i = 0; i < v->pending_count; i++)
        if (range.min <= v->pending[i] && v->pending[i] <= range.max)
            may_come = true;
    return may_come ? ADMISSION_WAITING : ADMISSION_NEVER;
}

static void test_every_small_window_and_range(void **state)
{
    unsigned windows = 0;
    (void)state;
    for (unsigned code = 0; code < 729; code++) {
        for (int64_t contracting = 0; contracting <= TOP; contracting++) {
            for (int64_t undoing = 0; undoing <= TOP; undoing++) {
                struct small small;
                if (!make(code, contracting, undoing, &small))
                    continue;
                windows++;
                for (int64_t min = 0; min <= TOP + 1; min++) {
                    for (int64_t max = min; max <= TOP + 2; max++) {
                        struct version_range range = {min, max};
                        enum admission got = window_admit(&small.view, range),
                                       wanted = by_hand(&small.view, range);
                        if (got != wanted)
                            fail_msg("window %u, contracting %d, undoing %d, range %d..%d: %d, not %d", code,
                                     (int)contracting, (int)undoing, (int)min, (int)max, got, wanted);
                    }
                }
            }
        }
    }
    assert_true(windows > 500);
}

/* ---- back-off ---- */

static const struct retry_policy policy = {.first_ms = 500, .max_ms = 8000, .for_ms = 60000};

static void test_delays_double_up_to_their_bound(void **state)
{
    const int64_t plain[] = {500, 1000, 2000, 4000, 8000, 8000};
    (void)state;
    for (unsigned attempt = 1; attempt <= 6; attempt++) {
        assert_int_equal(retry_delay_ms(&policy, attempt, 0, 0), plain[attempt - 1] / 2);
        assert_int_equal(retry_delay_ms(&policy, attempt, 0, UINT32_MAX), plain[attempt - 1] * 3 / 2);
    }
    assert_int_equal(retry_delay_ms(&policy, UINT32_MAX, 0, 0), 4000);
}

static void test_tries_end(void **state)
{
    (void)state;
    assert_true(retry_delay_ms(&policy, 9, 59999, 0) > 0);
    assert_int_equal(retry_delay_ms(&policy, 9, 60000, 0), -1);
}

static void test_a_floor_falls_to_the_contract_before_it(void **state)
{
    static const int64_t contracted[] = {45, 41, 44, 42};
    (void)state;
    assert_int_equal(window_floor_below(contracted, 4, 40, 45), 44);
    assert_int_equal(window_floor_below(contracted, 4, 40, 44), 42);
    assert_int_equal(window_floor_below(contracted, 4, 40, 43), 42);
    assert_int_equal(window_floor_below(contracted, 4, 40, 41), 40);
    assert_int_equal(window_floor_below(contracted, 4, 43, 44), 43); /* adopted above them */
    assert_int_equal(window_floor_below(NULL, 0, 0, 7), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_below_the_floor_is_too_old),
        cmocka_unit_test(test_one_served_version_is_enough),
        cmocka_unit_test(test_above_the_ceiling_waits),
        cmocka_unit_test(test_what_was_undone_or_cancelled_never_comes),
        cmocka_unit_test(test_a_contract_under_way_closes_admission_below_it),
        cmocka_unit_test(test_an_undo_under_way_makes_those_wait_who_need_it),
        cmocka_unit_test(test_before_anything_is_there),
        cmocka_unit_test(test_before_and_serves),
        cmocka_unit_test(test_a_floor_falls_to_the_contract_before_it),
        cmocka_unit_test(test_every_small_window_and_range),
        cmocka_unit_test(test_delays_double_up_to_their_bound),
        cmocka_unit_test(test_tries_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
