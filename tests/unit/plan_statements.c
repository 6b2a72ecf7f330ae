/* What is told about single statements: whether they run in a transaction, which transaction that is,
 * and which statements a migration must not contain. */
#include "plan_expect.h"

static void statements_outside_transactions_are_known(void **state)
{
    static const char *const outside[] = {
        "CREATE INDEX CONCURRENTLY i ON t (a)",
        "CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS i ON t (a)",
        "DROP INDEX CONCURRENTLY i",
        "REINDEX INDEX CONCURRENTLY i",
        "REINDEX TABLE CONCURRENTLY t",
        "REINDEX (VERBOSE, CONCURRENTLY) TABLE t",
        "REINDEX (CONCURRENTLY on) TABLE t",
        "REINDEX SCHEMA public",
        "REINDEX DATABASE d",
        "REINDEX SYSTEM d",
        "VACUUM",
        "VACUUM (ANALYZE) t",
        "VACUUM FULL t",
        "CLUSTER",
        "CLUSTER VERBOSE",
        "CREATE DATABASE d",
        "DROP DATABASE d",
        "DROP DATABASE IF EXISTS d WITH (FORCE)",
        "CREATE TABLESPACE s LOCATION '/s'",
        "DROP TABLESPACE s",
        "ALTER DATABASE d SET TABLESPACE s",
        "ALTER SYSTEM SET work_mem = '1MB'",
        "ALTER SYSTEM RESET ALL",
        "ALTER TABLE t DETACH PARTITION p CONCURRENTLY",
        "CREATE SUBSCRIPTION s CONNECTION 'c' PUBLICATION p",
        "CREATE SUBSCRIPTION s CONNECTION 'c' PUBLICATION p WITH (create_slot = true)",
        "ALTER SUBSCRIPTION s REFRESH PUBLICATION",
        "ALTER SUBSCRIPTION s SET PUBLICATION p",
        "ALTER SUBSCRIPTION s ADD PUBLICATION p WITH (refresh = true)",
        "ALTER SUBSCRIPTION s DROP PUBLICATION p",
        "DROP SUBSCRIPTION s",
    };
    static const char *const inside[] = {
        "CREATE INDEX i ON t (a)",
        "DROP INDEX i",
        "DROP TABLE t",
        "REINDEX INDEX i",
        "REINDEX TABLE t",
        "REINDEX (CONCURRENTLY off) TABLE t",
        "REINDEX (CONCURRENTLY false) INDEX i",
        "ANALYZE",
        "ANALYZE t",
        "CLUSTER t",
        "CLUSTER t USING i",
        "ALTER DATABASE d SET work_mem = '1MB'",
        "ALTER DATABASE d CONNECTION LIMIT 3",
        "ALTER TABLE t DETACH PARTITION p",
        "ALTER TABLE t DETACH PARTITION p FINALIZE",
        "ALTER TABLE t ADD a int, ADD b int",
        "ALTER TABLE t VALIDATE CONSTRAINT c",
        "ALTER TYPE e ADD VALUE 'v'",
        "REFRESH MATERIALIZED VIEW CONCURRENTLY v",
        "CREATE SUBSCRIPTION s CONNECTION 'c' PUBLICATION p WITH (create_slot = false)",
        "CREATE SUBSCRIPTION s CONNECTION 'c' PUBLICATION p WITH (connect = false)",
        "CREATE SUBSCRIPTION s CONNECTION 'c' PUBLICATION p WITH (create_slot = off)",
        "ALTER SUBSCRIPTION s SET PUBLICATION p WITH (refresh = false)",
        "ALTER SUBSCRIPTION s DISABLE",
        "LOCK TABLE t",
        "TRUNCATE t",
        "DO $$ BEGIN END $$",
        "CALL p()",
    };
    const struct {
        const char *const *rows;
        size_t count;
        bool transactional;
    } lists[] = {{outside, sizeof(outside) / sizeof(outside[0]), false},
                 {inside, sizeof(inside) / sizeof(inside[0]), true}};

    (void)state;
    for (size_t list = 0; list < 2; list++) {
        for (size_t i = 0; i < lists[list].count; i++) {
            char *sql = NULL;
            struct plan *plan;

            assert_true(asprintf(&sql, "-- schemagate: contract\n%s;\n", lists[list].rows[i]) > 0);
            plan = plan_read(sql, strlen(sql), NULL);
            if (plan->statement_count != 1
                || plan->statements[0].transactional != lists[list].transactional)
                fail_msg("%s", lists[list].rows[i]);
            assert_string_equal(plan->statements[0].sql, lists[list].rows[i]);
            plan_free(plan);
            free(sql);
        }
    }
}

