/* Judging operations: one table of what is found in which section. */
#include "judge.h"

#include "allocate.h"
#include "column.h"
#include "effort.h"
#include "emit.h"
#include "function.h"

#include <stdlib.h>
#include <string.h>

/* Where a row holds. While expand and backfill run, and until the contract, the old release is in use. In a
 * file without markers, what breaks it has been moved, and what locks has got another form: remarks are
 * left. */
enum where { IN_EXPAND, ANYWHERE, REMARK_IN_EXPAND, REMARK };

typedef bool condition(const struct operation *operation);

static bool breaks(const struct operation *operation)
{
    return operation->class == CLASS_REMOVES || operation->class == CLASS_TIGHTENS;
}

static bool removes(const struct operation *operation)
{
    return operation->class == CLASS_REMOVES;
}

static bool tightens(const struct operation *operation)
{
    return operation->class == CLASS_TIGHTENS;
}

static bool opaque(const struct operation *operation)
{
    return operation->class == CLASS_OPAQUE;
}

static bool harms(const struct operation *operation)
{
    return operation->class != CLASS_ADDITIVE;
}

static bool blocks(const struct operation *operation)
{
    return !operation->concurrently;
}

static bool scans(const struct operation *operation)
{
    return operation->scans;
}

static bool rewrites(const struct operation *operation)
{
    return operation->rewrites;
}

static bool is_unsafe(const struct operation *operation)
{
    return operation->class == CLASS_UNSAFE;
}

static bool cascades(const struct operation *operation)
{
    return operation->cascade;
}

static bool fills_by_number(const struct operation *operation)
{
    const PgQuery__ColumnDef *column = operation->command->def->column_def;

    return operation->rewrites && column_fill(column) == COLUMN_EACH
           && (column_is_serial(column)
               || column_constraint(column, PG_QUERY__CONSTR_TYPE__CONSTR_IDENTITY) != NULL);
}

static bool fills_by_function(const struct operation *operation)
{
    return operation->rewrites && column_fill(operation->command->def->column_def) == COLUMN_EACH
           && !fills_by_number(operation);
}

static bool fills_by_generation(const struct operation *operation)
{
    return operation->rewrites && column_fill(operation->command->def->column_def) == COLUMN_GENERATED;
}

static bool fills_by_domain(const struct operation *operation)
{
    return operation->rewrites && column_fill(operation->command->def->column_def) < COLUMN_EACH;
}

static bool is_json(const struct operation *operation)
{
    const PgQuery__TypeName *type = operation->command->def->column_def->type_name;
    const char *name = type == NULL ? NULL : node_string(type->names[type->n_names - 1]);

    return name != NULL && strcmp(name, "json") == 0;
}

static bool has_rules(const struct operation *operation)
{
    return operation->node->create_domain_stmt->n_constraints > 0;
}

const char required_column[] = "the new column {column} of {table} is NOT NULL and has no default";

