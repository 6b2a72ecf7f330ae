/* What the statements so far have created: nobody else has seen it yet. */
#ifndef PLAN_CREATED_H
#define PLAN_CREATED_H

#include <stdbool.h>

enum created_kind {
    CREATED_RELATION, /* table, view, index, sequence: they share their names */
    CREATED_TYPE,
    CREATED_DOMAIN, /* a type with rules: a column of it is written by a rewrite */
    CREATED_FUNCTION,
    CREATED_SCHEMA,
    CREATED_OTHER,
    CREATED_COLUMN,   /* of a table that was there before; nullable and without default */
    CREATED_FILLED,   /* the same with a default, or NOT NULL */
    CREATED_MEMBER,   /* constraint, trigger, policy or rule of a table that was there before */
    CREATED_INDEX,    /* on a table that was there before */
    CREATED_NOT_NULL, /* a CHECK not validated; `member` names the constraint, the value is its column */
    CREATED_RELAXED,  /* a column that was there before and need not be given any more */
    CREATED_FILLER,   /* a table whose new trigger may fill what INSERT leaves out */
    CREATED_DROPPED,  /* the name of something that is gone by then */
    CREATED_PROOF     /* a validated CHECK (column IS NOT NULL); `member` names the column */
};

struct created_entry;
struct created {
    struct created_entry *entries; /* a hash table */
};

/* Names as they were written; schema and member may be NULL. `value` is copied; NULL: none. */
void created_add(struct created *created, enum created_kind kind, const char *schema, const char *name,
                 const char *member, const char *value);
void created_remove(struct created *created, enum created_kind kind, const char *schema, const char *name,
                    const char *member);
bool created_has(const struct created *created, enum created_kind kind, const char *schema, const char *name,
                 const char *member);
/* The value that was given; NULL where there is none. */
const char *created_value(const struct created *created, enum created_kind kind, const char *schema,
                          const char *name, const char *member);

/* search_path changes: names without a schema mean other things from here on. */
void created_forget_unqualified(struct created *created);
void created_clear(struct created *created);

#endif
