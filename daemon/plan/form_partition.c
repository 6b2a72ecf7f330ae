/* Partitioned tables refuse CONCURRENTLY, so each partition has its turn; and detaching. */
#include "allocate.h"
#include "piece.h"
#include "split.h"

#include <stdlib.h>
#include <string.h>

/* The last name of a quoted and qualified one: where it begins. */
static size_t last_name(const char *qualified)
{
    bool quoted = false;
    size_t start = 0;

    for (size_t i = 0; qualified[i] != '\0'; i++) {
        if (qualified[i] == '"')
            quoted = !quoted;
        if (qualified[i] == '.' && !quoted)
            start = i + 1;
    }
    return start;
}

/* Without its quotes. Owned by the caller. */
static char *bare_name(const char *name)
{
    char *bare = allocate(NULL, strlen(name) + 1, 1), *to = bare;

    if (*name != '"')
        return strcpy(bare, name);
    for (const char *at = name + 1; *at != '\0'; at++) {
        if (*at == '"' && *++at != '"')
            break;
        *to++ = *at;
    }
    *to = '\0';
    return bare;
}

static void create_only(struct place *place, const char *name, const char *table, const char *tail)
{
    form_is_prepared(
        form_emit(place, place->section, EMIT_SEPARATE,
                  "ON ONLY the parent, which has no rows of its own; it is valid once all partitions follow.",
                  "CREATE %sINDEX %s ON ONLY %s %s",
                  place->operation->node->index_stmt->unique ? "UNIQUE " : "", name, table, tail));
}

/* The index of a partition whose own partitions follow has no more rows than that of the parent. Its name,
 * quoted and qualified, is the caller's. `tail`: what stands behind the table. */
static char *index_partition(struct place *place, const struct catalog_partition *of, const char *parent,
                             const char *tail)
{
    const char *partition = of->name;
    const PgQuery__IndexStmt *index = place->operation->node->index_stmt;
    size_t last = last_name(partition);
    char *bare = bare_name(partition + last);
    PgQuery__RangeVar relation = PG_QUERY__RANGE_VAR__INIT;
    PgQuery__IndexStmt own = *index;
    char *name, *qualified;

    relation.relname = bare;
    own.relation = &relation;
    name = emit_name(form_free_name(place, piece_index_name(&own)));
    qualified = allocate_text("%.*s%s", (int)last, partition, name);
    if (of->branch)
        create_only(place, name, partition, tail);
    else
        form_emit(place, place->section, EMIT_OUTSIDE,
                  "One partition after the other, CONCURRENTLY: nobody waits.",
                  "CREATE %sINDEX CONCURRENTLY %s ON %s %s", index->unique ? "UNIQUE " : "", name, partition,
                  tail);
    form_emit(place, place->section, EMIT_SEPARATE,
              "The parent's index is valid once that of every partition is attached.",
              "ALTER INDEX %s ATTACH PARTITION %s", parent, qualified);
    free(bare);
    free(name);
    return qualified;
}

/* The index of the partition's parent: that of the table, or of a partition that came before. */
static const char *index_of_parent(const struct catalog_table *known, char *const *indexes, size_t count,
                                   const char *parent)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(known->partitions[i].name, known->partitions[count].parent) == 0)
            return indexes[i];
    return parent;
}

static void index_partitions(struct place *place, const char *parent, const char *tail)
{
    const struct catalog_table *known = place->operation->known;
    char **indexes = allocate(NULL, known->partition_count + 1, sizeof(*indexes));

    for (size_t i = 0; i < known->partition_count; i++)
        indexes[i] = index_partition(place, &known->partitions[i],
                                     index_of_parent(known, indexes, i, parent), tail);
    for (size_t i = 0; i < known->partition_count; i++)
        free(indexes[i]);
    free(indexes);
}

void form_partitioned_index(struct place *place)
{
    const struct reader *reader = place->statement->reader;
    const PgQuery__IndexStmt *index = place->operation->node->index_stmt;
    size_t start = place->statement->start, end = place->statement->end;
    size_t on = piece_token(reader, start, end, PG_QUERY__TOKEN__ON);
    size_t open = piece_token(reader, on, end, PG_QUERY__TOKEN__ASCII_40);
    size_t using = piece_token(reader, on, open, PG_QUERY__TOKEN__USING);
    bool named = index->idxname != NULL && *index->idxname != '\0';
    char *name, *parent, *table, *tail;

    if (!index->relation->inh || on == end) {
        form_written(place);
        return;
    }
    name = named ? allocate_text("%s", index->idxname)
                 : allocate_text("%s", form_free_name(place, piece_index_name(index)));
    parent = emit_qualified(place->operation->schema, name);
    table = form_table(place);
    tail = piece_of(reader, using < open ? using : open, end);
    create_only(place, parent + last_name(parent), table, tail);
    index_partitions(place, parent, tail);
    undo_add(place, "DROP INDEX %s", parent);
    free(name);
    free(parent);
    free(table);
    free(tail);
}

void form_detach(struct place *place)
{
    const struct operation *operation = place->operation;
    const struct catalog *catalog = place->split->reader->options.catalog;
    bool too_old = catalog != NULL && catalog->server_version < 140000; /* to detach CONCURRENTLY */
    char *text;

    if (operation->concurrently || too_old || place->statement->node->alter_table_stmt->n_cmds > 1) {
        form_written(place);
        return;
    }
    text = piece_of(place->statement->reader, place->statement->start, place->statement->end);
    form_emit(place, place->section, EMIT_OUTSIDE,
              "Code of the old release reads its rows through the parent; CONCURRENTLY, nobody waits.",
              "%s CONCURRENTLY", text);
    free(text);
}
