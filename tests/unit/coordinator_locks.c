/* Watch, then lock: a try is made when nobody old is in its way; who is, is named and may be ended. */
#include "coordinator_scene.h"

#define ALTERS "-- schemagate: expand\nALTER TABLE t ADD COLUMN x int;\n"
#define DROPS "-- schemagate: contract\nALTER TABLE t DROP COLUMN y;\n"

static void begin(struct world *world)
{
    world->config.migration.lock_timeout_ms = 100;
    world->config.migration.retry_first_ms = 50;
    world->config.migration.retry_max_ms = 1000;
    world_lead(world);
    join(world, "new", 0, 9);
}

/* What the witness sees from now on: one session that has held the table for so long. */
static void block(bool sees_all, const char *state, double seconds)
{
    json_decref(w->watched);
    w->watched = json_pack(
        "{s:b, s:b, s:[{s:i, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:b, s:f, s:f}], s:n}", "sees_all",
        sees_all, "yields", 1, "blockers", "pid", 4711, "kind", "session", "relation", "t", "role", "app",
        "application_name", "report", "state", state, "backend_start", "b", "transaction_start", "x",
        "since", "2026-11-21T12:00:00.000000+00:00", "blocks", 0, "state_seconds", seconds,
        "transaction_seconds", seconds, "progress");
}

static void unblock(void)
{
    json_decref(w->watched);
    w->watched = NULL;
}

static enum execution_status lock_is_held(struct world *world, const struct call *call)
{
    (void)world, (void)call;
    return EXECUTION_TRY_AGAIN;
}

static const char *summary(int64_t version)
{
    static char text[512];
    coordinator_migration_summary(w->c, the_migration(w, version), text, sizeof text);
    return text;
}

static void test_no_try_is_made_while_an_old_transaction_is_in_the_way(void **state)
{
    (void)state;
    block(true, "idle in transaction", 20);
    submit(w, 1, ALTERS);
    world_pass(w, 20000);
    assert_int_equal(w->runs, 0);
    assert_phase(w, 1, PHASE_QUEUED);
    assert_int_equal(coordinator_migration_status(w->c, the_migration(w, 1)), STATUS_WAITING);
    assert_string_equal(summary(1), "waits for a lock on t, try 1, blocked by pid 4711 (report)");
    assert_in_range(w->watches, 150, 250); /* often at first, then every 100 ms */
    unblock();
    world_pass(w, 100);
    assert_phase(w, 1, PHASE_COMPLETE);
    assert_int_equal(the_migration(w, 1)->lock.blocker_count, 0);
}

static void contract_waits_until_unblocked(void)
{
    world_pass(w, 5000);
    assert_phase(w, 1, PHASE_EXPANDED);
    assert_window(w, 0, 1, 0, 0);
    unblock();
    world_pass(w, 100);
    assert_phase(w, 1, PHASE_COMPLETE);
}

static void test_admission_stays_open_while_a_contract_watches(void **state)
{
    (void)state;
    block(true, "active", 20);
    submit(w, 1, DROPS);
    contract_waits_until_unblocked();
}

/* A steady stream of readers that never leaves a quiet moment. */
static void test_tries_are_made_now_and_then_all_the_same(void **state)
{
    (void)state;
    block(true, "active", 0.2);
    submit(w, 1, ALTERS);
    assert_int_equal(w->runs, 0);
    world_pass(w, 1000);
    assert_phase(w, 1, PHASE_COMPLETE);

    block(true, "active", 20);
    submit(w, 2, ALTERS);
    world_pass(w, 29900);
    assert_phase(w, 2, PHASE_QUEUED);
    world_pass(w, 200);
    assert_phase(w, 2, PHASE_COMPLETE);
}

/* The last try is made as well, so that the error is PostgreSQL's own. */
static void test_watching_ends_when_the_time_for_tries_is_over(void **state)
{
    (void)state;
    w->config.migration.retry_for_seconds = 5;
    w->on_run = lock_is_held;
    block(true, "active", 20);
    submit(w, 1, ALTERS);
    world_pass(w, 4900);
    assert_false(the_migration(w, 1)->failed);
    world_pass(w, 200);
    assert_true(the_migration(w, 1)->failed);
    assert_string_equal(the_migration(w, 1)->error->sqlstate, "55P03");
}

