/* ADD COLUMN: what would write the table anew, or look through it, is taken out of the definition and follows
 * in steps. The column is new, so what is added to it refuses nothing that old code writes, as long as NULL,
 * or the default that old code leaves to it, is accepted. */
#include "allocate.h"
#include "column.h"
#include "judge.h"
#include "piece.h"
#include "split.h"

#include <stdlib.h>
#include <string.h>

#define CONSTR(TYPE) PG_QUERY__CONSTR_TYPE__CONSTR_##TYPE

/* A constraint in the definition, with its text. */
struct part {
    const PgQuery__Constraint *constraint; /* NULL: COLLATE */
    size_t start, end;
    bool taken_out;
};

struct column {
    struct place *place;
    const PgQuery__ColumnDef *definition;
    size_t start, end;          /* the definition's text, from the column's name on */
    struct part *parts;         /* in the order of the text */
    size_t count;
    const struct part *given;   /* DEFAULT, or NULL */
    const struct part *identity;
    const char *integer;        /* the type of a serial column, or NULL */
    bool not_null, generated;
    bool filled;                /* its values are written by a backfill */
};

/* ---- reading ---- */

static int compare_parts(const void *left, const void *right)
{
    const struct part *a = left, *b = right;

    return a->start < b->start ? -1 : a->start > b->start;
}

static void add_part(struct column *column, const PgQuery__Constraint *constraint, int location)
{
    column->parts = allocate_one_more(column->parts, column->count, sizeof(*column->parts));
    column->parts[column->count++] = (struct part){
        .constraint = constraint,
        .start = column->place->statement->base + (size_t)location,
    };
}

static const char *serial_type(const PgQuery__ColumnDef *definition)
{
    static const char *const types[][2] = {
        {"bigserial", "bigint"}, {"serial8", "bigint"}, {"smallserial", "smallint"}, {"serial2", "smallint"},
    };

    if (!column_is_serial(definition))
        return NULL;
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
        if (strcmp(types[i][0], node_string(definition->type_name->names[0])) == 0)
            return types[i][1];
    return "integer";
}

static void note_part(struct column *column, const struct part *part)
{
    PgQuery__ConstrType type;

    if (part->constraint == NULL)
        return;
    type = part->constraint->contype;
    if (type == CONSTR(DEFAULT))
        column->given = part;
    if (type == CONSTR(IDENTITY))
        column->identity = part;
}

static struct column read_column(struct place *place)
{
    const PgQuery__ColumnDef *definition = place->operation->command->def->column_def;
    struct column column = {
        .place = place,
        .definition = definition,
        .start = place->statement->base + (size_t)definition->location,
        .end = place->operation->end,
        .integer = serial_type(definition),
        .filled = column_fill(definition) == COLUMN_EACH,
        .generated = column_fill(definition) == COLUMN_GENERATED,
    };

    for (size_t i = 0; i < definition->n_constraints; i++) {
        const PgQuery__Constraint *constraint = definition->constraints[i]->constraint;

        add_part(&column, constraint, constraint->location);
    }
    if (definition->coll_clause != NULL)
        add_part(&column, NULL, definition->coll_clause->location);
    if (column.count > 1)
        qsort(column.parts, column.count, sizeof(*column.parts), compare_parts);
    for (size_t i = 0; i < column.count; i++) {
        column.parts[i].end = i + 1 < column.count ? column.parts[i + 1].start : column.end;
        note_part(&column, &column.parts[i]);
    }
    column.not_null =
        column_is_not_null(definition) || column.integer != NULL || column.identity != NULL;
    return column;
}

/* ---- what stays in the definition ---- */

static bool is_attribute(const struct part *part)
{
    return part->constraint != NULL && part->constraint->contype >= CONSTR(ATTR_DEFERRABLE);
}

