/* A table that becomes a partition: a CHECK that says what the partition's bounds say is validated before,
 * while everybody reads and writes; with its proof PostgreSQL looks at no row when it is attached. */
#include "allocate.h"
#include "piece.h"
#include "split.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* A table that is to become a partition of another. */
struct attach {
    struct place *place;
    const struct catalog_table *parent, *partition; /* NULL: not known */
    const PgQuery__PartitionBoundSpec *bound;
    char *key; /* the column that spreads the rows, quoted; owned; NULL: it is not just one */
};

/* "RANGE (day)": the name alone, and no expression, collation or further column. Owned by the caller. */
static char *single_key(const struct catalog_table *parent)
{
    const char *open = strchr(parent->partition_by, '(');
    char *inside = open == NULL ? NULL : allocate_copy(open + 1, strlen(open) - 2);

    for (size_t i = 0; inside != NULL && i < parent->column_count; i++) {
        char *name = emit_name(parent->columns[i].name);
        bool same = strcmp(name, inside) == 0;

        free(name);
        if (same)
            return inside;
    }
    free(inside);
    return NULL;
}

/* Two indexes do the same if they are alike from USING on. */
static bool is_like(const struct catalog_index *one, const struct catalog_index *other)
{
    const char *mine = strstr(one->definition, " USING "), *its = strstr(other->definition, " USING ");

    return mine != NULL && its != NULL && strcmp(mine, its) == 0 && one->unique == other->unique
           && one->constraint == other->constraint && other->valid;
}

static const struct catalog_index *missing_index(const struct attach *attach)
{
    for (size_t i = 0; i < attach->parent->index_count; i++) {
        size_t at = 0;

        while (at < attach->partition->index_count
               && !is_like(&attach->parent->indexes[i], &attach->partition->indexes[at]))
            at++;
        if (at == attach->partition->index_count)
            return &attach->parent->indexes[i];
    }
    return NULL;
}

static bool has_foreign_key(const struct catalog_table *table)
{
    for (size_t i = 0; i < table->constraint_count; i++)
        if (strcmp(table->constraints[i].kind, "foreign key") == 0 && !table->constraints[i].incoming)
            return true;
    return false;
}

/* What would be looked through, or built, under the lock all the same; NULL: nothing. */
static const char *obstacle(const struct attach *attach)
{
    if (attach->parent == NULL || attach->parent->partition_by == NULL || attach->partition == NULL)
        return "its bounds can be checked before only where the database can be asked";
    if (attach->bound->is_default || attach->parent->default_partition)
        return "the rows of a default partition are looked through";
    if (attach->key == NULL || strcmp(attach->bound->strategy, "h") == 0)
        return "its bounds are those of more than one plain column";
    if (has_foreign_key(attach->parent))
        return "the foreign keys of the table are checked for each of its rows";
    if (missing_index(attach) != NULL)
        return "an index that the table has, and the partition has not, would be built: build it "
               "CONCURRENTLY in a migration before this one";
    return NULL;
}

/* What stands in the parentheses behind the word. Owned by the caller. */
static char *values_behind(const struct attach *attach, int word)
{
    const struct reader *reader = attach->place->statement->reader;
    size_t end = attach->place->operation->end;
    size_t at = piece_token(reader, attach->place->operation->start, end, word);
    size_t open = piece_token(reader, at, end, PG_QUERY__TOKEN__ASCII_40);

    return piece_of(reader, open + 1, piece_parenthesis(reader, open, end) - 1);
}

/* " AND key >= 7"; nothing for MINVALUE and MAXVALUE. Takes the value. */
static char *limit(const struct attach *attach, const char *operator, char *value)
{
    const char *start = value + strspn(value, " \t\r\n");
    bool open = strncasecmp(start, "minvalue", strlen("minvalue")) == 0
                || strncasecmp(start, "maxvalue", strlen("maxvalue")) == 0;
    char *text = open ? allocate_text("%s", "")
                      : allocate_text(" AND %s %s %s", attach->key, operator, start);

    free(value);
    return text;
}

static char *bounds_of(const struct attach *attach)
{
    char *low, *high, *text;

    if (strcmp(attach->bound->strategy, "l") == 0) {
        low = values_behind(attach, PG_QUERY__TOKEN__IN_P);
        text = allocate_text("CHECK (%s IS NOT NULL AND %s IN (%s))", attach->key, attach->key, low);
        free(low);
        return text;
    }
    low = limit(attach, ">=", values_behind(attach, PG_QUERY__TOKEN__FROM));
    high = limit(attach, "<", values_behind(attach, PG_QUERY__TOKEN__TO));
    text = allocate_text("CHECK (%s IS NOT NULL%s%s)", attach->key, low, high);
    free(low);
    free(high);
    return text;
}

static void take_steps(const struct attach *attach)
{
    struct place *place = attach->place;
    char *table = form_table(place), *bounds = bounds_of(attach);
    char *partition = emit_qualified(place->operation->other_schema, place->operation->other_table);
    char *name =
        emit_name(form_free_name(place, piece_object_name(place->operation->other_table, NULL, "bounds")));

    form_emit(place, place->section, EMIT_SEPARATE,
              "What the bounds will say. NOT VALID: the lock is held for a moment, no row is read.",
              "ALTER TABLE %s ADD CONSTRAINT %s %s NOT VALID", partition, name, bounds);
    form_emit(place, place->section, EMIT_SEPARATE,
              "The rows that are there are checked while everybody reads and writes.",
              "ALTER TABLE %s VALIDATE CONSTRAINT %s", partition, name);
    form_is_prepared(form_as_written(place, EMIT_SEPARATE));
    form_emit(place, place->section, EMIT_SEPARATE, "It has done its work: the bounds say the same.",
              "ALTER TABLE %s DROP CONSTRAINT %s", partition, name);
    undo_add(place, "ALTER TABLE %s DETACH PARTITION %s", table, partition);
    free(table);
    free(bounds);
    free(partition);
    free(name);
}

void form_attach(struct place *place)
{
    const struct operation *operation = place->operation;
    const struct catalog *catalog = place->split->reader->options.catalog;
    struct attach attach = {.place = place, .parent = operation->known};
    const char *why;

    if (!operation->scans) {
        form_separate(place);
        return;
    }
    attach.partition = catalog_find(catalog, operation->other_schema, operation->other_table);
    attach.bound = operation->command->def->partition_cmd->bound;
    if (attach.parent != NULL && attach.parent->partition_by != NULL)
        attach.key = single_key(attach.parent);
    why = obstacle(&attach);
    if (why != NULL)
        form_refuse(place, RULE_NO_SAFE_FORM,
                    "the rows of '%s' are looked through under ACCESS EXCLUSIVE while it is attached: %s",
                    operation->other_table, why);
    else
        take_steps(&attach);
    free(attach.key);
}
