/* A file without sections: one pass over its statements. A row of the table says where an operation of a
 * kind and class goes, and in which form. */
#include "split.h"

#include "allocate.h"
#include "judge.h"
#include "piece.h"

#include <stdlib.h>
#include <string.h>

#define ANY ((1u << OPERATION_CLASSES) - 1)
#define BIT(CLASS) (1u << (CLASS))
#define TIGHT (BIT(CLASS_TIGHTENS) | BIT(CLASS_UNSAFE) | BIT(CLASS_ADDITIVE))

static const char adds[] = "It only adds: code of the old release goes on as before.";
static const char tightens[] =
    "Rows that the old release writes could be refused, so the old release has to be gone.";
static const char removes[] = "The old release could still use what goes, so it has to be gone.";
static const char fills[] =
    "Rows are changed once what they need is there, and before the new release is let in.";
static const char fresh[] = "It is about something that this migration creates: nobody uses it yet.";
static const char beside[] = "Old and new shape are there at once, until the contract takes the old one "
                             "away.";
static const char vouched[] = "Its author says that the old release bears with it.";
static const char books[] =
    "The migration tool's own record: the tool and the database agree from the expand on.";

/* The first row that fits counts; what has none goes by its class. */
static const struct split_row {
    enum operation_kind kind;
    unsigned classes;
    form *form;
} rows[] = {
    {OP_ADD_COLUMN, ANY, form_add_column},
    {OP_CREATE_INDEX, ANY, form_create_index},
    {OP_DROP_INDEX, BIT(CLASS_REMOVES), form_drop_index},
    {OP_REINDEX, ANY, form_reindex},
    {OP_ADD_CHECK, TIGHT, form_add_constraint},
    {OP_ADD_FOREIGN_KEY, TIGHT, form_add_constraint},
    {OP_ADD_UNIQUE, TIGHT, form_add_unique},
    {OP_ADD_PRIMARY_KEY, TIGHT, form_add_unique},
    {OP_ADD_EXCLUDE, TIGHT, form_no_safe_form},
    {OP_SET_NOT_NULL, TIGHT, form_set_not_null},
    {OP_ATTACH_PARTITION, ANY, form_attach},
    {OP_DETACH_PARTITION, ANY, form_detach},
    {OP_ADD_ENUM_VALUE, ANY, form_separate},
    {OP_VALIDATE, ANY, form_separate},
    {OP_SELECT, ANY, form_separate},
    {OP_VACUUM, ANY, form_separate},
    {OP_CREATE_TABLE_AS, ANY, form_separate},
    {OP_COLUMN_TYPE, BIT(CLASS_UNSAFE) | BIT(CLASS_REMOVES), form_retype},
    {OP_RENAME_COLUMN, BIT(CLASS_REMOVES), form_rename_column},
    {OP_RENAME_TABLE, BIT(CLASS_REMOVES), form_rename_table},
    {OP_RENAME_OTHER, BIT(CLASS_REMOVES), form_reshape},
    {OP_RENAME_ENUM_VALUE, BIT(CLASS_REMOVES), form_reshape},
    {OP_SET_SCHEMA, BIT(CLASS_REMOVES), form_reshape},
};

static const struct {
    enum plan_section section;
    form *form;
    const char *why;
} by_class[OPERATION_CLASSES] = {
    [CLASS_BOOKKEEPING] = {PLAN_EXPAND, form_written, books},
    [CLASS_ADDITIVE] = {PLAN_EXPAND, form_written, adds},
    [CLASS_UNSAFE] = {PLAN_EXPAND, form_no_safe_form, adds},
    [CLASS_DATA] = {PLAN_BACKFILL, form_data, fills},
    [CLASS_TIGHTENS] = {PLAN_CONTRACT, form_written, tightens},
    [CLASS_REMOVES] = {PLAN_CONTRACT, form_written, removes},
    [CLASS_OPAQUE] = {PLAN_EXPAND, form_opaque, NULL},
    [CLASS_UNKNOWN] = {PLAN_EXPAND, form_opaque, NULL},
};

/* Where nobody uses it yet, everything may stand as it is written, but for a few that are about time: a new
 * enum value cannot be used in its own transaction. */
static form *form_of(const struct place *place)
{
    const struct operation *operation = place->operation;
    bool anyhow = operation->kind == OP_CREATE_TABLE_AS || operation->kind == OP_ADD_ENUM_VALUE
                  || by_class[operation->class].form == form_opaque;

    if (operation->class == CLASS_BOOKKEEPING || (operation->on_new && !anyhow))
        return form_written;
    if (form_is_split(place))
        return form_split;
    if (form_must_relax(operation))
        return form_drop_required;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (rows[i].kind == operation->kind && (rows[i].classes & BIT(operation->class)) != 0)
            return rows[i].form;
    return by_class[operation->class].form;
}

/* ---- where ---- */

static bool reads_other_tables(const struct operation *operation)
{
    return operation->node->node_case == PG_QUERY__NODE__NODE_INSERT_STMT
           && operation->node->insert_stmt->select_stmt != NULL
           && operation->node->insert_stmt->select_stmt->select_stmt->n_values_lists == 0;
}