static void test_who_cannot_see_the_age_of_transactions_does_not_wait_for_them(void **state)
{
    (void)state;
    block(false, "", 0);
    w->on_run = lock_is_held;
    submit(w, 1, ALTERS);
    assert_int_equal(coordinator_counts(w->c)->tries_failed, 1);
    world_pass(w, 20000);
    assert_true(the_migration(w, 1)->lock.blind);
    assert_in_range(coordinator_counts(w->c)->tries_failed, 10, 60);
    w->on_run = NULL;
    world_pass(w, 2000);
    assert_phase(w, 1, PHASE_COMPLETE);
}

static void test_a_watch_that_fails_stops_nothing(void **state)
{
    (void)state;
    w->watched = json_null();
    submit(w, 1, ALTERS);
    assert_phase(w, 1, PHASE_COMPLETE);
}

static void test_what_locks_no_table_against_others_is_not_watched(void **state)
{
    (void)state;
    block(true, "active", 20);
    submit(w, 1, "-- schemagate: expand\nCREATE TABLE fresh (id int);\nUPDATE t SET a = 1;\n");
    assert_phase(w, 1, PHASE_COMPLETE);
    submit(w, 2, "-- schemagate: expand\nCREATE INDEX CONCURRENTLY i ON t (a);\n");
    assert_phase(w, 2, PHASE_COMPLETE);
    assert_int_equal(w->watches, 0);
}

static void test_cancelled_while_it_watches(void **state)
{
    (void)state;
    block(true, "active", 20);
    submit(w, 1, ALTERS);
    assert_int_equal(act(w, 1, EVENT_CANCEL).problem, PROBLEM_NONE);
    assert_phase(w, 1, PHASE_CANCELLED);
    submit(w, 2, DROPS);
    assert_int_equal(act(w, 2, EVENT_CANCEL).problem, PROBLEM_NONE);
    assert_phase(w, 2, PHASE_EXPANDED);
    assert_true(the_migration(w, 2)->failed);
    unblock();
    world_pass(w, 10000);
    assert_phase(w, 2, PHASE_EXPANDED);
    assert_int_equal(w->contracts_run, 0);
    assert_int_equal(act(w, 2, EVENT_RETRY).problem, PROBLEM_NONE);
    assert_phase(w, 2, PHASE_COMPLETE);
}

static void test_an_expand_goes_on_while_a_contract_watches(void **state)
{
    (void)state;
    block(true, "active", 20);
    submit(w, 1, DROPS);
    submit(w, 2, "-- schemagate: expand\nCREATE TABLE fresh (id int);\n");
    world_pass(w, 1000);
    assert_phase(w, 1, PHASE_EXPANDED);
    assert_phase(w, 2, PHASE_COMPLETE);
}

/* ---- looking ahead ---- */

/* 1 has its turn, and 2 waits for its end: the call that runs 1, held. */
static struct call *the_first_of_two_runs(void)
{
    block(true, "active", 20);
    submit(w, 1, ALTERS);
    submit(w, 2, "-- schemagate: expand\nALTER TABLE t ADD COLUMN z int;\n");
    unblock();
    w->now.boot_ms += 100;
    coordinator_tick(w->c);
    struct call *run = up_to(w, CALL_RUN);
    run->held = true;
    return run;
}

static void goes_on(struct call *run)
{
    run->held = false;
    world_settle(w);
    assert_phase(w, 1, PHASE_COMPLETE);
}

static void test_the_next_expand_is_looked_at_while_one_runs(void **state)
{
    (void)state;
    struct call *run = the_first_of_two_runs();
    assert_non_null(world_find(w, CALL_WATCH));
    world_settle(w);
    unsigned watches = w->watches;
    goes_on(run);
    assert_phase(w, 2, PHASE_COMPLETE);
    assert_int_equal(w->watches, watches);
}

static void test_who_is_seen_ahead_is_waited_for(void **state)
{
    (void)state;
    struct call *run = the_first_of_two_runs();
    block(true, "active", 20);
    world_settle(w);
    goes_on(run);
    assert_phase(w, 2, PHASE_QUEUED);
    assert_int_equal(w->runs, 1);
}

static void test_a_look_ahead_does_not_count_for_long(void **state)
{
    (void)state;
    struct call *run = the_first_of_two_runs();
    world_settle(w);
    w->now.boot_ms += 50;
    block(true, "active", 20);
    goes_on(run);
    assert_phase(w, 2, PHASE_QUEUED);
    assert_int_equal(w->runs, 1);
}