/* With a default the foreign key would be checked against every row, under the locks of both tables. */
static bool must_be_taken_out(const struct column *column, const struct part *part)
{
    if (part->constraint == NULL)
        return false;
    switch (part->constraint->contype) {
    case CONSTR(CHECK):
    case CONSTR(UNIQUE):
    case CONSTR(PRIMARY):
        return true;
    case CONSTR(FOREIGN):
        return column->given != NULL || column->filled;
    case CONSTR(DEFAULT):
    case CONSTR(IDENTITY):
    case CONSTR(NOTNULL):
        return column->filled;
    default:
        return false;
    }
}

static void take_out(struct column *column)
{
    for (size_t i = 0; i < column->count; i++) {
        struct part *part = &column->parts[i];

        part->taken_out = is_attribute(part) && i > 0 ? column->parts[i - 1].taken_out
                                                      : must_be_taken_out(column, part);
    }
}

/* The definition without what was taken out; a serial type is its integer. */
static char *rest_of(const struct column *column)
{
    const struct reader *reader = column->place->statement->reader;
    size_t behind = column->count > 0 ? column->parts[0].start : column->end;
    size_t type = column->place->statement->base + (size_t)column->definition->type_name->location;
    char *text, *longer;

    if (column->integer == NULL) {
        text = piece_of(reader, column->start, behind);
    } else {
        char *name = piece_of(reader, column->start, type);

        text = allocate_text("%s %s", name, column->integer);
        free(name);
    }
    for (size_t i = 0; i < column->count; i++) {
        char *part;

        if (column->parts[i].taken_out)
            continue;
        part = piece_of(reader, column->parts[i].start, column->parts[i].end);
        longer = allocate_text("%s %s", text, part);
        free(text);
        free(part);
        text = longer;
    }
    return text;
}

/* ---- values ---- */

static void fill(const struct column *column, const char *quoted, const char *expression)
{
    struct place *place = column->place;
    char *table = form_table(place);

    form_alter(place, PLAN_EXPAND, EMIT_SHARED,
               "Set behind ADD COLUMN, it is for new rows only: the table is not written anew.",
               "ALTER COLUMN %s SET DEFAULT %s", quoted, expression);
    form_rows(place, PLAN_BACKFILL, "The rows that were there get their values.",
              "UPDATE %s SET %s = %s WHERE %s IS NULL", table, quoted, expression, quoted);
    free(table);
}

static void fill_from_default(const struct column *column, const char *quoted)
{
    const struct reader *reader = column->place->statement->reader;
    size_t word = piece_token(reader, column->given->start, column->given->end, PG_QUERY__TOKEN__DEFAULT);
    char *expression = piece_of(reader, word + strlen("DEFAULT"), column->given->end);

    fill(column, quoted, expression + strspn(expression, " \t\r\n"));
    free(expression);
}

/* The options of an identity's sequence: what stands in its parentheses. */
static char *sequence_options(const struct column *column)
{
    const struct reader *reader = column->place->statement->reader;
    const struct part *part = column->identity;
    size_t open, end;

    if (part == NULL || part->constraint->n_options == 0)
        return allocate_text("%s", "");
    open = piece_token(reader, part->start, part->end, PG_QUERY__TOKEN__ASCII_40);
    end = piece_parenthesis(reader, open, part->end);
    return piece_of(reader, open + 1, end - 1);
}

static const char *sequence_type(const struct column *column)
{
    const PgQuery__TypeName *type = column->definition->type_name;
    const char *name = node_string(type->names[type->n_names - 1]);

    if (column->integer != NULL)
        return column->integer;
    return strcmp(name, "int8") == 0 ? "bigint" : strcmp(name, "int2") == 0 ? "smallint" : "integer";
}

