/* The witness over a real PostgreSQL: whom it sees, whom it leaves out, what it may not see, pins, a standby
 * that lags, is away or is none, and what becomes of a term when the witness is lost. */
#include "db_scene.h"

#include <jansson.h>

static char standby_conninfo[CLUSTER_CONNINFO_SIZE + 32];
static struct cluster standby;
static struct config_standby watched[1];
static int open_clusters(void **state)
{
    open_cluster(state);
    cluster_open_standby(&standby, &cluster);
    return 0;
}

static int close_clusters(void **state)
{
    cluster_close(&standby);
    return close_cluster(state);
}

static int create_watched(void **state)
{
    create_database(state);
    cluster_conninfo(&standby, PQdb(sql), standby_conninfo);
    return 0;
}

static int lead_watched(void **state)
{
    create_watched(state);
    part_lead(&part, conninfo);
    return 0;
}

static void watch_standby(struct part *at, char *where)
{
    char name[] = "replica";
    static char kept[sizeof name];

    memcpy(kept, name, sizeof name);
    watched[0] = (struct config_standby){.name = kept, .conninfo = where};
    at->config.standbys = watched;
    at->config.standby_count = 1;
    database_configure(at->db, &at->config);
}

struct seen {
    unsigned answers;
    json_t *sight;
};

static void on_seen(void *context, const json_t *sight)
{
    struct seen *seen = context;

    seen->answers++;
    seen->sight = sight != NULL ? json_deep_copy(sight) : NULL;
}

static json_t *look(void)
{
    struct seen seen = {0};

    database_witness_ops.look(part.db, on_seen, &seen);
    assert_int_equal(seen.answers, 0); /* never from inside the call */
    part_wait(&part, seen.answers > 0);
    part_turn(&part);
    assert_int_equal(seen.answers, 1);
    return seen.sight;
}

static const char *text_of(const json_t *object, const char *member)
{
    return json_string_value(json_object_get(object, member));
}

static json_t *by_pid(const json_t *list, int pid)
{
    size_t i;
    json_t *item;

    json_array_foreach(list, i, item)
    {
        if (json_integer_value(json_object_get(item, "pid")) == pid)
            return item;
    }
    return NULL;
}

static json_t *session_in(const json_t *sight, PGconn *session)
{
    return by_pid(json_object_get(sight, "sessions"), PQbackendPID(session));
}

static PGconn *open_as(const char *where, const char *more)
{
    char text[512];

    snprintf(text, sizeof text, "%s %s", where, more);
    return sql_open(text);
}

/* ---- the primary ---- */

static void sessions_of_this_database_are_seen_and_the_daemons_own_are_not(void **state)
{
    (void)state;
    PGconn *app = open_as(conninfo, "application_name=web-1");
    char elsewhere_info[CLUSTER_CONNINFO_SIZE];
    cluster_conninfo(&cluster, "postgres", elsewhere_info);
    PGconn *elsewhere = sql_open(elsewhere_info);
    json_t *sight = look();

    assert_non_null(sight);
    assert_true(json_is_true(json_object_get(sight, "sees_all")));
    assert_int_equal(json_array_size(json_object_get(sight, "sessions")), 2);
    json_t *seen = session_in(sight, app);
    assert_string_equal(text_of(seen, "application_name"), "web-1");
    assert_string_equal(text_of(seen, "role"), "postgres");
    assert_string_equal(text_of(seen, "address"), "");
    assert_string_equal(text_of(seen, "state"), "idle");
    assert_int_equal(strlen(text_of(seen, "backend_start")), strlen("2026-11-20T09:30:00.123456+00:00"));
    assert_non_null(session_in(sight, sql));
    assert_null(session_in(sight, elsewhere));
    assert_int_equal(json_array_size(json_object_get(sight, "pins")), 0);
    assert_int_equal(json_array_size(json_object_get(sight, "standbys")), 0);
    json_decref(sight);
    PQfinish(app);
    PQfinish(elsewhere);
}