/* Contract 1 waits for `old` alone, whose goodbye is on its way: the call that commits it, held. */
static struct call *the_last_goodbye(struct reply *reply)
{
    join(w, "old", 0, 0);
    submit(w, 1, DROPS);
    assert_phase(w, 1, PHASE_EXPANDED);
    w->now.boot_ms += 100;
    return hold_goodbye(w, "old", reply);
}

static void test_a_contract_is_looked_at_while_the_last_goodbye_is_written(void **state)
{
    (void)state;
    struct reply reply = {0};
    struct call *goodbye = the_last_goodbye(&reply);
    assert_non_null(world_find(w, CALL_WATCH));
    assert_non_null(world_find(w, CALL_REACH));
    world_settle(w);
    assert_window(w, 0, 1, 0, 0); /* nobody has left yet */
    unsigned watches = w->watches;
    goodbye->held = false;
    world_settle(w);
    assert_phase(w, 1, PHASE_COMPLETE);
    assert_int_equal(w->watches, watches);
}

static void test_its_answer_is_waited_for(void **state)
{
    (void)state;
    struct reply reply = {0};
    struct call *goodbye = the_last_goodbye(&reply), *reach = world_find(w, CALL_REACH);
    reach->held = true;
    goodbye->held = false;
    world_settle(w);
    assert_int_equal(reply.count, 1);
    assert_window(w, 0, 1, 0, 0);
    reach->held = false;
    world_settle(w);
    assert_phase(w, 1, PHASE_COMPLETE);
}

static void test_who_is_seen_ahead_of_a_contract_is_waited_for(void **state)
{
    (void)state;
    struct reply reply = {0};
    struct call *goodbye = the_last_goodbye(&reply);
    block(true, "active", 20);
    world_settle(w);
    goodbye->held = false;
    contract_waits_until_unblocked();
}

static void test_a_goodbye_that_is_not_the_last_is_not_looked_past(void **state)
{
    (void)state;
    struct reply reply = {0};
    join(w, "older", 0, 0);
    the_last_goodbye(&reply)->held = false;
    assert_null(world_find(w, CALL_WATCH));
    world_settle(w);
    assert_int_equal(w->watches, 0);
    assert_phase(w, 1, PHASE_EXPANDED);
}

/* ---- ending those in the way ---- */

static struct reply ask_to_unblock(int64_t version)
{
    struct reply reply = {0};
    coordinator_unblock(w->c, version, "the report can wait", "operator:ann", take_reply, &reply);
    world_settle(w);
    assert_int_equal(reply.count, 1);
    return reply;
}

static void test_an_operator_ends_those_that_are_named(void **state)
{
    (void)state;
    block(true, "active", 20);
    submit(w, 1, ALTERS);
    assert_true(coordinator_can_unblock(w->c, the_migration(w, 1)));
    assert_int_equal(ask_to_unblock(1).problem, PROBLEM_NONE);
    assert_int_equal(w->ended, 1);
    assert_false(w->idle_only);
    assert_int_equal(count_events(w, "operator.unblock"), 1);
    world_pass(w, 100);
    assert_phase(w, 1, PHASE_COMPLETE);
    assert_int_equal(ask_to_unblock(1).problem, PROBLEM_INVALID_TRANSITION);
    assert_int_equal(ask_to_unblock(7).problem, PROBLEM_UNKNOWN_MIGRATION);
}

static void test_who_may_not_end_sessions_is_told(void **state)
{
    (void)state;
    w->terminate_error = "42501 permission denied";
    block(true, "active", 20);
    submit(w, 1, ALTERS);
    struct reply reply = ask_to_unblock(1);
    assert_int_equal(reply.problem, PROBLEM_NOT_TERMINATED);
    assert_string_equal(reply.detail, "42501 permission denied");
}

static void test_a_prepared_transaction_has_no_session(void **state)
{
    (void)state;
    w->watched = json_pack("{s:b, s:[{s:n, s:s, s:s}]}", "sees_all", 1, "blockers", "pid", "gid",
                           "two-phase", "kind", "prepared-transaction");
    submit(w, 1, ALTERS);
    assert_false(coordinator_can_unblock(w->c, the_migration(w, 1)));
    assert_non_null(strstr(ask_to_unblock(1).detail, "ROLLBACK PREPARED 'two-phase'"));
    assert_string_equal(summary(1), "waits for a lock, try 1, blocked by prepared transaction two-phase");
}

