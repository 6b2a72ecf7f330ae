/* Which statements of a backfill run in batches, what they are cut into, and which may pass twice. */
#include "plan_expect.h"

static struct plan *read_backfill(const char *statements)
{
    char *sql = NULL;
    struct plan *plan;

    assert_true(asprintf(&sql, "-- schemagate: backfill\n%s", statements) > 0);
    plan = plan_read(sql, strlen(sql), NULL);
    free(sql);
    assert_true(plan->statement_count > 0);
    return plan;
}

/* The statement as it runs over a table p with the predicate K. */
static void expect_batch(const char *sql, const char *expected, bool repeats)
{
    struct plan *plan = read_backfill(sql);
    const struct plan_work *work = &plan->statements[0].work;
    char *batch = NULL;

    if (work->kind != WORK_BATCHED)
        print_error("%s: %s\n", sql, plan->finding_count > 0 ? plan->findings[0].message : "no finding");
    assert_int_equal(work->kind, WORK_BATCHED);
    assert_true(asprintf(&batch, "%sp AS %s%s(K)%s", work->batch.head, work->batch.alias, work->batch.body,
                         work->batch.tail) > 0);
    assert_string_equal(batch, expected);
    if (work->batch.repeats != repeats)
        print_error("%s\n", sql);
    assert_int_equal(work->batch.repeats, repeats);
    free(batch);
    plan_free(plan);
}

static void the_text_stays_as_it_was_written(void **state)
{
    (void)state;
    expect_batch("UPDATE t SET a = 1", "UPDATE p AS \"t\" SET a = 1\nWHERE (K)", false);
    expect_batch("UPDATE app.\"T\" AS x SET a = 1 WHERE b OR c -- why\n",
                 "UPDATE p AS \"x\" SET a = 1 WHERE ( b OR c\n) AND (K)", false);
    expect_batch("update /* here */ only (t) x set a = (SELECT s FROM o WHERE o.i = x.i)\n"
                 "where a is null",
                 "update /* here */ p AS \"x\" set a = (SELECT s FROM o WHERE o.i = x.i)\n"
                 "WHERE ( a is null\n) AND (K)",
                 true);
    expect_batch("DELETE FROM t WHERE old", "DELETE FROM p AS \"t\" WHERE ( old\n) AND (K)", true);
    expect_batch("DELETE FROM t", "DELETE FROM p AS \"t\" \nWHERE (K)", false);
    expect_batch("INSERT INTO n (a) SELECT x IS DISTINCT FROM y FROM o WHERE z -- not all\n"
                 "ON CONFLICT DO NOTHING",
                 "INSERT INTO n (a) SELECT x IS DISTINCT FROM y FROM p AS \"o\" "
                 "WHERE ( z -- not all\n\n) AND (K) ON CONFLICT DO NOTHING",
                 false);
    expect_batch("INSERT INTO n (id, a) SELECT o.id, 1 FROM o ON CONFLICT (id) DO NOTHING",
                 "INSERT INTO n (id, a) SELECT o.id, 1 FROM p AS \"o\" \n"
                 "WHERE (K) ON CONFLICT (id) DO NOTHING",
                 true);
}

static void what_is_stored_beside_the_text(void **state)
{
    (void)state;
    struct plan *plan = read_backfill("UPDATE ONLY app.\"my \"\"t\" SET \"a\"\"b\\\" = 1, (c, d) = (2, 3)");
    const struct plan_batch *batch = &plan->statements[0].work.batch;

    assert_string_equal(batch->relation, "\"app\".\"my \"\"t\"");
    assert_string_equal(batch->assigned, "{\"a\\\"b\\\\\",\"c\",\"d\"}");
    assert_true(batch->only);
    assert_false(batch->one_table);
    plan_free(plan);
    plan = read_backfill("INSERT INTO n SELECT * FROM o");
    assert_true(plan->statements[0].work.batch.one_table);
    assert_string_equal(plan->statements[0].work.batch.assigned, "{}");
    plan_free(plan);
}

