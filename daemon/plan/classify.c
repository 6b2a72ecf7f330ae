/* Taking statements apart: a row for each kind of node that can be a statement, and what all readers need. */
#include "classify.h"

#include "allocate.h"

#include <string.h>

/* Tables in which migration tools keep what they have run. */
static const char *const bookkeeping[] = {
    "alembic_version",       "django_migrations",  "schema_migrations",
    "ar_internal_metadata",  "flyway_schema_history", "_prisma_migrations",
};

/* What a tool does to them beside its migrations. */
static const enum operation_kind bookkeeping_kinds[] = {
    OP_CREATE_TABLE, OP_CREATE_INDEX, OP_INSERT, OP_UPDATE, OP_DELETE,
};

#define ON(NODE) PG_QUERY__NODE__NODE_##NODE

static const struct {
    PgQuery__Node__NodeCase node;
    enum operation_kind kind;
    classify_read *read;
} rows[] = {
    {ON(ALTER_TABLE_STMT), OP_UNKNOWN, classify_alter_table},
    {ON(RENAME_STMT), OP_UNKNOWN, classify_rename},
    {ON(DROP_STMT), OP_UNKNOWN, classify_drop},
    {ON(ALTER_OBJECT_SCHEMA_STMT), OP_SET_SCHEMA, classify_set_schema},
    {ON(ALTER_OWNER_STMT), OP_SET_OWNER, classify_set_owner},
    {ON(COMMENT_STMT), OP_COMMENT, classify_comment},
    {ON(SEC_LABEL_STMT), OP_COMMENT, classify_label},

    {ON(CREATE_STMT), OP_CREATE_TABLE, classify_create_table},
    {ON(CREATE_FOREIGN_TABLE_STMT), OP_CREATE_TABLE, classify_create_foreign_table},
    {ON(CREATE_TABLE_AS_STMT), OP_CREATE_TABLE_AS, classify_create_table_as},
    {ON(INDEX_STMT), OP_CREATE_INDEX, classify_create_index},
    {ON(VIEW_STMT), OP_CREATE_VIEW, classify_create_view},
    {ON(CREATE_SCHEMA_STMT), OP_CREATE_SCHEMA, classify_create_schema},
    {ON(CREATE_SEQ_STMT), OP_CREATE_SEQUENCE, classify_create_sequence},
    {ON(ALTER_SEQ_STMT), OP_ALTER_SEQUENCE, classify_alter_sequence},
    {ON(TRUNCATE_STMT), OP_TRUNCATE, classify_truncate},
    {ON(LOCK_STMT), OP_LOCK_TABLE, classify_lock},
    {ON(VACUUM_STMT), OP_VACUUM, classify_vacuum},
    {ON(CLUSTER_STMT), OP_CLUSTER, classify_cluster},
    {ON(REINDEX_STMT), OP_REINDEX, classify_reindex},
    {ON(REFRESH_MAT_VIEW_STMT), OP_REFRESH_VIEW, classify_refresh},
    {ON(ALTER_TABLE_MOVE_ALL_STMT), OP_SET_TABLESPACE, classify_plain},

    {ON(CREATE_TRIG_STMT), OP_CREATE_TRIGGER, classify_create_trigger},
    {ON(RULE_STMT), OP_CREATE_RULE, classify_create_rule},
    {ON(CREATE_POLICY_STMT), OP_CREATE_POLICY, classify_create_policy},
    {ON(ALTER_POLICY_STMT), OP_CREATE_POLICY, classify_alter_policy},
    {ON(CREATE_STATS_STMT), OP_CREATE_OTHER, classify_create_statistics},
    {ON(ALTER_STATS_STMT), OP_ALTER_OTHER, classify_additive},

    {ON(CREATE_ENUM_STMT), OP_CREATE_TYPE, classify_create_type},
    {ON(CREATE_RANGE_STMT), OP_CREATE_TYPE, classify_create_type},
    {ON(COMPOSITE_TYPE_STMT), OP_CREATE_TYPE, classify_create_composite},
    {ON(ALTER_ENUM_STMT), OP_ADD_ENUM_VALUE, classify_alter_enum},
    {ON(ALTER_TYPE_STMT), OP_ALTER_TYPE, classify_plain},
    {ON(CREATE_DOMAIN_STMT), OP_CREATE_DOMAIN, classify_create_domain},
    {ON(ALTER_DOMAIN_STMT), OP_TIGHTEN_DOMAIN, classify_alter_domain},
    {ON(CREATE_FUNCTION_STMT), OP_CREATE_FUNCTION, classify_create_function},
    {ON(ALTER_FUNCTION_STMT), OP_ALTER_FUNCTION, classify_alter_function},
    {ON(DEFINE_STMT), OP_CREATE_OTHER, classify_define},
    {ON(CREATE_EXTENSION_STMT), OP_CREATE_EXTENSION, classify_create_extension},
    {ON(ALTER_EXTENSION_STMT), OP_ALTER_EXTENSION, classify_plain},
    {ON(ALTER_EXTENSION_CONTENTS_STMT), OP_ALTER_EXTENSION, classify_plain},

    {ON(CREATE_CAST_STMT), OP_CREATE_OTHER, classify_plain},
    {ON(CREATE_CONVERSION_STMT), OP_CREATE_OTHER, classify_plain},
    {ON(CREATE_OP_CLASS_STMT), OP_CREATE_OTHER, classify_plain},
    {ON(CREATE_OP_FAMILY_STMT), OP_CREATE_OTHER, classify_plain},
    {ON(ALTER_OP_FAMILY_STMT), OP_ALTER_OTHER, classify_plain},
    {ON(ALTER_OPERATOR_STMT), OP_ALTER_OTHER, classify_plain},
    {ON(ALTER_COLLATION_STMT), OP_ALTER_OTHER, classify_additive},
    {ON(ALTER_OBJECT_DEPENDS_STMT), OP_ALTER_OTHER, classify_additive},
    {ON(ALTER_TSDICTIONARY_STMT), OP_ALTER_OTHER, classify_plain},
    {ON(ALTER_TSCONFIGURATION_STMT), OP_ALTER_OTHER, classify_plain},
    {ON(CREATE_FDW_STMT), OP_CREATE_OTHER, classify_plain},
    {ON(ALTER_FDW_STMT), OP_ALTER_OTHER, classify_plain},
    {ON(CREATE_FOREIGN_SERVER_STMT), OP_CREATE_OTHER, classify_plain},
    {ON(ALTER_FOREIGN_SERVER_STMT), OP_ALTER_OTHER, classify_plain},
    {ON(CREATE_USER_MAPPING_STMT), OP_CREATE_OTHER, classify_plain},
    {ON(ALTER_USER_MAPPING_STMT), OP_ALTER_OTHER, classify_plain},
    {ON(DROP_USER_MAPPING_STMT), OP_DROP_OTHER, classify_plain},
    {ON(IMPORT_FOREIGN_SCHEMA_STMT), OP_CREATE_OTHER, classify_plain},
    {ON(CREATE_EVENT_TRIG_STMT), OP_CREATE_OTHER, classify_plain},
    {ON(ALTER_EVENT_TRIG_STMT), OP_ALTER_OTHER, classify_additive},
    {ON(CREATE_PLANG_STMT), OP_CREATE_OTHER, classify_plain},
    {ON(CREATE_TRANSFORM_STMT), OP_CREATE_OTHER, classify_plain},
    {ON(CREATE_AM_STMT), OP_CREATE_OTHER, classify_plain},
    {ON(CREATE_PUBLICATION_STMT), OP_CREATE_OTHER, classify_create_publication},
    {ON(ALTER_PUBLICATION_STMT), OP_ALTER_OTHER, classify_alter_publication},
    {ON(CREATE_SUBSCRIPTION_STMT), OP_SERVER, classify_plain},
    {ON(ALTER_SUBSCRIPTION_STMT), OP_SERVER, classify_plain},
    {ON(DROP_SUBSCRIPTION_STMT), OP_SERVER, classify_plain},

    {ON(GRANT_STMT), OP_GRANT, classify_grant},
    {ON(GRANT_ROLE_STMT), OP_GRANT, classify_grant_role},
    {ON(ALTER_DEFAULT_PRIVILEGES_STMT), OP_ROLE, classify_default_privileges},
    {ON(CREATE_ROLE_STMT), OP_ROLE, classify_additive},
    {ON(ALTER_ROLE_STMT), OP_ROLE, classify_role},
    {ON(ALTER_ROLE_SET_STMT), OP_ROLE, classify_role},
    {ON(DROP_ROLE_STMT), OP_ROLE, classify_plain},
    {ON(DROP_OWNED_STMT), OP_ROLE, classify_plain},
    {ON(REASSIGN_OWNED_STMT), OP_ROLE, classify_plain},

    {ON(SELECT_STMT), OP_SELECT, classify_select},
    {ON(INSERT_STMT), OP_INSERT, classify_insert},
    {ON(UPDATE_STMT), OP_UPDATE, classify_update},
    {ON(DELETE_STMT), OP_DELETE, classify_delete},
    {ON(MERGE_STMT), OP_MERGE, classify_merge},
    {ON(COPY_STMT), OP_COPY, classify_copy},
    {ON(EXPLAIN_STMT), OP_SELECT, classify_explain},
    {ON(VARIABLE_SET_STMT), OP_SET, classify_set},
    {ON(VARIABLE_SHOW_STMT), OP_SET, classify_plain},
    {ON(CONSTRAINTS_SET_STMT), OP_SET, classify_plain},
    {ON(TRANSACTION_STMT), OP_TRANSACTION, classify_plain},
    {ON(DO_STMT), OP_OPAQUE, classify_plain},
    {ON(CALL_STMT), OP_OPAQUE, classify_plain},

    /* The server's business, or the session's: refuse.c has a word on some of them. */
    {ON(DISCARD_STMT), OP_SET, classify_plain},
    {ON(LISTEN_STMT), OP_SET, classify_plain},
    {ON(UNLISTEN_STMT), OP_SET, classify_plain},
    {ON(PREPARE_STMT), OP_SET, classify_plain},
    {ON(EXECUTE_STMT), OP_OPAQUE, classify_plain},
    {ON(DEALLOCATE_STMT), OP_SET, classify_plain},
    {ON(DECLARE_CURSOR_STMT), OP_SET, classify_plain},
    {ON(FETCH_STMT), OP_SET, classify_plain},
    {ON(CLOSE_PORTAL_STMT), OP_SET, classify_plain},
    {ON(NOTIFY_STMT), OP_SERVER, classify_additive},
    {ON(LOAD_STMT), OP_SERVER, classify_plain},
    {ON(CHECK_POINT_STMT), OP_SERVER, classify_plain},
    {ON(ALTER_SYSTEM_STMT), OP_SERVER, classify_plain},
    {ON(CREATEDB_STMT), OP_SERVER, classify_plain},
    {ON(DROPDB_STMT), OP_SERVER, classify_removes},
    {ON(ALTER_DATABASE_STMT), OP_SERVER, classify_plain},
    {ON(ALTER_DATABASE_REFRESH_COLL_STMT), OP_SERVER, classify_plain},
    {ON(ALTER_DATABASE_SET_STMT), OP_ROLE, classify_plain},
    {ON(CREATE_TABLE_SPACE_STMT), OP_SERVER, classify_plain},
    {ON(DROP_TABLE_SPACE_STMT), OP_SERVER, classify_removes},
    {ON(ALTER_TABLE_SPACE_OPTIONS_STMT), OP_SERVER, classify_plain},
};

