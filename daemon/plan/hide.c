/* Reversible contracts (docs/design.md §6). What the contract drops is hidden first, by functions of the
 * daemon's schema (db/sql/functions/hide.sql); everything else that it does waits for the purge, so that a
 * restore leads back to exactly what older code knows. */
#include "allocate.h"
#include "dropped.h"
#include "emit.h"
#include "tree.h"

#include <pg_query/pg_query.pb-c.h>

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* A statement of one of the three sections, while they are put together. `group`: those of the same one
 * share a transaction. */
struct piece {
    struct plan_statement statement;
    unsigned group;
    bool postponed; /* it stood in the contract, and is not about anything hidden */
};

struct pieces {
    struct piece *items;
    size_t count;
};

struct hiding {
    struct reader *reader;
    struct pieces contract, purge, restore;
    struct pieces proofs; /* of the restore, behind everything else in it */
    size_t hidden;
};

static void pieces_add(struct pieces *pieces, struct plan_statement statement, unsigned group)
{
    pieces->items = allocate_one_more(pieces->items, pieces->count, sizeof(*pieces->items));
    pieces->items[pieces->count++] = (struct piece){statement, group, false};
}

/* ---- calls ---- */

/* One thing to hide: a column of a table, or a table. */
struct thing {
    const struct plan_statement *source;
    char *relation;     /* as it is written; owned by the caller */
    const char *schema, *table; /* the same, without quotes; schema NULL: none is written */
    const char *column; /* NULL: the relation itself */
    bool if_exists, cascades;
};

/* The statement that calls one of the functions for the thing: `name`, its own name, `rest`. */
static struct plan_statement call(const struct hiding *hiding, const struct thing *thing, const char *name,
                                  const char *rest, bool locks, const char *note)
{
    char *relation = emit_string(thing->relation);
    char *column = thing->column == NULL ? NULL : emit_string(thing->column);
    struct plan_statement made = {
        .transactional = true,
        .line = thing->source->line,
        .column = thing->source->column,
        .work = {.source = thing->source->work.source, .generated = true},
    };

    made.sql = allocate_text("SELECT schemagate.%s_%s(%" PRId64 ", %s%s%s%s)", name,
                             column == NULL ? "table" : "column", hiding->reader->options.version, relation,
                             column == NULL ? "" : ", ", column == NULL ? "" : column, rest);
    made.work.note = allocate_text("%s", note);
    if (locks)
        plan_work_lock(&made.work, thing->relation, LOCK_ACCESS_EXCLUSIVE);
    free(relation);
    free(column);
    return made;
}

/* NOT NULL is put back in steps of its own (db/sql/functions/restore.sql). */
static void add_proofs(struct hiding *hiding, const struct thing *thing)
{
    static const char *const parts[] = {"check", "validate", "finish"};
    char *relation = emit_string(thing->relation), *column = emit_string(thing->column);

    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        struct plan_statement made = {
            .transactional = true,
            .line = thing->source->line,
            .column = thing->source->column,
            .work = {.source = thing->source->work.source, .generated = true},
        };

        made.sql = allocate_text("SELECT schemagate.restore_not_null(%" PRId64 ", %s, %s, '%s')",
                                 hiding->reader->options.version, relation, column, parts[i]);
        made.work.note = allocate_text("NOT NULL comes back, if every row has a value.");
        plan_work_lock(&made.work, thing->relation,
                       i == 1 ? LOCK_SHARE_UPDATE_EXCLUSIVE : LOCK_ACCESS_EXCLUSIVE);
        if (i == 1)
            made.work.cost = (struct plan_cost){EFFORT_SCAN, allocate_text("%s", thing->relation), -1, -1};
        pieces_add(&hiding->proofs, made, (unsigned)hiding->proofs.count);
    }
    free(relation);
    free(column);
}

