/* Expressions are cut at their column references, so that the rest stays as it was written. */
#include "using.h"

#include "allocate.h"
#include "tree.h"

#include <pg_query.h>

#include <stdlib.h>
#include <string.h>

const struct using *using_of(struct statement *statement)
{
    struct reader *reader = statement->reader;

    if (statement->using == 0)
        return NULL;
    reader->usings[statement->using - 1].state = ALLOWANCE_USED;
    return &reader->usings[statement->using - 1];
}

/* ---- columns of the row ---- */

static const char head[] = "SELECT (";

struct search {
    const struct catalog_table *table;
    const char *another;
    size_t *places; /* owned: where columns stand */
    size_t count;
    bool asks; /* other rows */
};

static bool look(void *context, const ProtobufCMessage *message)
{
    const PgQuery__ColumnRef *reference = (const PgQuery__ColumnRef *)message;
    struct search *search = context;
    const char *name;

    if (message->descriptor == &pg_query__sub_link__descriptor)
        search->asks = true;
    if (message->descriptor != &pg_query__column_ref__descriptor)
        return true;
    name = reference->n_fields == 1 ? node_string(reference->fields[0]) : NULL;
    if (name == NULL || (strcmp(name, search->another) != 0 && catalog_column(search->table, name) == NULL))
        return true;
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

char *using_in_row(const char *expression, const struct catalog_table *table, const char *another)
{
    char *select = allocate_text("%s%s\n)", head, expression), *text = NULL;
    PgQueryProtobufParseResult result = pg_query_parse_protobuf(select);
    PgQuery__ParseResult *tree = NULL;
    struct search search = {.table = table, .another = another};

    if (result.error == NULL)
        tree = pg_query__parse_result__unpack(NULL, result.parse_tree.len,
                                              (const uint8_t *)result.parse_tree.data);
    if (tree != NULL && is_expression(tree)) {
        tree_walk(&tree->base, &(struct tree_visitor){.message = look, .context = &search});
        if (search.count > 1)
            qsort(search.places, search.count, sizeof(*search.places), compare_places);
        if (!search.asks)
            text = put_new_before(select, &search);
    }
    if (tree != NULL)
        pg_query__parse_result__free_unpacked(tree, NULL);
    pg_query_free_protobuf_parse_result(result);
    free(search.places);
    free(select);
    return text;
}
