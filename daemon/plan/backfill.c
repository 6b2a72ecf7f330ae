/* A backfill goes in batches where it can, and says where it cannot. */
#include "backfill.h"

#include "allocate.h"
#include "batch.h"
#include "emit.h"
#include "tree.h"

#include <stdlib.h>

bool backfill_binds(const PgQuery__Node *node)
{
    return node->node_case != PG_QUERY__NODE__NODE_UPDATE_STMT
           && node->node_case != PG_QUERY__NODE__NODE_DELETE_STMT
           && node->node_case != PG_QUERY__NODE__NODE_INSERT_STMT;
}

/* False: it runs as it stands, and `batch` is not filled. */
static bool read_batches(struct statement *statement, const char *sql, const PgQuery__Node *node,
                         bool is_bound, struct plan_batch *batch)
{
    struct plan_work work = {0};
    struct batch_verdict verdict = batch_cut(sql, node, &work.batch);

    if (verdict.applies && verdict.why == NULL && is_bound)
        verdict.why = "what stands before it holds for its transaction, too";
    if (verdict.why != NULL)
        statement_report(statement, RULE_NOT_BATCHED, NULL, "it runs as one statement: %s", verdict.why);
    if (verdict.why == NULL && verdict.clock != NULL)
        statement_report(statement, RULE_CLOCK_OF_BATCHES, verdict.clock,
                         "each batch has its own value of %s", verdict.clock);
    if (verdict.applies && verdict.why == NULL && !work.batch.repeats)
        statement_report(statement, RULE_NOT_VERIFIED, NULL,
                         "nothing tells which of its rows are done: each is met once, by its key");
    if (!verdict.applies || verdict.why != NULL) {
        plan_work_release(&work);
        return false;
    }
    *batch = work.batch;
    return true;
}

bool backfill_emit(struct statement *statement, bool is_bound)
{
    char *sql = allocate_copy(statement->reader->text.bytes + statement->start,
                              statement->end - statement->start);
    struct plan_statement *added;
    struct plan_batch batch;
    bool batched = read_batches(statement, sql, statement->node, is_bound, &batch);

    free(sql);
    if (!batched)
        return false;
    added = emit_as_written(statement, PLAN_BACKFILL, EMIT_SEPARATE);
    added->work.kind = WORK_BATCHED;
    added->work.batch = batch;
    return true;
}

static void tell_batches(struct plan_work *work)
{
    char *note = work->note;

    work->kind = WORK_BATCHED;
    work->note = allocate_text("%s%sIt runs in batches.", note == NULL ? "" : note, note == NULL ? "" : " ");
    free(note);
}

void backfill_take(struct statement *statement, struct plan_statement *added)
{
    PgQuery__ParseResult *tree = tree_parse(added->sql);

    if (tree != NULL && tree->n_stmts == 1
        && read_batches(statement, added->sql, tree->stmts[0]->stmt, emit_has_settings(statement->reader),
                        &added->work.batch))
        tell_batches(&added->work);
    pg_query__parse_result__free_unpacked(tree, NULL);
}
