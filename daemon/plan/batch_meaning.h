/* What a statement that changes rows says, as far as running it in batches asks for it. */
#ifndef PLAN_BATCH_MEANING_H
#define PLAN_BATCH_MEANING_H

#include <pg_query/pg_query.pb-c.h>

#include <stdbool.h>
#include <stddef.h>

struct batch_meaning {
    const PgQuery__RangeVar *relation; /* whose rows are gone through; NULL: no single table */
    const PgQuery__RangeVar *written;  /* that it writes */
    const PgQuery__Node *where;        /* or NULL */
    const PgQuery__UpdateStmt *update; /* the one that it is; the others are NULL */
    const PgQuery__DeleteStmt *delete;
    const PgQuery__InsertStmt *insert;
    const PgQuery__SelectStmt *select; /* of the INSERT */
};

/* False for other statements. */
bool batch_meaning_read(const PgQuery__Node *node, struct batch_meaning *meaning);

/* Why it would mean something else in batches, or NULL. */
const char *batch_meaning_forbids(const struct batch_meaning *meaning);

/* What in it tells a time that is the same in all of a transaction; NULL: nothing. */
const char *batch_meaning_clock(const struct batch_meaning *meaning);

/* Run once more over all rows, it changes none that it has changed before, or makes the same of it
 * (batch_repeats.c). */
bool batch_meaning_repeats(const struct batch_meaning *meaning);

/* Of an INSERT that repeats: the columns of its conflict, and those of the table that it reads which they are
 * taken from, in the same order. As text_array.h writes them, owned by the caller. */
void batch_meaning_conflict(const struct batch_meaning *meaning, char **columns, char **taken);

/* It names whole rows (t.*, or t as a value). */
bool batch_meaning_takes_rows(const struct batch_meaning *meaning);

/* The functions that it calls: `wide`, those whose result would be made of rows of several batches if they
 * were aggregates, which the catalog knows; `calls`, all. As text_array.h writes them, owned by the
 * caller. */
void batch_meaning_calls(const struct batch_meaning *meaning, char **calls, char **wide);

/* The table's name in the statement. */
const char *batch_meaning_alias(const struct batch_meaning *meaning);

#endif
