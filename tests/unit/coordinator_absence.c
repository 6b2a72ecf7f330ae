/* What the absence of sessions means: advice, unless a replica could not come back unnoticed; and which roles
 * are remembered as those of applications. */
#include "witness_scene.h"

/* ---- absence ---- */

static void lose_a(void)
{
    live_for(35000, "new"); /* a says nothing */
    assert_int_equal(coordinator_find_replica(w->c, "web", "a")->state, REPLICA_LOST);
}

static void test_absence_is_advice(void **state)
{
    (void)state;
    begin_contract();
    lose_a();
    assert_non_null(strstr(find_hold(1, HOLD_REPLICA_LOST)->message, "still there"));
    disconnect(11);
    live_for(3600000, "new");
    assert_non_null(strstr(find_hold(1, HOLD_REPLICA_LOST)->message, "schemagate evict web/a"));
    assert_int_equal(w->contracts_run, 0);
}

static void test_absence_that_is_trusted(void **state)
{
    (void)state;
    w->config.gate.trust_absence_seconds = 60;
    begin_contract();
    lose_a();
    live_for(120000, "new"); /* its session is there: a veto */
    assert_int_equal(w->contracts_run, 0);
    disconnect(11);
    live_for(50000, "new");
    assert_int_equal(w->contracts_run, 0);
    live_for(20000, "new");
    assert_phase(w, 1, PHASE_COMPLETE);
    assert_string_equal(stored_state(w, "a", "i1"), "gone");
}

/* While nothing waits, a minute passes between two looks: the session may have ended just before one. */
static void test_absence_counts_from_the_first_look_that_shows_it(void **state)
{
    (void)state;
    w->config.gate.trust_absence_seconds = 30;
    connect_session(10, "app", "new", "");
    connect_session(11, "app", "a", "");
    join(w, "a", 0, 0);
    join(w, "new", 0, 1);
    live_for(60000, "a");
    lose_a();
    live_for(80000, "new");
    assert_string_equal(stored_state(w, "a", "i1"), "lost");
    disconnect(11);
    live_for(25000, "new");
    assert_string_equal(stored_state(w, "a", "i1"), "lost");
    live_for(80000, "new");
    assert_string_equal(stored_state(w, "a", "i1"), "gone");
}

/* Another process of that machine, which is not registered (any more), may have pins; this one has none, and
 * its own sessions were away when the other's were seen. */
static void test_a_pinned_session_from_its_address_under_another_name_is_no_evidence(void **state)
{
    (void)state;
    connect_session(10, "app", "new", "");
    pin(10, 0, 1);
    connect_session(12, "app", "another", "10.0.0.1");
    pin(12, 0, 0);
    register_as(w, (struct registration){.instance = "a", .lease_seconds = 30, .application_name = "a",
                                         .address = "10.0.0.1"});
    join(w, "new", 0, 1);
    submit(w, 1, EXPAND CONTRACT);
    live_for(10000, "a");
    disconnect(12);
    json_array_remove(json_object_get(w->sight, "pins"), 1);
    live_for(600000, "new");
    assert_string_equal(stored_state(w, "a", "i1"), "lost");
    assert_int_equal(w->contracts_run, 0);
}

static void test_a_session_never_witnessed_proves_nothing_by_its_absence(void **state)
{
    (void)state;
    w->config.gate.trust_absence_seconds = 60;
    begin_contract();
    join(w, "pooled", 0, 0);
    disconnect(11);
    leave(w, "a");
    live_for(600000, "new");
    assert_int_equal(coordinator_find_replica(w->c, "web", "pooled")->state, REPLICA_LOST);
    assert_int_equal(w->contracts_run, 0);
}

static void test_absence_counts_only_where_all_is_seen(void **state)
{
    (void)state;
    w->config.gate.trust_absence_seconds = 60;
    begin_contract();
    lose_a();
    disconnect(11);
    json_object_set_new(w->sight, "sees_all", json_false());
    live_for(600000, "new");
    assert_int_equal(w->contracts_run, 0);
    json_object_set_new(w->sight, "sees_all", json_true());
    live_for(50000, "new");
    assert_int_equal(w->contracts_run, 0);
    live_for(30000, "new");
    assert_phase(w, 1, PHASE_COMPLETE);
}