static void hide(struct hiding *hiding, const struct thing *thing)
{
    bool revokes = hiding->reader->revokes;
    unsigned group = thing->source->transaction;
    char *how = allocate_text("%s%s", revokes ? ", way => 'revoke'" : "",
                              thing->if_exists ? ", if_exists => true" : "");

    struct plan_statement hides =
        call(hiding, thing, "hide", how, !revokes,
             "It is hidden first; the purge drops it, unless it is restored before.");

    plan_note_drop(&hides.work, thing->schema, thing->table, thing->column);
    pieces_add(&hiding->contract, hides, group);
    struct plan_statement purges =
        call(hiding, thing, "purge", thing->cascades ? ", drops_dependents => true" : "", true,
             "It has been hidden long enough.");

    for (size_t i = 0; i < thing->source->work.lock_count; i++)
        plan_work_lock_as(&purges.work, &thing->source->work.locks[i]);
    pieces_add(&hiding->purge, purges, group);
    pieces_add(&hiding->restore,
               call(hiding, thing, "restore", "", !revokes, "It comes back, with its data."), group);
    if (thing->column != NULL && !revokes)
        add_proofs(hiding, thing);
    hiding->hidden++;
    free(how);
}

/* ---- what a statement drops ---- */

static bool is_drop(const PgQuery__Node *command)
{
    return command->alter_table_cmd->subtype == PG_QUERY__ALTER_TABLE_TYPE__AT_DropColumn;
}

/* ONLY leaves the children's columns alone, which renaming cannot. */
static bool can_hide_columns(const PgQuery__AlterTableStmt *alter)
{
    return alter->objtype == PG_QUERY__OBJECT_TYPE__OBJECT_TABLE && alter->relation->inh
           && *alter->relation->catalogname == '\0';
}

/* Hides the columns that it drops, and takes those commands out of the tree. */
static void hide_columns(struct hiding *hiding, const struct plan_statement *source,
                         PgQuery__AlterTableStmt *alter)
{
    char *relation = emit_qualified(alter->relation->schemaname, alter->relation->relname);
    size_t kept = 0;

    for (size_t i = 0; i < alter->n_cmds; i++) {
        const PgQuery__AlterTableCmd *command = alter->cmds[i]->alter_table_cmd;

        if (!is_drop(alter->cmds[i])) {
            alter->cmds[kept++] = alter->cmds[i];
            continue;
        }
        hide(hiding, &(struct thing){
                         .source = source,
                         .relation = relation,
                         .schema = alter->relation->schemaname,
                         .table = alter->relation->relname,
                         .column = command->name,
                         .if_exists = command->missing_ok || alter->missing_ok,
                         .cascades = command->behavior == PG_QUERY__DROP_BEHAVIOR__DROP_CASCADE,
                     });
        pg_query__node__free_unpacked(alter->cmds[i], NULL);
    }
    alter->n_cmds = kept;
    free(relation);
}

static bool can_hide_objects(const PgQuery__DropStmt *drop)
{
    static const PgQuery__ObjectType types[] = {
        PG_QUERY__OBJECT_TYPE__OBJECT_TABLE, PG_QUERY__OBJECT_TYPE__OBJECT_VIEW,
        PG_QUERY__OBJECT_TYPE__OBJECT_MATVIEW, PG_QUERY__OBJECT_TYPE__OBJECT_FOREIGN_TABLE};
    bool can = false;

    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
        can = can || drop->remove_type == types[i];
    for (size_t i = 0; can && i < drop->n_objects; i++)
        can = drop->objects[i]->list->n_items <= 2;
    return can;
}

static void hide_objects(struct hiding *hiding, const struct plan_statement *source,
                         const PgQuery__DropStmt *drop)
{
    for (size_t i = 0; i < drop->n_objects; i++) {
        const PgQuery__List *names = drop->objects[i]->list;
        const char *schema = names->n_items > 1 ? node_string(names->items[0]) : NULL;
        const char *table = node_string(names->items[names->n_items - 1]);
        char *relation = emit_qualified(schema, table);

        hide(hiding, &(struct thing){
                         .source = source,
                         .relation = relation,
                         .schema = schema,
                         .table = table,
                         .if_exists = drop->missing_ok,
                         .cascades = drop->behavior == PG_QUERY__DROP_BEHAVIOR__DROP_CASCADE,
                     });
        free(relation);
    }
}

