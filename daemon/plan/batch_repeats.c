/* What a further pass of the statement over all rows would do. */
#include "batch_meaning.h"

#include "equal.h"
#include "statement.h"
#include "text_array.h"
#include "tree.h"

#include <string.h>

static const PgQuery__ResTarget *target_named(PgQuery__Node *const *targets, size_t count,
                                              const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(targets[i]->res_target->name, name) == 0)
            return targets[i]->res_target;
    return NULL;
}

/* The name of the column of our own table that the expression is; NULL: it is something else. */
static const char *own_column(const struct batch_meaning *meaning, const PgQuery__Node *node)
{
    const PgQuery__ColumnRef *column;

    if (node == NULL || node->node_case != PG_QUERY__NODE__NODE_COLUMN_REF)
        return NULL;
    column = node->column_ref;
    if (column->n_fields == 2
        && strcmp(node_string(column->fields[0]), batch_meaning_alias(meaning)) != 0)
        return NULL;
    return column->n_fields <= 2 ? node_string(column->fields[column->n_fields - 1]) : NULL;
}

struct reading {
    const struct batch_meaning *meaning;
    bool itself; /* a value that it sets is made of one that it sets */
};

static bool visit_reading(void *context, const ProtobufCMessage *message)
{
    struct reading *reading = context;
    const PgQuery__UpdateStmt *update = reading->meaning->update;
    const PgQuery__ColumnRef *column = (const PgQuery__ColumnRef *)message;
    const char *name;

    if (message->descriptor != &pg_query__column_ref__descriptor)
        return true;
    name = node_string(column->fields[column->n_fields - 1]);
    if (column->n_fields == 2 && name != NULL
        && strcmp(node_string(column->fields[0]), batch_meaning_alias(reading->meaning)) != 0)
        return false; /* another table's */
    if (name == NULL || strcmp(name, batch_meaning_alias(reading->meaning)) == 0
        || target_named(update->target_list, update->n_target_list, name) != NULL)
        reading->itself = true;
    return false;
}

static bool reads_what_it_sets(const struct batch_meaning *meaning)
{
    struct reading reading = {.meaning = meaning};
    const struct tree_visitor visitor = {.message = visit_reading, .context = &reading};

    for (size_t i = 0; i < meaning->update->n_target_list; i++)
        tree_walk(&meaning->update->target_list[i]->base, &visitor);
    return reading.itself;
}

static bool is_constant(const PgQuery__Node *node)
{
    return node->node_case == PG_QUERY__NODE__NODE_A_CONST;
}

/* The value that the UPDATE sets the column to; NULL: it does not set it. */
static const PgQuery__Node *value_of(const struct batch_meaning *meaning, const PgQuery__Node *column)
{
    const char *name = own_column(meaning, column);
    const PgQuery__ResTarget *target =
        name == NULL ? NULL
                     : target_named(meaning->update->target_list, meaning->update->n_target_list, name);

    return target == NULL || target->n_indirection > 0 ? NULL : target->val;
}

static bool expression_ends(const struct batch_meaning *meaning, const PgQuery__AExpr *expression)
{
    const PgQuery__Node *value =
        expression->lexpr == NULL ? NULL : value_of(meaning, expression->lexpr);
    const char *operator = expression->n_name == 1 ? node_string(expression->name[0]) : NULL;
    bool equal;

    if (value == NULL || expression->rexpr == NULL || operator == NULL)
        return false;
    equal = tree_equal(&value->base, &expression->rexpr->base);
    if (expression->kind == PG_QUERY__A__EXPR__KIND__AEXPR_DISTINCT)
        return equal;
    if (expression->kind != PG_QUERY__A__EXPR__KIND__AEXPR_OP)
        return false;
    return (strcmp(operator, "<>") == 0 && equal)
           || (strcmp(operator, "=") == 0 && !equal && is_constant(value)
               && is_constant(expression->rexpr));
}

/* The condition, or one that it needs besides others, is false once a row has been changed. */
static bool condition_ends(const struct batch_meaning *meaning, const PgQuery__Node *condition)
{
    if (condition == NULL)
        return false;
    if (condition->node_case == PG_QUERY__NODE__NODE_BOOL_EXPR
        && condition->bool_expr->boolop == PG_QUERY__BOOL_EXPR_TYPE__AND_EXPR) {
        for (size_t i = 0; i < condition->bool_expr->n_args; i++)
            if (condition_ends(meaning, condition->bool_expr->args[i]))
                return true;
        return false;
    }
    if (condition->node_case == PG_QUERY__NODE__NODE_NULL_TEST)
        return condition->null_test->nulltesttype == PG_QUERY__NULL_TEST_TYPE__IS_NULL
               && value_of(meaning, condition->null_test->arg) != NULL;
    return condition->node_case == PG_QUERY__NODE__NODE_A_EXPR
           && expression_ends(meaning, condition->a_expr);
}

/* The column of the table that is read which an INSERT writes to the column `name`; NULL: something else. */
static const char *source_of(const struct batch_meaning *meaning, const char *name)
{
    const PgQuery__InsertStmt *insert = meaning->insert;

    for (size_t i = 0; i < insert->n_cols; i++)
        if (strcmp(insert->cols[i]->res_target->name, name) == 0)
            return own_column(meaning, meaning->select->target_list[i]->res_target->val);
    return NULL;
}

/* Whatever is in the way of the second try is what the first one put there: each column of the conflict's
 * index is taken from the row that is read. */
static bool conflicts_with_itself(const struct batch_meaning *meaning)
{
    const PgQuery__InsertStmt *insert = meaning->insert;
    const PgQuery__SelectStmt *select = meaning->select;
    const PgQuery__InferClause *infer =
        insert->on_conflict_clause == NULL ? NULL : insert->on_conflict_clause->infer;

    if (infer == NULL || infer->n_index_elems == 0 || infer->where_clause != NULL
        || insert->n_cols != select->n_target_list)
        return false;
    for (size_t i = 0; i < infer->n_index_elems; i++)
        if (source_of(meaning, infer->index_elems[i]->index_elem->name) == NULL)
            return false;
    return true;
}

void batch_meaning_conflict(const struct batch_meaning *meaning, char **columns, char **taken)
{
    const PgQuery__InferClause *infer = meaning->insert->on_conflict_clause->infer;
    char *names = NULL, *sources = NULL;

    for (size_t i = 0; i < infer->n_index_elems; i++) {
        const char *name = infer->index_elems[i]->index_elem->name;

        names = text_array_add(names, name);
        sources = text_array_add(sources, source_of(meaning, name));
    }
    *columns = text_array_end(names);
    *taken = text_array_end(sources);
}

bool batch_meaning_repeats(const struct batch_meaning *meaning)
{
    if (meaning->delete != NULL)
        return meaning->where != NULL;
    if (meaning->insert != NULL)
        return conflicts_with_itself(meaning);
    return condition_ends(meaning, meaning->where) && !reads_what_it_sets(meaning);
}
