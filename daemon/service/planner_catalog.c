/* Facts of the catalog, from JSON: tables name the members of each struct, and one walk serves them all. */
#include "planner_catalog.h"

#include <schemagate/base/memory.h>

#include <jansson.h>
#include <stdlib.h>

enum fact_kind {
    FACT_TEXT,
    FACT_OPTIONAL_TEXT, /* null stays NULL; elsewhere it is "" */
    FACT_INT,
    FACT_INT64,
    FACT_BOOL,
    FACT_TEXTS,
    FACT_INTS,
    FACT_OBJECTS
};

struct fact {
    const char *name; /* NULL: the end */
    enum fact_kind kind;
    size_t at, count_at;         /* count_at: of lists */
    size_t size;                 /* of an object in a list */
    const struct fact *members;  /* of an object in a list */
};

#define ONE(type, member, kind_) {.name = #member, .kind = kind_, .at = offsetof(struct type, member)}
#define TEXT(type, member) ONE(type, member, FACT_TEXT)
#define OPTIONAL(type, member) ONE(type, member, FACT_OPTIONAL_TEXT)
#define INT(type, member) ONE(type, member, FACT_INT)
#define INT64(type, member) ONE(type, member, FACT_INT64)
#define BOOL(type, member) ONE(type, member, FACT_BOOL)
#define LIST(type, member, count_, kind_)                                                          \
    {.name = #member, .kind = kind_, .at = offsetof(struct type, member),                          \
     .count_at = offsetof(struct type, count_)}
#define OBJECTS(type, member, count_, object, members_)                                            \
    {.name = #member, .kind = FACT_OBJECTS, .at = offsetof(struct type, member),                   \
     .count_at = offsetof(struct type, count_), .size = sizeof(struct object), .members = members_}
#define END {.name = NULL}

static const struct fact column_facts[] = {
    TEXT(catalog_column, name),
    TEXT(catalog_column, type),
    TEXT(catalog_column, collation),
    OPTIONAL(catalog_column, default_text),
    TEXT(catalog_column, identity),
    OPTIONAL(catalog_column, comment),
    TEXT(catalog_column, options),
    BOOL(catalog_column, not_null),
    OPTIONAL(catalog_column, unproved),
    BOOL(catalog_column, generated),
    BOOL(catalog_column, partition_key),
    BOOL(catalog_column, default_volatile),
    INT(catalog_column, number),
    OPTIONAL(catalog_column, sequence),
    TEXT(catalog_column, sequence_options),
    LIST(catalog_column, sequence_grants, sequence_grant_count, FACT_TEXTS),
    LIST(catalog_column, grants, grant_count, FACT_TEXTS),
    END,
};

static const struct fact index_facts[] = {
    TEXT(catalog_index, name),
    TEXT(catalog_index, definition),
    OPTIONAL(catalog_index, comment),
    LIST(catalog_index, columns, column_count, FACT_INTS),
    BOOL(catalog_index, unique),
    BOOL(catalog_index, primary),
    BOOL(catalog_index, valid),
    BOOL(catalog_index, constraint),
    BOOL(catalog_index, replica_identity),
    BOOL(catalog_index, uses_expressions),
    END,
};

static const struct fact constraint_facts[] = {
    TEXT(catalog_constraint, name),
    TEXT(catalog_constraint, definition),
    TEXT(catalog_constraint, kind),
    OPTIONAL(catalog_constraint, foreign_table),
    OPTIONAL(catalog_constraint, comment),
    LIST(catalog_constraint, columns, column_count, FACT_INTS),
    BOOL(catalog_constraint, valid),
    BOOL(catalog_constraint, deferrable),
    BOOL(catalog_constraint, incoming),
    BOOL(catalog_constraint, partitioned),
    END,
};

static const struct fact dependent_facts[] = {
    TEXT(catalog_dependent, kind),
    TEXT(catalog_dependent, name),
    TEXT(catalog_dependent, definition),
    TEXT(catalog_dependent, settings),
    OPTIONAL(catalog_dependent, comment),
    INT(catalog_dependent, column),
    BOOL(catalog_dependent, blocks),
    END,
};

static const struct fact partition_facts[] = {
    TEXT(catalog_partition, name),
    TEXT(catalog_partition, parent),
    BOOL(catalog_partition, branch),
    END,
};

