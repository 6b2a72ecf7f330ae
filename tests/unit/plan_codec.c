/* How plans cross from the planner's worker to the daemon: whole, or not at all. */
#include "../../daemon/service/planner_codec.h"

#include <schemagate/base/buf.h>
#include <schemagate/plan/plan.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* A plan with statements, locks, drops, a batch, findings and needs. */
static const char everything[] = "-- schemagate: migration name=all soak_seconds=90\n"
                                 "-- schemagate: expand\n"
                                 "ALTER TABLE public.t ADD COLUMN n int;\n"
                                 "CREATE INDEX i ON t (n);\n"
                                 "-- schemagate: backfill\n"
                                 "UPDATE t SET n = 1 WHERE n IS NULL;\n"
                                 "-- schemagate: contract\n"
                                 "ALTER TABLE t DROP COLUMN o;\n";

static struct buf encoded(void)
{
    struct plan *plan = plan_read(everything, strlen(everything), NULL);
    struct buf bytes = BUF_INIT(0);

    assert_true(plan->statement_count > 0 && plan->finding_count > 0 && plan->need_count > 0);
    planner_encode(plan, &bytes);
    plan_free(plan);
    return bytes;
}

static void what_comes_out_is_what_went_in(void **state)
{
    struct buf bytes = encoded(), again = BUF_INIT(0);
    struct plan *plan = planner_decode(bytes.data, bytes.length);

    (void)state;
    assert_non_null(plan);
    assert_string_equal(plan->name, "all");
    assert_int_equal(plan->soak_seconds, 90);
    assert_int_equal(plan->requires, -1);
    assert_non_null(plan->findings[0].why);
    planner_encode(plan, &again);
    assert_int_equal(bytes.length, again.length);
    assert_memory_equal(bytes.data, again.data, bytes.length);
    plan_free(plan);
    buf_free(&bytes);
    buf_free(&again);
}

static void a_part_of_a_plan_is_none(void **state)
{
    struct buf bytes = encoded();

    (void)state;
    for (size_t length = 0; length < bytes.length; length++)
        assert_null(planner_decode(bytes.data, length));
    buf_append(&bytes, "", 1);
    assert_null(planner_decode(bytes.data, bytes.length));
    buf_free(&bytes);
}

/* The daemon goes on with what it decodes, whatever has become of the worker. */
static void any_byte_may_be_wrong(void **state)
{
    struct buf bytes = encoded();

    (void)state;
    for (size_t i = 0; i < bytes.length; i++) {
        const char was = bytes.data[i];

        for (int bit = 0; bit < 8; bit++) {
            bytes.data[i] = (char)(was ^ 1 << bit);

            struct plan *plan = planner_decode(bytes.data, bytes.length);

            for (size_t k = 0; plan != NULL && k < plan->statement_count; k++)
                assert_non_null(plan->statements[k].sql);
            for (size_t k = 0; plan != NULL && k < plan->finding_count; k++)
                assert_non_null(plan->findings[k].id);
            plan_free(plan);
        }
        bytes.data[i] = was;
    }
    buf_free(&bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_comes_out_is_what_went_in),
        cmocka_unit_test(a_part_of_a_plan_is_none),
        cmocka_unit_test(any_byte_may_be_wrong),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
