/* The store over a real PostgreSQL: fenced commits, merges, what is read back. */
#include "db_scene.h"

#define REPLICA(instance, rest) \
    "{\"app\":\"web\",\"instance\":\"" instance "\",\"incarnation\":\"i\"" rest "}"
#define NEW_REPLICA ",\"state\":\"live\",\"min\":1,\"max\":2,\"lease_seconds\":30"

static void a_commit_bumps_the_generation_and_numbers_its_events(void **state)
{
    (void)state;
    struct committed first = commit_json(&part, 0, "{}");
    struct committed second = commit_json(
        &part, first.generation,
        "{\"replicas\":[" REPLICA("a", NEW_REPLICA) "],"
        "\"events\":[{\"kind\":\"replica.registered\",\"app\":\"web\"},{\"kind\":\"gate.opened\"}]}");

    assert_int_equal(first.status, COMMIT_DONE);
    assert_int_equal(second.status, COMMIT_DONE);
    assert_int_equal(second.generation, first.generation + 1);
    assert_int_equal(second.events, 2);
    assert_int_equal(sql_number(sql, "SELECT id FROM schemagate.event WHERE kind = 'gate.opened'"),
                     second.first_event + 1);
    assert_int_equal(sql_number(sql, "SELECT count(*) FROM schemagate.replica WHERE state = 'live' "
                                     "AND release = '' AND on_lost = 'keep'"), 1);
}

static void a_commit_against_another_generation_writes_nothing_and_tells_the_window(void **state)
{
    (void)state;
    commit_json(&part, 0, "{\"window\":{\"floor\":3,\"ceiling\":5,\"contracting\":5}}");
    struct committed stale =
        commit_json(&part, 999, "{\"window\":{\"floor\":4},\"events\":[{\"kind\":\"x\"}]}");

    assert_int_equal(stale.status, COMMIT_STALE);
    assert_int_equal(stale.window.floor, 3);
    assert_int_equal(stale.window.ceiling, 5);
    assert_int_equal(stale.window.contracting, 5);
    assert_int_equal(stale.window.undoing, 0);
    assert_int_equal(stale.generation, sql_number(sql, "SELECT generation FROM schemagate.window"));
    assert_int_equal(sql_number(sql, "SELECT count(*) FROM schemagate.event"), 0);
}

static void absent_columns_keep_their_value_and_null_clears_them(void **state)
{
    (void)state;
    commit_json(&part, 0,
                "{\"apps\":[{\"app\":\"web\",\"min_replicas\":3,\"desired_min\":1}],"
                "\"replicas\":[" REPLICA("a", NEW_REPLICA ",\"knows\":{\"2\":\"sha256:x\"}") "]}");
    struct committed c = commit_json(&part, 0, "{\"apps\":[{\"app\":\"web\",\"desired_min\":null}],"
                                               "\"replicas\":[" REPLICA("a", ",\"state\":\"lost\"") "]}");

    assert_int_equal(c.status, COMMIT_DONE);
    assert_int_equal(sql_number(sql, "SELECT count(*) FROM schemagate.app WHERE min_replicas = 3 AND "
                                     "desired_min IS NULL"), 1);
    assert_int_equal(sql_number(sql, "SELECT count(*) FROM schemagate.replica WHERE state = 'lost' AND "
                                     "max = 2 AND knows ? '2'"), 1);
}

#define MIGRATION "{\"version\":7,\"checksum\":\"c\",\"plan_checksum\":\"p\",\"sql\":\"SELECT 1\""
#define STEP \
    "{\"version\":7,\"section\":\"expand\",\"number\":1,\"transaction\":1,\"transactional\":true," \
    "\"line\":1,\"column\":1,\"sql\":\"SELECT 1\",\"kind\":\"statement\",\"source\":1,\"generated\":false}"
#define APPROVAL \
    "{\"version\":7,\"plan_checksum\":\"p\",\"system_identifier\":\"s\",\"timeline\":\"t\",\"actor\":\"a\"}"

static void a_corrected_plan_voids_steps_and_approvals(void **state)
{
    (void)state;
    struct committed c = commit_json(
        &part, 0,
        "{\"migrations\":[" MIGRATION ",\"sections\":[\"expand\"],\"labels\":null}],\"steps\":[" STEP "],"
        "\"approvals\":[" APPROVAL "],\"events\":[{\"kind\":\"migration.submitted\",\"version\":7}]}");

    assert_string_equal(c.error, "");
    assert_int_equal(c.status, COMMIT_DONE);
    assert_int_equal(sql_number(sql, "SELECT id FROM schemagate.event WHERE version = 7"), c.first_event);
    assert_int_equal(sql_number(sql, "SELECT count(*) FROM schemagate.approval"), 1);
    c = commit_json(&part, 0, "{\"migrations\":[" MIGRATION ",\"replaced\":true}]}");
    assert_int_equal(c.status, COMMIT_DONE);
    assert_int_equal(sql_number(sql, "SELECT count(*) FROM schemagate.step"), 0);
    assert_int_equal(sql_number(sql, "SELECT count(*) FROM schemagate.approval"), 0);
}

