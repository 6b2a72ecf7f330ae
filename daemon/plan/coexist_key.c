/* Foreign keys of a column that is replaced: those on it, and those that refer to it.
 *
 *   backfill  one like it for the new column, NOT VALID, then validated
 *   contract  the old one goes, by itself: that locks both tables; later the new one gets its name
 *
 * What a foreign key does to rows by itself (ON UPDATE CASCADE, SET NULL) it cannot do to a column that only
 * follows another one: the trigger would undo it. Where a column does follow, such a key comes with the
 * contract, when the column is itself. */
#include "coexist.h"

#include "allocate.h"
#include "piece.h"

#include <stdlib.h>
#include <string.h>

static const char like[] =
    "The old column has one like it. NOT VALID: the lock is held for a moment, no row is read.";
static const char validates[] = "The rows that were there are checked while everybody reads and writes.";

/* ---- which, and when ---- */

static const struct catalog_constraint *next_key(const struct coexist *pair, size_t *at)
{
    while (*at < pair->table->constraint_count) {
        const struct catalog_constraint *key = &pair->table->constraints[(*at)++];

        if (strcmp(key->kind, "foreign key") == 0
            && (coexist_refers(pair, key)
                || (!key->incoming
                    && coexist_concerns(key->columns, key->column_count, pair->old->number))))
            return key;
    }
    return NULL;
}

struct redefine_name *coexist_replaced(const struct coexist *pair, const char *table,
                                       enum replaced_time time, size_t *count)
{
    const struct split *split = pair->place->split;
    struct redefine_name *names = allocate(NULL, split->replaced_count + 1, sizeof(*names));

    *count = 0;
    for (size_t i = 0; i < split->replaced_count; i++) {
        const struct replaced *replaced = &split->replaced[i];
        bool current = i + 1 == split->replaced_count;

        if (table == NULL ? replaced->table != pair->table : !coexist_is_table(replaced->table, table))
            continue;
        if (!replaced->takes_old_name || time == REPLACED_BESIDE || (time == REPLACED_BEFORE && current))
            names[(*count)++] = (struct redefine_name){replaced->old_name, replaced->new_name};
    }
    return names;
}

static const char *referring_table(const struct catalog_constraint *key)
{
    return key->incoming ? key->foreign_table : NULL;
}

static const char *referred_table(const struct catalog_constraint *key)
{
    return key->incoming ? NULL : key->foreign_table;
}

/* The table that has the key, quoted. Owned by the caller. */
static char *table_of(const struct coexist *pair, const struct catalog_constraint *key)
{
    return key->incoming ? allocate_text("%s", key->foreign_table) : form_table(pair->place);
}

/* ALTER TABLE … ADD CONSTRAINT `name`, for the columns as they are then. Owned by the caller. */
static char *define_anew(const struct coexist *pair, const struct catalog_constraint *key, const char *name,
                         enum replaced_time time)
{
    char *table = table_of(pair, key), *quoted = emit_name(name), *statement, *text;
    struct redefine change = {.object = name};
    struct redefine_name *own = coexist_replaced(pair, referring_table(key), time, &change.own_count);
    struct redefine_name *referred =
        coexist_replaced(pair, referred_table(key), time, &change.referred_count);

    change.own = own;
    change.referred = referred;
    statement = allocate_text("ALTER TABLE %s ADD CONSTRAINT %s %s", table, quoted, key->definition);
    text = redefine(statement, &change);
    free(statement);
    free(own);
    free(referred);
    free(table);
    free(quoted);
    return text;
}

static bool changes_rows(const struct catalog_constraint *key)
{
    return strstr(key->definition, " ON UPDATE CASCADE") != NULL
           || strstr(key->definition, " ON UPDATE SET ") != NULL
           || strstr(key->definition, " ON DELETE SET ") != NULL;
}

/* True if the file has replaced a column that the key is on, by one that follows it. */
static bool is_on_follower(const struct coexist *pair, const struct catalog_constraint *key)
{
    const struct split *split = pair->place->split;
    char *table = table_of(pair, key);
    char *statement = allocate_text("ALTER TABLE t ADD CONSTRAINT c %s", key->definition);
    bool found = false;

    for (size_t i = 0; i + 1 < split->replaced_count && !found; i++) {
        const struct replaced *replaced = &split->replaced[i];
        struct redefine_name name = {replaced->old_name, replaced->new_name};
        char *as_it_is, *changed;

        if (!replaced->follows || !coexist_is_table(replaced->table, table))
            continue;
        as_it_is = redefine(statement, &(struct redefine){0});
        changed = redefine(statement, &(struct redefine){.own = &name, .own_count = 1});
        found = as_it_is == NULL || changed == NULL || strcmp(as_it_is, changed) != 0;
        free(as_it_is);
        free(changed);
    }
    free(table);
    free(statement);
    return found;
}

enum key_time {
    KEY_BACKFILL, /* beside the old one */
    KEY_CONTRACT, /* before the old one goes */
    KEY_SWAP      /* in the transaction in which the new column takes over */
};

static enum key_time time_of(const struct coexist *pair, const struct catalog_constraint *key)
{
    if (!changes_rows(key))
        return KEY_BACKFILL;
    if (pair->down == NULL && !key->incoming
        && coexist_concerns(key->columns, key->column_count, pair->old->number))
        return KEY_SWAP;
    return is_on_follower(pair, key) ? KEY_CONTRACT : KEY_BACKFILL;
}