static const struct {
    enum operation_kind kind; /* OPERATION_KINDS: any */
    enum where where;
    condition *when; /* NULL: always */
    enum plan_rule_id rule;
    const char *message;
} rows[] = {
    /* what the old release names is gone */
    {OP_DROP_TABLE, IN_EXPAND, removes, RULE_DROP_TABLE, "the table {table}{size} is dropped"},
    {OP_DROP_COLUMN, IN_EXPAND, removes, RULE_DROP_COLUMN, "the column {column} of {table} is dropped"},
    {OP_DROP_VIEW, IN_EXPAND, removes, RULE_DROP_OBJECT, "the view {table} is dropped"},
    {OP_DROP_TYPE, IN_EXPAND, removes, RULE_DROP_OBJECT, "the type {table} is dropped"},
    {OP_DROP_SEQUENCE, IN_EXPAND, removes, RULE_DROP_OBJECT, "the sequence {table} is dropped"},
    {OP_DROP_FUNCTION, IN_EXPAND, removes, RULE_DROP_OBJECT, "the function {table} is dropped"},
    {OP_DROP_EXTENSION, IN_EXPAND, removes, RULE_DROP_OBJECT, "the extension {table} is dropped"},
    {OP_DROP_OTHER, IN_EXPAND, removes, RULE_DROP_OBJECT, "{table} is dropped"},
    {OP_DROP_TRIGGER, IN_EXPAND, removes, RULE_DROP_OBJECT, "the trigger {name} of {table} is dropped"},
    {OP_DROP_RULE, IN_EXPAND, removes, RULE_DROP_OBJECT, "the rule {name} of {table} is dropped"},
    {OP_DROP_POLICY, IN_EXPAND, removes, RULE_DROP_OBJECT, "the policy {name} of {table} is dropped"},
    {OP_DROP_CONSTRAINT, IN_EXPAND, removes, RULE_DROP_CONSTRAINT,
     "the constraint {name} of {table} is dropped"},
    {OP_DROP_INDEX, IN_EXPAND, removes, RULE_DROP_INDEX, "the index {table} is dropped"},
    {OP_TRUNCATE, IN_EXPAND, removes, RULE_TRUNCATE, "all rows of {table}{size} are deleted"},
    {OP_RENAME_TABLE, IN_EXPAND, removes, RULE_RENAME_TABLE, "{table} is renamed to {name}"},
    {OP_RENAME_COLUMN, IN_EXPAND, removes, RULE_RENAME_COLUMN,
     "the column {column} of {table} is renamed to {name}"},
    {OP_RENAME_CONSTRAINT, IN_EXPAND, removes, RULE_RENAME_OBJECT,
     "a constraint of {table} is renamed to {name}"},
    {OP_RENAME_OTHER, IN_EXPAND, removes, RULE_RENAME_OBJECT, "{table} is renamed to {name}"},
    {OP_SET_SCHEMA, IN_EXPAND, removes, RULE_SET_SCHEMA, "{table} moves to the schema {name}"},
    {OP_SET_OWNER, IN_EXPAND, removes, RULE_SET_OWNER, "{table} is given to another owner"},
    {OP_DETACH_PARTITION, IN_EXPAND, removes, RULE_DETACH_PARTITION,
     "the partition {other} is taken out of {table}"},
    {OP_INHERIT, IN_EXPAND, removes, RULE_DETACH_PARTITION, "{table} inherits from {other} no more"},
    {OP_COLUMN_TYPE, IN_EXPAND, removes, RULE_COLUMN_TYPE, "the column {column} of {table} changes its type"},
    {OP_DROP_EXPRESSION, IN_EXPAND, removes, RULE_DROP_EXPRESSION,
     "the column {column} of {table} is computed no more"},
    {OP_DISABLE_TRIGGER, IN_EXPAND, removes, RULE_DISABLE_TRIGGER, "triggers of {table} are disabled"},
    {OP_ALTER_TYPE, IN_EXPAND, removes, RULE_ALTER_TYPE, "the type {table} gets another shape"},
    {OP_RENAME_ENUM_VALUE, IN_EXPAND, removes, RULE_RENAME_ENUM_VALUE,
     "a value of the type {table} is renamed to {name}"},
    {OP_ALTER_OTHER, IN_EXPAND, removes, RULE_ALTER_OBJECT, "something in use is changed"},
    {OP_REVOKE, IN_EXPAND, removes, RULE_REVOKE, "rights on {table} are revoked"},
    {OP_ROLE, IN_EXPAND, removes, RULE_CHANGE_ROLE, "a role, or what sessions begin with, is changed"},

    /* what the old release writes is refused */
    {OP_ADD_COLUMN, IN_EXPAND, tightens, RULE_ADD_COLUMN_NOT_NULL, required_column},
    {OP_SET_NOT_NULL, IN_EXPAND, tightens, RULE_SET_NOT_NULL,
     "the column {column} of {table} refuses NULL from here on"},
    {OP_DROP_DEFAULT, IN_EXPAND, tightens, RULE_DROP_DEFAULT,
     "the column {column} of {table} loses its default"},
    {OP_DROP_IDENTITY, IN_EXPAND, tightens, RULE_DROP_DEFAULT,
     "the column {column} of {table} is numbered no more"},
    {OP_ADD_IDENTITY, IN_EXPAND, tightens, RULE_GENERATED_ALWAYS,
     "the column {column} of {table} refuses values from here on"},
    {OP_ADD_CHECK, IN_EXPAND, tightens, RULE_ADD_CHECK, "{table} gets a CHECK"},
    {OP_ADD_FOREIGN_KEY, IN_EXPAND, tightens, RULE_ADD_FOREIGN_KEY, "{table} gets a foreign key"},
    {OP_ADD_UNIQUE, IN_EXPAND, tightens, RULE_ADD_UNIQUE, "{table} gets a UNIQUE constraint"},
    {OP_CREATE_INDEX, IN_EXPAND, tightens, RULE_ADD_UNIQUE, "{table} gets a unique index"},
    {OP_ADD_PRIMARY_KEY, IN_EXPAND, tightens, RULE_ADD_PRIMARY_KEY, "{table} gets a primary key"},
    {OP_ADD_USING_INDEX, IN_EXPAND, tightens, RULE_ADD_PRIMARY_KEY, "{table} gets a primary key"},
    {OP_ADD_EXCLUDE, IN_EXPAND, tightens, RULE_ADD_EXCLUDE, "{table} gets an EXCLUDE constraint"},
    {OP_ALTER_CONSTRAINT, IN_EXPAND, tightens, RULE_ALTER_CONSTRAINT,
     "the constraint {name} of {table} is checked at once"},
    {OP_TIGHTEN_DOMAIN, IN_EXPAND, tightens, RULE_TIGHTEN_DOMAIN, "the domain {table} takes fewer values"},
    {OP_ROW_SECURITY, IN_EXPAND, tightens, RULE_ROW_SECURITY, "row security of {table} is switched on"},
    {OP_CREATE_POLICY, IN_EXPAND, tightens, RULE_ROW_SECURITY,
     "the policy {name} of {table} takes rows away"},
    {OP_CREATE_TRIGGER, IN_EXPAND, tightens, RULE_ENABLE_TRIGGER, "{table} gets a constraint trigger"},
    {OP_ENABLE_TRIGGER, IN_EXPAND, tightens, RULE_ENABLE_TRIGGER, "triggers of {table} are enabled"},
    {OP_CREATE_RULE, IN_EXPAND, tightens, RULE_CREATE_RULE, "{table} gets the rule {name}"},
    {OP_ALTER_SEQUENCE, IN_EXPAND, tightens, RULE_ALTER_SEQUENCE, "the sequence {table} is changed"},
    {OP_CREATE_OTHER, IN_EXPAND, tightens, RULE_PUBLISH_TABLE, "tables are published"},
    {OP_ALTER_OTHER, IN_EXPAND, tightens, RULE_PUBLISH_TABLE, "{table} is published"},
    {OP_REPLICA_IDENTITY, IN_EXPAND, tightens, RULE_REPLICA_IDENTITY, "{table} gets no replica identity"},

    /* locks */
    {OP_CREATE_INDEX, ANYWHERE, blocks, RULE_INDEX_NOT_CONCURRENT,
     "the index is built while {table}{size} is locked"},
    {OP_DROP_INDEX, ANYWHERE, blocks, RULE_DROP_INDEX_NOT_CONCURRENT,
     "the index {table} is dropped while its table is locked"},
    {OP_REINDEX, ANYWHERE, blocks, RULE_REINDEX_NOT_CONCURRENT,
     "indexes are built while {table}{size} is locked"},
    {OP_REFRESH_VIEW, ANYWHERE, blocks, RULE_REFRESH_NOT_CONCURRENT,
     "{table}{size} is filled while it is locked"},
    {OP_ADD_COLUMN, ANYWHERE, fills_by_function, RULE_VOLATILE_DEFAULT,
     "the default of {column} is volatile: {table}{size} is rewritten"},
    {OP_ADD_COLUMN, ANYWHERE, fills_by_number, RULE_SERIAL_COLUMN,
     "the column {column} is numbered: {table}{size} is rewritten"},
    {OP_ADD_COLUMN, ANYWHERE, fills_by_generation, RULE_GENERATED_COLUMN,
     "the column {column} is computed: {table}{size} is rewritten"},
    {OP_ADD_COLUMN, ANYWHERE, fills_by_domain, RULE_DOMAIN_COLUMN,
     "the type of {column} is a domain: {table}{size} is rewritten"},
    {OP_ADD_CHECK, ANYWHERE, scans, RULE_CHECK_WITHOUT_NOT_VALID,
     "the CHECK looks at every row of {table}{size}"},
    {OP_ADD_FOREIGN_KEY, ANYWHERE, scans, RULE_FOREIGN_KEY_WITHOUT_NOT_VALID,
     "the foreign key looks at every row of {table}{size}"},
    {OP_ADD_UNIQUE, ANYWHERE, scans, RULE_UNIQUE_WITHOUT_INDEX,
     "the constraint builds an index while {table}{size} is locked"},
    {OP_ADD_PRIMARY_KEY, ANYWHERE, scans, RULE_UNIQUE_WITHOUT_INDEX,
     "the primary key builds an index while {table}{size} is locked"},
    {OP_ADD_USING_INDEX, ANYWHERE, scans, RULE_NOT_NULL_SCAN,
     "the primary key looks for NULLs in every row of {table}{size}"},
    {OP_ADD_EXCLUDE, ANYWHERE, scans, RULE_EXCLUDE_BUILDS_INDEX,
     "the constraint builds an index while {table}{size} is locked"},
    {OP_SET_NOT_NULL, ANYWHERE, scans, RULE_NOT_NULL_SCAN,
     "SET NOT NULL looks for NULLs of {column} in every row of {table}{size}"},
    {OP_COLUMN_TYPE, ANYWHERE, rewrites, RULE_TYPE_REWRITE,
     "the new type of {column} rewrites {table}{size}"},
    {OP_SET_TABLESPACE, ANYWHERE, is_unsafe, RULE_TABLE_REWRITE, "{table}{size} is rewritten"},
    {OP_CLUSTER, ANYWHERE, is_unsafe, RULE_TABLE_REWRITE, "{table}{size} is rewritten"},
    {OP_ATTACH_PARTITION, ANYWHERE, scans, RULE_ATTACH_SCAN, "every row of {other} is looked at"},
    {OP_DETACH_PARTITION, ANYWHERE, blocks, RULE_DETACH_NOT_CONCURRENT,
     "{table}{size} is locked while {other} is taken out of it"},
    {OP_LOCK_TABLE, ANYWHERE, is_unsafe, RULE_LOCK_TABLE, "{table} is locked"},
    {OP_TIGHTEN_DOMAIN, ANYWHERE, scans, RULE_DOMAIN_SCAN, "every column of the domain {table} is looked at"},

    /* the rest */
    {OP_DROP_NOT_NULL, REMARK_IN_EXPAND, NULL, RULE_DROP_NOT_NULL,
     "the column {column} of {table} may be NULL now"},
    {OP_REPLACE_VIEW, REMARK_IN_EXPAND, NULL, RULE_REPLACE_OBJECT, "the view {table} may be there already"},
    {OP_REPLACE_FUNCTION, REMARK_IN_EXPAND, NULL, RULE_REPLACE_OBJECT,
     "the function {table} may be there already"},
    {OP_ALTER_FUNCTION, REMARK_IN_EXPAND, NULL, RULE_REPLACE_OBJECT,
     "the function {table} works in another way"},
    {OP_CREATE_TRIGGER, REMARK_IN_EXPAND, NULL, RULE_CREATE_TRIGGER, "{table} gets the trigger {name}"},
    {OP_ADD_COLUMN, REMARK, is_json, RULE_JSON_COLUMN, "the new column {column} of {table} is json"},
    {OP_CREATE_DOMAIN, REMARK, has_rules, RULE_DOMAIN_WITH_CONSTRAINT, "the domain {table} has rules"},
    {OP_ADD_ENUM_VALUE, REMARK_IN_EXPAND, NULL, RULE_ENUM_VALUE, "the type {table} gets the value {name}"},
    {OP_UPDATE, IN_EXPAND, NULL, RULE_DATA_IN_EXPAND, "rows of {table}{size} are changed in expand"},
    {OP_MERGE, IN_EXPAND, NULL, RULE_DATA_IN_EXPAND, "rows of {table}{size} are changed in expand"},
    {OP_DELETE, IN_EXPAND, NULL, RULE_DELETE_ROWS, "rows of {table}{size} are deleted"},
    {OP_SERVER, ANYWHERE, harms, RULE_SERVER_STATEMENT, "this is not about one database's schema"},
    {OP_OPAQUE, ANYWHERE, opaque, RULE_OPAQUE_STATEMENT, "this cannot be read"},
    {OP_CREATE_EXTENSION, ANYWHERE, opaque, RULE_OPAQUE_STATEMENT, "the extension {table} runs a script"},
    {OP_ALTER_EXTENSION, ANYWHERE, opaque, RULE_OPAQUE_STATEMENT, "an extension runs a script"},
    {OP_UNKNOWN, ANYWHERE, NULL, RULE_UNKNOWN_STATEMENT, "nothing is known about this statement"},
    {OPERATION_KINDS, REMARK, cascades, RULE_CASCADE, "CASCADE takes along whatever depends on {table}"},
};

