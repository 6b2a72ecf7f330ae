/* Batches of a backfill: what stands in their transaction, and what it answers (functions/backfill.sql). */
#ifndef DB_BACKFILL_H
#define DB_BACKFILL_H

#include "execution.h"

bool backfill_is(const struct executor_try *try);

/* In place of the submitted statement, and of the changes before COMMIT. The texts stay valid until
 * the try ends. */
struct session_statement backfill_batch(struct executor_try *try);
struct session_statement backfill_end(const struct executor_try *try);

/* Reads the answers to both. result->progress is owned by the caller then. False where they are none. */
bool backfill_read(const PGresult *batch, const PGresult *end, struct execution_result *result);

#endif
