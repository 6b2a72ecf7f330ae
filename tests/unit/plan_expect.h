/* Expectations about what plan_read finds, in one line: "3:5 syntax-error, 4:1 own-schema". */
#ifndef TESTS_UNIT_PLAN_EXPECT_H
#define TESTS_UNIT_PLAN_EXPECT_H

#include <schemagate/plan/plan.h>
#include <schemagate/plan/rule.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Every finding can be understood and acted on. */
static inline void expect_helpful(const struct plan_finding *finding)
{
    assert_non_null(plan_rule_find(finding->id));
    assert_true(strlen(finding->message) > 10);
    assert_true(strlen(finding->fix) > 10);
}

static inline void expect_findings_of(const char *sql, size_t length, const char *expected)
{
    struct plan *plan = plan_read(sql, length, NULL);
    char found[4096] = "";
    size_t used = 0;

    for (size_t i = 0; i < plan->finding_count && used < sizeof(found); i++) {
        const struct plan_finding *finding = &plan->findings[i];

        expect_helpful(finding);
        used += (size_t)snprintf(found + used, sizeof(found) - used, "%s%u:%u %s%s",
                                 i == 0 ? "" : ", ", finding->line, finding->column, finding->id,
                                 finding->allowed ? " allowed" : "");
    }
    if (strcmp(found, expected) != 0)
        print_error("in: %.300s\n", sql);
    assert_string_equal(found, expected);
    plan_free(plan);
}

static inline void expect_findings(const char *sql, const char *expected)
{
    expect_findings_of(sql, strlen(sql), expected);
}

/* The same for statements of an expand section, whose marker is line 1. */
static inline void expect_in_section(const char *statements, const char *expected)
{
    char *sql = NULL;

    assert_true(asprintf(&sql, "-- schemagate: expand\n%s", statements) > 0);
    expect_findings(sql, expected);
    free(sql);
}

/* The rule says nothing about them, whatever others do. */
static inline void expect_no(const char *id, const char *statements)
{
    struct plan *plan;
    char *sql = NULL;

    assert_true(asprintf(&sql, "-- schemagate: expand\n%s", statements) > 0);
    plan = plan_read(sql, strlen(sql), NULL);
    for (size_t i = 0; i < plan->finding_count; i++)
        if (strcmp(plan->findings[i].id, id) == 0)
            fail_msg("%s in: %s", id, statements);
    plan_free(plan);
    free(sql);
}

#endif
