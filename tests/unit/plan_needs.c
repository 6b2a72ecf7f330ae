/* What a migration names and the catalog is asked about. */
#include <schemagate/plan/plan.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void expect_needs(const char *statements, const char *expected)
{
    char sql[2048], found[2048] = "";
    struct plan *plan;
    size_t used = 0;

    snprintf(sql, sizeof(sql), "-- schemagate: expand\n%s", statements);
    plan = plan_read(sql, strlen(sql), NULL);
    for (size_t i = 0; i < plan->need_count && used < sizeof(found); i++)
        used += (size_t)snprintf(found + used, sizeof(found) - used, "%s%s%s%s", i == 0 ? "" : " ",
                                 plan->needs[i].schema == NULL ? "" : plan->needs[i].schema,
                                 plan->needs[i].schema == NULL ? "" : ".", plan->needs[i].name);
    if (strcmp(found, expected) != 0)
        print_error("in: %s\n", statements);
    assert_string_equal(found, expected);
    plan_free(plan);
}

static void tables_are_named_wherever_they_stand(void **state)
{
    (void)state;
    expect_needs("ALTER TABLE users ADD COLUMN a int", "users");
    expect_needs("ALTER TABLE shop.\"Users\" ADD FOREIGN KEY (a) REFERENCES shop.orders",
                 "shop.Users shop.orders");
    expect_needs("UPDATE a SET x = (SELECT max(y) FROM s.b JOIN c ON true WHERE EXISTS (TABLE d))",
                 "a s.b c d");
    expect_needs("CREATE VIEW v AS SELECT * FROM t", "v t");
    expect_needs("CREATE TRIGGER r AFTER INSERT ON t EXECUTE FUNCTION f()", "t");
    expect_needs("CREATE TABLE p PARTITION OF q FOR VALUES IN (1)", "p q");
}

static void each_name_is_asked_once(void **state)
{
    (void)state;
    expect_needs("SELECT 1 FROM t; SELECT 1 FROM public.t; SELECT 2 FROM t, T, \"T\"", "t public.t T");
}

static void objects_that_are_listed_by_name_are_named(void **state)
{
    (void)state;
    expect_needs("DROP TABLE a, s.b, db.s.c", "a s.b s.c");
    expect_needs("DROP INDEX CONCURRENTLY s.i", "s.i");
    expect_needs("DROP TRIGGER r ON s.t", "s.t");
    expect_needs("DROP POLICY p ON t", "t");
    expect_needs("COMMENT ON COLUMN s.t.c IS 'x'", "s.t");
    expect_needs("COMMENT ON TABLE t IS 'x'", "t");
    expect_needs("COMMENT ON CONSTRAINT k ON t IS 'x'", "t");
    expect_needs("ALTER TABLE t RENAME COLUMN a TO b", "t");
    expect_needs("ALTER INDEX i RENAME TO j", "i");
    expect_needs("CREATE INDEX i ON s.t (a)", "s.i s.t");
}

static void types_are_named_but_those_of_postgresql(void **state)
{
    (void)state;
    expect_needs("ALTER TYPE s.mood ADD VALUE 'x'", "s.mood");
    expect_needs("ALTER DOMAIN d ADD CHECK (VALUE > 0)", "d");
    expect_needs("DROP TYPE a, s.b", "a s.b");
    expect_needs("DROP DOMAIN d", "d");
    expect_needs("ALTER TABLE t ADD c mood, ADD d int", "t mood");
    expect_needs("SELECT 1::int, '1'::pg_catalog.text", "");
}

static void a_function_body_names_nothing(void **state)
{
    (void)state;
    expect_needs("CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1 FROM t'", "");
    expect_needs("DO $$ BEGIN DELETE FROM t; END $$", "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tables_are_named_wherever_they_stand),
        cmocka_unit_test(each_name_is_asked_once),
        cmocka_unit_test(objects_that_are_listed_by_name_are_named),
        cmocka_unit_test(types_are_named_but_those_of_postgresql),
        cmocka_unit_test(a_function_body_names_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
