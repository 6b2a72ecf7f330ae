/* The privilege proof, in the coordinator: when it is looked for, what it takes, and that it only ever raises
 * the grade. */
#include "witness_scene.h"

static void nobody_can_reach(void)
{
    json_decref(w->reach);
    w->reach = json_pack("{s:[], s:[], s:[s], s:[], s:[], s:i}", "missing", "roles", "left_out", "postgres",
                         "views", "functions", "subscriptions", 0);
}

static const json_t *opened(void)
{
    const json_t *events = world_table(w, "events");
    for (size_t i = json_array_size(events); i-- > 0;)
        if (strcmp(world_text(json_array_get(events, i), "kind"), "gate.opened") == 0)
            return json_object_get(json_array_get(events, i), "data");
    fail_msg("no gate was opened");
    return NULL;
}

/* Contract 1 is run; says what its verdict rested on. */
static const char *contract_with(const char *contract)
{
    char sql[256];

    connect_session(10, "app", "new", "");
    join(w, "new", 0, 1);
    live_for(65000, "new");
    snprintf(sql, sizeof sql, EXPAND "-- schemagate: contract\n%s;\n", contract);
    submit(w, 1, sql);
    live_for(5000, "new");
    assert_phase(w, 1, PHASE_COMPLETE);
    return world_text(opened(), "evidence");
}

static const char *contract(void)
{
    return contract_with("ALTER TABLE t DROP COLUMN b");
}

static void test_what_nobody_can_reach_is_proved(void **state)
{
    (void)state;
    nobody_can_reach();
    assert_string_equal(contract(), "proved");
    assert_string_equal(
        json_string_value(json_array_get(json_object_get(json_object_get(opened(), "reach"), "left_out"), 0)),
        "postgres");
}

static void test_whatever_is_found_is_no_proof(void **state)
{
    static const char *const members[] = {"missing", "roles", "views", "functions"};
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        nobody_can_reach();
        json_array_append_new(json_object_get(w->reach, members[i]), json_string("x"));
        assert_string_equal(contract(), "witnessed");
        tear_down(NULL);
        set_up(NULL);
    }
    nobody_can_reach();
    json_object_set_new(w->reach, "subscriptions", json_integer(1));
    assert_string_equal(contract(), "witnessed");
}

static void test_without_an_answer_nothing_is_proved(void **state)
{
    (void)state;
    assert_string_equal(contract(), "witnessed");
    assert_null(json_object_get(json_object_get(opened(), "reach"), "roles"));
}

static void test_only_drops_can_be_proved(void **state)
{
    (void)state;
    nobody_can_reach();
    assert_string_equal(contract_with("ALTER TABLE t ALTER a SET NOT NULL"), "witnessed");
    assert_null(json_object_get(opened(), "reach")); /* nobody was asked */
}

static void test_a_session_of_a_superuser_is_doubt(void **state)
{
    (void)state;
    nobody_can_reach();
    connect_session(30, "postgres", "batch", "");
    assert_string_equal(contract(), "witnessed");
}

static void test_a_superuser_that_is_to_be_ignored_is_none(void **state)
{
    (void)state;
    char *patterns[] = {(char *)"psql"};
    w->config.gate.ignore_application_names = (struct config_list){patterns, 1};
    nobody_can_reach();
    connect_session(30, "postgres", "psql", "");
    assert_string_equal(contract(), "proved");
}

static void test_a_proof_opens_no_gate(void **state)
{
    (void)state;
    nobody_can_reach();
    begin_contract();
    live_for(60000, "a");
    assert_int_equal(w->contracts_run, 0);
    /* nobody has looked */
    assert_int_equal(coordinator_evidence(w->c, the_migration(w, 1)), EVIDENCE_WITNESSED);
}

/* The last goodbye is on its way, held: the gate opens when it is committed. */
static struct call *last_goodbye(struct reply *reply)
{
    begin_contract();
    disconnect(11);
    live_for(10000, "a");
    return hold_goodbye(w, "a", reply);
}

/* A hold comes when the database has been asked: the gate stays closed, and the answer is not kept. */
static void test_what_was_found_does_not_outlive_the_gate(void **state)
{
    (void)state;
    struct reply reply = {0}, paused = {0};
    nobody_can_reach();
    struct call *goodbye = last_goodbye(&reply);
    world_settle(w);
    send_act(w, 1, EVENT_PAUSE, &paused);
    goodbye->held = false;
    world_settle(w);
    live_for(10000, "new");
    assert_int_equal(w->contracts_run, 0);
    assert_int_equal(coordinator_evidence(w->c, the_migration(w, 1)), EVIDENCE_WITNESSED);
    json_array_append_new(json_object_get(w->reach, "roles"), json_string("app"));
    act(w, 1, EVENT_RESUME);
    assert_phase(w, 1, PHASE_COMPLETE);
    assert_string_equal(world_text(opened(), "evidence"), "witnessed");
}

static void test_what_is_found_ahead_counts_when_the_gate_opens_at_once(void **state)
{
    (void)state;
    struct reply reply = {0};
    nobody_can_reach();
    struct call *goodbye = last_goodbye(&reply);
    world_settle(w);
    json_decref(w->reach);
    w->reach = json_null(); /* nobody can be asked any more */
    goodbye->held = false;
    world_settle(w);
    assert_phase(w, 1, PHASE_COMPLETE);
    assert_string_equal(world_text(opened(), "evidence"), "proved");
}

static void test_what_is_found_ahead_does_not_count_for_long(void **state)
{
    (void)state;
    struct reply reply = {0};
    nobody_can_reach();
    struct call *goodbye = last_goodbye(&reply);
    world_settle(w);
    w->now.boot_ms += 50;
    json_array_append_new(json_object_get(w->reach, "roles"), json_string("app"));
    goodbye->held = false;
    world_settle(w);
    assert_phase(w, 1, PHASE_COMPLETE);
    assert_string_equal(world_text(opened(), "evidence"), "witnessed");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_what_nobody_can_reach_is_proved),
        TEST(test_whatever_is_found_is_no_proof),
        TEST(test_without_an_answer_nothing_is_proved),
        TEST(test_only_drops_can_be_proved),
        TEST(test_a_session_of_a_superuser_is_doubt),
        TEST(test_a_superuser_that_is_to_be_ignored_is_none),
        TEST(test_a_proof_opens_no_gate),
        TEST(test_what_was_found_does_not_outlive_the_gate),
        TEST(test_what_is_found_ahead_counts_when_the_gate_opens_at_once),
        TEST(test_what_is_found_ahead_does_not_count_for_long),
    };
    return scene_run(tests, begin_watched);
}
