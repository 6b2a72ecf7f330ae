/* Statements outside of transactions that can be resumed: what an attempt has to run, told by what an
 * earlier one has left behind (sql/functions/online.sql; docs/design.md §7). */
#ifndef DB_ONLINE_H
#define DB_ONLINE_H

#include "execution.h"

#define ONLINE_STATEMENTS 3

/* Something may be left behind that has a name. */
bool online_applies(const struct executor_try *try);

/* Writes ONLINE_STATEMENTS statements, one transaction, that note what the first attempt finds and ask what
 * is to be run; the last one's answer is for online_take. Returns their number. */
size_t online_begin(const struct executor_try *try, const char *role,
                    struct session_statement *statements);
void online_take(struct executor_try *try, const struct session_outcome *outcome);

/* Something of the sequence is still to be run; that is `online_next`. */
bool online_is_unfinished(const struct executor_try *try);
const char *online_next(const struct executor_try *try);
/* That is none that was submitted: it clears away, or finishes, what an earlier attempt has left. */
bool online_is_mending(const struct executor_try *try);

/* It has failed: online_begin tells what is left of it. Of a build that may be an index that is not valid:
 * taking it away is the sequence then, with a short lock_timeout: who has cancelled it does not wait for
 * others. What is half dropped or half detached is left to the next attempt. */
void online_take_left_over(struct executor_try *try, const struct session_outcome *outcome);
/* It could not be taken away: the error says so. */
void online_tell_left_over(struct executor_try *try);

/* The build has failed because something of that name was there: made by somebody else, after the first
 * attempt had found none. Then the step forgets that it has begun. */
bool online_met_another(const struct executor_try *try);
struct session_statement online_forget(const struct executor_try *try);

#endif
