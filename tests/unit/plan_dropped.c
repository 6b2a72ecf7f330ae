/* What a contract takes away, by name; and whether that is all that it does. */
#include "plan_expect.h"

/* "public.users.name, t; only" of all statements of the contract. */
static void expect_drops(const char *contract, const char *expected, int64_t keep_hours)
{
    char *sql = NULL, found[1024] = "";
    size_t used = 0;
    bool only = true;

    assert_true(asprintf(&sql, "-- schemagate: contract\n%s", contract) > 0);
    struct plan *plan = plan_read(sql, strlen(sql), &(struct plan_options){
                                                        .version = 1, .default_keep_hours = keep_hours});
    for (size_t i = 0; i < plan->statement_count; i++) {
        const struct plan_work *work = &plan->statements[i].work;

        if (plan->statements[i].section != PLAN_CONTRACT)
            continue;

        only &= work->only_drops;
        for (size_t d = 0; d < work->drop_count; d++) {
            const struct plan_drop *drop = &work->drops[d];

            used += (size_t)snprintf(found + used, sizeof(found) - used, "%s%s%s%s%s%s", used ? ", " : "",
                                     drop->schema ? drop->schema : "", drop->schema ? "." : "", drop->table,
                                     drop->column ? "." : "", drop->column ? drop->column : "");
        }
    }
    snprintf(found + used, sizeof(found) - used, "%s", only ? "; only" : "");
    if (strcmp(found, expected) != 0)
        print_error("in: %s\n", sql);
    assert_string_equal(found, expected);
    plan_free(plan);
    free(sql);
}

static void columns_and_tables_are_named(void **state)
{
    (void)state;
    expect_drops("ALTER TABLE users DROP COLUMN name;", "users.name; only", 0);
    expect_drops("ALTER TABLE IF EXISTS app.\"Users\" DROP name, DROP IF EXISTS \"No te\";",
                 "app.Users.name, app.Users.No te; only", 0);
    expect_drops("DROP TABLE a, app.b;", "a, app.b; only", 0);
    expect_drops("DROP VIEW v; DROP MATERIALIZED VIEW m; DROP FOREIGN TABLE f;", "v, m, f; only", 0);
}

static void what_is_renamed_is_gone_by_its_name(void **state)
{
    (void)state;
    expect_drops("ALTER TABLE users RENAME COLUMN name TO old_name;", "users.name; only", 0);
    expect_drops("ALTER TABLE app.users RENAME TO people;", "app.users; only", 0);
    expect_drops("ALTER VIEW v RENAME TO w;", "v; only", 0);
    expect_drops("ALTER INDEX i RENAME TO j;", "", 0);
}

static void whatever_else_a_contract_does_is_not_only_dropping(void **state)
{
    (void)state;
    expect_drops("ALTER TABLE users DROP COLUMN name, ALTER email SET NOT NULL;", "users.name", 0);
    expect_drops("ALTER TABLE users ALTER email SET NOT NULL;", "", 0);
    expect_drops("DROP TABLE a; DELETE FROM b;", "a", 0);
    expect_drops("DROP FUNCTION f(); DROP TABLE a;", "a", 0);
    expect_drops("ALTER TYPE point DROP ATTRIBUTE x;", "point.x", 0);
}

/* What goes along is not named. */
static void cascades_are_not_only_what_they_name(void **state)
{
    (void)state;
    expect_drops("DROP TABLE a CASCADE;", "a", 0);
    expect_drops("ALTER TABLE users DROP COLUMN name CASCADE;", "users.name", 0);
}

static void other_sections_take_nothing_away_from_old_code(void **state)
{
    static const char sql[] = "-- schemagate: expand\nCREATE TABLE t (a int);\n"
                              "-- schemagate: undo\nDROP TABLE t;\n";
    (void)state;
    struct plan *plan = plan_read(sql, strlen(sql), NULL);
    for (size_t i = 0; i < plan->statement_count; i++)
        assert_int_equal(plan->statements[i].work.drop_count, 0);
    plan_free(plan);
}

/* What hides calls a function; and what waits for the purge is not taken away by the contract. */
static void what_is_hidden_is_named(void **state)
{
    (void)state;
    expect_drops("ALTER TABLE app.\"Users\" DROP COLUMN name, ALTER email SET NOT NULL; DROP TABLE a;",
                 "app.Users.name, a", 24);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(columns_and_tables_are_named),
        cmocka_unit_test(what_is_renamed_is_gone_by_its_name),
        cmocka_unit_test(whatever_else_a_contract_does_is_not_only_dropping),
        cmocka_unit_test(cascades_are_not_only_what_they_name),
        cmocka_unit_test(other_sections_take_nothing_away_from_old_code),
        cmocka_unit_test(what_is_hidden_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
