/* Reading the tree: what a statement does, and what forbids batches. In doubt it runs whole. */
#include "batch_meaning.h"

#include "allocate.h"
#include "statement.h"
#include "text_array.h"
#include "tree.h"

#include <stdlib.h>
#include <string.h>

/* ---- reading ---- */

static const PgQuery__RangeVar *only_table(PgQuery__Node *const *from, size_t count)
{
    return count == 1 && from[0]->node_case == PG_QUERY__NODE__NODE_RANGE_VAR ? from[0]->range_var
                                                                              : NULL;
}

static bool read_insert(const PgQuery__InsertStmt *insert, struct batch_meaning *meaning)
{
    const PgQuery__SelectStmt *select;

    if (insert->select_stmt == NULL || insert->select_stmt->node_case != PG_QUERY__NODE__NODE_SELECT_STMT)
        return false; /* DEFAULT VALUES */
    select = insert->select_stmt->select_stmt;
    if (select->n_values_lists > 0)
        return false;
    *meaning = (struct batch_meaning){
        .relation = only_table(select->from_clause, select->n_from_clause),
        .written = insert->relation,
        .where = select->where_clause,
        .insert = insert,
        .select = select,
    };
    return true;
}

bool batch_meaning_read(const PgQuery__Node *node, struct batch_meaning *meaning)
{
    switch (node->node_case) {
    case PG_QUERY__NODE__NODE_UPDATE_STMT:
        *meaning = (struct batch_meaning){
            .relation = node->update_stmt->relation,
            .written = node->update_stmt->relation,
            .where = node->update_stmt->where_clause,
            .update = node->update_stmt,
        };
        return true;
    case PG_QUERY__NODE__NODE_DELETE_STMT:
        *meaning = (struct batch_meaning){
            .relation = node->delete_stmt->relation,
            .written = node->delete_stmt->relation,
            .where = node->delete_stmt->where_clause,
            .delete = node->delete_stmt,
        };
        return true;
    case PG_QUERY__NODE__NODE_INSERT_STMT:
        return read_insert(node->insert_stmt, meaning);
    default:
        return false;
    }
}

const char *batch_meaning_alias(const struct batch_meaning *meaning)
{
    const PgQuery__RangeVar *relation = meaning->relation;

    return relation->alias != NULL ? relation->alias->aliasname : relation->relname;
}

static const ProtobufCMessage *tree_of(const struct batch_meaning *meaning)
{
    return meaning->update != NULL   ? &meaning->update->base
           : meaning->delete != NULL ? &meaning->delete->base
                                     : &meaning->insert->base;
}

/* ---- what forbids batches ---- */

static const char *forbidden_by_update(const PgQuery__UpdateStmt *update)
{
    return update->with_clause != NULL       ? "it has a WITH clause"
           : update->n_from_clause > 0       ? "it has a FROM clause"
           : update->n_returning_list > 0    ? "it has a RETURNING clause"
                                             : NULL;
}

static const char *forbidden_by_delete(const PgQuery__DeleteStmt *delete)
{
    return delete->with_clause != NULL     ? "it has a WITH clause"
           : delete->n_using_clause > 0    ? "it has a USING clause"
           : delete->n_returning_list > 0  ? "it has a RETURNING clause"
                                           : NULL;
}

static const char *forbidden_by_insert(const PgQuery__InsertStmt *insert,
                                       const PgQuery__SelectStmt *select)
{
    const PgQuery__OnConflictClause *conflict = insert->on_conflict_clause;
    const struct {
        bool there;
        const char *why;
    } parts[] = {
        {insert->with_clause != NULL || select->with_clause != NULL, "it has a WITH clause"},
        {insert->n_returning_list > 0, "it has a RETURNING clause"},
        {conflict != NULL && conflict->action != PG_QUERY__ON_CONFLICT_ACTION__ONCONFLICT_NOTHING,
         "ON CONFLICT DO UPDATE may meet rows of its own in a later batch"},
        {select->op != PG_QUERY__SET_OPERATION__SETOP_NONE, "it combines several queries"},
        {select->n_distinct_clause > 0, "DISTINCT compares rows of different batches"},
        {select->n_group_clause > 0 || select->having_clause != NULL,
         "it groups rows, which would fall into different batches"},
        {select->n_sort_clause > 0, "ORDER BY puts all rows into one order"},
        {select->limit_count != NULL || select->limit_offset != NULL,
         "LIMIT and OFFSET count all rows"},
        {select->n_window_clause > 0, "window functions look at rows of other batches"},
        {select->n_locking_clause > 0, "it locks the rows that it reads"},
        {select->n_from_clause != 1, "it does not read one single table"},
    };

    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
        if (parts[i].there)
            return parts[i].why;
    return NULL;
}

