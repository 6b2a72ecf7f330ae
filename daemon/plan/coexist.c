/* A column that is renamed, or gets another type. */
#include "coexist.h"

#include "allocate.h"
#include "classify.h"
#include "piece.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

void coexist_clear(struct coexist *pair)
{
    free(pair->old_name);
    free(pair->new_name);
    free(pair->from);
    free(pair->to);
    free(pair->type);
    free(pair->collation);
    free(pair->up);
    free(pair->down);
    free(pair->row_up);
    free(pair->row_down);
}

bool form_coexists(const struct place *place)
{
    const struct operation *operation = place->operation;

    if (operation->on_new || operation->known == NULL || form_is_allowed(place, RULE_ONE_SHAPE_ONLY))
        return false;
    if (operation->kind == OP_RENAME_TABLE)
        return operation->class == CLASS_REMOVES;
    return (operation->kind == OP_RENAME_COLUMN || operation->kind == OP_COLUMN_TYPE)
           && (operation->class == CLASS_REMOVES || operation->class == CLASS_UNSAFE)
           && catalog_column(operation->known, operation->column) != NULL;
}

/* ---- the steps ---- */

static char *column_type(const struct coexist *pair)
{
    return allocate_text("%s%s", pair->type, pair->collation);
}

static void try_expressions(const struct coexist *pair, const char *table)
{
    char *list = pair->down == NULL
                     ? allocate_text("%s", pair->up)
                     : allocate_text("%s, CAST(%s AS %s)", pair->up, pair->down, pair->old->type);

    sync_try(pair->place, EMIT_WITH, table, list);
    free(list);
}

static char *sync_body(const struct coexist *pair)
{
    const struct catalog_column *column = pair->old;
    struct sync_column old = {pair->from, column->type, pair->row_down, column->default_text,
                              column->default_volatile};
    struct sync_column new = {pair->to, pair->type, pair->row_up, column->default_text,
                              column->default_volatile};

    return sync_function(&(struct sync){
        .old = {&old, 1},
        .new = {&new, 1},
        .version = pair->place->statement->reader->options.version,
        .follows = pair->down == NULL,
    });
}

/* The new column's default while both are there; NULL: none. */
static char *early_default(const struct coexist *pair)
{
    if (pair->old->default_text == NULL)
        return NULL;
    return pair->down == NULL
               ? allocate_text("%s", pair->old->default_text)
               : sync_default(pair->old->default_text, pair->place->statement->reader->options.version);
}

/* A default that takes a number from a sequence with each row. */
static bool counts(const struct catalog_column *column)
{
    return column->default_text != NULL && strstr(column->default_text, "nextval(") != NULL;
}

static void expand(const struct coexist *pair, const struct sync_trigger *trigger)
{
    char *type = column_type(pair), *given = early_default(pair), *body = sync_body(pair);

    form_alter(pair->place, PLAN_EXPAND, EMIT_BEGINS, "The column of the new release, beside the old one.",
               "ADD COLUMN %s %s", pair->to, type);
    coexist_carry_settings(pair);
    if (given != NULL && (pair->down != NULL || !counts(pair->old)))
        form_alter(pair->place, PLAN_EXPAND, EMIT_WITH,
                   pair->down == NULL ? "Set behind ADD COLUMN, it is for new rows only."
                                      : "For new code that says its version: what it leaves out has the "
                                        "default.",
                   "ALTER COLUMN %s SET DEFAULT %s", pair->to, given);
    if (pair->written)
        try_expressions(pair, trigger->table);
    sync_trigger_create(pair->place, trigger, EMIT_WITH, pair->replaces_path,
                        "Old and new code write: each finds what the other has written.", body);
    free(type);
    free(given);
    free(body);
}

static void backfill(const struct coexist *pair, const char *table)
{
    form_rows(pair->place, PLAN_BACKFILL,
              "The rows that were there; what is written from the expand on is in step already.",
              "UPDATE %s SET %s = %s WHERE %s IS NULL AND (%s) IS DISTINCT FROM NULL", table, pair->to,
              pair->up,
              pair->to, pair->up);
    coexist_carry_objects(pair);
    coexist_carry_keys(pair);
}