/* An application may call itself what it likes. */
static void an_application_with_the_daemons_name_is_seen(void **state)
{
    (void)state;
    sql_run(sql, "DROP ROLE IF EXISTS impostor");
    sql_run(sql, "CREATE ROLE impostor LOGIN");
    PGconn *app = open_as(conninfo, "user=impostor application_name='schemagate store'");
    json_t *sight = look();

    assert_non_null(session_in(sight, app));
    json_decref(sight);
    PQfinish(app);
}

/* A daemon that stands by belongs to nobody whom a contract could break. */
static void a_daemon_that_stands_by_is_left_out(void **state)
{
    (void)state;
    struct part other;

    part_open(&other, conninfo);
    part_wait(&other, other.coordinator.stood_by == 1);
    json_t *sight = look();
    assert_int_equal(json_array_size(json_object_get(sight, "sessions")), 1);
    json_decref(sight);
    part_stop(&other);
}

static void a_role_that_may_not_see_all_says_so(void **state)
{
    (void)state;
    char limited[CLUSTER_CONNINFO_SIZE + 32];

    sql_run(sql, "DROP ROLE IF EXISTS gatekeeper");
    sql_run(sql, "CREATE ROLE gatekeeper LOGIN");
    sql_run(sql, "GRANT CREATE ON DATABASE %s TO gatekeeper", PQdb(sql));
    snprintf(limited, sizeof limited, "%s user=gatekeeper", conninfo);
    part_lead(&part, limited);
    PGconn *app = open_as(conninfo, "application_name=web-1");
    json_t *sight = look();
    assert_false(json_is_true(json_object_get(sight, "sees_all")));
    assert_string_equal(text_of(session_in(sight, app), "application_name"), "web-1");
    assert_string_equal(text_of(session_in(sight, app), "state"), "");
    json_decref(sight);
    sql_run(sql, "GRANT pg_read_all_stats TO gatekeeper");
    sight = look();
    assert_true(json_is_true(json_object_get(sight, "sees_all")));
    assert_string_equal(text_of(session_in(sight, app), "state"), "idle");
    json_decref(sight);
    PQfinish(app);
}

static void the_loss_of_the_witness_ends_the_term_and_answers_the_look(void **state)
{
    (void)state;
    struct seen seen = {0};

    database_witness_ops.look(part.db, on_seen, &seen);
    sql_run(sql, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                 "WHERE application_name = 'schemagate witness' AND datname = current_database()");
    part_wait(&part, part.coordinator.ended == 1);
    json_decref(seen.sight);
    assert_int_equal(seen.answers, 1);
    assert_null(look()); /* without a session: lost, and never from inside the call */
    part_wait(&part, part.coordinator.begun == 2);
    json_t *sight = look();
    assert_non_null(sight);
    json_decref(sight);
}

/* ---- terminate ---- */

struct ended {
    unsigned answers;
    bool ended;
    char error[256];
};

static void on_ended(void *context, bool ended, const char *error)
{
    struct ended *e = context;

    e->answers++;
    e->ended = ended;
    snprintf(e->error, sizeof e->error, "%s", error ? error : "");
}

static struct ended terminate(const char *on, int pid, const char *backend_start)
{
    struct ended e = {0};

    database_witness_ops.terminate(
        part.db,
        &(struct witness_target){.standby = on, .pid = pid, .backend_start = backend_start},
        on_ended, &e);
    part_wait(&part, e.answers > 0);
    return e;
}

static void a_session_is_terminated_only_if_it_is_the_one_that_was_seen(void **state)
{
    (void)state;
    PGconn *app = open_as(conninfo, "application_name=web-1");
    json_t *sight = look();
    int pid = PQbackendPID(app);

    struct ended other = terminate(NULL, pid, "2001-01-01T00:00:00.000000+00:00");
    assert_false(other.ended);
    assert_string_equal(other.error, "");
    struct ended same = terminate(NULL, pid, text_of(session_in(sight, app), "backend_start"));
    assert_true(same.ended);
    sql_wait(sql, "SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = %d", pid);
    struct ended again = terminate(NULL, pid, text_of(session_in(sight, app), "backend_start"));
    assert_false(again.ended);
    assert_non_null(strstr(terminate("nowhere", pid, "x").error, "no connection"));
    json_decref(sight);
    PQfinish(app);
}

