/* What holds for every operation of a kind. Locks: AlterTableGetLockLevel and the LOCK pages of PostgreSQL's
 * manual ("Explicit Locking", and each command's own page). */
#include "operation.h"

#include "allocate.h"

#include <stdlib.h>
#include <string.h>

const struct operation_row operation_kinds[OPERATION_KINDS] = {
    [OP_CREATE_SCHEMA] = {"create-schema", CLASS_ADDITIVE, LOCK_NONE},
    [OP_CREATE_TABLE] = {"create-table", CLASS_ADDITIVE, LOCK_NONE},
    [OP_CREATE_TABLE_AS] = {"create-table-as", CLASS_ADDITIVE, LOCK_NONE},
    [OP_DROP_TABLE] = {"drop-table", CLASS_REMOVES, LOCK_ACCESS_EXCLUSIVE},
    [OP_RENAME_TABLE] = {"rename-table", CLASS_REMOVES, LOCK_ACCESS_EXCLUSIVE},
    [OP_SET_SCHEMA] = {"set-schema", CLASS_REMOVES, LOCK_ACCESS_EXCLUSIVE},
    [OP_SET_OWNER] = {"set-owner", CLASS_REMOVES, LOCK_ACCESS_EXCLUSIVE},
    [OP_SET_TABLESPACE] = {"set-tablespace", CLASS_UNSAFE, LOCK_ACCESS_EXCLUSIVE},
    [OP_SET_STORAGE] = {"set-storage", CLASS_ADDITIVE, LOCK_SHARE_UPDATE_EXCLUSIVE},
    [OP_INHERIT] = {"inherit", CLASS_ADDITIVE, LOCK_ACCESS_EXCLUSIVE},
    [OP_ATTACH_PARTITION] = {"attach-partition", CLASS_UNSAFE, LOCK_SHARE_UPDATE_EXCLUSIVE},
    [OP_DETACH_PARTITION] = {"detach-partition", CLASS_REMOVES, LOCK_ACCESS_EXCLUSIVE},
    [OP_TRUNCATE] = {"truncate", CLASS_REMOVES, LOCK_ACCESS_EXCLUSIVE},
    [OP_REPLICA_IDENTITY] = {"replica-identity", CLASS_ADDITIVE, LOCK_ACCESS_EXCLUSIVE},

    [OP_ADD_COLUMN] = {"add-column", CLASS_ADDITIVE, LOCK_ACCESS_EXCLUSIVE},
    [OP_DROP_COLUMN] = {"drop-column", CLASS_REMOVES, LOCK_ACCESS_EXCLUSIVE},
    [OP_RENAME_COLUMN] = {"rename-column", CLASS_REMOVES, LOCK_ACCESS_EXCLUSIVE},
    [OP_COLUMN_TYPE] = {"column-type", CLASS_REMOVES, LOCK_ACCESS_EXCLUSIVE},
    [OP_SET_DEFAULT] = {"set-default", CLASS_ADDITIVE, LOCK_ACCESS_EXCLUSIVE},
    [OP_DROP_DEFAULT] = {"drop-default", CLASS_TIGHTENS, LOCK_ACCESS_EXCLUSIVE},
    [OP_SET_NOT_NULL] = {"set-not-null", CLASS_TIGHTENS, LOCK_ACCESS_EXCLUSIVE},
    [OP_DROP_NOT_NULL] = {"drop-not-null", CLASS_ADDITIVE, LOCK_ACCESS_EXCLUSIVE},
    [OP_ADD_IDENTITY] = {"add-identity", CLASS_ADDITIVE, LOCK_ACCESS_EXCLUSIVE},
    [OP_DROP_IDENTITY] = {"drop-identity", CLASS_TIGHTENS, LOCK_ACCESS_EXCLUSIVE},
    [OP_DROP_EXPRESSION] = {"drop-expression", CLASS_REMOVES, LOCK_ACCESS_EXCLUSIVE},

    [OP_ADD_CHECK] = {"add-check", CLASS_TIGHTENS, LOCK_ACCESS_EXCLUSIVE},
    [OP_ADD_FOREIGN_KEY] = {"add-foreign-key", CLASS_TIGHTENS, LOCK_SHARE_ROW_EXCLUSIVE},
    [OP_ADD_UNIQUE] = {"add-unique", CLASS_TIGHTENS, LOCK_ACCESS_EXCLUSIVE},
    [OP_ADD_PRIMARY_KEY] = {"add-primary-key", CLASS_TIGHTENS, LOCK_ACCESS_EXCLUSIVE},
    [OP_ADD_EXCLUDE] = {"add-exclude", CLASS_TIGHTENS, LOCK_ACCESS_EXCLUSIVE},
    [OP_ADD_USING_INDEX] = {"add-using-index", CLASS_ADDITIVE, LOCK_ACCESS_EXCLUSIVE},
    [OP_VALIDATE] = {"validate", CLASS_ADDITIVE, LOCK_SHARE_UPDATE_EXCLUSIVE},
    [OP_DROP_CONSTRAINT] = {"drop-constraint", CLASS_REMOVES, LOCK_ACCESS_EXCLUSIVE},
    [OP_RENAME_CONSTRAINT] = {"rename-constraint", CLASS_REMOVES, LOCK_ACCESS_EXCLUSIVE},
    [OP_ALTER_CONSTRAINT] = {"alter-constraint", CLASS_TIGHTENS, LOCK_ACCESS_EXCLUSIVE},

    [OP_CREATE_INDEX] = {"create-index", CLASS_UNSAFE, LOCK_SHARE},
    [OP_DROP_INDEX] = {"drop-index", CLASS_REMOVES, LOCK_ACCESS_EXCLUSIVE},
    [OP_RENAME_INDEX] = {"rename-index", CLASS_ADDITIVE, LOCK_SHARE_UPDATE_EXCLUSIVE},
    [OP_REINDEX] = {"reindex", CLASS_UNSAFE, LOCK_ACCESS_EXCLUSIVE},
    [OP_CLUSTER] = {"cluster", CLASS_UNSAFE, LOCK_ACCESS_EXCLUSIVE},
    [OP_VACUUM] = {"vacuum", CLASS_ADDITIVE, LOCK_SHARE_UPDATE_EXCLUSIVE},

    [OP_CREATE_VIEW] = {"create-view", CLASS_ADDITIVE, LOCK_NONE},
    [OP_REPLACE_VIEW] = {"replace-view", CLASS_ADDITIVE, LOCK_ACCESS_EXCLUSIVE},
    [OP_DROP_VIEW] = {"drop-view", CLASS_REMOVES, LOCK_ACCESS_EXCLUSIVE},
    [OP_REFRESH_VIEW] = {"refresh-view", CLASS_UNSAFE, LOCK_ACCESS_EXCLUSIVE},
    [OP_CREATE_TRIGGER] = {"create-trigger", CLASS_ADDITIVE, LOCK_SHARE_ROW_EXCLUSIVE},
    [OP_ENABLE_TRIGGER] = {"enable-trigger", CLASS_TIGHTENS, LOCK_SHARE_ROW_EXCLUSIVE},
    [OP_DISABLE_TRIGGER] = {"disable-trigger", CLASS_REMOVES, LOCK_SHARE_ROW_EXCLUSIVE},
    [OP_DROP_TRIGGER] = {"drop-trigger", CLASS_REMOVES, LOCK_ACCESS_EXCLUSIVE},
    [OP_CREATE_RULE] = {"create-rule", CLASS_TIGHTENS, LOCK_ACCESS_EXCLUSIVE},
    [OP_DROP_RULE] = {"drop-rule", CLASS_REMOVES, LOCK_ACCESS_EXCLUSIVE},
    [OP_CREATE_POLICY] = {"create-policy", CLASS_ADDITIVE, LOCK_ACCESS_EXCLUSIVE},
    [OP_DROP_POLICY] = {"drop-policy", CLASS_REMOVES, LOCK_ACCESS_EXCLUSIVE},
    [OP_ROW_SECURITY] = {"row-security", CLASS_TIGHTENS, LOCK_ACCESS_EXCLUSIVE},

    [OP_CREATE_TYPE] = {"create-type", CLASS_ADDITIVE, LOCK_NONE},
    [OP_ADD_ENUM_VALUE] = {"add-enum-value", CLASS_ADDITIVE, LOCK_NONE},
    [OP_RENAME_ENUM_VALUE] = {"rename-enum-value", CLASS_REMOVES, LOCK_NONE},
    [OP_ALTER_TYPE] = {"alter-type", CLASS_REMOVES, LOCK_NONE},
    [OP_DROP_TYPE] = {"drop-type", CLASS_REMOVES, LOCK_NONE},
    [OP_CREATE_DOMAIN] = {"create-domain", CLASS_ADDITIVE, LOCK_NONE},
    [OP_TIGHTEN_DOMAIN] = {"tighten-domain", CLASS_TIGHTENS, LOCK_NONE},
    [OP_LOOSEN_DOMAIN] = {"loosen-domain", CLASS_ADDITIVE, LOCK_NONE},
    [OP_CREATE_SEQUENCE] = {"create-sequence", CLASS_ADDITIVE, LOCK_NONE},
    [OP_ALTER_SEQUENCE] = {"alter-sequence", CLASS_TIGHTENS, LOCK_SHARE_ROW_EXCLUSIVE},
    [OP_DROP_SEQUENCE] = {"drop-sequence", CLASS_REMOVES, LOCK_ACCESS_EXCLUSIVE},
    [OP_CREATE_FUNCTION] = {"create-function", CLASS_ADDITIVE, LOCK_NONE},
    [OP_REPLACE_FUNCTION] = {"replace-function", CLASS_ADDITIVE, LOCK_NONE},
    [OP_ALTER_FUNCTION] = {"alter-function", CLASS_ADDITIVE, LOCK_NONE},
    [OP_DROP_FUNCTION] = {"drop-function", CLASS_REMOVES, LOCK_NONE},
    [OP_CREATE_EXTENSION] = {"create-extension", CLASS_OPAQUE, LOCK_NONE},
    [OP_ALTER_EXTENSION] = {"alter-extension", CLASS_OPAQUE, LOCK_NONE},
    [OP_DROP_EXTENSION] = {"drop-extension", CLASS_REMOVES, LOCK_NONE},
    [OP_CREATE_OTHER] = {"create-other", CLASS_ADDITIVE, LOCK_NONE},
    [OP_ALTER_OTHER] = {"alter-other", CLASS_REMOVES, LOCK_NONE},
    [OP_DROP_OTHER] = {"drop-other", CLASS_REMOVES, LOCK_NONE},
    [OP_RENAME_OTHER] = {"rename-other", CLASS_REMOVES, LOCK_NONE},
    [OP_COMMENT] = {"comment", CLASS_ADDITIVE, LOCK_SHARE_UPDATE_EXCLUSIVE},

    [OP_GRANT] = {"grant", CLASS_ADDITIVE, LOCK_NONE},
    [OP_REVOKE] = {"revoke", CLASS_REMOVES, LOCK_NONE},
    [OP_ROLE] = {"role", CLASS_REMOVES, LOCK_NONE},

    [OP_SELECT] = {"select", CLASS_ADDITIVE, LOCK_ACCESS_SHARE},
    [OP_INSERT] = {"insert", CLASS_DATA, LOCK_ROW_EXCLUSIVE},
    [OP_UPDATE] = {"update", CLASS_DATA, LOCK_ROW_EXCLUSIVE},
    [OP_DELETE] = {"delete", CLASS_DATA, LOCK_ROW_EXCLUSIVE},
    [OP_MERGE] = {"merge", CLASS_DATA, LOCK_ROW_EXCLUSIVE},
    [OP_COPY] = {"copy", CLASS_DATA, LOCK_ROW_EXCLUSIVE},
    [OP_SET] = {"set", CLASS_SESSION, LOCK_NONE},
    [OP_LOCK_TABLE] = {"lock-table", CLASS_UNSAFE, LOCK_ACCESS_EXCLUSIVE},
    [OP_TRANSACTION] = {"transaction", CLASS_TRANSACTION, LOCK_NONE},
    [OP_OPAQUE] = {"opaque", CLASS_OPAQUE, LOCK_NONE},
    [OP_SERVER] = {"server", CLASS_OPAQUE, LOCK_NONE},
    [OP_UNKNOWN] = {"unknown", CLASS_UNKNOWN, LOCK_NONE},
};

