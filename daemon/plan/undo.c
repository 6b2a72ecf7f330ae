/* What takes a planned file's expand and backfill back. It is derived for the whole file or not at all:
 * half an undo would leave what nobody has tested. */
#include "allocate.h"
#include "piece.h"
#include "split.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static void add(struct place *place, enum emit_alone alone, const char *format, va_list arguments)
{
    struct plan_statement *added;
    char *sql;

    if (place->section >= PLAN_CONTRACT)
        return;
    sql = allocate_text_v(format, arguments);
    added = emit_undo(place->statement, alone, "%s", sql);
    added->work.note = allocate_text("It takes back what statement %u has added.", place->statement->number);
    free(sql);
}

void undo_add(struct place *place, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    add(place, EMIT_SHARED, format, arguments);
    va_end(arguments);
}

void undo_add_as(struct place *place, enum emit_alone alone, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    add(place, alone, format, arguments);
    va_end(arguments);
}

void undo_refuse(struct place *place, const char *why)
{
    struct split *split = place->split;

    if (split->no_undo != NULL)
        return;
    split->no_undo = why;
    reader_report(split->reader, RULE_NO_UNDO, place->statement->start, place->operation->table,
                  "the migration has no undo: %s", why);
}

void undo_finish(struct split *split)
{
    if (split->no_undo != NULL)
        emit_forget(split->reader, PLAN_UNDO);
    else
        split->reader->plan->has_section[PLAN_UNDO] = true;
}

/* ---- by kind ---- */

static const char exists[] = "it may have been there before ('IF NOT EXISTS', 'OR REPLACE')";
static const char before[] = "what was there before is not known";

static bool is_new(const struct place *place, enum created_kind kind)
{
    return created_has(&place->statement->reader->created[PLAN_EXPAND], kind, place->operation->schema,
                       place->operation->table, NULL);
}

static void drop_object(struct place *place, const char *word, enum created_kind kind)
{
    char *name = form_table(place);

    if (is_new(place, kind))
        undo_add(place, "DROP %s %s", word, name);
    else
        undo_refuse(place, exists);
    free(name);
}

static void undo_create_table(struct place *place)
{
    const PgQuery__Node *node = place->operation->node;
    bool foreign = node->node_case == PG_QUERY__NODE__NODE_CREATE_FOREIGN_TABLE_STMT;
    bool view = node->node_case == PG_QUERY__NODE__NODE_CREATE_TABLE_AS_STMT
                && node->create_table_as_stmt->objtype == PG_QUERY__OBJECT_TYPE__OBJECT_MATVIEW;

    drop_object(place, foreign ? "FOREIGN TABLE" : view ? "MATERIALIZED VIEW" : "TABLE", CREATED_RELATION);
}

static void undo_create_view(struct place *place)
{
    drop_object(place, "VIEW", CREATED_RELATION);
}

static void undo_create_sequence(struct place *place)
{
    drop_object(place, "SEQUENCE", CREATED_RELATION);
}

static void undo_create_type(struct place *place)
{
    drop_object(place, "TYPE", CREATED_TYPE);
}

static void undo_create_domain(struct place *place)
{
    drop_object(place, "DOMAIN", CREATED_DOMAIN);
}

static void undo_add_column(struct place *place)
{
    char *table, *column;

    if (place->operation->command->missing_ok) {
        undo_refuse(place, exists);
        return;
    }
    table = form_table(place);
    column = emit_name(place->operation->column);
    undo_add(place, "ALTER TABLE %s DROP COLUMN %s", table, column);
    free(table);
    free(column);
}

static void undo_create_index(struct place *place)
{
    const PgQuery__IndexStmt *index = place->operation->node->index_stmt;
    char *name;

    if (index->if_not_exists || index->idxname == NULL || *index->idxname == '\0') {
        undo_refuse(place, index->if_not_exists ? exists : "the index has no name");
        return;
    }
    name = emit_qualified(place->operation->schema, index->idxname);
    undo_add(place, "DROP INDEX CONCURRENTLY %s", name);
    free(name);
}

static void undo_add_constraint(struct place *place)
{
    const PgQuery__Constraint *constraint = place->operation->constraint;
    char *table, *name;

    if (constraint == NULL || constraint->conname == NULL || *constraint->conname == '\0') {
        undo_refuse(place, "the constraint has no name");
        return;
    }
    table = form_table(place);
    name = emit_name(constraint->conname);
    undo_add(place, "ALTER TABLE %s DROP CONSTRAINT %s", table, name);
    free(table);
    free(name);
}

