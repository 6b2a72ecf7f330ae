/* Statements that go on using what a contract drops: they hold it while they are called, can be waived, and
 * cease to hold; and what cannot be seen is said, and holds nothing. */
#include "witness_scene.h"

#define SOAKING_DROP                                                                                   \
    "-- schemagate: migration soak_seconds=900\n"                                                      \
    "-- schemagate: expand\nALTER TABLE users ADD COLUMN full_name text;\n"                            \
    "-- schemagate: contract\nALTER TABLE users DROP COLUMN name;\n"
#define OLD_QUERY "SELECT name\n  FROM users WHERE id = $1"

/* ---- what pg_stat_statements shows ---- */

static void show_nothing(void)
{
    json_decref(w->statements);
    w->statements = json_pack("{s:[], s:{}, s:s, s:i}", "statements", "texts", "reset_at", "2026-11-20",
                              "lost", 0);
}

static void called(const char *id, const char *text, int times)
{
    json_t *rows = json_object_get(w->statements, "statements"), *row;
    size_t i;

    json_object_set_new(json_object_get(w->statements, "texts"), id, json_string(text));
    json_array_foreach(rows, i, row)
    {
        if (strcmp(json_string_value(json_array_get(row, 0)), id) == 0) {
            json_array_set_new(row, 2, json_integer(json_integer_value(json_array_get(row, 2)) + times));
            return;
        }
    }
    json_array_append_new(rows, json_pack("[s, s, i]", id, "app", times));
}

/* The fleet has moved, and the contract soaks; all was read once. */
static void begin_soak(void)
{
    connect_session(10, "app", "new", "");
    connect_session(11, "app", "a", "");
    join(w, "a", 0, 0);
    join(w, "new", 0, 1);
    submit(w, 1, SOAKING_DROP);
    assert_phase(w, 1, PHASE_EXPANDED);
    assert_int_equal(w->readings, 0); /* the fleet has not moved */
    leave(w, "a");
    disconnect(11);
    assert_int_equal(w->readings, 1);
}

static void live(int64_t ms)
{
    live_for(ms, "new");
}

static const struct hold *in_use(void)
{
    return find_hold(1, HOLD_IN_USE);
}

static const char *note_of_opening(void)
{
    const json_t *event;
    size_t i;
    json_array_foreach(world_table(w, "events"), i, event)
    {
        if (strcmp(world_text(event, "kind"), "gate.opened") == 0)
            return world_text(json_object_get(json_object_get(event, "data"), "statements"), "note");
    }
    return "the gate has not opened";
}

/* ---- holding ---- */

static void test_what_is_called_after_the_fleet_has_moved_holds(void **state)
{
    (void)state;
    show_nothing();
    called("42", OLD_QUERY, 1000); /* by the old release */
    begin_soak();
    live(10000);
    assert_null(in_use());
    called("42", OLD_QUERY, 3);
    called("43", "SELECT full_name FROM users", 5);
    live(10000);
    const struct hold *hold = in_use();
    assert_non_null(hold);
    assert_string_equal(hold->statement->id, "42");
    assert_int_equal(hold->statement->calls, 3);
    assert_string_equal(hold->message, "since the fleet moved app has called a statement 3 times that names "
                                       "users.name: SELECT name   FROM users WHERE id = $1");
    live(580000);
    called("42", OLD_QUERY, 1);
    live(400000);
    assert_phase(w, 1, PHASE_EXPANDED);
    assert_non_null(in_use());
    assert_int_equal(w->contracts_run, 0);
}

static void test_a_statement_that_is_new_holds_as_well(void **state)
{
    (void)state;
    show_nothing();
    begin_soak();
    called("42", "SELECT * FROM users", 1);
    live(10000);
    assert_non_null(in_use());
    assert_int_equal(in_use()->statement->use, USE_WHOLE);
}

static void test_it_ceases_when_nobody_calls_it_any_more(void **state)
{
    (void)state;
    show_nothing();
    begin_soak();
    called("42", OLD_QUERY, 1);
    live(590000);
    assert_non_null(in_use());
    live(20000);
    assert_null(in_use());
    live(300000);
    assert_phase(w, 1, PHASE_COMPLETE);
}

static void test_it_can_be_waived_by_its_id(void **state)
{
    struct reply reply = {0};
    (void)state;
    show_nothing();
    begin_soak();
    live(880000);
    called("42", OLD_QUERY, 1);
    called("-7", OLD_QUERY, 1);
    live(30000);
    assert_phase(w, 1, PHASE_EXPANDED);
    const char *ids[] = {"42"};
    struct waiver_request request = {.version = 1, .code = HOLD_IN_USE, .subjects = ids, .subject_count = 1,
                                     .for_seconds = 600, .reason = "a report", .actor = "tester"};
    coordinator_waive(w->c, &request, take_reply, &reply);
    world_settle(w);
    assert_string_equal(in_use()->statement->id, "-7");
    ids[0] = "-7";
    coordinator_waive(w->c, &request, take_reply, &reply);
    live(10000);
    assert_phase(w, 1, PHASE_COMPLETE);
}

/* The soak ends between two readings: the gate does not open on the older one. */
static void test_a_gate_opens_on_a_young_reading(void **state)
{
    (void)state;
    w->config.gate.witness_interval_seconds = 3600;
    show_nothing();
    begin_soak();
    for (int i = 0; i < 89; i++)
        live(10000);
    called("42", OLD_QUERY, 1);
    live(20000);
    assert_phase(w, 1, PHASE_EXPANDED);
    assert_non_null(in_use());
}

