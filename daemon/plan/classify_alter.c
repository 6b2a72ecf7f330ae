/* ALTER TABLE and its like (INDEX, VIEW, SEQUENCE, FOREIGN TABLE, TYPE), command by command. */
#include "classify.h"

#include "allocate.h"

#include <stdlib.h>
#include <string.h>

#define AT(COMMAND) PG_QUERY__ALTER_TABLE_TYPE__AT_##COMMAND
#define OBJECT(TYPE) PG_QUERY__OBJECT_TYPE__OBJECT_##TYPE

/* One command while it is read. */
struct command {
    struct classify *classify;
    const PgQuery__AlterTableStmt *alter;
    const PgQuery__AlterTableCmd *command;
};

typedef void refine(struct command *command, struct operation *operation);

static enum created_kind column_kind(const struct operation *operation, const struct created *created)
{
    return created_has(created, CREATED_FILLED, operation->schema, operation->table, operation->column)
               ? CREATED_FILLED
               : CREATED_COLUMN;
}

static bool is_new_column(const struct command *command, const struct operation *operation)
{
    const struct created *created = command->classify->created;

    return created_has(created, column_kind(operation, created), operation->schema, operation->table,
                       operation->column);
}

/* What is done to a column that nobody knows of yet breaks nobody; the table is locked all the same. */
static void on_column(struct command *command, struct operation *operation)
{
    operation->column = classify_text(command->command->name);
    if (is_new_column(command, operation) && !operation->on_new)
        operation->class = CLASS_ADDITIVE;
}

static void refine_drop_column(struct command *command, struct operation *operation)
{
    on_column(command, operation);
    for (enum created_kind kind = CREATED_COLUMN; kind <= CREATED_FILLED; kind++)
        created_remove(command->classify->created, kind, operation->schema, operation->table,
                       operation->column);
}

/* SET DEFAULT gives new rows of old code a value; without one a NOT NULL column refuses them. A new column
 * that may be NULL is as it would have been. */
static void refine_default(struct command *command, struct operation *operation)
{
    struct created *created = command->classify->created;

    operation->column = command->command->name;
    if (command->command->def != NULL) {
        operation->kind = OP_SET_DEFAULT;
        operation->class = CLASS_ADDITIVE;
    } else if (created_has(created, CREATED_COLUMN, operation->schema, operation->table, operation->column)) {
        operation->class = CLASS_ADDITIVE;
    }
}

static bool has_not_null_proof(const struct command *command, const struct operation *operation)
{
    return created_has(command->classify->created, CREATED_PROOF, operation->schema, operation->table,
                       operation->column);
}

/* Of the catalog: a CHECK that says of this column alone that it is not NULL. pg_get_constraintdef has one
 * way to print it. */
static bool has_validated_check(const struct operation *operation)
{
    const struct catalog_table *table = operation->known;
    char *wanted, *quoted;
    bool found = false;

    if (table == NULL || operation->column == NULL)
        return false;
    wanted = allocate_text("CHECK ((%s IS NOT NULL))", operation->column);
    quoted = allocate_text("CHECK ((\"%s\" IS NOT NULL))", operation->column);
    for (size_t i = 0; i < table->constraint_count; i++) {
        const struct catalog_constraint *constraint = &table->constraints[i];

        found = found
                || (constraint->valid && strcmp(constraint->kind, "check") == 0
                    && (strcmp(constraint->definition, wanted) == 0
                        || strcmp(constraint->definition, quoted) == 0));
    }
    free(wanted);
    free(quoted);
    return found;
}

static void refine_set_not_null(struct command *command, struct operation *operation)
{
    const struct catalog_column *column;
    bool is_unproved;

    operation->column = command->command->name;
    column = operation->known == NULL ? NULL : catalog_column(operation->known, operation->column);
    is_unproved = column != NULL && column->unproved != NULL;
    operation->scans =
        !has_not_null_proof(command, operation) && (is_unproved || !has_validated_check(operation));
    if (column != NULL && column->not_null && !(is_unproved && operation->scans)) {
        operation->class = CLASS_ADDITIVE;
        operation->scans = false;
    }
}

static void refine_type(struct command *command, struct operation *operation)
{
    const PgQuery__Node *def = command->command->def;

    operation->column = command->command->name;
    operation->rewrites = operation->scans = true;
    if (operation->known != NULL && def != NULL && def->node_case == PG_QUERY__NODE__NODE_COLUMN_DEF
        && classify_widens(operation->known, operation->column, def->column_def)) {
        operation->rewrites = operation->scans = false;
        operation->class = CLASS_ADDITIVE;
    } else if (is_new_column(command, operation)) {
        operation->class = CLASS_UNSAFE;
    }
}