/* CREATE CONSTRAINT TRIGGER has had its word, and backfill is where data belong. */
static bool is_said_otherwise(const struct statement *statement, const struct operation *operation,
                              enum plan_rule_id rule)
{
    if (rule == RULE_CREATE_TRIGGER)
        return breaks(operation);
    return rule == RULE_DATA_IN_EXPAND && statement->section == PLAN_BACKFILL;
}

static bool is_early(enum plan_section section)
{
    return section == PLAN_EXPAND || section == PLAN_BACKFILL;
}

/* Nobody uses what is new; of a domain it is the making that has consequences. */
static bool is_judged(const struct operation *operation)
{
    return !operation->on_new || operation->kind == OP_CREATE_DOMAIN;
}

/* The rows from `least` on. */
static void judge_rows(struct statement *statement, const struct operation *operation,
                       enum plan_section section, enum where least)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        bool late = rows[i].where == ANYWHERE || rows[i].where == REMARK;

        if ((rows[i].kind == operation->kind || rows[i].kind == OPERATION_KINDS) && rows[i].where >= least
            && (late || is_early(section)) && (rows[i].when == NULL || rows[i].when(operation))
            && !is_said_otherwise(statement, operation, rows[i].rule))
            judge_report(statement, operation, rows[i].rule, rows[i].message);
    }
}

