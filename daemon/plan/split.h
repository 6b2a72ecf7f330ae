/* Splitting a file without sections: each operation goes to the phase where it is safe, in the form in
 * which it is safe (docs/design.md §8).
 *
 *   statement → operations → a row of the table in split.c: phase and form
 *                          → must it follow something that landed later? (depend.c)
 *                          → form_*: statements by emit.c, and what takes them back (undo.c) */
#ifndef PLAN_SPLIT_H
#define PLAN_SPLIT_H

#include "emit.h"
#include "operation.h"

struct depend;
struct shapes; /* shapes.h */

/* A column that the file has replaced by another one. */
struct replaced {
    const struct catalog_table *table;
    char *old_name, *new_name; /* owned, not quoted */
    bool takes_old_name;       /* in the contract */
    bool follows;              /* nobody writes the new column before */
};

struct split {
    struct reader *reader;
    struct depend *depend;
    char **created; /* owned: quoted names of tables that the file creates: their locks hold up nobody */
    size_t created_count;
    char **names; /* owned: names that were chosen for what has none */
    size_t name_count;
    struct replaced *replaced; /* owned */
    size_t replaced_count;
    struct shapes **shapes; /* owned: columns that are split or merged */
    size_t shape_count;
    bool search_path; /* the file has set it */
    bool filled;      /* a new table has got rows of other tables */
    const char *no_undo; /* static: why the file cannot be undone; NULL: it can */
    struct envelope {
        bool opened, closed; /* the BEGIN that stands before all, and the COMMIT behind all */
        size_t start;        /* of the BEGIN */
        bool statements;     /* one that counts has been seen */
    } envelope;
};

/* One operation on its way to its phase. */
struct place {
    struct split *split;
    struct statement *statement;
    const struct operations *all; /* those of the statement */
    const struct operation *operation;
    enum plan_section section; /* where it belongs, and all that is not said to be elsewhere */
    const char *why;           /* static: why there */
    bool whole;                /* the statement, with all of its operations */
};

typedef void form(struct place *place);

/* ---- what forms are made of (form.c) ---- */

/* Adds a generated statement with its note; locks of tables that the file creates are left out. */
struct plan_statement *form_emit(struct place *place, enum plan_section section, enum emit_alone alone,
                                 const char *note, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

/* The same for a statement that changes rows: it runs in batches where it can. */
struct plan_statement *form_rows(struct place *place, enum plan_section section, const char *note,
                                 const char *format, ...) __attribute__((format(printf, 4, 5)));

/* The same, behind "ALTER TABLE name ". */
struct plan_statement *form_alter(struct place *place, enum plan_section section, enum emit_alone alone,
                                  const char *note, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

/* The whole statement as it stands, or this command of an ALTER TABLE. */
struct plan_statement *form_as_written(struct place *place, enum emit_alone alone);

/* What it would have to look at has been looked at: it takes a moment. */
void form_is_prepared(struct plan_statement *added);

/* The table, quoted. Owned by the caller. */
char *form_table(const struct place *place);

/* Notes a quoted name as one that the file creates. */
void form_created(struct split *split, const char *relation);

/* A name that neither the catalog nor this file has given yet: `name`, or `name` with a number. Takes over
 * `name`; the result belongs to the split. */
const char *form_free_name(struct place *place, char *name);

/* Reports that there is no form in which the operation is safe; an `allow` lets it run as it is written. */
void form_refuse(struct place *place, enum plan_rule_id rule, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* True if an `allow` of that rule stands before the statement. */
bool form_is_allowed(const struct place *place, enum plan_rule_id rule);

bool form_is_partitioned(const struct place *place);

/* ---- the forms, by file ---- */

form form_written, form_separate;                              /* form.c */
form form_create_index, form_drop_index, form_reindex;         /* form_index.c */
form form_add_constraint, form_add_unique, form_set_not_null;  /* form_constraint.c */
form form_add_column;                                          /* form_column.c */
form form_attach;                                              /* form_attach.c */
form form_detach, form_partitioned_index;                      /* form_partition.c */
form form_rename_column, form_retype;                          /* coexist.c */
form form_rename_table;                                        /* coexist_table.c */
form form_drop_required;                                       /* coexist_column.c */
form form_split;                                               /* coexist_split.c */
form form_data, form_no_safe_form, form_reshape, form_opaque;  /* form_other.c */

/* True if old and new shape can be there at once: what is renamed or retyped begins in the expand. */
bool form_coexists(const struct place *place);

/* Takes up a `split` or `merge` that stands before the statement; at the end reports what is missing. */
void split_columns_open(struct place *place);
void split_columns_finish(struct split *split);
/* True if the operation adds or drops a column that is split or merged. */
bool form_is_split(const struct place *place);

/* True if the column that goes has to accept NULL before: new code, which does not know it, inserts rows. */
bool form_must_relax(const struct operation *operation);
/* SET NOT NULL with something to fill NULLs with; false: there is nothing. */
bool form_fill_not_null(struct place *place);

/* The steps of SET NOT NULL without a scan under the lock. */
void form_not_null(struct place *place, enum plan_section section, const char *column);

/* A constraint of the table that is added without a look at its rows, then validated. `body`: from its
 * key word on ("CHECK (…)"). */
void form_validated(struct place *place, enum plan_section section, const char *name, const char *body);

/* UNIQUE or PRIMARY KEY by way of an index that is built CONCURRENTLY. `column`: of a column's
 * constraint, else NULL; [start, end): the constraint's text. */
void form_unique_by_index(struct place *place, enum plan_section section,
                          const PgQuery__Constraint *constraint, const char *column, size_t start,
                          size_t end);

/* ---- taking back (undo.c) ---- */

/* Adds what takes the operation back, or notes that nothing can. */
void undo_derive(struct place *place);
void undo_add(struct place *place, const char *format, ...) __attribute__((format(printf, 2, 3)));
void undo_add_as(struct place *place, enum emit_alone alone, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
bool undo_record(struct place *place); /* undo_record.c; false: it is no record of a known form */
void undo_refuse(struct place *place, const char *why);
/* Reports why there is no undo, or declares an undo section. */
void undo_finish(struct split *split);

/* ---- order (depend.c) ---- */

struct depend *depend_new(void);
void depend_free(struct depend *depend);

/* The phase in which the statement can run at the earliest, given what it names and what landed later. */
enum plan_section depend_earliest(const struct depend *depend, const struct place *place);
/* Remembers where the operation went. */
void depend_note(struct depend *depend, const struct place *place);

#endif