/* GENERATED ALWAYS refuses the values that old code writes itself. */
static void refine_identity(struct command *command, struct operation *operation)
{
    const PgQuery__Node *def = command->command->def;
    bool always = false;

    operation->column = command->command->name;
    if (def != NULL && def->node_case == PG_QUERY__NODE__NODE_CONSTRAINT)
        always = strcmp(def->constraint->generated_when, "a") == 0;
    else if (def != NULL && def->node_case == PG_QUERY__NODE__NODE_LIST)
        for (size_t i = 0; i < def->list->n_items; i++) {
            const PgQuery__DefElem *option = def->list->items[i]->def_elem;

            if (strcmp(option->defname, "generated") == 0 && option->arg != NULL)
                always = option->arg->integer->ival == 'a';
        }
    if (always)
        operation->class = CLASS_TIGHTENS;
}

static void refine_storage(struct command *command, struct operation *operation)
{
    operation->column = classify_text(command->command->name);
    operation->lock = LOCK_ACCESS_EXCLUSIVE;
}

/* Storage parameters that take effect without a rewrite or a new plan. */
static bool are_light(const PgQuery__Node *options)
{
    static const char *const light[] = {"fillfactor", "autovacuum_",     "toast",
                                        "vacuum_",    "log_autovacuum_", "deduplicate_items",
                                        "parallel_workers"};

    if (options == NULL || options->node_case != PG_QUERY__NODE__NODE_LIST)
        return false;
    for (size_t i = 0; i < options->list->n_items; i++) {
        const char *name = options->list->items[i]->def_elem->defname;
        size_t at = 0;

        while (at < sizeof(light) / sizeof(light[0]) && strncmp(name, light[at], strlen(light[at])) != 0)
            at++;
        if (at == sizeof(light) / sizeof(light[0]))
            return false;
    }
    return true;
}

/* security_invoker and its like change what a view's readers may see. */
static void refine_options(struct command *command, struct operation *operation)
{
    if (!are_light(command->command->def))
        operation->lock = LOCK_ACCESS_EXCLUSIVE;
    if (command->alter->objtype != OBJECT(VIEW))
        return;
    operation->kind = OP_ALTER_OTHER;
    operation->class = CLASS_REMOVES;
    operation->lock = LOCK_ACCESS_EXCLUSIVE;
}

static void refine_rewrite(struct command *command, struct operation *operation)
{
    (void)command;
    operation->rewrites = true;
}

static void refine_alter_constraint(struct command *command, struct operation *operation)
{
    const PgQuery__Node *def = command->command->def;

    if (def == NULL || def->node_case != PG_QUERY__NODE__NODE_CONSTRAINT)
        return;
    operation->object = def->constraint->conname;
    operation->constraint = def->constraint;
    if (def->constraint->deferrable)
        operation->class = CLASS_ADDITIVE;
}

/* Whose NOT NULL the constraint is; NULL: it is another one, or validated already. */
static const char *unproved_column(const struct operation *operation)
{
    const struct catalog_table *table = operation->known;

    for (size_t i = 0; table != NULL && i < table->column_count; i++)
        if (table->columns[i].unproved != NULL && strcmp(table->columns[i].unproved, operation->object) == 0)
            return table->columns[i].name;
    return NULL;
}

/* From here on SET NOT NULL finds a proof of what it wants to know. */
static void refine_validate(struct command *command, struct operation *operation)
{
    struct created *created = command->classify->created;
    const char *column;

    operation->object = command->command->name;
    operation->scans = true;
    column = created_value(created, CREATED_NOT_NULL, operation->schema, operation->table, operation->object);
    if (column != NULL)
        classify_prove_not_null(command->classify, operation, column);
    column = unproved_column(operation);
    if (column != NULL)
        created_add(created, CREATED_PROOF, operation->schema, operation->table, column, NULL);
}

static const struct catalog_constraint *known_constraint(const struct operation *operation)
{
    const struct catalog_table *table = operation->known;

    for (size_t i = 0; table != NULL && i < table->constraint_count; i++)
        if (strcmp(table->constraints[i].name, operation->object) == 0)
            return &table->constraints[i];
    return NULL;
}

