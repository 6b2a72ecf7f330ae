/* The executor over a real PostgreSQL: SQL, steps, window and events commit together or not at all,
 * and nothing that a migration sets survives it. */
#include "db_scene.h"

static void assert_text(const char *query, const char *expected)
{
    char *text = sql_text(sql, "%s", query);

    assert_string_equal(text, expected);
    free(text);
}

#define EVENT "{\"window\":{\"ceiling\":1},\"events\":[{\"kind\":\"migration.expanded\"}]}"

static struct executed run(bool transactional, size_t count, const struct execution_statement *statements)
{
    return execute(&part, (struct execution){.transactional = transactional, .statements = statements,
                                             .statement_count = count, .lock_timeout_ms = 100}, EVENT);
}

#define RUN(transactional, ...)                                                                     \
    run(transactional, sizeof((const struct execution_statement[]){__VA_ARGS__}) /                  \
                           sizeof(struct execution_statement),                                      \
        (const struct execution_statement[]){__VA_ARGS__})

static void sql_and_changes_commit_together(void **state)
{
    (void)state;
    struct executed e = RUN(true, {"CREATE TABLE t (id int)", 1, 1, 1, false},
                            {"SELECT pg_sleep(2)", 2, 1, 2, false},
                            {"INSERT INTO t SELECT generate_series(1, 5)", 3, 1, 3, false});

    assert_int_equal(e.status, EXECUTION_DONE);
    assert_int_equal(e.commit.events, 1);
    assert_int_equal(e.seconds_count, 3);
    assert_true(e.seconds[1] > e.seconds[0] && e.seconds[1] > e.seconds[2]); /* by the answers' times */
    assert_int_equal(sql_number(sql, "SELECT count(*) FROM public.t"), 5);
    assert_int_equal(sql_number(sql, "SELECT ceiling FROM schemagate.window"), 1);
    assert_int_equal(sql_number(sql, "SELECT generation FROM schemagate.window"), e.commit.generation);
}

/* The session that holds the lock is busy; the store's is asked in its place. */
static void the_lead_is_proved_while_sql_runs(void **state)
{
    (void)state;
    int64_t before = clock_sample().boot_ms;
    struct executed e;
    const struct execution_statement until_told = {
        "DO $$ BEGIN WHILE NOT EXISTS (SELECT FROM public.told) LOOP PERFORM pg_sleep(0.05); END LOOP; "
        "END $$",
        1, 1, 1, false};

    sql_run(sql, "CREATE TABLE public.told ()");
    execute_start(&part, &e, (struct execution){.transactional = true, .statements = &until_told,
                                                .statement_count = 1}, EVENT);
    part_wait(&part, part.coordinator.proved_boot > before + 1000);
    sql_run(sql, "INSERT INTO public.told DEFAULT VALUES");
    part_wait(&part, e.answers > 0);
    assert_int_equal(e.status, EXECUTION_DONE);
}

static void changes_alone_need_no_sql(void **state)
{
    (void)state;
    struct executed e = execute(&part, (struct execution){.transactional = true, .run_as = "nobody"}, EVENT);

    assert_int_equal(e.status, EXECUTION_DONE);
    assert_int_equal(e.seconds_count, 0);
    assert_int_equal(sql_number(sql, "SELECT ceiling FROM schemagate.window"), 1);
}

static void a_failure_rolls_all_back_and_says_where(void **state)
{
    (void)state;
    struct executed e = RUN(true, {"CREATE TABLE t (id int)", 3, 1, 1, false},
                            {"SELECT 'ä',\n  nowhere", 5, 4, 2, false}, {"SELECT 1", 9, 1, 3, false});

    assert_int_equal(e.status, EXECUTION_FAILED);
    assert_string_equal(e.error.sqlstate, "42703");
    assert_int_equal(e.error.step, 2);
    assert_int_equal(e.error.line, 6);
    assert_int_equal(e.error.column, 3);
    assert_int_equal(e.seconds_count, 2);
    assert_text("SELECT to_regclass('public.t')::text", "");
    assert_int_equal(sql_number(sql, "SELECT ceiling FROM schemagate.window"), 0);
    e = RUN(true, {"DROP TABLE nowhere", 7, 2, 1, false}); /* PostgreSQL gives no position */
    assert_int_equal(e.error.line, 7);
    assert_int_equal(e.error.column, 2);
    assert_int_equal(RUN(true, {"SELECT 1", 1, 1, 1, false}).status, EXECUTION_DONE);
}

