/* Backfills in batches, as the coordinator runs them: every row once, whatever comes between two batches. */
#include "coordinator_scene.h"

#define FILL "-- schemagate: backfill\nUPDATE t SET n = n + 1;\n"

static void begin(struct world *world)
{
    world->config.migration.backfill_batch_ms = 100;
    world->config.migration.max_replication_lag_seconds = 10;
    world->batches.row_count = 20000;
    world->batches.seconds = 0.1; /* so all batches are of BATCH_ROWS_FIRST */
    world_lead(world);
}

static void expect_each_row_once(void)
{
    for (int64_t i = 0; i < w->batches.row_count; i++)
        if (w->batches.rows[i] != 1)
            fail_msg("row %lld was changed %d times", (long long)i, w->batches.rows[i]);
}

static const struct migration *migration(int64_t version)
{
    return coordinator_find_migration(w->c, version);
}

/* Until so many batches are done, and the next one is asked for. */
static void up_to_batch(unsigned count)
{
    struct reply reply = {0};

    if (!migration(1))
        send_submit(w, 1, EXPAND FILL, &reply);
    while (w->batches.count < count)
        assert_true(world_turn(w));
    up_to_run(w, "backfill");
}

static void test_every_row_is_changed_once(void **state)
{
    (void)state;
    assert_true(submit(w, 1, EXPAND FILL).created);
    assert_phase(w, 1, PHASE_COMPLETE);
    expect_each_row_once();
    assert_int_equal(w->batches.count, 20);
    assert_int_equal(w->runs, 2); /* the expand, and the end of the backfill */
    assert_int_equal(count_events(w, "migration.backfilling"), 1);
    assert_int_equal(count_events(w, "migration.complete"), 1);
}

static void test_batches_grow_towards_their_duration(void **state)
{
    (void)state;
    w->batches.seconds = 0.025;
    submit(w, 1, EXPAND FILL);
    expect_each_row_once();
    assert_int_equal(w->batches.count, 5); /* 1000, 2000, 4000, 8000, 5000 */
}

static void test_a_conflict_makes_the_batch_smaller(void **state)
{
    (void)state;
    up_to_batch(3);
    assert_int_equal(migration(1)->pace.rows, 1000);
    let_fail(w, fail_runs, 1, EXECUTION_TRY_AGAIN);
    world_settle(w);
    assert_int_equal(migration(1)->pace.rows, 500);
    world_pass(w, 60000);
    assert_phase(w, 1, PHASE_COMPLETE);
    expect_each_row_once();
}

static void test_a_ready_contract_runs_between_two_batches(void **state)
{
    (void)state;
    struct reply reply = {0};
    join(w, "old", 0, 0);
    join(w, "new", 0, 2);
    submit(w, 1, EXPAND CONTRACT);
    send_submit(w, 2, EXPAND FILL, &reply);
    while (w->batches.count < 3)
        assert_true(world_turn(w));
    up_to_run(w, "backfill")->held = true;
    leave(w, "old");
    up_to_run(w, "backfill")->held = false;
    while (w->contracts_run == 0)
        assert_true(world_turn(w));
    assert_true(w->batches.count <= 4);
    world_settle(w);
    assert_phase(w, 2, PHASE_COMPLETE);
    expect_each_row_once();
}

static void test_a_pause_stops_it_after_the_batch(void **state)
{
    (void)state;
    up_to_batch(3);
    assert_int_equal(act(w, 1, EVENT_PAUSE).problem, PROBLEM_NONE);
    world_pass(w, 60000);
    assert_true(w->batches.count <= 5);
    assert_phase(w, 1, PHASE_BACKFILLING);
    assert_int_equal(act(w, 1, EVENT_RESUME).problem, PROBLEM_NONE);
    assert_phase(w, 1, PHASE_COMPLETE);
    expect_each_row_once();
}

static void test_it_goes_on_behind_the_last_row_after_a_crash(void **state)
{
    (void)state;
    for (unsigned crash = 0; crash < 12; crash++) {
        up_to_batch(crash + 1);
        struct call *batch = world_find(w, CALL_RUN);
        if (crash % 2) /* it was committed, and nobody was told */
            world_carry_out(w, batch);
        world_restart_term(w);
        if (migration(1)->phase == PHASE_COMPLETE)
            break;
    }
    world_settle(w);
    assert_phase(w, 1, PHASE_COMPLETE);
    expect_each_row_once();
}

