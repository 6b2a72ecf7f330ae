/* Indexes are built, dropped and rebuilt CONCURRENTLY: nobody waits for them. */
#include "allocate.h"
#include "piece.h"
#include "split.h"

#include <stdlib.h>
#include <string.h>

static const char built[] =
    "Built CONCURRENTLY, it makes nobody wait: writers go on while the table is read twice.";

/* The index that was given its name here lies in the schema of its table. */
static void undo_chosen(struct place *place, const char *quoted)
{
    char *schema = place->operation->schema == NULL ? NULL : emit_name(place->operation->schema);

    undo_add(place, "DROP INDEX CONCURRENTLY %s%s%s", schema == NULL ? "" : schema, schema == NULL ? "" : ".",
             quoted);
    free(schema);
}

void form_create_index(struct place *place)
{
    const struct reader *reader = place->statement->reader;
    const PgQuery__IndexStmt *index = place->operation->node->index_stmt;
    size_t start = place->statement->start, end = place->statement->end;
    size_t at = piece_token(reader, start, end, PG_QUERY__TOKEN__INDEX);
    char *name = NULL, *inserted, *sql;
    bool named;

    if (form_is_partitioned(place)) {
        form_partitioned_index(place);
        return;
    }
    named = index->idxname != NULL && *index->idxname != '\0';
    if ((index->concurrent && named) || at == end) {
        form_written(place);
        return;
    }
    if (index->concurrent) /* without a name, what an interruption leaves could not be found again */
        at = piece_token(reader, at, end, PG_QUERY__TOKEN__CONCURRENTLY) + strlen("CONCURRENTLY");
    else
        at += strlen("INDEX");
    if (!named)
        name = emit_name(form_free_name(place, piece_index_name(index)));
    inserted = allocate_text("%s%s%s", index->concurrent ? "" : " CONCURRENTLY", named ? "" : " ",
                             named ? "" : name);
    sql = piece_with(reader, start, end, at, inserted);
    form_emit(place, place->section, EMIT_OUTSIDE, built, "%s", sql);
    if (name == NULL)
        undo_derive(place);
    else
        undo_chosen(place, name);
    free(name);
    free(inserted);
    free(sql);
}

static void drop_one(struct place *place, const PgQuery__Node *object)
{
    const PgQuery__DropStmt *drop = place->operation->node->drop_stmt;
    char *name = name_of_list(object->list->items, object->list->n_items);

    form_emit(place, place->section, EMIT_OUTSIDE,
              "The plans of the old release may rest on it; dropped CONCURRENTLY, it makes nobody wait.",
              "DROP INDEX CONCURRENTLY %s%s", drop->missing_ok ? "IF EXISTS " : "", name);
    free(name);
}

/* DROP INDEX CONCURRENTLY takes one index, and neither CASCADE nor a partitioned index. */
void form_drop_index(struct place *place)
{
    const PgQuery__DropStmt *drop = place->operation->node->drop_stmt;

    if (place->operation != &place->all->items[0])
        return; /* all of them were placed with the first */
    if ((drop->concurrent && drop->n_objects == 1) || drop->behavior == PG_QUERY__DROP_BEHAVIOR__DROP_CASCADE
        || form_is_partitioned(place)) {
        form_written(place);
        return;
    }
    for (size_t i = 0; i < drop->n_objects; i++)
        if (drop->objects[i]->node_case == PG_QUERY__NODE__NODE_LIST)
            drop_one(place, drop->objects[i]);
}

void form_reindex(struct place *place)
{
    static const struct {
        PgQuery__ReindexObjectType type;
        int token;
        const char *word;
    } words[] = {
        {PG_QUERY__REINDEX_OBJECT_TYPE__REINDEX_OBJECT_INDEX, PG_QUERY__TOKEN__INDEX, "INDEX"},
        {PG_QUERY__REINDEX_OBJECT_TYPE__REINDEX_OBJECT_TABLE, PG_QUERY__TOKEN__TABLE, "TABLE"},
        {PG_QUERY__REINDEX_OBJECT_TYPE__REINDEX_OBJECT_SCHEMA, PG_QUERY__TOKEN__SCHEMA, "SCHEMA"},
        {PG_QUERY__REINDEX_OBJECT_TYPE__REINDEX_OBJECT_DATABASE, PG_QUERY__TOKEN__DATABASE, "DATABASE"},
    };
    const struct reader *reader = place->statement->reader;
    size_t start = place->statement->start, end = place->statement->end;

    if (place->operation->concurrently) {
        form_written(place);
        return;
    }
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        size_t at = piece_token(reader, start, end, words[i].token);
        char *sql;

        if (words[i].type != place->operation->node->reindex_stmt->kind || at == end)
            continue;
        sql = piece_with(reader, start, end, at + strlen(words[i].word), " CONCURRENTLY");
        form_emit(place, place->section, EMIT_OUTSIDE, "Rebuilt CONCURRENTLY, it makes nobody wait.", "%s",
                  sql);
        free(sql);
        return;
    }
    form_no_safe_form(place);
}
