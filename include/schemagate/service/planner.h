/* The planner's worker: one persistent child of our own binary (`schemagate plan --worker`) reads what
 * clients send, bounded in stack, memory and time per request (DESIGN.md section 8). Its death is an
 * answer for the request that killed it and nothing else; it is started again. */
#ifndef SCHEMAGATE_SERVICE_PLANNER_H
#define SCHEMAGATE_SERVICE_PLANNER_H

#include <schemagate/plan/plan.h>

struct event_base;
struct planner;

/* Called exactly once. `plan` belongs to the receiver (plan_free). Where the worker died or ran out of
 * time over this text, the plan has one finding of PLAN_ERROR, "unreadable", that says so. NULL: the
 * planner is being closed. */
typedef void planner_done(void *context, struct plan *plan);

struct planner *planner_open(struct event_base *base);

/* Queues one text (copied, as the options are; at most max_body_bytes); requests are answered in order. */
void planner_read(struct planner *planner, const char *sql, size_t length,
                  const struct plan_options *options, planner_done *done, void *context);

/* Answers what is open with NULL and ends the child. */
void planner_close(struct planner *planner);

/* The child's main: requests on standard input, answers on standard output. Returns an exit code. */
int planner_worker_main(void);

#endif
