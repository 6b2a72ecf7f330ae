/* Expressions are cut at their column references, so that the rest stays as it was written. */
#include "using.h"

#include "allocate.h"
#include "tree.h"

#include <stdlib.h>
#include <string.h>

const struct using *using_of(struct statement *statement, bool assigns)
{
    struct reader *reader = statement->reader;

    if (statement->using == 0 || reader->usings[statement->using - 1].assigns != assigns)
        return NULL;
    reader->usings[statement->using - 1].state = ALLOWANCE_USED;
    return &reader->usings[statement->using - 1];
}

/* ---- columns of the row ---- */

static const char head[] = "SELECT (";

struct search {
    const struct using_names *names;
    size_t *places; /* owned: where columns stand */
    size_t count;
    bool fails; /* it asks other rows, or names what is no column of this one */
};

static bool is_among(char *const *names, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

/* Triggers see a row before its generated columns are computed. */
static bool is_known(const struct using_names *names, const char *name)
{
    const struct catalog_column *column;

    if (name == NULL || is_among(names->hidden, names->hidden_count, name))
        return false;
    column = catalog_column(names->table, name);
    return is_among(names->others, names->other_count, name) || (column != NULL && !column->generated);
}

static bool look(void *context, const ProtobufCMessage *message)
{
    const PgQuery__ColumnRef *reference = (const PgQuery__ColumnRef *)message;
    struct search *search = context;

    if (message->descriptor == &pg_query__sub_link__descriptor)
        search->fails = true;
    if (message->descriptor != &pg_query__column_ref__descriptor)
        return true;
    if (reference->n_fields != 1 || !is_known(search->names, node_string(reference->fields[0])))
        search->fails = true;
    search->places = allocate_one_more(search->places, search->count, sizeof(*search->places));
    search->places[search->count++] = (size_t)reference->location;
    return true;
}

static int compare_places(const void *left, const void *right)
{
    const size_t *a = left, *b = right;

    return *a < *b ? -1 : *a > *b;
}

static char *put_new_before(const char *select, const struct search *search)
{
    size_t length = strlen(select), from = sizeof(head) - 1;
    char *text = allocate_text("%s", ""), *longer;

    for (size_t i = 0; i < search->count; i++) {
        longer = allocate_text("%s%.*sNEW.", text, (int)(search->places[i] - from), select + from);
        free(text);
        text = longer;
        from = search->places[i];
    }
    longer = allocate_text("%s%.*s", text, (int)(length - strlen("\n)") - from), select + from);
    free(text);
    return longer;
}

/* One value, from nowhere. */
static bool is_expression(const PgQuery__ParseResult *tree)
{
    const PgQuery__SelectStmt *select;

    if (tree->n_stmts != 1 || tree->stmts[0]->stmt->node_case != PG_QUERY__NODE__NODE_SELECT_STMT)
        return false;
    select = tree->stmts[0]->stmt->select_stmt;
    return select->n_target_list == 1 && select->n_from_clause == 0 && select->where_clause == NULL
           && select->into_clause == NULL && select->n_group_clause == 0
           && select->op == PG_QUERY__SET_OPERATION__SETOP_NONE;
}

char *using_in_row(const char *expression, const struct using_names *names)
{
    char *select = allocate_text("%s%s\n)", head, expression), *text = NULL;
    PgQuery__ParseResult *tree = tree_parse(select);
    struct search search = {.names = names};

    if (tree != NULL && is_expression(tree)) {
        statement_check_expression(names->statement, &tree->base);
        tree_walk(&tree->base, &(struct tree_visitor){.message = look, .context = &search});
        if (search.count > 1)
            qsort(search.places, search.count, sizeof(*search.places), compare_places);
        if (!search.fails)
            text = put_new_before(select, &search);
    }
    pg_query__parse_result__free_unpacked(tree, NULL);
    free(search.places);
    free(select);
    return text;
}

/* ---- assignments ---- */

static const char update_head[] = "UPDATE t SET ";

/* The list of one UPDATE that says nothing else; NULL: it is none. */
static const PgQuery__UpdateStmt *read_list(const PgQuery__ParseResult *tree)
{
    const PgQuery__UpdateStmt *update;

    if (tree == NULL || tree->n_stmts != 1
        || tree->stmts[0]->stmt->node_case != PG_QUERY__NODE__NODE_UPDATE_STMT)
        return NULL;
    update = tree->stmts[0]->stmt->update_stmt;
    if (update->where_clause != NULL || update->n_from_clause > 0 || update->n_returning_list > 0)
        return NULL;
    for (size_t i = 0; i < update->n_target_list; i++) {
        const PgQuery__ResTarget *target = update->target_list[i]->res_target;

        if (target->n_indirection > 0 || target->val->node_case == PG_QUERY__NODE__NODE_MULTI_ASSIGN_REF
            || target->val->node_case == PG_QUERY__NODE__NODE_SET_TO_DEFAULT)
            return NULL;
        for (size_t k = 0; k < i; k++)
            if (strcmp(update->target_list[k]->res_target->name, target->name) == 0)
                return NULL;
    }
    return update;
}

/* What stands behind the name and its "=", up to `end`, without the comma. */
static char *expression_text(const char *target, const char *end)
{
    const char *start = target;

    if (*start == '"')
        do /* two quotes are one of the name's */
            start = strchr(start + 1, '"') + 1;
        while (*start == '"');
    start = strchr(start, '=') + 1;
    start += strspn(start, " \t");
    while (end > start && strchr(" \t,", end[-1]) != NULL)
        end--;
    return allocate_copy(start, (size_t)(end - start));
}

bool using_assignments(const char *text, struct assignment **assignments, size_t *count)
{
    char *statement = allocate_text("%s%s", update_head, text);
    PgQuery__ParseResult *tree = tree_parse(statement);
    const PgQuery__UpdateStmt *update = read_list(tree);

    *assignments = NULL;
    *count = 0;
    for (size_t i = 0; update != NULL && i < update->n_target_list; i++) {
        const PgQuery__ResTarget *target = update->target_list[i]->res_target;
        const char *end = i + 1 < update->n_target_list
                              ? statement + update->target_list[i + 1]->res_target->location
                              : statement + strlen(statement);

        *assignments = allocate_one_more(*assignments, *count, sizeof(**assignments));
        (*assignments)[(*count)++] = (struct assignment){
            .name = allocate_text("%s", target->name),
            .expression = expression_text(statement + target->location, end),
        };
    }
    const bool is_list = update != NULL;
    pg_query__parse_result__free_unpacked(tree, NULL);
    free(statement);
    return is_list;
}

void using_free_assignments(struct assignment *assignments, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(assignments[i].name);
        free(assignments[i].expression);
    }
    free(assignments);
}