const char *operation_class_name(enum operation_class class)
{
    static const char *const names[OPERATION_CLASSES] = {
        [CLASS_BOOKKEEPING] = "bookkeeping", [CLASS_SESSION] = "session",
        [CLASS_ADDITIVE] = "additive",       [CLASS_UNSAFE] = "unsafe",
        [CLASS_DATA] = "data",               [CLASS_TIGHTENS] = "tightens",
        [CLASS_REMOVES] = "removes",         [CLASS_TRANSACTION] = "transaction",
        [CLASS_OPAQUE] = "opaque",           [CLASS_UNKNOWN] = "unknown",
    };

    return names[class];
}

enum operation_class operations_class(const struct operations *operations)
{
    enum operation_class worst = operations->count == 0 ? CLASS_UNKNOWN : CLASS_BOOKKEEPING;

    for (size_t i = 0; i < operations->count; i++)
        if (operations->items[i].class > worst)
            worst = operations->items[i].class;
    return worst;
}

/* Adds a name and a dot before it; frees the text that was there. */
static char *join(char *text, const char *name)
{
    char *longer;

    if (name == NULL)
        return text;
    longer = allocate_text("%s%s%s", text, *text == '\0' ? "" : ".", name);
    free(text);
    return longer;
}

char *operation_object(const struct operation *operation)
{
    char *text = join(allocate_text("%s", ""), operation->schema);

    text = join(text, operation->table);
    text = join(text, operation->column);
    if (operation->object != operation->table && operation->object != operation->column)
        text = join(text, operation->object);
    return text;
}

void operations_note(struct statement *statement, const struct operations *operations)
{
    struct plan *plan = statement->reader->plan;

    for (size_t i = 0; i < operations->count; i++) {
        const struct operation *operation = &operations->items[i];
        struct text_place place = text_locate(&statement->reader->text, operation->start);

        plan->operations =
            allocate_one_more(plan->operations, plan->operation_count, sizeof(*plan->operations));
        plan->operations[plan->operation_count++] = (struct plan_operation){
            .kind = operation_kinds[operation->kind].name,
            .class = operation_class_name(operation->class),
            .section = statement->section,
            .line = place.line,
            .column = place.column,
            .source = statement->number,
            .lock = operation->lock,
            .rewrites = operation->rewrites,
            .scans = operation->scans,
            .on_new = operation->on_new,
            .object = operation_object(operation),
        };
    }
}

void operations_free(struct operations *operations)
{
    free(operations->items);
    *operations = (struct operations){0};
}
