/* The file format: what a well-formed file says, and every mistake that one can make in it. */
#include "plan_expect.h"

#define EXPAND "-- schemagate: expand\n"

struct expectation {
    const char *sql, *findings;
};

static void expect_all(const struct expectation *rows, size_t count)
{
    for (size_t i = 0; i < count; i++)
        expect_findings(rows[i].sql, rows[i].findings);
}

#define EXPECT_ALL(rows) expect_all(rows, sizeof(rows) / sizeof((rows)[0]))

static struct plan *read_text(const char *sql)
{
    return plan_read(sql, strlen(sql), NULL);
}

static void a_whole_file_is_read(void **state)
{
    static const char sql[] =
        "-- A comment before everything.\n"
        "--schemagate:\tmigration name=\"split \\\"name\\\" \\\\ \xC3\xA9\" approval=manual  "
        "soak_seconds=60 keep_hours=0 requires=41 \t\n"
        "\n"
        "  -- schemagate: contract atomic=no\n"
        "ALTER TABLE users DROP COLUMN name; /* ; */\n"
        "\n"
        "-- schemagate: expand\n"
        "-- first\n"
        "; /* x */ ; ALTER TABLE \"\xC3\xA4\" ADD full_name text -- why\n"
        "-- schemagate: backfill atomic=yes\n"
        "-- schemagate: undo\n"
        "ALTER TABLE users DROP COLUMN full_name;\n";
    struct plan *plan = read_text(sql);

    (void)state;
    assert_int_equal(plan->finding_count, 0);
    assert_false(plan_is_refused(plan));
    assert_string_equal(plan->name, "split \"name\" \\ \xC3\xA9");
    assert_string_equal(plan->approval, "manual");
    assert_int_equal(plan->soak_seconds, 60);
    assert_int_equal(plan->keep_hours, 0);
    assert_int_equal(plan->requires, 41);
    for (size_t i = 0; i < PLAN_WRITTEN_SECTIONS; i++)
        assert_true(plan->has_section[i]);
    assert_int_equal(plan->statement_count, 3);
    assert_int_equal(plan->statements[0].section, PLAN_EXPAND);
    assert_string_equal(plan->statements[0].sql, "ALTER TABLE \"\xC3\xA4\" ADD full_name text");
    assert_int_equal(plan->statements[0].line, 9);
    assert_int_equal(plan->statements[0].column, 13);
    assert_int_equal(plan->statements[1].section, PLAN_CONTRACT);
    assert_string_equal(plan->statements[1].sql, "ALTER TABLE users DROP COLUMN name");
    assert_int_equal(plan->statements[1].line, 5);
    assert_int_equal(plan->statements[2].section, PLAN_UNDO);
    assert_int_equal(plan->statements[2].line, 12);
    plan_free(plan);
}

static void what_is_not_said_is_not_set(void **state)
{
    struct plan *plan = read_text(EXPAND);

    (void)state;
    assert_null(plan->name);
    assert_null(plan->approval);
    assert_int_equal(plan->soak_seconds, -1);
    assert_int_equal(plan->keep_hours, 0);
    assert_int_equal(plan->requires, -1);
    assert_true(plan->has_section[PLAN_EXPAND]);
    assert_false(plan->has_section[PLAN_UNDO]);
    assert_null(plan->checksum);
    assert_int_equal(plan->statement_count, 0);
    assert_int_equal(plan->finding_count, 0);
    plan_free(plan);
}

static void markers_count_only_as_comments(void **state)
{
    static const char sql[] = EXPAND
        "SELECT '\n-- schemagate: contract\n';\n"
        "SELECT $$\n-- schemagate: contract\n$$;\n"
        "SELECT $a$ $$\n-- schemagate: contract\n$a$;\n"
        "SELECT \"\n-- schemagate: contract\n\" FROM x;\n"
        "/*\n-- schemagate: contract\n/* nested */\n-- schemagate: undo\n*/\n"
        "SELECT E'\\'\n-- schemagate: contract\n', U&'\n-- schemagate: contract\n';\n"
        "-- about schemagate: contract\n--- schemagate: contract\n";
    struct plan *plan = read_text(sql);

    (void)state;
    assert_int_equal(plan->finding_count, 0);
    assert_int_equal(plan->statement_count, 5);
    assert_false(plan->has_section[PLAN_CONTRACT]);
    assert_false(plan->has_section[PLAN_UNDO]);
    plan_free(plan);
}

