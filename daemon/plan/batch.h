/* Cutting a statement into pieces that run in batches (plan/work.h). */
#ifndef PLAN_BATCH_H
#define PLAN_BATCH_H

#include <schemagate/plan/work.h>

#include <pg_query/pg_query.pb-c.h>

/* What cutting it up makes of a statement. */
struct batch_verdict {
    bool applies;       /* it is an UPDATE, a DELETE or an INSERT … SELECT: else nothing is to be said */
    const char *why;    /* static: why it has to run whole; NULL: it can run in batches */
    const char *clock;  /* static or NULL: what tells a time, which is then one for each batch */
};

/* `sql`: the text of the statement alone, of which `node` is the tree. Fills `batch` where it can run in
 * batches. */
struct batch_verdict batch_cut(const char *sql, const PgQuery__Node *node, struct plan_batch *batch);

#endif