static void test_a_failed_batch_is_retried_where_it_stands(void **state)
{
    (void)state;
    up_to_batch(4);
    let_fail(w, fail_runs, 1, EXECUTION_FAILED);
    world_settle(w);
    assert_true(migration(1)->failed);
    assert_int_equal(w->batches.count, 4);
    world_restart_term(w); /* also for another daemon */
    assert_int_equal(act(w, 1, EVENT_RETRY).problem, PROBLEM_NONE);
    assert_phase(w, 1, PHASE_COMPLETE);
    expect_each_row_once();
}

static void test_a_cancel_between_two_batches_is_final_until_a_retry(void **state)
{
    (void)state;
    w->batches.load.lag_seconds = 60;
    submit(w, 1, EXPAND FILL);
    assert_int_equal(act(w, 1, EVENT_CANCEL).problem, PROBLEM_NONE);
    assert_true(migration(1)->failed);
    world_pass(w, 60000);
    assert_int_equal(w->batches.count, 1);
    w->batches.load.lag_seconds = 0;
    act(w, 1, EVENT_RETRY);
    world_pass(w, 60000);
    assert_phase(w, 1, PHASE_COMPLETE);
    expect_each_row_once();
}

static void expect_cancelled(unsigned batches)
{
    assert_true(migration(1)->failed);
    assert_string_equal(migration(1)->error->message, "cancelled by an operator");
    world_pass(w, 60000);
    assert_int_equal(w->batches.count, batches);
    act(w, 1, EVENT_RETRY);
    world_pass(w, 60000);
    assert_phase(w, 1, PHASE_COMPLETE);
    expect_each_row_once();
}

/* The third batch is under way when the request arrives. */
static struct call *cancel_within_a_batch(struct reply *cancel)
{
    up_to_batch(2);
    struct call *run = world_find(w, CALL_RUN);
    run->held = true;
    send_act(w, 1, EVENT_CANCEL, cancel);
    return run;
}

/* PostgreSQL cannot take a COMMIT back that is under way when the request arrives. */
static void test_a_cancel_that_a_batch_outruns_stops_the_next_one(void **state)
{
    (void)state;
    struct reply cancel = {0};
    struct call *run = cancel_within_a_batch(&cancel);
    world_settle(w);
    assert_int_equal(cancel.problem, PROBLEM_NONE);
    assert_true(w->cancelled);
    w->cancelled = false;
    world_answer(w, run);
    world_settle(w);
    expect_cancelled(3);
}

static void test_a_cancel_that_is_committed_behind_a_batch_stops_the_next_one(void **state)
{
    (void)state;
    struct reply cancel = {0};
    struct call *run = cancel_within_a_batch(&cancel);
    up_to(w, CALL_COMMIT)->held = true;
    world_answer(w, run);
    world_answer(w, world_find(w, CALL_COMMIT));
    world_settle(w);
    assert_int_equal(cancel.problem, PROBLEM_NONE);
    expect_cancelled(3);
}

static void test_a_cancel_that_meets_a_failed_try_ends_the_tries(void **state)
{
    (void)state;
    struct reply cancel = {0};
    struct call *run = cancel_within_a_batch(&cancel);
    world_settle(w);
    let_fail(w, fail_runs, 1, EXECUTION_TRY_AGAIN);
    world_answer(w, run);
    world_settle(w);
    expect_cancelled(2);
}

static void test_that_it_runs_whole_is_told_before_it_does(void **state)
{
    (void)state;
    struct reply reply = {0};
    char summary[256];
    w->batches.whole = "t has no key";
    send_submit(w, 1, EXPAND FILL, &reply);
    while (!migration(1) || !migration(1)->steps[1].progress)
        assert_true(world_turn(w));
    up_to_run(w, "backfill")->held = true;
    world_settle(w);
    coordinator_migration_summary(w->c, migration(1), summary, sizeof summary);
    assert_string_equal(summary, "fills about 20000 rows in one statement: t has no key");
    assert_int_equal(w->batches.count, 0);
    world_answer(w, world_find(w, CALL_RUN));
    world_settle(w);
    assert_phase(w, 1, PHASE_COMPLETE);
    expect_each_row_once();
}

/* ---- the look behind a pass ---- */

