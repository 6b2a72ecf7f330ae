/* Parse trees: from a text and back, and walked by the descriptors of their messages, so that no kind of
 * node can be forgotten. */
#ifndef PLAN_TREE_H
#define PLAN_TREE_H

#include <pg_query/pg_query.pb-c.h>

#include <stdbool.h>

/* NULL if the grammar does not accept the text. Owned by the caller, for
 * pg_query__parse_result__free_unpacked (which takes NULL). It refers to nothing of the text. */
PgQuery__ParseResult *tree_parse(const char *sql);

/* The same; *refusal is then what the grammar says, owned by the caller; NULL where it accepts the text. */
PgQuery__ParseResult *tree_parse_or_say(const char *sql, char **refusal);

/* NULL if the tree cannot be written down. Owned by the caller. */
char *tree_write(const PgQuery__ParseResult *tree);

struct tree_visitor {
    /* For each message but the wrapping nodes; false: what is inside is not looked at. */
    bool (*message)(void *context, const ProtobufCMessage *message);
    /* NULL, or for each plain text that a message holds. */
    void (*text)(void *context, const ProtobufCFieldDescriptor *field, const char *text);
    void *context;
};

void tree_walk(const ProtobufCMessage *tree, const struct tree_visitor *visitor);

#endif
