/* Statements outside of transactions that leave something half done behind when they are interrupted: what
 * they are at work on, so that the next attempt finds it. */
#include "allocate.h"
#include "emit.h"

#include <stdlib.h>

/* A column in parentheses is one all the same. */
static const char *column_of(const PgQuery__IndexElem *element)
{
    const PgQuery__Node *expression = element->expr;
    const PgQuery__ColumnRef *reference;

    if (expression == NULL)
        return element->name;
    if (expression->node_case != PG_QUERY__NODE__NODE_COLUMN_REF)
        return "*";
    reference = expression->column_ref;
    return node_string(reference->fields[reference->n_fields - 1]);
}

/* Owned by the caller. */
static char *columns_of(PgQuery__Node *const *elements, size_t count)
{
    char *columns = allocate_text("%s", "");

    for (size_t i = 0; i < count; i++) {
        char *more = allocate_text("%s%s%s", columns, i > 0 ? ", " : "", column_of(elements[i]->index_elem));
        free(columns);
        columns = more;
    }
    return columns;
}

/* As schemagate.index_shape (db/sql/functions/online.sql) reads it from the catalog. */
static char *shape_of(const PgQuery__IndexStmt *index)
{
    char *keys = columns_of(index->index_params, index->n_index_params);
    char *included = columns_of(index->index_including_params, index->n_index_including_params);
    bool includes = index->n_index_including_params > 0;
    char *shape = allocate_text("%s%s (%s)%s%s%s%s", index->unique ? "unique " : "", index->access_method,
                                keys, includes ? " include (" : "", included, includes ? ")" : "",
                                index->where_clause != NULL ? " where" : "");

    free(keys);
    free(included);
    return shape;
}

static void note_build(struct plan_work *work, const PgQuery__Node *node)
{
    const PgQuery__IndexStmt *index = node->index_stmt;

    if (!index->concurrent || index->idxname == NULL || index->idxname[0] == '\0')
        return;
    work->kind = WORK_INDEX;
    work->object = emit_qualified(index->relation->schemaname, index->idxname);
    work->shape = shape_of(index);
}

static void note_drop(struct plan_work *work, const PgQuery__Node *node)
{
    const PgQuery__DropStmt *drop = node->drop_stmt;

    if (!drop->concurrent || drop->n_objects != 1)
        return;
    work->kind = WORK_INDEX_DROP;
    work->object = name_of_list(drop->objects[0]->list->items, drop->objects[0]->list->n_items);
}

static void note_rebuild(struct plan_work *work, const PgQuery__Node *node)
{
    const PgQuery__ReindexStmt *reindex = node->reindex_stmt;

    if (!node_option_is_on(reindex->params, reindex->n_params, "concurrently", false) ||
        reindex->relation == NULL)
        return;
    work->kind = WORK_REINDEX;
    work->object = emit_qualified(reindex->relation->schemaname, reindex->relation->relname);
}

static void note_detach(struct plan_work *work, const PgQuery__Node *node)
{
    const PgQuery__AlterTableStmt *alter = node->alter_table_stmt;
    const PgQuery__AlterTableCmd *command = alter->cmds[0]->alter_table_cmd;

    if (command->subtype != PG_QUERY__ALTER_TABLE_TYPE__AT_DetachPartition ||
        !command->def->partition_cmd->concurrent)
        return;
    work->kind = WORK_DETACH;
    work->object = emit_qualified(command->def->partition_cmd->name->schemaname,
                                  command->def->partition_cmd->name->relname);
}

static const struct {
    PgQuery__Node__NodeCase kind;
    void (*note)(struct plan_work *work, const PgQuery__Node *node);
} notes[] = {
    {PG_QUERY__NODE__NODE_INDEX_STMT, note_build},
    {PG_QUERY__NODE__NODE_DROP_STMT, note_drop},
    {PG_QUERY__NODE__NODE_REINDEX_STMT, note_rebuild},
    {PG_QUERY__NODE__NODE_ALTER_TABLE_STMT, note_detach},
};

void statement_work(const struct catalog *catalog, const PgQuery__Node *node, struct plan_work *work)
{
    for (size_t i = 0; i < sizeof(notes) / sizeof(notes[0]) && work->object == NULL; i++)
        if (notes[i].kind == node->node_case)
            notes[i].note(work, node);
    if (work->lock_count == 0)
        statement_locks(catalog, node, work);
}
