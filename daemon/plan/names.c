/* The tables, indexes, views, sequences and types that a statement names, wherever they stand in its tree:
 * what the catalog is to be asked about. */
#include "statement.h"

/* What DROP, COMMENT, RENAME and the like say as a list of names; the last `behind` of them name something
 * inside of the object (a column, a trigger). Others are not the catalog's business. */
static const struct {
    PgQuery__ObjectType type;
    size_t behind;
} listed[] = {
    {PG_QUERY__OBJECT_TYPE__OBJECT_TABLE, 0},     {PG_QUERY__OBJECT_TYPE__OBJECT_FOREIGN_TABLE, 0},
    {PG_QUERY__OBJECT_TYPE__OBJECT_VIEW, 0},      {PG_QUERY__OBJECT_TYPE__OBJECT_MATVIEW, 0},
    {PG_QUERY__OBJECT_TYPE__OBJECT_INDEX, 0},     {PG_QUERY__OBJECT_TYPE__OBJECT_SEQUENCE, 0},
    {PG_QUERY__OBJECT_TYPE__OBJECT_TYPE, 0},      {PG_QUERY__OBJECT_TYPE__OBJECT_DOMAIN, 0},
    {PG_QUERY__OBJECT_TYPE__OBJECT_COLUMN, 1},    {PG_QUERY__OBJECT_TYPE__OBJECT_TRIGGER, 1},
    {PG_QUERY__OBJECT_TYPE__OBJECT_POLICY, 1},    {PG_QUERY__OBJECT_TYPE__OBJECT_RULE, 1},
    {PG_QUERY__OBJECT_TYPE__OBJECT_ATTRIBUTE, 1}, {PG_QUERY__OBJECT_TYPE__OBJECT_TABCONSTRAINT, 1},
};

/* The names without the last `behind`: one is a name, two are schema and name, of three the first is a
 * database. */
static void need_names(struct statement *statement, PgQuery__Node *const *names, size_t count, size_t behind)
{
    if (count <= behind)
        return;
    count -= behind;
    reader_need(statement->reader, count > 1 ? node_string(names[count - 2]) : NULL,
                node_string(names[count - 1]));
}

static void need_object(struct statement *statement, PgQuery__ObjectType type, const PgQuery__Node *object)
{
    if (object == NULL || object->node_case != PG_QUERY__NODE__NODE_LIST)
        return; /* a TypeName is met by the walk */
    for (size_t i = 0; i < sizeof(listed) / sizeof(listed[0]); i++)
        if (listed[i].type == type)
            need_names(statement, object->list->items, object->list->n_items, listed[i].behind);
}

static void note_relation(struct statement *statement, const ProtobufCMessage *message)
{
    const PgQuery__RangeVar *relation = (const PgQuery__RangeVar *)message;

    reader_need(statement->reader, relation->schemaname, relation->relname);
}

static void note_type(struct statement *statement, const ProtobufCMessage *message)
{
    const PgQuery__TypeName *type = (const PgQuery__TypeName *)message;

    need_names(statement, type->names, type->n_names, type->pct_type ? 1 : 0);
}

/* An index lies in the schema of its table. */
static void note_index(struct statement *statement, const ProtobufCMessage *message)
{
    const PgQuery__IndexStmt *create = (const PgQuery__IndexStmt *)message;

    if (create->relation != NULL)
        reader_need(statement->reader, create->relation->schemaname, create->idxname);
}

static void note_drop(struct statement *statement, const ProtobufCMessage *message)
{
    const PgQuery__DropStmt *drop = (const PgQuery__DropStmt *)message;

    for (size_t i = 0; i < drop->n_objects; i++)
        need_object(statement, drop->remove_type, drop->objects[i]);
}

static void note_comment(struct statement *statement, const ProtobufCMessage *message)
{
    const PgQuery__CommentStmt *comment = (const PgQuery__CommentStmt *)message;

    need_object(statement, comment->objtype, comment->object);
}

static void note_rename(struct statement *statement, const ProtobufCMessage *message)
{
    const PgQuery__RenameStmt *rename = (const PgQuery__RenameStmt *)message;

    need_object(statement, rename->rename_type, rename->object);
}

static void note_set_schema(struct statement *statement, const ProtobufCMessage *message)
{
    const PgQuery__AlterObjectSchemaStmt *alter = (const PgQuery__AlterObjectSchemaStmt *)message;

    need_object(statement, alter->object_type, alter->object);
}

static void note_set_owner(struct statement *statement, const ProtobufCMessage *message)
{
    const PgQuery__AlterOwnerStmt *alter = (const PgQuery__AlterOwnerStmt *)message;

    need_object(statement, alter->object_type, alter->object);
}

static void note_enum(struct statement *statement, const ProtobufCMessage *message)
{
    const PgQuery__AlterEnumStmt *alter = (const PgQuery__AlterEnumStmt *)message;

    need_names(statement, alter->type_name, alter->n_type_name, 0);
}

static void note_domain(struct statement *statement, const ProtobufCMessage *message)
{
    const PgQuery__AlterDomainStmt *alter = (const PgQuery__AlterDomainStmt *)message;

    need_names(statement, alter->type_name, alter->n_type_name, 0);
}

static const struct {
    const ProtobufCMessageDescriptor *kind;
    void (*note)(struct statement *statement, const ProtobufCMessage *message);
} notes[] = {
    {&pg_query__range_var__descriptor, note_relation},
    {&pg_query__type_name__descriptor, note_type},
    {&pg_query__index_stmt__descriptor, note_index},
    {&pg_query__drop_stmt__descriptor, note_drop},
    {&pg_query__comment_stmt__descriptor, note_comment},
    {&pg_query__rename_stmt__descriptor, note_rename},
    {&pg_query__alter_object_schema_stmt__descriptor, note_set_schema},
    {&pg_query__alter_owner_stmt__descriptor, note_set_owner},
    {&pg_query__alter_enum_stmt__descriptor, note_enum},
    {&pg_query__alter_domain_stmt__descriptor, note_domain},
};

void statement_note_names(struct statement *statement, const ProtobufCMessage *message)
{
    for (size_t i = 0; i < sizeof(notes) / sizeof(notes[0]); i++)
        if (notes[i].kind == message->descriptor)
            notes[i].note(statement, message);
}