/* The sequence of a serial column, which would go with it. One that counts to the end of integer would end
 * there, whatever the column can hold. */
static void keep_sequence(const struct coexist *pair, const char *table)
{
    if (pair->old->sequence == NULL || *pair->old->identity != '\0')
        return;
    form_emit(pair->place, PLAN_CONTRACT, EMIT_SEPARATE,
              pair->big ? "It would go with the old column, and end where integer does."
                        : "It would go with the old column.",
              "ALTER SEQUENCE %s%s OWNED BY %s.%s", pair->old->sequence, pair->big ? " AS bigint" : "", table,
              pair->to);
}

static void contract(const struct coexist *pair, const struct sync_trigger *trigger)
{
    static const char note[] = "Code that uses the old column is gone.";

    coexist_part_dependents(pair);
    coexist_part_keys(pair);
    keep_sequence(pair, trigger->table);
    sync_trigger_drop(pair->place, trigger, note);
    coexist_take_identity(pair);
    coexist_swap_keys(pair, false);
    coexist_swap_dependents(pair, false);
    form_alter(pair->place, PLAN_CONTRACT, EMIT_WITH, note, "DROP COLUMN %s", pair->from);
    if (pair->takes_old_name)
        form_alter(pair->place, PLAN_CONTRACT, EMIT_WITH, "The column has its name again, with the new "
                                                          "type.",
                   "RENAME COLUMN %s TO %s", pair->to, pair->from);
    if (pair->old->default_text != NULL && (pair->down != NULL || counts(pair->old)))
        form_alter(pair->place, PLAN_CONTRACT, EMIT_WITH, "Now for everybody.",
                   "ALTER COLUMN %s SET DEFAULT %s",
                   pair->takes_old_name ? pair->from : pair->to, pair->old->default_text);
    coexist_settle_identity(pair);
    coexist_settle(pair);
    coexist_swap_keys(pair, true);
    coexist_swap_dependents(pair, true);
    coexist_settle_keys(pair);
}

/* What is carried may be about several columns that the file replaces, this one included. */
static bool may_coexist(const struct coexist *pair)
{
    struct split *split = pair->place->split;
    struct replaced replaced = {
        .table = pair->table,
        .old_name = allocate_text("%s", pair->old_name),
        .new_name = allocate_text("%s", pair->new_name),
        .takes_old_name = pair->takes_old_name,
        .follows = pair->down == NULL,
    };

    split->replaced = allocate_one_more(split->replaced, split->replaced_count, sizeof(*split->replaced));
    split->replaced[split->replaced_count++] = replaced;
    if (coexist_check(pair))
        return true;
    split->replaced_count--;
    free(replaced.old_name);
    free(replaced.new_name);
    return false;
}

static void take_steps(const struct coexist *pair)
{
    struct place *place = pair->place;
    char *columns = allocate_text("%s_%s", pair->old_name, pair->new_name);
    struct sync_trigger trigger = sync_trigger_open(place, pair->table, columns, "sync");

    /* Without its trigger the new column would refuse what old code writes: both go at once. */
    undo_add_as(place, EMIT_WITH, "ALTER TABLE %s DROP COLUMN %s", trigger.table, pair->to);
    sync_trigger_undo(place, &trigger);
    expand(pair, &trigger);
    backfill(pair, trigger.table);
    contract(pair, &trigger);
    sync_trigger_close(&trigger);
    free(columns);
}

/* ---- expressions ---- */

static char *in_row(const struct coexist *pair, const char *expression, const char *type)
{
    char *others[] = {pair->new_name};
    struct using_names names = {pair->place->statement, pair->table, others, 1, NULL, 0};
    char *row = using_in_row(expression, &names), *text;

    if (row == NULL || strstr(row, "$schemagate$") != NULL) {
        statement_report(pair->place->statement, RULE_NO_CONVERSION, pair->old_name,
                         USING_NO_EXPRESSION, expression);
        free(row);
        return NULL;
    }
    text = allocate_text("CAST(%s AS %s)", row, type);
    free(row);
    return text;
}

