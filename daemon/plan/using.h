/* The directive `using`: how values of one shape become those of another, as the author says it. */
#ifndef PLAN_USING_H
#define PLAN_USING_H

#include "statement.h"

#include <schemagate/plan/catalog.h>

/* What stands before the statement, or NULL; from here on it counts as used. `assigns`: `split` or
 * `merge`. */
const struct using *using_of(struct statement *statement, bool assigns);

/* The names that an expression may use. */
struct using_names {
    struct statement *statement; /* that the expression is for */
    const struct catalog_table *table;
    char *const *others; /* columns that are not there yet */
    size_t other_count;
    char *const *hidden; /* columns of the table that it must not name */
    size_t hidden_count;
};

/* The expression where columns are those of the row NEW. NULL if it is no single expression, asks other
 * rows, or names anything else, a generated column among it. Owned by the caller. */
char *using_in_row(const char *expression, const struct using_names *names);
/* What is to be said of an expression (%s) for which it is NULL. */
#define USING_NO_EXPRESSION \
    "'%s' is no expression of this row's columns (generated ones do not count: they come last)"

/* "a = 1, b = upper(c)": names without quotes, expressions as they were written. */
struct assignment {
    char *name, *expression; /* owned */
};

/* False if the text is no such list, or names a column twice. Owned by the caller. */
bool using_assignments(const char *text, struct assignment **assignments, size_t *count);
void using_free_assignments(struct assignment *assignments, size_t count);

#endif
