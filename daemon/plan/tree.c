/* From a text to its parse tree and back, and the walk through one. */
#include "tree.h"

#include "allocate.h"

#include <pg_query.h>

#include <stdlib.h>
#include <string.h>

PgQuery__ParseResult *tree_parse_or_say(const char *sql, char **refusal)
{
    PgQueryProtobufParseResult result = pg_query_parse_protobuf(sql);
    PgQuery__ParseResult *tree = NULL;

    *refusal = NULL;
    if (result.error != NULL)
        *refusal = allocate_text("%s", result.error->message);
    else
        tree = pg_query__parse_result__unpack(NULL, result.parse_tree.len,
                                              (const uint8_t *)result.parse_tree.data);
    pg_query_free_protobuf_parse_result(result);
    return tree;
}

PgQuery__ParseResult *tree_parse(const char *sql)
{
    char *refusal;
    PgQuery__ParseResult *tree = tree_parse_or_say(sql, &refusal);

    free(refusal);
    return tree;
}

char *tree_write(const PgQuery__ParseResult *tree)
{
    PgQueryProtobuf packed = {.len = pg_query__parse_result__get_packed_size(tree)};
    PgQueryDeparseResult result;
    char *text = NULL;

    packed.data = allocate(NULL, packed.len + 1, 1);
    pg_query__parse_result__pack(tree, (uint8_t *)packed.data);
    result = pg_query_deparse_protobuf(packed);
    free(packed.data);
    if (result.error == NULL) {
        size_t length = strlen(result.query);

        while (length > 0 && result.query[length - 1] == ' ')
            length--;
        text = allocate_copy(result.query, length);
    }
    pg_query_free_deparse_result(result);
    return text;
}

static void walk_member(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field,
                        const struct tree_visitor *visitor)
{
    const char *at = (const char *)message;
    const void *member = at + field->offset;

    if (field->type == PROTOBUF_C_TYPE_STRING && field->label != PROTOBUF_C_LABEL_REPEATED
        && visitor->text != NULL && *(char *const *)member != NULL)
        visitor->text(visitor->context, field, *(char *const *)member);
    if (field->type != PROTOBUF_C_TYPE_MESSAGE)
        return;
    if (field->label == PROTOBUF_C_LABEL_REPEATED) {
        size_t count = *(const size_t *)(const void *)(at + field->quantifier_offset);
        ProtobufCMessage *const *members = *(ProtobufCMessage *const *const *)member;

        for (size_t i = 0; i < count; i++)
            tree_walk(members[i], visitor);
    } else if (*(ProtobufCMessage *const *)member != NULL) {
        tree_walk(*(ProtobufCMessage *const *)member, visitor);
    }
}

void tree_walk(const ProtobufCMessage *tree, const struct tree_visitor *visitor)
{
    const ProtobufCMessageDescriptor *kind = tree->descriptor;

    if (kind == &pg_query__node__descriptor) {
        /* One of some 240 members: looked up, not searched. A node may be empty. */
        const PgQuery__Node *node = (const PgQuery__Node *)tree;
        const ProtobufCFieldDescriptor *field =
            protobuf_c_message_descriptor_get_field(kind, (unsigned)node->node_case);

        if (field != NULL)
            walk_member(tree, field, visitor);
        return;
    }
    if (!visitor->message(visitor->context, tree))
        return;
    for (unsigned i = 0; i < kind->n_fields; i++)
        if ((kind->fields[i].flags & PROTOBUF_C_FIELD_FLAG_ONEOF) == 0)
            walk_member(tree, &kind->fields[i], visitor);
}
