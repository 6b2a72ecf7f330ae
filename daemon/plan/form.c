/* What all forms are made of. */
#include "allocate.h"
#include "backfill.h"
#include "effort.h"
#include "piece.h"
#include "split.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static bool is_created(const struct split *split, const char *relation)
{
    for (size_t i = 0; i < split->created_count; i++)
        if (strcmp(split->created[i], relation) == 0)
            return true;
    return false;
}

void form_created(struct split *split, const char *relation)
{
    split->created = allocate_one_more(split->created, split->created_count, sizeof(*split->created));
    split->created[split->created_count++] = allocate_text("%s", relation);
}

/* Nobody waits for a table that nobody knows. */
static void forget_new_tables(const struct split *split, struct plan_work *work)
{
    size_t kept = 0;

    for (size_t i = 0; i < work->lock_count; i++)
        if (is_created(split, work->locks[i].relation))
            free(work->locks[i].relation);
        else
            work->locks[kept++] = work->locks[i];
    work->lock_count = kept;
}

/* Why in this form, and, where somebody has to wait for it, why in this phase. */
static char *note_of(const struct place *place, const struct plan_statement *added, const char *note)
{
    if (note == NULL)
        return NULL;
    if (note == place->why || added->section != PLAN_CONTRACT || place->section != PLAN_CONTRACT)
        return allocate_text("%s", note);
    return allocate_text("%s %s", note, place->why);
}

static struct plan_statement *finish(struct place *place, struct plan_statement *added, const char *note)
{
    forget_new_tables(place->split, &added->work);
    if (!added->transactional && place->split->search_path && place->operation->table != NULL
        && place->operation->schema == NULL)
        statement_report(place->statement, RULE_NEEDS_SCHEMA, place->operation->table,
                         "the name has no schema, and search_path cannot be set for what runs outside of a "
                         "transaction");
    added->work.note = note_of(place, added, note);
    return added;
}

struct plan_statement *form_rows(struct place *place, enum plan_section section, const char *note,
                                 const char *format, ...)
{
    struct plan_statement *added;
    va_list arguments;

    va_start(arguments, format);
    added = emit_v(place->statement, section, EMIT_SEPARATE, format, arguments);
    va_end(arguments);
    finish(place, added, note);
    if (section == PLAN_BACKFILL)
        backfill_take(place->statement, added);
    return added;
}

struct plan_statement *form_emit(struct place *place, enum plan_section section, enum emit_alone alone,
                                 const char *note, const char *format, ...)
{
    struct plan_statement *added;
    va_list arguments;

    va_start(arguments, format);
    added = emit_v(place->statement, section, alone, format, arguments);
    va_end(arguments);
    return finish(place, added, note);
}

void form_is_prepared(struct plan_statement *added)
{
    effort_forget(&added->work);
}

char *form_table(const struct place *place)
{
    return emit_qualified(place->operation->schema, place->operation->table);
}

struct plan_statement *form_alter(struct place *place, enum plan_section section, enum emit_alone alone,
                                  const char *note, const char *format, ...)
{
    const PgQuery__Node *node = place->operation->node;
    const PgQuery__AlterTableStmt *alter =
        node->node_case == PG_QUERY__NODE__NODE_ALTER_TABLE_STMT ? node->alter_table_stmt : NULL;
    char *table = form_table(place), *command;
    struct plan_statement *added;
    va_list arguments;

    va_start(arguments, format);
    command = allocate_text_v(format, arguments);
    va_end(arguments);
    added = emit(place->statement, section, alone, "ALTER TABLE %s%s%s %s",
                 alter != NULL && alter->missing_ok ? "IF EXISTS " : "",
                 alter != NULL && !alter->relation->inh ? "ONLY " : "", table, command);
    free(table);
    free(command);
    return finish(place, added, note);
}

/* "ALTER TABLE name" as it was written, and the command behind it. */
static struct plan_statement *command_as_written(struct place *place, enum emit_alone alone)
{
    const struct reader *reader = place->statement->reader;
    const struct operation *operation = place->operation;
    char *head = piece_of(reader, place->statement->start, place->all->items[0].start);
    char *command = piece_of(reader, operation->start, operation->end);
    struct plan_statement *added =
        emit(place->statement, place->section, alone, "%s %s", head, command);

    free(head);
    free(command);
    return added;
}

static bool is_command(const struct place *place)
{
    return !place->whole && place->operation->command != NULL
           && place->statement->node == place->operation->node
           && place->statement->node->node_case == PG_QUERY__NODE__NODE_ALTER_TABLE_STMT
           && place->statement->node->alter_table_stmt->n_cmds > 1;
}

struct plan_statement *form_as_written(struct place *place, enum emit_alone alone)
{
    struct plan_statement *added;

    if (!statement_is_transactional(place->statement->node))
        alone = EMIT_OUTSIDE;
    added = is_command(place) ? command_as_written(place, alone)
                              : emit_as_written(place->statement, place->section, alone);
    effort_forget(&added->work); /* what came before in the file counts as well */
    for (size_t i = 0; i < place->all->count; i++)
        if (!is_command(place) || place->all->items[i].command == place->operation->command)
            effort_note(&added->work, place->statement->reader->options.catalog, &place->all->items[i]);
    return finish(place, added, place->why);
}

/* ---- names ---- */

static bool is_taken(const struct place *place, const char *name)
{
    const struct catalog_table *known = place->operation->known;

    for (size_t i = 0; known != NULL && i < known->index_count; i++)
        if (strcmp(known->indexes[i].name, name) == 0)
            return true;
    for (size_t i = 0; known != NULL && i < known->constraint_count; i++)
        if (strcmp(known->constraints[i].name, name) == 0)
            return true;
    for (size_t i = 0; i < place->split->name_count; i++)
        if (strcmp(place->split->names[i], name) == 0)
            return true;
    return false;
}

const char *form_free_name(struct place *place, char *name)
{
    struct split *split = place->split;
    char *tried = allocate_text("%s", name);

    for (unsigned pass = 1; is_taken(place, tried); pass++) {
        free(tried);
        tried = allocate_text("%s%u", name, pass);
    }
    free(name);
    split->names = allocate_one_more(split->names, split->name_count, sizeof(*split->names));
    return split->names[split->name_count++] = tried;
}

/* ---- saying no ---- */

bool form_is_allowed(const struct place *place, enum plan_rule_id rule)
{
    return statement_allows(place->statement, rule);
}

void form_refuse(struct place *place, enum plan_rule_id rule, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    statement_report_v(place->statement, rule, place->operation->table, format, arguments);
    va_end(arguments);
    if (form_is_allowed(place, rule))
        form_separate(place);
}

bool form_is_partitioned(const struct place *place)
{
    return place->operation->known != NULL
           && strcmp(place->operation->known->kind, "partitioned table") == 0;
}

/* ---- as it was written ---- */

/* Work on a new table that has been filled takes its time: it holds no other table's lock meanwhile. */
void form_written(struct place *place)
{
    if (place->section == PLAN_BACKFILL && place->operation->class == CLASS_DATA) {
        form_data(place); /* a new table that is filled from another one may become just as large */
        return;
    }
    form_as_written(place, place->operation->on_new && place->split->filled ? EMIT_SEPARATE : EMIT_SHARED);
    undo_derive(place);
}

void form_separate(struct place *place)
{
    form_as_written(place, EMIT_SEPARATE);
    undo_derive(place);
}
