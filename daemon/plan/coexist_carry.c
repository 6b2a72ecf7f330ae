/* What the old column has, for the new one. New objects have names of their own until the contract, which
 * gives them the old ones' names: tools that go by names find what they have made. */
#include "coexist.h"

#include "allocate.h"
#include "piece.h"

#include <stdlib.h>
#include <string.h>

/* The texts of the catalog have "%s" where the name belongs. */
char *coexist_put_name(const char *text, const char *name)
{
    char *filled = allocate_text("%s", ""), *longer;
    const char *gap;

    for (; (gap = strstr(text, "%s")) != NULL; text = gap + strlen("%s")) {
        longer = allocate_text("%s%.*s%s", filled, (int)(gap - text), text, name);
        free(filled);
        filled = longer;
    }
    longer = allocate_text("%s%s", filled, text);
    free(filled);
    return longer;
}

void coexist_carry_settings(const struct coexist *pair)
{
    static const char note[] = "As the old column has it.";
    char *table = form_table(pair->place);

    if (*pair->old->options != '\0') {
        char *options = coexist_put_name(pair->old->options, pair->to);

        form_alter(pair->place, PLAN_EXPAND, EMIT_WITH, note, "%s", options);
        free(options);
    }
    if (pair->old->comment != NULL) {
        char *comment = emit_string(pair->old->comment);

        form_emit(pair->place, PLAN_EXPAND, EMIT_WITH, note, "COMMENT ON COLUMN %s.%s IS %s", table,
                  pair->to,
                  comment);
        free(comment);
    }
    for (size_t i = 0; i < pair->old->grant_count; i++) {
        char *grant = coexist_put_name(pair->old->grants[i], pair->to);

        form_emit(pair->place, PLAN_EXPAND, EMIT_WITH, note, "%s", grant);
        free(grant);
    }
    free(table);
}

/* ---- objects ---- */

/* Those of the table, but for foreign keys (coexist_key.c). */
static const struct catalog_constraint *next_constraint(const struct coexist *pair, size_t *at)
{
    while (*at < pair->table->constraint_count) {
        const struct catalog_constraint *constraint = &pair->table->constraints[(*at)++];

        if (strcmp(constraint->kind, "foreign key") != 0
            && coexist_concerns(constraint->columns, constraint->column_count, pair->old->number))
            return constraint;
    }
    return NULL;
}

static bool is_key(const struct catalog_constraint *constraint)
{
    return strcmp(constraint->kind, "unique") == 0 || strcmp(constraint->kind, "primary key") == 0;
}

char *coexist_name_beside(const struct coexist *pair, const char *name)
{
    return piece_object_name(name, pair->new_name, "new");
}

/* What the statement defines, for all columns of the table that the file has replaced so far: of an index on
 * two of them the second one's has both new ones. */
static char *define_anew(const struct coexist *pair, const char *statement, const char *object)
{
    size_t count;
    struct redefine_name *names = coexist_replaced(pair, NULL, REPLACED_BESIDE, &count);
    char *text = redefine(statement, &(struct redefine){.own = names, .own_count = count, .object = object});

    free(names);
    return text;
}

/* ---- indexes ---- */

static bool index_concerns(const struct coexist *pair, const struct catalog_index *index)
{
    struct redefine_name to_new = {pair->old_name, pair->new_name}, to_old = {pair->old_name, pair->old_name};
    char *renamed;
    bool concerns = coexist_concerns(index->columns, index->column_count, pair->old->number);

    if (!index->valid)
        return false;
    if (concerns || !index->uses_expressions)
        return concerns;
    /* An expression or a predicate may name the column. */
    renamed = redefine(index->definition, &(struct redefine){.own = &to_new, .own_count = 1});
    if (renamed != NULL) {
        char *as_it_was = redefine(index->definition, &(struct redefine){.own = &to_old, .own_count = 1});

        concerns = strcmp(renamed, as_it_was) != 0;
        free(as_it_was);
    }
    free(renamed);
    return concerns;
}

static void build_index(const struct coexist *pair, const struct catalog_index *index)
{
    char *name = coexist_name_beside(pair, index->name);
    char *statement = define_anew(pair, index->definition, name);

    if (statement == NULL)
        form_refuse(pair->place, RULE_NO_SAFE_FORM, "the index '%s' cannot be built for the new column",
                    index->name);
    else
        form_emit(pair->place, PLAN_BACKFILL, EMIT_OUTSIDE,
                  "The old column has one like it; it is built CONCURRENTLY: nobody waits for it.", "%s",
                  statement);
    if (statement != NULL && index->comment != NULL) {
        char *qualified = emit_qualified(pair->table->schema, name), *comment = emit_string(index->comment);

        form_emit(pair->place, PLAN_BACKFILL, EMIT_SEPARATE, "As the old column's index has it.",
                  "COMMENT ON INDEX %s IS %s", qualified, comment);
        free(qualified);
        free(comment);
    }
    free(statement);
    free(name);
}

/* A primary key is taken over by the contract: a table has one. */
static void take_over_index(const struct coexist *pair, const struct catalog_constraint *constraint)
{
    char *name = coexist_name_beside(pair, constraint->name), *quoted = emit_name(name);

    if (strcmp(constraint->kind, "unique") == 0)
        form_alter(pair->place, PLAN_BACKFILL, EMIT_SEPARATE,
                   "It takes over the index that is there: the lock is held for a moment.",
                   "ADD CONSTRAINT %s UNIQUE USING INDEX %s%s%s", quoted, quoted,
                   constraint->deferrable ? " DEFERRABLE" : "",
                   strstr(constraint->definition, "INITIALLY DEFERRED") != NULL ? " INITIALLY DEFERRED"
                       : "");
    free(quoted);
    free(name);
}