/* ---- what waits for the purge ---- */

/* Of a contract, where nothing runs in batches. */
static struct plan_statement copy_of(const struct plan_statement *statement)
{
    struct plan_statement copy = *statement;
    const struct plan_work *work = &statement->work;

    copy.sql = allocate_text("%s", statement->sql);
    copy.work = (struct plan_work){.kind = work->kind, .source = work->source, .generated = work->generated};
    for (size_t i = 0; i < work->lock_count; i++)
        plan_work_lock_as(&copy.work, &work->locks[i]);
    if (work->object != NULL)
        copy.work.object = allocate_text("%s", work->object);
    if (work->note != NULL)
        copy.work.note = allocate_text("%s", work->note);
    copy.work.cost = work->cost;
    if (work->cost.table != NULL)
        copy.work.cost.table = allocate_text("%s", work->cost.table);
    return copy;
}

static void postpone(struct hiding *hiding, const struct plan_statement *statement)
{
    pieces_add(&hiding->purge, copy_of(statement), statement->transaction);
    hiding->purge.items[hiding->purge.count - 1].postponed = true;
}

/* Once for each statement of the file, however many stand for it. */
static void say_postponed(const struct hiding *hiding)
{
    const struct plan_statement *said = NULL;

    for (size_t i = 0; i < hiding->purge.count; i++) {
        const struct plan_statement *statement = &hiding->purge.items[i].statement;
        struct plan_finding *finding;
        char *first;

        if (!hiding->purge.items[i].postponed
            || (said != NULL && said->line == statement->line && said->column == statement->column))
            continue;
        said = statement;
        first = reader_quote(statement->sql, strlen(statement->sql));
        finding = reader_report(hiding->reader, RULE_POSTPONED, READER_WHOLE_FILE, NULL,
                                "this runs with the purge, %" PRId64 " hours after the contract: %s",
                                hiding->reader->plan->keep_hours, first);
        finding->line = statement->line;
        finding->column = statement->column;
        free(first);
    }
}

/* What is left of an ALTER TABLE whose other commands were taken out. */
static void postpone_rest(struct hiding *hiding, const struct plan_statement *statement,
                          const PgQuery__ParseResult *tree)
{
    struct plan_statement rest = *statement;

    rest.sql = tree_write(tree);
    if (rest.sql == NULL)
        abort(); /* it was parsed a moment ago */
    rest.work.generated = true;
    postpone(hiding, &rest);
    free(rest.sql);
}

/* ---- the sections ---- */

static void take(struct hiding *hiding, const struct plan_statement *statement,
                 const PgQuery__ParseResult *tree)
{
    PgQuery__Node *node = tree == NULL || tree->n_stmts != 1 ? NULL : tree->stmts[0]->stmt;

    if (node != NULL && node->node_case == PG_QUERY__NODE__NODE_VARIABLE_SET_STMT) {
        pieces_add(&hiding->contract, copy_of(statement), statement->transaction);
        pieces_add(&hiding->purge, copy_of(statement), statement->transaction);
    } else if (node != NULL && node->node_case == PG_QUERY__NODE__NODE_ALTER_TABLE_STMT
               && can_hide_columns(node->alter_table_stmt)) {
        size_t before = node->alter_table_stmt->n_cmds;

        hide_columns(hiding, statement, node->alter_table_stmt);
        if (node->alter_table_stmt->n_cmds == before)
            postpone(hiding, statement);
        else if (node->alter_table_stmt->n_cmds > 0)
            postpone_rest(hiding, statement, tree);
    } else if (node != NULL && node->node_case == PG_QUERY__NODE__NODE_DROP_STMT
               && can_hide_objects(node->drop_stmt)) {
        hide_objects(hiding, statement, node->drop_stmt);
    } else {
        postpone(hiding, statement);
    }
}

static void read_statement(struct hiding *hiding, const struct plan_statement *statement)
{
    PgQuery__ParseResult *tree = tree_parse(statement->sql);

    take(hiding, statement, tree);
    pg_query__parse_result__free_unpacked(tree, NULL);
}