static void a_refused_commit_says_why_and_leaves_nothing(void **state)
{
    (void)state;
    struct committed c = commit_json(&part, 0, "{\"window\":{\"floor\":9},\"replicas\":["
                                               REPLICA("a", "") "]}");

    assert_int_equal(c.status, COMMIT_FAILED);
    assert_non_null(strstr(c.error, "23502"));
    assert_int_equal(sql_number(sql, "SELECT floor FROM schemagate.window"), 0);
    assert_int_equal(commit_json(&part, 0, "{}").status, COMMIT_DONE);
}

static void another_term_fences_this_one(void **state)
{
    (void)state;
    sql_run(sql, "UPDATE schemagate.coordinator SET nonce = 'other'");
    assert_int_equal(commit_json(&part, 0, "{}").status, COMMIT_FENCED);
}

static void a_lost_connection_leaves_the_outcome_unknown(void **state)
{
    (void)state;
    struct committed c = {0};

    sql_run(sql, "BEGIN; LOCK TABLE schemagate.window");
    database_store_ops.commit(part.db, json_object(), 0, on_commit, &c);
    part_turn(&part);
    sql_run(sql, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                 "WHERE application_name = 'schemagate store' AND datname = current_database()");
    part_wait(&part, c.answers > 0);
    assert_int_equal(c.status, COMMIT_UNKNOWN);
    assert_int_equal(part.coordinator.ended, 1);
    /* Without a session it is the same, and never from inside the call. */
    assert_int_equal(commit_json(&part, 0, "{}").status, COMMIT_UNKNOWN);
    sql_run(sql, "ROLLBACK");
    part_wait(&part, part.coordinator.begun == 2);
    assert_int_equal(commit_json(&part, 0, "{}").status, COMMIT_DONE);
}

static void a_commit_larger_than_any_socket_buffer_goes_through(void **state)
{
    (void)state;
    struct committed c = {0};
    json_t *changes = json_object(), *replicas = json_array();

    for (int i = 0; i < 20000; i++) {
        json_array_append_new(
            replicas, json_pack("{s:s, s:o, s:s, s:s, s:i, s:i, s:i}", "app", "web", "instance",
                                json_sprintf("instance-%d", i), "incarnation", "i", "state", "live",
                                "min", 1, "max", 2, "lease_seconds", 30));
    }
    json_object_set_new(changes, "replicas", replicas);
    database_store_ops.commit(part.db, changes, 0, on_commit, &c);
    part_wait(&part, c.answers > 0);
    assert_int_equal(c.status, COMMIT_DONE);
    assert_int_equal(sql_number(sql, "SELECT count(*) FROM schemagate.replica"), 20000);
}

static void on_commit_restart(void *context, const struct commit_result *result)
{
    on_commit(context, result);
    database_restart_term(part.db, "asked for by the coordinator");
}

static void the_coordinator_may_end_the_term_from_inside_an_answer(void **state)
{
    (void)state;
    struct committed c = {0}, d = {0};

    database_store_ops.commit(part.db, json_object(), 0, on_commit_restart, &c);
    database_store_ops.commit(part.db, json_object(), 0, on_commit, &d);
    part_wait(&part, part.coordinator.begun == 2);
    assert_int_equal(c.answers, 1);
    assert_int_equal(d.answers, 1);
    assert_string_equal(part.coordinator.reason, "asked for by the coordinator");
    assert_int_equal(commit_json(&part, 0, "{}").status, COMMIT_DONE);
}

/* ---- reading ---- */

struct loaded {
    char tables[512];
    unsigned answers;
    bool ok;
};

static void on_row(void *context, const char *table, const json_t *row)
{
    struct loaded *l = context;
    size_t length = strlen(l->tables);

    assert_true(json_is_object(row));
    snprintf(l->tables + length, sizeof l->tables - length, "%s ", table);
}

static void on_loaded(void *context, bool ok)
{
    struct loaded *l = context;

    l->answers++;
    l->ok = ok;
}

