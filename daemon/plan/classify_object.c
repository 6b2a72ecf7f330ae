/* Statements about objects of any type: DROP, RENAME, SET SCHEMA, OWNER TO, COMMENT. */
#include "classify.h"

#include <string.h>

#define OBJECT(TYPE) PG_QUERY__OBJECT_TYPE__OBJECT_##TYPE

/* What is named by a list whose last name is the object's, and the others its relation's. */
enum naming { NAMED_ITSELF, NAMED_ON_TABLE };

static const struct object_row {
    PgQuery__ObjectType type;
    enum naming naming;
    enum operation_kind drop, rename;
    enum created_kind created;
} objects[] = {
    {OBJECT(TABLE), NAMED_ITSELF, OP_DROP_TABLE, OP_RENAME_TABLE, CREATED_RELATION},
    {OBJECT(FOREIGN_TABLE), NAMED_ITSELF, OP_DROP_TABLE, OP_RENAME_TABLE, CREATED_RELATION},
    {OBJECT(VIEW), NAMED_ITSELF, OP_DROP_VIEW, OP_RENAME_TABLE, CREATED_RELATION},
    {OBJECT(MATVIEW), NAMED_ITSELF, OP_DROP_VIEW, OP_RENAME_TABLE, CREATED_RELATION},
    {OBJECT(INDEX), NAMED_ITSELF, OP_DROP_INDEX, OP_RENAME_INDEX, CREATED_RELATION},
    {OBJECT(SEQUENCE), NAMED_ITSELF, OP_DROP_SEQUENCE, OP_RENAME_OTHER, CREATED_RELATION},
    {OBJECT(TYPE), NAMED_ITSELF, OP_DROP_TYPE, OP_RENAME_OTHER, CREATED_TYPE},
    {OBJECT(DOMAIN), NAMED_ITSELF, OP_DROP_TYPE, OP_RENAME_OTHER, CREATED_TYPE},
    {OBJECT(FUNCTION), NAMED_ITSELF, OP_DROP_FUNCTION, OP_RENAME_OTHER, CREATED_FUNCTION},
    {OBJECT(PROCEDURE), NAMED_ITSELF, OP_DROP_FUNCTION, OP_RENAME_OTHER, CREATED_FUNCTION},
    {OBJECT(ROUTINE), NAMED_ITSELF, OP_DROP_FUNCTION, OP_RENAME_OTHER, CREATED_FUNCTION},
    {OBJECT(AGGREGATE), NAMED_ITSELF, OP_DROP_FUNCTION, OP_RENAME_OTHER, CREATED_FUNCTION},
    {OBJECT(SCHEMA), NAMED_ITSELF, OP_DROP_OTHER, OP_RENAME_OTHER, CREATED_SCHEMA},
    {OBJECT(EXTENSION), NAMED_ITSELF, OP_DROP_EXTENSION, OP_RENAME_OTHER, CREATED_OTHER},
    {OBJECT(COLUMN), NAMED_ON_TABLE, OP_UNKNOWN, OP_RENAME_COLUMN, CREATED_COLUMN},
    {OBJECT(ATTRIBUTE), NAMED_ON_TABLE, OP_UNKNOWN, OP_ALTER_TYPE, CREATED_MEMBER},
    {OBJECT(TABCONSTRAINT), NAMED_ON_TABLE, OP_UNKNOWN, OP_RENAME_CONSTRAINT, CREATED_MEMBER},
    {OBJECT(DOMCONSTRAINT), NAMED_ITSELF, OP_UNKNOWN, OP_LOOSEN_DOMAIN, CREATED_OTHER},
    {OBJECT(TRIGGER), NAMED_ON_TABLE, OP_DROP_TRIGGER, OP_RENAME_OTHER, CREATED_MEMBER},
    {OBJECT(RULE), NAMED_ON_TABLE, OP_DROP_RULE, OP_RENAME_OTHER, CREATED_MEMBER},
    {OBJECT(POLICY), NAMED_ON_TABLE, OP_DROP_POLICY, OP_RENAME_OTHER, CREATED_MEMBER},
};