/* Gives the column values of a sequence. Its name, quoted, is the caller's. */
static char *fill_from_sequence(const struct column *column, const char *quoted)
{
    struct place *place = column->place;
    const struct operation *operation = place->operation;
    char *table = form_table(place), *options = sequence_options(column), *literal, *call;
    const char *name =
        form_free_name(place, piece_object_name(operation->table, column->definition->colname, "seq"));
    char *sequence = emit_qualified(operation->schema, name);

    form_created(place->split, sequence);
    form_emit(place, PLAN_EXPAND, EMIT_SHARED, "The column's numbers come from here.",
              "CREATE SEQUENCE %s AS %s%s%s", sequence, sequence_type(column),
              *options == '\0' ? "" : " ", options);
    form_emit(place, PLAN_EXPAND, EMIT_SHARED, "The sequence goes when the column goes.",
              "ALTER SEQUENCE %s OWNED BY %s.%s", sequence, table, quoted);
    literal = emit_string(sequence);
    call = allocate_text("nextval(%s)", literal);
    fill(column, quoted, call);
    free(table);
    free(options);
    free(literal);
    free(call);
    return sequence;
}

/* The identity takes over where the sequence is. All of it is a moment under one lock. */
static void become_identity(const struct column *column, const char *quoted, const char *sequence)
{
    static const char note[] = "The identity goes on where the sequence is, which then goes.";
    struct place *place = column->place;
    char *table = form_table(place), *text;
    char *table_literal = emit_string(table), *column_literal = emit_string(column->definition->colname);
    char *sequence_literal = emit_string(sequence);

    text = piece_of(place->statement->reader, column->identity->start, column->identity->end);
    form_alter(place, PLAN_BACKFILL, EMIT_BEGINS, note, "ALTER COLUMN %s DROP DEFAULT", quoted);
    /* pg_get_serial_sequence knows one sequence of a column. */
    form_emit(place, PLAN_BACKFILL, EMIT_SHARED, note, "ALTER SEQUENCE %s OWNED BY NONE", sequence);
    form_alter(place, PLAN_BACKFILL, EMIT_SHARED, note, "ALTER COLUMN %s ADD %s", quoted, text);
    form_is_prepared(form_emit(place, PLAN_BACKFILL, EMIT_SHARED, note,
                               "SELECT setval(pg_get_serial_sequence(%s, %s), nextval(%s), false)",
                               table_literal, column_literal, sequence_literal));
    form_emit(place, PLAN_BACKFILL, EMIT_SHARED, note, "DROP SEQUENCE %s", sequence);
    free(table);
    free(text);
    free(table_literal);
    free(column_literal);
    free(sequence_literal);
}

/* ---- constraints ---- */

/* What it does to rows of the old release was found out when the statement was taken apart. */
static bool is_tight(const struct column *column, const struct part *part)
{
    const struct operations *all = column->place->all;

    for (size_t i = 0; i < all->count; i++)
        if (all->items[i].constraint == part->constraint)
            return all->items[i].class == CLASS_TIGHTENS
                   && !operation_allow_early(column->place->statement, &all->items[i]);
    return false;
}

/* A default that a CHECK of this column alone accepts is all that old code leaves there. */
static bool accepts_default(const struct column *column, const struct part *part)
{
    char *named;
    bool own;

    if (part->constraint->contype != CONSTR(CHECK) || column->given == NULL)
        return false;
    named = piece_single_column(part->constraint->raw_expr);
    own = named != NULL && strcmp(named, column->definition->colname) == 0;
    free(named);
    return own;
}

static enum plan_section section_of(const struct column *column, const struct part *part)
{
    if (column->filled)
        return PLAN_BACKFILL;
    return is_tight(column, part) && !accepts_default(column, part) ? PLAN_CONTRACT : PLAN_EXPAND;
}

/* "FOREIGN KEY (column) REFERENCES …" or "CHECK (…)". */
static char *body_of(const struct column *column, const struct part *part, size_t end, const char *quoted)
{
    const struct reader *reader = column->place->statement->reader;
    bool foreign = part->constraint->contype == CONSTR(FOREIGN);
    size_t word = piece_token(reader, part->start, end,
                              foreign ? PG_QUERY__TOKEN__REFERENCES : PG_QUERY__TOKEN__CHECK);
    char *text = piece_of(reader, word, end), *body;

    if (!foreign)
        return text;
    body = allocate_text("FOREIGN KEY (%s) %s", quoted, text);
    free(text);
    return body;
}

