/* Findings about operations, by the section that they stand in (docs/design.md §8). */
#ifndef PLAN_JUDGE_H
#define PLAN_JUDGE_H

#include "operation.h"

/* Reports what the statement would break, how it would lock, and what the catalog has to say about it. */
void operations_judge(struct statement *statement, const struct operations *operations);

/* The same for a file that is split, where the operation goes to `section`: style, what the catalog has to
 * say, and what nothing can be done about. */
void operation_remark(struct statement *statement, const struct operation *operation,
                      enum plan_section section);

/* True if an `allow` before the statement says that the old release bears with what the operation refuses. */
bool operation_allow_early(struct statement *statement, const struct operation *operation);

/* A new transaction begins: nothing is locked. */
void judge_begin_transaction(struct reader *reader);

/* Reports one operation. In the message as in the rule's remedy, {table}, {column}, {name} and {other} stand
 * for its names, quoted where they need it, and {size} for what the catalog says of the table's. */
void judge_report(struct statement *statement, const struct operation *operation, enum plan_rule_id rule,
                  const char *message);

/* Of RULE_ADD_COLUMN_NOT_NULL. */
extern const char required_column[];

/* What the catalog knows (judge_facts.c), and rules of style (judge_style.c). */
void judge_facts(struct statement *statement, const struct operation *operation);
void judge_style(struct statement *statement, const struct operation *operation);

#endif