static void rows_are_loaded_in_the_order_in_which_they_refer_to_each_other(void **state)
{
    (void)state;
    struct loaded l = {0};

    commit_json(&part, 0,
                "{\"replicas\":[" REPLICA("a", NEW_REPLICA) "," REPLICA("b", NEW_REPLICA) ","
                REPLICA("c", ",\"state\":\"gone\",\"min\":1,\"max\":2,\"lease_seconds\":5") "],"
                "\"apps\":[{\"app\":\"web\"}],\"migrations\":[" MIGRATION "}],\"steps\":[" STEP "],"
                "\"compatible\":[{\"app\":\"web\",\"release\":\"r\",\"max\":9,\"reason\":\"x\","
                "\"actor\":\"o\"}],\"approvals\":[" APPROVAL "]}");
    database_store_ops.load(part.db, on_row, on_loaded, &l);
    part_wait(&part, l.answers > 0);
    assert_true(l.ok);
    assert_string_equal(l.tables, "window migrations steps approvals apps compatible replicas replicas ");
}

struct read_back {
    unsigned answers;
    json_t *value;
};

static void on_json(void *context, const json_t *value)
{
    struct read_back *r = context;

    r->answers++;
    r->value = value ? json_deep_copy(value) : NULL;
}

static void verification_counts_alike_replicas_and_names_one(void **state)
{
    (void)state;
    struct read_back r = {0};

    commit_json(&part, 0, "{\"replicas\":[" REPLICA("b", NEW_REPLICA) "," REPLICA("a", NEW_REPLICA) ","
                          REPLICA("c", ",\"state\":\"lost\",\"min\":1,\"max\":2,\"lease_seconds\":5") "]}");
    database_store_ops.verify(part.db, on_json, &r);
    part_wait(&part, r.answers > 0);
    json_t *replicas = json_object_get(r.value, "replicas"), *row;
    size_t i;
    assert_int_equal(json_array_size(replicas), 2);
    json_array_foreach(replicas, i, row)
    {
        bool live = strcmp(json_string_value(json_object_get(row, "state")), "live") == 0;
        assert_string_equal(json_string_value(json_object_get(row, "instance")), live ? "a" : "c");
        assert_string_equal(json_string_value(json_object_get(row, "incarnation")), "i");
        assert_int_equal(json_integer_value(json_object_get(row, "count")), live ? 2 : 1);
    }
    assert_int_equal(json_integer_value(json_object_get(json_object_get(r.value, "window"), "floor")), 0);
    json_decref(r.value);
}

static json_t *read_events(int64_t after, const char *kind, int64_t version, int limit)
{
    struct read_back r = {0};

    database_store_ops.events(part.db, after, kind, version, limit, on_json, &r);
    part_wait(&part, r.answers > 0);
    assert_true(json_is_array(r.value));
    return r.value;
}

static void events_are_filtered_by_kind_version_and_place(void **state)
{
    (void)state;
    struct committed c = commit_json(
        &part, 0,
        "{\"events\":[{\"kind\":\"replica.lost\"},{\"kind\":\"replica.gone\",\"actor\":\"app:web\"},"
        "{\"kind\":\"migration.expanded\",\"version\":7}]}");
    const struct {
        int64_t after;
        const char *kind;
        int64_t version;
        int limit;
        size_t count;
    } cases[] = {
        {0, NULL, 0, 100, 3},         {0, NULL, 0, 2, 2},       {c.first_event, NULL, 0, 100, 2},
        {0, "replica.*", 0, 100, 2},  {0, "replica.gone", 0, 100, 1}, {0, NULL, 7, 100, 1},
        {0, "replica_*", 0, 100, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        json_t *rows = read_events(cases[i].after, cases[i].kind, cases[i].version, cases[i].limit);
        assert_int_equal(json_array_size(rows), cases[i].count);
        json_decref(rows);
    }
    json_t *rows = read_events(0, "replica.lost", 0, 1);
    const char *at = json_string_value(json_object_get(json_array_get(rows, 0), "at"));
    assert_int_equal(strlen(at), strlen("2026-11-20T09:30:00.123Z"));
    json_decref(rows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_TERM(a_commit_bumps_the_generation_and_numbers_its_events),
        WITH_TERM(a_commit_against_another_generation_writes_nothing_and_tells_the_window),
        WITH_TERM(absent_columns_keep_their_value_and_null_clears_them),
        WITH_TERM(a_corrected_plan_voids_steps_and_approvals),
        WITH_TERM(a_refused_commit_says_why_and_leaves_nothing),
        WITH_TERM(another_term_fences_this_one),
        WITH_TERM(a_lost_connection_leaves_the_outcome_unknown),
        WITH_TERM(a_commit_larger_than_any_socket_buffer_goes_through),
        WITH_TERM(the_coordinator_may_end_the_term_from_inside_an_answer),
        WITH_TERM(rows_are_loaded_in_the_order_in_which_they_refer_to_each_other),
        WITH_TERM(verification_counts_alike_replicas_and_names_one),
        WITH_TERM(events_are_filtered_by_kind_version_and_place),
    };
    return cmocka_run_group_tests(tests, open_cluster, close_cluster);
}
