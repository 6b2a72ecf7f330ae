/* Old and new shape side by side (docs/design.md §8): what a rename or another type would take from code
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
    bool big;                  /* the new type is bigint */
    bool whole;                /* the type becomes, or stays, one that an identity can have */
    char *old_name, *new_name; /* owned, not quoted; new_name: until the contract */
    char *from, *to;           /* owned: the same, quoted */
    char *type;                /* owned: of the new column */
    char *collation;           /* owned: " COLLATE …", or "" */
    char *up;                  /* owned: the new value, from the row's columns */
    char *down;                /* owned: the old value; NULL: nobody writes the new column,
        so it only follows */
    char *row_up, *row_down;   /* owned: the same where the row is NEW */
    bool written;              /* the expressions are the author's */
    bool takes_old_name;       /* the contract gives the new column the old one's name */
    bool replaces_path;        /* the expressions may name what only the migration's search_path finds */
};

void coexist_clear(struct coexist *pair);

/* False, with findings, if something hangs on the old column that cannot be carried to the new one
 * (coexist_check.c). */
bool coexist_check(const struct coexist *pair);
/* Why no column of the table can be replaced by others that a trigger keeps in step; NULL: it can. */
const char *coexist_obstacle(const struct catalog_table *table);
/* False, with findings, if something hangs on a column that goes, and is not its author's to carry. */
bool coexist_is_free(const struct place *place, const struct catalog_table *table,
                     const struct catalog_column *column);

/* ---- the trigger that keeps columns in step (coexist_trigger.c) ---- */

struct sync_column {
    const char *name;         /* quoted */
    const char *type;
    const char *value;        /* what the other side makes it, where the row is NEW */
    const char *default_text; /* NULL: none */
    bool default_volatile;
};

struct sync_side {
    const struct sync_column *columns;
    size_t count; /* at least 1 */
};

struct sync {
    struct sync_side old, new;
    int64_t version; /* from here on a session knows the new columns */
    bool follows;    /* nobody writes the new columns */
};

/* The text of the trigger's function. Owned by the caller. */
char *sync_function(const struct sync *sync);
/* A default that holds for sessions which say that they know the new columns. Owned by the caller. */
char *sync_default(const char *text, int64_t version);

/* Lets PostgreSQL read expressions of the author's, before a trigger evaluates them for the application. */
void sync_try(struct place *place, enum emit_alone alone, const char *table, const char *expressions);

/* Names of a trigger and its function. */
struct sync_trigger {
    char *table, *trigger, *function; /* owned, quoted */
};

struct sync_trigger sync_trigger_open(struct place *place, const struct catalog_table *table,
                                      const char *columns, const char *label);
void sync_trigger_close(struct sync_trigger *trigger);
void sync_trigger_create(struct place *place, const struct sync_trigger *trigger, enum emit_alone alone,
                         bool keeps_path, const char *note, const char *body);
/* The first statements of a transaction of the contract. */
void sync_trigger_drop(struct place *place, const struct sync_trigger *trigger, const char *note);
void sync_trigger_undo(struct place *place, const struct sync_trigger *trigger);

/* ---- what hangs on the old column ---- */

/* What the old column has, for the new one (coexist_carry.c): in the expand, in the backfill, and with the
 * contract's last transaction, where the new ones get the names of the old ones. */
void coexist_carry_settings(const struct coexist *pair);
void coexist_carry_objects(const struct coexist *pair);
void coexist_settle(const struct coexist *pair);

/* A constraint by its statement, NOT VALID, then validated, with its comment; NULL: it is refused. */
void coexist_add_constraint(const struct coexist *pair, enum plan_section section,
                            const struct catalog_constraint *constraint, const char *table, const char *name,
                            const char *statement);

/* Foreign keys (coexist_key.c): in the backfill; before, in (twice: before the old column goes, and when the
 * new one has taken over) and behind the contract's transaction. */
void coexist_carry_keys(const struct coexist *pair);
void coexist_part_keys(const struct coexist *pair);
void coexist_swap_keys(const struct coexist *pair, bool swapped);
void coexist_settle_keys(const struct coexist *pair);

/* Views, policies and triggers (coexist_depend.c). True if this one is carried; before the contract's
 * transaction; in it, before the old column goes and when the new one has taken over. */
bool coexist_carries(const struct coexist *pair, const struct catalog_dependent *dependent);
void coexist_part_dependents(const struct coexist *pair);
void coexist_swap_dependents(const struct coexist *pair, bool swapped);

/* An identity, in the contract's last transaction (coexist_identity.c): the new column becomes one before the
 * old one goes, and its sequence has the old one's name once that is free. Nothing for other columns. */
void coexist_take_identity(const struct coexist *pair);
void coexist_settle_identity(const struct coexist *pair);

/* A text of the catalog with the name where its "%s" are. Owned by the caller. */
char *coexist_put_name(const char *text, const char *name);
/* The last part of a quoted name, without its quotes. Owned by the caller. */
char *coexist_plain_name(const char *quoted);
/* The name of what belongs to the new column, until the contract. Owned by the caller. */
char *coexist_name_beside(const struct coexist *pair, const char *name);

/* True if the object is about the column with this number. */
bool coexist_concerns(const int *columns, size_t count, int number);

/* True if the quoted name, as a constraint has it, is that of the table. */
bool coexist_is_table(const struct catalog_table *table, const char *name);

/* A foreign key that refers to the column: of another table, or of its own (coexist_check.c). */
bool coexist_refers(const struct coexist *pair, const struct catalog_constraint *constraint);

/* ---- definitions for other columns (redefine.c) ---- */

struct redefine_name {
    const char *from, *to;
};

struct redefine {
    const struct redefine_name *own; /* columns of the table */
    size_t own_count;
    const struct redefine_name *referred; /* columns of the one that a foreign key refers to */
    size_t referred_count;
    const char *object; /* the new name of the index, constraint or statistics; NULL: as it is */
};

/* The statement with columns and its object under other names; an index is built CONCURRENTLY. NULL if it
 * cannot be read. Owned by the caller. */
char *redefine(const char *statement, const struct redefine *change);

/* When a definition is used that has the columns which the file has replaced. */
enum replaced_time {
    REPLACED_BESIDE, /* all new columns are beside the old ones */
    REPLACED_BEFORE, /* in the contract: the pair's is, those before it have taken over */
    REPLACED_BY_THEN /* the pair's has, too */
};

/* The columns that the file has replaced so far, of the pair's table, or of the one of that (quoted) name,
 * and what stands in for them then. Owned by the caller. (coexist_key.c) */
struct redefine_name *coexist_replaced(const struct coexist *pair, const char *table,
                                       enum replaced_time time, size_t *count);

struct redefine_column {
    const struct catalog_table *table;
    const char *from, *to;
};

/* The SELECT of a view for columns that have other names, but are shown under the old ones. NULL: it cannot
 * be told whose each column is. Owned by the caller. (redefine_view.c) */
char *redefine_view(const char *definition, const struct redefine_column *columns, size_t count);

/* True if a foreign key's definition refers to the column of that name. */
bool redefine_refers_to(const char *statement, const char *column);

#endif
