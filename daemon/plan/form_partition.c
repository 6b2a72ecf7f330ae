/* Partitioned tables refuse CONCURRENTLY, so each partition has its turn; attaching and detaching. */
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

/* The index of one partition: built, then attached to the parent's. `tail`: what stands behind the table. */
static void index_partition(struct place *place, const char *partition, const char *parent, const char *tail)
{
    const PgQuery__IndexStmt *index = place->operation->node->index_stmt;
    size_t last = last_name(partition);
    char *bare = bare_name(partition + last);
    PgQuery__RangeVar relation = PG_QUERY__RANGE_VAR__INIT;
    PgQuery__IndexStmt own = *index;
    char *name;

    relation.relname = bare;
    own.relation = &relation;
    name = emit_name(form_free_name(place, piece_index_name(&own)));
    form_emit(place, place->section, EMIT_OUTSIDE,
              "One partition after the other, CONCURRENTLY: nobody waits.",
              "CREATE %sINDEX CONCURRENTLY %s ON %s %s", index->unique ? "UNIQUE " : "", name,
              partition, tail);
    form_emit(place, place->section, EMIT_SEPARATE,
              "The parent's index is valid once that of every partition is attached.",
              "ALTER INDEX %s ATTACH PARTITION %.*s%s", parent, (int)last, partition, name);
    free(bare);
    free(name);
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
    form_emit(place, place->section, EMIT_SEPARATE,
              "ON ONLY the parent, which has no rows of its own; it is valid once all partitions follow.",
              "CREATE %sINDEX %s ON ONLY %s %s", index->unique ? "UNIQUE " : "",
              parent + last_name(parent), table, tail);
    for (size_t i = 0; i < place->operation->known->partition_count; i++)
        index_partition(place, place->operation->known->partitions[i], parent, tail);
    undo_add(place, "DROP INDEX %s", parent);
    free(name);
    free(parent);
    free(table);
    free(tail);
}

void form_attach(struct place *place)
{
    if (place->operation->scans) {
        form_refuse(place, RULE_NO_SAFE_FORM,
                    "the rows of '%s' are looked through under ACCESS EXCLUSIVE while it is attached",
                    place->operation->other_table);
        return;
    }
    form_separate(place);
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
