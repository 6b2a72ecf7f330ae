/* Holds, waits and screens in words. */
#include "../../daemon/cli/output.h"
#include "../../daemon/cli/render.h"

#include <support/test.h>

#include <string.h>

#define NOW INT64_C(1795167000000) /* 2026-11-20T09:30:00Z */

static json_t *read_json(const char *text)
{
    json_t *value = json_loads(text, 0, NULL);
    assert_non_null(value);
    return value;
}

static void expect(struct buf *text, const char *wanted)
{
    assert_string_equal(buf_text(text), wanted);
    buf_free(text);
}

#define BEHIND                                                                                   \
    "{\"code\":\"replica-behind\",\"app\":\"web\",\"instance\":\"web-7f9c\",\"min\":40,"         \
    "\"max\":41,\"since\":\"2026-11-20T09:29:57.000Z\","                                         \
    "\"message\":\"web/web-7f9c supports 40..41\",\"renewed_at\":\"2026-11-20T09:29:58.000Z\","   \
    "\"clears_when\":\"it leaves\"}"
#define LOST                                                                                     \
    "{\"code\":\"replica-lost\",\"app\":\"web\",\"instance\":\"web-b21\",\"min\":40,\"max\":41," \
    "\"since\":\"2026-11-20T09:22:00.000Z\",\"message\":\"lost\"}"

static void a_wait_says_what_it_waits_for(void **state)
{
    struct buf line = BUF_INIT(0);
    json_t *migration = read_json(
        "{\"version\":42,\"name\":\"split_name\",\"phase\":\"expanded\","
        "\"summary\":\"2 of 14 replicas need a version below 42\",\"gate\":"
        "{\"open\":false,\"holds_total\":2,\"holds\":[" BEHIND "," LOST "]}}");
    (void)state;
    render_wait_line(&line, migration, 724000, NOW);
    expect(&line, "waiting 12m04s  42 split_name: 2 of 14 replicas need a version below 42: "
                  "web/web-7f9c (40..41, renewed 2s ago), web/web-b21 (40..41, lost 8m)");
    json_decref(migration);
}

static void many_are_counted(void **state)
{
    struct buf line = BUF_INIT(0);
    json_t *migration = read_json(
        "{\"version\":42,\"name\":\"n\",\"summary\":\"s\",\"gate\":{\"holds_total\":25,"
        "\"holds\":[" BEHIND "," LOST "," LOST "," LOST "]}}");
    (void)state;
    render_wait_line(&line, migration, 0, NOW);
    assert_non_null(strstr(buf_text(&line), "lost 8m), and 22 more"));
    buf_free(&line);
    json_decref(migration);
}

static void remedies_are_commands_to_type(void **state)
{
    struct buf text = BUF_INIT(0);
    json_t *lost = read_json(LOST), *fleet = read_json("{\"code\":\"fleet-missing\"}"),
           *approval = read_json("{\"code\":\"awaiting-approval\"}"),
           *unknown = read_json("{\"code\":\"new\"}");
    (void)state;
    render_hold_remedy(&text, lost, 42);
    expect(&text, "if web-b21 has ended: schemagate evict web/web-b21 --reason R");
    render_hold_remedy(&text, fleet, 42);
    assert_non_null(
        strstr(buf_text(&text), "schemagate run --app APP --schema MIN..MAX -- COMMAND"));
    buf_free(&text);
    render_hold_remedy(&text, approval, 42);
    expect(&text, "schemagate approve 42 --reason R");
    render_hold_remedy(&text, unknown, 42);
    expect(&text, "schemagate status");
    json_decref(lost);
    json_decref(fleet);
    json_decref(approval);
    json_decref(unknown);
}

static void a_gate_is_a_list_of_holds(void **state)
{
    struct buf text = BUF_INIT(0);
    json_t *gate = read_json(
        "{\"open\":false,\"evidence\":\"reported\",\"holds_total\":1,\"holds\":[" BEHIND "]}");
    (void)state;
    render_gate(&text, gate, 42, NOW, false);
    expect(&text, "the gate of 42 is closed by 1 hold (evidence: reported)\n"
                  "  replica-behind: web/web-7f9c supports 40..41 (for 3s)\n"
                  "    clears when it leaves\n"
                  "    next: deploy a release of web that supports 42; if web-7f9c has ended: "
                  "schemagate evict web/web-7f9c --reason R\n");
    json_decref(gate);
}

static void the_screen_of_everything(void **state)
{
    struct buf text = BUF_INIT(0);
    json_t *status = read_json("{\"version\":\"0.1.0\",\"role\":\"leader\",\"epoch\":7,"
                               "\"database\":{\"state\":\"connected\",\"host\":\"db\","
                               "\"server_version\":\"15.8\"},\"window\":{\"floor\":40,\"ceiling\":"
                               "42,\"contracting\":null,\"undoing\":null},"
                               "\"paused\":null,\"summary\":\"contract 42 "
                               "waits\",\"migrations\":{\"open\":[{\"version\":42,\"name\":\"n\","
                               "\"phase\":\"expanded\",\"status\":\"waiting\",\"summary\":\"s\"}]},"
                               "\"replicas\":{\"by_app\":{\"web\":{"
                               "\"live\":13,\"lost\":1,\"ranges\":[{\"min\":40,\"max\":41,"
                               "\"count\":2},{\"min\":41,\"max\":42,\"count\":12}]}}}}");
    (void)state;
    render_status(&text, status, false);
    expect(&text, "schemagate 0.1.0  leader, epoch 7\n"
                  "database  connected, PostgreSQL 15.8 at db\n"
                  "window    40..42\n"
                  "summary   contract 42 waits\n"
                  "\n"
                  "VERSION  NAME  PHASE     STATUS   SUMMARY\n"
                  "42       n     expanded  waiting  s\n"
                  "\n"
                  "APP  LIVE  WAITING  LOST  RANGES\n"
                  "web  13    0        1     40..41 ×2  41..42 ×12\n");
    json_decref(status);
}