enum { ROW_COUNT = sizeof(rows) / sizeof(rows[0]) };

void classify_node(struct classify *classify, const PgQuery__Node *node)
{
    const PgQuery__Node *outer = classify->node;

    classify->node = node;
    for (size_t i = 0; i < ROW_COUNT; i++) {
        if (rows[i].node != node->node_case)
            continue;
        rows[i].read(classify, node, rows[i].kind);
        classify->node = outer;
        return;
    }
    classify_add(classify, OP_UNKNOWN);
    classify->node = outer;
}

const char *classify_text(const char *text)
{
    return text == NULL || *text == '\0' ? NULL : text;
}

struct operation *classify_add(struct classify *classify, enum operation_kind kind)
{
    struct operations *operations = classify->operations;
    struct operation *operation;

    operations->items = allocate_one_more(operations->items, operations->count, sizeof(*operations->items));
    operation = &operations->items[operations->count++];
    *operation = (struct operation){
        .kind = kind,
        .class = operation_kinds[kind].class,
        .lock = operation_kinds[kind].lock,
        .node = classify->node,
        .start = classify->statement->start,
        .end = classify->statement->end,
    };
    return operation;
}

const char *classify_schema(const struct classify *classify, const PgQuery__RangeVar *relation)
{
    const char *schema = classify_text(relation->schemaname);

    return schema == NULL ? classify->schema : schema;
}

