/* Uses of what a contract takes away. Names are compared as the parser has folded them; which table a column
 * without a qualifier belongs to is not worked out: every table of the statement may be its own. */
#include <schemagate/plan/uses.h>

#include "allocate.h"
#include "statement.h"
#include "tree.h"

#include <stdlib.h>
#include <string.h>

/* One statement, and one of the drops. */
struct search {
    const struct plan_drop *drop;
    const char **names; /* under which the statement knows the table: its own name, aliases */
    size_t name_count;
    enum plan_use use;
};

static void note_use(struct search *search, enum plan_use use)
{
    if (use > search->use)
        search->use = use;
}

static bool is_column(const struct search *search, const char *name)
{
    return search->drop->column != NULL && strcmp(name, search->drop->column) == 0;
}

static bool is_table(const struct search *search, const PgQuery__RangeVar *table)
{
    const char *schema = search->drop->schema;

    return table != NULL && strcmp(table->relname, search->drop->table) == 0
           && (schema == NULL || *table->schemaname == '\0' || strcmp(table->schemaname, schema) == 0);
}

/* ---- the table: where it stands, and its names ---- */

static void add_name(struct search *search, const char *name)
{
    search->names = allocate_one_more(search->names, search->name_count, sizeof(*search->names));
    search->names[search->name_count++] = name;
}

static bool note_table(void *context, const ProtobufCMessage *message)
{
    struct search *search = context;
    const PgQuery__RangeVar *table = (const PgQuery__RangeVar *)message;

    if (message->descriptor != &pg_query__range_var__descriptor || !is_table(search, table))
        return true;
    add_name(search, table->alias != NULL ? table->alias->aliasname : table->relname);
    if (table->alias != NULL && table->alias->n_colnames > 0)
        note_use(search, USE_WHOLE); /* its columns are named anew, by their places */
    return true;
}

static bool is_name(const struct search *search, const char *name)
{
    for (size_t i = 0; i < search->name_count; i++)
        if (strcmp(search->names[i], name) == 0)
            return true;
    return false;
}

/* Whether the table stands in these items of a FROM; a subquery has its own. */
struct presence {
    const struct search *search;
    bool found;
};

static bool look_for_table(void *context, const ProtobufCMessage *message)
{
    struct presence *presence = context;

    if (message->descriptor == &pg_query__range_var__descriptor)
        presence->found |= is_table(presence->search, (const PgQuery__RangeVar *)message);
    return message->descriptor != &pg_query__select_stmt__descriptor;
}

static bool is_among(const struct search *search, PgQuery__Node *const *items, size_t count)
{
    struct presence presence = {search, false};

    for (size_t i = 0; i < count; i++)
        tree_walk(&items[i]->base, &(struct tree_visitor){look_for_table, NULL, &presence});
    return presence.found;
}

/* ---- columns ---- */

/* A bare * in a list of results. One that is qualified is found where columns are. */
static bool has_star(PgQuery__Node *const *targets, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const PgQuery__Node *value =
            targets[i]->node_case == PG_QUERY__NODE__NODE_RES_TARGET ? targets[i]->res_target->val : NULL;

        if (value != NULL && value->node_case == PG_QUERY__NODE__NODE_COLUMN_REF
            && value->column_ref->n_fields == 1
            && value->column_ref->fields[0]->node_case == PG_QUERY__NODE__NODE_A_STAR)
            return true;
    }
    return false;
}

/* Names on the left of SET, or in the list of an INSERT. */
static void look_at_targets(struct search *search, PgQuery__Node *const *targets, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (targets[i]->node_case == PG_QUERY__NODE__NODE_RES_TARGET
            && is_column(search, targets[i]->res_target->name))
            note_use(search, USE_NAMED);
}

static void look_at_names(struct search *search, PgQuery__Node *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (node_string(names[i]) != NULL && is_column(search, node_string(names[i])))
            note_use(search, USE_NAMED);
}

typedef void visit(struct search *search, const ProtobufCMessage *message);

static void visit_reference(struct search *search, const ProtobufCMessage *message)
{
    const PgQuery__ColumnRef *reference = (const PgQuery__ColumnRef *)message;
    size_t last = reference->n_fields - 1;
    const char *name = node_string(reference->fields[last]);

    if (last > 0 && !is_name(search, node_string(reference->fields[last - 1])))
        return;
    if (name == NULL && last > 0)
        note_use(search, USE_WHOLE); /* table.* */
    else if (name != NULL && is_column(search, name))
        note_use(search, USE_NAMED);
    else if (name != NULL && last == 0 && is_name(search, name))
        note_use(search, USE_WHOLE); /* the table's name as a value: a row */
}

static void visit_select(struct search *search, const ProtobufCMessage *message)
{
    const PgQuery__SelectStmt *select = (const PgQuery__SelectStmt *)message;

    if (has_star(select->target_list, select->n_target_list)
        && is_among(search, select->from_clause, select->n_from_clause))
        note_use(search, USE_WHOLE);
}

