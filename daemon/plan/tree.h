/* Walking a parse tree by the descriptors of its messages, so that no kind of node can be forgotten. */
#ifndef PLAN_TREE_H
#define PLAN_TREE_H

#include <pg_query/pg_query.pb-c.h>

#include <stdbool.h>

struct tree_visitor {
    /* For each message but the wrapping nodes; false: what is inside is not looked at. */
    bool (*message)(void *context, const ProtobufCMessage *message);
    /* NULL, or for each plain text that a message holds. */
    void (*text)(void *context, const ProtobufCFieldDescriptor *field, const char *text);
    void *context;
};

void tree_walk(const ProtobufCMessage *tree, const struct tree_visitor *visitor);

#endif
