/* When the witness looks, and what follows from what it sees (docs/design.md §3, §5). */
#ifndef COORDINATOR_WITNESS_H
#define COORDINATOR_WITNESS_H

#include "sight.h"

#include <schemagate/coordinator/coordinator.h>

#include <sys/queue.h>

/* Somebody who waits for a look that is yet to be asked for. ok=false: it could not be had. */
struct look_waiter {
    STAILQ_ENTRY(look_waiter) link;
    void (*done)(void *context, bool ok);
    void *context;
};
STAILQ_HEAD(look_waiters, look_waiter);

struct watch {
    struct sight *sight;     /* the last look; NULL: none in this term */
    struct look_waiters waiters;
    bool looking;
    bool wanted; /* as soon as may be */
    bool urgent; /* a gate is held by nothing but what was seen: it is looked at again soon */
    bool blind;  /* the last look failed: whatever hangs on one is not known */
    int64_t asked_boot, pause_ms;
    uint64_t asked_changes; /* of the registry */
    int64_t complete_since_boot; /* since when absence means something; 0: it does not */
};

void witness_init(struct watch *watch);
void witness_free(struct watch *watch);
/* The term is over. */
void witness_reset(struct coordinator *c);

/* Looks if it is time. */
void witness_advance(struct coordinator *c);
/* When it will be; 0: nothing to wait for. */
int64_t witness_due_boot(const struct coordinator *c);

/* A look that is asked for from now on; `done` comes after it was taken into account. */
void witness_look(struct coordinator *c, void (*done)(void *context, bool ok), void *context);

/* The last look, matched with the registry as it is now; NULL: none in this term. */
const struct sight *witness_sight(const struct coordinator *c);

/* Whether a session that may be the replica's was there at the last look. */
bool witness_sees(const struct coordinator *c, const struct replica *r);

/* What becomes of a lost replica now. */
enum witness_verdict {
    WITNESS_WAIT,   /* look at it again at again_boot; 0: somebody's word is needed */
    WITNESS_FENCED, /* it has ended itself, and a look after that shows no session of it */
    WITNESS_UNSEEN, /* its sessions are absent, and `because` says why that is evidence */
    WITNESS_ASSUMED /* lost for assume_gone_after_seconds, and none of its sessions is there */
};
struct judgement {
    enum witness_verdict verdict;
    int64_t again_boot;
    const char *because; /* for the event */
};
struct judgement witness_judge(struct coordinator *c, struct replica *r);

/* Whether absence of its sessions may come to be evidence: where none was ever seen, there may be a pooler
 * between. */
bool witness_has_seen(const struct replica *r);

#endif
