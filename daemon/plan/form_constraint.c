/* Constraints are added without a look at the rows that are there, under a lock of a moment, and validated
 * afterwards, while everybody reads and writes. */
#include "allocate.h"
#include "piece.h"
#include "split.h"

#include <stdlib.h>
#include <string.h>

static const char added[] =
    "NOT VALID: the lock is held for a moment, no row is read; from here on new rows are checked.";
static const char validated[] = "The rows that were there are checked while everybody reads and writes.";

void form_validated(struct place *place, enum plan_section section, const char *name, const char *body)
{
    char *quoted = emit_name(name);

    form_alter(place, section, EMIT_SEPARATE, added, "ADD CONSTRAINT %s %s NOT VALID", quoted, body);
    form_alter(place, section, EMIT_SEPARATE, validated, "VALIDATE CONSTRAINT %s", quoted);
    free(quoted);
}

/* Where the constraint's own words begin: behind ADD, CONSTRAINT and its name. */
static size_t body_start(const struct place *place, const PgQuery__Constraint *constraint)
{
    static const struct {
        PgQuery__ConstrType type;
        int token;
    } words[] = {
        {PG_QUERY__CONSTR_TYPE__CONSTR_CHECK, PG_QUERY__TOKEN__CHECK},
        {PG_QUERY__CONSTR_TYPE__CONSTR_FOREIGN, PG_QUERY__TOKEN__FOREIGN},
    };
    const struct operation *operation = place->operation;

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (words[i].type == constraint->contype)
            return piece_token(place->statement->reader, operation->start, operation->end, words[i].token);
    return operation->end;
}

/* PostgreSQL 15 refuses NOT VALID on partitioned tables: each partition gets a constraint of its own, and the
 * one of the parent finds them there. */
static void foreign_key_by_partition(struct place *place, const char *name, const char *body)
{
    const struct catalog_table *known = place->operation->known;
    char *quoted = emit_name(name);

    for (size_t i = 0; i < known->partition_count; i++) {
        const struct catalog_partition *partition = &known->partitions[i];

        if (partition->branch)
            continue; /* it has no rows, and gets its constraint with the parent */
        form_emit(place, place->section, EMIT_SEPARATE, added,
                  "ALTER TABLE %s ADD CONSTRAINT %s %s NOT VALID", partition->name, quoted, body);
        form_emit(place, place->section, EMIT_SEPARATE, validated, "ALTER TABLE %s VALIDATE CONSTRAINT %s",
                  partition->name, quoted);
    }
    form_is_prepared(form_alter(place, place->section, EMIT_SEPARATE,
                                "The partitions have it already, and validated: no row is read.",
                                "ADD CONSTRAINT %s %s", quoted, body));
    free(quoted);
}

void form_add_constraint(struct place *place)
{
    const struct operation *operation = place->operation;
    const PgQuery__Constraint *constraint = operation->constraint;
    size_t start = body_start(place, constraint);
    const char *name;
    char *body;

    if (constraint->skip_validation || start == operation->end) {
        form_separate(place);
        return;
    }
    name = form_free_name(place, piece_constraint_name(operation->table, constraint, NULL));
    body = piece_of(place->statement->reader, start, operation->end);
    if (constraint->contype == PG_QUERY__CONSTR_TYPE__CONSTR_FOREIGN && form_is_partitioned(place))
        foreign_key_by_partition(place, name, body);
    else
        form_validated(place, place->section, name, body);
    free(body);
    if (place->section < PLAN_CONTRACT) {
        char *quoted = emit_name(name), *table = form_table(place);

        undo_add(place, "ALTER TABLE %s DROP CONSTRAINT %s", table, quoted);
        free(quoted);
        free(table);
    }
}

/* ---- NOT NULL ---- */

static const struct catalog_column *known_column(const struct place *place, const char *column)
{
    const struct catalog_table *known = place->operation->known;

    return known == NULL ? NULL : catalog_column(known, column);
}

/* Not called ..._not_null: so PostgreSQL 18 calls the NOT NULL itself. */
static void prove_by_check(struct place *place, enum plan_section section, const char *column)
{
    char *own = piece_object_name(place->operation->table, column, "is_set");
    const char *name = form_free_name(place, own);
    char *quoted = emit_name(name), *quoted_column = emit_name(column);
    char *body = allocate_text("CHECK (%s IS NOT NULL)", quoted_column);

    form_validated(place, section, name, body);
    form_is_prepared(form_alter(place, section, EMIT_BEGINS,
                                "The validated CHECK proves it: no row is read under the lock.",
                                "ALTER COLUMN %s SET NOT NULL", quoted_column));
    form_alter(place, section, EMIT_SHARED, "It has done its work: NOT NULL says the same.",
               "DROP CONSTRAINT %s", quoted);
    free(body);
    free(quoted);
    free(quoted_column);
}