/* Both tables of a key may have a column of that name, and both may be replaced. */
static char *name_beside(const struct coexist *pair, const struct catalog_constraint *key)
{
    return key->incoming ? piece_object_name(key->name, pair->new_name, "key")
                         : coexist_name_beside(pair, key->name);
}

/* ---- adding ---- */

static void validate(const struct coexist *pair, enum plan_section section,
                     const struct catalog_constraint *constraint, const char *table, const char *name)
{
    char *quoted = emit_name(name);

    if (constraint->valid)
        form_emit(pair->place, section, EMIT_SEPARATE, validates, "ALTER TABLE %s VALIDATE CONSTRAINT %s",
                  table, quoted);
    if (constraint->comment != NULL) {
        char *comment = emit_string(constraint->comment);

        form_emit(pair->place, section, EMIT_SEPARATE, "As the old column's constraint has it.",
                  "COMMENT ON CONSTRAINT %s ON %s IS %s", quoted, table, comment);
        free(comment);
    }
    free(quoted);
}

void coexist_add_constraint(const struct coexist *pair, enum plan_section section,
                            const struct catalog_constraint *constraint, const char *table, const char *name,
                            const char *statement)
{
    if (statement == NULL) {
        form_refuse(pair->place, RULE_NO_SAFE_FORM, "the constraint '%s' cannot be put on the new column",
                    constraint->name);
        return;
    }
    form_emit(pair->place, section, EMIT_SEPARATE, like, "%s NOT VALID", statement);
    validate(pair, section, constraint, table, name);
}

static void add(const struct coexist *pair, const struct catalog_constraint *key, enum plan_section section,
                enum replaced_time time)
{
    char *name = name_beside(pair, key), *table = table_of(pair, key), *quoted = emit_name(name);
    char *statement = define_anew(pair, key, name, time);

    coexist_add_constraint(pair, section, key, table, name, statement);
    if (section == PLAN_BACKFILL)
        undo_add_as(pair->place, EMIT_SEPARATE, "ALTER TABLE %s DROP CONSTRAINT IF EXISTS %s", table, quoted);
    free(statement);
    free(table);
    free(quoted);
    free(name);
}

void coexist_carry_keys(const struct coexist *pair)
{
    const struct catalog_constraint *key;
    size_t at = 0;

    while ((key = next_key(pair, &at)) != NULL)
        if (time_of(pair, key) == KEY_BACKFILL)
            add(pair, key, PLAN_BACKFILL, REPLACED_BESIDE);
}

/* ---- the contract ---- */

static void drop(const struct coexist *pair, const struct catalog_constraint *key, enum emit_alone alone)
{
    char *name = emit_name(key->name), *table = table_of(pair, key), *own = form_table(pair->place);
    struct plan_statement *added =
        form_emit(pair->place, PLAN_CONTRACT, alone, "The new column has one like it.",
                  "ALTER TABLE %s DROP CONSTRAINT %s", table, name);

    if (key->incoming || !coexist_is_table(pair->table, key->foreign_table))
        plan_work_lock(&added->work, key->incoming ? own : key->foreign_table, LOCK_ACCESS_EXCLUSIVE);
    free(name);
    free(table);
    free(own);
}

void coexist_part_keys(const struct coexist *pair)
{
    const struct catalog_constraint *key;
    size_t at = 0;

    while ((key = next_key(pair, &at)) != NULL) {
        enum key_time time = time_of(pair, key);

        if (time == KEY_CONTRACT)
            add(pair, key, PLAN_CONTRACT, REPLACED_BEFORE);
        if (time != KEY_SWAP)
            drop(pair, key, EMIT_SEPARATE);
    }
}

void coexist_swap_keys(const struct coexist *pair, bool swapped)
{
    const struct catalog_constraint *key;
    size_t at = 0;

    while ((key = next_key(pair, &at)) != NULL) {
        char *statement;

        if (time_of(pair, key) != KEY_SWAP)
            continue;
        if (!swapped) {
            drop(pair, key, EMIT_WITH);
            continue;
        }
        statement = define_anew(pair, key, key->name, REPLACED_BY_THEN);
        if (statement == NULL)
            form_refuse(pair->place, RULE_NO_SAFE_FORM, "the constraint '%s' cannot be put on the new column",
                        key->name);
        else
            form_emit(pair->place, PLAN_CONTRACT, EMIT_WITH, like, "%s NOT VALID", statement);
        free(statement);
    }
}

void coexist_settle_keys(const struct coexist *pair)
{
    const struct catalog_constraint *key;
    size_t at = 0;

    while ((key = next_key(pair, &at)) != NULL) {
        char *beside = name_beside(pair, key), *quoted = emit_name(beside), *name = emit_name(key->name);
        char *table = table_of(pair, key);

        if (time_of(pair, key) == KEY_SWAP)
            validate(pair, PLAN_CONTRACT, key, table, key->name);
        else
            form_emit(pair->place, PLAN_CONTRACT, EMIT_SEPARATE,
                      "What belongs to the new column has the old names again.",
                      "ALTER TABLE %s RENAME CONSTRAINT %s TO %s", table, quoted, name);
        free(beside);
        free(quoted);
        free(name);
        free(table);
    }
}
