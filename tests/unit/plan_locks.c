/* The table locks that a statement is said to take, held against what a real PostgreSQL takes. */
#include <support/cluster.h>
#include <support/sql.h>
#include <support/test.h>

#include <schemagate/plan/plan.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct scratch scratch;
static struct cluster cluster;
static PGconn *session;

static const char world[] =
    "CREATE TABLE p (id int PRIMARY KEY);"
    "CREATE TABLE t (id int PRIMARY KEY, a int, b int, CONSTRAINT positive CHECK (a > 0) NOT VALID);"
    "CREATE TABLE child (id int, p_id int CONSTRAINT to_p REFERENCES p);"
    "CREATE INDEX i ON t (a); CREATE STATISTICS s ON a, b FROM t;"
    "CREATE TABLE \"Odd name\" (id int);"
    "CREATE SCHEMA other; CREATE TABLE other.u (id int);"
    "CREATE VIEW v AS SELECT id FROM t; CREATE MATERIALIZED VIEW m AS SELECT id FROM t;"
    "CREATE UNIQUE INDEX m_id ON m (id); CREATE SEQUENCE q;"
    "CREATE TABLE parted (id int) PARTITION BY RANGE (id);"
    "CREATE TABLE one PARTITION OF parted FOR VALUES FROM (0) TO (10); CREATE TABLE two (id int);"
    "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END';"
    "CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f();"
    "CREATE POLICY y ON t";

/* `more`: locks that only the catalog knows about; without them the text alone says all. */
static const struct {
    const char *sql, *more;
} statements[] = {
    {"ALTER TABLE t ADD COLUMN c int", ""},
    {"ALTER TABLE public.t ADD COLUMN c int", ""},
    {"ALTER TABLE \"Odd name\" ADD COLUMN c int", ""},
    {"ALTER TABLE other.u ADD COLUMN c int", ""},
    {"ALTER TABLE t DROP COLUMN b", ""},
    {"ALTER TABLE t ADD COLUMN c int REFERENCES p", ""},
    {"ALTER TABLE t ADD FOREIGN KEY (a) REFERENCES p", ""},
    {"ALTER TABLE t ADD CONSTRAINT k FOREIGN KEY (a) REFERENCES p NOT VALID", ""},
    {"ALTER TABLE t ADD CONSTRAINT k CHECK (a > 1) NOT VALID", ""},
    {"ALTER TABLE t ADD CONSTRAINT k UNIQUE (a, b)", ""},
    {"ALTER TABLE t VALIDATE CONSTRAINT positive", ""},
    {"ALTER TABLE t DROP CONSTRAINT positive", ""},
    {"ALTER TABLE child DROP CONSTRAINT to_p", "p ACCESS EXCLUSIVE"},
    {"ALTER TABLE t ALTER COLUMN a SET NOT NULL", ""},
    {"ALTER TABLE t ALTER COLUMN a SET DEFAULT 1", ""},
    {"ALTER TABLE t ALTER COLUMN a SET STATISTICS 10", ""},
    {"ALTER TABLE t ALTER COLUMN a TYPE bigint, ADD COLUMN c int", ""},
    {"ALTER TABLE t SET (fillfactor = 70, autovacuum_enabled = off)", ""},
    {"ALTER TABLE t RESET (fillfactor)", ""},
    {"ALTER TABLE t SET (user_catalog_table = on)", ""},
    {"ALTER TABLE t DISABLE TRIGGER g", ""},
    {"ALTER TABLE t ENABLE ROW LEVEL SECURITY", ""},
    {"ALTER TABLE t CLUSTER ON i", ""},
    {"ALTER TABLE t RENAME COLUMN a TO c", ""},
    {"ALTER TABLE t RENAME TO c", ""},
    {"ALTER TABLE t SET SCHEMA other", ""},
    {"ALTER TABLE two INHERIT p", NULL}, /* fails: the columns differ */
    {"ALTER TABLE parted ATTACH PARTITION two FOR VALUES FROM (10) TO (20)", ""},
    {"ALTER TABLE parted DETACH PARTITION one", ""},
    {"CREATE INDEX j ON t (b)", ""},
    {"CREATE TRIGGER h BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()", ""},
    {"CREATE RULE r AS ON DELETE TO t DO INSTEAD NOTHING", ""},
    {"CREATE POLICY z ON t", ""},
    {"ALTER POLICY y ON t USING (true)", ""},
    {"DROP POLICY y ON t", ""},
    {"DROP TRIGGER g ON t", ""},
    {"DROP INDEX i", "t ACCESS EXCLUSIVE"},
    {"DROP TABLE two, other.u", ""},
    {"DROP TABLE child", "p ACCESS EXCLUSIVE"},
    {"DROP VIEW v", ""},
    {"TRUNCATE t", ""},
    {"COMMENT ON TABLE t IS 'x'", ""},
    {"COMMENT ON COLUMN t.a IS 'x'", ""},
    {"COMMENT ON COLUMN public.t.a IS 'x'", ""},
    {"LOCK TABLE t, p IN SHARE MODE", ""},
    {"CREATE TABLE fresh (id int REFERENCES p)", ""},
    {"CREATE TABLE fresh (id int, CONSTRAINT k FOREIGN KEY (id) REFERENCES p)", ""},
    {"CREATE TABLE fresh () INHERITS (t)", ""},
    {"CREATE TABLE three PARTITION OF parted FOR VALUES FROM (30) TO (40)", ""},
    {"CREATE STATISTICS w ON a, b FROM t", ""},
    {"CREATE OR REPLACE VIEW v AS SELECT id FROM t", ""},
    {"REFRESH MATERIALIZED VIEW m", ""},
    {"REFRESH MATERIALIZED VIEW CONCURRENTLY m", ""},
    {"ALTER SEQUENCE q INCREMENT 2", ""},
    {"INSERT INTO p VALUES (1)", ""},
    {"UPDATE p SET id = 2", ""},
    {"DELETE FROM other.u", ""},
};

