/* What an answer means: the exit code, whether another try is worth it, and words for people. */
#ifndef SCHEMAGATE_CLI_PROBLEM_H
#define SCHEMAGATE_CLI_PROBLEM_H

#include "transport.h"

#include <schemagate/base/buf.h>

#include <stdbool.h>

/* The exit code for a status and a problem's slug; CLI_DONE for 2xx. Status 0: no answer. */
int problem_exit_code(long status, const char *slug);

/* reply's exit code. */
int reply_exit_code(const struct reply *reply);

/* No answer, 429 or 5xx: the same request may succeed later. */
bool reply_is_transient(const struct reply *reply);

/* Appends what went wrong, a line for each detail, and the next command to type. `subject` names
 * what the request was about ("42.sql", "migration 42"), or is NULL; findings are shown as places
 * in it. */
void problem_describe(struct buf *out, const struct reply *reply, const char *subject);

/* The same on stderr; returns the exit code. */
int problem_report(const struct reply *reply, const char *subject);

#endif
