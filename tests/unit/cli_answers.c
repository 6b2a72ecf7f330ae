/* What answers mean: exit codes, verdicts, ends of a wait; the drain's state machine. */
#include "../../daemon/cli/follow.h"
#include "../../daemon/cli/problem.h"
#include "../../daemon/cli/run_drain.h"
#include "../../daemon/cli/run_verdict.h"

#include <schemagate/base/buf.h>
#include <schemagate/cli/cli.h>
#include <support/test.h>

#include <string.h>

static void exit_codes(void **state)
{
    static const struct {
        long status;
        const char *slug;
        int code;
    } expected[] = {
        {0, "", 5},
        {200, "", 0},
        {201, "", 0},
        {202, "", 0},
        {204, "", 0},
        {400, "", 2},
        {404, "", 2},
        {405, "", 2},
        {413, "", 2},
        {415, "", 2},
        {422, "", 2},
        {422, "plan-refused", 3},
        {401, "", 3},
        {403, "", 3},
        {409, "version-conflict", 3},
        {409, "schema-too-old", 4},
        {409, "", 3},
        {412, "", 3},
        {429, "", 5},
        {500, "", 5},
        {502, "", 5},
        {503, "database-unavailable", 5},
        {302, "", 1},
    };
    (void)state;
    for (size_t n = 0; n < sizeof(expected) / sizeof(expected[0]); n++)
        assert_int_equal(problem_exit_code(expected[n].status, expected[n].slug), expected[n].code);
}

static void verdicts(void **state)
{
    static const struct {
        long status;
        const char *slug;
        enum run_verdict verdict;
    } expected[] = {
        {0, "", VERDICT_UNAVAILABLE},
        {200, "", VERDICT_LIVE},
        {201, "", VERDICT_LIVE},
        {202, "", VERDICT_WAITING},
        {400, "", VERDICT_REFUSED},
        {401, "", VERDICT_REFUSED},
        {404, "not-found", VERDICT_REFUSED},
        {404, "unknown-replica", VERDICT_UNKNOWN},
        {409, "schema-too-old", VERDICT_TOO_OLD},
        {409, "incarnation-superseded", VERDICT_SUPERSEDED},
        {409, "range-not-served", VERDICT_REFUSED},
        {422, "", VERDICT_REFUSED},
        {429, "", VERDICT_UNAVAILABLE},
        {503, "database-unavailable", VERDICT_UNAVAILABLE},
    };
    (void)state;
    for (size_t n = 0; n < sizeof(expected) / sizeof(expected[0]); n++)
        assert_int_equal(run_judge(expected[n].status, expected[n].slug), expected[n].verdict);
}

static void check_judgement(const char *phase, const char *status, const char *until,
                            enum follow_outcome outcome)
{
    json_t *migration = json_pack("{s:s, s:s}", "phase", phase, "status", status);
    assert_int_equal(follow_judge(migration, until), outcome);
    json_decref(migration);
}

static void ends_of_a_wait(void **state)
{
    (void)state;
    check_judgement("queued", "waiting", "expanded", FOLLOW_WAIT);
    check_judgement("expanding", "retrying", "expanded", FOLLOW_WAIT);
    check_judgement("expanding", "paused", "expanded", FOLLOW_WAIT);
    check_judgement("expanding", "failed", "expanded", FOLLOW_FAILED);
    check_judgement("expanded", "waiting", "expanded", FOLLOW_REACHED);
    check_judgement("expanded", "failed", "expanded", FOLLOW_REACHED);
    check_judgement("expanded", "failed", "complete", FOLLOW_FAILED);
    check_judgement("contracting", "running", "expanded", FOLLOW_REACHED);
    check_judgement("contracting", "running", "complete", FOLLOW_WAIT);
    check_judgement("hidden", "waiting", "complete", FOLLOW_WAIT);
    check_judgement("complete", "done", "expanded", FOLLOW_REACHED);
    check_judgement("complete", "done", "complete", FOLLOW_REACHED);
    check_judgement("undoing", "running", "complete", FOLLOW_WAIT);
    check_judgement("undone", "done", "complete", FOLLOW_ENDED);
    check_judgement("cancelled", "done", "expanded", FOLLOW_ENDED);
}