static void a_constraint_that_fails_at_commit_rolls_all_back(void **state)
{
    (void)state;
    struct executed e = RUN(true, {"CREATE TABLE p (id int PRIMARY KEY)", 1, 1, 1, false},
                            {"CREATE TABLE c (id int REFERENCES p INITIALLY DEFERRED)", 2, 1, 2, false},
                            {"INSERT INTO c VALUES (1)", 3, 1, 3, false});

    assert_int_equal(e.status, EXECUTION_FAILED);
    assert_string_equal(e.error.sqlstate, "23503");
    assert_int_equal(e.error.step, 0);
    assert_int_equal(sql_number(sql, "SELECT count(*) FROM schemagate.event"), 0);
}

static void a_lock_that_is_not_to_be_had_is_tried_again(void **state)
{
    (void)state;
    sql_run(sql, "CREATE TABLE t (id int)");
    sql_run(sql, "BEGIN; LOCK TABLE t IN ACCESS SHARE MODE");
    assert_int_equal(RUN(true, {"ALTER TABLE t ADD COLUMN x int", 1, 1, 1, false}).status,
                     EXECUTION_TRY_AGAIN);
    sql_run(sql, "COMMIT");
    assert_int_equal(RUN(true, {"ALTER TABLE t ADD COLUMN x int", 1, 1, 1, false}).status, EXECUTION_DONE);
}

static void what_a_migration_sets_does_not_survive_it(void **state)
{
    (void)state;
    sql_run(sql, "ALTER DATABASE %s SET search_path = app, public; CREATE SCHEMA app", PQdb(sql));
    database_restart_term(part.db, "test");
    part_wait(&part, part.coordinator.begun == 2);
    struct executed e = RUN(true, {"CREATE TABLE here (id int)", 1, 1, 1, false},
                            {"CREATE TEMP TABLE there (id int)", 1, 1, 2, false},
                            {"SET search_path = nowhere", 1, 1, 3, false},
                            {"SET standard_conforming_strings = off", 1, 1, 4, false},
                            {"SET my.secret = 'x'", 1, 1, 5, false});
    assert_int_equal(e.status, EXECUTION_DONE);
    assert_text("SELECT to_regclass('app.here')::text", "app.here");
    e = RUN(true,
            {"DO $$ BEGIN ASSERT to_regclass('there') IS NULL; "
             "ASSERT current_setting('search_path') = 'app, public'; "
             "ASSERT current_setting('lock_timeout') = '100ms'; "
             "ASSERT current_setting('standard_conforming_strings') = 'on'; "
             "ASSERT coalesce(current_setting('my.secret', true), '') = ''; END $$", 1, 1, 1, false});
    assert_string_equal(e.message, "");
    assert_int_equal(e.status, EXECUTION_DONE);
}

static void migrations_run_as_the_role_that_shall_own_what_they_create(void **state)
{
    (void)state;
    sql_run(sql, "DROP ROLE IF EXISTS owner; CREATE ROLE owner; GRANT ALL ON SCHEMA public TO owner");
    const struct execution_statement create = {"CREATE TABLE owned (id int)", 1, 1, 1, false};
    struct executed e = execute(&part, (struct execution){.transactional = true, .statements = &create,
                                                          .statement_count = 1, .run_as = "owner"}, EVENT);

    assert_int_equal(e.status, EXECUTION_DONE);
    assert_text("SELECT tableowner FROM pg_tables WHERE tablename = 'owned'", "owner");
    sql_run(sql, "DROP TABLE owned; DROP OWNED BY owner; DROP ROLE owner");
    e = execute(&part, (struct execution){.transactional = true, .statements = &create,
                                          .statement_count = 1, .run_as = "owner"}, EVENT);
    assert_int_equal(e.status, EXECUTION_FAILED);
    assert_int_equal(e.error.step, 0);
    assert_non_null(strstr(e.message, "owner"));
}

static void a_statement_outside_of_transactions_runs_alone(void **state)
{
    (void)state;
    sql_run(sql, "CREATE TABLE t (id int); INSERT INTO t VALUES (1), (1)");
    struct executed e = RUN(false, {"CREATE INDEX CONCURRENTLY i ON t (id)", 1, 1, 1, false});

    assert_int_equal(e.status, EXECUTION_DONE);
    assert_int_equal(e.seconds_count, 1);
    assert_int_equal(e.commit.events, 1);
    assert_text("SELECT to_regclass('public.i')::text", "i");
    e = RUN(false, {"CREATE UNIQUE INDEX CONCURRENTLY u ON t (id)", 4, 2, 3, false});
    assert_int_equal(e.status, EXECUTION_FAILED);
    assert_string_equal(e.error.sqlstate, "23505");
    assert_int_equal(e.error.step, 3);
    assert_int_equal(e.error.line, 4);
    assert_int_equal(sql_number(sql, "SELECT count(*) FROM schemagate.event"), 1);
    assert_int_equal(RUN(true, {"SELECT 1", 1, 1, 1, false}).status, EXECUTION_DONE);
}

