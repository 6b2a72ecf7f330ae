/* The pace of a backfill: sizes, waits, rates. */
#include <support/test.h>

#include <schemagate/core/batch.h>

#include <string.h>

/* ---- sizes ---- */

static void test_a_batch_grows_and_shrinks_towards_its_duration(void **state)
{
    (void)state;
    assert_int_equal(batch_rows_next(1000, 1000, 80, 100), 1250);
    assert_int_equal(batch_rows_next(1000, 1000, 125, 100), 800);
    assert_int_equal(batch_rows_next(1000, 1000, 1, 100), 2000);   /* at most twice */
    assert_int_equal(batch_rows_next(1000, 1000, 0, 100), 2000);
    assert_int_equal(batch_rows_next(1000, 1000, 9000, 100), 250); /* at least a quarter */
    assert_int_equal(batch_rows_next(BATCH_ROWS_LEAST, BATCH_ROWS_LEAST, 9000, 1), BATCH_ROWS_LEAST);
    assert_int_equal(batch_rows_next(BATCH_ROWS_MOST, BATCH_ROWS_MOST, 1, 100), BATCH_ROWS_MOST);
}

static void test_the_end_of_a_table_says_nothing(void **state)
{
    (void)state;
    assert_int_equal(batch_rows_next(8000, 3, 0.5, 100), 8000);
    assert_int_equal(batch_rows_next(8000, 3, 800, 100), 2000); /* unless it was too long all the same */
}

static void test_a_steady_server_is_met_in_a_few_batches(void **state)
{
    (void)state;
    int64_t rows = BATCH_ROWS_FIRST;
    for (int i = 0; i < 6; i++)
        rows = batch_rows_next(rows, rows, (double)rows / 300, 100);
    assert_int_equal(rows, 30000);
}

static void test_a_conflict_halves(void **state)
{
    (void)state;
    assert_int_equal(batch_rows_after_conflict(30000), 15000);
    assert_int_equal(batch_rows_after_conflict(BATCH_ROWS_LEAST), BATCH_ROWS_LEAST);
}

/* ---- waits ---- */

static const struct batch_limits limits = {10, 20, 8, 100};
static const struct batch_load idle = {.lag_seconds = 10, .active_sessions = 20, .wal_bytes = -1};

static void test_each_limit_alone_makes_it_wait(void **state)
{
    (void)state;
    struct batch_load load = idle;
    assert_int_equal(batch_wait(&limits, &load, -1, 0).throttle, THROTTLE_NONE);

    load.lag_seconds = 10.1;
    struct batch_wait wait = batch_wait(&limits, &load, -1, 0);
    assert_int_equal(wait.throttle, THROTTLE_REPLICATION_LAG);
    assert_true(wait.look && wait.for_ms > 0 && wait.for_ms <= 1000);

    load = idle;
    load.slot.retained_bytes = 100 << 20;
    assert_int_equal(batch_wait(&limits, &load, -1, 0).throttle, THROTTLE_NONE);
    load.slot.retained_bytes++;
    wait = batch_wait(&limits, &load, -1, 0);
    assert_int_equal(wait.throttle, THROTTLE_REPLICATION_SLOT);
    assert_true(wait.look);

    load = idle;
    load.active_sessions = 21;
    wait = batch_wait(&limits, &load, -1, 0);
    assert_int_equal(wait.throttle, THROTTLE_ACTIVE_SESSIONS);
    assert_true(wait.look);
    load.active_sessions = -1; /* not known */
    assert_int_equal(batch_wait(&limits, &load, -1, 0).throttle, THROTTLE_NONE);
}

static void test_the_log_grows_at_its_rate_on_average(void **state)
{
    (void)state;
    struct batch_load load = idle;
    load.wal_bytes = 4 << 20; /* 4 MB take half a second */
    struct batch_wait wait = batch_wait(&limits, &load, 0, 100);
    assert_int_equal(wait.throttle, THROTTLE_WAL_RATE);
    assert_int_equal(wait.for_ms, 400);
    assert_false(wait.look); /* it is paid for then */
    assert_int_equal(batch_wait(&limits, &load, 0, 500).throttle, THROTTLE_NONE);
    assert_int_equal(batch_wait(&limits, &load, -1, 0).throttle, THROTTLE_NONE);
    load.wal_bytes = INT64_C(1) << 40;
    assert_int_equal(batch_wait(&limits, &load, 0, 100).for_ms, 5000);
}

static void test_what_is_off_never_waits(void **state)
{
    (void)state;
    const struct batch_limits off = {0};
    const struct batch_load busy = {3600, 5000, INT64_C(1) << 50, {"gone", false, INT64_C(1) << 50}};
    assert_int_equal(batch_wait(&off, &busy, 0, 1).throttle, THROTTLE_NONE);
}

static void test_throttles_have_names(void **state)
{
    (void)state;
    assert_string_equal(batch_throttle_name(THROTTLE_NONE), "");
    for (enum batch_throttle t = THROTTLE_NONE + 1; t < BATCH_THROTTLES; t++)
        assert_true(strlen(batch_throttle_name(t)) > 0);
}

/* ---- rates ---- */

static void test_a_rate_is_told_once_it_is_credible(void **state)
{
    (void)state;
    struct batch_meter meter = {0};
    assert_true(batch_meter_rate(&meter) < 0);
    for (int64_t ms = 0; ms <= 2900; ms += 100)
        batch_meter_add(&meter, ms, ms * 30);
    assert_true(batch_meter_rate(&meter) < 0);
    assert_int_equal(batch_meter_eta(&meter, 1000), -1);
    batch_meter_add(&meter, 3000, 90000);
    assert_int_equal((int64_t)batch_meter_rate(&meter), 30000);
    assert_int_equal(batch_meter_eta(&meter, 300000), 10);
    assert_int_equal(batch_meter_eta(&meter, -5), 0); /* the estimate was too low */
}

static void test_a_rate_is_that_of_the_last_half_minute(void **state)
{
    (void)state;
    struct batch_meter meter = {0};
    int64_t rows = 0;
    for (int64_t second = 0; second < 100; second++) {
        batch_meter_add(&meter, second * 1000, rows);
        rows += second < 50 ? 100000 : 10;
    }
    assert_int_equal((int64_t)batch_meter_rate(&meter), 10);
}

static void test_another_pass_is_measured_anew(void **state)
{
    (void)state;
    struct batch_meter meter = {0};
    for (int64_t second = 0; second < 10; second++)
        batch_meter_add(&meter, second * 1000, second * 1000);
    batch_meter_add(&meter, 10000, 0);
    assert_true(batch_meter_rate(&meter) < 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_batch_grows_and_shrinks_towards_its_duration),
        cmocka_unit_test(test_the_end_of_a_table_says_nothing),
        cmocka_unit_test(test_a_steady_server_is_met_in_a_few_batches),
        cmocka_unit_test(test_a_conflict_halves),
        cmocka_unit_test(test_each_limit_alone_makes_it_wait),
        cmocka_unit_test(test_the_log_grows_at_its_rate_on_average),
        cmocka_unit_test(test_what_is_off_never_waits),
        cmocka_unit_test(test_throttles_have_names),
        cmocka_unit_test(test_a_rate_is_told_once_it_is_credible),
        cmocka_unit_test(test_a_rate_is_that_of_the_last_half_minute),
        cmocka_unit_test(test_another_pass_is_measured_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
