/* Findings about operations, by the section that they stand in (DESIGN.md section 8). */
#ifndef PLAN_JUDGE_H
#define PLAN_JUDGE_H

#include "operation.h"

/* Reports what the statement would break, how it would lock, and what the catalog has to say about it. */
void operations_judge(struct statement *statement, const struct operations *operations);

/* A new transaction begins: nothing is locked. */
void judge_begin_transaction(struct reader *reader);

/* Reports one operation. In the message as in the rule's remedy, {table}, {column}, {name} and {other} stand
 * for its names, quoted where they need it, and {size} for what the catalog says of the table's. */
void judge_report(struct statement *statement, const struct operation *operation, enum plan_rule_id rule,
                  const char *message);

/* What the catalog knows (judge_facts.c), and rules of style (judge_style.c). */
void judge_facts(struct statement *statement, const struct operation *operation);
void judge_style(struct statement *statement, const struct operation *operation);

#endif
