/* Judging one statement by its parse tree. */
#ifndef PLAN_STATEMENT_H
#define PLAN_STATEMENT_H

#include "reader.h"

#include <pg_query/pg_query.pb-c.h>

#include <stdarg.h>

/* One statement while it is read: its tree, its place, and the exceptions that stand before it. */
struct statement {
    struct reader *reader;
    const PgQuery__Node *node;
    unsigned number;                        /* 1… in the order of the file */
    enum plan_section section;              /* of the file; PLAN_EXPAND where it has no sections */
    size_t base;                            /* what the locations in the tree count from */
    size_t start, end;                      /* from its first token, without semicolon */
    size_t first_allowance, last_allowance; /* [first, last) of reader->allowances */
    size_t using;                           /* of reader->usings, from 1; 0: none */
};

/* False for what PostgreSQL refuses inside a transaction block (transaction.c). */
bool statement_is_transactional(const PgQuery__Node *node);

/* Fills in what is left open of how the statement is run: the kind of work, its object (online.c), and,
 * where none is named, the table locks that it takes (locks.c). catalog NULL: what it says is not known. */
void statement_work(const struct catalog *catalog, const PgQuery__Node *node, struct plan_work *work);
void statement_locks(const struct catalog *catalog, const PgQuery__Node *node, struct plan_work *work);

/* Reports the statement if it is of a kind, or says something, that a migration must not (refuse.c). */
void statement_refuse(struct statement *statement);
/* The same of a statement that is run as it is written: what could not be gone on with after a crash. */
void statement_refuse_as_written(struct statement *statement);

/* Reports what a top-level SET or RESET changes, or a call of set_config, that is the daemon's own to
 * set (setting.c). */
void statement_check_set(struct statement *statement, const PgQuery__VariableSetStmt *set);
void statement_check_setting(struct statement *statement, const char *name, const char *value);

/* True for a setting that is the daemon's own, and that a migration means well by: a time-out, say. */
bool setting_may_be_dropped(const PgQuery__VariableSetStmt *set);

/* Searches the tree for the daemon's schema and for advisory locks, and notes what it names (mention.c). */
void statement_check_mentions(struct statement *statement);
/* The same for an expression that a directive before the statement gives. */
void statement_check_expression(struct statement *statement, const ProtobufCMessage *tree);

/* Notes the names that one message of the tree gives (names.c). */
void statement_note_names(struct statement *statement, const ProtobufCMessage *message);

/* Records a finding about the statement; an `allow` before it may let it pass. */
void statement_report(struct statement *statement, enum plan_rule_id rule, const char *object,
                      const char *format, ...) __attribute__((format(printf, 4, 5)));
void statement_report_v(struct statement *statement, enum plan_rule_id rule, const char *object,
                        const char *format, va_list arguments) __attribute__((format(printf, 4, 0)));

/* True if an `allow` of that rule stands before the statement. */
bool statement_allows(const struct statement *statement, enum plan_rule_id rule);

/* The same about a part of the statement, at its own place. Valid until the next report. */
struct plan_finding *statement_report_at(struct statement *statement, enum plan_rule_id rule, size_t offset,
                                         const char *object, const char *message);

/* The text of a String or of a string constant; NULL for other nodes. */
const char *node_string(const PgQuery__Node *node);

/* A qualified name, quoted where it must be (emit.h), or NULL for an empty list. The caller frees. */
char *name_of_list(PgQuery__Node *const *names, size_t count);

/* The option of that name in a list of DefElem, or NULL. */
const PgQuery__DefElem *node_option(PgQuery__Node *const *options, size_t count, const char *name);

/* True if the option is given and not false, as PostgreSQL's defGetBoolean reads it; `otherwise` if it
 * is not given. */
bool node_option_is_on(PgQuery__Node *const *options, size_t count, const char *name, bool otherwise);

#endif