static int open_world(void **state)
{
    char conninfo[CLUSTER_CONNINFO_SIZE];

    (void)state;
    scratch_open(&scratch, "plan_locks", false);
    cluster_open(&cluster, &scratch, false);
    cluster_database(&cluster, conninfo);
    session = sql_open(conninfo);
    sql_run(session, "%s", world);
    sql_run(session, "CREATE TEMP TABLE known AS SELECT oid, oid::regclass::text AS name "
                     "FROM pg_class WHERE relkind IN ('r', 'p', 'v', 'm', 'S') "
                     "AND relnamespace IN ('public'::regnamespace, 'other'::regnamespace)");
    return 0;
}

static int close_world(void **state)
{
    (void)state;
    PQfinish(session);
    cluster_stop(&cluster);
    return 0;
}

/* "p SHARE, t ACCESS EXCLUSIVE": each relation with its strongest mode, but for those that readers take. */
static char *what_is_locked(void)
{
    return sql_text(session,
                    "SELECT string_agg(name || ' ' || mode, ', ' ORDER BY name) "
                    "FROM (SELECT k.name, (array_agg(m.name ORDER BY m.level DESC))[1] AS mode "
                    "FROM known k JOIN pg_locks l ON l.relation = k.oid AND l.pid = pg_backend_pid() "
                    "JOIN (VALUES (3, 'RowExclusiveLock', 'ROW EXCLUSIVE'), "
                    "(4, 'ShareUpdateExclusiveLock', 'SHARE UPDATE EXCLUSIVE'), "
                    "(5, 'ShareLock', 'SHARE'), (6, 'ShareRowExclusiveLock', 'SHARE ROW EXCLUSIVE'), "
                    "(7, 'ExclusiveLock', 'EXCLUSIVE'), (8, 'AccessExclusiveLock', 'ACCESS EXCLUSIVE')) "
                    "AS m (level, internal, name) ON m.internal = l.mode GROUP BY k.name) AS strongest");
}