/* Casts, operators, text search, statistics, servers, publications, roles … */
static const struct object_row any_object = {
    OBJECT(CAST), NAMED_ITSELF, OP_DROP_OTHER, OP_RENAME_OTHER, CREATED_OTHER};

/* Those of them that no query names. */
static const PgQuery__ObjectType unnamed[] = {
    OBJECT(STATISTIC_EXT), OBJECT(TRIGGER), OBJECT(RULE), OBJECT(POLICY), OBJECT(EVENT_TRIGGER),
};

static const struct object_row *find_object(PgQuery__ObjectType type)
{
    for (size_t i = 0; i < sizeof(objects) / sizeof(objects[0]); i++)
        if (objects[i].type == type)
            return &objects[i];
    return &any_object;
}

static bool is_unnamed(PgQuery__ObjectType type)
{
    for (size_t i = 0; i < sizeof(unnamed) / sizeof(unnamed[0]); i++)
        if (unnamed[i] == type)
            return true;
    return false;
}

/* "table.trigger" and "schema.table.trigger" */
static void name_on_table(struct operation *operation, const PgQuery__Node *named)
{
    const PgQuery__List *names;

    if (named->node_case != PG_QUERY__NODE__NODE_LIST)
        return;
    names = named->list;
    operation->object = node_string(names->items[names->n_items - 1]);
    classify_name_list(names->items, names->n_items - 1, &operation->schema, &operation->table);
}

/* The lock is on the table of the index, and the index stands in `object`. One that no query has ever used is
 * missed by nobody. */
static void name_index(struct classify *classify, struct operation *operation)
{
    operation->object = operation->table;
    if (operation->kind == OP_DROP_INDEX
        && created_has(classify->created, CREATED_INDEX, operation->schema, operation->table, NULL))
        operation->class = operation->concurrently ? CLASS_ADDITIVE : CLASS_UNSAFE;
}

static void name_object(struct classify *classify, struct operation *operation,
                        const struct object_row *object, const PgQuery__Node *named)
{
    if (named == NULL)
        return;
    if (object->naming == NAMED_ON_TABLE) {
        name_on_table(operation, named);
        classify_look_up(classify, operation, CREATED_RELATION);
        if (created_has(classify->created, CREATED_MEMBER, operation->schema, operation->table,
                        operation->object))
            operation->class = CLASS_ADDITIVE;
        return;
    }
    classify_names(named, &operation->schema, &operation->table);
    classify_look_up(classify, operation, object->created);
    if (object->type == OBJECT(INDEX))
        name_index(classify, operation);
}

/* The statistics of a table are nobody's to name. */
static bool drops_quietly(PgQuery__ObjectType type)
{
    return type == OBJECT(STATISTIC_EXT);
}

void classify_drop(struct classify *classify, const PgQuery__Node *node, enum operation_kind kind)
{
    const PgQuery__DropStmt *drop = node->drop_stmt;
    const struct object_row *object = find_object(drop->remove_type);

    (void)kind;
    for (size_t i = 0; i < drop->n_objects; i++) {
        struct operation *operation = classify_add(classify, object->drop);

        operation->cascade = drop->behavior == PG_QUERY__DROP_BEHAVIOR__DROP_CASCADE;
        operation->if_exists = drop->missing_ok;
        operation->concurrently = drop->concurrent;
        name_object(classify, operation, object, drop->objects[i]);
        if (drop->concurrent)
            operation->lock = LOCK_SHARE_UPDATE_EXCLUSIVE;
        if (drops_quietly(drop->remove_type))
            operation->class = CLASS_ADDITIVE;
        created_remove(classify->created, object->created, operation->schema, operation->table, NULL);
    }
}

/* A new thing stays new under its new name. */
static void rename_created(struct classify *classify, const struct operation *operation,
                           enum created_kind kind, const char *schema, const char *name)
{
    if (!operation->on_new)
        return;
    created_remove(classify->created, kind, operation->schema, operation->table, NULL);
    created_add(classify->created, kind, schema, name, NULL, NULL);
}