bool operation_allow_early(struct statement *statement, const struct operation *operation)
{
    for (size_t i = 0; operation->class == CLASS_TIGHTENS && i < sizeof(rows) / sizeof(rows[0]); i++)
        if (rows[i].kind == operation->kind && rows[i].when == tightens) {
            if (statement_allows(statement, rows[i].rule))
                judge_report(statement, operation, rows[i].rule, rows[i].message);
            return statement_allows(statement, rows[i].rule);
        }
    return false;
}

void operation_remark(struct statement *statement, const struct operation *operation,
                      enum plan_section section)
{
    if (operation->class == CLASS_BOOKKEEPING)
        return;
    if (statement->reader->style)
        judge_style(statement, operation);
    if (!is_judged(operation))
        return;
    judge_rows(statement, operation, section, REMARK_IN_EXPAND);
    judge_facts(statement, operation);
}

/* What may take as long as the table is large, under locks that stop nobody by themselves. */
static bool is_long(const struct operation *operation)
{
    return operation->kind == OP_VALIDATE || operation_effort(operation) == EFFORT_ROWS;
}

void judge_begin_transaction(struct reader *reader)
{
    free(reader->held.table);
    reader->held.table = NULL;
}

/* Statements share a transaction unless the section or PostgreSQL says otherwise. */
static bool begins_transaction(const struct statement *statement)
{
    return !statement->reader->sections[statement->section].atomic
           || !statement_is_transactional(statement->node);
}

