/* What a contract with hours to keep becomes: it hides, the rest waits for the purge, and a restore leads
 * back. */
#include <schemagate/plan/plan.h>
#include <schemagate/plan/rule.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct plan_options kept = {.version = 42, .says_keep = true, .keep_hours = 24};

/* The statements of one section, one a line, in front of each its transaction; then the findings, but for
 * those about what the statements do. */
static char *plan_text(const char *sql, const struct plan_options *options)
{
    struct plan *plan = plan_read(sql, strlen(sql), options);
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);

    for (size_t i = 0; i < plan->statement_count; i++) {
        const struct plan_statement *statement = &plan->statements[i];

        assert_int_equal(statement->number,
                         i == 0 || plan->statements[i - 1].section != statement->section
                             ? 1
                             : plan->statements[i - 1].number + 1);
        fprintf(out, "%s %u%s: %s\n", plan_section_name(statement->section), statement->transaction,
                statement->transactional ? "" : "!", statement->sql);
    }
    for (size_t i = 0; i < plan->finding_count; i++)
        if (plan_rule_find(plan->findings[i].id) < &plan_rules[RULE_UNPARSED])
            fprintf(out, "%u:%u %s\n", plan->findings[i].line, plan->findings[i].column,
                    plan->findings[i].id);
    fclose(out);
    plan_free(plan);
    return text;
}

static void expect(const char *contract, const char *expected)
{
    char sql[2048];
    char *text;

    snprintf(sql, sizeof(sql), "-- schemagate: contract\n%s", contract);
    text = plan_text(sql, &kept);
    assert_string_equal(text, expected);
    free(text);
}

#define PROOFS(first, second, third, arguments)                                                        \
    "restore " first ": SELECT schemagate.restore_not_null(42, " arguments ", 'check')\n"                \
    "restore " second ": SELECT schemagate.restore_not_null(42, " arguments ", 'validate')\n"            \
    "restore " third ": SELECT schemagate.restore_not_null(42, " arguments ", 'finish')\n"

static void a_column_is_hidden_purged_and_restored(void **state)
{
    (void)state;
    expect("ALTER TABLE users DROP COLUMN name",
           "contract 1: SELECT schemagate.hide_column(42, 'users', 'name')\n"
           "purge 1: SELECT schemagate.purge_column(42, 'users', 'name')\n"
           "restore 1: SELECT schemagate.restore_column(42, 'users', 'name')\n"
           PROOFS("2", "3", "4", "'users', 'name'"));
}

static void names_keep_their_quotes(void **state)
{
    (void)state;
    expect("ALTER TABLE IF EXISTS \"S\".\"it's\" DROP \"a\"\"b\" CASCADE",
           "contract 1: SELECT schemagate.hide_column(42, '\"S\".\"it''s\"', 'a\"b', if_exists => true)\n"
           "purge 1: SELECT schemagate.purge_column(42, '\"S\".\"it''s\"', 'a\"b', "
           "drops_dependents => true)\n"
           "restore 1: SELECT schemagate.restore_column(42, '\"S\".\"it''s\"', 'a\"b')\n"
           PROOFS("2", "3", "4", "'\"S\".\"it''s\"', 'a\"b'"));
}

static void tables_and_views_are_hidden_and_come_back_in_reverse(void **state)
{
    (void)state;
    expect("DROP TABLE IF EXISTS a, s.b; DROP VIEW v CASCADE",
           "contract 1: SELECT schemagate.hide_table(42, 'a', if_exists => true)\n"
           "contract 1: SELECT schemagate.hide_table(42, 's.b', if_exists => true)\n"
           "contract 1: SELECT schemagate.hide_table(42, 'v')\n"
           "purge 1: SELECT schemagate.purge_table(42, 'a')\n"
           "purge 1: SELECT schemagate.purge_table(42, 's.b')\n"
           "purge 1: SELECT schemagate.purge_table(42, 'v', drops_dependents => true)\n"
           "restore 1: SELECT schemagate.restore_table(42, 'v')\n"
           "restore 1: SELECT schemagate.restore_table(42, 's.b')\n"
           "restore 1: SELECT schemagate.restore_table(42, 'a')\n");
}

static void commands_of_one_statement_are_taken_apart(void **state)
{
    (void)state;
    expect("ALTER TABLE t DROP a, ALTER b SET NOT NULL, DROP c",
           "contract 1: SELECT schemagate.hide_column(42, 't', 'a')\n"
           "contract 1: SELECT schemagate.hide_column(42, 't', 'c')\n"
           "purge 1: SELECT schemagate.purge_column(42, 't', 'a')\n"
           "purge 1: SELECT schemagate.purge_column(42, 't', 'c')\n"
           "purge 1: ALTER TABLE t ALTER COLUMN b SET NOT NULL\n"
           "restore 1: SELECT schemagate.restore_column(42, 't', 'c')\n"
           "restore 1: SELECT schemagate.restore_column(42, 't', 'a')\n"
           PROOFS("2", "3", "4", "'t', 'a'") PROOFS("5", "6", "7", "'t', 'c'")
           "2:1 postponed\n");
}

