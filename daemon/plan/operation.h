/* What a statement does, taken apart: ALTER TABLE with three commands is three operations, CREATE SCHEMA
 * with elements one for each. Findings are about operations, and a file without markers is split by them.
 *
 *   statement → operations (classify*.c) → findings (judge*.c)
 *                                        → phases and safe forms (split*.c, forms*.c, coexist*.c) → emit.c
 */
#ifndef PLAN_OPERATION_H
#define PLAN_OPERATION_H

#include "statement.h"

#include <schemagate/plan/catalog.h>
#include <schemagate/plan/work.h>

/* What an operation means to code that was written before it. The order is that of care: a statement is of
 * the class of its most dangerous operation. */
enum operation_class {
    CLASS_BOOKKEEPING, /* a migration tool's own tables: they stay in expand */
    CLASS_SESSION,     /* SET, RESET: for the statements behind it */
    CLASS_ADDITIVE,    /* old and new code go on, and no lock stops them for long */
    CLASS_UNSAFE,      /* additive in an unsafe form: it stops the application; another form would not */
    CLASS_DATA,        /* INSERT, UPDATE, DELETE, MERGE, COPY … FROM */
    CLASS_TIGHTENS,    /* rows that old code writes would be refused */
    CLASS_REMOVES,     /* what old code names would be gone, renamed, of another type, or forbidden */
    CLASS_TRANSACTION, /* BEGIN, COMMIT and the like */
    CLASS_OPAQUE,      /* DO, CALL, functions with effects: cannot be read */
    CLASS_UNKNOWN,     /* nothing is known about it: it is placed nowhere */
    OPERATION_CLASSES
};

/* One row an operation in operation_kinds. Names are stable: golden files and --explain show them. */
enum operation_kind {
    /* schemas, tables */
    OP_CREATE_SCHEMA,
    OP_CREATE_TABLE,
    OP_CREATE_TABLE_AS,
    OP_DROP_TABLE,
    OP_RENAME_TABLE,
    OP_SET_SCHEMA,
    OP_SET_OWNER,
    OP_SET_TABLESPACE, /* also SET LOGGED, SET ACCESS METHOD: the table is written anew */
    OP_SET_STORAGE,    /* storage parameters, statistics targets, comments on storage */
    OP_INHERIT,
    OP_ATTACH_PARTITION,
    OP_DETACH_PARTITION,
    OP_TRUNCATE,
    OP_REPLICA_IDENTITY,
    /* columns */
    OP_ADD_COLUMN,
    OP_DROP_COLUMN,
    OP_RENAME_COLUMN,
    OP_COLUMN_TYPE,
    OP_SET_DEFAULT,
    OP_DROP_DEFAULT,
    OP_SET_NOT_NULL,
    OP_DROP_NOT_NULL,
    OP_ADD_IDENTITY, /* also SET GENERATED */
    OP_DROP_IDENTITY,
    OP_DROP_EXPRESSION,
    /* constraints */
    OP_ADD_CHECK,
    OP_ADD_FOREIGN_KEY,
    OP_ADD_UNIQUE,
    OP_ADD_PRIMARY_KEY,
    OP_ADD_EXCLUDE,
    OP_ADD_USING_INDEX,
    OP_VALIDATE,
    OP_DROP_CONSTRAINT,
    OP_RENAME_CONSTRAINT,
    OP_ALTER_CONSTRAINT,
    /* indexes */
    OP_CREATE_INDEX,
    OP_DROP_INDEX,
    OP_RENAME_INDEX,
    OP_REINDEX,
    OP_CLUSTER, /* also VACUUM FULL */
    OP_VACUUM,  /* VACUUM, ANALYZE */
    /* views, rules, triggers, policies */
    OP_CREATE_VIEW,
    OP_REPLACE_VIEW,
    OP_DROP_VIEW,
    OP_REFRESH_VIEW,
    OP_CREATE_TRIGGER,
    OP_ENABLE_TRIGGER,
    OP_DISABLE_TRIGGER,
    OP_DROP_TRIGGER,
    OP_CREATE_RULE,
    OP_DROP_RULE,
    OP_CREATE_POLICY,
    OP_DROP_POLICY,
    OP_ROW_SECURITY,
    /* types, domains, sequences, functions, extensions */
    OP_CREATE_TYPE,
    OP_ADD_ENUM_VALUE,
    OP_RENAME_ENUM_VALUE,
    OP_ALTER_TYPE,
    OP_DROP_TYPE,
    OP_CREATE_DOMAIN,
    OP_TIGHTEN_DOMAIN,
    OP_LOOSEN_DOMAIN,
    OP_CREATE_SEQUENCE,
    OP_ALTER_SEQUENCE,
    OP_DROP_SEQUENCE,
    OP_CREATE_FUNCTION,
    OP_REPLACE_FUNCTION,
    OP_ALTER_FUNCTION,
    OP_DROP_FUNCTION,
    OP_CREATE_EXTENSION,
    OP_ALTER_EXTENSION,
    OP_DROP_EXTENSION,
    OP_CREATE_OTHER, /* collations, casts, operators, text search, statistics, servers, publications … */
    OP_ALTER_OTHER,
    OP_DROP_OTHER,
    OP_RENAME_OTHER,
    OP_COMMENT, /* also SECURITY LABEL */
    /* rights */
    OP_GRANT,
    OP_REVOKE,
    OP_ROLE, /* CREATE, ALTER, DROP ROLE; default privileges */
    /* data and the rest */
    OP_SELECT, /* without effects that can be read */
    OP_INSERT,
    OP_UPDATE,
    OP_DELETE,
    OP_MERGE,
    OP_COPY,
    OP_SET,
    OP_LOCK_TABLE,
    OP_TRANSACTION,
    OP_OPAQUE,
    OP_SERVER, /* CREATE DATABASE, ALTER SYSTEM, CHECKPOINT, LISTEN …: not a migration's business */
    OP_UNKNOWN,
    OPERATION_KINDS
};