static void another_term_fences_the_executor(void **state)
{
    (void)state;
    sql_run(sql, "UPDATE schemagate.coordinator SET epoch = epoch + 1");
    assert_int_equal(RUN(true, {"CREATE TABLE t (id int)", 1, 1, 1, false}).status, EXECUTION_FENCED);
    assert_int_equal(RUN(false, {"CREATE TABLE t (id int)", 1, 1, 1, false}).status, EXECUTION_FENCED);
    assert_text("SELECT to_regclass('public.t')::text", "");
}

static void sql_that_drops_the_lock_cannot_commit(void **state)
{
    (void)state;
    struct executed e = RUN(true, {"CREATE TABLE t (id int)", 1, 1, 1, false},
                            {"SELECT pg_advisory_unlock_all()", 1, 1, 2, false});

    assert_int_equal(e.status, EXECUTION_FAILED);
    assert_string_equal(e.error.sqlstate, "SG002");
    assert_text("SELECT to_regclass('public.t')::text", "");
    part_wait(&part, part.coordinator.begun == 2); /* the next ping notices */
}

static void sql_cannot_end_the_transaction_from_inside(void **state)
{
    (void)state;
    struct executed e = RUN(true, {"CREATE TABLE t (id int)", 1, 1, 1, false},
                            {"DO $$ BEGIN COMMIT; END $$", 1, 1, 2, false});

    assert_int_equal(e.status, EXECUTION_FAILED);
    assert_string_equal(e.error.sqlstate, "2D000");
    assert_text("SELECT to_regclass('public.t')::text", "");
}

static void a_cancelled_statement_is_rolled_back_and_the_next_one_is_spared(void **state)
{
    (void)state;
    struct executed e;
    const struct execution_statement statements[] = {{"CREATE TABLE t (id int)", 1, 1, 1, false},
                                                     {"SELECT pg_sleep(60)", 2, 1, 2, false}};

    execute_start(&part, &e, (struct execution){.transactional = true, .statements = statements,
                                                .statement_count = 2}, EVENT);
    part_turn(&part);
    sql_wait(sql, "SELECT count(*) = 1 FROM pg_stat_activity WHERE query LIKE '%%pg_sleep(60)' AND "
                  "application_name = 'schemagate coordinator'");
    database_executor_ops.cancel(part.db);
    part_wait(&part, e.answers > 0);
    assert_int_equal(e.status, EXECUTION_CANCELLED);
    assert_string_equal(e.error.sqlstate, "57014");
    assert_int_equal(RUN(true, {"CREATE TABLE t (id int)", 1, 1, 1, false}).status, EXECUTION_DONE);
}

static void a_statement_time_out_is_a_failure(void **state)
{
    (void)state;
    const struct execution_statement sleep_long = {"SELECT pg_sleep(60)", 1, 1, 1, false};
    struct executed e = execute(&part, (struct execution){.transactional = true,
                                                          .statements = &sleep_long,
                                                          .statement_count = 1,
                                                          .statement_timeout_ms = 50}, EVENT);

    assert_int_equal(e.status, EXECUTION_FAILED);
    assert_string_equal(e.error.sqlstate, "57014");
}

static void a_lost_session_leaves_the_outcome_unknown(void **state)
{
    (void)state;
    struct executed e = RUN(true, {"SELECT pg_terminate_backend(pg_backend_pid())", 1, 1, 1, false});

    assert_int_equal(e.status, EXECUTION_UNKNOWN);
    part_wait(&part, part.coordinator.ended == 1 && part.coordinator.begun == 2);
    assert_non_null(strstr(part.coordinator.reason, "administrator command"));
    assert_int_equal(RUN(true, {"SELECT 1", 1, 1, 1, false}).status, EXECUTION_DONE);
}

static void copy_from_the_client_does_not_hang(void **state)
{
    (void)state;
    sql_run(sql, "CREATE TABLE t (id int)");
    assert_int_not_equal(RUN(true, {"COPY t FROM STDIN", 1, 1, 1, false}).status, EXECUTION_DONE);
}