bool classify_is_new(const struct classify *classify, const PgQuery__RangeVar *relation)
{
    return strcmp(relation->relpersistence, "t") == 0
           || created_has(classify->created, CREATED_RELATION, classify_schema(classify, relation),
                          relation->relname, NULL);
}

void classify_look_up(struct classify *classify, struct operation *operation, enum created_kind kind)
{
    const struct catalog *catalog = classify->statement->reader->options.catalog;
    const struct catalog_table *known;

    if (operation->table == NULL)
        return;
    operation->on_new = created_has(classify->created, kind, operation->schema, operation->table, NULL);
    if (kind != CREATED_RELATION || operation->on_new)
        return;
    known = catalog_find(catalog, operation->schema, operation->table);
    if (known != NULL && strcmp(known->kind, "type") != 0)
        operation->known = known;
}

struct operation *classify_add_on(struct classify *classify, enum operation_kind kind,
                                  const PgQuery__RangeVar *relation)
{
    struct operation *operation = classify_add(classify, kind);

    if (relation == NULL)
        return operation;
    operation->schema = classify_schema(classify, relation);
    operation->table = relation->relname;
    classify_look_up(classify, operation, CREATED_RELATION);
    operation->on_new = operation->on_new || strcmp(relation->relpersistence, "t") == 0;
    return operation;
}

