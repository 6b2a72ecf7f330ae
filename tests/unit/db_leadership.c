/* Who leads: one daemon, two, a pooler, a database that is away, too new or closed to us. */
#include "db_harness.h"

#include <support/process.h>

#include <schemagate/db/limits.h>

#include <signal.h>
#include <unistd.h>

static char conninfo[CLUSTER_CONNINFO_SIZE];
static PGconn *sql;

static int create_database(void **state)
{
    (void)state;
    cluster_database(&cluster, conninfo);
    sql = sql_open(conninfo);
    return 0;
}

static int close_database(void **state)
{
    (void)state;
    PQfinish(sql);
    sql = NULL;
    return 0;
}

static bool mentions(const struct part *part, const char *text)
{
    return strstr(part->coordinator.reason, text) != NULL;
}

static void a_term_has_an_epoch_a_nonce_and_an_identity(void **state)
{
    (void)state;
    struct part part;

    part_lead(&part, conninfo);
    assert_int_equal(part.coordinator.term.epoch, 1);
    assert_int_equal(strlen(part.coordinator.term.timeline), 8);
    assert_true(atoi(part.coordinator.term.server_version) >= 13);
    assert_int_equal(sql_number(sql, "SELECT length(nonce) FROM schemagate.coordinator"), 32);
    assert_int_equal(sql_number(sql, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"), 1);
    part_stop(&part);
    part_lead(&part, conninfo); /* the schema is there already */
    assert_int_equal(part.coordinator.term.epoch, 2);
    part_stop(&part);
}

static void stopping_releases_the_lock(void **state)
{
    (void)state;
    struct part part;

    part_lead(&part, conninfo);
    part_stop(&part);
    assert_int_equal(sql_number(sql, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"), 0);
}

static void a_second_daemon_stands_by_and_takes_over(void **state)
{
    (void)state;
    struct part first, second;

    part_lead(&first, conninfo);
    part_open(&second, conninfo);
    part_wait(&second, second.coordinator.stood_by == 1);
    assert_string_equal(second.coordinator.leader_url, "http://leader.test:7433");
    assert_int_equal(second.coordinator.begun, 0);
    part_stop(&first);
    part_wait(&second, second.coordinator.begun == 1);
    assert_int_equal(second.coordinator.term.epoch, 2);
    part_stop(&second);
}

static void a_lost_session_ends_the_term_and_a_new_one_begins(void **state)
{
    (void)state;
    struct part part;

    part_lead(&part, conninfo);
    sql_run(sql, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                 "WHERE application_name = 'schemagate coordinator' AND datname = current_database()");
    part_wait(&part, part.coordinator.ended == 1);
    if (!mentions(&part, "administrator command"))
        test_fail("the reason is: %s", part.coordinator.reason);
    part_wait(&part, part.coordinator.begun == 2);
    assert_int_equal(part.coordinator.term.epoch, 2);
    part_stop(&part);
}

static void an_old_server_has_limits(void **state)
{
    (void)state;
    const char *limits[TERM_LIMITS];

    limits_describe(180004, false, limits);
    assert_null(limits[0]);
    limits_describe(150018, false, limits);
    assert_null(limits[0]);
    limits_describe(140023, true, limits);
    assert_non_null(strstr(limits[0], "row security"));
    assert_non_null(strstr(limits[1], "ENABLE ALWAYS"));
    assert_null(limits[2]);
    limits_describe(140023, false, limits);
    assert_non_null(strstr(limits[2], "deadlock_timeout"));
    assert_null(limits[3]);
    limits_describe(130023, true, limits);
    assert_non_null(strstr(limits[0], "client_connection_check_interval"));
    limits_describe(130023, false, limits);
    assert_non_null(strstr(limits[3], "pg_stat_statements"));
    assert_non_null(strstr(limits[6], "deadlock_timeout"));
    assert_null(limits[7]);
}

static void a_server_that_restarts_is_found_again(void **state)
{
    (void)state;
    struct part part;

    part_lead(&part, conninfo);
    cluster_crash(&cluster);
    part_wait(&part, part.coordinator.ended >= 1);
    part_wait(&part, mentions(&part, "cannot connect to PostgreSQL as role"));
    assert_true(mentions(&part, "psql \"host="));
    cluster_start(&cluster);
    part_wait(&part, part.coordinator.begun == 2);
    part_stop(&part);
}

static void a_silent_leader_loses_its_session(void **state)
{
    (void)state;
    struct part first, second;

    /* The server ends a session whose daemon neither works nor pings (idle_session_timeout). */
    if (PQserverVersion(sql) < 140000) {
        skip();
    }
    part_lead(&first, conninfo);
    part_open(&second, conninfo);
    part_wait(&second, second.coordinator.begun == 1); /* the first one's loop does not turn meanwhile */
    part_wait(&first, first.coordinator.ended == 1);
    part_stop(&first);
    part_stop(&second);
}

static void a_database_that_is_not_there_names_the_next_command(void **state)
{
    (void)state;
    struct part part;
    char nowhere[CLUSTER_CONNINFO_SIZE];

    cluster_conninfo(&cluster, "nowhere", nowhere);
    part_open(&part, nowhere);
    part_wait(&part, part.coordinator.ended >= 2);
    assert_true(mentions(&part, "createdb"));
    assert_null(database_fatal(part.db));
    part_stop(&part);
}

static void a_malformed_connection_string_is_not_quoted(void **state)
{
    (void)state;
    struct part part;
    char malformed[] = "password=two secrets";

    part_open(&part, malformed);
    part_wait(&part, part.coordinator.ended >= 1);
    assert_true(mentions(&part, "database.conninfo"));
    assert_false(mentions(&part, "secrets"));
    part_stop(&part);
}

static void a_missing_privilege_names_the_grant(void **state)
{
    (void)state;
    struct part part;
    char as_role[CLUSTER_CONNINFO_SIZE + 32];

    sql_run(sql, "DROP ROLE IF EXISTS plain; CREATE ROLE plain LOGIN");
    snprintf(as_role, sizeof as_role, "%s user=plain", conninfo);
    part_open(&part, as_role);
    part_wait(&part, part.coordinator.ended >= 1);
    assert_true(mentions(&part, "GRANT CREATE ON DATABASE"));
    sql_run(sql, "GRANT CREATE ON DATABASE %s TO plain", PQdb(sql));
    part_wait(&part, part.coordinator.begun == 1);
    part_stop(&part);
}

static void a_schema_of_another_role_is_refused_with_advice(void **state)
{
    (void)state;
    struct part part;
    char as_role[CLUSTER_CONNINFO_SIZE + 32];

    part_lead(&part, conninfo);
    part_stop(&part);
    sql_run(sql, "DROP ROLE IF EXISTS stranger; CREATE ROLE stranger LOGIN");
    snprintf(as_role, sizeof as_role, "%s user=stranger", conninfo);
    part_open(&part, as_role);
    part_wait(&part, part.coordinator.ended >= 1);
    assert_true(mentions(&part, "42501"));
    assert_true(mentions(&part, "schemagate"));
    part_stop(&part);
}

static void a_newer_layout_is_fatal(void **state)
{
    (void)state;
    struct part part;

    part_lead(&part, conninfo);
    part_stop(&part);
    sql_run(sql, "INSERT INTO schemagate.schema_version (version) VALUES (99)");
    part_open(&part, conninfo);
    part_wait(&part, part.coordinator.ended == 1);
    assert_non_null(strstr(database_fatal(part.db), "layout is 99"));
    part_stop(&part);
}

static void require_password(const char *role)
{
    char path[160];

    snprintf(path, sizeof path, "%s/pg_hba.conf", cluster.data);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fprintf(file, "local all %s scram-sha-256\nlocal all all trust\n", role);
    fclose(file);
    sql_run(sql, "SELECT pg_reload_conf()");
}

static void a_password_comes_from_its_file(void **state)
{
    (void)state;
    struct part part;
    char as_role[CLUSTER_CONNINFO_SIZE + 32];
    char *file = scratch_write(&scratch, "password", "open sesame\n");

    sql_run(sql, "SET password_encryption = 'scram-sha-256'; DROP ROLE IF EXISTS keyholder; "
                 "CREATE ROLE keyholder LOGIN PASSWORD 'open sesame'; "
                 "GRANT CREATE ON DATABASE %s TO keyholder", PQdb(sql));
    require_password("keyholder");
    snprintf(as_role, sizeof as_role, "%s user=keyholder", conninfo);
    part_open(&part, as_role);
    part_wait(&part, part.coordinator.ended >= 1);
    assert_true(mentions(&part, "database.password_file"));
    part.config.database.password_file = file;
    part_wait(&part, part.coordinator.begun == 1);
    part_stop(&part);
    free(file);
}

/* ---- a pooler ---- */

static pid_t start_pooler(const char *mode, char pooled[CLUSTER_CONNINFO_SIZE])
{
    char text[1024];

    snprintf(text, sizeof text,
             "[databases]\n* = host=%s port=%s user=postgres\n[pgbouncer]\nlisten_addr =\n"
             "unix_socket_dir = %s\nlisten_port = 6432\nauth_type = any\npool_mode = %s\n"
             "ignore_startup_parameters = extra_float_digits\n",
             PQhost(sql), PQport(sql), cluster.sockets, mode);
    char *file = scratch_write(&scratch, "pooler.ini", text);
    char *log = scratch_path(&scratch, "pooler.log");
    const char *arguments[] = {"/usr/sbin/pgbouncer", file, NULL};
    pid_t pooler = process_start(&(struct process_options){
        .arguments = arguments, .user = "postgres", .output = log, .errors = log});
    free(file);
    free(log);
    snprintf(pooled, CLUSTER_CONNINFO_SIZE, "host=%s port=6432 user=postgres dbname=%s",
             cluster.sockets, PQdb(sql));
    int64_t deadline = test_now_ms() + PATIENCE_MS;
    while (PQping(pooled) != PQPING_OK) {
        if (test_now_ms() > deadline || !process_runs(pooler)) {
            test_fail("the pooler does not start");
        }
        test_pause();
    }
    return pooler;
}

static void refuse_pooler(const char *mode)
{
    struct part part;
    char pooled[CLUSTER_CONNINFO_SIZE];
    pid_t pooler = start_pooler(mode, pooled);

    part_open(&part, pooled);
    part_wait(&part, part.coordinator.ended == 1);
    assert_non_null(database_fatal(part.db));
    assert_non_null(strstr(database_fatal(part.db), "pooler"));
    assert_int_equal(part.coordinator.begun, 0);
    part_stop(&part);
    kill(pooler, SIGKILL);
    process_wait(pooler, PATIENCE_MS);
}

static void a_pooler_is_refused(void **state)
{
    (void)state;
    refuse_pooler("transaction");
    refuse_pooler("session");
}

#define WITH_DATABASE(test) cmocka_unit_test_setup_teardown(test, create_database, close_database)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_DATABASE(a_term_has_an_epoch_a_nonce_and_an_identity),
        WITH_DATABASE(stopping_releases_the_lock),
        WITH_DATABASE(a_second_daemon_stands_by_and_takes_over),
        WITH_DATABASE(a_lost_session_ends_the_term_and_a_new_one_begins),
        cmocka_unit_test(an_old_server_has_limits),
        WITH_DATABASE(a_server_that_restarts_is_found_again),
        WITH_DATABASE(a_silent_leader_loses_its_session),
        WITH_DATABASE(a_database_that_is_not_there_names_the_next_command),
        WITH_DATABASE(a_malformed_connection_string_is_not_quoted),
        WITH_DATABASE(a_missing_privilege_names_the_grant),
        WITH_DATABASE(a_schema_of_another_role_is_refused_with_advice),
        WITH_DATABASE(a_newer_layout_is_fatal),
        WITH_DATABASE(a_password_comes_from_its_file),
        WITH_DATABASE(a_pooler_is_refused),
    };
    return cmocka_run_group_tests(tests, open_cluster, close_cluster);
}
