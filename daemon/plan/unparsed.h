/* Statements that this grammar does not read. */
#ifndef PLAN_UNPARSED_H
#define PLAN_UNPARSED_H

#include "reader.h"

/* The statement that `offset` lies in, as far as the scanner can tell: from its first token up to its
 * semicolon or to `end`. False where there is none. */
bool unparsed_find(const struct reader *reader, size_t offset, size_t from, size_t end, size_t *start,
                   size_t *behind);

/* True if it speaks of what came after PostgreSQL 15, so that a newer server may well understand it. */
bool unparsed_is_newer(const struct reader *reader, size_t start, size_t end);

/* True if no exception may let it pass: it ends transactions, or names what is the daemon's own. */
bool unparsed_is_forbidden(const struct reader *reader, size_t start, size_t end);

#endif
