/* The directive `using`: how values of one shape become those of another, as the author says it. */
#ifndef PLAN_USING_H
#define PLAN_USING_H

#include "statement.h"

#include <schemagate/plan/catalog.h>

/* What stands before the statement, or NULL; from here on it counts as used. */
const struct using *using_of(struct statement *statement);

/* The expression where columns of the table, and the column `another`, are those of the row NEW. NULL if it
 * is no single expression, or asks other rows. Owned by the caller. */
char *using_in_row(const char *expression, const struct catalog_table *table, const char *another);

#endif