/* Numbers of transactions, one statement after the other, sections apart. */
static void expect_transactions(const char *sql, const char *expected)
{
    struct plan *plan = plan_read(sql, strlen(sql), NULL);
    char found[256] = "";
    size_t used = 0;

    assert_int_equal(plan->finding_count, 0);
    for (size_t i = 0; i < plan->statement_count; i++) {
        const struct plan_statement *statement = &plan->statements[i];

        if (statement->number == 1 && i > 0)
            used += (size_t)snprintf(found + used, sizeof(found) - used, "| ");
        used += (size_t)snprintf(found + used, sizeof(found) - used, "%u%s ",
                                 statement->transaction, statement->transactional ? "" : "!");
    }
    assert_string_equal(found, expected);
    plan_free(plan);
}

static void runs_of_statements_share_a_transaction(void **state)
{
    (void)state;
    expect_transactions("-- schemagate: expand\nSELECT 1; SELECT 2; SELECT 3", "1 1 1 ");
    expect_transactions("-- schemagate: expand\nSELECT 1; VACUUM; SELECT 3; SELECT 4", "1 2! 3 3 ");
    expect_transactions("-- schemagate: expand\nVACUUM; VACUUM; SELECT 3", "1! 2! 3 ");
    expect_transactions("-- schemagate: expand atomic=no\nSELECT 1; SELECT 2; VACUUM; SELECT 3",
                        "1 2 3! 4 ");
    expect_transactions("-- schemagate: undo\nSELECT 1; SELECT 2;\n"
                        "-- schemagate: contract atomic=no\nSELECT 1; SELECT 2;\n"
                        "-- schemagate: expand\nSELECT 1; SELECT 2;\n",
                        "1 1 | 1 2 | 1 1 ");
}

static void statements_are_split_by_the_grammar(void **state)
{
    static const char sql[] =
        "-- schemagate: contract\n"
        "CREATE FUNCTION f() RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT 1; SELECT 2; END;\n"
        "CREATE RULE r AS ON INSERT TO t DO ALSO (INSERT INTO u VALUES (1); INSERT INTO v VALUES (2));\n"
        "CREATE FUNCTION g() RETURNS trigger LANGUAGE plpgsql AS $body$\nBEGIN\n  NEW.a := ';'; -- ;\n"
        "  RETURN NEW;\nEND $body$;;\n"
        "SELECT ';' /* ; */ AS \";\";";
    struct plan *plan = plan_read(sql, strlen(sql), NULL);

    (void)state;
    assert_int_equal(plan->finding_count, 0);
    assert_int_equal(plan->statement_count, 4);
    assert_int_equal(plan->statements[1].line, 3);
    assert_int_equal(plan->statements[2].number, 3);
    assert_non_null(strstr(plan->statements[2].sql, "RETURN NEW;\nEND $body$"));
    assert_string_equal(plan->statements[3].sql, "SELECT ';' /* ; */ AS \";\"");
    plan_free(plan);
}