static void visit_insert(struct search *search, const ProtobufCMessage *message)
{
    const PgQuery__InsertStmt *insert = (const PgQuery__InsertStmt *)message;
    const PgQuery__OnConflictClause *conflict = insert->on_conflict_clause;

    if (!is_table(search, insert->relation))
        return;
    if ((insert->n_cols == 0 && insert->select_stmt != NULL)
        || has_star(insert->returning_list, insert->n_returning_list))
        note_use(search, USE_WHOLE);
    look_at_targets(search, insert->cols, insert->n_cols);
    if (conflict != NULL)
        look_at_targets(search, conflict->target_list, conflict->n_target_list);
}

static void visit_update(struct search *search, const ProtobufCMessage *message)
{
    const PgQuery__UpdateStmt *update = (const PgQuery__UpdateStmt *)message;
    bool target = is_table(search, update->relation);

    if (target)
        look_at_targets(search, update->target_list, update->n_target_list);
    if (has_star(update->returning_list, update->n_returning_list)
        && (target || is_among(search, update->from_clause, update->n_from_clause)))
        note_use(search, USE_WHOLE);
}

static void visit_delete(struct search *search, const ProtobufCMessage *message)
{
    const PgQuery__DeleteStmt *delete = (const PgQuery__DeleteStmt *)message;

    if (has_star(delete->returning_list, delete->n_returning_list)
        && (is_table(search, delete->relation)
            || is_among(search, delete->using_clause, delete->n_using_clause)))
        note_use(search, USE_WHOLE);
}

static void visit_merge(struct search *search, const ProtobufCMessage *message)
{
    const PgQuery__MergeStmt *merge = (const PgQuery__MergeStmt *)message;

    for (size_t i = 0; is_table(search, merge->relation) && i < merge->n_merge_when_clauses; i++) {
        const PgQuery__MergeWhenClause *when = merge->merge_when_clauses[i]->merge_when_clause;

        look_at_targets(search, when->target_list, when->n_target_list);
        if (when->n_target_list == 0 && when->n_values > 0)
            note_use(search, USE_WHOLE);
    }
}

static void visit_copy(struct search *search, const ProtobufCMessage *message)
{
    const PgQuery__CopyStmt *copy = (const PgQuery__CopyStmt *)message;

    if (!is_table(search, copy->relation))
        return;
    if (copy->n_attlist == 0)
        note_use(search, USE_WHOLE);
    look_at_names(search, copy->attlist, copy->n_attlist);
}

static void visit_join(struct search *search, const ProtobufCMessage *message)
{
    const PgQuery__JoinExpr *join = (const PgQuery__JoinExpr *)message;

    look_at_names(search, join->using_clause, join->n_using_clause);
    if (join->is_natural && (is_among(search, &join->larg, 1) || is_among(search, &join->rarg, 1)))
        note_use(search, USE_WHOLE);
}

/* Also what an ON CONFLICT infers its index from. */
static void visit_index_element(struct search *search, const ProtobufCMessage *message)
{
    if (is_column(search, ((const PgQuery__IndexElem *)message)->name))
        note_use(search, USE_NAMED);
}

static const struct {
    const ProtobufCMessageDescriptor *kind;
    visit *visit;
} visits[] = {
    {&pg_query__column_ref__descriptor, visit_reference},
    {&pg_query__select_stmt__descriptor, visit_select},
    {&pg_query__insert_stmt__descriptor, visit_insert},
    {&pg_query__update_stmt__descriptor, visit_update},
    {&pg_query__delete_stmt__descriptor, visit_delete},
    {&pg_query__merge_stmt__descriptor, visit_merge},
    {&pg_query__copy_stmt__descriptor, visit_copy},
    {&pg_query__join_expr__descriptor, visit_join},
    {&pg_query__index_elem__descriptor, visit_index_element},
};

static bool look_for_column(void *context, const ProtobufCMessage *message)
{
    for (size_t i = 0; i < sizeof(visits) / sizeof(visits[0]); i++)
        if (visits[i].kind == message->descriptor)
            visits[i].visit(context, message);
    return true;
}

/* ---- a statement ---- */

static enum plan_use look(const PgQuery__ParseResult *tree, const struct plan_drop *drop)
{
    struct search search = {.drop = drop};

    tree_walk(&tree->base, &(struct tree_visitor){note_table, NULL, &search});
    if (search.name_count > 0 && drop->column == NULL)
        search.use = USE_NAMED;
    else if (search.name_count > 0)
        tree_walk(&tree->base, &(struct tree_visitor){look_for_column, NULL, &search});
    free((void *)search.names);
    return search.use;
}

struct plan_used plan_uses(const char *sql, const struct plan_drop *drops, size_t count)
{
    PgQuery__ParseResult *tree = tree_parse(sql);
    struct plan_used used = {0};

    if (tree == NULL)
        return plan_mentions(sql, drops, count);
    for (size_t i = 0; i < count; i++) {
        enum plan_use use = look(tree, &drops[i]);

        if (use > used.use)
            used = (struct plan_used){use, i};
    }
    pg_query__parse_result__free_unpacked(tree, NULL);
    return used;
}

struct plan_used plan_mentions(const char *sql, const struct plan_drop *drops, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcasestr(sql, drops[i].table) != NULL
            && (drops[i].column == NULL || strcasestr(sql, drops[i].column) != NULL
                || strchr(sql, '*') != NULL || strcasestr(sql, "insert") != NULL
                || strcasestr(sql, "copy") != NULL))
            return (struct plan_used){USE_UNREAD, i};
    return (struct plan_used){0};
}
