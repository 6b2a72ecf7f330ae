/* The columns that one `split` or `merge` directive is about. */
#ifndef PLAN_SHAPES_H
#define PLAN_SHAPES_H

#include "coexist.h"

/* A column of one of both sides. */
struct member {
    char *name, *quoted;  /* owned */
    char *expression;     /* owned: its value, from the other side */
    char *row_value;      /* owned: the same, where the row is NEW */
    char *type;           /* owned; NULL: no statement has been about it yet */
    char *collation;      /* owned: " COLLATE …", or "" */
    char *default_text;   /* owned; NULL: none */
    bool default_volatile, not_null, cascades;
};

struct members {
    struct member *items; /* owned */
    size_t count;
};

struct shapes {
    const struct catalog_table *table;
    size_t offset; /* of the directive */
    const char *word;
    struct members old, new;
    bool refused; /* a finding says why: its statements are not looked at any more */
};

/* Those that the operation of the place adds a column of, or drops one, and which; NULL: none. */
struct shapes *shapes_find(const struct place *place, struct member **member);

/* Every column has been added or dropped. */
bool shapes_are_complete(const struct shapes *shapes);

/* Reports why the column cannot be one of them; its statements are not looked at any more. */
void shapes_refuse(struct place *place, struct shapes *shapes, const char *column, const char *why);

/* What `from` makes of each member, with commas in between. Owned by the caller. */
char *shapes_list(const struct members *members, char *(*from)(const struct member *member));

#endif