static void expect_summary(const char *expected)
{
    char summary[512];

    coordinator_migration_summary(w->c, migration(1), summary, sizeof summary);
    assert_string_equal(summary, expected);
}

/* The look behind the first pass is asked for, and stays under way. */
static struct call *up_to_look(struct reply *reply)
{
    w->batches.verifies = true;
    send_submit(w, 1, EXPAND FILL, reply);
    while (w->batches.count < 20)
        assert_true(world_turn(w));
    struct call *look = up_to_run(w, "backfill");
    look->held = true;
    world_settle(w);
    return look;
}

static void test_a_look_ends_what_it_finds_done(void **state)
{
    (void)state;
    struct backfill_view view;
    struct reply reply = {0};
    struct call *look = up_to_look(&reply);
    world_pass(w, 95000);
    assert_true(coordinator_backfill(w->c, migration(1), &view));
    assert_true(view.verifying);
    assert_null(view.verified);
    expect_summary("looks in one statement for rows that are left, at all of about 20000, for 1m35s");
    world_answer(w, look);
    world_settle(w);
    assert_phase(w, 1, PHASE_COMPLETE);
    assert_true(coordinator_backfill(w->c, migration(1), &view));
    assert_true(json_is_true(view.verified));
    assert_int_equal(w->batches.verifications, 1);
    expect_each_row_once();
}

static void test_a_pass_follows_where_a_look_finds_rows(void **state)
{
    (void)state;
    struct reply reply = {0};
    struct call *look = up_to_look(&reply);
    w->batches.missed = 3;
    w->batches.seconds = 60; /* however long it has taken: */
    world_answer(w, look);
    struct call *batch = up_to_run(w, "backfill");
    batch->held = true;
    w->batches.seconds = 0.1;
    world_settle(w);
    assert_int_equal(migration(1)->pace.rows, 1000);
    expect_summary("fills 0 of about 20000 rows, pass 2 for 3 that were left");
    assert_phase(w, 1, PHASE_BACKFILLING);
    world_answer(w, batch);
    world_settle(w);
    assert_phase(w, 1, PHASE_COMPLETE);
    assert_int_equal(w->batches.verifications, 2);
    expect_each_row_once();
}

static void test_a_look_waits_for_a_quiet_server_too(void **state)
{
    (void)state;
    struct reply reply = {0};
    w->batches.verifies = true;
    send_submit(w, 1, EXPAND FILL, &reply);
    while (w->batches.count < 19)
        assert_true(world_turn(w));
    w->batches.load.lag_seconds = 60;
    world_settle(w);
    world_pass(w, 10000);
    assert_int_equal(w->batches.count, 20);
    assert_int_equal(w->batches.verifications, 0);
    expect_summary("looks in one statement for rows that are left, at all of about 20000, "
                   "waits because of replication-lag");
    w->batches.load.lag_seconds = 0;
    world_pass(w, 10000);
    assert_phase(w, 1, PHASE_COMPLETE);
    assert_int_equal(w->batches.verifications, 1);
}

/* ---- what makes it wait ---- */

static void test_it_waits_while_a_standby_lags(void **state)
{
    (void)state;
    struct backfill_view view;
    char summary[256];
    w->batches.load.lag_seconds = 10.5;
    submit(w, 1, EXPAND FILL);
    assert_int_equal(w->batches.count, 1);
    assert_true(coordinator_backfill(w->c, migration(1), &view));
    assert_string_equal(view.throttled_by, "replication-lag");
    assert_int_equal(view.rows_done, 1000);
    assert_int_equal(view.rows_estimate, 20000);
    assert_int_equal(coordinator_migration_status(w->c, migration(1)), STATUS_WAITING);
    coordinator_migration_summary(w->c, migration(1), summary, sizeof summary);
    assert_string_equal(summary, "fills 1000 of about 20000 rows, waits because of replication-lag");
    world_pass(w, 10000);
    assert_int_equal(w->batches.count, 1); /* the load is looked at, and no row is touched */
    assert_in_range(w->batches.looks, 5, 50);
    w->batches.load.lag_seconds = 10;
    world_pass(w, 1000);
    assert_phase(w, 1, PHASE_COMPLETE);
    expect_each_row_once();
}

