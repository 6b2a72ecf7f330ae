/* How a plan crosses the socket between the daemon and its planner's worker. Both ends are the same
 * binary on the same machine: numbers are as the machine has them. A message is its length and its body:
 * the plan; a request is its head, the SQL text and the document of facts. */
#ifndef SERVICE_PLANNER_CODEC_H
#define SERVICE_PLANNER_CODEC_H

#include <schemagate/base/buf.h>
#include <schemagate/plan/plan.h>

#include <stdint.h>

typedef uint32_t planner_length; /* in front of a plan */

struct planner_head {
    planner_length length, catalog_length; /* catalog_length 0: nobody has asked the database */
    struct plan_options options;           /* catalog: NULL */
};

void planner_encode(const struct plan *plan, struct buf *out);

/* The plan that the bytes stand for, to be released by plan_free; NULL if they stand for none. */
struct plan *planner_decode(const char *bytes, size_t length);

#endif