void form_not_null(struct place *place, enum plan_section section, const char *column)
{
    const struct catalog_column *known = known_column(place, column);
    char *name;

    if (known == NULL || known->unproved == NULL) {
        prove_by_check(place, section, column);
        return;
    }
    name = emit_name(known->unproved);
    form_alter(place, section, EMIT_SEPARATE, validated, "VALIDATE CONSTRAINT %s", name);
    free(name);
}

static void undo_not_null(struct place *place)
{
    char *table = form_table(place), *column = emit_name(place->operation->column);

    undo_add(place, "ALTER TABLE %s ALTER COLUMN %s DROP NOT NULL", table, column);
    free(table);
    free(column);
}

void form_set_not_null(struct place *place)
{
    const struct catalog_column *known = known_column(place, place->operation->column);
    bool late = place->section == PLAN_CONTRACT, is_new = known == NULL || !known->not_null;

    if (place->operation->scans && late && form_fill_not_null(place))
        return;
    if (!place->operation->scans) {
        form_written(place);
        return;
    }
    form_not_null(place, place->section, place->operation->column);
    if (!late && is_new)
        undo_not_null(place);
}

/* ---- UNIQUE and PRIMARY KEY ---- */

/* The names, quoted, with commas between them. */
static char *list_names(PgQuery__Node *const *names, size_t count)
{
    char *list = allocate_text("%s", "");

    for (size_t i = 0; i < count; i++) {
        char *name = emit_name(node_string(names[i]));
        char *longer = allocate_text("%s%s%s", list, i == 0 ? "" : ", ", name);

        free(name);
        free(list);
        list = longer;
    }
    return list;
}

/* What CREATE INDEX says behind its columns. */
static char *index_tail(const struct place *place, const PgQuery__Constraint *constraint, size_t start,
                        size_t end)
{
    const struct reader *reader = place->statement->reader;
    size_t with = piece_token(reader, start, end, PG_QUERY__TOKEN__WITH);
    char *including = list_names(constraint->including, constraint->n_including);
    char *storage = with == end || constraint->n_options == 0
                        ? allocate_text("%s", "")
                        : piece_of(reader, with, piece_parenthesis(reader, with, end));
    char *space = constraint->indexspace == NULL || *constraint->indexspace == '\0'
                      ? allocate_text("%s", "")
                      : emit_name(constraint->indexspace);
    char *tail = allocate_text("%s%s%s%s%s%s%s%s", constraint->n_including > 0 ? " INCLUDE (" : "", including,
                               constraint->n_including > 0 ? ")" : "",
                               constraint->nulls_not_distinct ? " NULLS NOT DISTINCT" : "",
                               *storage == '\0' ? "" : " ", storage,
                               *space == '\0' ? "" : " TABLESPACE ", space);

    free(including);
    free(storage);
    free(space);
    return tail;
}

static bool is_known_not_null(const struct place *place, const char *column)
{
    const struct catalog_column *found = known_column(place, column);

    return found != NULL && found->not_null && found->unproved == NULL;
}

void form_unique_by_index(struct place *place, enum plan_section section,
                          const PgQuery__Constraint *constraint, const char *column, size_t start, size_t end)
{
    bool primary = constraint->contype == PG_QUERY__CONSTR_TYPE__CONSTR_PRIMARY;
    char *table = form_table(place), *tail = index_tail(place, constraint, start, end);
    char *keys = column == NULL ? list_names(constraint->keys, constraint->n_keys) : emit_name(column);
    const char *name =
        form_free_name(place, piece_constraint_name(place->operation->table, constraint, column));
    char *quoted = emit_name(name);

    for (size_t i = 0; primary && i < constraint->n_keys; i++)
        if (!is_known_not_null(place, node_string(constraint->keys[i])))
            form_not_null(place, section, node_string(constraint->keys[i]));
    form_emit(place, section, EMIT_OUTSIDE,
              "The index that the constraint needs is built CONCURRENTLY: nobody waits for it.",
              "CREATE UNIQUE INDEX CONCURRENTLY %s ON %s (%s)%s", quoted, table, keys, tail);
    form_is_prepared(form_alter(place, section, EMIT_SEPARATE,
                                "It takes over the index that is there: the lock is held for a moment.",
                                "ADD CONSTRAINT %s %s USING INDEX %s%s%s", quoted,
                                primary ? "PRIMARY KEY" : "UNIQUE", quoted,
                                constraint->deferrable ? " DEFERRABLE" : "",
                                constraint->initdeferred ? " INITIALLY DEFERRED" : ""));
    if (column == NULL && section < PLAN_CONTRACT)
        undo_add(place, "ALTER TABLE %s DROP CONSTRAINT %s", table, quoted);
    free(table);
    free(tail);
    free(keys);
    free(quoted);
}

void form_add_unique(struct place *place)
{
    const struct operation *operation = place->operation;

    if (form_is_partitioned(place)) {
        form_refuse(place, RULE_NO_SAFE_FORM,
                    "PostgreSQL has no way to add this to the partitioned table '%s' without a lock on "
                    "all of it",
                    operation->table);
        return;
    }
    form_unique_by_index(place, place->section, operation->constraint, NULL, operation->start,
                         operation->end);
}
