/* A view whose column gets another name below it: the view goes on showing it under the old one. Done where
 * every column's table can be told from the text: a single SELECT from tables that are joined ON. */
#include "coexist.h"

#include "allocate.h"
#include "tree.h"

#include <stdlib.h>
#include <string.h>

/* A table in its FROM. */
struct relation {
    const char *alias; /* of the tree */
    const struct catalog_table *table; /* one whose columns have other names; NULL: another one */
};

struct view {
    const struct redefine_column *columns;
    size_t column_count;
    struct relation *relations; /* owned */
    size_t relation_count;
    bool fails;
};

/* ---- FROM ---- */

static const struct catalog_table *find_table(const struct view *view, const char *name)
{
    for (size_t i = 0; i < view->column_count; i++)
        if (coexist_is_table(view->columns[i].table, name))
            return view->columns[i].table;
    return NULL;
}

static void take_relation(struct view *view, const PgQuery__RangeVar *relation)
{
    const char *schema = *relation->schemaname == '\0' ? NULL : relation->schemaname;
    char *name = emit_qualified(schema, relation->relname);
    struct relation taken = {relation->relname, find_table(view, name)};

    if (relation->alias != NULL)
        taken.alias = relation->alias->aliasname;
    view->fails = view->fails || !relation->inh
                  || (relation->alias != NULL && relation->alias->n_colnames > 0);
    view->relations =
        allocate_one_more(view->relations, view->relation_count, sizeof(*view->relations));
    view->relations[view->relation_count++] = taken;
    free(name);
}

static void take_from(struct view *view, const PgQuery__Node *node)
{
    const PgQuery__JoinExpr *join;

    if (node->node_case == PG_QUERY__NODE__NODE_RANGE_VAR) {
        take_relation(view, node->range_var);
        return;
    }
    if (node->node_case != PG_QUERY__NODE__NODE_JOIN_EXPR) {
        view->fails = true;
        return;
    }
    join = node->join_expr;
    view->fails = view->fails || join->is_natural || join->n_using_clause > 0 || join->alias != NULL;
    take_from(view, join->larg);
    take_from(view, join->rarg);
}

/* ---- columns ---- */

/* Other names could mean other things in there. */
static bool is_nested(const ProtobufCMessage *message)
{
    return message->descriptor == &pg_query__sub_link__descriptor
           || message->descriptor == &pg_query__range_subselect__descriptor
           || message->descriptor == &pg_query__common_table_expr__descriptor;
}

/* The table that the column is of; NULL: one whose columns are as they were, or nobody can tell. */
static const struct catalog_table *table_of(struct view *view, const PgQuery__ColumnRef *reference)
{
    const char *first = node_string(reference->fields[0]);

    if (first == NULL || reference->n_fields > 2) {
        view->fails = true;
        return NULL;
    }
    if (reference->n_fields == 1) {
        const struct catalog_table *table = view->relation_count == 1 ? view->relations[0].table : NULL;

        if (table == NULL || catalog_column(table, first) == NULL)
            view->fails = true; /* a row, or a column of whatever table */
        return table;
    }
    for (size_t i = 0; i < view->relation_count; i++)
        if (strcmp(view->relations[i].alias, first) == 0)
            return view->relations[i].table;
    view->fails = true;
    return NULL;
}

static void rename_column(const struct view *view, const struct catalog_table *table, PgQuery__String *name)
{
    for (size_t i = 0; i < view->column_count; i++)
        if (view->columns[i].table == table && strcmp(view->columns[i].from, name->sval) == 0) {
            free(name->sval);
            name->sval = allocate_text("%s", view->columns[i].to);
            return;
        }
}

static bool change_reference(void *context, const ProtobufCMessage *message)
{
    struct view *view = context;
    const void *own = message;
    const PgQuery__ColumnRef *reference = own;
    const struct catalog_table *table;

    view->fails = view->fails || is_nested(message);
    if (view->fails || message->descriptor != &pg_query__column_ref__descriptor)
        return !view->fails;
    table = table_of(view, reference);
    if (node_string(reference->fields[reference->n_fields - 1]) == NULL)
        view->fails = true; /* all columns */
    else if (table != NULL)
        rename_column(view, table, reference->fields[reference->n_fields - 1]->string);
    return !view->fails;
}

/* What it shows keeps its name. */
static void keep_names(PgQuery__SelectStmt *select)
{
    for (size_t i = 0; i < select->n_target_list; i++) {
        PgQuery__ResTarget *target = select->target_list[i]->res_target;
        const PgQuery__ColumnRef *reference;

        if (*target->name != '\0' || target->val->node_case != PG_QUERY__NODE__NODE_COLUMN_REF)
            continue;
        reference = target->val->column_ref;
        target->name = allocate_text("%s", node_string(reference->fields[reference->n_fields - 1]));
    }
}

static PgQuery__SelectStmt *select_of(const PgQuery__ParseResult *tree)
{
    PgQuery__SelectStmt *select;

    if (tree->n_stmts != 1 || tree->stmts[0]->stmt->node_case != PG_QUERY__NODE__NODE_SELECT_STMT)
        return NULL;
    select = tree->stmts[0]->stmt->select_stmt;
    return select->op == PG_QUERY__SET_OPERATION__SETOP_NONE && select->with_clause == NULL
                   && select->n_values_lists == 0
               ? select
               : NULL;
}

static bool change(PgQuery__ParseResult *tree, struct view *view)
{
    PgQuery__SelectStmt *select = select_of(tree);

    for (size_t i = 0; select != NULL && i < select->n_from_clause; i++)
        take_from(view, select->from_clause[i]);
    if (select == NULL || view->fails)
        return false;
    keep_names(select);
    tree_walk(&tree->base, &(struct tree_visitor){.message = change_reference, .context = view});
    return !view->fails;
}

char *redefine_view(const char *definition, const struct redefine_column *columns, size_t count)
{
    struct view view = {.columns = columns, .column_count = count};
    PgQuery__ParseResult *tree = tree_parse(definition);
    char *text = NULL;

    if (tree == NULL)
        return NULL;
    if (change(tree, &view))
        text = tree_write(tree);
    pg_query__parse_result__free_unpacked(tree, NULL);
    free(view.relations);
    return text;
}