/* Whatever a server leaves out, or sends in another shape: no crash. */
static void expect_line(const char *document, const char *line)
{
    struct buf screen = BUF_INIT(0);
    json_t *migration = read_json(document);
    render_migration(&screen, migration, NOW, false);
    if (!strstr(buf_text(&screen), line))
        test_fail("\"%s\" is not in: %s", line, buf_text(&screen));
    buf_free(&screen);
    json_decref(migration);
}

#define BACKFILL(phase, rate, eta)                                                               \
    "{\"phase\":\"" phase "\",\"backfill\":{\"rows_done\":7,\"rows_estimate\":40,"              \
    "\"rows_changed\":5,\"rows_per_second\":" rate ",\"eta_seconds\":" eta "}}"

static void a_backfill_says_how_far_it_is(void **state)
{
    (void)state;
    expect_line(BACKFILL("backfilling", "null", "null"), "backfill  7 of about 40 rows\n");
    expect_line(BACKFILL("backfilling", "550", "61"),
                "backfill  7 of about 40 rows, 550 rows/s, 1m01s to go\n");
    expect_line(BACKFILL("expanded", "null", "null, \"verified\":true"),
                "backfill  5 rows changed, none left in one look at all rows\n");
    expect_line(BACKFILL("expanded", "null", "null, \"verified\":true, \"vacuum\":[\"VACUUM t\"]"),
                "          dead rows; unless autovacuum has come by since: VACUUM t\n");
    expect_line(BACKFILL("expanded", "null", "null, \"verified\":false, \"rows_left\":2"),
                "backfill  5 rows changed, 2 left: its condition still finds them\n");
    expect_line(BACKFILL("expanded", "null", "null, \"verified\":null"),
                "backfill  5 rows changed, not verified: "
                "rows that were written meanwhile may be without it\n");
}

/* What PostgreSQL has not said has no SQLSTATE; what a command has printed keeps its lines. */
static void an_error_is_told_line_by_line(void **state)
{
    static const char failed[] =
        "{\"error\":{\"phase\":\"expand\",\"step\":1,\"sqlstate\":null,"
        "\"position\":{\"line\":2,\"column\":1},"
        "\"message\":\"runner r: exit code 3\",\"detail\":\"begins\\nends\"}}";
    (void)state;
    expect_line(failed, "error     expand step 1, 2:1: runner r: exit code 3\n"
                        "          detail: begins\n"
                        "            ends\n");
}

/* How long somebody is there already decides whether an operator ends the session. */
static void who_is_in_the_way_and_how_far_it_is(void **state)
{
    (void)state;
    expect_line("{\"lock\":{\"blockers\":[{\"pid\":7,\"kind\":\"session\",\"user\":\"app\","
                "\"application_name\":\"report\",\"state\":\"idle in transaction\",\"relation\":\"customer\","
                "\"transaction_seconds\":184.2,\"query_seconds\":12,\"advice\":\"wait\"}]}}",
                "blocker   pid 7 (session, report, user app, idle in transaction, on customer, "
                "transaction 3m04s old, query 12s old)\n          wait\n");
    expect_line("{\"steps\":[{\"phase\":\"expand\",\"n\":2,\"progress\":{\"phase\":\"building index\","
                "\"done\":3,\"total\":8,\"unit\":\"blocks\"}}]}",
                "progress  expand step 2: building index, 3 of 8 blocks\n");
}

static void absent_members_do_not_harm(void **state)
{
    static const char *const documents[] = {
        "{}", "[]", "{\"gate\":7,\"steps\":{},\"error\":[],\"actions\":[1]}",
        "{\"migrations\":{\"open\":[7,null]},\"replicas\":{\"by_app\":[]}}",
        "{\"gate\":{\"holds\":[7,{},{\"app\":1}]},\"window\":[]}"};
    (void)state;
    for (size_t n = 0; n < sizeof(documents) / sizeof(documents[0]); n++) {
        struct buf text = BUF_INIT(0);
        json_t *document = read_json(documents[n]);
        render_status(&text, document, true);
        render_migration(&text, document, NOW, true);
        render_gate(&text, json_object_get(document, "gate"), 1, NOW, true);
        render_wait_line(&text, document, 0, NOW);
        json_decref(document);
        buf_free(&text);
    }
}

static void colour_does_not_move_columns(void **state)
{
    struct buf text = BUF_INIT(0);
    struct table table = table_new(2, (const char *const[]){"A", "B"});
    (void)state;
    TABLE_ROW(&table, "live", "x");
    TABLE_ROW(&table, "é\033", NULL);
    table_finish(&table, &text, true);
    expect(&text, "\033[1mA\033[0m     \033[1mB\033[0m\n\033[32mlive\033[0m  x\né?    \n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_wait_says_what_it_waits_for),
        cmocka_unit_test(many_are_counted),
        cmocka_unit_test(remedies_are_commands_to_type),
        cmocka_unit_test(a_gate_is_a_list_of_holds),
        cmocka_unit_test(the_screen_of_everything),
        cmocka_unit_test(who_is_in_the_way_and_how_far_it_is),
        cmocka_unit_test(a_backfill_says_how_far_it_is),
        cmocka_unit_test(an_error_is_told_line_by_line),
        cmocka_unit_test(absent_members_do_not_harm),
        cmocka_unit_test(colour_does_not_move_columns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
