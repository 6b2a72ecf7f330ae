/* The planner's worker: one persistent child of our own binary (`schemagate plan --worker`) reads what
 * clients send, bounded in stack, memory and time per request (docs/design.md §8). Its death is an
 * answer for the request that killed it and nothing else; it is started again. */
#ifndef SCHEMAGATE_SERVICE_PLANNER_H
#define SCHEMAGATE_SERVICE_PLANNER_H

#include <schemagate/plan/plan.h>
#include <schemagate/plan/uses.h>

struct event_base;
struct planner;

/* Called exactly once. `plan` belongs to the receiver (plan_free). Where the worker died or ran out of
 * time over this text, the plan has one finding of PLAN_ERROR, "unreadable", that says so. NULL: the
 * planner is being closed. */
typedef void planner_done(void *context, struct plan *plan);

/* Asks the database about names (database_read_catalog): `names` is a JSON array, `done` gets the document of
 * facts, or NULL and why there is none; exactly once, from the loop. */
typedef void planner_look_done(void *context, const char *document, const char *trouble);
typedef void planner_look(void *database, const char *names, planner_look_done *done, void *context);

/* look NULL: nobody can be asked, and no plan speaks of it. */
struct planner *planner_open(struct event_base *base, planner_look *look, void *database);

/* Queues one text (copied, as the options are; at most max_body_bytes); requests are answered in order. A
 * text that names something is read twice: the second time with the catalog's facts, where they can be had
 * soon; else a note in the plan says so. */
void planner_read(struct planner *planner, const char *sql, size_t length,
                  const struct plan_options *options, planner_done *done, void *context);

/* How each text of the question (copied) uses what is dropped (plan_uses): as many as there are texts, valid
 * during the call; NULL: the worker could not read them, or the planner is being closed. Called exactly
 * once. */
typedef void planner_uses_done(void *context, const struct plan_used *uses);
void planner_find_uses(struct planner *planner, const struct plan_question *question, planner_uses_done *done,
                       void *context);

/* Answers what is open with NULL and ends the child. */
void planner_close(struct planner *planner);

/* The child's main, argv[0] is --worker: requests on standard input, answers on standard output. Returns an
 * exit code. */
int planner_worker_main(int argc, char **argv);

/* The child's main where only one text is planned, for `schemagate plan`: the lengths of text and facts, and
 * the version, as arguments; the document {"plan": …, "names": […]} on standard output. */
int planner_document_main(int argc, char **argv);

#endif
