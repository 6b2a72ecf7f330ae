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
    /* the statements */
    RULE_TRANSACTION_CONTROL,
    RULE_CLIENT_COPY,
    RULE_SESSION_STATE,
    RULE_MANAGED_SETTING,
    RULE_OWN_SCHEMA,
    RULE_ADVISORY_LOCK,
    RULE_SUSPECT_DO_BLOCK,
    /* reversible contracts */
    RULE_POSTPONED,
    RULE_NOTHING_HIDDEN,
    /* the split of a file without sections */
    RULE_NO_SAFE_FORM,
    RULE_REQUIRED_COLUMN,
    RULE_ONE_SHAPE_ONLY,
    RULE_NEEDS_CONTRACT,
    RULE_UNPLACED,
    RULE_NEEDS_SCHEMA,
    RULE_SETTING_DROPPED,
    RULE_NO_UNDO,
    PLAN_RULES
};

struct plan_rule {
    const char *id;
    enum plan_severity severity;
    bool allowable; /* an `allow` directive may let a statement pass */
    const char *why;
    const char *fix;
};

extern const struct plan_rule plan_rules[PLAN_RULES];

/* The rule with this id, or NULL. */
const struct plan_rule *plan_rule_find(const char *id);

#endif
