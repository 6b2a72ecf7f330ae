/* Text is cut at tokens: what the author wrote in between stays as it is. */
#include "piece.h"

#include "allocate.h"
#include "tree.h"

#include <stdlib.h>
#include <string.h>

enum { NAME_BYTES = 63 }; /* NAMEDATALEN - 1 */

static size_t trimmed_end(const struct reader *reader, size_t start, size_t end)
{
    size_t behind = reader_token_at(reader, end);

    while (behind > 0 && reader->tokens[behind - 1].start >= start
           && reader_is_comment(&reader->tokens[behind - 1]))
        end = reader->tokens[--behind].start;
    while (end > start && strchr(" \t\n\r\f\v", reader->text.bytes[end - 1]) != NULL)
        end--;
    return end;
}

char *piece_of(const struct reader *reader, size_t start, size_t end)
{
    return allocate_copy(reader->text.bytes + start, trimmed_end(reader, start, end) - start);
}

char *piece_with(const struct reader *reader, size_t start, size_t end, size_t at, const char *text)
{
    const char *bytes = reader->text.bytes;

    return allocate_text("%.*s%s%.*s", (int)(at - start), bytes + start, text,
                         (int)(trimmed_end(reader, at, end) - at), bytes + at);
}

size_t piece_token(const struct reader *reader, size_t start, size_t end, int kind)
{
    int depth = 0;

    for (size_t i = reader_token_at(reader, start); i < reader->token_count; i++) {
        const struct token *token = &reader->tokens[i];

        if (token->start >= end)
            break;
        if (token->kind == kind && depth == 0)
            return token->start;
        if (token->kind == PG_QUERY__TOKEN__ASCII_40 || token->kind == PG_QUERY__TOKEN__ASCII_91)
            depth++;
        if (token->kind == PG_QUERY__TOKEN__ASCII_41 || token->kind == PG_QUERY__TOKEN__ASCII_93)
            depth--;
    }
    return end;
}

size_t piece_parenthesis(const struct reader *reader, size_t start, size_t end)
{
    size_t open = piece_token(reader, start, end, PG_QUERY__TOKEN__ASCII_40);
    int depth = 0;

    for (size_t i = reader_token_at(reader, open); open < end && i < reader->token_count; i++) {
        if (reader->tokens[i].kind == PG_QUERY__TOKEN__ASCII_40)
            depth++;
        if (reader->tokens[i].kind == PG_QUERY__TOKEN__ASCII_41 && --depth == 0)
            return reader->tokens[i].start + 1;
    }
    return end;
}

/* ---- names ---- */

/* As many bytes as fit without cutting a character. */
static size_t clip(const char *text, size_t length)
{
    while (length > 0 && text[length] != '\0' && ((unsigned char)text[length] & 0xC0) == 0x80)
        length--;
    return length;
}

char *piece_object_name(const char *name1, const char *name2, const char *label)
{
    size_t length1 = strlen(name1), length2 = name2 == NULL ? 0 : strlen(name2);
    size_t room = NAME_BYTES - strlen(label) - 1 - (name2 == NULL ? 0 : 1);

    while (length1 + length2 > room)
        if (length1 > length2)
            length1--;
        else
            length2--;
    length1 = clip(name1, length1);
    if (name2 == NULL)
        return allocate_text("%.*s_%s", (int)length1, name1, label);
    return allocate_text("%.*s_%.*s_%s", (int)length1, name1, (int)clip(name2, length2), name2, label);
}

/* The names, joined by "_" as far as they can matter. Takes over `joined`. */
static char *join(char *joined, const char *name)
{
    char *longer = joined == NULL ? allocate_text("%s", name) : allocate_text("%s_%s", joined, name);

    free(joined);
    return longer;
}

/* FigureIndexColname, as far as indexes know: a call is named by its function. */
static const char *element_name(const PgQuery__IndexElem *element)
{
    if (element->name != NULL && *element->name != '\0')
        return element->name;
    if (element->expr != NULL && element->expr->node_case == PG_QUERY__NODE__NODE_FUNC_CALL) {
        const PgQuery__FuncCall *call = element->expr->func_call;

        return node_string(call->funcname[call->n_funcname - 1]);
    }
    return "expr";
}

char *piece_index_name(const PgQuery__IndexStmt *index)
{
    char *columns = NULL, *name;

    for (size_t i = 0; i < index->n_index_params; i++)
        if (index->index_params[i]->node_case == PG_QUERY__NODE__NODE_INDEX_ELEM)
            columns = join(columns, element_name(index->index_params[i]->index_elem));
    name = piece_object_name(index->relation->relname, columns, "idx");
    free(columns);
    return name;
}

static char *join_keys(PgQuery__Node *const *keys, size_t count)
{
    char *joined = NULL;

    for (size_t i = 0; i < count; i++)
        if (node_string(keys[i]) != NULL)
            joined = join(joined, node_string(keys[i]));
    return joined;
}

/* The one column that an expression names; NULL if it names none or several. */
struct single {
    const char *column;
    bool several;
};

static bool note_column(void *context, const ProtobufCMessage *message)
{
    const PgQuery__ColumnRef *reference = (const PgQuery__ColumnRef *)message;
    struct single *single = context;
    const char *name;

    if (message->descriptor != &pg_query__column_ref__descriptor)
        return true;
    name = node_string(reference->fields[reference->n_fields - 1]);
    if (single->column != NULL && name != NULL && strcmp(single->column, name) != 0)
        single->several = true;
    single->column = name;
    return false;
}

char *piece_single_column(const PgQuery__Node *expression)
{
    struct single single = {0};

    if (expression != NULL)
        tree_walk(&expression->base,
                  &(struct tree_visitor){.message = note_column, .context = &single});
    return single.column == NULL || single.several ? NULL : allocate_text("%s", single.column);
}

char *piece_constraint_name(const char *table, const PgQuery__Constraint *constraint, const char *column)
{
    static const struct {
        PgQuery__ConstrType type;
        const char *label;
        bool columns; /* are part of the name */
    } labels[] = {
        {PG_QUERY__CONSTR_TYPE__CONSTR_FOREIGN, "fkey", true},
        {PG_QUERY__CONSTR_TYPE__CONSTR_UNIQUE, "key", true},
        {PG_QUERY__CONSTR_TYPE__CONSTR_PRIMARY, "pkey", false},
        {PG_QUERY__CONSTR_TYPE__CONSTR_CHECK, "check", true},
    };
    const char *label = "check";
    char *columns = NULL, *name;

    if (constraint->conname != NULL && *constraint->conname != '\0')
        return allocate_text("%s", constraint->conname);
    for (size_t i = 0; i < sizeof(labels) / sizeof(labels[0]); i++) {
        if (labels[i].type != constraint->contype)
            continue;
        label = labels[i].label;
        if (!labels[i].columns)
            break;
        if (constraint->contype == PG_QUERY__CONSTR_TYPE__CONSTR_CHECK)
            columns = piece_single_column(constraint->raw_expr);
        else if (constraint->contype == PG_QUERY__CONSTR_TYPE__CONSTR_FOREIGN)
            columns = join_keys(constraint->fk_attrs, constraint->n_fk_attrs);
        else
            columns = join_keys(constraint->keys, constraint->n_keys);
        if (columns == NULL && column != NULL)
            columns = allocate_text("%s", column);
    }
    name = piece_object_name(table, columns, label);
    free(columns);
    return name;
}
