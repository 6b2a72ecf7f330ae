/* What the witness sees, in the coordinator: when it looks, whom sessions belong to, and that no contract
 * starts without a look. */
#include "witness_scene.h"

/* ---- when it looks ---- */

static void test_it_looks_now_and_then_while_nothing_waits(void **state)
{
    (void)state;
    unsigned before = w->looks;
    world_pass(w, 600000);
    assert_in_range(w->looks - before, 9, 11);
}

static void test_it_looks_often_while_something_waits(void **state)
{
    (void)state;
    begin_contract();
    unsigned before = w->looks;
    live_for(60000, "a");
    assert_in_range(w->looks - before, 11, 14);
}

/* ---- whom sessions belong to ---- */

static const struct witnessed_session *session_of(int pid)
{
    const struct sight *sight = coordinator_sight(w->c);
    for (size_t i = 0; i < sight->session_count; i++)
        if (sight->sessions[i].pid == pid)
            return &sight->sessions[i];
    return NULL;
}

static void test_a_session_is_matched_by_its_name(void **state)
{
    (void)state;
    join(w, "a", 0, 0);
    connect_session(1, "app", "a", "");
    connect_session(2, "app", "b", "");
    look_again();
    assert_ptr_equal(session_of(1)->replica, coordinator_find_replica(w->c, "web", "a"));
    assert_true(session_of(1)->replica->witnessed);
    assert_null(session_of(2)->replica);
    assert_true(session_of(2)->application); /* its role is one that replicas use */
    leave(w, "a");
    assert_null(session_of(1)->replica); /* without another look */
    assert_false(session_of(1)->known);
}

static void register_from(const char *instance, const char *name, const char *address)
{
    struct reply reply = register_as(w, (struct registration){.instance = instance, .range = {0, 1},
                                                              .application_name = name,
                                                              .address = address});
    assert_int_equal(reply.problem, PROBLEM_NONE);
}

static void test_an_address_identifies_while_one_replica_has_it(void **state)
{
    (void)state;
    register_from("a", "", "10.0.0.1");
    connect_session(1, "app", "whatever", "10.0.0.1");
    look_again();
    assert_string_equal(session_of(1)->replica->instance, "a");
    register_from("b", "", "10.0.0.1");
    assert_null(session_of(1)->replica);
    assert_false(session_of(1)->known);
}

static void test_loopback_identifies_nobody(void **state)
{
    (void)state;
    register_from("a", "", "127.0.0.1");
    connect_session(1, "app", "", "127.0.0.1");
    look_again();
    assert_null(session_of(1)->replica);
}

/* Both go on holding by their own ranges: neither is a stranger, but nobody is witnessed. */
static void test_a_name_that_two_share_identifies_neither(void **state)
{
    (void)state;
    register_from("a", "web", "");
    register_from("b", "web", "");
    connect_session(1, "app", "web", "");
    look_again();
    assert_null(session_of(1)->replica);
    assert_true(session_of(1)->known);
    assert_false(coordinator_find_replica(w->c, "web", "a")->witnessed);
}

/* The same incarnation registers again: its pool names itself otherwise from now on. */
static void test_a_new_name_is_matched_at_once(void **state)
{
    (void)state;
    register_from("a", "before", "");
    connect_session(1, "app", "before", "");
    connect_session(2, "app", "behind", "");
    look_again();
    assert_true(coordinator_find_replica(w->c, "web", "a")->witnessed);
    assert_null(session_of(2)->replica);
    register_from("a", "behind", "");
    assert_ptr_equal(session_of(2)->replica, coordinator_find_replica(w->c, "web", "a")); /* without a look */
    assert_false(session_of(1)->known);
    assert_false(coordinator_find_replica(w->c, "web", "a")->witnessed); /* not under this name */
    look_again();
    world_restart_term(w);
    assert_string_equal(coordinator_find_replica(w->c, "web", "a")->application_name, "behind");
    leave(w, "a");
}

/* ---- holds ---- */

static void test_a_stray_holds_until_it_is_gone(void **state)
{
    (void)state;
    begin_contract();
    connect_session(20, "app", "cron", "10.0.0.9");
    connect_session(21, "app", "cron", "10.0.0.9");
    live_for(5000, "a");
    const struct hold *hold = find_hold(1, HOLD_SESSION_STRAY);
    assert_non_null(hold);
    assert_int_equal(hold->session->pid, 20);
    assert_int_equal(hold->count, 2);
    disconnect(11);
    leave(w, "a");
    assert_int_equal(w->contracts_run, 0);
    disconnect(20);
    disconnect(21);
    world_pass(w, 10000);
    assert_phase(w, 1, PHASE_COMPLETE);
}

