/* Whether a statement that somebody runs uses what a contract takes away (docs/design.md §4, in-use). Its
 * text comes from pg_stat_statements: values stand in it as $1. */
#ifndef SCHEMAGATE_PLAN_USES_H
#define SCHEMAGATE_PLAN_USES_H

#include <schemagate/plan/work.h>

#include <stddef.h>

/* From the least to the most certain. */
enum plan_use {
    USE_NONE,
    USE_UNREAD, /* it cannot be read, and its text contains the names */
    USE_WHOLE, /* it takes a table that loses a column as a whole: SELECT *, a row, INSERT without columns */
    USE_NAMED, /* it names the column together with its table, or the table */
    PLAN_USES
};

struct plan_used {
    enum plan_use use;
    size_t drop; /* which of the drops; 0 for USE_NONE */
};

/* Statements, and what they may use. */
struct plan_question {
    const struct plan_drop *drops;
    size_t drop_count;
    const char *const *texts;
    size_t text_count;
};

/* The most certain use of any of the drops. Runs the parser: in the planner's worker process only. A table
 * that is written without a schema, here or there, may be the one. What views and functions do is not looked
 * into. */
struct plan_used plan_uses(const char *sql, const struct plan_drop *drops, size_t count);

/* The same by the text alone, without a parser: USE_UNREAD where it contains the names of a drop in any case,
 * as part of whatever word. For statements that cannot be read: doubt keeps a gate closed. */
struct plan_used plan_mentions(const char *sql, const struct plan_drop *drops, size_t count);

#endif
