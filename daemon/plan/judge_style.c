/* Rules of taste, for those who ask for them by style=on. */
#include "column.h"
#include "judge.h"

#include <string.h>

static bool is_bounded(const PgQuery__ColumnDef *column)
{
    return column->type_name->n_typmods > 0;
}

/* Types by the names that the grammar gives them. */
static const struct {
    const char *type;
    bool (*when)(const PgQuery__ColumnDef *column); /* NULL: always */
    enum plan_rule_id rule;
    const char *message;
} types[] = {
    {"bpchar", NULL, RULE_STYLE_CHAR, "{column} is char(n)"},
    {"varchar", is_bounded, RULE_STYLE_TEXT, "{column} is varchar(n)"},
    {"int2", NULL, RULE_STYLE_BIGINT, "{column} is smallint"},
    {"int4", NULL, RULE_STYLE_BIGINT, "{column} is integer"},
    {"timestamp", NULL, RULE_STYLE_TIMESTAMPTZ, "{column} is a timestamp without time zone"},
};

static void judge_column(struct statement *statement, const struct operation *operation,
                         const PgQuery__ColumnDef *column)
{
    struct operation named = *operation;
    const char *type;

    if (column->type_name == NULL || column->type_name->n_names == 0)
        return;
    type = node_string(column->type_name->names[column->type_name->n_names - 1]);
    named.column = column->colname;
    named.start = statement->base + (size_t)column->location;
    if (column_is_serial(column))
        judge_report(statement, &named, RULE_STYLE_IDENTITY, "{column} is a serial");
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
        if (strcmp(types[i].type, type) == 0 && (types[i].when == NULL || types[i].when(column)))
            judge_report(statement, &named, types[i].rule, types[i].message);
}

static void judge_columns(struct statement *statement, const struct operation *operation)
{
    const PgQuery__CreateStmt *create = operation->node->create_stmt;

    if (operation->node->node_case != PG_QUERY__NODE__NODE_CREATE_STMT)
        return;
    for (size_t i = 0; i < create->n_table_elts; i++)
        if (create->table_elts[i]->node_case == PG_QUERY__NODE__NODE_COLUMN_DEF)
            judge_column(statement, operation, create->table_elts[i]->column_def);
}

static void judge_index(struct statement *statement, const struct operation *operation)
{
    const PgQuery__IndexStmt *create = operation->node->index_stmt;

    if (!create->unique && create->n_index_params > 3)
        judge_report(statement, operation, RULE_STYLE_WIDE_INDEX, "the index has more than three columns");
}

void judge_style(struct statement *statement, const struct operation *operation)
{
    if (operation->kind == OP_CREATE_TABLE)
        judge_columns(statement, operation);
    if (operation->kind == OP_ADD_COLUMN)
        judge_column(statement, operation, operation->command->def->column_def);
    if (operation->kind == OP_CREATE_INDEX)
        judge_index(statement, operation);
    if (operation->concurrently && !operation->if_exists
        && (operation->kind == OP_CREATE_INDEX || operation->kind == OP_DROP_INDEX))
        judge_report(statement, operation, RULE_STYLE_ROBUST, "this may be tried again");
}