static bool same_table(const PgQuery__RangeVar *a, const PgQuery__RangeVar *b)
{
    bool schemas_differ = *a->schemaname != '\0' && *b->schemaname != '\0'
                          && strcmp(a->schemaname, b->schemaname) != 0;

    return strcmp(a->relname, b->relname) == 0 && !schemas_differ;
}

/* What was found on the way through the tree. */
struct search {
    const struct batch_meaning *meaning;
    const char *why, *clock;
    char *calls, *wide; /* owned */
    bool rows;
    unsigned depth; /* inside so many sub-selects */
};

/* PostgreSQL's own functions whose result depends on all the rows that a statement reads, or on what
 * came before in its session or transaction. Aggregates of an author's own are found when it runs: by the
 * catalog, from wide_calls (db/sql/functions/backfill.sql). */
static const char *const wide_functions[] = {
    "array_agg", "any_value", "avg", "bit_and", "bit_or", "bit_xor", "bool_and", "bool_or", "corr", "count",
    "covar_pop", "covar_samp", "every", "json_agg", "json_object_agg", "jsonb_agg", "jsonb_object_agg",
    "max", "min", "range_agg", "range_intersect_agg", "regr_avgx", "regr_avgy", "regr_count",
    "regr_intercept", "regr_r2", "regr_slope", "regr_sxx", "regr_sxy", "regr_syy", "stddev", "stddev_pop",
    "stddev_samp", "string_agg", "sum", "var_pop", "var_samp", "variance", "xmlagg",
};

static const char *const session_functions[] = {
    "currval", "lastval", "setseed", "setval", "set_config", "txid_current",
    "txid_current_if_assigned", "txid_current_snapshot", "pg_current_xact_id",
    "pg_current_xact_id_if_assigned", "pg_current_snapshot", "pg_export_snapshot",
};

static const char *const clock_functions[] = {
    "now", "transaction_timestamp", "statement_timestamp", "age",
};