/* Without a CHECK more rows are right than before; without a UNIQUE one, ON CONFLICT fails; and a foreign key
 * may have deleted what old code leaves to it. */
static void refine_drop_constraint(struct command *command, struct operation *operation)
{
    const struct catalog_constraint *known;

    operation->object = command->command->name;
    known = known_constraint(operation);
    if (created_has(command->classify->created, CREATED_MEMBER, operation->schema, operation->table,
                    operation->object))
        operation->class = CLASS_ADDITIVE;
    else if (known != NULL
             && (strcmp(known->kind, "check") == 0 || strcmp(known->kind, "exclude") == 0
                 || (strcmp(known->kind, "foreign key") == 0 && strstr(known->definition, " ON ") == NULL)))
        operation->class = CLASS_ADDITIVE;
}

static void refine_trigger(struct command *command, struct operation *operation)
{
    operation->object = classify_text(command->command->name);
    if (created_has(command->classify->created, CREATED_MEMBER, operation->schema, operation->table,
                    operation->object))
        operation->class = CLASS_ADDITIVE;
}

static void refine_rule(struct command *command, struct operation *operation)
{
    refine_trigger(command, operation);
    operation->lock = LOCK_ACCESS_EXCLUSIVE;
}

static void refine_inherit(struct command *command, struct operation *operation)
{
    const PgQuery__Node *def = command->command->def;

    if (def != NULL && def->node_case == PG_QUERY__NODE__NODE_RANGE_VAR)
        classify_set_other(command->classify, operation, def->range_var, LOCK_SHARE_UPDATE_EXCLUSIVE);
}

static void refine_no_inherit(struct command *command, struct operation *operation)
{
    refine_inherit(command, operation);
    operation->class = CLASS_REMOVES;
}

/* The rows of the partition are looked through, unless it is new, or a CHECK of it says the same: that is for
 * the author to know. */
static void refine_attach(struct command *command, struct operation *operation)
{
    const PgQuery__PartitionCmd *partition = command->command->def->partition_cmd;

    if (command->alter->objtype == OBJECT(INDEX)) {
        operation->class = CLASS_ADDITIVE;
        operation->lock = LOCK_ACCESS_EXCLUSIVE;
        operation->object = partition->name->relname;
        return;
    }
    classify_set_other(command->classify, operation, partition->name, LOCK_ACCESS_EXCLUSIVE);
    operation->scans = operation->other_table != NULL;
    if (!operation->scans)
        operation->class = CLASS_ADDITIVE;
}

static void refine_detach(struct command *command, struct operation *operation)
{
    const PgQuery__PartitionCmd *partition = command->command->def->partition_cmd;

    operation->concurrently = partition->concurrent;
    classify_set_other(command->classify, operation, partition->name, LOCK_ACCESS_EXCLUSIVE);
    if (operation->concurrently)
        operation->lock = LOCK_SHARE_UPDATE_EXCLUSIVE;
}

static void refine_finalize(struct command *command, struct operation *operation)
{
    operation->concurrently = true;
    operation->lock = LOCK_SHARE_UPDATE_EXCLUSIVE;
    classify_set_other(command->classify, operation, command->command->def->partition_cmd->name,
                       LOCK_ACCESS_EXCLUSIVE);
}

/* Without an identity the UPDATEs and DELETEs of a published table fail. */
static void refine_replica_identity(struct command *command, struct operation *operation)
{
    const PgQuery__ReplicaIdentityStmt *identity = command->command->def->replica_identity_stmt;

    operation->object = classify_text(identity->name);
    if (strcmp(identity->identity_type, "n") == 0)
        operation->class = CLASS_TIGHTENS;
}

static void refine_looser(struct command *command, struct operation *operation)
{
    (void)command;
    operation->class = CLASS_ADDITIVE;
}

