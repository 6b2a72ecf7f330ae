/* A migration tool's own record is taken back with the migration: so the tool and the database agree.
 * Only what tools write is understood: INSERT of one row of constants, and UPDATE of one column from
 * constant to constant. */
#include "allocate.h"
#include "split.h"

#include <stdlib.h>
#include <string.h>

/* The text of a constant, or NULL. Owned by the caller. */
static char *constant(const PgQuery__Node *node)
{
    if (node == NULL || node->node_case != PG_QUERY__NODE__NODE_A_CONST || node->a_const->isnull)
        return NULL;
    if (node->a_const->val_case == PG_QUERY__A__CONST__VAL_SVAL)
        return emit_string(node->a_const->sval->sval);
    if (node->a_const->val_case == PG_QUERY__A__CONST__VAL_IVAL)
        return allocate_text("%d", node->a_const->ival->ival);
    return NULL;
}

static const PgQuery__Node *compared_with(const PgQuery__Node *where, const char *column)
{
    const PgQuery__AExpr *equal;
    const PgQuery__ColumnRef *reference;

    if (where == NULL || where->node_case != PG_QUERY__NODE__NODE_A_EXPR)
        return NULL;
    equal = where->a_expr;
    if (equal->kind != PG_QUERY__A__EXPR__KIND__AEXPR_OP || equal->n_name != 1
        || strcmp(node_string(equal->name[0]), "=") != 0
        || equal->lexpr->node_case != PG_QUERY__NODE__NODE_COLUMN_REF)
        return NULL;
    reference = equal->lexpr->column_ref;
    if (node_string(reference->fields[reference->n_fields - 1]) == NULL
        || strcmp(node_string(reference->fields[reference->n_fields - 1]), column) != 0)
        return NULL;
    return equal->rexpr;
}

static bool undo_update(struct place *place, const PgQuery__UpdateStmt *update)
{
    const char *column = update->n_target_list == 1 ? update->target_list[0]->res_target->name : NULL;
    char *from, *to, *table, *quoted;

    if (column == NULL)
        return false;
    from = constant(compared_with(update->where_clause, column));
    to = constant(update->target_list[0]->res_target->val);
    table = form_table(place);
    quoted = emit_name(column);
    if (from != NULL && to != NULL)
        undo_add(place, "UPDATE %s SET %s = %s WHERE %s = %s", table, quoted, from, quoted, to);
    free(table);
    free(quoted);
    column = from != NULL && to != NULL ? column : NULL;
    free(from);
    free(to);
    return column != NULL;
}

/* "a = 1 AND b = 'x'", or NULL. Owned by the caller. */
static char *row_condition(const PgQuery__InsertStmt *insert, const PgQuery__List *row)
{
    char *condition = NULL;

    for (size_t i = 0; i < row->n_items && i < insert->n_cols; i++) {
        char *value = constant(row->items[i]), *column, *longer;

        if (value == NULL) {
            free(condition);
            return NULL;
        }
        column = emit_name(insert->cols[i]->res_target->name);
        longer = condition == NULL ? allocate_text("%s = %s", column, value)
                                   : allocate_text("%s AND %s = %s", condition, column, value);
        free(condition);
        free(column);
        free(value);
        condition = longer;
    }
    return condition;
}

static bool undo_insert(struct place *place, const PgQuery__InsertStmt *insert)
{
    const PgQuery__SelectStmt *select = insert->select_stmt == NULL ? NULL : insert->select_stmt->select_stmt;
    char *condition, *table;

    if (select == NULL || select->n_values_lists != 1 || insert->n_cols == 0
        || select->values_lists[0]->node_case != PG_QUERY__NODE__NODE_LIST
        || select->values_lists[0]->list->n_items != insert->n_cols)
        return false;
    condition = row_condition(insert, select->values_lists[0]->list);
    if (condition == NULL)
        return false;
    table = form_table(place);
    undo_add(place, "DELETE FROM %s WHERE %s", table, condition);
    free(table);
    free(condition);
    return true;
}

bool undo_record(struct place *place)
{
    const PgQuery__Node *node = place->operation->node;

    if (node->node_case == PG_QUERY__NODE__NODE_UPDATE_STMT)
        return undo_update(place, node->update_stmt);
    return node->node_case == PG_QUERY__NODE__NODE_INSERT_STMT && undo_insert(place, node->insert_stmt);
}