/* Adds the pieces to the plan, numbered and grouped. */
static void append(struct plan *plan, const struct pieces *pieces, enum plan_section section)
{
    const struct plan_statement *before =
        plan->statement_count == 0 ? NULL : &plan->statements[plan->statement_count - 1];
    bool follows = before != NULL && before->section == section;
    unsigned number = follows ? before->number : 0, transaction = follows ? before->transaction : 0;

    for (size_t i = 0; i < pieces->count; i++) {
        const struct piece *piece = &pieces->items[i];
        struct plan_statement added = piece->statement;

        if (i == 0 || piece->group != piece[-1].group || !added.transactional
            || !piece[-1].statement.transactional)
            transaction++;
        added.section = section;
        added.number = ++number;
        added.transaction = transaction;
        plan->statements =
            allocate_one_more(plan->statements, plan->statement_count, sizeof(*plan->statements));
        plan->statements[plan->statement_count++] = added;
    }
}

static void reverse(struct pieces *pieces)
{
    for (size_t i = 0; i < pieces->count / 2; i++) {
        struct piece first = pieces->items[i];

        pieces->items[i] = pieces->items[pieces->count - 1 - i];
        pieces->items[pieces->count - 1 - i] = first;
    }
}

static void release(struct plan_statement *statement)
{
    free(statement->sql);
    plan_work_release(&statement->work);
}

/* The contract's own statements make room for the pieces; what is last in a restore was hidden first. */
static void rebuild(struct plan *plan, struct hiding *hiding)
{
    struct plan_statement *old = plan->statements;
    size_t count = plan->statement_count;

    plan->statements = NULL;
    plan->statement_count = 0;
    for (enum plan_section section = 0; section < PLAN_WRITTEN_SECTIONS; section++) {
        if (section == PLAN_CONTRACT) {
            append(plan, &hiding->contract, PLAN_CONTRACT);
            continue;
        }
        for (size_t i = 0; i < count; i++) {
            if (old[i].section != section)
                continue;
            plan->statements =
                allocate_one_more(plan->statements, plan->statement_count, sizeof(*plan->statements));
            plan->statements[plan->statement_count++] = old[i];
        }
    }
    for (size_t i = 0; i < count; i++)
        if (old[i].section == PLAN_CONTRACT)
            release(&old[i]);
    free(old);
    reverse(&hiding->restore);
    append(plan, &hiding->purge, PLAN_PURGE);
    append(plan, &hiding->restore, PLAN_RESTORE);
    append(plan, &hiding->proofs, PLAN_RESTORE);
}

static void say_nothing_hidden(struct reader *reader, const struct plan_statement *first)
{
    struct plan_finding *finding =
        reader_report(reader, RULE_NOTHING_HIDDEN, READER_WHOLE_FILE, NULL,
                      "keep_hours=%" PRId64 " has no effect: the contract drops no column and no table",
                      reader->plan->keep_hours);

    finding->line = first->line;
    finding->column = first->column;
}

static void discard(struct pieces *pieces)
{
    for (size_t i = 0; i < pieces->count; i++)
        release(&pieces->items[i].statement);
}

void reader_hide(struct reader *reader)
{
    struct plan *plan = reader->plan;
    struct hiding hiding = {.reader = reader};
    struct pieces *const all[] = {&hiding.contract, &hiding.purge, &hiding.restore, &hiding.proofs};
    const struct plan_statement *first = NULL;

    if (plan->keep_hours <= 0 || plan_is_refused(plan))
        return;
    for (size_t i = 0; i < plan->statement_count; i++) {
        if (plan->statements[i].section != PLAN_CONTRACT)
            continue;
        first = first == NULL ? &plan->statements[i] : first;
        read_statement(&hiding, &plan->statements[i]);
    }
    if (hiding.hidden > 0) {
        say_postponed(&hiding);
        rebuild(plan, &hiding);
    } else if (first != NULL) {
        say_nothing_hidden(reader, first);
        for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
            discard(all[i]);
    }
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        free(all[i]->items);
}