/* What holds for every operation of a kind; classify.c moves away from it where the details say so. */
struct operation_row {
    const char *name; /* "add-column" */
    enum operation_class class;
    enum plan_lock lock; /* on its table */
};

extern const struct operation_row operation_kinds[OPERATION_KINDS];

const char *operation_class_name(enum operation_class class);

struct operation {
    enum operation_kind kind;
    enum operation_class class;
    enum plan_lock lock;  /* on `table` while the statement runs as it is written */
    bool rewrites, scans; /* the table, while the lock is held */
    bool on_new;          /* about an object that the same file creates: nothing of it matters to anyone */
    bool cascade, if_exists, concurrently, not_valid;

    /* Names as they were written, not quoted; schema NULL: by search_path. Borrowed from the tree. */
    const char *schema, *table; /* the table, view, type or whatever it is about; NULL: none */
    const char *column;         /* or NULL */
    const char *object;         /* constraint, index, trigger, new name …; or NULL */
    const struct catalog_table *known; /* what the catalog says about `table`; NULL: not asked, not there */

    /* A second table that is locked: what a foreign key refers to, a partition, an inherited table. */
    const char *other_schema, *other_table;
    enum plan_lock other_lock;

    const PgQuery__Node *node;             /* the statement */
    const PgQuery__AlterTableCmd *command; /* of ALTER TABLE; else NULL */
    /* What ADD CONSTRAINT adds, or stands in a column's definition: then `command` is ADD COLUMN, whose own
     * operation comes before. NULL for all else. */
    const PgQuery__Constraint *constraint;
    size_t start, end; /* of its own text in the file: the command of ALTER TABLE, else the statement */
};

struct operations {
    struct operation *items; /* owned */
    size_t count;
};

/* Takes the statement apart (classify.c). Frees nothing of the tree. What it creates is remembered in the
 * reader: statements have to be read in the order in which they run. */
void operations_read(struct statement *statement, struct operations *operations);
/* "schema.table.column" or "table.constraint", as far as it is said; "" where nothing is. Owned by the
 * caller. */
char *operation_object(const struct operation *operation);

/* Puts them into the plan, to be shown. */
void operations_note(struct statement *statement, const struct operations *operations);
void operations_free(struct operations *operations);

/* The most dangerous class among them; CLASS_UNKNOWN where there is none. */
enum operation_class operations_class(const struct operations *operations);

#endif