/* ---- pins: two shared advisory locks ---- */

#define LOCK_SHARED "SELECT pg_advisory_lock_shared((x'%s'::bigint << 48) | %d)"

static void expect_pin(PGconn *session, int64_t min, int64_t max)
{
    json_t *sight = look(), *pin = by_pid(json_object_get(sight, "pins"), PQbackendPID(session));

    assert_non_null(pin);
    assert_int_equal(json_integer_value(json_object_get(pin, "min")), min);
    assert_int_equal(json_integer_value(json_object_get(pin, "max")), max);
    json_decref(sight);
}

static void pins_are_read_from_the_lock_table_and_the_strictest_counts(void **state)
{
    (void)state;
    PGconn *app = sql_open(conninfo);

    sql_run(app, LOCK_SHARED, "5348", 7);
    expect_pin(app, 0, 7);
    sql_run(app, LOCK_SHARED, "5349", 5);
    expect_pin(app, 5, 7);
    sql_run(app, LOCK_SHARED ";" LOCK_SHARED, "5348", 9, "5349", 8);
    expect_pin(app, 8, 7);
    sql_run(app, "SELECT pg_advisory_unlock_all()");
    json_t *sight = look();
    assert_int_equal(json_array_size(json_object_get(sight, "pins")), 0);
    json_decref(sight);
    PQfinish(app);
}

/* ---- standbys ---- */

static json_t *the_standby(const json_t *sight)
{
    assert_int_equal(json_array_size(json_object_get(sight, "standbys")), 1);
    return json_array_get(json_object_get(sight, "standbys"), 0);
}

/* What stands in the log is there before the daemon's part is. */
static void let_standby_catch_up(void)
{
    char there[CLUSTER_CONNINFO_SIZE];

    char *lsn = sql_text(sql, "SELECT pg_current_wal_insert_lsn()");
    cluster_conninfo(&standby, "postgres", there);
    PGconn *session = sql_open(there);
    sql_wait(session, "SELECT pg_last_wal_replay_lsn() >= '%s'", lsn);
    PQfinish(session);
    free(lsn);
}

/* A look waits for two seconds: on a busy machine the standby may need longer. The caller releases. */
static json_t *look_until(bool reachable, const char *because)
{
    int64_t deadline = test_now_ms() + PATIENCE_MS;

    for (;;) {
        json_t *sight = look(), *at = the_standby(sight);
        const char *error = text_of(at, "error");

        if (json_is_true(json_object_get(at, "reachable")) == reachable && strstr(error, because) != NULL)
            return sight;
        if (test_now_ms() > deadline)
            test_fail("the standby's error is: %s", error);
        json_decref(sight);
        part_turn(&part);
    }
}

static void wait_for_standby(bool reachable, const char *because)
{
    json_decref(look_until(reachable, because));
}

/* Never believed, and in the end the reason is told. */
static void expect_unreachable(const char *because)
{
    json_t *sight = look();

    assert_false(json_is_true(json_object_get(the_standby(sight), "reachable")));
    json_decref(sight);
    wait_for_standby(false, because);
}

static void sessions_and_pins_on_a_standby_are_seen(void **state)
{
    (void)state;
    let_standby_catch_up();
    PGconn *reader = open_as(standby_conninfo, "application_name=reports");
    sql_run(reader, LOCK_SHARED, "5348", 7);
    watch_standby(&part, standby_conninfo);
    json_t *sight = look_until(true, ""), *at = the_standby(sight);
    assert_string_equal(text_of(at, "error"), "");
    assert_true(json_is_true(json_object_get(at, "sees_all")));
    assert_string_equal(text_of(at, "name"), "replica");
    assert_int_equal(json_array_size(json_object_get(at, "sessions")), 1);
    json_t *seen = by_pid(json_object_get(at, "sessions"), PQbackendPID(reader));
    assert_string_equal(text_of(seen, "application_name"), "reports");
    assert_int_equal(json_array_size(json_object_get(at, "pins")), 1);
    struct ended ended = terminate("replica", PQbackendPID(reader), text_of(seen, "backend_start"));
    assert_true(ended.ended);
    json_decref(sight);
    PQfinish(reader);
}