static bool is_one_of(const char *name, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

#define IS_ONE_OF(name, names) is_one_of(name, names, sizeof(names) / sizeof((names)[0]))

/* ---- calls ---- */

/* Whose columns the arguments of a call name. */
struct arguments {
    const struct search *search;
    bool any, inner;
};

static bool visit_argument(void *context, const ProtobufCMessage *message)
{
    const PgQuery__ColumnRef *column = (const PgQuery__ColumnRef *)message;
    struct arguments *arguments = context;

    if (message->descriptor != &pg_query__column_ref__descriptor)
        return true;
    arguments->any = true;
    if (column->n_fields > 1)
        arguments->inner |= strcmp(node_string(column->fields[column->n_fields - 2]),
                                   batch_meaning_alias(arguments->search->meaning)) != 0;
    return false;
}

/* An aggregate belongs to the innermost query whose columns it names: in a sub-select that may be the
 * statement itself, which then makes one row of all. Columns without a table may be anybody's. */
static bool is_of_statement(const struct search *search, const PgQuery__FuncCall *call)
{
    struct arguments arguments = {.search = search};

    if (search->depth == 0)
        return true;
    tree_walk(&call->base, &(struct tree_visitor){.message = visit_argument, .context = &arguments});
    return search->meaning->insert != NULL && arguments.any && !arguments.inner;
}

static char *name_of_call(const PgQuery__FuncCall *call)
{
    const char *name = node_string(call->funcname[call->n_funcname - 1]);

    if (call->n_funcname == 1)
        return allocate_text("%s", name);
    return allocate_text("%s.%s", node_string(call->funcname[call->n_funcname - 2]), name);
}

static void note_call(struct search *search, const PgQuery__FuncCall *call, bool wide)
{
    char *name = name_of_call(call);

    search->calls = text_array_add(search->calls, name);
    if (wide)
        search->wide = text_array_add(search->wide, name);
    free(name);
}

static void look_at_call(struct search *search, const PgQuery__FuncCall *call)
{
    const char *name = node_string(call->funcname[call->n_funcname - 1]);
    bool aggregates = call->agg_star || call->agg_distinct || call->agg_within_group
                      || call->agg_filter != NULL || call->n_agg_order > 0;
    bool wide = call->over == NULL && is_of_statement(search, call);

    if (IS_ONE_OF(name, session_functions))
        search->why = "it calls a function whose result belongs to one transaction or session";
    if (call->over != NULL && search->depth == 0)
        search->why = "window functions look at rows of other batches";
    if (wide && (aggregates || IS_ONE_OF(name, wide_functions)))
        search->why = search->depth == 0 ? "aggregates look at rows of other batches"
                                         : "an aggregate in a sub-select may be over the rows of the "
                                           "statement itself: name its columns with their table";
    if (IS_ONE_OF(name, clock_functions) && (strcmp(name, "age") != 0 || call->n_args == 1))
        search->clock = name;
    note_call(search, call, wide);
}

/* ---- tables and columns ---- */

/* Between the batches others see, and this statement's later batches see, what the earlier ones did. */
static void look_at_table(struct search *search, const PgQuery__RangeVar *table)
{
    const struct batch_meaning *meaning = search->meaning;

    if (table == meaning->written || table == meaning->relation)
        return;
    if (same_table(table, meaning->written))
        search->why = "it reads the table that it changes";
}

static void look_at_column(struct search *search, const PgQuery__ColumnRef *column)
{
    const PgQuery__Node *last = column->fields[column->n_fields - 1];
    const char *name = node_string(last);

    if (column->n_fields > 2)
        search->why = "it names a column together with the schema of its table: use an alias";
    if (name == NULL || (column->n_fields == 1
                         && strcmp(name, batch_meaning_alias(search->meaning)) == 0))
        search->rows = true;
}

static bool visit_meaning(void *context, const ProtobufCMessage *message);

/* What is compared with a sub-select belongs to the statement itself. */
static void look_into(struct search *search, const PgQuery__SubLink *link)
{
    const struct tree_visitor visitor = {.message = visit_meaning, .context = search};

    if (link->testexpr != NULL)
        tree_walk(&link->testexpr->base, &visitor);
    search->depth++;
    if (link->subselect != NULL)
        tree_walk(&link->subselect->base, &visitor);
    search->depth--;
}

static bool visit_meaning(void *context, const ProtobufCMessage *message)
{
    struct search *search = context;

    if (message->descriptor == &pg_query__func_call__descriptor)
        look_at_call(search, (const PgQuery__FuncCall *)message);
    if (message->descriptor == &pg_query__range_var__descriptor)
        look_at_table(search, (const PgQuery__RangeVar *)message);
    if (message->descriptor == &pg_query__column_ref__descriptor)
        look_at_column(search, (const PgQuery__ColumnRef *)message);
    if (message->descriptor == &pg_query__current_of_expr__descriptor)
        search->why = "it changes the row of a cursor";
    if (message->descriptor == &pg_query__param_ref__descriptor)
        search->why = "it has a parameter that nobody sets";
    if (message->descriptor == &pg_query__sqlvalue_function__descriptor
        && ((const PgQuery__SQLValueFunction *)message)->op
               <= PG_QUERY__SQLVALUE_FUNCTION_OP__SVFOP_LOCALTIMESTAMP_N)
        search->clock = "the current time";
    if (message->descriptor == &pg_query__sub_link__descriptor) {
        look_into(search, (const PgQuery__SubLink *)message);
        return false;
    }
    return true;
}

static struct search search_meaning(const struct batch_meaning *meaning)
{
    struct search search = {.meaning = meaning};

    tree_walk(tree_of(meaning), &(struct tree_visitor){.message = visit_meaning, .context = &search});
    return search;
}

static struct search search_only(const struct batch_meaning *meaning)
{
    struct search search = search_meaning(meaning);

    free(search.calls);
    free(search.wide);
    search.calls = search.wide = NULL;
    return search;
}

const char *batch_meaning_forbids(const struct batch_meaning *meaning)
{
    const char *why = meaning->update != NULL   ? forbidden_by_update(meaning->update)
                      : meaning->delete != NULL ? forbidden_by_delete(meaning->delete)
                                                : forbidden_by_insert(meaning->insert, meaning->select);

    if (why == NULL && meaning->relation == NULL)
        why = "it does not read one single table";
    if (why == NULL && meaning->relation->alias != NULL && meaning->relation->alias->n_colnames > 0)
        why = "its alias renames columns";
    if (why == NULL && *meaning->relation->catalogname != '\0')
        why = "it names the database of its table";
    if (why == NULL && meaning->insert != NULL && same_table(meaning->relation, meaning->written))
        why = "it reads the table that it changes";
    return why != NULL ? why : search_only(meaning).why;
}

const char *batch_meaning_clock(const struct batch_meaning *meaning)
{
    return search_only(meaning).clock;
}

bool batch_meaning_takes_rows(const struct batch_meaning *meaning)
{
    return search_only(meaning).rows;
}

void batch_meaning_calls(const struct batch_meaning *meaning, char **calls, char **wide)
{
    struct search search = search_meaning(meaning);

    *calls = text_array_end(search.calls);
    *wide = text_array_end(search.wide);
}
