/* Comparing parse trees. */
#ifndef PLAN_EQUAL_H
#define PLAN_EQUAL_H

#include <pg_query/pg_query.pb-c.h>

#include <stdbool.h>

/* True if both say the same, wherever they stand. */
bool tree_equal(const ProtobufCMessage *left, const ProtobufCMessage *right);

#endif
