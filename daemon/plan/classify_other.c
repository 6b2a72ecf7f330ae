/* Types, domains, functions, extensions, publications, rights and roles. */
#include "classify.h"

#include <string.h>

static void add_named(struct classify *classify, enum operation_kind kind, PgQuery__Node *const *names,
                      size_t count, enum created_kind created)
{
    struct operation *operation = classify_add(classify, kind);

    classify_name_list(names, count, &operation->schema, &operation->table);
    if (operation->schema == NULL)
        operation->schema = classify->schema;
    classify_look_up(classify, operation, created);
}

static struct operation *last(struct classify *classify)
{
    return &classify->operations->items[classify->operations->count - 1];
}

static void create_named(struct classify *classify, enum operation_kind kind, PgQuery__Node *const *names,
                         size_t count, enum created_kind created)
{
    add_named(classify, kind, names, count, created);
    last(classify)->on_new = true;
    classify_remember(classify, last(classify), created, false);
}

void classify_create_type(struct classify *classify, const PgQuery__Node *node, enum operation_kind kind)
{
    if (node->node_case == PG_QUERY__NODE__NODE_CREATE_ENUM_STMT)
        create_named(classify, kind, node->create_enum_stmt->type_name, node->create_enum_stmt->n_type_name,
                     CREATED_TYPE);
    else
        create_named(classify, kind, node->create_range_stmt->type_name, node->create_range_stmt->n_type_name,
                     CREATED_TYPE);
}

void classify_create_composite(struct classify *classify, const PgQuery__Node *node, enum operation_kind kind)
{
    const PgQuery__RangeVar *name = node->composite_type_stmt->typevar;
    struct operation *operation = classify_add(classify, kind);

    operation->schema = classify_schema(classify, name);
    operation->table = name->relname;
    operation->on_new = true;
    classify_remember(classify, operation, CREATED_TYPE, false);
}

void classify_alter_enum(struct classify *classify, const PgQuery__Node *node, enum operation_kind kind)
{
    const PgQuery__AlterEnumStmt *alter = node->alter_enum_stmt;

    add_named(classify, classify_text(alter->old_val) != NULL ? OP_RENAME_ENUM_VALUE : kind, alter->type_name,
              alter->n_type_name, CREATED_TYPE);
    last(classify)->object = alter->new_val;
    last(classify)->if_exists = alter->skip_if_new_val_exists;
}

void classify_create_domain(struct classify *classify, const PgQuery__Node *node, enum operation_kind kind)
{
    const PgQuery__CreateDomainStmt *create = node->create_domain_stmt;

    create_named(classify, kind, create->domainname, create->n_domainname, CREATED_TYPE);
    if (create->n_constraints > 0)
        classify_remember(classify, last(classify), CREATED_DOMAIN, false);
}

/* By AlterDomainStmt.subtype. VALIDATE reads every table that has a column of the domain. */
static const struct {
    char subtype;
    enum operation_kind kind;
    enum operation_class class;
    bool scans;
} domain_changes[] = {
    {'N', OP_LOOSEN_DOMAIN, CLASS_ADDITIVE, false}, {'X', OP_LOOSEN_DOMAIN, CLASS_ADDITIVE, false},
    {'O', OP_TIGHTEN_DOMAIN, CLASS_TIGHTENS, true}, {'C', OP_TIGHTEN_DOMAIN, CLASS_TIGHTENS, true},
    {'V', OP_TIGHTEN_DOMAIN, CLASS_ADDITIVE, true},
};

void classify_alter_domain(struct classify *classify, const PgQuery__Node *node, enum operation_kind kind)
{
    const PgQuery__AlterDomainStmt *alter = node->alter_domain_stmt;
    struct operation *operation;

    add_named(classify, kind, alter->type_name, alter->n_type_name, CREATED_TYPE);
    operation = last(classify);
    operation->object = classify_text(alter->name);
    if (alter->subtype[0] == 'T' && alter->def != NULL) {
        operation->kind = OP_LOOSEN_DOMAIN;
        operation->class = CLASS_ADDITIVE;
    }
    for (size_t i = 0; i < sizeof(domain_changes) / sizeof(domain_changes[0]); i++) {
        if (domain_changes[i].subtype != alter->subtype[0])
            continue;
        operation->kind = domain_changes[i].kind;
        operation->class = domain_changes[i].class;
        operation->scans = domain_changes[i].scans;
    }
    if (alter->def != NULL && alter->def->node_case == PG_QUERY__NODE__NODE_CONSTRAINT) {
        operation->constraint = alter->def->constraint;
        operation->object = classify_text(alter->def->constraint->conname);
        operation->not_valid = alter->def->constraint->skip_validation;
        operation->scans = operation->scans && !operation->not_valid;
    }
}

void classify_create_function(struct classify *classify, const PgQuery__Node *node, enum operation_kind kind)
{
    const PgQuery__CreateFunctionStmt *create = node->create_function_stmt;

    add_named(classify, kind, create->funcname, create->n_funcname, CREATED_FUNCTION);
    if (!create->replace || last(classify)->on_new) {
        last(classify)->on_new = true;
        classify_remember(classify, last(classify), CREATED_FUNCTION, false);
    } else {
        last(classify)->kind = OP_REPLACE_FUNCTION;
    }
}

void classify_alter_function(struct classify *classify, const PgQuery__Node *node, enum operation_kind kind)
{
    const PgQuery__ObjectWithArgs *function = node->alter_function_stmt->func;

    add_named(classify, kind, function->objname, function->n_objname, CREATED_FUNCTION);
}