/* By these a look finds the rows that are left to do. */
static void what_is_left_is_told_by_the_condition(void **state)
{
    static const struct {
        const char *sql, *condition, *into, *conflict, *taken;
    } cases[] = {
        {"UPDATE t SET a = 1 WHERE /* still */ a IS NULL -- yet\n", " /* still */ a IS NULL", NULL, NULL,
         NULL},
        {"DELETE FROM t AS x WHERE x.old", " x.old", NULL, NULL, NULL},
        {"INSERT INTO app.\"N\" (a, \"I\", c) SELECT 1, o.i, d FROM o ON CONFLICT (c, \"I\") DO NOTHING",
         "true", "\"app\".\"N\"", "{\"c\",\"I\"}", "{\"d\",\"i\"}"},
        {"INSERT INTO n (id) SELECT id FROM o WHERE live ON CONFLICT (id) DO NOTHING", " live ", "\"n\"",
         "{\"id\"}", "{\"id\"}"},
        {"INSERT INTO n SELECT a FROM o WHERE b", " b", "\"n\"", NULL, NULL},
    };
    (void)state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct plan *plan = read_backfill(cases[i].sql);
        const struct plan_batch *batch = &plan->statements[0].work.batch;
        const char *pairs[][2] = {{batch->condition, cases[i].condition}, {batch->into, cases[i].into},
                                  {batch->conflict, cases[i].conflict}, {batch->taken, cases[i].taken}};

        for (size_t k = 0; k < sizeof(pairs) / sizeof(pairs[0]); k++) {
            assert_int_equal(pairs[k][0] == NULL, pairs[k][1] == NULL);
            if (pairs[k][0] != NULL)
                assert_string_equal(pairs[k][0], pairs[k][1]);
        }
        plan_free(plan);
    }
}

/* The catalog knows which of them are aggregates, and what they read. */
static void functions_are_named_for_the_catalog(void **state)
{
    static const struct {
        const char *sql, *calls, *wide;
    } cases[] = {
        {"UPDATE t SET a = f(b) || app.\"G\"(c)", "{\"f\",\"app.G\"}", "{\"f\",\"app.G\"}"},
        {"UPDATE t SET a = (SELECT f(a) FROM o)", "{\"f\"}", "{}"},
        {"INSERT INTO n SELECT (SELECT f(o.a)) FROM o", "{\"f\"}", "{\"f\"}"},
        {"INSERT INTO n SELECT (SELECT f(a) FROM p) FROM o", "{\"f\"}", "{\"f\"}"},
        {"INSERT INTO n SELECT (SELECT f(p.a, o.b) FROM p) FROM o", "{\"f\"}", "{}"},
        {"INSERT INTO n SELECT (SELECT sum(p.a) FROM p) FROM o", "{\"sum\"}", "{}"},
        {"INSERT INTO n SELECT (SELECT count(*) FROM p) FROM o", "{\"count\"}", "{}"},
        {"INSERT INTO n SELECT a FROM o WHERE b", "{}", "{}"},
    };
    (void)state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct plan *plan = read_backfill(cases[i].sql);
        const struct plan_batch *batch = &plan->statements[0].work.batch;

        assert_int_equal(plan->statements[0].work.kind, WORK_BATCHED);
        assert_string_equal(batch->calls, cases[i].calls);
        assert_string_equal(batch->wide_calls, cases[i].wide);
        plan_free(plan);
    }
}

static bool is_found(const struct plan *plan, const char *id)
{
    for (size_t i = 0; i < plan->finding_count; i++)
        if (strcmp(plan->findings[i].id, id) == 0)
            return true;
    return false;
}