static void add_constraint(const struct column *column, size_t index, const char *quoted)
{
    const struct part *part = &column->parts[index];
    PgQuery__Constraint constraint = *part->constraint;
    size_t end = part->end;

    for (size_t i = index + 1; i < column->count && is_attribute(&column->parts[i]); i++) {
        PgQuery__ConstrType attribute = column->parts[i].constraint->contype;

        end = column->parts[i].end;
        constraint.deferrable = constraint.deferrable || attribute == CONSTR(ATTR_DEFERRABLE)
                                || attribute == CONSTR(ATTR_DEFERRED);
        constraint.initdeferred = constraint.initdeferred || attribute == CONSTR(ATTR_DEFERRED);
    }
    if (constraint.contype == CONSTR(UNIQUE) || constraint.contype == CONSTR(PRIMARY)) {
        form_unique_by_index(column->place, section_of(column, part), &constraint,
                             column->definition->colname, part->start, end);
    } else {
        const char *name = form_free_name(column->place,
                                          piece_constraint_name(column->place->operation->table, &constraint,
                                                                column->definition->colname));
        char *body = body_of(column, part, end, quoted);

        form_validated(column->place, section_of(column, part), name, body);
        free(body);
    }
}

static bool is_table_constraint(const struct part *part)
{
    PgQuery__ConstrType type = part->constraint->contype;

    return type == CONSTR(CHECK) || type == CONSTR(FOREIGN) || type == CONSTR(UNIQUE)
           || type == CONSTR(PRIMARY);
}

/* ---- all of it ---- */

static void add_in_steps(struct column *column)
{
    struct place *place = column->place;
    char *quoted = emit_name(column->definition->colname), *definition, *sequence = NULL;

    take_out(column);
    definition = rest_of(column);
    form_alter(place, PLAN_EXPAND, EMIT_SHARED, "A column without work to be done on its rows: a moment.",
               "ADD COLUMN %s%s", place->operation->command->missing_ok ? "IF NOT EXISTS " : "", definition);
    if (column->integer != NULL || column->identity != NULL)
        sequence = fill_from_sequence(column, quoted);
    else if (column->filled)
        fill_from_default(column, quoted);
    if (column->filled && column->not_null)
        form_not_null(place, PLAN_BACKFILL, column->definition->colname);
    if (column->identity != NULL)
        become_identity(column, quoted, sequence);
    for (size_t i = 0; i < column->count; i++)
        if (column->parts[i].taken_out && !is_attribute(&column->parts[i])
            && is_table_constraint(&column->parts[i]))
            add_constraint(column, i, quoted);
    free(quoted);
    free(definition);
    free(sequence);
    undo_derive(place);
}

/* In the table's own hands nothing is to be taken out: the statement stands as it was written. */
static bool needs_steps(const struct column *column)
{
    for (size_t i = 0; i < column->count; i++)
        if (must_be_taken_out(column, &column->parts[i]))
            return true;
    return column->filled;
}

static const char *impossible(const struct column *column)
{
    if (column->generated)
        return "a stored generated column writes the whole table anew under ACCESS EXCLUSIVE";
    if (column->place->operation->rewrites && !column->filled)
        return "the column's type has rules of its own: all of the table is written anew";
    return NULL;
}

void form_add_column(struct place *place)
{
    struct column column = read_column(place);
    const char *why = impossible(&column);

    if (column.not_null && !column.filled && column_fill(column.definition) == COLUMN_EMPTY) {
        judge_report(place->statement, place->operation, RULE_ADD_COLUMN_NOT_NULL, required_column);
        if (form_is_allowed(place, RULE_ADD_COLUMN_NOT_NULL))
            form_separate(place);
    } else if (why != NULL) {
        form_refuse(place, RULE_NO_SAFE_FORM, "%s", why);
    } else if (needs_steps(&column)) {
        add_in_steps(&column);
    } else {
        form_written(place);
    }
    free(column.parts);
}