static const struct {
    PgQuery__AlterTableType subtype;
    enum operation_kind kind;
    refine *refine; /* NULL: as the kind is */
} commands[] = {
    {AT(DropColumn), OP_DROP_COLUMN, refine_drop_column},
    {AT(ColumnDefault), OP_DROP_DEFAULT, refine_default},
    {AT(SetNotNull), OP_SET_NOT_NULL, refine_set_not_null},
    {AT(DropNotNull), OP_DROP_NOT_NULL, on_column},
    {AT(AlterColumnType), OP_COLUMN_TYPE, refine_type},
    {AT(AddIdentity), OP_ADD_IDENTITY, refine_identity},
    {AT(SetIdentity), OP_ADD_IDENTITY, refine_identity},
    {AT(DropIdentity), OP_DROP_IDENTITY, on_column},
    {AT(DropExpression), OP_DROP_EXPRESSION, on_column},
    {AT(SetStatistics), OP_SET_STORAGE, NULL},
    {AT(SetOptions), OP_SET_STORAGE, NULL},
    {AT(ResetOptions), OP_SET_STORAGE, NULL},
    {AT(SetStorage), OP_SET_STORAGE, refine_storage},
    {AT(SetCompression), OP_SET_STORAGE, refine_storage},
    {AT(AlterConstraint), OP_ALTER_CONSTRAINT, refine_alter_constraint},
    {AT(ValidateConstraint), OP_VALIDATE, refine_validate},
    {AT(DropConstraint), OP_DROP_CONSTRAINT, refine_drop_constraint},
    {AT(ChangeOwner), OP_SET_OWNER, NULL},
    {AT(ClusterOn), OP_SET_STORAGE, NULL},
    {AT(DropCluster), OP_SET_STORAGE, NULL},
    {AT(SetLogged), OP_SET_TABLESPACE, refine_rewrite},
    {AT(SetUnLogged), OP_SET_TABLESPACE, refine_rewrite},
    {AT(SetAccessMethod), OP_SET_TABLESPACE, refine_rewrite},
    {AT(SetTableSpace), OP_SET_TABLESPACE, refine_rewrite},
    {AT(DropOids), OP_SET_STORAGE, refine_storage},
    {AT(SetRelOptions), OP_SET_STORAGE, refine_options},
    {AT(ResetRelOptions), OP_SET_STORAGE, refine_options},
    {AT(EnableTrig), OP_ENABLE_TRIGGER, refine_trigger},
    {AT(EnableAlwaysTrig), OP_ENABLE_TRIGGER, refine_trigger},
    {AT(EnableReplicaTrig), OP_ENABLE_TRIGGER, refine_trigger},
    {AT(EnableTrigAll), OP_ENABLE_TRIGGER, NULL},
    {AT(EnableTrigUser), OP_ENABLE_TRIGGER, NULL},
    {AT(DisableTrig), OP_DISABLE_TRIGGER, refine_trigger},
    {AT(DisableTrigAll), OP_DISABLE_TRIGGER, NULL},
    {AT(DisableTrigUser), OP_DISABLE_TRIGGER, NULL},
    {AT(EnableRule), OP_CREATE_RULE, refine_rule},
    {AT(EnableAlwaysRule), OP_CREATE_RULE, refine_rule},
    {AT(EnableReplicaRule), OP_CREATE_RULE, refine_rule},
    {AT(DisableRule), OP_DROP_RULE, refine_rule},
    {AT(AddInherit), OP_INHERIT, refine_inherit},
    {AT(DropInherit), OP_INHERIT, refine_no_inherit},
    {AT(AddOf), OP_INHERIT, NULL},
    {AT(DropOf), OP_INHERIT, NULL},
    {AT(ReplicaIdentity), OP_REPLICA_IDENTITY, refine_replica_identity},
    {AT(EnableRowSecurity), OP_ROW_SECURITY, NULL},
    {AT(ForceRowSecurity), OP_ROW_SECURITY, NULL},
    {AT(DisableRowSecurity), OP_ROW_SECURITY, refine_looser},
    {AT(NoForceRowSecurity), OP_ROW_SECURITY, refine_looser},
    {AT(GenericOptions), OP_ALTER_OTHER, NULL},
    {AT(AlterColumnGenericOptions), OP_ALTER_OTHER, NULL},
    {AT(AttachPartition), OP_ATTACH_PARTITION, refine_attach},
    {AT(DetachPartition), OP_DETACH_PARTITION, refine_detach},
    {AT(DetachPartitionFinalize), OP_DETACH_PARTITION, refine_finalize},
};

static void read_command(struct command *command, size_t start, size_t end)
{
    struct classify *classify = command->classify;
    struct operation *operation;
    size_t row = 0;

    while (row < sizeof(commands) / sizeof(commands[0]) && commands[row].subtype != command->command->subtype)
        row++;
    if (row == sizeof(commands) / sizeof(commands[0])) {
        operation = classify_add_on(classify, OP_UNKNOWN, command->alter->relation);
    } else {
        operation = classify_add_on(classify, commands[row].kind, command->alter->relation);
        operation->command = command->command;
        operation->cascade = command->command->behavior == PG_QUERY__DROP_BEHAVIOR__DROP_CASCADE;
        operation->if_exists = command->alter->missing_ok || command->command->missing_ok;
        if (commands[row].refine != NULL)
            commands[row].refine(command, operation);
    }
    operation->command = command->command;
    operation->start = start;
    operation->end = end;
}