static const struct fact table_facts[] = {
    TEXT(catalog_table, schema),
    TEXT(catalog_table, name),
    BOOL(catalog_table, on_path),
    TEXT(catalog_table, kind),
    OPTIONAL(catalog_table, of_table),
    TEXT(catalog_table, owner),
    INT64(catalog_table, rows),
    INT64(catalog_table, bytes),
    OBJECTS(catalog_table, columns, column_count, catalog_column, column_facts),
    OBJECTS(catalog_table, indexes, index_count, catalog_index, index_facts),
    OBJECTS(catalog_table, constraints, constraint_count, catalog_constraint, constraint_facts),
    OBJECTS(catalog_table, dependents, dependent_count, catalog_dependent, dependent_facts),
    OPTIONAL(catalog_table, partition_by),
    BOOL(catalog_table, default_partition),
    OBJECTS(catalog_table, partitions, partition_count, catalog_partition, partition_facts),
    LIST(catalog_table, grants, grant_count, FACT_TEXTS),
    OPTIONAL(catalog_table, comment),
    BOOL(catalog_table, published),
    BOOL(catalog_table, row_security),
    END,
};

static const struct fact catalog_facts[] = {
    INT(catalog, server_version),
    OBJECTS(catalog, tables, table_count, catalog_table, table_facts),
    LIST(catalog, missing, missing_count, FACT_TEXTS),
    BOOL(catalog, event_triggers),
    END,
};

static char *text_of(const json_t *value)
{
    return memory_copy(json_is_string(value) ? json_string_value(value) : "");
}

static void read_object(void *object, const struct fact *facts, const json_t *document);

/* Fills a list of `size` bytes each; an absent one is empty. */
static void read_list(char *object, const struct fact *fact, const json_t *list)
{
    static const size_t sizes[] = {[FACT_TEXTS] = sizeof(char *), [FACT_INTS] = sizeof(int)};
    size_t size = fact->kind == FACT_OBJECTS ? fact->size : sizes[fact->kind];
    size_t count = json_array_size(list);
    char *items = count > 0 ? memory_new(count * size) : NULL;

    for (size_t i = 0; i < count; i++) {
        const json_t *value = json_array_get(list, i);
        void *item = items + i * size;

        if (fact->kind == FACT_OBJECTS)
            read_object(item, fact->members, value);
        else if (fact->kind == FACT_TEXTS)
            *(char **)item = text_of(value);
        else
            *(int *)item = (int)json_integer_value(value);
    }
    *(void **)(void *)(object + fact->at) = items;
    *(size_t *)(void *)(object + fact->count_at) = count;
}

static void read_fact(char *object, const struct fact *fact, const json_t *value)
{
    void *at = object + fact->at;

    switch (fact->kind) {
    case FACT_TEXT:
        *(char **)at = text_of(value);
        break;
    case FACT_OPTIONAL_TEXT:
        *(char **)at = json_is_string(value) ? text_of(value) : NULL;
        break;
    case FACT_INT:
        *(int *)at = (int)json_integer_value(value);
        break;
    case FACT_INT64:
        *(int64_t *)at = json_integer_value(value);
        break;
    case FACT_BOOL:
        *(bool *)at = json_is_true(value);
        break;
    case FACT_TEXTS:
    case FACT_INTS:
    case FACT_OBJECTS:
        read_list(object, fact, value);
        break;
    }
}

static void read_object(void *object, const struct fact *facts, const json_t *document)
{
    for (; facts->name != NULL; facts++)
        read_fact(object, facts, json_object_get(document, facts->name));
}

struct catalog *planner_catalog_read(const char *document, size_t length)
{
    json_t *root = json_loadb(document, length, 0, NULL);
    struct catalog *catalog = NULL;

    if (json_is_integer(json_object_get(root, "server_version"))) {
        catalog = memory_new(sizeof(*catalog));
        read_object(catalog, catalog_facts, root);
    }
    json_decref(root);
    return catalog;
}

char *planner_catalog_names(const struct plan *plan)
{
    json_t *names = json_array();

    for (size_t i = 0; i < plan->need_count; i++)
        json_array_append_new(names, json_pack("{s:s*, s:s}", "schema", plan->needs[i].schema, "name",
                                               plan->needs[i].name));
    char *text = json_dumps(names, JSON_COMPACT);

    json_decref(names);
    return text;
}