static void drop_member(struct place *place, const char *word, bool may_exist)
{
    char *table, *name;

    if (may_exist || place->operation->object == NULL) {
        undo_refuse(place, exists);
        return;
    }
    table = form_table(place);
    name = emit_name(place->operation->object);
    undo_add(place, "DROP %s %s ON %s", word, name, table);
    free(table);
    free(name);
}

static void undo_create_trigger(struct place *place)
{
    const PgQuery__Node *node = place->operation->node;

    drop_member(place, "TRIGGER",
                node->node_case != PG_QUERY__NODE__NODE_CREATE_TRIG_STMT || node->create_trig_stmt->replace);
}

static void undo_create_policy(struct place *place)
{
    drop_member(place, "POLICY",
                place->operation->node->node_case != PG_QUERY__NODE__NODE_CREATE_POLICY_STMT);
}

static bool is_new_column(const struct place *place, const char *column)
{
    const struct created *created = &place->statement->reader->created[PLAN_EXPAND];
    const struct operation *operation = place->operation;

    return created_has(created, CREATED_COLUMN, operation->schema, operation->table, column)
           || created_has(created, CREATED_FILLED, operation->schema, operation->table, column);
}

static void undo_set_default(struct place *place)
{
    const struct operation *operation = place->operation;
    const struct catalog_column *known =
        operation->known == NULL ? NULL : catalog_column(operation->known, operation->column);
    char *table, *column;

    if (is_new_column(place, operation->column))
        return;
    if (known == NULL) {
        undo_refuse(place, "the former default is not known without the database");
        return;
    }
    table = form_table(place);
    column = emit_name(operation->column);
    if (known->default_text == NULL)
        undo_add(place, "ALTER TABLE %s ALTER COLUMN %s DROP DEFAULT", table, column);
    else
        undo_add(place, "ALTER TABLE %s ALTER COLUMN %s SET DEFAULT %s", table, column, known->default_text);
    free(table);
    free(column);
}

static void undo_on_column(struct place *place)
{
    if (!is_new_column(place, place->operation->column))
        undo_refuse(place, before);
}

/* Values of columns that go with the undo need no undo of their own. */
static void undo_update(struct place *place)
{
    const PgQuery__UpdateStmt *update = place->operation->node->update_stmt;

    for (size_t i = 0; i < update->n_target_list; i++)
        if (!is_new_column(place, update->target_list[i]->res_target->name)) {
            undo_refuse(place, "values are changed, and those that were there before are not kept");
            return;
        }
}

static void undo_data(struct place *place)
{
    undo_refuse(place, "rows are changed, and those that were there before are not kept");
}

/* It may stay: code of the old release does not notice. */
static void undo_nothing(struct place *place)
{
    (void)place;
}

static void undo_enum_value(struct place *place)
{
    undo_refuse(place, "PostgreSQL cannot take a value out of an enum");
}

static void undo_unknown(struct place *place)
{
    undo_refuse(place, before);
}

/* The types of the parameters that tell functions of one name apart. */
static char *parameter_types(const struct place *place, const PgQuery__CreateFunctionStmt *create)
{
    static const int ends[] = {PG_QUERY__TOKEN__ASCII_44, PG_QUERY__TOKEN__ASCII_41,
                               PG_QUERY__TOKEN__ASCII_61, PG_QUERY__TOKEN__DEFAULT};
    const struct statement *statement = place->statement;
    char *types = allocate_text("%s", "");

    for (size_t i = 0; i < create->n_parameters; i++) {
        const PgQuery__FunctionParameter *parameter = create->parameters[i]->function_parameter;
        size_t start = statement->base + (size_t)parameter->arg_type->location, end = statement->end;
        char *type, *longer;

        if (parameter->mode == PG_QUERY__FUNCTION_PARAMETER_MODE__FUNC_PARAM_OUT
            || parameter->mode == PG_QUERY__FUNCTION_PARAMETER_MODE__FUNC_PARAM_TABLE)
            continue;
        for (size_t k = 0; k < sizeof(ends) / sizeof(ends[0]); k++)
            end = piece_token(statement->reader, start, end, ends[k]);
        type = piece_of(statement->reader, start, end);
        longer = allocate_text("%s%s%s", types, *types == '\0' ? "" : ", ", type);
        free(type);
        free(types);
        types = longer;
    }
    return types;
}