static void results_of_any_size_are_dropped_as_they_come(void **state)
{
    (void)state;
    struct executed e =
        RUN(true, {"SELECT repeat('x', 1000) FROM generate_series(1, 200000)", 1, 1, 1, false});

    assert_int_equal(e.status, EXECUTION_DONE);
}

static void stopping_cancels_what_runs_and_waits_for_its_end(void **state)
{
    (void)state;
    struct executed e;
    struct part own;
    char database[CLUSTER_CONNINFO_SIZE];
    const struct execution_statement sleep_long = {"SELECT pg_sleep(60)", 1, 1, 1, false};

    cluster_database(&cluster, database);
    part_lead(&own, database);
    execute_start(&own, &e, (struct execution){.transactional = true, .statements = &sleep_long,
                                               .statement_count = 1}, EVENT);
    part_turn(&own);
    part_stop(&own);
    assert_int_equal(e.answers, 1);
    assert_int_equal(e.status, EXECUTION_CANCELLED);
}

static void a_plain_role_is_enough(void **state)
{
    (void)state;
    struct part own;
    char database[CLUSTER_CONNINFO_SIZE], as_role[CLUSTER_CONNINFO_SIZE + 32];

    cluster_database(&cluster, database);
    sql_run(sql, "DROP ROLE IF EXISTS modest; DROP ROLE IF EXISTS table_owner; CREATE ROLE table_owner; "
                 "CREATE ROLE modest LOGIN IN ROLE table_owner");
    PGconn *admin = sql_open(database);
    sql_run(admin, "GRANT CREATE ON DATABASE %s TO modest; GRANT CREATE ON SCHEMA public TO table_owner",
            PQdb(admin));
    snprintf(as_role, sizeof as_role, "%s user=modest", database);
    part_lead(&own, as_role);
    const struct execution_statement create = {"CREATE TABLE t (id int)", 1, 1, 1, false};
    struct executed e = execute(&own, (struct execution){.transactional = true, .statements = &create,
                                                         .statement_count = 1,
                                                         .run_as = "table_owner"}, EVENT);
    assert_string_equal(e.message, "");
    assert_int_equal(e.status, EXECUTION_DONE);
    const struct execution_statement index = {"CREATE INDEX CONCURRENTLY ON t (id)", 1, 1, 1, false};
    e = execute(&own, (struct execution){.statements = &index, .statement_count = 1,
                                         .run_as = "table_owner"}, EVENT);
    assert_string_equal(e.message, "");
    assert_int_equal(e.status, EXECUTION_DONE);
    part_stop(&own);
    PQfinish(admin);
}

static void sql_that_drops_prepared_statements_has_failed(void **state)
{
    (void)state;
    assert_int_equal(RUN(true, {"DEALLOCATE ALL", 1, 1, 1, false}).status, EXECUTION_FAILED);
    assert_int_equal(RUN(true, {"SELECT 1", 1, 1, 1, false}).status, EXECUTION_DONE);
    assert_int_equal(part.coordinator.begun, 1); /* in the same session */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_TERM(sql_and_changes_commit_together),
        WITH_TERM(the_lead_is_proved_while_sql_runs),
        WITH_TERM(changes_alone_need_no_sql),
        WITH_TERM(a_failure_rolls_all_back_and_says_where),
        WITH_TERM(a_constraint_that_fails_at_commit_rolls_all_back),
        WITH_TERM(a_lock_that_is_not_to_be_had_is_tried_again),
        WITH_TERM(what_a_migration_sets_does_not_survive_it),
        WITH_TERM(migrations_run_as_the_role_that_shall_own_what_they_create),
        WITH_TERM(a_statement_outside_of_transactions_runs_alone),
        WITH_TERM(another_term_fences_the_executor),
        WITH_TERM(sql_that_drops_the_lock_cannot_commit),
        WITH_TERM(sql_cannot_end_the_transaction_from_inside),
        WITH_TERM(a_cancelled_statement_is_rolled_back_and_the_next_one_is_spared),
        WITH_TERM(a_statement_time_out_is_a_failure),
        WITH_TERM(a_lost_session_leaves_the_outcome_unknown),
        WITH_TERM(copy_from_the_client_does_not_hang),
        WITH_TERM(stopping_cancels_what_runs_and_waits_for_its_end),
        WITH_TERM(a_plain_role_is_enough),
        WITH_TERM(sql_that_drops_prepared_statements_has_failed),
        WITH_TERM(results_of_any_size_are_dropped_as_they_come),
    };
    return cmocka_run_group_tests(tests, open_cluster, close_cluster);
}
