/* Plans in words: findings with their place, phases with transactions, statements and locks. */
#include "../../daemon/cli/render_plan.h"

#include <support/test.h>

#include <string.h>

static void expect_plan(const char *plan, const char *sql, struct render_plan how, const char *wanted)
{
    char label[] = "7_x.sql";
    struct plan_text text = {.label = label, .sql = (char *)sql, .length = strlen(sql)};
    struct buf out = BUF_INIT(0);
    json_t *document = json_loads(plan, 0, NULL);

    assert_non_null(document);
    render_plan(&out, document, &text, &how);
    assert_string_equal(buf_text(&out), wanted);
    buf_free(&out);
    json_decref(document);
}

#define FINDING(severity, line, column, more)                                                         \
    "{\"id\":\"some-id\",\"severity\":\"" severity "\",\"line\":" line ",\"column\":" column              \
    ",\"message\":\"it is wrong\",\"why\":\"because\",\"fix\":\"mend it\"," more "}"
#define REFUSED_BY(finding) "{\"steps\":[],\"findings\":[" finding "]}"

static void a_finding_shows_its_place(void **state)
{
    (void)state;
    expect_plan(REFUSED_BY(FINDING("error", "2", "4", "\"allowed\":false")), "a;\n\tb c\r\nd",
                (struct render_plan){0},
                "7_x.sql:2:4: error: it is wrong  [some-id]\n     2 |  b c\n       |    ^\n"
                "  why: because\n  fix: mend it\n\n7_x.sql: refused: 1 error\n");
}

static void columns_are_characters_and_not_bytes(void **state)
{
    (void)state;
    expect_plan(REFUSED_BY(FINDING("error", "1", "5", "\"allowed\":false")), "äöü x",
                (struct render_plan){0},
                "7_x.sql:1:5: error: it is wrong  [some-id]\n     1 | äöü x\n       |     ^\n"
                "  why: because\n  fix: mend it\n\n7_x.sql: refused: 1 error\n");
}

/* A line of a megabyte would bury what is said about it. */
static void of_a_long_line_the_part_around_it_is_shown(void **state)
{
    char sql[1001];
    struct buf out = BUF_INIT(0);
    json_t *document = json_loads(REFUSED_BY(FINDING("error", "1", "500", "\"allowed\":false")), 0, NULL);
    struct plan_text text = {.label = "f", .sql = sql, .length = 1000};

    (void)state;
    memset(sql, 'x', 1000);
    sql[1000] = '\0';
    sql[499] = '!';
    render_plan(&out, document, &text, &(struct render_plan){0});
    const char *mark = strchr(buf_text(&out), '!'), *caret = strchr(buf_text(&out), '^');
    assert_non_null(mark);
    assert_non_null(caret);
    const char *line = strstr(buf_text(&out), " | ") + 3, *below = strstr(line, " | ") + 3;
    assert_int_equal(mark - line - (ptrdiff_t)strlen("…") + 1, caret - below); /* "…" is one column */
    assert_true(strlen(buf_text(&out)) < 500);
    buf_free(&out);
    json_decref(document);
}

static void an_allowed_finding_refuses_nothing(void **state)
{
    (void)state;
    expect_plan(REFUSED_BY(FINDING("error", "1", "1", "\"allowed\":true,\"allow_reason\":\"we know\"")), "a",
                (struct render_plan){0},
                "7_x.sql:1:1: allowed: it is wrong  [some-id]\n     1 | a\n       | ^\n"
                "  allowed because: we know\n\n7_x.sql: can be submitted; it has no undo\n");
}

static void a_finding_about_the_file_has_no_place(void **state)
{
    (void)state;
    expect_plan(REFUSED_BY(FINDING("warning", "null", "null", "\"allowed\":false")), "a",
                (struct render_plan){.colour = true},
                "7_x.sql: \033[33mwarning\033[0m: \033[1mit is wrong\033[0m  [some-id]\n"
                "  why: because\n  fix: mend it\n\n7_x.sql: can be submitted; it has no undo\n");
}

#define STEP(phase, n, sql, transactional, transaction, more)                                          \
    "{\"phase\":\"" phase "\",\"n\":" n ",\"sql\":\"" sql "\",\"transactional\":" transactional              \
    ",\"transaction\":" transaction ",\"line\":3," more "}"