static void problems_are_told_with_place_and_remedy(void **state)
{
    struct reply reply = {.status = 422,
                          .body = json_pack("{s:s, s:s, s:s, s:[{s:s, s:s, s:s, s:s, s:i, s:i}]}",
                                            "type", "urn:schemagate:problem:plan-refused", "title",
                                            "The plan is refused", "detail", "one error",
                                            "findings", "id", "syntax-error", "severity", "error",
                                            "message", "syntax error at \"TABEL\"", "fix",
                                            "write TABLE", "line", 2, "column", 8)};
    struct buf text = BUF_INIT(0);
    (void)state;
    problem_describe(&text, &reply, "7_wrong.sql");
    assert_string_equal(buf_text(&text),
                        "schemagate: 7_wrong.sql: The plan is refused: one error\n"
                        "  7_wrong.sql:2:8: error: syntax error at \"TABEL\" [syntax-error]\n"
                        "    fix: write TABLE\n"
                        "  next: correct the file and submit it again\n");
    buf_free(&text);
    reply_free(&reply);
}

/* Every pair that changes something, by hand; every other pair changes nothing. */
static void the_drain(void **state)
{
    static const struct {
        enum drain_state from;
        enum drain_event event;
        enum drain_state to;
        unsigned actions;
    } expected[] = {
        {DRAIN_NOTHING, DRAIN_STARTED, DRAIN_RUNNING, 0},
        {DRAIN_RUNNING, DRAIN_STOP, DRAIN_STOPPING, DRAIN_ASK_GROUP | DRAIN_ARM_KILL},
        {DRAIN_RUNNING, DRAIN_MAIN_EXITED, DRAIN_STOPPING, DRAIN_ASK_ALL | DRAIN_ARM_KILL},
        {DRAIN_RUNNING, DRAIN_TREE_GONE, DRAIN_GONE, DRAIN_FINISH},
        {DRAIN_STOPPING, DRAIN_STOP, DRAIN_STOPPING, DRAIN_ASK_GROUP},
        {DRAIN_STOPPING, DRAIN_MAIN_EXITED, DRAIN_STOPPING, DRAIN_ASK_ALL},
        {DRAIN_STOPPING, DRAIN_KILL_DUE, DRAIN_KILLING, DRAIN_KILL_ALL},
        {DRAIN_STOPPING, DRAIN_TREE_GONE, DRAIN_GONE, DRAIN_FINISH},
        {DRAIN_KILLING, DRAIN_MAIN_EXITED, DRAIN_KILLING, DRAIN_KILL_ALL},
        {DRAIN_KILLING, DRAIN_REAPED, DRAIN_KILLING, DRAIN_KILL_ALL},
        {DRAIN_KILLING, DRAIN_KILL_DUE, DRAIN_KILLING, DRAIN_KILL_ALL},
        {DRAIN_KILLING, DRAIN_TREE_GONE, DRAIN_GONE, DRAIN_FINISH},
    };
    (void)state;
    for (int from = 0; from < DRAIN_STATES; from++) {
        for (int event = 0; event < DRAIN_EVENTS; event++) {
            enum drain_state to = (enum drain_state)from, reached = to;
            unsigned actions = 0;
            for (size_t n = 0; n < sizeof(expected) / sizeof(expected[0]); n++) {
                if ((int)expected[n].from == from && (int)expected[n].event == event) {
                    to = expected[n].to;
                    actions = expected[n].actions;
                }
            }
            assert_int_equal(drain_step(&reached, (enum drain_event)event), actions);
            assert_int_equal(reached, to);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exit_codes),     cmocka_unit_test(verdicts),
        cmocka_unit_test(ends_of_a_wait), cmocka_unit_test(problems_are_told_with_place_and_remedy),
        cmocka_unit_test(the_drain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