static void judge_held(struct statement *statement, const struct operation *operation)
{
    const struct reader *reader = statement->reader;
    char *message;

    if (reader->held.table == NULL || !is_long(operation))
        return;
    message = allocate_text("this may take long while %s is locked %s since line %u", reader->held.table,
                            plan_lock_name(reader->held.lock), reader->held.line);
    judge_report(statement, operation, RULE_LONG_UNDER_LOCK, message);
    free(message);
}

static void hold(struct statement *statement, const struct operation *operation)
{
    struct reader *reader = statement->reader;
    bool other = operation->other_table != NULL && operation->other_lock >= LOCK_SHARE;

    if (operation->table == NULL || (operation->lock < LOCK_SHARE && !other))
        return;
    if (operation->on_new && !other)
        return;
    free(reader->held.table);
    reader->held.table = other ? emit_qualified(operation->other_schema, operation->other_table)
                               : emit_qualified(operation->schema, operation->table);
    reader->held.lock = other ? operation->other_lock : operation->lock;
    reader->held.line = text_locate(&reader->text, operation->start).line;
}

void operations_judge(struct statement *statement, const struct operations *operations)
{
    if (begins_transaction(statement))
        judge_begin_transaction(statement->reader);
    for (size_t i = 0; i < operations->count; i++) {
        const struct operation *operation = &operations->items[i];

        if (operation->class == CLASS_BOOKKEEPING)
            continue;
        if (statement->reader->style)
            judge_style(statement, operation);
        if (is_judged(operation)) {
            judge_rows(statement, operation, statement->section, IN_EXPAND);
            judge_facts(statement, operation);
            judge_held(statement, operation);
        }
    }
    for (size_t i = 0; i < operations->count; i++)
        hold(statement, &operations->items[i]);
    if (begins_transaction(statement))
        judge_begin_transaction(statement->reader);
}
