/* Queries and changes of data, and what they call. */
#include "classify.h"
#include "function.h"
#include "tree.h"

#include <string.h>

/* The worst call of a query, and its name. */
struct calls {
    enum function_nature worst;
    const char *name;
};

static bool look_at_call(void *context, const ProtobufCMessage *message)
{
    struct calls *calls = context;
    const PgQuery__FuncCall *call = (const PgQuery__FuncCall *)message;
    enum function_nature nature;

    if (message->descriptor != &pg_query__func_call__descriptor)
        return true;
    nature = function_nature(call);
    if (calls->name == NULL || nature > calls->worst) {
        calls->worst = nature;
        calls->name = node_string(call->funcname[call->n_funcname - 1]);
    }
    return true;
}

/* By what the worst call does: stable and volatile ones have no effect. */
static const struct {
    enum operation_kind kind;
    enum operation_class class;
} effects[] = {
    [FUNCTION_STABLE] = {OP_SELECT, CLASS_ADDITIVE},   [FUNCTION_VOLATILE] = {OP_SELECT, CLASS_ADDITIVE},
    [FUNCTION_SEQUENCE] = {OP_SELECT, CLASS_DATA},     [FUNCTION_SETTING] = {OP_SET, CLASS_SESSION},
    [FUNCTION_UNKNOWN] = {OP_OPAQUE, CLASS_OPAQUE},
};

void classify_query(struct classify *classify, const PgQuery__Node *query)
{
    struct calls calls = {FUNCTION_STABLE, NULL};
    struct operation *operation;

    if (query == NULL)
        return;
    tree_walk(&query->base, &(struct tree_visitor){.message = look_at_call, .context = &calls});
    operation = classify_add(classify, effects[calls.worst].kind);
    operation->class = effects[calls.worst].class;
    if (calls.worst >= FUNCTION_SEQUENCE)
        operation->object = calls.name;
    /* It may have been search_path that was set. */
    if (calls.worst >= FUNCTION_SETTING)
        created_forget_unqualified(classify->created);
}

/* WITH … AS (DELETE …): PostgreSQL takes these at the top only. */
static void read_with(struct classify *classify, const PgQuery__WithClause *with)
{
    static const PgQuery__Node__NodeCase changes[] = {
        PG_QUERY__NODE__NODE_INSERT_STMT,
        PG_QUERY__NODE__NODE_UPDATE_STMT,
        PG_QUERY__NODE__NODE_DELETE_STMT,
        PG_QUERY__NODE__NODE_MERGE_STMT,
    };

    for (size_t i = 0; with != NULL && i < with->n_ctes; i++) {
        const PgQuery__Node *query = with->ctes[i]->common_table_expr->ctequery;

        for (size_t at = 0; at < sizeof(changes) / sizeof(changes[0]); at++)
            if (query->node_case == changes[at])
                classify_node(classify, query);
    }
}

void classify_select(struct classify *classify, const PgQuery__Node *node, enum operation_kind kind)
{
    const PgQuery__SelectStmt *select = node->select_stmt;

    if (select->into_clause != NULL) {
        struct operation *operation =
            classify_add_on(classify, OP_CREATE_TABLE_AS, select->into_clause->rel);

        (void)kind;
        operation->on_new = true;
        classify_remember(classify, operation, CREATED_RELATION, false);
    }
    classify_query(classify, node);
    read_with(classify, select->with_clause);
}

void classify_insert(struct classify *classify, const PgQuery__Node *node, enum operation_kind kind)
{
    classify_add_on(classify, kind, node->insert_stmt->relation);
    read_with(classify, node->insert_stmt->with_clause);
}

void classify_update(struct classify *classify, const PgQuery__Node *node, enum operation_kind kind)
{
    classify_add_on(classify, kind, node->update_stmt->relation);
    read_with(classify, node->update_stmt->with_clause);
}

void classify_delete(struct classify *classify, const PgQuery__Node *node, enum operation_kind kind)
{
    classify_add_on(classify, kind, node->delete_stmt->relation);
    read_with(classify, node->delete_stmt->with_clause);
}

void classify_merge(struct classify *classify, const PgQuery__Node *node, enum operation_kind kind)
{
    classify_add_on(classify, kind, node->merge_stmt->relation);
    read_with(classify, node->merge_stmt->with_clause);
}

void classify_copy(struct classify *classify, const PgQuery__Node *node, enum operation_kind kind)
{
    const PgQuery__CopyStmt *copy = node->copy_stmt;
    struct operation *operation = classify_add_on(classify, kind, copy->relation);

    if (!copy->is_from) {
        operation->class = CLASS_ADDITIVE;
        operation->lock = LOCK_ACCESS_SHARE;
    }
}

/* EXPLAIN ANALYZE runs what it explains. */
void classify_explain(struct classify *classify, const PgQuery__Node *node, enum operation_kind kind)
{
    const PgQuery__ExplainStmt *explain = node->explain_stmt;

    if (node_option_is_on(explain->options, explain->n_options, "analyze", false))
        classify_node(classify, explain->query);
    else
        classify_add(classify, kind);
}

/* Behind a change of search_path, a name without a schema means another thing. */
void classify_set(struct classify *classify, const PgQuery__Node *node, enum operation_kind kind)
{
    const PgQuery__VariableSetStmt *set = node->variable_set_stmt;

    classify_add(classify, kind)->object = classify_text(set->name);
    if (strcmp(set->name, "search_path") == 0 || set->kind == PG_QUERY__VARIABLE_SET_KIND__VAR_RESET_ALL)
        created_forget_unqualified(classify->created);
}