/* Asked before the statement, which may rename or drop them. */
static char *what_is_said(const struct plan_work *work, const char *more)
{
    char list[1024] = "", *text;
    size_t used = 0;

    for (size_t i = 0; i < work->lock_count; i++)
        used += (size_t)snprintf(list + used, sizeof list - used, "%s%s %s", i ? ", " : "",
                                 work->locks[i].relation, plan_lock_name(work->locks[i].mode));
    if (more[0] != '\0')
        snprintf(list + used, sizeof list - used, "%s%s", used ? ", " : "", more);
    text = sql_text(session,
                    "SELECT string_agg(to_regclass(said[1]) || ' ' || said[2], ', ' "
                    "ORDER BY to_regclass(said[1])::text) FROM regexp_split_to_table('%s', ', ') AS entry "
                    "CROSS JOIN regexp_match(entry, '^(.*?) ([A-Z ]+)$') AS said "
                    "WHERE to_regclass(said[1]) IN (SELECT oid FROM known)", list);
    return text;
}

static void locks_are_those_that_postgresql_takes(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof statements / sizeof *statements; i++) {
        char *file = NULL, sqlstate[6];
        assert_true(asprintf(&file, "-- schemagate: expand\n%s", statements[i].sql) > 0);
        struct plan *plan = plan_read(file, strlen(file), NULL);

        assert_int_equal(plan->statement_count, 1);
        if (statements[i].more) {
            char *said = what_is_said(&plan->statements[0].work, statements[i].more);
            sql_run(session, "BEGIN; %s", statements[i].sql);
            char *locked = what_is_locked();
            if (strcmp(said, locked) != 0) {
                sql_run(session, "ROLLBACK");
                print_error("%s\n  said:   %s\n  locked: %s\n", statements[i].sql, said, locked);
                fail();
            }
            sql_run(session, "ROLLBACK");
            free(said);
            free(locked);
        } else {
            assert_string_not_equal(sql_try(session, sqlstate, "%s", statements[i].sql), "00000");
        }
        plan_free(plan);
        free(file);
    }
}

static void expect_work(const char *sql, enum plan_kind kind, const char *object, const char *relation,
                        enum plan_lock mode)
{
    char *file = NULL;
    assert_true(asprintf(&file, "-- schemagate: expand\n%s", sql) > 0);
    struct plan *plan = plan_read(file, strlen(file), NULL);
    const struct plan_work *work = &plan->statements[0].work;

    assert_int_equal(work->kind, kind);
    if (object)
        assert_string_equal(work->object, object);
    else
        assert_null(work->object);
    assert_string_equal(work->locks[0].relation, relation);
    assert_int_equal(work->locks[0].mode, mode);
    plan_free(plan);
    free(file);
}

static void what_runs_concurrently_names_its_object(void **state)
{
    (void)state;
    expect_work("CREATE UNIQUE INDEX CONCURRENTLY i ON a.t (x)", WORK_INDEX, "a.i", "a.t",
                LOCK_SHARE_UPDATE_EXCLUSIVE);
    expect_work("CREATE INDEX CONCURRENTLY ON t (x)", WORK_STATEMENT, NULL, "t",
                LOCK_SHARE_UPDATE_EXCLUSIVE);
    expect_work("CREATE INDEX i ON t (x)", WORK_STATEMENT, NULL, "t", LOCK_SHARE);
    expect_work("DROP INDEX CONCURRENTLY IF EXISTS a.\"I\"\"\"", WORK_INDEX_DROP, "a.\"I\"\"\"",
                "a.\"I\"\"\"", LOCK_SHARE_UPDATE_EXCLUSIVE);
    expect_work("REINDEX TABLE CONCURRENTLY t", WORK_REINDEX, "t", "t", LOCK_SHARE_UPDATE_EXCLUSIVE);
    expect_work("ALTER TABLE p DETACH PARTITION q.c CONCURRENTLY", WORK_DETACH, "q.c", "p",
                LOCK_SHARE_UPDATE_EXCLUSIVE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(locks_are_those_that_postgresql_takes),
        cmocka_unit_test(what_runs_concurrently_names_its_object),
    };
    return cmocka_run_group_tests(tests, open_world, close_world);
}