static void add_constraint(const struct coexist *pair, const struct catalog_constraint *constraint)
{
    char *name = coexist_name_beside(pair, constraint->name), *table = form_table(pair->place);
    char *quoted = emit_name(name);
    char *statement = allocate_text("ALTER TABLE %s ADD CONSTRAINT %s %s", table, quoted,
                                    constraint->definition);
    char *anew = define_anew(pair, statement, name);

    coexist_add_constraint(pair, PLAN_BACKFILL, constraint, table, name, anew);
    free(anew);
    free(statement);
    free(table);
    free(quoted);
    free(name);
}

static const struct catalog_dependent *next_statistics(const struct coexist *pair, size_t *at)
{
    while (*at < pair->table->dependent_count) {
        const struct catalog_dependent *dependent = &pair->table->dependents[(*at)++];

        if (strcmp(dependent->kind, "statistics") == 0 && dependent->column == pair->old->number)
            return dependent;
    }
    return NULL;
}

char *coexist_plain_name(const char *quoted)
{
    const char *dot = strrchr(quoted, '.');
    char *name = allocate_text("%s", dot == NULL ? quoted : dot + 1), *to = name;

    for (const char *at = name; *at != '\0'; at++)
        if (*at != '"')
            *to++ = *at;
    *to = '\0';
    return name;
}

static void carry_statistics(const struct coexist *pair, const struct catalog_dependent *statistics)
{
    char *plain = coexist_plain_name(statistics->name), *name = coexist_name_beside(pair, plain);
    char *statement = define_anew(pair, statistics->definition, name);

    if (statement != NULL)
        form_emit(pair->place, PLAN_BACKFILL, EMIT_SEPARATE, "The old column has statistics like these.",
                  "%s",
                  statement);
    free(statement);
    free(name);
    free(plain);
}

void coexist_carry_objects(const struct coexist *pair)
{
    const struct catalog_constraint *constraint;
    const struct catalog_dependent *statistics;
    size_t at = 0;

    if (pair->old->not_null)
        form_not_null(pair->place, PLAN_BACKFILL, pair->new_name);
    for (size_t i = 0; i < pair->table->index_count; i++)
        if (index_concerns(pair, &pair->table->indexes[i]))
            build_index(pair, &pair->table->indexes[i]);
    while ((constraint = next_constraint(pair, &at)) != NULL)
        if (is_key(constraint))
            take_over_index(pair, constraint);
        else
            add_constraint(pair, constraint);
    at = 0;
    while ((statistics = next_statistics(pair, &at)) != NULL)
        carry_statistics(pair, statistics);
}

/* ---- the contract ---- */

static const char names[] = "What belongs to the new column has the old names again.";

static void settle_constraint(const struct coexist *pair, const struct catalog_constraint *constraint)
{
    char *beside = coexist_name_beside(pair, constraint->name), *quoted = emit_name(beside);
    char *name = emit_name(constraint->name);

    if (strcmp(constraint->kind, "primary key") == 0)
        form_is_prepared(form_alter(pair->place, PLAN_CONTRACT, EMIT_WITH,
                                    "It takes over the index that is there.",
                                    "ADD CONSTRAINT %s PRIMARY KEY USING INDEX %s", name, quoted));
    else
        form_alter(pair->place, PLAN_CONTRACT, EMIT_WITH, names, "RENAME CONSTRAINT %s TO %s", quoted, name);
    free(beside);
    free(quoted);
    free(name);
}

static void settle_index(const struct coexist *pair, const struct catalog_index *index)
{
    char *beside = coexist_name_beside(pair, index->name);
    char *qualified = emit_qualified(pair->table->schema, beside);
    char *name = emit_name(index->name);

    form_emit(pair->place, PLAN_CONTRACT, EMIT_WITH, names, "ALTER INDEX %s RENAME TO %s", qualified, name);
    free(beside);
    free(qualified);
    free(name);
}

static void settle_statistics(const struct coexist *pair, const struct catalog_dependent *statistics)
{
    const char *dot = strrchr(statistics->name, '.');
    char *plain = coexist_plain_name(statistics->name), *beside = coexist_name_beside(pair, plain),
        *quoted = emit_name(beside);
    char *name = emit_name(plain);

    form_emit(pair->place, PLAN_CONTRACT, EMIT_WITH, names, "ALTER STATISTICS %.*s%s RENAME TO %s",
              dot == NULL ? 0 : (int)(dot + 1 - statistics->name), statistics->name, quoted, name);
    free(plain);
    free(beside);
    free(quoted);
    free(name);
}

/* What the log tells changed rows by. */
static void settle_replica_identity(const struct coexist *pair)
{
    for (size_t i = 0; i < pair->table->index_count; i++) {
        const struct catalog_index *index = &pair->table->indexes[i];
        char *name;

        if (!index->replica_identity || !index_concerns(pair, index))
            continue;
        name = emit_name(index->name);
        form_alter(pair->place, PLAN_CONTRACT, EMIT_WITH, "Subscribers know changed rows by it, as before.",
                   "REPLICA IDENTITY USING INDEX %s", name);
        free(name);
    }
}

void coexist_settle(const struct coexist *pair)
{
    const struct catalog_constraint *constraint;
    const struct catalog_dependent *statistics;
    size_t at = 0;

    for (size_t i = 0; i < pair->table->index_count; i++)
        if (!pair->table->indexes[i].constraint && index_concerns(pair, &pair->table->indexes[i]))
            settle_index(pair, &pair->table->indexes[i]);
    while ((constraint = next_constraint(pair, &at)) != NULL)
        settle_constraint(pair, constraint);
    at = 0;
    while ((statistics = next_statistics(pair, &at)) != NULL)
        settle_statistics(pair, statistics);
    settle_replica_identity(pair);
}