static void test_a_visible_session_vetoes_what_is_assumed(void **state)
{
    (void)state;
    w->config.gate.assume_gone_after_seconds = 60;
    begin_contract();
    lose_a();
    live_for(300000, "new");
    assert_int_equal(w->contracts_run, 0);
    disconnect(11);
    live_for(20000, "new");
    assert_phase(w, 1, PHASE_COMPLETE);
    assert_string_equal(stored_state(w, "a", "i1"), "gone");
}

/* ---- where it could not come back ---- */

static void bar(const char *role, bool barred)
{
    json_array_clear(json_object_get(w->sight, "barred_roles"));
    if (barred)
        json_array_append_new(json_object_get(w->sight, "barred_roles"), json_string(role));
}

static const char *last_reason(void)
{
    const json_t *events = world_table(w, "events");
    for (size_t i = json_array_size(events); i-- > 0;)
        if (strcmp(world_text(json_array_get(events, i), "kind"), "replica.gone") == 0)
            return world_text(json_object_get(json_array_get(events, i), "data"), "because");
    return "";
}

/* Like begin_contract, but everybody who uses the role has a pin. */
static void begin_with_pins(void)
{
    pin(10, 0, 1);
    pin(11, 0, 0);
    begin_contract();
}

static void test_who_pins_and_is_not_there_is_gone(void **state)
{
    (void)state;
    begin_with_pins();
    live_for(10000, "a");
    disconnect(11);
    json_array_remove(json_object_get(w->sight, "pins"), 1);
    live_for(20000, "new");
    assert_string_equal(stored_state(w, "a", "i1"), "live"); /* its lease is not over */
    live_for(20000, "new");
    assert_phase(w, 1, PHASE_COMPLETE);
    assert_string_equal(stored_state(w, "a", "i1"), "gone");
    assert_string_equal(last_reason(), "its role's sessions are pinned");
}

static void test_a_pinned_session_that_is_there_vetoes(void **state)
{
    (void)state;
    begin_with_pins();
    lose_a();
    live_for(600000, "new");
    assert_int_equal(w->contracts_run, 0);
    assert_string_equal(stored_state(w, "a", "i1"), "lost");
}

/* Its own code may lack the hook. */
static void test_who_never_pinned_is_not_concluded_from_the_pins_of_others(void **state)
{
    (void)state;
    pin(10, 0, 1);
    begin_contract();
    live_for(10000, "a");
    disconnect(11);
    lose_a();
    live_for(600000, "new");
    assert_int_equal(w->contracts_run, 0);
}

static void test_a_session_of_its_role_without_a_pin_is_doubt(void **state)
{
    (void)state;
    begin_with_pins();
    connect_session(12, "app", "cron", "");
    live_for(10000, "a");
    disconnect(11);
    json_array_remove(json_object_get(w->sight, "pins"), 1);
    lose_a();
    live_for(600000, "new");
    assert_string_equal(stored_state(w, "a", "i1"), "lost");
    disconnect(12);
    live_for(15000, "new");
    assert_phase(w, 1, PHASE_COMPLETE);
}

static void test_who_may_not_log_in_and_is_not_there_is_gone(void **state)
{
    (void)state;
    connect_session(11, "old_app", "a", "");
    connect_session(10, "app", "new", "");
    join(w, "a", 0, 0);
    join(w, "new", 0, 1);
    submit(w, 1, EXPAND CONTRACT);
    live_for(5000, "a");
    disconnect(11);
    lose_a();
    bar("app", true); /* another one */
    live_for(60000, "new");
    assert_int_equal(w->contracts_run, 0);
    bar("old_app", true);
    live_for(10000, "new");
    assert_int_equal(w->contracts_run, 0); /* a login may have been under way */
    live_for(15000, "new");
    assert_phase(w, 1, PHASE_COMPLETE);
    assert_string_equal(last_reason(), "its role may not log in");
}

static void test_a_role_that_may_log_in_again_begins_anew(void **state)
{
    (void)state;
    begin_contract();
    disconnect(11);
    lose_a();
    for (int i = 0; i < 10; i++) {
        bar("app", true);
        live_for(5000, "new");
        bar("app", false);
        live_for(10000, "new");
    }
    assert_int_equal(w->contracts_run, 0);
}

