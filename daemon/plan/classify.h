/* What the readers of statements share while one is taken apart. */
#ifndef PLAN_CLASSIFY_H
#define PLAN_CLASSIFY_H

#include "operation.h"

struct classify {
    struct statement *statement;
    struct operations *operations;
    struct created *created;
    const PgQuery__Node *node; /* what is taken apart now: the statement, or an element of CREATE SCHEMA */
    const char *schema;        /* of CREATE SCHEMA, where names without one belong to it; else NULL */
};

/* A reader takes one kind of statement apart; `kind` is its row's. */
typedef void classify_read(struct classify *classify, const PgQuery__Node *node, enum operation_kind kind);

/* Reads a statement by its kind of node. */
void classify_node(struct classify *classify, const PgQuery__Node *node);

/* NULL for the empty texts that stand for none in the tree. */
const char *classify_text(const char *text);

/* A new operation with what holds for all of its kind; valid until the next one is added. */
struct operation *classify_add(struct classify *classify, enum operation_kind kind);

/* The same about a relation. */
struct operation *classify_add_on(struct classify *classify, enum operation_kind kind,
                                  const PgQuery__RangeVar *relation);

/* What the operation is about, once schema and table are there: is it new, what does the catalog say. */
void classify_look_up(struct classify *classify, struct operation *operation, enum created_kind kind);

/* A second table: NULL where nobody uses it yet. */
void classify_set_other(struct classify *classify, struct operation *operation,
                        const PgQuery__RangeVar *relation, enum plan_lock lock);

/* The schema that a relation is in, as it was written. */
const char *classify_schema(const struct classify *classify, const PgQuery__RangeVar *relation);
bool classify_is_new(const struct classify *classify, const PgQuery__RangeVar *relation);

/* Remembers what the operation creates, unless it may have been there before (IF NOT EXISTS, OR REPLACE):
 * only the catalog can tell then. True if it is new. */
bool classify_remember(struct classify *classify, const struct operation *operation, enum created_kind kind,
                       bool may_exist);

/* A list of names, or whatever else names an object: schema and last name. False where there is none. */
bool classify_names(const PgQuery__Node *named, const char **schema, const char **name);
void classify_name_list(PgQuery__Node *const *names, size_t count, const char **schema, const char **name);

/* Parts of statements (classify_*.c). */
void classify_add_column(struct classify *classify, const PgQuery__AlterTableStmt *alter,
                         const PgQuery__AlterTableCmd *command, size_t start, size_t end);
void classify_add_constraint(struct classify *classify, const PgQuery__RangeVar *relation,
                             const PgQuery__Constraint *constraint, const PgQuery__AlterTableCmd *command,
                             const PgQuery__ColumnDef *column);
/* The calls and the statements inside of a query. */
void classify_query(struct classify *classify, const PgQuery__Node *query);
/* The column that CHECK (column IS NOT NULL) speaks of, or NULL. */
const char *classify_not_null_column(const PgQuery__Node *check);
/* A validated CHECK says so of the column. */
void classify_prove_not_null(struct classify *classify, const struct operation *operation,
                             const char *column);
/* True if ALTER COLUMN TYPE writes no row and changes no value (widening.c). */
bool classify_widens(const struct catalog_table *table, const char *column,
                     const PgQuery__ColumnDef *new_type);

classify_read classify_alter_table, classify_rename, classify_drop, classify_set_schema, classify_set_owner,
    classify_comment, classify_label, classify_create_table, classify_create_foreign_table,
    classify_create_table_as, classify_create_index, classify_create_view, classify_create_schema,
    classify_create_sequence, classify_alter_sequence, classify_create_trigger, classify_create_rule,
    classify_create_policy, classify_alter_policy, classify_create_type, classify_create_composite,
    classify_alter_enum, classify_create_domain, classify_alter_domain, classify_create_function,
    classify_alter_function, classify_define, classify_create_statistics, classify_create_extension,
    classify_create_publication, classify_alter_publication, classify_grant, classify_grant_role,
    classify_default_privileges, classify_role, classify_truncate, classify_lock, classify_vacuum,
    classify_cluster, classify_reindex, classify_refresh, classify_select, classify_insert, classify_update,
    classify_delete, classify_merge, classify_copy, classify_explain, classify_set, classify_plain,
    classify_additive, classify_removes;

#endif
