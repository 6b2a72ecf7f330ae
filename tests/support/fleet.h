/* Simulated replicas: what `schemagate run` says over HTTP, without the processes. */
#ifndef SUPPORT_FLEET_H
#define SUPPORT_FLEET_H

#include <support/http.h>

#include <stdbool.h>

struct fleet_replica {
    const char *app, *instance, *incarnation;
    int64_t min, max;
    int lease_seconds;      /* 0: not said */
    bool predecessor_ended; /* attests that the incarnation before has ended */
};

/* The body of a registration. */
json_t *fleet_body(const struct fleet_replica *replica);

/* Each returns the answer, whatever its status. */
const struct http_answer *fleet_register(struct http_client *client,
                                         const struct fleet_replica *replica);
const struct http_answer *fleet_renew(struct http_client *client,
                                      const struct fleet_replica *replica);
const struct http_answer *fleet_leave(struct http_client *client,
                                      const struct fleet_replica *replica);
const struct http_answer *fleet_evict(struct http_client *client,
                                      const struct fleet_replica *replica);
const struct http_answer *fleet_attest(struct http_client *client,
                                       const struct fleet_replica *replica);

/* Registers, again while the daemon is between two terms (503), and expects `live`. */
void fleet_join(struct http_client *client, const struct fleet_replica *replica);

/* Waits until the replica's newest incarnation is in this state. */
void fleet_wait_state(struct http_client *client, const struct fleet_replica *replica,
                      const char *state);

/* Registers `count` replicas of an app ("r0", "r1", …) at once, each over its own connection,
 * and returns how many were answered 201. */
int fleet_register_many(const struct http_client *client, const struct fleet_replica *like,
                        int count);

#endif
