/* A backfill goes in batches where it can, and says where it cannot. */
#include "backfill.h"

#include "allocate.h"
#include "batch.h"
#include "emit.h"

#include <stdlib.h>

bool backfill_binds(const PgQuery__Node *node)
{
    return node->node_case != PG_QUERY__NODE__NODE_UPDATE_STMT
           && node->node_case != PG_QUERY__NODE__NODE_DELETE_STMT
           && node->node_case != PG_QUERY__NODE__NODE_INSERT_STMT;
}

static bool read_batches(struct statement *statement, bool is_bound, struct plan_batch *batch)
{
    char *sql = allocate_copy(statement->reader->text.bytes + statement->start,
                              statement->end - statement->start);
    struct batch_verdict verdict = batch_cut(sql, statement->node, batch);

    free(sql);
    if (verdict.applies && verdict.why == NULL && is_bound)
        verdict.why = "what stands before it holds for its transaction, too";
    if (verdict.why != NULL)
        statement_report(statement, RULE_NOT_BATCHED, NULL, "it runs as one statement: %s", verdict.why);
    else if (verdict.clock != NULL)
        statement_report(statement, RULE_CLOCK_OF_BATCHES, verdict.clock,
                         "each batch has its own value of %s", verdict.clock);
    return verdict.applies && verdict.why == NULL;
}

bool backfill_emit(struct statement *statement, bool is_bound)
{
    struct plan_work work = {0};
    struct plan_statement *added;

    if (!read_batches(statement, is_bound, &work.batch)) {
        plan_work_release(&work);
        return false;
    }
    added = emit_as_written(statement, PLAN_BACKFILL, EMIT_SEPARATE);
    added->work.kind = WORK_BATCHED;
    added->work.batch = work.batch;
    return true;
}