void classify_define(struct classify *classify, const PgQuery__Node *node, enum operation_kind kind)
{
    const PgQuery__DefineStmt *define = node->define_stmt;

    if (define->kind == PG_QUERY__OBJECT_TYPE__OBJECT_TYPE)
        create_named(classify, OP_CREATE_TYPE, define->defnames, define->n_defnames, CREATED_TYPE);
    else if (define->kind == PG_QUERY__OBJECT_TYPE__OBJECT_AGGREGATE)
        add_named(classify, define->replace ? OP_REPLACE_FUNCTION : OP_CREATE_FUNCTION, define->defnames,
                  define->n_defnames, CREATED_FUNCTION);
    else
        add_named(classify, kind, define->defnames, define->n_defnames, CREATED_OTHER);
}

/* Extensions that add types, operators and functions, and touch nothing of the application's. */
static const char *const known_extensions[] = {
    "bloom",       "btree_gin", "btree_gist", "citext",   "cube",          "dict_int",
    "dict_xsyn",   "earthdistance", "fuzzystrmatch", "hstore", "hypopg",   "intarray",
    "isn",         "lo",        "ltree",      "pageinspect", "pg_buffercache", "pg_stat_statements",
    "pg_trgm",     "pgcrypto",  "pgrowlocks", "pgstattuple", "plpgsql",    "postgis",
    "postgres_fdw", "seg",      "sslinfo",    "tablefunc", "tcn",          "tsm_system_rows",
    "tsm_system_time", "unaccent", "uuid-ossp", "vector",  "xml2",
};

void classify_create_extension(struct classify *classify, const PgQuery__Node *node, enum operation_kind kind)
{
    const PgQuery__CreateExtensionStmt *create = node->create_extension_stmt;
    struct operation *operation = classify_add(classify, kind);

    operation->table = create->extname;
    operation->if_exists = create->if_not_exists;
    for (size_t i = 0; i < sizeof(known_extensions) / sizeof(known_extensions[0]); i++)
        if (strcmp(known_extensions[i], create->extname) == 0)
            operation->class = CLASS_ADDITIVE;
}

static bool has_replica_identity(const struct catalog_table *table)
{
    for (size_t i = 0; table != NULL && i < table->index_count; i++)
        if (table->indexes[i].primary)
            return true;
    return false;
}

/* A published table without a primary key refuses UPDATE and DELETE. */
static void publish(struct classify *classify, enum operation_kind kind, PgQuery__Node *const *objects,
                    size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const PgQuery__PublicationObjSpec *object = objects[i]->publication_obj_spec;
        struct operation *operation =
            classify_add_on(classify, kind, object->pubtable == NULL ? NULL : object->pubtable->relation);

        operation->lock = object->pubtable == NULL ? LOCK_NONE : LOCK_SHARE_UPDATE_EXCLUSIVE;
        operation->class = has_replica_identity(operation->known) ? CLASS_ADDITIVE : CLASS_TIGHTENS;
    }
}

void classify_create_publication(struct classify *classify, const PgQuery__Node *node,
                                 enum operation_kind kind)
{
    const PgQuery__CreatePublicationStmt *create = node->create_publication_stmt;

    if (create->n_pubobjects == 0)
        classify_add(classify, kind)->class = create->for_all_tables ? CLASS_TIGHTENS : CLASS_ADDITIVE;
    publish(classify, kind, create->pubobjects, create->n_pubobjects);
}

void classify_alter_publication(struct classify *classify, const PgQuery__Node *node,
                                enum operation_kind kind)
{
    const PgQuery__AlterPublicationStmt *alter = node->alter_publication_stmt;

    if (alter->n_pubobjects > 0 && alter->action == PG_QUERY__ALTER_PUBLICATION_ACTION__AP_AddObjects)
        publish(classify, kind, alter->pubobjects, alter->n_pubobjects);
    else
        classify_add(classify, kind);
}

void classify_grant(struct classify *classify, const PgQuery__Node *node, enum operation_kind kind)
{
    const PgQuery__GrantStmt *grant = node->grant_stmt;

    if (!grant->is_grant)
        kind = OP_REVOKE;
    if (grant->n_objects == 0)
        classify_add(classify, kind);
    for (size_t i = 0; i < grant->n_objects; i++) {
        const PgQuery__Node *object = grant->objects[i];
        struct operation *operation;

        if (object->node_case == PG_QUERY__NODE__NODE_RANGE_VAR) {
            classify_add_on(classify, kind, object->range_var);
            continue;
        }
        operation = classify_add(classify, kind);
        classify_names(object, &operation->schema, &operation->table);
        if (grant->objtype == PG_QUERY__OBJECT_TYPE__OBJECT_FUNCTION)
            classify_look_up(classify, operation, CREATED_FUNCTION);
        else if (grant->objtype == PG_QUERY__OBJECT_TYPE__OBJECT_SCHEMA)
            classify_look_up(classify, operation, CREATED_SCHEMA);
    }
}

void classify_grant_role(struct classify *classify, const PgQuery__Node *node, enum operation_kind kind)
{
    classify_add(classify, node->grant_role_stmt->is_grant ? kind : OP_REVOKE);
}

/* They are about objects that are still to come. */
void classify_default_privileges(struct classify *classify, const PgQuery__Node *node,
                                 enum operation_kind kind)
{
    (void)node;
    classify_add(classify, kind)->class = CLASS_ADDITIVE;
}

void classify_role(struct classify *classify, const PgQuery__Node *node, enum operation_kind kind)
{
    const PgQuery__RoleSpec *role = node->node_case == PG_QUERY__NODE__NODE_ALTER_ROLE_STMT
                                        ? node->alter_role_stmt->role
                                        : node->alter_role_set_stmt->role;

    classify_add(classify, kind)->table = role == NULL ? NULL : classify_text(role->rolename);
}