/* Its text is read after the statement was seen, and before anybody decides. */
static void test_a_gate_waits_for_a_reading_under_way(void **state)
{
    (void)state;
    show_nothing();
    begin_soak();
    live(895000);
    called("42", OLD_QUERY, 1);
    world_pass(w, 4999);
    struct call *call = world_find(w, CALL_STATEMENTS);
    if (call)
        call->held = true;
    live(5000);
    assert_int_equal(w->contracts_run, 0);
    if (call)
        call->held = false;
    world_settle(w);
    assert_non_null(in_use());
    assert_int_equal(w->contracts_run, 0);
}

static void test_a_statement_that_cannot_be_read_counts_by_its_words(void **state)
{
    (void)state;
    show_nothing();
    begin_soak();
    w->unreadable = true;
    called("42", OLD_QUERY, 1);
    called("43", "SELECT id FROM orders", 1);
    live(10000);
    assert_string_equal(in_use()->statement->id, "42");
    assert_int_equal(in_use()->statement->use, USE_UNREAD);
}

static void test_an_old_replica_begins_it_anew(void **state)
{
    (void)state;
    show_nothing();
    begin_soak();
    called("42", OLD_QUERY, 1);
    live(10000);
    assert_non_null(in_use());
    join(w, "late", 0, 0);
    called("42", OLD_QUERY, 1);
    live(5000);
    assert_null(in_use());
    leave(w, "late");
    live(10000);
    assert_null(in_use());
    called("42", OLD_QUERY, 1);
    live(5000);
    assert_non_null(in_use());
}

/* ---- what cannot be seen ---- */

static void test_without_the_extension_nothing_holds_and_it_is_said(void **state)
{
    (void)state;
    begin_soak();
    live(910000);
    assert_phase(w, 1, PHASE_COMPLETE);
    assert_string_equal(note_of_opening(), "it is not installed");
}

static void test_gaps_are_said(void **state)
{
    (void)state;
    show_nothing();
    begin_soak();
    json_object_set_new(w->statements, "lost", json_integer(7));
    live(910000);
    assert_phase(w, 1, PHASE_COMPLETE);
    assert_non_null(strstr(note_of_opening(), "7 statements were thrown out"));
}

/* Counted from nothing again, it has been called. */
static void test_a_reset_hides_no_call_after_it(void **state)
{
    (void)state;
    show_nothing();
    called("42", OLD_QUERY, 1000);
    begin_soak();
    show_nothing();
    json_object_set_new(w->statements, "reset_at", json_string("2026-11-21"));
    called("42", OLD_QUERY, 2);
    live(10000);
    assert_non_null(in_use());
    assert_int_equal(in_use()->statement->calls, 2);
    live(1000000);
    assert_phase(w, 1, PHASE_COMPLETE);
    assert_non_null(strstr(note_of_opening(), "reset"));
}

/* While nothing can be read nothing becomes quiet. */
static void test_a_reading_that_fails_lets_nothing_go(void **state)
{
    (void)state;
    show_nothing();
    begin_soak();
    called("42", OLD_QUERY, 1);
    live(10000);
    json_t *statements = w->statements;
    w->statements = json_null();
    live(1000000);
    assert_non_null(in_use());
    w->statements = statements;
    live(70000);
    assert_phase(w, 1, PHASE_COMPLETE);
}

static void test_a_contract_that_drops_nothing_is_not_asked_about(void **state)
{
    (void)state;
    show_nothing();
    join(w, "new", 0, 1);
    submit(w, 1, "-- schemagate: migration soak_seconds=900\n-- schemagate: expand\n"
                 "ALTER TABLE users ADD COLUMN full_name text;\n-- schemagate: contract\n"
                 "ALTER TABLE users ALTER COLUMN full_name SET NOT NULL;\n");
    live(100000);
    assert_int_equal(w->readings, 0);
}

static void test_a_gate_that_opens_at_once_is_not_kept_waiting(void **state)
{
    (void)state;
    show_nothing();
    begin_contract();
    disconnect(11);
    leave(w, "a");
    live(1000);
    assert_phase(w, 1, PHASE_COMPLETE);
    assert_int_equal(w->readings, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_what_is_called_after_the_fleet_has_moved_holds),
        TEST(test_a_statement_that_is_new_holds_as_well),
        TEST(test_it_ceases_when_nobody_calls_it_any_more),
        TEST(test_it_can_be_waived_by_its_id),
        TEST(test_a_gate_opens_on_a_young_reading),
        TEST(test_a_gate_waits_for_a_reading_under_way),
        TEST(test_a_statement_that_cannot_be_read_counts_by_its_words),
        TEST(test_an_old_replica_begins_it_anew),
        TEST(test_without_the_extension_nothing_holds_and_it_is_said),
        TEST(test_gaps_are_said),
        TEST(test_a_reset_hides_no_call_after_it),
        TEST(test_a_reading_that_fails_lets_nothing_go),
        TEST(test_a_contract_that_drops_nothing_is_not_asked_about),
        TEST(test_a_gate_that_opens_at_once_is_not_kept_waiting),
    };
    return scene_run(tests, begin_watched);
}