/* Another pass over all rows must touch none twice, or find them as they were. */
static void only_what_ends_its_own_condition_passes_twice(void **state)
{
    static const char *const twice[] = {
        "UPDATE t SET a = b WHERE a IS NULL",
        "UPDATE t SET a = b, c = d WHERE t.c IS NULL AND e > 3",
        "UPDATE t SET a = lower(b) WHERE a IS DISTINCT FROM lower( b )",
        "UPDATE t SET a = 'new' WHERE a = 'old'",
        "UPDATE t SET a = b WHERE a <> b",
        "UPDATE t SET (a, b) = (SELECT o.x, o.y FROM o WHERE o.id = t.id) WHERE a IS NULL",
    };
    static const char *const once[] = {
        "UPDATE t SET a = b",
        "UPDATE t SET a = a + 1",
        "UPDATE t SET a = b, n = n + 1 WHERE a IS NULL",
        "UPDATE t SET a = b WHERE a IS NULL OR c",
        "UPDATE t SET a = b WHERE c IS NULL",
        "UPDATE t SET a = b WHERE a IS NOT NULL",
        "UPDATE t SET a = 'x' WHERE a = 'x'",
        "UPDATE t SET a = b WHERE a IS DISTINCT FROM c",
        "UPDATE t SET a = f(t) WHERE a IS NULL",
        "UPDATE t SET a = (SELECT a FROM o WHERE o.id = t.id) WHERE a IS NULL", /* whose a? */
        "INSERT INTO n SELECT * FROM o ON CONFLICT DO NOTHING",
        "INSERT INTO n (id, a) SELECT gen_random_uuid(), a FROM o ON CONFLICT (id) DO NOTHING",
        "INSERT INTO n (a) SELECT a FROM o ON CONFLICT (id) DO NOTHING",
        "INSERT INTO n (id) SELECT id FROM o ON CONFLICT (id) WHERE live DO NOTHING",
    };
    (void)state;

    for (size_t i = 0; i < sizeof(twice) / sizeof(twice[0]) + sizeof(once) / sizeof(once[0]); i++) {
        size_t first = sizeof(twice) / sizeof(twice[0]);
        const char *sql = i < first ? twice[i] : once[i - first];
        struct plan *plan = read_backfill(sql);

        if (plan->statements[0].work.batch.repeats != (i < first))
            print_error("%s\n", sql);
        assert_int_equal(plan->statements[0].work.kind, WORK_BATCHED);
        assert_int_equal(plan->statements[0].work.batch.repeats, i < first);
        assert_int_equal(is_found(plan, "not-verified"), i >= first);
        plan_free(plan);
    }
}

static void what_would_mean_something_else_runs_whole(void **state)
{
    static const char *const whole[] = {
        "WITH x AS (SELECT 1) UPDATE t SET a = 1",
        "UPDATE t SET a = o.a FROM o WHERE o.id = t.id",
        "UPDATE t SET a = 1 RETURNING a",
        "UPDATE t SET a = (SELECT count(*) FROM t AS u WHERE u.b < t.b)",
        "UPDATE t SET a = (SELECT max(b) FROM public.t)",
        "UPDATE public.t SET a = public.t.b",
        "UPDATE t SET a = txid_current()",
        "DELETE FROM t USING o WHERE o.id = t.id",
        "DELETE FROM t WHERE EXISTS (SELECT FROM t AS u WHERE u.a = t.a AND u.id < t.id)",
        "INSERT INTO n SELECT DISTINCT a FROM o",
        "INSERT INTO n SELECT a FROM o ORDER BY a",
        "INSERT INTO n SELECT a FROM o LIMIT 10",
        "INSERT INTO n SELECT a, count(*) FROM o GROUP BY a",
        "INSERT INTO n SELECT sum(a) FROM o",
        "INSERT INTO n SELECT (SELECT sum(o.a)) FROM o",
        "INSERT INTO n SELECT (SELECT sum(a) FROM p) FROM o", /* whose a? */
        "INSERT INTO n SELECT row_number() OVER () FROM o",
        "INSERT INTO n SELECT a FROM o UNION SELECT b FROM o",
        "INSERT INTO n SELECT o.a FROM o JOIN p ON p.id = o.id",
        "INSERT INTO n SELECT a FROM o, p",
        "INSERT INTO n SELECT a FROM generate_series(1, 3) AS a",
        "INSERT INTO n SELECT a FROM o WHERE NOT EXISTS (SELECT FROM n WHERE n.a = o.a)",
        "INSERT INTO n SELECT a FROM n",
        "INSERT INTO n (SELECT a FROM o)",
        "INSERT INTO n SELECT a FROM o FOR UPDATE",
        "INSERT INTO n (id) SELECT id FROM o ON CONFLICT (id) DO UPDATE SET a = 1",
    };
    (void)state;

    for (size_t i = 0; i < sizeof(whole) / sizeof(whole[0]); i++) {
        struct plan *plan = read_backfill(whole[i]);

        if (plan->statements[0].work.kind != WORK_STATEMENT || !is_found(plan, "not-batched"))
            print_error("%s\n", whole[i]);
        assert_int_equal(plan->statements[0].work.kind, WORK_STATEMENT);
        assert_true(is_found(plan, "not-batched"));
        plan_free(plan);
    }
}