/* Takes over the expressions; down may be NULL. False, with a finding, if one cannot be used. */
static bool take_expressions(struct coexist *pair, char *up, char *down)
{
    pair->up = allocate_text("CAST(%s AS %s)", up, pair->type);
    pair->row_up = in_row(pair, up, pair->type);
    pair->down = down;
    pair->row_down = down == NULL ? allocate_text("NULL") : in_row(pair, down, pair->old->type);
    pair->replaces_path = true;
    free(up);
    return pair->row_up != NULL && pair->row_down != NULL;
}

static struct coexist open_pair(struct place *place, const char *new_name)
{
    const struct operation *operation = place->operation;

    return (struct coexist){
        .place = place,
        .table = operation->known,
        .old = catalog_column(operation->known, operation->column),
        .whole = true,
        .old_name = allocate_text("%s", operation->column),
        .new_name = allocate_text("%s", new_name),
        .from = emit_name(operation->column),
        .to = emit_name(new_name),
    };
}

/* ---- rename ---- */

static void say_in_step(const struct coexist *pair)
{
    statement_report(pair->place->statement, RULE_COEXISTENCE, pair->table->name,
                     pair->takes_old_name
                         ? "'%s' keeps its type until the contract; '%s' follows it, and takes its name then"
                         : "'%s' and '%s' are kept in step until the contract drops the first",
                     pair->old_name, pair->new_name);
}

void form_rename_column(struct place *place)
{
    struct coexist pair;

    if (!form_coexists(place) || place->section == PLAN_CONTRACT) {
        form_reshape(place);
        return;
    }
    place->section = PLAN_EXPAND;
    pair = open_pair(place, place->operation->object);
    pair.type = allocate_text("%s", pair.old->type);
    pair.collation =
        *pair.old->collation == '\0' ? allocate_text("%s", "")
                                     : allocate_text(" COLLATE %s", pair.old->collation);
    pair.up = allocate_text("%s", pair.from);
    pair.down = allocate_text("%s", pair.to);
    pair.row_up = allocate_text("NEW.%s", pair.from);
    pair.row_down = allocate_text("NEW.%s", pair.to);
    pair.replaces_path = pair.old->default_text != NULL;
    if (may_coexist(&pair)) {
        say_in_step(&pair);
        take_steps(&pair);
    }
    coexist_clear(&pair);
}

/* ---- type ---- */

/* Casts that take every value, depend on no setting, and are there without USING; as format_type and the
 * grammar name the types. */
static const struct {
    const char *from, *to;
} safe_casts[] = {
    {"smallint", "int4"},          {"smallint", "int8"},    {"smallint", "numeric"}, {"smallint", "float4"},
    {"smallint", "float8"},        {"integer", "int8"},     {"integer", "numeric"},  {"integer", "float8"},
    {"bigint", "numeric"},         {"real", "float8"},      {"smallint", "text"},    {"integer", "text"},
    {"bigint", "text"},            {"numeric", "text"},     {"boolean", "text"},     {"uuid", "text"},
    {"character varying", "text"}, {"character", "text"},   {"date", "timestamp"},
};

/* "int2", "int4", "int8"; NULL: another. */
static const char *integer_name(const PgQuery__TypeName *type)
{
    static const char *const integers[] = {"int2", "int4", "int8"};
    const char *schema, *name;

    classify_name_list(type->names, type->n_names, &schema, &name);
    for (size_t i = 0; type->n_array_bounds == 0 && i < sizeof(integers) / sizeof(integers[0]); i++)
        if (strcmp(name, integers[i]) == 0)
            return integers[i];
    return NULL;
}

static void note_integer(struct coexist *pair, const PgQuery__TypeName *type)
{
    const char *name = integer_name(type);

    pair->whole = name != NULL;
    pair->big = name != NULL && strcmp(name, "int8") == 0;
}

static bool is_safe_cast(const char *from, const PgQuery__TypeName *to)
{
    const char *schema, *name;
    size_t length = strcspn(from, "(");

    classify_name_list(to->names, to->n_names, &schema, &name);
    if (to->n_typmods > 0 || to->n_array_bounds > 0 || strstr(from, "[]") != NULL)
        return false;
    for (size_t i = 0; i < sizeof(safe_casts) / sizeof(safe_casts[0]); i++)
        if (strlen(safe_casts[i].from) == length && strncmp(safe_casts[i].from, from, length) == 0
            && strcmp(safe_casts[i].to, name) == 0)
            return true;
    return false;
}

