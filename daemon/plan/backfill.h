/* Statements of a backfill section. */
#ifndef PLAN_BACKFILL_H
#define PLAN_BACKFILL_H

#include "statement.h"

/* Emits the statement as one that runs in batches, or says why it cannot. False: it is to be emitted as it
 * stands. is_bound: what stands before it in its section says something that holds for it, too. */
bool backfill_emit(struct statement *statement, bool is_bound);

/* The same for one that a file without sections has put into the backfill, as a transaction of its own: it
 * runs in batches from here on, where it can. */
void backfill_take(struct statement *statement, struct plan_statement *added);

/* Statements of an atomic section are one transaction. Those that only change rows may still go one by one,
 * and each in batches; what others say (SET, LOCK, a temporary table) holds for those behind them: true for
 * these. */
bool backfill_binds(const PgQuery__Node *node);

#endif
