/* What is known about functions by their names alone. */
#ifndef PLAN_FUNCTION_H
#define PLAN_FUNCTION_H

#include "statement.h"

#include <stdbool.h>

enum function_nature {
    FUNCTION_STABLE,   /* a built-in one that is immutable or stable: a default of it needs no rewrite */
    FUNCTION_VOLATILE, /* another result for each row, and no effect that anybody could mind */
    FUNCTION_SEQUENCE, /* nextval, setval: moves a sequence */
    FUNCTION_SETTING,  /* set_config */
    FUNCTION_UNKNOWN   /* anything may happen */
};

enum function_nature function_nature(const PgQuery__FuncCall *call);

/* The worst nature of the calls in a tree; FUNCTION_STABLE where there is none. */
enum function_nature function_worst(const ProtobufCMessage *tree);

#endif