static void line_ends_and_byte_order_marks_do_not_matter(void **state)
{
    struct plan *plan =
        read_text("\xEF\xBB\xBF-- schemagate: expand\r\nSELECT 1;\r\n\r\n  SELECT '\r\n'\r\n");

    (void)state;
    assert_int_equal(plan->finding_count, 0);
    assert_int_equal(plan->statement_count, 2);
    assert_string_equal(plan->statements[1].sql, "SELECT '\n'");
    assert_int_equal(plan->statements[1].line, 4);
    assert_int_equal(plan->statements[1].column, 3);
    plan_free(plan);
}

static void malformed_directives_are_found(void **state)
{
    static const struct expectation rows[] = {
        {EXPAND "-- Schemagate: contract\n", "2:4 malformed-directive"},
        {EXPAND "--SCHEMAGATE: contract\n", "2:3 malformed-directive"},
        {EXPAND "-- schemagate contract\n", "2:4 malformed-directive"},
        {EXPAND "-- schemagates are fun\n", "2:4 malformed-directive"},
        {EXPAND "-- schemagate:contract\n", "2:15 malformed-directive"},
        {EXPAND "-- schemagate:\n", "2:15 malformed-directive"},
        {EXPAND "-- schemagate: \n", "2:16 malformed-directive"},
        {EXPAND "-- schemagate: =\n", "2:16 malformed-directive"},
        {EXPAND "SELECT 1; -- schemagate: contract\n", "2:11 malformed-directive"},
        {EXPAND "/* x */ -- schemagate: contract\n", "2:9 malformed-directive"},
        {EXPAND "SELECT '\n' -- schemagate: contract\n", "3:3 malformed-directive"},
        {EXPAND "-- schemagate: contract please\n", "2:31 malformed-directive"},
        {EXPAND "-- schemagate: contract, atomic=no\n", "2:24 malformed-directive"},
        {EXPAND "-- schemagate: contract atomic =no\n", "2:31 malformed-directive"},
        {EXPAND "-- schemagate: contract atomic=\n", "2:32 malformed-directive"},
        {EXPAND "-- schemagate: contract atomic= no\n", "2:32 malformed-directive"},
        {EXPAND "-- schemagate: contract atomic='no'\n", "2:32 malformed-directive"},
        {EXPAND "-- schemagate: contract atomic=\"no\n", "2:32 malformed-directive"},
        {EXPAND "-- schemagate: contract atomic=\"n\\o\"\n", "2:35 malformed-directive"},
        {EXPAND "-- schemagate: contract atomic=no;\n", "2:34 malformed-directive"},
        {EXPAND "-- schemagate: contract \xC3\xA9=no x\n", "2:25 malformed-directive"},
        {EXPAND "-- schemagate: contract =no\n", "2:25 malformed-directive"},
        {EXPAND "-- schemagate: allow a b reason=c\nSELECT 1", "2:25 malformed-directive"},
        {EXPAND "-- schemagate: contract a=1 b=1 c=1 d=1 e=1 f=1 g=1 h=1 i=1\n",
         "2:57 malformed-directive"},
    };

    (void)state;
    EXPECT_ALL(rows);
}