static void transaction_control_is_refused(void **state)
{
    static const char *const rows[] = {
        "BEGIN", "START TRANSACTION", "COMMIT", "END", "ROLLBACK", "ABORT", "SAVEPOINT s",
        "RELEASE SAVEPOINT s", "ROLLBACK TO SAVEPOINT s", "PREPARE TRANSACTION 'x'",
        "COMMIT PREPARED 'x'", "ROLLBACK PREPARED 'x'", "COMMIT AND CHAIN",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        expect_in_section(rows[i], "2:1 transaction-control");
    expect_in_section("SELECT 1;\n  COMMIT; SELECT 2", "3:3 transaction-control");
}

static void rows_from_the_client_are_refused(void **state)
{
    (void)state;
    expect_in_section("COPY t FROM STDIN", "2:1 client-copy");
    expect_in_section("COPY t TO STDOUT WITH (FORMAT csv)", "2:1 client-copy");
    expect_in_section("COPY (SELECT 1) TO STDOUT", "2:1 client-copy");
    expect_in_section("COPY t FROM stdin WITH (FORMAT csv);\n1,2\n", "2:1 client-copy");
    expect_in_section("COPY t FROM '/data/t.csv'", "");
}

static void what_cannot_be_gone_on_with_is_refused(void **state)
{
    (void)state;
    expect_in_section("CREATE INDEX CONCURRENTLY ON t (a)", "2:1 not-resumable");
    expect_in_section("CREATE INDEX CONCURRENTLY named ON t (a)", "");
    expect_in_section("DROP INDEX CONCURRENTLY a, b", "2:1 not-resumable");
}

static void programs_on_the_server_are_refused(void **state)
{
    (void)state;
    expect_in_section("COPY t FROM PROGRAM 'cat x'", "2:1 server-program");
    expect_in_section("COPY (SELECT 1) TO PROGRAM 'cat'", "2:1 server-program");
    expect_in_section("-- schemagate: allow server-program reason=x\nCOPY t FROM PROGRAM 'cat x'",
                      "2:22 allow-forbidden, 3:1 server-program");
}

static void what_stays_in_the_session_is_refused(void **state)
{
    static const char *const rows[] = {
        "DISCARD ALL", "DISCARD TEMP", "LISTEN x", "UNLISTEN *", "PREPARE p AS SELECT 1",
        "EXECUTE p", "DEALLOCATE ALL", "DECLARE c CURSOR WITH HOLD FOR SELECT 1", "FETCH c",
        "MOVE c", "CLOSE c", "SELECT pg_terminate_backend(pid) FROM pg_stat_activity",
        "SELECT pg_catalog.pg_cancel_backend(1)",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        expect_in_section(rows[i], "2:1 session-state");
    expect_in_section("NOTIFY x", "");
    expect_in_section("CREATE TEMP TABLE t (a int)", "");
}

static void settings_of_the_daemon_are_refused(void **state)
{
    static const char *const refused[] = {
        "SET ROLE r", "SET LOCAL ROLE r", "RESET ROLE", "SET SESSION AUTHORIZATION r",
        "RESET SESSION AUTHORIZATION", "SET SESSION AUTHORIZATION DEFAULT", "RESET ALL",
        "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE", "SET TRANSACTION SNAPSHOT 'x'",
        "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY", "SET lock_timeout = 0",
        "SET LOCAL Lock_Timeout TO '1s'", "SET lock_timeout TO DEFAULT", "RESET lock_timeout",
        "SET transaction_isolation = 'serializable'", "SET default_transaction_read_only = on",
        "SET synchronous_commit = off", "SET deadlock_timeout = '1s'", "SET client_encoding = latin1",
        "SET standard_conforming_strings = off", "SET idle_in_transaction_session_timeout = 0",
        "SET application_name = 'x'", "SELECT set_config('role', 'r', false)",
        "SELECT pg_catalog.set_config('lock_timeout', x, true) FROM t",
    };
    static const char *const fine[] = {
        "SET LOCAL search_path = a, b", "SET search_path TO DEFAULT", "SET work_mem = '1GB'",
        "SET LOCAL statement_timeout = '5min'", "RESET work_mem", "SET TIME ZONE 'UTC'",
        "SET client_encoding = 'UTF8'", "SET standard_conforming_strings = on",
        "SET CONSTRAINTS ALL DEFERRED", "SELECT set_config('search_path', '', false)",
        "SET check_function_bodies = false",
        "CREATE FUNCTION f() RETURNS int LANGUAGE sql SET lock_timeout = '1s' AS 'SELECT 1'",
        "SHOW lock_timeout",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
        expect_in_section(refused[i], "2:1 managed-setting");
    for (size_t i = 0; i < sizeof(fine) / sizeof(fine[0]); i++)
        expect_in_section(fine[i], "");
    expect_in_section("ALTER ROLE r SET lock_timeout = '1s'", "2:1 change-role");
}

static void the_daemon_s_own_schema_is_refused(void **state)
{
    static const char *const refused[] = {
        "DROP SCHEMA schemagate CASCADE", "DROP SCHEMA a, SCHEMAGATE",
        "CREATE SCHEMA schemagate", "CREATE SCHEMA IF NOT EXISTS schemagate",
        "ALTER SCHEMA schemagate RENAME TO x", "ALTER SCHEMA x RENAME TO schemagate",
        "ALTER SCHEMA schemagate OWNER TO x", "GRANT USAGE ON SCHEMA schemagate TO x",
        "GRANT SELECT ON ALL TABLES IN SCHEMA schemagate TO x",
        "ALTER DEFAULT PRIVILEGES IN SCHEMA schemagate GRANT SELECT ON TABLES TO x",
        "COMMENT ON SCHEMA schemagate IS 'x'", "COMMENT ON TABLE schemagate.event IS 'x'",
        "CREATE TABLE schemagate.t (a int)", "DROP TABLE a, schemagate.event",
        "DROP TABLE schemagate.event, schemagate.step",
        "ALTER TABLE schemagate.event ADD x int", "ALTER TABLE t SET SCHEMA schemagate",
        "UPDATE schemagate.coordinator SET epoch = 1", "DELETE FROM schemagate.event",
        "INSERT INTO t SELECT 1 FROM schemagate.event",
        "SELECT * FROM a, LATERAL (SELECT * FROM schemagate.event) b",
        "WITH x AS (DELETE FROM schemagate.event RETURNING 1) SELECT * FROM x",
        "CREATE VIEW v AS SELECT * FROM \"schemagate\".event", "TRUNCATE schemagate.event",
        "SELECT schemagate.pin(1, 2)", "CALL schemagate.p()", "SELECT 1::schemagate.t",
        "CREATE TABLE t (a schemagate.t)", "DROP FUNCTION schemagate.pin(int, int)",
        "ALTER FUNCTION schemagate.pin(int, int) OWNER TO x", "REINDEX SCHEMA schemagate",
        "CREATE EXTENSION e SCHEMA schemagate", "SET search_path = schemagate, public",
        "SET LOCAL search_path TO 'schemagate'", "CREATE INDEX i ON schemagate.event (id)",
        "CREATE TRIGGER g AFTER INSERT ON schemagate.event EXECUTE FUNCTION f()",
        "CREATE TRIGGER g AFTER INSERT ON t EXECUTE FUNCTION schemagate.f()",
        "ALTER TABLE t ADD FOREIGN KEY (a) REFERENCES schemagate.event (id)",
        "CREATE PUBLICATION p FOR TABLES IN SCHEMA schemagate",
        "IMPORT FOREIGN SCHEMA x FROM SERVER s INTO schemagate", "LOCK TABLE schemagate.coordinator",
        "COPY schemagate.event TO '/x'", "SELECT nextval('x') FROM t WHERE schemagate.f(a)",
        "CREATE FUNCTION schemagate.f() RETURNS int BEGIN ATOMIC SELECT 1; END",
        "CREATE FUNCTION f(a schemagate.t) RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "CREATE FUNCTION f() RETURNS SETOF schemagate.t LANGUAGE sql AS 'SELECT 1'",
        "CREATE PROCEDURE f() LANGUAGE sql SET search_path = schemagate AS 'SELECT 1'",
        "CREATE TABLE t (LIKE schemagate.event)",
        "EXPLAIN ANALYZE DELETE FROM schemagate.event", "VACUUM schemagate.event",
        "NOTIFY schemagate, 'x'", "SELECT pg_notify('schemagate', 'x')",
    };
    static const char *const fine[] = {
        "SELECT 'schemagate'", "SELECT pg_notify('x', 'schemagate')",
        "GRANT SELECT ON t TO schemagate", "ALTER TABLE t OWNER TO schemagate",
        "SELECT schemagate.a FROM t AS schemagate", "CREATE TABLE t (schemagate int)",
        "UPDATE t SET schemagate = 'schemagate'", "CREATE SCHEMA schemagate2",
        "COMMENT ON TABLE t IS 'schemagate'",
        "CREATE FUNCTION f() RETURNS void LANGUAGE sql AS 'SELECT schemagate.pin(41, 42)'",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
        expect_in_section(refused[i], "2:1 own-schema");
    for (size_t i = 0; i < sizeof(fine) / sizeof(fine[0]); i++)
        expect_no("own-schema", fine[i]);
}

static void advisory_locks_are_refused(void **state)
{
    static const char *const refused[] = {
        "SELECT pg_advisory_lock(1)", "SELECT pg_advisory_xact_lock(1, 2)",
        "SELECT pg_try_advisory_lock(1)", "SELECT pg_catalog.pg_advisory_unlock_all()",
        "SELECT PG_ADVISORY_UNLOCK(1)", "SELECT pg_try_advisory_xact_lock_shared(1)",
        "UPDATE t SET a = 1 WHERE pg_advisory_unlock(a)", "SELECT * FROM pg_advisory_lock(1)",
        "CREATE TABLE t AS SELECT pg_advisory_unlock_all()",
        "INSERT INTO t VALUES ((SELECT pg_advisory_lock(1)))",
    };
    static const char *const fine[] = {
        "CREATE FUNCTION f() RETURNS void BEGIN ATOMIC SELECT pg_advisory_xact_lock(1); END",
        "SELECT 'pg_advisory_lock(1)'", "SELECT my_pg_advisory_lock(1)",
        "CREATE FUNCTION f() RETURNS void LANGUAGE sql AS 'SELECT pg_advisory_xact_lock(1)'",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
        expect_in_section(refused[i], "2:1 advisory-lock");
    for (size_t i = 0; i < sizeof(fine) / sizeof(fine[0]); i++)
        expect_no("advisory-lock", fine[i]);
}

static void blocks_that_mention_them_are_refused(void **state)
{
    (void)state;
    expect_in_section("DO $$ BEGIN PERFORM pg_advisory_unlock_all(); END $$", "2:1 suspect-do-block");
    expect_in_section("DO $$ BEGIN PERFORM PG_TRY_ADVISORY_LOCK(1); END $$", "2:1 suspect-do-block");
    expect_in_section("DO LANGUAGE plpgsql 'BEGIN DELETE FROM Schemagate.event; END'",
                      "2:1 suspect-do-block");
    expect_in_section("DO $$ BEGIN PERFORM 1; END $$", "2:1 opaque-statement");
    expect_in_section("DO LANGUAGE plpgsql $$ BEGIN NULL; END $$", "2:1 opaque-statement");
}

static void every_statement_is_looked_at(void **state)
{
    (void)state;
    expect_in_section("BEGIN;\nSELECT pg_advisory_lock(1);\nSELECT 1;\nSET ROLE x;\nCOMMIT;",
                      "2:1 transaction-control, 3:1 advisory-lock, 5:1 managed-setting, "
                      "6:1 transaction-control");
    expect_in_section("SELECT pg_advisory_lock(1), pg_advisory_lock(2)", "2:1 advisory-lock");
    expect_in_section("SELECT pg_advisory_lock(1), pg_advisory_unlock(1)",
                      "2:1 advisory-lock, 2:1 advisory-lock");
    expect_in_section("", "");
    expect_in_section(";;\n;", "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(statements_outside_transactions_are_known),
        cmocka_unit_test(runs_of_statements_share_a_transaction),
        cmocka_unit_test(statements_are_split_by_the_grammar),
        cmocka_unit_test(transaction_control_is_refused),
        cmocka_unit_test(rows_from_the_client_are_refused),
        cmocka_unit_test(what_cannot_be_gone_on_with_is_refused),
        cmocka_unit_test(programs_on_the_server_are_refused),
        cmocka_unit_test(what_stays_in_the_session_is_refused),
        cmocka_unit_test(settings_of_the_daemon_are_refused),
        cmocka_unit_test(the_daemon_s_own_schema_is_refused),
        cmocka_unit_test(advisory_locks_are_refused),
        cmocka_unit_test(blocks_that_mention_them_are_refused),
        cmocka_unit_test(every_statement_is_looked_at),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