/* [start, end) of the new type's text, without what stands behind it. */
static char *type_text(const struct place *place, size_t *behind)
{
    const PgQuery__ColumnDef *definition = place->operation->command->def->column_def;
    const struct reader *reader = place->statement->reader;
    size_t start = place->statement->base + (size_t)definition->type_name->location;
    size_t end = place->operation->end;

    end = piece_token(reader, start, end, PG_QUERY__TOKEN__USING);
    *behind = end;
    return piece_of(reader, start, piece_token(reader, start, end, PG_QUERY__TOKEN__COLLATE));
}

static char *collation_text(const struct place *place, size_t end)
{
    const PgQuery__ColumnDef *definition = place->operation->command->def->column_def;
    size_t start;
    char *name, *text;

    if (definition->coll_clause == NULL)
        return allocate_text("%s", "");
    start = place->statement->base + (size_t)definition->coll_clause->location;
    name = piece_of(place->statement->reader, start, end);
    text = allocate_text(" %s", name);
    free(name);
    return text;
}

/* On the way down the column's own name means the new column. */
static char *about_new_column(const struct coexist *pair, const char *expression)
{
    static const char head[] = "SELECT ";
    struct redefine_name name = {pair->old_name, pair->new_name};
    char *select = allocate_text("%s(%s\n)", head, expression);
    char *renamed = redefine(select, &(struct redefine){.own = &name, .own_count = 1});
    char *text = allocate_text("%s", renamed == NULL ? expression : renamed + strlen(head));

    free(select);
    free(renamed);
    return text;
}

/* The annotation, what stands behind USING, or a cast that cannot fail. False with a finding if there is
 * none. */
static bool find_expressions(struct coexist *pair, size_t behind)
{
    struct place *place = pair->place;
    const PgQuery__ColumnDef *definition = place->operation->command->def->column_def;
    const struct using *using = using_of(place->statement, false);

    pair->written = using != NULL || definition->raw_default != NULL;
    if (using != NULL)
        return take_expressions(pair, allocate_text("%s", using->up),
                                using->down == NULL ? NULL : about_new_column(pair, using->down));
    if (definition->raw_default != NULL) {
        char *text = piece_of(place->statement->reader, behind + strlen("USING"), place->operation->end);
        char *up = allocate_text("%s", text + strspn(text, " \t\r\n"));

        free(text);
        return take_expressions(pair, up, NULL);
    }
    if (is_safe_cast(pair->old->type, definition->type_name))
        return take_expressions(pair, allocate_text("%s", pair->from), NULL);
    statement_report(place->statement, RULE_NO_CONVERSION, place->operation->column,
                     "values of '%s' (%s) may have no value as %s", place->operation->column,
                     pair->old->type,
                     pair->type);
    return false;
}

void form_retype(struct place *place)
{
    char *new_name;
    size_t behind;
    struct coexist pair;

    if (!form_coexists(place) || place->section == PLAN_CONTRACT) {
        form_reshape(place);
        return;
    }
    place->section = PLAN_EXPAND;
    new_name = allocate_text("%.40s__%" PRId64, place->operation->column,
                             place->statement->reader->options.version);
    pair = open_pair(place, new_name);
    free(new_name);
    pair.takes_old_name = true;
    pair.type = type_text(place, &behind);
    note_integer(&pair, place->operation->command->def->column_def->type_name);
    pair.collation = collation_text(place, behind);
    if (find_expressions(&pair, behind) && may_coexist(&pair)) {
        if (place->statement->reader->plan->keep_hours > 0) {
            place->section = PLAN_CONTRACT;
            form_refuse(place, RULE_ONE_SHAPE_ONLY,
                        "'%s' cannot be hidden for %" PRId64 " hours, because the new column takes its "
                                                             "name: say keep_hours=0",
                        pair.old_name, place->statement->reader->plan->keep_hours);
        } else {
            say_in_step(&pair);
            take_steps(&pair);
        }
    }
    coexist_clear(&pair);
}
