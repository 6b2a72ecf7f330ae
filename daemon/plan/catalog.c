/* Facts of the catalog: looking them up, and release. */
#include <schemagate/plan/catalog.h>

#include <stdlib.h>
#include <string.h>

const struct catalog_table *catalog_find(const struct catalog *catalog, const char *schema, const char *name)
{
    for (size_t i = 0; catalog != NULL && i < catalog->table_count; i++) {
        const struct catalog_table *table = &catalog->tables[i];

        if (strcmp(table->name, name) == 0
            && (schema == NULL ? table->on_path : strcmp(table->schema, schema) == 0))
            return table;
    }
    return NULL;
}

const struct catalog_column *catalog_column(const struct catalog_table *table, const char *name)
{
    for (size_t i = 0; i < table->column_count; i++)
        if (strcmp(table->columns[i].name, name) == 0)
            return &table->columns[i];
    return NULL;
}

static void free_texts(char **texts, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(texts[i]);
    free(texts);
}

static void release_columns(struct catalog_table *table)
{
    for (size_t i = 0; i < table->column_count; i++) {
        struct catalog_column *column = &table->columns[i];

        free(column->name);
        free(column->type);
        free(column->collation);
        free(column->default_text);
        free(column->identity);
        free(column->unproved);
        free(column->comment);
        free(column->options);
        free(column->sequence);
        free(column->sequence_options);
        free_texts(column->sequence_grants, column->sequence_grant_count);
        free_texts(column->grants, column->grant_count);
    }
    free(table->columns);
}

static void release_indexes(struct catalog_table *table)
{
    for (size_t i = 0; i < table->index_count; i++) {
        struct catalog_index *index = &table->indexes[i];

        free(index->name);
        free(index->definition);
        free(index->comment);
        free(index->columns);
    }
    free(table->indexes);
}

static void release_constraints(struct catalog_table *table)
{
    for (size_t i = 0; i < table->constraint_count; i++) {
        struct catalog_constraint *constraint = &table->constraints[i];

        free(constraint->name);
        free(constraint->definition);
        free(constraint->kind);
        free(constraint->foreign_table);
        free(constraint->comment);
        free(constraint->columns);
    }
    free(table->constraints);
}

static void release_dependents(struct catalog_table *table)
{
    for (size_t i = 0; i < table->dependent_count; i++) {
        free(table->dependents[i].kind);
        free(table->dependents[i].name);
        free(table->dependents[i].definition);
        free(table->dependents[i].settings);
        free(table->dependents[i].comment);
    }
    free(table->dependents);
}

static void release_partitions(struct catalog_table *table)
{
    for (size_t i = 0; i < table->partition_count; i++) {
        free(table->partitions[i].name);
        free(table->partitions[i].parent);
    }
    free(table->partitions);
}

void catalog_free(struct catalog *catalog)
{
    if (catalog == NULL)
        return;
    for (size_t i = 0; i < catalog->table_count; i++) {
        struct catalog_table *table = &catalog->tables[i];

        free(table->schema);
        free(table->name);
        free(table->kind);
        free(table->of_table);
        free(table->partition_by);
        free(table->owner);
        free(table->comment);
        release_columns(table);
        release_indexes(table);
        release_constraints(table);
        release_dependents(table);
        release_partitions(table);
        free_texts(table->grants, table->grant_count);
    }
    free(catalog->tables);
    free_texts(catalog->missing, catalog->missing_count);
    free(catalog);
}
