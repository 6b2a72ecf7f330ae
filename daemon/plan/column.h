/* What fills a column that ADD COLUMN describes. */
#ifndef PLAN_COLUMN_H
#define PLAN_COLUMN_H

#include "statement.h"

enum column_fill {
    COLUMN_EMPTY,     /* NULL */
    COLUMN_CONSTANT,  /* one value for all rows that are there: the catalog keeps it, no row is written */
    COLUMN_EACH,      /* a value of its own for each row: volatile default, serial, identity */
    COLUMN_GENERATED  /* computed from other columns and stored */
};

enum column_fill column_fill(const PgQuery__ColumnDef *column);
/* NOT NULL or PRIMARY KEY stands in it. */
bool column_is_not_null(const PgQuery__ColumnDef *column);
bool column_is_serial(const PgQuery__ColumnDef *column);
/* The constraint of that type in it, or NULL. */
const PgQuery__Constraint *column_constraint(const PgQuery__ColumnDef *column, PgQuery__ConstrType type);

#endif
