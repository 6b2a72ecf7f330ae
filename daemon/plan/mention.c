/* Searching a parse tree for the daemon's own schema and for advisory locks. Bodies of functions are not
 * looked into: they run later, and an application may well have reasons of its own to call them. */
#include "statement.h"
#include "tree.h"

#include <string.h>

static const char own_schema[] = "schemagate";

static void walk(struct statement *statement, const ProtobufCMessage *tree);

static bool begins_with(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

static void report_own_schema(struct statement *statement)
{
    statement_report(statement, RULE_OWN_SCHEMA, own_schema,
                     "the statement names the schema '%s'", own_schema);
}

/* What is done with a message of one kind. */
typedef bool visit(struct statement *statement, const ProtobufCMessage *message); /* true: go deeper */

static bool visit_name(struct statement *statement, const ProtobufCMessage *message)
{
    if (strcmp(((const PgQuery__String *)message)->sval, own_schema) == 0)
        report_own_schema(statement);
    return false;
}

static void check_channel(struct statement *statement, const char *channel)
{
    if (channel != NULL && strcmp(channel, own_schema) == 0)
        statement_report(statement, RULE_OWN_SCHEMA, own_schema,
                         "the statement notifies those who listen to the channel '%s'", own_schema);
}

static bool visit_call(struct statement *statement, const ProtobufCMessage *message)
{
    const PgQuery__FuncCall *call = (const PgQuery__FuncCall *)message;
    const char *name = node_string(call->funcname[call->n_funcname - 1]);
    const char *first = call->n_args > 0 ? node_string(call->args[0]) : NULL;

    if (begins_with(name, "pg_advisory_") || begins_with(name, "pg_try_advisory_"))
        statement_report(statement, RULE_ADVISORY_LOCK, name,
                         "the statement calls %s", name);
    if (strcmp(name, "pg_terminate_backend") == 0 || strcmp(name, "pg_cancel_backend") == 0)
        statement_report(statement, RULE_SESSION_STATE, name,
                         "the statement calls %s, which could end the daemon's own session", name);
    if (strcmp(name, "pg_notify") == 0)
        check_channel(statement, first);
    if (strcmp(name, "set_config") == 0 && first != NULL)
        statement_check_setting(statement, first, call->n_args > 1 ? node_string(call->args[1]) : NULL);
    return true;
}

static bool visit_notify(struct statement *statement, const ProtobufCMessage *message)
{
    check_channel(statement, ((const PgQuery__NotifyStmt *)message)->conditionname);
    return false;
}

static bool visit_set(struct statement *statement, const ProtobufCMessage *message)
{
    const PgQuery__VariableSetStmt *set = (const PgQuery__VariableSetStmt *)message;

    if (strcmp(set->name, "search_path") == 0)
        for (size_t i = 0; i < set->n_args; i++)
            if (node_string(set->args[i]) != NULL
                && strcmp(node_string(set->args[i]), own_schema) == 0)
                report_own_schema(statement);
    return false;
}

static bool visit_rename(struct statement *statement, const ProtobufCMessage *message)
{
    const PgQuery__RenameStmt *rename = (const PgQuery__RenameStmt *)message;

    if (rename->rename_type == PG_QUERY__OBJECT_TYPE__OBJECT_SCHEMA
        && (strcmp(rename->subname, own_schema) == 0 || strcmp(rename->newname, own_schema) == 0))
        report_own_schema(statement);
    return true;
}

static bool visit_reindex(struct statement *statement, const ProtobufCMessage *message)
{
    const PgQuery__ReindexStmt *reindex = (const PgQuery__ReindexStmt *)message;

    if (reindex->kind == PG_QUERY__REINDEX_OBJECT_TYPE__REINDEX_OBJECT_SCHEMA
        && strcmp(reindex->name, own_schema) == 0)
        report_own_schema(statement);
    return true;
}

static bool visit_publication(struct statement *statement, const ProtobufCMessage *message)
{
    const PgQuery__PublicationObjSpec *object = (const PgQuery__PublicationObjSpec *)message;

    if (object->pubobjtype
            == PG_QUERY__PUBLICATION_OBJ_SPEC_TYPE__PUBLICATIONOBJ_TABLES_IN_SCHEMA
        && strcmp(object->name, own_schema) == 0)
        report_own_schema(statement);
    return true;
}

static bool visit_do(struct statement *statement, const ProtobufCMessage *message)
{
    static const char *const suspects[] = {"schemagate", "pg_advisory_", "pg_try_advisory_"};
    const PgQuery__DoStmt *block = (const PgQuery__DoStmt *)message;
    const PgQuery__DefElem *code = node_option(block->args, block->n_args, "as");
    const char *body = code == NULL ? NULL : node_string(code->arg);

    for (size_t i = 0; body != NULL && i < sizeof(suspects) / sizeof(suspects[0]); i++)
        if (strcasestr(body, suspects[i]) != NULL)
            statement_report(statement, RULE_SUSPECT_DO_BLOCK, suspects[i],
                             "the DO block mentions '%s'", suspects[i]);
    return false;
}

static void walk_all(struct statement *statement, PgQuery__Node *const *nodes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        walk(statement, &nodes[i]->base);
}

/* Everything but the body. */
static bool visit_function(struct statement *statement, const ProtobufCMessage *message)
{
    const PgQuery__CreateFunctionStmt *create = (const PgQuery__CreateFunctionStmt *)message;

    walk_all(statement, create->funcname, create->n_funcname);
    walk_all(statement, create->parameters, create->n_parameters);
    walk_all(statement, create->options, create->n_options);
    if (create->return_type != NULL)
        walk(statement, &create->return_type->base);
    return false;
}

static bool visit_nothing(struct statement *statement, const ProtobufCMessage *message)
{
    (void)statement;
    (void)message;
    return false;
}

static const struct {
    const ProtobufCMessageDescriptor *kind;
    visit *visit;
} visits[] = {
    {&pg_query__string__descriptor, visit_name},
    {&pg_query__func_call__descriptor, visit_call},
    {&pg_query__column_ref__descriptor, visit_nothing}, /* a column or an alias */
    {&pg_query__a__const__descriptor, visit_nothing},   /* a value */
    {&pg_query__variable_set_stmt__descriptor, visit_set},
    {&pg_query__rename_stmt__descriptor, visit_rename},
    {&pg_query__reindex_stmt__descriptor, visit_reindex},
    {&pg_query__publication_obj_spec__descriptor, visit_publication},
    {&pg_query__do_stmt__descriptor, visit_do},
    {&pg_query__notify_stmt__descriptor, visit_notify},
    {&pg_query__create_function_stmt__descriptor, visit_function},
};

/* Members of messages that are plain text and name a schema. */
static const char *const schema_members[] = {"schemaname", "newschema", "local_schema"};

static void check_text(void *context, const ProtobufCFieldDescriptor *field, const char *text)
{
    if (strcmp(text, own_schema) != 0)
        return;
    for (size_t i = 0; i < sizeof(schema_members) / sizeof(schema_members[0]); i++)
        if (strcmp(field->name, schema_members[i]) == 0)
            report_own_schema(context);
}

static bool check_message(void *context, const ProtobufCMessage *message)
{
    statement_note_names(context, message);
    for (size_t i = 0; i < sizeof(visits) / sizeof(visits[0]); i++)
        if (visits[i].kind == message->descriptor)
            return visits[i].visit(context, message);
    return true;
}

static void walk(struct statement *statement, const ProtobufCMessage *tree)
{
    tree_walk(tree, &(struct tree_visitor){check_message, check_text, statement});
}

void statement_check_mentions(struct statement *statement)
{
    walk(statement, &statement->node->base);
}

void statement_check_expression(struct statement *statement, const ProtobufCMessage *tree)
{
    walk(statement, tree);
}