static void find_place(struct place *place)
{
    const struct operation *operation = place->operation;

    place->section = by_class[operation->class].section;
    place->why = by_class[operation->class].why;
    if (operation->kind == OP_ADD_COLUMN) {
        place->section = PLAN_EXPAND;
        if (operation->class == CLASS_TIGHTENS)
            place->why = vouched; /* or else it is refused */
    } else if (!operation->on_new && operation_allow_early(place->statement, operation)) {
        place->section = PLAN_EXPAND;
        place->why = vouched;
    }
    if (operation->on_new && !reads_other_tables(operation)) {
        place->section = PLAN_EXPAND;
        place->why = fresh;
    }
    if (form_is_split(place))
        place->why = beside;
    if (form_coexists(place)) {
        place->section = PLAN_EXPAND;
        place->why = beside;
    }
}

/* What nobody has to have before the contract may follow what it needs. */
static bool may_follow(const struct operation *operation)
{
    static const enum operation_kind kinds[] = {
        OP_COMMENT, OP_SET_STORAGE, OP_VACUUM, OP_REINDEX, OP_VALIDATE, OP_SELECT, OP_GRANT, OP_CREATE_INDEX,
        OP_INSERT, OP_UPDATE, OP_DELETE, OP_MERGE,
    };

    if (operation_kinds[operation->kind].class == CLASS_REMOVES)
        return true;
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (kinds[i] == operation->kind)
            return true;
    return false;
}

/* False if it has to follow something where it may not. */
static bool follow(struct place *place)
{
    static const char follows[] =
        "It names what an earlier statement of the file changes in this phase, and follows it.";
    enum plan_section earliest = depend_earliest(place->split->depend, place);

    if (earliest <= place->section)
        return true;
    if (earliest == PLAN_CONTRACT && place->section < PLAN_CONTRACT && !may_follow(place->operation)) {
        statement_report(place->statement, RULE_NEEDS_CONTRACT, place->operation->table,
                         "it needs what an earlier statement of the file changes in the contract");
        if (!form_is_allowed(place, RULE_NEEDS_CONTRACT))
            return false;
    }
    place->section = earliest;
    place->why = follows;
    return true;
}

/* ---- one statement ---- */

/* A constraint in the definition of a column is the column's business. */
static bool is_part_of_column(const struct operation *operation)
{
    return operation->constraint != NULL && operation->command != NULL
           && operation->command->subtype == PG_QUERY__ALTER_TABLE_TYPE__AT_AddColumn;
}

/* All operations go to one phase as they are written: then so does the statement. */
static bool is_whole(const struct place *places, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (form_of(&places[i]) != form_written || places[i].section != places[0].section)
            return false;
    return true;
}

static bool is_alter_table(const struct statement *statement)
{
    return statement->node->node_case == PG_QUERY__NODE__NODE_ALTER_TABLE_STMT;
}

/* DROP TABLE of a new and of an old one: the whole statement waits for the last of its phases. */
static size_t last_place(const struct place *places, size_t count)
{
    size_t last = 0;

    for (size_t i = 1; i < count; i++)
        if (places[i].section > places[last].section)
            last = i;
    return last;
}

static void place_all(struct place *places, size_t count)
{
    if (count > 1 && is_whole(places, count)) {
        struct place whole = places[0];

        whole.whole = true;
        form_as_written(&whole, EMIT_SHARED);
        for (size_t i = 0; i < count; i++)
            undo_derive(&places[i]);
    } else if (is_alter_table(places->statement) || count == 1) {
        for (size_t i = 0; i < count; i++)
            form_of(&places[i])(&places[i]);
    } else {
        struct place *last = &places[last_place(places, count)];

        form_of(last)(last);
    }
}

static void note_place(struct place *place, struct plan_operation *shown)
{
    operation_remark(place->statement, place->operation, place->section);
    depend_note(place->split->depend, place);
    place->split->filled = place->split->filled || place->operation->kind == OP_CREATE_TABLE_AS;
    shown[place->operation - place->all->items].section = place->section;
}

/* What cannot be taken apart stays together. */
static void move_together(struct place *places, size_t count)
{
    const struct place *last = &places[last_place(places, count)];

    for (size_t i = 0; i < count; i++)
        if (places[i].section < last->section) {
            places[i].section = last->section;
            places[i].why = last->why;
        }
}

static void place_operations(struct split *split, struct statement *statement,
                             const struct operations *operations, struct plan_operation *shown)
{
    struct place *places = allocate(NULL, operations->count + 1, sizeof(*places));
    bool apart = is_alter_table(statement), fine = true;
    size_t count = 0;

    for (size_t i = 0; i < operations->count; i++) {
        struct place *place = &places[count];

        if (is_part_of_column(&operations->items[i]))
            continue;
        *place = (struct place){.split = split,
                                .statement = statement,
                                .all = operations,
                                .operation = &operations->items[i]};
        split_columns_open(place);
        find_place(place);
        fine = follow(place) && fine;
        if (apart)
            note_place(place, shown);
        count++;
    }
    if (!apart && count > 0)
        move_together(places, count);
    for (size_t i = 0; !apart && i < count; i++)
        note_place(&places[i], shown);
    if (fine && count > 0)
        place_all(places, count);
    free(places);
}