void classify_set_other(struct classify *classify, struct operation *operation,
                        const PgQuery__RangeVar *relation, enum plan_lock lock)
{
    if (relation == NULL || classify_is_new(classify, relation))
        return;
    operation->other_schema = classify_schema(classify, relation);
    operation->other_table = relation->relname;
    operation->other_lock = lock;
}

bool classify_remember(struct classify *classify, const struct operation *operation, enum created_kind kind,
                       bool may_exist)
{
    const struct catalog *catalog = classify->statement->reader->options.catalog;

    /* Whoever asked the catalog asked it for every name of the text. */
    if (may_exist && kind != CREATED_FUNCTION && catalog != NULL)
        may_exist = catalog_find(catalog, operation->schema, operation->table) != NULL;
    if (!may_exist)
        created_add(classify->created, kind, operation->schema, operation->table, NULL, NULL);
    return !may_exist;
}

void classify_name_list(PgQuery__Node *const *names, size_t count, const char **schema, const char **name)
{
    *name = count > 0 ? node_string(names[count - 1]) : NULL;
    *schema = count > 1 ? node_string(names[count - 2]) : NULL;
}

bool classify_names(const PgQuery__Node *named, const char **schema, const char **name)
{
    *schema = *name = NULL;
    if (named == NULL)
        return false;
    if (named->node_case == ON(LIST))
        classify_name_list(named->list->items, named->list->n_items, schema, name);
    else if (named->node_case == ON(TYPE_NAME))
        classify_name_list(named->type_name->names, named->type_name->n_names, schema, name);
    else if (named->node_case == ON(OBJECT_WITH_ARGS))
        classify_name_list(named->object_with_args->objname, named->object_with_args->n_objname, schema,
                           name);
    else
        *name = node_string(named);
    return *name != NULL;
}

void classify_plain(struct classify *classify, const PgQuery__Node *node, enum operation_kind kind)
{
    (void)node;
    classify_add(classify, kind);
}

void classify_additive(struct classify *classify, const PgQuery__Node *node, enum operation_kind kind)
{
    (void)node;
    classify_add(classify, kind)->class = CLASS_ADDITIVE;
}

void classify_removes(struct classify *classify, const PgQuery__Node *node, enum operation_kind kind)
{
    (void)node;
    classify_add(classify, kind)->class = CLASS_REMOVES;
}

static bool is_bookkeeping(const struct operation *operation)
{
    bool table = false;

    for (size_t i = 0; operation->table != NULL && i < sizeof(bookkeeping) / sizeof(bookkeeping[0]); i++)
        table = table || strcmp(operation->table, bookkeeping[i]) == 0;
    for (size_t i = 0; table && i < sizeof(bookkeeping_kinds) / sizeof(bookkeeping_kinds[0]); i++)
        if (operation->kind == bookkeeping_kinds[i])
            return true;
    return false;
}

/* Where nobody can look, nothing is unsafe. */
static void settle(struct operation *operation)
{
    bool harmful = operation->class == CLASS_UNSAFE || operation->class == CLASS_TIGHTENS
                   || operation->class == CLASS_REMOVES;

    if (is_bookkeeping(operation))
        operation->class = CLASS_BOOKKEEPING;
    else if (operation->on_new && harmful)
        operation->class = CLASS_ADDITIVE;
}

/* Until the backfill is done no code needs what expand has created. What contract and undo meet is in use. */
static struct created *created_for(struct statement *statement)
{
    enum plan_section section = statement->section == PLAN_BACKFILL ? PLAN_EXPAND : statement->section;

    return &statement->reader->created[section];
}

void operations_read(struct statement *statement, struct operations *operations)
{
    struct classify classify = {
        .statement = statement,
        .operations = operations,
        .created = created_for(statement),
    };

    *operations = (struct operations){0};
    classify_node(&classify, statement->node);
    for (size_t i = 0; i < operations->count; i++)
        settle(&operations->items[i]);
}