static void everything_else_waits_for_the_purge_in_its_order(void **state)
{
    (void)state;
    expect("DROP TRIGGER r ON t;\nDROP FUNCTION f();\nALTER TABLE t DROP a;\n"
           "DROP INDEX CONCURRENTLY i;\nDROP TABLE u",
           "contract 1: SELECT schemagate.hide_column(42, 't', 'a')\n"
           "contract 2: SELECT schemagate.hide_table(42, 'u')\n"
           "purge 1: DROP TRIGGER r ON t\n"
           "purge 1: DROP FUNCTION f()\n"
           "purge 1: SELECT schemagate.purge_column(42, 't', 'a')\n"
           "purge 2!: DROP INDEX CONCURRENTLY i\n"
           "purge 3: SELECT schemagate.purge_table(42, 'u')\n"
           "restore 1: SELECT schemagate.restore_table(42, 'u')\n"
           "restore 2: SELECT schemagate.restore_column(42, 't', 'a')\n"
           PROOFS("3", "4", "5", "'t', 'a'")
           "2:1 postponed\n3:1 postponed\n5:1 postponed\n");
}

/* SET holds for what stands behind it, wherever that runs. */
static void settings_go_with_both(void **state)
{
    (void)state;
    expect("SET search_path = s; DROP TABLE t",
           "contract 1: SET search_path = s\n"
           "contract 1: SELECT schemagate.hide_table(42, 't')\n"
           "purge 1: SET search_path = s\n"
           "purge 1: SELECT schemagate.purge_table(42, 't')\n"
           "restore 1: SELECT schemagate.restore_table(42, 't')\n");
}

static void privileges_are_taken_where_the_author_says_so(void **state)
{
    char *text = plan_text("-- schemagate: contract hide=revoke\nALTER TABLE t DROP a; DROP TABLE u", &kept);

    (void)state;
    assert_string_equal(text,
                        "contract 1: SELECT schemagate.hide_column(42, 't', 'a', way => 'revoke')\n"
                        "contract 1: SELECT schemagate.hide_table(42, 'u', way => 'revoke')\n"
                        "purge 1: SELECT schemagate.purge_column(42, 't', 'a')\n"
                        "purge 1: SELECT schemagate.purge_table(42, 'u')\n"
                        "restore 1: SELECT schemagate.restore_table(42, 'u')\n"
                        "restore 1: SELECT schemagate.restore_column(42, 't', 'a')\n");
    free(text);
}

static void a_contract_with_nothing_to_hide_stays_as_it_is(void **state)
{
    (void)state;
    expect("ALTER TABLE t ALTER b SET NOT NULL; DROP INDEX i",
           "contract 1: ALTER TABLE t ALTER b SET NOT NULL\n"
           "contract 1: DROP INDEX i\n"
           "2:1 nothing-hidden\n");
    expect("ALTER TABLE ONLY t DROP a",
           "contract 1: ALTER TABLE ONLY t DROP a\n"
           "2:1 nothing-hidden\n");
}

static void other_sections_stay_as_they_are(void **state)
{
    char *text = plan_text("-- schemagate: undo\nDROP TABLE a;\n-- schemagate: contract\nDROP TABLE b;\n"
                           "-- schemagate: expand\nSELECT 1; SELECT 2",
                           &kept);

    (void)state;
    assert_string_equal(text, "expand 1: SELECT 1\n"
                              "expand 1: SELECT 2\n"
                              "contract 1: SELECT schemagate.hide_table(42, 'b')\n"
                              "undo 1: DROP TABLE a\n"
                              "purge 1: SELECT schemagate.purge_table(42, 'b')\n"
                              "restore 1: SELECT schemagate.restore_table(42, 'b')\n");
    free(text);
}

/* The request goes before the file, the file before the configuration. */
static void the_hours_come_from_where_they_are_said(void **state)
{
    static const struct {
        const char *file;
        struct plan_options options;
        int64_t hours;
    } rows[] = {
        {"", {0}, 0},
        {"", {.default_keep_hours = 3}, 3},
        {"-- schemagate: migration keep_hours=2\n", {.default_keep_hours = 3}, 2},
        {"-- schemagate: migration keep_hours=0\n", {.default_keep_hours = 3}, 0},
        {"-- schemagate: migration keep_hours=2\n", {.says_keep = true, .keep_hours = 1}, 1},
        {"-- schemagate: migration keep_hours=2\n", {.says_keep = true, .default_keep_hours = 3}, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char sql[256];
        struct plan *plan;

        snprintf(sql, sizeof(sql), "%s-- schemagate: contract\nDROP TABLE t", rows[i].file);
        plan = plan_read(sql, strlen(sql), &rows[i].options);
        assert_int_equal(plan->keep_hours, rows[i].hours);
        assert_int_equal(plan->statement_count, rows[i].hours > 0 ? 3 : 1);
        plan_free(plan);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_column_is_hidden_purged_and_restored),
        cmocka_unit_test(names_keep_their_quotes),
        cmocka_unit_test(tables_and_views_are_hidden_and_come_back_in_reverse),
        cmocka_unit_test(commands_of_one_statement_are_taken_apart),
        cmocka_unit_test(everything_else_waits_for_the_purge_in_its_order),
        cmocka_unit_test(settings_go_with_both),
        cmocka_unit_test(privileges_are_taken_where_the_author_says_so),
        cmocka_unit_test(a_contract_with_nothing_to_hide_stays_as_it_is),
        cmocka_unit_test(other_sections_stay_as_they_are),
        cmocka_unit_test(the_hours_come_from_where_they_are_said),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