static void wrong_words_keys_and_values_are_found(void **state)
{
#define MIGRATION "-- schemagate: migration "
    static const struct expectation rows[] = {
        {"-- schemagate: expnd\n" EXPAND, "1:16 unknown-word"},
        {"-- schemagate: Expand\n" EXPAND, "1:16 unknown-word"},
        {"-- schemagate: expand2\n" EXPAND, "1:16 unknown-word"},
        {MIGRATION "nam=x\n" EXPAND, "1:26 unknown-key"},
        {MIGRATION "atomic=no\n" EXPAND, "1:26 unknown-key"},
        {MIGRATION "reason=x\n" EXPAND, "1:26 unknown-key"},
        {"-- schemagate: expand name=x\n", "1:23 unknown-key"},
        {"-- schemagate: expand hide=rename\n", "1:23 unknown-key"},
        {"-- schemagate: backfill hide=rename\n", "1:25 unknown-key"},
        {"-- schemagate: undo hide=revoke\n", "1:21 unknown-key"},
        {"-- schemagate: expand Atomic=no\n", "1:23 unknown-key"},
        {MIGRATION "name=x name=y\n" EXPAND, "1:33 duplicate-key"},
        {MIGRATION "requires=1 name=x requires=2\n" EXPAND, "1:44 duplicate-key"},
        {MIGRATION "name=\"\"\n" EXPAND, "1:26 bad-value"},
        {MIGRATION "name=\"a\x01\"\n" EXPAND, "1:26 bad-value"},
        {MIGRATION "approval=maybe\n" EXPAND, "1:26 bad-value"},
        {MIGRATION "approval=Auto\n" EXPAND, "1:26 bad-value"},
        {MIGRATION "soak_seconds=-1\n" EXPAND, "1:26 bad-value"},
        {MIGRATION "soak_seconds=+1\n" EXPAND, "1:26 bad-value"},
        {MIGRATION "soak_seconds=1.5\n" EXPAND, "1:26 bad-value"},
        {MIGRATION "soak_seconds=10m\n" EXPAND, "1:26 bad-value"},
        {MIGRATION "soak_seconds=\"\"\n" EXPAND, "1:26 bad-value"},
        {MIGRATION "soak_seconds=\" 1\"\n" EXPAND, "1:26 bad-value"},
        {MIGRATION "soak_seconds=315360001\n" EXPAND, "1:26 bad-value"},
        {MIGRATION "soak_seconds=99999999999999999999\n" EXPAND, "1:26 bad-value"},
        {MIGRATION "soak_seconds=315360000\n" EXPAND, ""},
        {MIGRATION "keep_hours=87601\n" EXPAND, "1:26 bad-value"},
        {MIGRATION "keep_hours=0\n" EXPAND, ""},
        {MIGRATION "requires=0\n" EXPAND, "1:26 bad-value"},
        {MIGRATION "requires=281474976710656\n" EXPAND, "1:26 bad-value"},
        {MIGRATION "requires=281474976710655\n" EXPAND, ""},
        {"-- schemagate: expand atomic=true\n", "1:23 bad-value"},
        {"-- schemagate: expand atomic=yes\n", ""},
        {"-- schemagate: expand atomic=\"no\"\n", ""},
        {"-- schemagate: contract hide=delete\n", "1:25 bad-value"},
        {"-- schemagate: contract hide=rename\n", ""},
        {"-- schemagate: contract atomic=no hide=revoke\n", ""},
        {MIGRATION "name=x keep_hours=24\n" EXPAND, ""},
    };

    (void)state;
    EXPECT_ALL(rows);
}

static void misplaced_directives_are_found(void **state)
{
    static const struct expectation rows[] = {
        {EXPAND EXPAND, "2:1 duplicate-directive"},
        {EXPAND "-- schemagate: undo\n" EXPAND "SELEKT 1", "3:1 duplicate-directive"},
        {"-- schemagate: migration\n-- schemagate: migration name=x\n" EXPAND,
         "2:1 duplicate-directive"},
        {EXPAND "-- schemagate: migration name=x\n", "2:1 misplaced-directive"},
        {"SELECT 1;\n" EXPAND, "1:1 sql-before-section"},
        {"/* x */ ;\n" EXPAND, "1:9 sql-before-section"},
        {"-- x\n\nSELECT 1;\n-- schemagate: undo\n" EXPAND "SELECT 2", "3:1 sql-before-section"},
        {"-- schemagate: migration name=x\n", "0:0 empty-file"},
        {"-- schemagate: expnd\nSELECT 1", "1:16 unknown-word"},
        {"", "0:0 empty-file"},
        {" \n\t\r\n", "0:0 empty-file"},
        {"\xEF\xBB\xBF", "0:0 empty-file"},
        {"-- only\n/* comments */\n", "0:0 empty-file"},
    };

    (void)state;
    EXPECT_ALL(rows);
}

