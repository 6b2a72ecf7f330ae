/* How a plan crosses the socket between the daemon and its planner's worker. Both ends are the same
 * binary on the same machine: numbers are as the machine has them. A message is its length and its body:
 * the plan, or the uses; a request is its head, the SQL text (or a packed question) and the document of
 * facts. */
#ifndef SERVICE_PLANNER_CODEC_H
#define SERVICE_PLANNER_CODEC_H

#include <schemagate/base/buf.h>
#include <schemagate/plan/plan.h>
#include <schemagate/plan/uses.h>

#include <stdint.h>

typedef uint32_t planner_length; /* in front of a plan */

enum planner_asks { PLANNER_ASKS_PLAN, PLANNER_ASKS_USES };

struct planner_head {
    enum planner_asks asks;
    planner_length length, catalog_length; /* catalog_length 0: nobody has asked the database */
    struct plan_options options;           /* catalog: NULL */
};

void planner_encode(const struct plan *plan, struct buf *out);

/* The plan that the bytes stand for, to be released by plan_free; NULL if they stand for none. */
struct plan *planner_decode(const char *bytes, size_t length);

/* Statements that are asked about, and how each of them uses what is dropped. What is decoded is the
 * receiver's: to be released by planner_release_question, and by free. False and NULL for bytes that stand
 * for none. */
void planner_encode_question(const struct plan_question *question, struct buf *out);
bool planner_decode_question(const char *bytes, size_t length, struct plan_question *question);
void planner_release_question(struct plan_question *question);
void planner_encode_uses(const struct plan_used *uses, size_t count, struct buf *out);
struct plan_used *planner_decode_uses(const char *bytes, size_t length, size_t count, size_t drop_count);

#endif