static void test_all_roles_that_it_was_seen_with_must_be_barred(void **state)
{
    (void)state;
    connect_session(12, "app_reader", "a", "");
    begin_contract();
    disconnect(11);
    disconnect(12);
    bar("app", true);
    lose_a();
    live_for(60000, "new");
    assert_int_equal(w->contracts_run, 0);
    json_array_append_new(json_object_get(w->sight, "barred_roles"), json_string("app_reader"));
    live_for(20000, "new");
    assert_phase(w, 1, PHASE_COMPLETE);
}

/* An operator's standing risk is another reason than absence. */
static void test_who_was_never_seen_is_assumed_and_not_concluded(void **state)
{
    (void)state;
    w->config.gate.trust_absence_seconds = 60;
    w->config.gate.assume_gone_after_seconds = 600;
    begin_contract();
    join(w, "pooled", 0, 0);
    disconnect(11);
    leave(w, "a");
    live_for(700000, "new");
    assert_phase(w, 1, PHASE_COMPLETE);
    assert_string_equal(last_reason(), "");
}

/* Through a pooler it may be there all the time. */
static void test_who_was_never_seen_is_not_concluded_from_any_absence(void **state)
{
    (void)state;
    pin(10, 0, 1);
    connect_session(10, "app", "new", "");
    join(w, "a", 0, 0);
    join(w, "new", 0, 1);
    submit(w, 1, EXPAND CONTRACT);
    bar("app", true);
    lose_a();
    live_for(600000, "new");
    assert_int_equal(w->contracts_run, 0);
}

static void test_what_was_seen_before_a_restart_counts_after_it(void **state)
{
    (void)state;
    begin_contract();
    disconnect(11);
    lose_a();
    world_restart_term(w);
    bar("app", true);
    live_for(60000, "new");
    assert_phase(w, 1, PHASE_COMPLETE);
}

/* ---- roles ---- */

static void test_a_role_that_was_witnessed_is_remembered_across_restarts(void **state)
{
    (void)state;
    begin_contract();
    assert_int_equal(json_array_size(world_table(w, "roles")), 1);
    disconnect(10);
    disconnect(11);
    leave(w, "a");
    world_pass(w, 1000);
    assert_phase(w, 1, PHASE_COMPLETE);
    join(w, "still", 0, 1);
    submit(w, 2, EXPAND CONTRACT);
    world_restart_term(w);
    connect_session(20, "app", "cron", "");
    leave(w, "still");
    live_for(10000, "new");
    assert_string_equal(find_hold(2, HOLD_SESSION_STRAY)->session->name, "app/cron");
}

/* A daemon that goes on leading after it was cut off still knows what it could not write down. */
static void test_a_role_that_could_not_be_stored_is_not_forgotten(void **state)
{
    (void)state;
    connect_session(10, "app", "new", "");
    join(w, "new", 0, 1);
    w->database_away = true;
    live_for(5000, "new");
    w->database_away = false;
    live_for(65000, "new");
    world_restart_term(w);
    live_for(65000, "new");
    assert_int_equal(json_array_size(world_table(w, "roles")), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_absence_is_advice),
        TEST(test_absence_that_is_trusted),
        TEST(test_absence_counts_from_the_first_look_that_shows_it),
        TEST(test_a_pinned_session_from_its_address_under_another_name_is_no_evidence),
        TEST(test_a_session_never_witnessed_proves_nothing_by_its_absence),
        TEST(test_absence_counts_only_where_all_is_seen),
        TEST(test_a_visible_session_vetoes_what_is_assumed),
        TEST(test_who_pins_and_is_not_there_is_gone),
        TEST(test_a_pinned_session_that_is_there_vetoes),
        TEST(test_who_never_pinned_is_not_concluded_from_the_pins_of_others),
        TEST(test_a_session_of_its_role_without_a_pin_is_doubt),
        TEST(test_who_may_not_log_in_and_is_not_there_is_gone),
        TEST(test_a_role_that_may_log_in_again_begins_anew),
        TEST(test_all_roles_that_it_was_seen_with_must_be_barred),
        TEST(test_who_was_never_seen_is_assumed_and_not_concluded),
        TEST(test_who_was_never_seen_is_not_concluded_from_any_absence),
        TEST(test_what_was_seen_before_a_restart_counts_after_it),
        TEST(test_a_role_that_was_witnessed_is_remembered_across_restarts),
        TEST(test_a_role_that_could_not_be_stored_is_not_forgotten),
    };
    return scene_run(tests, begin_watched);
}