/* ADD ATTRIBUTE and its like: rows of the type are written as (a,b) by code that knows two attributes. */
static void read_attribute(struct command *command, size_t start, size_t end)
{
    struct operation *operation = classify_add(command->classify, OP_ALTER_TYPE);

    operation->schema = classify_schema(command->classify, command->alter->relation);
    operation->table = command->alter->relation->relname;
    operation->column = classify_text(command->command->name);
    operation->command = command->command;
    operation->cascade = command->command->behavior == PG_QUERY__DROP_BEHAVIOR__DROP_CASCADE;
    operation->start = start;
    operation->end = end;
    classify_look_up(command->classify, operation, CREATED_TYPE);
}

static bool adds_constraint(const PgQuery__AlterTableCmd *command)
{
    return command->subtype == AT(AddConstraint) && command->def != NULL
           && command->def->node_case == PG_QUERY__NODE__NODE_CONSTRAINT;
}

/* The constraint's operations stand behind what is there already. */
static void read_constraint(struct command *command, size_t start, size_t end)
{
    struct operations *operations = command->classify->operations;
    size_t first = operations->count;

    classify_add_constraint(command->classify, command->alter->relation, command->command->def->constraint,
                            command->command, NULL);
    for (size_t i = first; i < operations->count; i++) {
        operations->items[i].start = start;
        operations->items[i].end = end;
    }
}

/* Where the first command begins: behind the name of the relation. */
static size_t first_command_token(const struct statement *statement, const PgQuery__RangeVar *relation)
{
    const struct reader *reader = statement->reader;
    size_t at = reader_token_at(reader, statement->base + (size_t)relation->location) + 1;

    while (at + 1 < reader->token_count && reader->tokens[at].kind == PG_QUERY__TOKEN__ASCII_46)
        at += 2;
    while (at < reader->token_count
           && (reader->tokens[at].kind == PG_QUERY__TOKEN__ASCII_42
               || reader->tokens[at].kind == PG_QUERY__TOKEN__ASCII_41
               || reader_is_comment(&reader->tokens[at])))
        at++;
    return at;
}

/* The text of one command: up to the next comma outside of parentheses. `at` moves behind it. */
static void take_command(const struct statement *statement, size_t *at, size_t *start, size_t *end)
{
    const struct reader *reader = statement->reader;
    int depth = 0;

    *start = *at < reader->token_count ? reader->tokens[*at].start : statement->end;
    for (; *at < reader->token_count && reader->tokens[*at].start < statement->end; ++*at) {
        int kind = reader->tokens[*at].kind;

        if (kind == PG_QUERY__TOKEN__ASCII_40 || kind == PG_QUERY__TOKEN__ASCII_91)
            depth++;
        else if (kind == PG_QUERY__TOKEN__ASCII_41 || kind == PG_QUERY__TOKEN__ASCII_93)
            depth--;
        else if (kind == PG_QUERY__TOKEN__ASCII_44 && depth == 0)
            break;
    }
    *end = *at < reader->token_count && reader->tokens[*at].start < statement->end ? reader->tokens[*at].start
                                                                                   : statement->end;
    ++*at;
    if (*start < *end)
        reader_trim(reader, start, end);
}

void classify_alter_table(struct classify *classify, const PgQuery__Node *node, enum operation_kind kind)
{
    const PgQuery__AlterTableStmt *alter = node->alter_table_stmt;
    size_t at = first_command_token(classify->statement, alter->relation);

    (void)kind;
    for (size_t i = 0; i < alter->n_cmds; i++) {
        struct command command = {classify, alter, alter->cmds[i]->alter_table_cmd};
        size_t start, end;

        take_command(classify->statement, &at, &start, &end);
        if (start >= end) {
            start = classify->statement->start;
            end = classify->statement->end;
        }
        if (alter->objtype == OBJECT(TYPE))
            read_attribute(&command, start, end);
        else if (command.command->subtype == AT(AddColumn))
            classify_add_column(classify, alter, command.command, start, end);
        else if (adds_constraint(command.command))
            read_constraint(&command, start, end);
        else
            read_command(&command, start, end);
    }
}