static void steps_are_shown_by_phase_and_transaction(void **state)
{
    (void)state;
    expect_plan("{\"findings\":[],\"steps\":["
                STEP("expand", "1", "A\\n  B", "true", "1",
                     "\"kind\":\"statement\","
                     "\"takes\":{\"effort\":\"moment\",\"table\":null,\"rows\":null,\"bytes\":null},"
                     "\"locks\":[{\"relation\":\"t\",\"mode\":\"ACCESS EXCLUSIVE\"},"
                     "{\"relation\":\"u\",\"mode\":\"SHARE\",\"parents\":true}]") ","
                STEP("expand", "2", "C", "true", "1", "\"kind\":\"statement\",\"locks\":[]") ","
                STEP("expand", "3", "D", "false", "2",
                     "\"kind\":\"index\","
                     "\"takes\":{\"effort\":\"index\",\"table\":\"t\",\"rows\":7,\"bytes\":16384},"
                     "\"locks\":[{\"relation\":\"t\",\"mode\":\"SHARE UPDATE EXCLUSIVE\"}]") ","
                STEP("backfill", "1", "E", "true", "1",
                     "\"kind\":\"batched\","
                     "\"takes\":{\"effort\":\"rewrite\",\"table\":\"t\",\"rows\":null,\"bytes\":null},"
                     "\"locks\":[{\"relation\":\"t\",\"mode\":\"ROW EXCLUSIVE\"}]") ","
                STEP("undo", "1", "F", "true", "1", "\"kind\":\"statement\",\"locks\":[]") "]}",
                "", (struct render_plan){0},
                "\nexpand: runs at once; the code that runs now goes on working\n"
                "  transaction 1\n"
                "    1  A\n         B;\n"
                "       locks t: ACCESS EXCLUSIVE until its transaction ends "
                "(nobody else reads or writes it)\n"
                "       locks u and what its foreign keys refer to: SHARE until its transaction ends "
                "(others read it, writers wait)\n"
                "       takes a moment: it changes the catalog only\n"
                "    2  C;\n"
                "  outside of transactions\n"
                "    3  D;\n"
                "       locks t: SHARE UPDATE EXCLUSIVE for as long as it runs (others read and write it)\n"
                "       takes as long as building an index on t (about 7 rows, 16 kB)\n"
                "\nbackfill: runs behind it, in batches where it can\n"
                "  in batches, each a transaction\n"
                "    1  E;\n"
                "       locks t: ROW EXCLUSIVE for one batch at a time (others read and write it)\n"
                "       takes as long as writing t anew, with its indexes, and as much free disk again\n"
                "\nundo: takes the expand back, on request\n"
                "  transaction 1\n"
                "    1  F;\n"
                "\n7_x.sql: can be submitted\n");
}

static void explaining_says_why_and_from_where(void **state)
{
    (void)state;
    expect_plan("{\"findings\":[],\"steps\":["
                STEP("contract", "1", "A", "true", "1",
                     "\"kind\":\"statement\",\"source\":2,\"generated\":true,"
                     "\"note\":\"it drops a column\"") "]}",
                "", (struct render_plan){.explain = true},
                "\ncontract: waits at the gate until no replica needs the old schema\n"
                "  transaction 1\n"
                "    1  A;\n"
                "       why here: it drops a column (made from line 3)\n"
                "\n7_x.sql: can be submitted; it has no undo\n");
}

static void what_a_file_says_does_not_steer_a_terminal(void **state)
{
    (void)state;
    expect_plan(REFUSED_BY(FINDING("error", "1", "3", "\"allowed\":false")), "a\033[2Jb",
                (struct render_plan){0},
                "7_x.sql:1:3: error: it is wrong  [some-id]\n     1 | a?[2Jb\n       |   ^\n"
                "  why: because\n  fix: mend it\n\n7_x.sql: refused: 1 error\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_finding_shows_its_place),
        cmocka_unit_test(columns_are_characters_and_not_bytes),
        cmocka_unit_test(of_a_long_line_the_part_around_it_is_shown),
        cmocka_unit_test(an_allowed_finding_refuses_nothing),
        cmocka_unit_test(a_finding_about_the_file_has_no_place),
        cmocka_unit_test(steps_are_shown_by_phase_and_transaction),
        cmocka_unit_test(explaining_says_why_and_from_where),
        cmocka_unit_test(what_a_file_says_does_not_steer_a_terminal),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
