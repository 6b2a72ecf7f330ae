/* Old and new shape side by side (DESIGN.md section 8): what a rename or another type would take from code
 * that is running stays until the contract, and both shapes are kept in step by a trigger.
 *
 *   expand    the new column, and the trigger that keeps it in step: one transaction
 *   backfill  the rows that were there; then NOT NULL, constraints and indexes, as the old column has them
 *   contract  the old column and the trigger go: one transaction
 *   undo      the trigger and the new column go
 */
#ifndef PLAN_COEXIST_H
#define PLAN_COEXIST_H

#include "split.h"
#include "using.h"

/* Two columns of a table that say the same. */
struct coexist {
    struct place *place;
    const struct catalog_table *table;
    const struct catalog_column *old;
    char *old_name, *new_name; /* owned, not quoted; new_name: until the contract */
    char *from, *to;           /* owned: the same, quoted */
    char *type;                /* owned: of the new column */
    char *collation;           /* owned: " COLLATE …", or "" */
    char *up;                  /* owned: the new value, from the row's columns */
    char *down;                /* owned: the old value; NULL: nobody writes the new column,
        so it only follows */
    char *row_up, *row_down;   /* owned: the same where the row is NEW */
    bool takes_old_name;       /* the contract gives the new column the old one's name */
    bool replaces_path;        /* the expressions may name what only the migration's search_path finds */
    const char *object;        /* name of trigger and function; the split's */
};

void coexist_clear(struct coexist *pair);

/* False, with findings, if something hangs on the old column that cannot be carried to the new one
 * (coexist_check.c). */
bool coexist_check(const struct coexist *pair);

/* The text of the trigger's function, and the new column's default while both are there (NULL: none).
 * (coexist_trigger.c) */
char *coexist_function(const struct coexist *pair);
char *coexist_default(const struct coexist *pair);

/* What the old column has, for the new one (coexist_carry.c): in the expand, in the backfill, and with the
 * contract's last transaction, where the new ones get the names of the old ones. */
void coexist_carry_settings(const struct coexist *pair);
void coexist_carry_objects(const struct coexist *pair);
void coexist_part(const struct coexist *pair);
void coexist_settle(const struct coexist *pair);

/* True if the object is about the column with this number. */
bool coexist_concerns(const int *columns, size_t count, int number);

/* The statement with one column under another name, and its object (index, constraint, statistics) under the
 * name `object`; an index is built CONCURRENTLY. NULL if it cannot be read. Owned by the caller.
 * (redefine.c) */
char *redefine(const char *statement, const char *from, const char *to, const char *object);

/* True if a foreign key's definition refers to the column of that name. */
bool redefine_refers_to(const char *statement, const char *column);

#endif