static void a_standby_that_has_not_replayed_is_not_believed(void **state)
{
    (void)state;
    let_standby_catch_up();
    PGconn *reader = sql_open(standby_conninfo);
    watch_standby(&part, standby_conninfo);
    wait_for_standby(true, "");
    sql_run(reader, "SELECT pg_wal_replay_pause()");
    sql_wait(reader, "%s", PQserverVersion(reader) < 140000 ? "SELECT pg_is_wal_replay_paused()"
                                  : "SELECT pg_get_wal_replay_pause_state() = 'paused'");
    sql_run(sql, "CREATE TABLE written (n int)");
    expect_unreachable("has not replayed");
    sql_run(reader, "SELECT pg_wal_replay_resume()");
    wait_for_standby(true, "");
    PQfinish(reader);
}

static void a_standby_that_is_away_does_not_end_the_term_and_is_found_again(void **state)
{
    (void)state;
    let_standby_catch_up();
    watch_standby(&part, standby_conninfo);
    wait_for_standby(true, "");
    cluster_crash(&standby);
    wait_for_standby(false, "cannot connect to PostgreSQL");
    cluster_start(&standby);
    wait_for_standby(true, "");
    assert_int_equal(part.coordinator.ended, 0);
}

static void what_is_no_standby_of_this_database_is_refused(void **state)
{
    (void)state;
    char wrong[CLUSTER_CONNINFO_SIZE];

    let_standby_catch_up();
    watch_standby(&part, conninfo);
    expect_unreachable("no standby");
    cluster_conninfo(&standby, "postgres", wrong);
    watch_standby(&part, wrong);
    expect_unreachable("another database");
    part.config.standby_count = 0;
    database_configure(part.db, &part.config);
    json_t *sight = look();
    assert_int_equal(json_array_size(json_object_get(sight, "standbys")), 0);
    json_decref(sight);
}

/* A configuration without the standby is read while a look waits for it: the look is answered. */
static void a_look_survives_the_end_of_its_standby(void **state)
{
    (void)state;
    struct seen seen = {0};

    watch_standby(&part, standby_conninfo);
    database_witness_ops.look(part.db, on_seen, &seen);
    part_turn(&part);
    part.config.standby_count = 0;
    database_configure(part.db, &part.config);
    part_wait(&part, seen.answers == 1);
    json_decref(seen.sight);
    watch_standby(&part, standby_conninfo);
    seen = (struct seen){0};
    database_witness_ops.look(part.db, on_seen, &seen);
    database_restart_term(part.db, "asked for by the test");
    part_wait(&part, part.coordinator.begun == 2);
    assert_int_equal(seen.answers, 1);
    json_decref(seen.sight);
}

#define WATCHED(test) cmocka_unit_test_setup_teardown(test, lead_watched, leave)
#define WITH_DATABASE(test) cmocka_unit_test_setup_teardown(test, create_watched, leave)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WATCHED(sessions_of_this_database_are_seen_and_the_daemons_own_are_not),
        WATCHED(an_application_with_the_daemons_name_is_seen),
        WATCHED(a_daemon_that_stands_by_is_left_out),
        WITH_DATABASE(a_role_that_may_not_see_all_says_so),
        WATCHED(the_loss_of_the_witness_ends_the_term_and_answers_the_look),
        WATCHED(a_session_is_terminated_only_if_it_is_the_one_that_was_seen),
        WATCHED(pins_are_read_from_the_lock_table_and_the_strictest_counts),
        WATCHED(sessions_and_pins_on_a_standby_are_seen),
        WATCHED(a_standby_that_has_not_replayed_is_not_believed),
        WATCHED(a_standby_that_is_away_does_not_end_the_term_and_is_found_again),
        WATCHED(what_is_no_standby_of_this_database_is_refused),
        WATCHED(a_look_survives_the_end_of_its_standby),
    };
    cmocka_set_test_filter(getenv("TEST_FILTER"));
    return cmocka_run_group_tests(tests, open_clusters, close_clusters);
}
