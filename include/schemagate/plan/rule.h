/* The rules that a migration file is held against. A finding is one breach of one rule; its id is what
 * people write behind `allow`, and what they look up in the documentation. */
#ifndef SCHEMAGATE_PLAN_RULE_H
#define SCHEMAGATE_PLAN_RULE_H

#include <schemagate/plan/plan.h>

enum plan_rule_id {
    /* the text */
    RULE_UNREADABLE,
    RULE_TOO_LARGE,
    RULE_TOO_MANY_FINDINGS,
    RULE_NO_FACTS,
    RULE_NUL_BYTE,
    RULE_NOT_UTF8,
    RULE_EMPTY_FILE,
    RULE_UNTERMINATED,
    RULE_SYNTAX_ERROR,
    RULE_PSQL_COMMAND,
    /* the directives */
    RULE_MALFORMED_DIRECTIVE,
    RULE_UNKNOWN_WORD,
    RULE_UNKNOWN_KEY,
    RULE_DUPLICATE_KEY,
    RULE_BAD_VALUE,
    RULE_DUPLICATE_DIRECTIVE,
    RULE_MISPLACED_DIRECTIVE,
    RULE_SQL_BEFORE_SECTION,
    RULE_ALLOW_INCOMPLETE,
    RULE_ALLOW_UNKNOWN,
    RULE_ALLOW_FORBIDDEN,
    RULE_ALLOW_UNUSED,
    /* steps that are commands */
    RULE_RUNNER_STEP,
    RULE_UNKNOWN_RUNNER,
    RULE_RUNNER_ARGUMENT,
    /* the statements */
    RULE_TRANSACTION_CONTROL,
    RULE_CLIENT_COPY,
    RULE_SERVER_PROGRAM,
    RULE_SESSION_STATE,
    RULE_MANAGED_SETTING,
    RULE_OWN_SCHEMA,
    RULE_ADVISORY_LOCK,
    RULE_SUSPECT_DO_BLOCK,
    RULE_NOT_RESUMABLE,
    /* reversible contracts */
    RULE_POSTPONED,
    RULE_NOTHING_HIDDEN,
    /* the split of a file without sections */
    RULE_NO_SAFE_FORM,
    RULE_ONE_SHAPE_ONLY,
    RULE_COEXISTENCE,
    RULE_COLUMN_IN_USE,
    RULE_MENTIONED_COLUMN,
    RULE_BAD_SPLIT,
    RULE_NO_CONVERSION,
    RULE_NEEDS_CONTRACT,
    RULE_UNPLACED,
    RULE_NEEDS_SCHEMA,
    RULE_SETTING_DROPPED,
    RULE_NO_UNDO,
    RULE_UNPARSED,
    /* old code breaks: what it names is gone */
    RULE_DROP_TABLE,
    RULE_DROP_COLUMN,
    RULE_DROP_OBJECT,
    RULE_DROP_CONSTRAINT,
    RULE_DROP_INDEX,
    RULE_TRUNCATE,
    RULE_RENAME_TABLE,
    RULE_RENAME_COLUMN,
    RULE_RENAME_OBJECT,
    RULE_SET_SCHEMA,
    RULE_SET_OWNER,
    RULE_DETACH_PARTITION,
    RULE_COLUMN_TYPE,
    RULE_DROP_EXPRESSION,
    RULE_DISABLE_TRIGGER,
    RULE_ALTER_TYPE,
    RULE_RENAME_ENUM_VALUE,
    RULE_ALTER_OBJECT,
    RULE_REVOKE,
    RULE_CHANGE_ROLE,
    RULE_SERVER_STATEMENT,
    /* old code breaks: its rows are refused */
    RULE_ADD_COLUMN_NOT_NULL,
    RULE_SET_NOT_NULL,
    RULE_DROP_DEFAULT,
    RULE_GENERATED_ALWAYS,
    RULE_ADD_CHECK,
    RULE_ADD_FOREIGN_KEY,
    RULE_ADD_UNIQUE,
    RULE_ADD_PRIMARY_KEY,
    RULE_ADD_EXCLUDE,
    RULE_ALTER_CONSTRAINT,
    RULE_TIGHTEN_DOMAIN,
    RULE_ROW_SECURITY,
    RULE_ENABLE_TRIGGER,
    RULE_CREATE_RULE,
    RULE_ALTER_SEQUENCE,
    RULE_PUBLISH_TABLE,
    RULE_REPLICA_IDENTITY,
    /* locks: the application waits */
    RULE_INDEX_NOT_CONCURRENT,
    RULE_DROP_INDEX_NOT_CONCURRENT,
    RULE_REINDEX_NOT_CONCURRENT,
    RULE_REFRESH_NOT_CONCURRENT,
    RULE_VOLATILE_DEFAULT,
    RULE_SERIAL_COLUMN,
    RULE_GENERATED_COLUMN,
    RULE_DOMAIN_COLUMN,
    RULE_CHECK_WITHOUT_NOT_VALID,
    RULE_FOREIGN_KEY_WITHOUT_NOT_VALID,
    RULE_UNIQUE_WITHOUT_INDEX,
    RULE_EXCLUDE_BUILDS_INDEX,
    RULE_NOT_NULL_SCAN,
    RULE_TYPE_REWRITE,
    RULE_TABLE_REWRITE,
    RULE_ATTACH_SCAN,
    RULE_DETACH_NOT_CONCURRENT,
    RULE_LOCK_TABLE,
    RULE_DOMAIN_SCAN,
    RULE_LONG_UNDER_LOCK,
    /* other things that somebody should know */
    RULE_DROP_NOT_NULL,
    RULE_REPLACE_OBJECT,
    RULE_CREATE_TRIGGER,
    RULE_OPAQUE_STATEMENT,
    RULE_UNKNOWN_STATEMENT,
    RULE_CASCADE,
    RULE_JSON_COLUMN,
    RULE_DOMAIN_WITH_CONSTRAINT,
    RULE_ENUM_VALUE,
    RULE_DATA_IN_EXPAND,
    RULE_DELETE_ROWS,
    /* what the catalog adds */
    RULE_PUBLISHED_TABLE,
    RULE_EVENT_TRIGGER,
    RULE_EXTENSION_OWNED,
    RULE_DEPENDENTS,
    RULE_STILL_REQUIRED,
    RULE_INDEX_EXISTS,
    RULE_STILL_REACHABLE,
    /* style; `style=on` */
    RULE_STYLE_CHAR,
    RULE_STYLE_TEXT,
    RULE_STYLE_BIGINT,
    RULE_STYLE_IDENTITY,
    RULE_STYLE_TIMESTAMPTZ,
    RULE_STYLE_ROBUST,
    RULE_STYLE_WIDE_INDEX,
    /* the backfill */
    RULE_NOT_BATCHED,
    RULE_CLOCK_OF_BATCHES,
    RULE_NOT_VERIFIED,
    PLAN_RULES
};

struct plan_rule {
    const char *id;
    enum plan_severity severity; /* in contract and undo, that of locks and rewrites is PLAN_WARNING */
    bool allowable; /* an `allow` directive may let a statement pass */
    const char *why;
    const char *fix; /* {table}, {column}, {name} and {other} stand for the names of the statement */
};

extern const struct plan_rule plan_rules[PLAN_RULES];

/* Adds a finding that the text alone does not give: what the configuration knows. line 0: the file as a
 * whole. Texts are copied; object may be NULL. */
void plan_report(struct plan *plan, enum plan_rule_id rule, unsigned line, unsigned column,
                 const char *object, const char *message);

/* The rule with this id, or NULL. */
const struct plan_rule *plan_rule_find(const char *id);

#endif
