/* The tables and columns that a statement takes away. Dropped and renamed alike: the name is gone. */
#include "dropped.h"

#include "allocate.h"
#include "statement.h"
#include "tree.h"

#include <stdlib.h>
#include <string.h>

void plan_note_drop(struct plan_work *work, const char *schema, const char *table, const char *column)
{
    work->drops = allocate_one_more(work->drops, work->drop_count, sizeof(*work->drops));
    work->drops[work->drop_count++] = (struct plan_drop){
        .schema = schema != NULL && *schema != '\0' ? allocate_text("%s", schema) : NULL,
        .table = allocate_text("%s", table),
        .column = column != NULL ? allocate_text("%s", column) : NULL,
    };
}

/* Each of these returns whether what it has noted is all that the statement does. */

static bool note_drop(const PgQuery__DropStmt *drop, struct plan_work *work)
{
    bool relations = drop->remove_type == PG_QUERY__OBJECT_TYPE__OBJECT_TABLE
                     || drop->remove_type == PG_QUERY__OBJECT_TYPE__OBJECT_FOREIGN_TABLE
                     || drop->remove_type == PG_QUERY__OBJECT_TYPE__OBJECT_VIEW
                     || drop->remove_type == PG_QUERY__OBJECT_TYPE__OBJECT_MATVIEW;

    for (size_t i = 0; relations && i < drop->n_objects; i++) {
        const PgQuery__List *name = drop->objects[i]->list;
        size_t last = name->n_items - 1;

        plan_note_drop(work, last > 0 ? node_string(name->items[last - 1]) : NULL,
                       node_string(name->items[last]), NULL);
    }
    return relations && drop->behavior != PG_QUERY__DROP_BEHAVIOR__DROP_CASCADE;
}

static bool note_alter(const PgQuery__AlterTableStmt *alter, struct plan_work *work)
{
    bool all = alter->objtype == PG_QUERY__OBJECT_TYPE__OBJECT_TABLE
               || alter->objtype == PG_QUERY__OBJECT_TYPE__OBJECT_FOREIGN_TABLE;

    for (size_t i = 0; i < alter->n_cmds; i++) {
        const PgQuery__AlterTableCmd *command = alter->cmds[i]->alter_table_cmd;
        bool drops = command->subtype == PG_QUERY__ALTER_TABLE_TYPE__AT_DropColumn;

        if (drops)
            plan_note_drop(work, alter->relation->schemaname, alter->relation->relname, command->name);
        all &= drops && command->behavior != PG_QUERY__DROP_BEHAVIOR__DROP_CASCADE;
    }
    return all;
}

static bool note_rename(const PgQuery__RenameStmt *rename, struct plan_work *work)
{
    bool column = rename->rename_type == PG_QUERY__OBJECT_TYPE__OBJECT_COLUMN;
    bool table = rename->rename_type == PG_QUERY__OBJECT_TYPE__OBJECT_TABLE
                 || rename->rename_type == PG_QUERY__OBJECT_TYPE__OBJECT_VIEW;

    if ((column || table) && rename->relation != NULL)
        plan_note_drop(work, rename->relation->schemaname, rename->relation->relname,
                       column ? rename->subname : NULL);
    return (column || table) && rename->relation != NULL;
}

static bool note(const PgQuery__Node *node, struct plan_work *work)
{
    switch (node->node_case) {
    case PG_QUERY__NODE__NODE_DROP_STMT:
        return note_drop(node->drop_stmt, work);
    case PG_QUERY__NODE__NODE_ALTER_TABLE_STMT:
        return note_alter(node->alter_table_stmt, work);
    case PG_QUERY__NODE__NODE_RENAME_STMT:
        return note_rename(node->rename_stmt, work);
    default:
        return false;
    }
}

static void note_statement(struct plan_statement *statement)
{
    PgQuery__ParseResult *tree = tree_parse(statement->sql);

    if (tree != NULL && tree->n_stmts == 1)
        statement->work.only_drops = note(tree->stmts[0]->stmt, &statement->work);
    pg_query__parse_result__free_unpacked(tree, NULL);
}

void plan_note_drops(struct plan *plan)
{
    for (size_t i = 0; i < plan->statement_count; i++)
        if (plan->statements[i].section == PLAN_CONTRACT)
            note_statement(&plan->statements[i]);
}