/* Tables that the file creates: who could wait for their locks? */
static void note_created(struct split *split, const struct operations *operations)
{
    for (size_t i = 0; i < operations->count; i++) {
        const struct operation *operation = &operations->items[i];
        char *name;

        if (operation->table == NULL || operation->kind > OP_CREATE_TABLE_AS
            || !created_has(&split->reader->created[PLAN_EXPAND], CREATED_RELATION, operation->schema,
                            operation->table, NULL))
            continue;
        name = emit_qualified(operation->schema, operation->table);
        form_created(split, name);
        free(name);
    }
}

/* ---- the file ---- */

/* SET CONSTRAINTS is for a transaction that has them all; SHOW has nobody to look at it. */
static bool is_dropped_setting(const struct statement *statement)
{
    const PgQuery__Node *node = statement->node;

    return node->node_case == PG_QUERY__NODE__NODE_CONSTRAINTS_SET_STMT
           || node->node_case == PG_QUERY__NODE__NODE_VARIABLE_SHOW_STMT
           || (node->node_case == PG_QUERY__NODE__NODE_VARIABLE_SET_STMT
               && setting_may_be_dropped(node->variable_set_stmt));
}

static void place_setting(struct statement *statement)
{
    if (is_dropped_setting(statement))
        statement_report(statement, RULE_SETTING_DROPPED, NULL, "this setting is left out");
    else
        emit_setting(statement);
    if (statement->node->node_case == PG_QUERY__NODE__NODE_VARIABLE_SET_STMT
        && strcmp(statement->node->variable_set_stmt->name, "search_path") == 0)
        statement->reader->split->search_path = true;
}

/* The BEGIN and COMMIT that tools print around a whole file. True if this is one of them. */
static bool is_envelope(struct envelope *envelope, const struct statement *statement)
{
    const PgQuery__TransactionStmt *control = statement->node->transaction_stmt;

    if (statement->node->node_case != PG_QUERY__NODE__NODE_TRANSACTION_STMT || control->n_options > 0
        || control->chain)
        return false;
    if ((control->kind == PG_QUERY__TRANSACTION_STMT_KIND__TRANS_STMT_BEGIN
         || control->kind == PG_QUERY__TRANSACTION_STMT_KIND__TRANS_STMT_START)
        && !envelope->opened && !envelope->statements) {
        envelope->opened = true;
        envelope->start = statement->start;
        return true;
    }
    if (control->kind == PG_QUERY__TRANSACTION_STMT_KIND__TRANS_STMT_COMMIT && envelope->opened
        && !envelope->closed) {
        envelope->closed = true;
        return true;
    }
    return false;
}

/* What stands behind the COMMIT was not meant to share its transaction. */
static void check_envelope(struct envelope *envelope, struct statement *statement)
{
    envelope->statements = true;
    if (envelope->closed)
        statement_report(statement, RULE_TRANSACTION_CONTROL, NULL,
                         "this stands behind the COMMIT of the file's transaction");
}

static void take_operations(struct split *split, struct statement *statement)
{
    size_t before = split->reader->plan->operation_count;
    struct operations operations;

    operations_read(statement, &operations);
    operations_note(statement, &operations);
    note_created(split, &operations);
    if (operations.count == 1 && operations.items[0].class == CLASS_SESSION)
        place_setting(statement);
    else if (operations.count > 0 && operations.items[0].class != CLASS_TRANSACTION)
        place_operations(split, statement, &operations, split->reader->plan->operations + before);
    operations_free(&operations);
}

static void take_statement(struct statement *statement)
{
    struct split *split = statement->reader->split;

    if (is_envelope(&split->envelope, statement))
        return;
    check_envelope(&split->envelope, statement);
    if (!is_dropped_setting(statement))
        statement_refuse(statement);
    take_operations(split, statement);
}

static void split_clear(struct split *split)
{
    depend_free(split->depend);
    for (size_t i = 0; i < split->created_count; i++)
        free(split->created[i]);
    for (size_t i = 0; i < split->name_count; i++)
        free(split->names[i]);
    for (size_t i = 0; i < split->replaced_count; i++) {
        free(split->replaced[i].old_name);
        free(split->replaced[i].new_name);
    }
    free(split->replaced);
    free(split->created);
    free(split->names);
}

void reader_split(struct reader *reader)
{
    struct split split = {.reader = reader, .depend = depend_new()};

    reader->split = &split;
    emit_one_table_each(reader);
    reader_read_whole(reader, take_statement);
    if (split.envelope.opened && !split.envelope.closed)
        reader_report(reader, RULE_TRANSACTION_CONTROL, split.envelope.start, NULL,
                      "this begins a transaction that no COMMIT ends");
    split_columns_finish(&split);
    undo_finish(&split);
    reader->split = NULL;
    split_clear(&split);
}