static void others_are_not_spoken_of(void **state)
{
    (void)state;
    expect_findings("-- schemagate: backfill\nINSERT INTO t VALUES (1);\nANALYZE t;\n", "");
    expect_findings("-- schemagate: expand\nCREATE TABLE t (a int);\nUPDATE t SET a = 1 RETURNING a;\n", "");
    expect_findings("-- schemagate: backfill\nUPDATE t SET a = now();\n",
                    "2:1 clock-of-batches, 2:1 not-verified");
    expect_findings("-- schemagate: backfill\n"
                    "-- schemagate: allow not-batched reason=\"ten rows\"\n"
                    "UPDATE t SET a = 1 RETURNING a;\n",
                    "3:1 not-batched allowed");
}

static void each_is_a_transaction_of_its_own(void **state)
{
    (void)state;
    struct plan *plan = read_backfill("INSERT INTO t VALUES (1);\nINSERT INTO t VALUES (2);\n"
                                      "UPDATE t SET a = 1;\nUPDATE u SET a = 1;\n"
                                      "INSERT INTO t VALUES (3);\n");
    static const unsigned transactions[] = {1, 1, 2, 3, 4};

    for (size_t i = 0; i < 5; i++)
        assert_int_equal(plan->statements[i].transaction, transactions[i]);
    plan_free(plan);
}

/* SET, LOCK, a temporary table: what they say holds for the transaction that they share. */
static void what_is_bound_to_others_stays_with_them(void **state)
{
    (void)state;
    struct plan *plan = read_backfill("SET work_mem = '1GB';\nUPDATE t SET a = 1;\n");

    assert_int_equal(plan->statements[1].work.kind, WORK_STATEMENT);
    assert_int_equal(plan->statements[1].transaction, 1);
    plan_free(plan);
    expect_findings("-- schemagate: backfill\nCREATE TEMP TABLE x AS SELECT 1;\nUPDATE t SET a = 1;\n",
                    "3:1 not-batched");
    expect_findings("-- schemagate: backfill atomic=no\nANALYZE t;\nUPDATE t SET a = 1;\n",
                    "3:1 not-verified");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_text_stays_as_it_was_written),
        cmocka_unit_test(what_is_stored_beside_the_text),
        cmocka_unit_test(what_is_left_is_told_by_the_condition),
        cmocka_unit_test(functions_are_named_for_the_catalog),
        cmocka_unit_test(only_what_ends_its_own_condition_passes_twice),
        cmocka_unit_test(what_would_mean_something_else_runs_whole),
        cmocka_unit_test(others_are_not_spoken_of),
        cmocka_unit_test(each_is_a_transaction_of_its_own),
        cmocka_unit_test(what_is_bound_to_others_stays_with_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