static void test_it_waits_for_a_standby_that_only_the_witness_sees(void **state)
{
    (void)state;
    w->config.gate.witness_interval_seconds = 5;
    json_object_set_new(w->sight, "lag_seconds", json_real(60));
    world_pass(w, 120000); /* so that it has looked */
    submit(w, 1, EXPAND FILL);
    assert_int_equal(w->batches.count, 1);
    world_pass(w, 10000);
    assert_int_equal(w->batches.count, 1);
    json_object_set_new(w->sight, "lag_seconds", json_real(0));
    world_pass(w, 10000);
    assert_phase(w, 1, PHASE_COMPLETE);
    expect_each_row_once();
}

static void test_it_waits_for_a_slot_and_says_what_to_do(void **state)
{
    (void)state;
    struct backfill_view view;
    w->config.migration.backfill_max_retained_wal_mb = 64;
    w->batches.load.slot = (struct batch_slot){"gone", false, 65 << 20};
    submit(w, 1, EXPAND FILL);
    assert_int_equal(w->batches.count, 1);
    assert_true(coordinator_backfill(w->c, migration(1), &view));
    assert_string_equal(view.throttled_by, "replication-slot");
    expect_summary("fills 1000 of about 20000 rows, waits: the replication slot gone holds back 65 MB of the "
                   "server's log: nobody reads from it; start its consumer again, or, if that is gone for "
                   "good, SELECT pg_drop_replication_slot('gone')");
    w->batches.load.slot.active = true;
    world_pass(w, 10000);
    expect_summary("fills 1000 of about 20000 rows, waits: the replication slot gone holds back 65 MB of the "
                   "server's log: its consumer does not keep up, look at that");
    w->batches.load.slot = (struct batch_slot){0};
    world_pass(w, 1000);
    assert_phase(w, 1, PHASE_COMPLETE);
    expect_each_row_once();
}

static void test_it_waits_while_too_many_sessions_are_at_work(void **state)
{
    (void)state;
    struct backfill_view view;
    w->config.migration.backfill_max_active_sessions = 4;
    w->batches.load.active_sessions = 5;
    submit(w, 1, EXPAND FILL);
    assert_int_equal(w->batches.count, 1);
    assert_true(coordinator_backfill(w->c, migration(1), &view));
    assert_string_equal(view.throttled_by, "active-sessions");
    w->batches.load.active_sessions = 4;
    world_pass(w, 1000);
    assert_phase(w, 1, PHASE_COMPLETE);
}

static void test_each_wait_pays_for_the_log_of_one_batch(void **state)
{
    (void)state;
    w->config.migration.backfill_max_wal_mb_per_second = 1;
    w->batches.wal_bytes = 1 << 20;
    submit(w, 1, EXPAND FILL);
    world_pass(w, 15000);
    assert_phase(w, 1, PHASE_BACKFILLING);
    assert_in_range(w->batches.count, 14, 17);
    world_pass(w, 10000);
    assert_phase(w, 1, PHASE_COMPLETE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_every_row_is_changed_once),
        TEST(test_batches_grow_towards_their_duration),
        TEST(test_a_conflict_makes_the_batch_smaller),
        TEST(test_a_ready_contract_runs_between_two_batches),
        TEST(test_a_pause_stops_it_after_the_batch),
        TEST(test_it_goes_on_behind_the_last_row_after_a_crash),
        TEST(test_a_failed_batch_is_retried_where_it_stands),
        TEST(test_a_cancel_between_two_batches_is_final_until_a_retry),
        TEST(test_a_cancel_that_a_batch_outruns_stops_the_next_one),
        TEST(test_a_cancel_that_is_committed_behind_a_batch_stops_the_next_one),
        TEST(test_a_cancel_that_meets_a_failed_try_ends_the_tries),
        TEST(test_that_it_runs_whole_is_told_before_it_does),
        TEST(test_a_look_ends_what_it_finds_done),
        TEST(test_a_pass_follows_where_a_look_finds_rows),
        TEST(test_a_look_waits_for_a_quiet_server_too),
        TEST(test_it_waits_while_a_standby_lags),
        TEST(test_it_waits_for_a_standby_that_only_the_witness_sees),
        TEST(test_it_waits_for_a_slot_and_says_what_to_do),
        TEST(test_it_waits_while_too_many_sessions_are_at_work),
        TEST(test_each_wait_pays_for_the_log_of_one_batch),
    };
    return scene_run(tests, begin);
}