static void rename_column(struct classify *classify, struct operation *operation,
                          const PgQuery__RenameStmt *rename)
{
    operation->column = rename->subname;
    for (enum created_kind kind = CREATED_COLUMN; kind <= CREATED_FILLED; kind++) {
        if (!created_has(classify->created, kind, operation->schema, operation->table, rename->subname))
            continue;
        operation->class = CLASS_ADDITIVE;
        created_remove(classify->created, kind, operation->schema, operation->table, rename->subname);
        created_add(classify->created, kind, operation->schema, operation->table, rename->newname, NULL);
    }
}

static void rename_member(struct classify *classify, struct operation *operation,
                          const PgQuery__RenameStmt *rename)
{
    if (!created_has(classify->created, CREATED_MEMBER, operation->schema, operation->table, rename->subname))
        return;
    operation->class = CLASS_ADDITIVE;
    created_remove(classify->created, CREATED_MEMBER, operation->schema, operation->table, rename->subname);
    created_add(classify->created, CREATED_MEMBER, operation->schema, operation->table, rename->newname,
                NULL);
}

void classify_rename(struct classify *classify, const PgQuery__Node *node, enum operation_kind kind)
{
    const PgQuery__RenameStmt *rename = node->rename_stmt;
    const struct object_row *object = find_object(rename->rename_type);
    struct operation *operation = classify_add_on(classify, object->rename, rename->relation);

    (void)kind;
    operation->object = rename->newname;
    operation->if_exists = rename->missing_ok;
    if (is_unnamed(rename->rename_type))
        operation->class = CLASS_ADDITIVE;
    if (rename->rename_type == OBJECT(COLUMN)) {
        rename_column(classify, operation, rename);
    } else if (object->naming == NAMED_ON_TABLE) {
        rename_member(classify, operation, rename);
    } else if (rename->relation != NULL) {
        rename_created(classify, operation, CREATED_RELATION, operation->schema, rename->newname);
    } else if (classify_names(rename->object, &operation->schema, &operation->table)) {
        classify_look_up(classify, operation, object->created);
        rename_created(classify, operation, object->created, operation->schema, rename->newname);
    } else {
        operation->table = classify_text(rename->subname);
        classify_look_up(classify, operation, object->created);
    }
}

void classify_set_schema(struct classify *classify, const PgQuery__Node *node, enum operation_kind kind)
{
    const PgQuery__AlterObjectSchemaStmt *alter = node->alter_object_schema_stmt;
    const struct object_row *object = find_object(alter->object_type);
    struct operation *operation = classify_add_on(classify, kind, alter->relation);

    if (alter->relation == NULL) {
        operation->lock = LOCK_NONE;
        classify_names(alter->object, &operation->schema, &operation->table);
        classify_look_up(classify, operation, object->created);
    }
    operation->object = alter->newschema;
    operation->if_exists = alter->missing_ok;
    rename_created(classify, operation, object->created, alter->newschema, operation->table);
}

void classify_set_owner(struct classify *classify, const PgQuery__Node *node, enum operation_kind kind)
{
    const PgQuery__AlterOwnerStmt *alter = node->alter_owner_stmt;
    struct operation *operation = classify_add_on(classify, kind, alter->relation);

    if (alter->relation != NULL)
        return;
    operation->lock = LOCK_NONE;
    classify_names(alter->object, &operation->schema, &operation->table);
    classify_look_up(classify, operation, find_object(alter->object_type)->created);
}

static void read_remark(struct classify *classify, enum operation_kind kind, PgQuery__ObjectType type,
                        const PgQuery__Node *named)
{
    const struct object_row *object = find_object(type);
    struct operation *operation = classify_add(classify, kind);

    name_object(classify, operation, object, named);
    if (object->created != CREATED_RELATION && object->naming != NAMED_ON_TABLE)
        operation->lock = LOCK_NONE;
    if (type == OBJECT(COLUMN))
        operation->column = operation->object;
}

void classify_comment(struct classify *classify, const PgQuery__Node *node, enum operation_kind kind)
{
    read_remark(classify, kind, node->comment_stmt->objtype, node->comment_stmt->object);
}

void classify_label(struct classify *classify, const PgQuery__Node *node, enum operation_kind kind)
{
    read_remark(classify, kind, node->sec_label_stmt->objtype, node->sec_label_stmt->object);
}