static void test_by_configuration_only_idle_transactions_are_ended(void **state)
{
    (void)state;
    w->config.migration.terminate_idle_in_transaction_seconds = 10;
    block(true, "active", 20);
    submit(w, 1, ALTERS);
    world_pass(w, 1000);
    block(true, "idle in transaction", 5);
    world_pass(w, 1000);
    assert_int_equal(w->ended, 0);
    block(true, "idle in transaction (aborted)", 10.5);
    world_pass(w, 1000);
    assert_int_equal(w->ended, 1);
    assert_true(w->idle_only);
    assert_int_equal(count_events(w, "migration.unblock"), 1);
    assert_phase(w, 1, PHASE_COMPLETE);
}

static void change_blocker(const char *member, const char *value)
{
    json_t *changed = json_deep_copy(w->watched);

    json_object_set_new(json_array_get(json_object_get(changed, "blockers"), 0), member, json_string(value));
    json_decref(w->watched);
    w->watched = changed;
}

/* It is tried again, for somebody may grant it; the audit trail has it once for each of them. */
static void test_who_may_not_be_ended_is_recorded_once(void **state)
{
    (void)state;
    w->config.migration.terminate_idle_in_transaction_seconds = 10;
    w->terminate_error = "42501 permission denied";
    w->on_run = lock_is_held;
    block(true, "idle in transaction", 20);
    submit(w, 1, ALTERS);
    world_pass(w, 120000);
    assert_int_equal(count_events(w, "migration.unblock"), 1);
    change_blocker("transaction_start", "y");
    world_pass(w, 120000);
    assert_int_equal(count_events(w, "migration.unblock"), 2);
    w->terminate_error = NULL;
    world_pass(w, 20000);
    assert_int_equal(w->ended, 1);
    w->on_run = NULL;
    world_pass(w, 20000);
    assert_int_equal(count_events(w, "migration.unblock"), 2);
    assert_phase(w, 1, PHASE_COMPLETE);
}

/* A wraparound would be worse than any wait; a walsender or a background worker is somebody's work. */
static void test_only_sessions_of_clients_are_ended(void **state)
{
    static const char *const kinds[] = {"autovacuum", "autovacuum-wraparound", "replication", "background"};

    (void)state;
    block(true, "active", 20);
    submit(w, 1, ALTERS);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        change_blocker("kind", kinds[i]);
        world_pass(w, 1000);
        assert_false(coordinator_can_unblock(w->c, the_migration(w, 1)));
        struct reply reply = ask_to_unblock(1);
        assert_int_equal(reply.problem, PROBLEM_INVALID_TRANSITION);
        assert_non_null(strstr(reply.detail, kinds[i]));
    }
    assert_int_equal(w->ended, 0);
}

static void test_by_default_nobody_is_ended(void **state)
{
    (void)state;
    block(true, "idle in transaction", 20000);
    submit(w, 1, ALTERS);
    world_pass(w, 10000);
    assert_int_equal(w->ended, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_no_try_is_made_while_an_old_transaction_is_in_the_way),
        TEST(test_admission_stays_open_while_a_contract_watches),
        TEST(test_tries_are_made_now_and_then_all_the_same),
        TEST(test_watching_ends_when_the_time_for_tries_is_over),
        TEST(test_who_cannot_see_the_age_of_transactions_does_not_wait_for_them),
        TEST(test_a_watch_that_fails_stops_nothing),
        TEST(test_what_locks_no_table_against_others_is_not_watched),
        TEST(test_cancelled_while_it_watches),
        TEST(test_an_expand_goes_on_while_a_contract_watches),
        TEST(test_the_next_expand_is_looked_at_while_one_runs),
        TEST(test_who_is_seen_ahead_is_waited_for),
        TEST(test_a_look_ahead_does_not_count_for_long),
        TEST(test_a_contract_is_looked_at_while_the_last_goodbye_is_written),
        TEST(test_its_answer_is_waited_for),
        TEST(test_who_is_seen_ahead_of_a_contract_is_waited_for),
        TEST(test_a_goodbye_that_is_not_the_last_is_not_looked_past),
        TEST(test_an_operator_ends_those_that_are_named),
        TEST(test_who_may_not_end_sessions_is_told),
        TEST(test_a_prepared_transaction_has_no_session),
        TEST(test_by_configuration_only_idle_transactions_are_ended),
        TEST(test_by_default_nobody_is_ended),
        TEST(test_who_may_not_be_ended_is_recorded_once),
        TEST(test_only_sessions_of_clients_are_ended),
    };
    return scene_run(tests, begin);
}