static void exceptions_are_bound_to_the_next_statement(void **state)
{
#define ALLOW "-- schemagate: allow suspect-do-block reason=\"it is a word\"\n"
#define BLOCK "DO $$ BEGIN RAISE 'schemagate'; END $$;\n"
    static const struct expectation rows[] = {
        {EXPAND BLOCK, "2:1 suspect-do-block"},
        {EXPAND ALLOW BLOCK, "3:1 suspect-do-block allowed"},
        {EXPAND ALLOW "-- more\n/* and more */\n" BLOCK, "5:1 suspect-do-block allowed"},
        {EXPAND ALLOW BLOCK BLOCK, "3:1 suspect-do-block allowed, 4:1 suspect-do-block"},
        {EXPAND BLOCK ALLOW BLOCK, "2:1 suspect-do-block, 4:1 suspect-do-block allowed"},
        {EXPAND ALLOW "SELECT 1;\n" BLOCK, "2:1 allow-unused, 4:1 suspect-do-block"},
        {EXPAND ALLOW ALLOW BLOCK, "4:1 suspect-do-block allowed"},
        {EXPAND ALLOW, "2:1 misplaced-directive"},
        {EXPAND BLOCK ALLOW, "2:1 suspect-do-block, 3:1 misplaced-directive"},
        {EXPAND ALLOW "-- schemagate: contract\n" BLOCK,
         "2:1 misplaced-directive, 4:1 suspect-do-block"},
        {"-- schemagate: undo\n" BLOCK EXPAND ALLOW BLOCK,
         "2:1 suspect-do-block, 5:1 suspect-do-block allowed"},
        {ALLOW EXPAND BLOCK, "1:1 misplaced-directive, 3:1 suspect-do-block"},
        {EXPAND "SELECT\n" ALLOW "1", "3:1 misplaced-directive"},
        {EXPAND "-- schemagate: allow\n" BLOCK, "2:1 allow-incomplete, 3:1 suspect-do-block"},
        {EXPAND "-- schemagate: allow suspect-do-block\nSELECT 1", "2:1 allow-incomplete"},
        {EXPAND "-- schemagate: allow reason=\"x\"\nSELECT 1", "2:1 allow-incomplete"},
        {EXPAND "-- schemagate: allow suspect-do-block reason=\" \"\n" BLOCK,
         "2:39 bad-value, 3:1 suspect-do-block allowed"},
        {EXPAND "-- schemagate: allow suspect-do-block reason=x why=y\n" BLOCK,
         "2:48 unknown-key, 3:1 suspect-do-block allowed"},
        {EXPAND "-- schemagate: allow no-such-rule reason=x\nSELECT 1", "2:22 allow-unknown"},
        {EXPAND "-- schemagate: allow own-schema reason=x\nDROP SCHEMA schemagate",
         "2:22 allow-forbidden, 3:1 own-schema"},
    };
    struct plan *plan = read_text(EXPAND ALLOW "SELECT 1");

    (void)state;
    EXPECT_ALL(rows);
    assert_false(plan_is_refused(plan)); /* an exception too many is a warning */
    plan_free(plan);
    plan = read_text(EXPAND ALLOW BLOCK);
    assert_false(plan_is_refused(plan));
    assert_string_equal(plan->findings[0].allow_reason, "it is a word");
    plan_free(plan);
    plan = read_text(EXPAND BLOCK);
    assert_true(plan_is_refused(plan));
    plan_free(plan);
}