static void undo_create_function(struct place *place)
{
    const PgQuery__Node *node = place->operation->node;
    char *name, *types;

    if (node->node_case != PG_QUERY__NODE__NODE_CREATE_FUNCTION_STMT || node->create_function_stmt->replace) {
        undo_refuse(place, exists);
        return;
    }
    name = name_of_list(node->create_function_stmt->funcname, node->create_function_stmt->n_funcname);
    types = parameter_types(place, node->create_function_stmt);
    undo_add(place, "DROP %s %s(%s)",
             node->create_function_stmt->is_procedure ? "PROCEDURE" : "FUNCTION", name, types);
    free(name);
    free(types);
}

static void undo_create_schema(struct place *place)
{
    const PgQuery__CreateSchemaStmt *create = place->operation->node->create_schema_stmt;
    char *name;

    if (create->if_not_exists || create->schemaname == NULL || *create->schemaname == '\0') {
        undo_refuse(place, exists);
        return;
    }
    name = emit_name(create->schemaname);
    undo_add(place, "DROP SCHEMA %s", name);
    free(name);
}

static const struct {
    enum operation_kind kind;
    form *undo;
} undos[] = {
    {OP_CREATE_SCHEMA, undo_create_schema},     {OP_CREATE_TABLE, undo_create_table},
    {OP_CREATE_TABLE_AS, undo_create_table},    {OP_CREATE_VIEW, undo_create_view},
    {OP_CREATE_SEQUENCE, undo_create_sequence}, {OP_CREATE_TYPE, undo_create_type},
    {OP_CREATE_DOMAIN, undo_create_domain},     {OP_CREATE_FUNCTION, undo_create_function},
    {OP_CREATE_TRIGGER, undo_create_trigger},   {OP_CREATE_POLICY, undo_create_policy},
    {OP_CREATE_INDEX, undo_create_index},       {OP_ADD_COLUMN, undo_add_column},
    {OP_ADD_CHECK, undo_add_constraint},        {OP_ADD_FOREIGN_KEY, undo_add_constraint},
    {OP_ADD_UNIQUE, undo_add_constraint},       {OP_ADD_PRIMARY_KEY, undo_add_constraint},
    {OP_ADD_USING_INDEX, undo_add_constraint},  {OP_ADD_EXCLUDE, undo_add_constraint},
    {OP_SET_DEFAULT, undo_set_default},         {OP_DROP_DEFAULT, undo_on_column},
    {OP_DROP_NOT_NULL, undo_on_column},         {OP_UPDATE, undo_update},
    {OP_INSERT, undo_data},                     {OP_DELETE, undo_data},
    {OP_MERGE, undo_data},                      {OP_COPY, undo_data},
    {OP_GRANT, undo_nothing},                   {OP_COMMENT, undo_nothing},
    {OP_SET_STORAGE, undo_nothing},             {OP_VACUUM, undo_nothing},
    {OP_REINDEX, undo_nothing},                 {OP_VALIDATE, undo_nothing},
    {OP_SELECT, undo_nothing},                  {OP_SET, undo_nothing},
    {OP_ADD_ENUM_VALUE, undo_enum_value},
};

static bool creates(const struct operation *operation)
{
    return operation->kind <= OP_CREATE_TABLE_AS || operation->kind == OP_CREATE_VIEW
           || operation->kind == OP_CREATE_TYPE || operation->kind == OP_CREATE_DOMAIN
           || operation->kind == OP_CREATE_SEQUENCE || operation->kind == OP_CREATE_FUNCTION;
}

void undo_derive(struct place *place)
{
    const struct operation *operation = place->operation;

    /* What is done to an object that goes with the undo needs none. */
    if (place->section >= PLAN_CONTRACT || (operation->on_new && !creates(operation)))
        return;
    if (operation->class == CLASS_BOOKKEEPING && undo_record(place))
        return;
    for (size_t i = 0; i < sizeof(undos) / sizeof(undos[0]); i++)
        if (undos[i].kind == operation->kind) {
            undos[i].undo(place);
            return;
        }
    undo_unknown(place);
}