static void test_ignored_names_and_other_roles_are_no_strays(void **state)
{
    (void)state;
    char *patterns[] = {(char *)"psql", (char *)"pg_dump*"};
    w->config.gate.ignore_application_names = (struct config_list){patterns, 2};
    begin_contract();
    connect_session(20, "app", "psql", "");
    connect_session(21, "app", "pg_dumpall", "");
    connect_session(22, "report", "metabase", "");
    live_for(5000, "a");
    assert_null(find_hold(1, HOLD_SESSION_STRAY));
    char *roles[] = {(char *)"report"};
    w->config.gate.app_roles = (struct config_list){roles, 1};
    coordinator_configure(w->c, &w->config);
    live_for(5000, "a");
    assert_string_equal(find_hold(1, HOLD_SESSION_STRAY)->session->name, "report/metabase");
}

/* Its own sessions are what the replica leaves behind last: their end is noticed soon. */
static void test_the_last_goodbye_is_followed_at_once(void **state)
{
    (void)state;
    begin_contract();
    leave(w, "a"); /* its session is still there */
    assert_int_equal(w->contracts_run, 0);
    assert_non_null(find_hold(1, HOLD_SESSION_STRAY));
    disconnect(11);
    world_pass(w, 150);
    assert_phase(w, 1, PHASE_COMPLETE);
}

static void test_pins_hold(void **state)
{
    (void)state;
    begin_contract();
    connect_session(30, "other", "job", "");
    pin(30, 0, 0);
    disconnect(11);
    leave(w, "a");
    world_pass(w, 5000);
    const struct hold *hold = find_hold(1, HOLD_SESSION_BEHIND);
    assert_int_equal(hold->session->pid, 30);
    assert_int_equal(w->contracts_run, 0);
    json_array_clear(json_object_get(w->sight, "pins"));
    world_pass(w, 5000);
    assert_phase(w, 1, PHASE_COMPLETE);
}

static void test_a_pin_without_a_session_counts(void **state)
{
    (void)state;
    begin_contract();
    disconnect(11);
    pin(99, 0, 0);
    leave(w, "a");
    world_pass(w, 5000);
    assert_int_equal(find_hold(1, HOLD_SESSION_BEHIND)->session->pid, 99);
}

static void test_a_standby_that_does_not_answer_holds(void **state)
{
    (void)state;
    begin_contract();
    disconnect(11);
    json_array_append_new(json_object_get(w->sight, "standbys"),
                          json_pack("{s:s, s:b, s:s}", "name", "reader", "reachable", 0, "error",
                                    "connection refused"));
    leave(w, "a");
    world_pass(w, 100);
    const struct hold *hold = find_hold(1, HOLD_STANDBY_UNKNOWN);
    assert_string_equal(hold->standby, "reader");
    assert_non_null(strstr(hold->message, "connection refused"));
    assert_int_equal(w->contracts_run, 0);
}

/* ---- behind the fence ---- */

/* Memory knows of no stray; the look behind the fence does. */
static void test_a_contract_takes_a_fresh_look(void **state)
{
    (void)state;
    begin_contract();
    disconnect(11);
    live_for(10000, "a");
    struct reply reply = {0};
    send_remove(w, REPLICA_DEREGISTERED, "a", "i1", &reply);
    up_to(w, CALL_VERIFY);
    assert_non_null(world_find(w, CALL_LOOK));
    connect_session(20, "app", "late", "");
    world_settle(w);
    assert_int_equal(w->contracts_run, 0);
    assert_int_equal(world_window(w).contracting, 0);
    assert_non_null(find_hold(1, HOLD_SESSION_STRAY));
    assert_int_equal(count_events(w, "gate.closed"), 1);
}

static void test_without_a_look_no_contract_starts(void **state)
{
    (void)state;
    begin_contract();
    disconnect(11);
    json_t *sight = w->sight;
    w->sight = json_null();
    leave(w, "a");
    live_for(20000, "new");
    assert_int_equal(w->contracts_run, 0);
    assert_int_equal(world_window(w).contracting, 0);
    assert_string_equal(find_hold(1, HOLD_STANDBY_UNKNOWN)->standby, "primary");
    w->sight = sight;
    live_for(10000, "new");
    assert_phase(w, 1, PHASE_COMPLETE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_it_looks_now_and_then_while_nothing_waits),
        TEST(test_it_looks_often_while_something_waits),
        TEST(test_a_session_is_matched_by_its_name),
        TEST(test_an_address_identifies_while_one_replica_has_it),
        TEST(test_loopback_identifies_nobody),
        TEST(test_a_name_that_two_share_identifies_neither),
        TEST(test_a_new_name_is_matched_at_once),
        TEST(test_a_stray_holds_until_it_is_gone),
        TEST(test_ignored_names_and_other_roles_are_no_strays),
        TEST(test_the_last_goodbye_is_followed_at_once),
        TEST(test_pins_hold),
        TEST(test_a_pin_without_a_session_counts),
        TEST(test_a_standby_that_does_not_answer_holds),
        TEST(test_a_contract_takes_a_fresh_look),
        TEST(test_without_a_look_no_contract_starts),
    };
    return scene_run(tests, begin_watched);
}