static void what_is_not_sql_is_found(void **state)
{
    static const struct expectation rows[] = {
        {EXPAND "\\set x 1\nSELECT 1;\n", "2:1 psql-command"},
        {EXPAND "  \\echo don't\nSELECT 1;\n", "2:3 psql-command"},
        {EXPAND "SELECT 1 \\g\nSELECT 2;\n", "2:10 psql-command, 3:8 syntax-error"},
        {EXPAND "\\i a.sql\n\\i b.sql\nSELECT 1;\n", "2:1 psql-command, 3:1 psql-command"},
        {"\\connect x\nSELECT 1", "1:1 psql-command"},
        {EXPAND "SELECT '\\d';\n", ""},
        {EXPAND "SELECT 'a", "2:8 unterminated"},
        {EXPAND "SELECT \"a", "2:8 unterminated"},
        {EXPAND "\xC3\xA9 $$a\n" EXPAND, "2:3 unterminated"},
        {EXPAND "/* a /* */", "2:1 unterminated"},
        {EXPAND "SELECT ''';\n-- schemagate: contract\nSELECT 1", "2:8 unterminated"},
        {EXPAND "SELEKT 1;\nSELECT 2;", "2:1 syntax-error"},
        {EXPAND "SELECT '\xC3\xA9\xC3\xA9' FROM, x", "2:17 syntax-error"},
        {EXPAND "SELECT 1;\nSELECT (1;\n", "3:10 syntax-error"},
        {EXPAND "SELECT 1 +\n\n-- the end\n", "2:10 syntax-error"},
        {EXPAND "SELECT 1 +;\n-- schemagate: undo\nDROP;\n-- schemagate: contract\nSELECT 1",
         "2:11 syntax-error, 4:5 syntax-error"},
        {EXPAND "CREATE TABLE t (\n-- schemagate: contract\na int);",
         "2:16 syntax-error, 4:1 syntax-error"},
        {EXPAND "SELECT U&'\\zzzz'", "2:11 syntax-error"},
        {EXPAND "SELECT (((((1)", "2:14 syntax-error"},
        {EXPAND "ALTER TABLE a ADD b int\n-- schemagate: contract\nALTER TABLE a DROP c", ""},
        {EXPAND "COPY t (a, b) FROM stdin;\n1\t2\n\\.\n", "2:1 client-copy, 4:1 psql-command"},
        {EXPAND "\xC0\xAF", "2:1 not-utf8"},
        {EXPAND "-- \xED\xA0\x80", "2:4 not-utf8"},
        {EXPAND "-- \xF4\x90\x80\x80", "2:4 not-utf8"},
        {EXPAND "-- \xE2\x82", "2:4 not-utf8"},
        {EXPAND "-- gr\xFC\xDF", "2:6 not-utf8"},
        {EXPAND "-- \xF0\x9F\x90\x98 \xE2\x82\xAC \xEF\xBF\xBD", ""},
    };

    (void)state;
    EXPECT_ALL(rows);
    expect_findings_of("-- schemagate: expand\n-- \0", 26, "2:4 nul-byte");
    expect_findings_of("\0", 1, "1:1 nul-byte");
    expect_findings_of("\xFF\xFEs\0e\0", 6, "1:1 not-utf8");
}

static void foreign_text_is_quoted_in_bounds(void **state)
{
    size_t length = strlen(EXPAND) + 100000;
    char *sql = malloc(length + 1);
    struct plan *plan;

    (void)state;
    assert_non_null(sql);
    memset(sql, 'x', length);
    memcpy(sql, EXPAND "SELECT '", strlen(EXPAND) + 8);
    sql[length] = '\0';
    plan = plan_read(sql, length, NULL);
    assert_string_equal(plan->findings[0].id, "unterminated");
    assert_true(strlen(plan->findings[0].message) < 300);
    plan_free(plan);
    for (size_t i = strlen(EXPAND); i + 2 < length; i += 2)
        memcpy(sql + i, "\\\n", 2);
    plan = plan_read(sql, length, NULL);
    assert_int_equal(plan->finding_count, 101);
    assert_true(plan_is_refused(plan));
    plan_free(plan);
    free(sql);
}

static void what_the_grammar_gives_up_on_is_unreadable(void **state)
{
    char *sql = malloc(strlen(EXPAND) + 30000);

    (void)state;
    assert_non_null(sql);
    strcpy(sql, EXPAND "SELECT ");
    memset(sql + strlen(sql), '(', 20000);
    sql[strlen(EXPAND) + 7 + 20000] = '\0';
    expect_findings(sql, "2:10004 unreadable");
    free(sql);
}

static void parts_are_joined_under_their_markers(void **state)
{
    static const char *const parts[PLAN_WRITTEN_SECTIONS] = {
        [PLAN_EXPAND] = "ALTER TABLE a ADD b int",
        [PLAN_CONTRACT] = "",
        [PLAN_UNDO] = "SELECT 1;\n",
    };
    static const char *const none[PLAN_WRITTEN_SECTIONS] = {NULL};
    char *file = plan_join_parts(parts);
    struct plan *plan;

    (void)state;
    assert_string_equal(file, "-- schemagate: expand\nALTER TABLE a ADD b int\n"
                              "-- schemagate: contract\n-- schemagate: undo\nSELECT 1;\n");
    plan = read_text(file);
    assert_int_equal(plan->finding_count, 0);
    assert_int_equal(plan->statement_count, 2);
    assert_false(plan->has_section[PLAN_BACKFILL]);
    plan_free(plan);
    free(file);
    file = plan_join_parts(none);
    assert_string_equal(file, "");
    free(file);
}

static void file_names_give_version_and_name(void **state)
{
    static const struct {
        const char *file;
        int64_t version;
        const char *name;
    } rows[] = {
        {"42_split_name.sql", 42, "split_name"},
        {"V42__split_name.sql", 42, "split_name"},
        {"v0042_x.up.sql", 42, "x"},
        {"20261120093000_add.sql", INT64_C(20261120093000), "add"},
        {"281474976710655_x.sql", INT64_C(281474976710655), "x"},
        {"7_a.b.sql", 7, "a.b"},
        {"7_.up.sql", 7, ".up"},
        {"281474976710656_x.sql", -1, NULL},
        {"99999999999999999999999_x.sql", -1, NULL},
        {"0_x.sql", -1, NULL},
        {"000_x.sql", -1, NULL},
        {"_x.sql", -1, NULL},
        {"x_42.sql", -1, NULL},
        {"42.sql", -1, NULL},
        {"42_.sql", -1, NULL},
        {"42-x.sql", -1, NULL},
        {"42_x.SQL", -1, NULL},
        {"42_x.txt", -1, NULL},
        {"VV42_x.sql", -1, NULL},
        {"-42_x.sql", -1, NULL},
        {"", -1, NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char *name = NULL;

        assert_int_equal(plan_file_version(rows[i].file, &name), rows[i].version);
        assert_int_equal(plan_file_version(rows[i].file, NULL), rows[i].version);
        if (rows[i].name == NULL)
            assert_null(name);
        else
            assert_string_equal(name, rows[i].name);
        free(name);
    }
}

static void every_rule_has_an_id_and_a_remedy(void **state)
{
    (void)state;
    for (size_t i = 0; i < PLAN_RULES; i++) {
        assert_non_null(plan_rules[i].id);
        assert_non_null(plan_rules[i].fix);
        assert_ptr_equal(plan_rule_find(plan_rules[i].id), &plan_rules[i]);
    }
    assert_null(plan_rule_find("no-such-rule"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_file_is_read),
        cmocka_unit_test(what_is_not_said_is_not_set),
        cmocka_unit_test(markers_count_only_as_comments),
        cmocka_unit_test(line_ends_and_byte_order_marks_do_not_matter),
        cmocka_unit_test(malformed_directives_are_found),
        cmocka_unit_test(wrong_words_keys_and_values_are_found),
        cmocka_unit_test(misplaced_directives_are_found),
        cmocka_unit_test(exceptions_are_bound_to_the_next_statement),
        cmocka_unit_test(what_is_not_sql_is_found),
        cmocka_unit_test(foreign_text_is_quoted_in_bounds),
        cmocka_unit_test(what_the_grammar_gives_up_on_is_unreadable),
        cmocka_unit_test(parts_are_joined_under_their_markers),
        cmocka_unit_test(file_names_give_version_and_name),
        cmocka_unit_test(every_rule_has_an_id_and_a_remedy),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
