/* The journal: what is to be written waits here and is committed in groups. All that arrive during one
 * round trip to the database share the next transaction. An intent is decided against the model as it is
 * when its transaction is put together, and changes the model only once that is committed. */
#ifndef COORDINATOR_JOURNAL_H
#define COORDINATOR_JOURNAL_H

#include "changes.h"

#include <schemagate/coordinator/coordinator.h>

#include <sys/queue.h>

struct intent;

struct intent_kind {
    /* Shared: intents about different instances are decided side by side and share a transaction.
     * Exclusive: it has a transaction of its own, and everything after it waits. */
    bool exclusive;
    /* Adds what is to be written. Returns false if there is nothing: then it has answered. */
    bool (*decide)(struct coordinator *c, struct intent *intent, struct change_set *changes);
    /* It is committed: changes the model and answers. */
    void (*apply)(struct coordinator *c, struct intent *intent);
    /* Frees what the intent owns, not the intent. */
    void (*release)(struct intent *intent);
};

/* The beginning of every intent; allocated with memory_new. */
struct intent {
    STAILQ_ENTRY(intent) link;
    const struct intent_kind *kind;
    char *subject; /* owned; "app/instance" of shared ones, else NULL */
    coordinator_answer *answer; /* NULL: nobody waits for it */
    void *context;
};

STAILQ_HEAD(intent_list, intent);

struct journal {
    struct intent_list waiting, in_flight;
    struct change_set changes; /* of what is in flight */
    bool busy;
    bool exclusive; /* what is in flight is an exclusive intent */
    unsigned term;  /* of what is in flight: struct rollout, term */
    int64_t asked_boot; /* when what is in flight was sent */
    size_t leaving;     /* so many replicas are gone with what is in flight */
};

void journal_init(struct journal *journal);

/* Takes the intent over. It is answered in a later turn of the loop, never from inside this call. */
void journal_add(struct coordinator *c, struct intent *intent);

/* Starts the next transaction, if none is under way. */
void journal_flush(struct coordinator *c);

/* Answers all that waits: the database is not there, or not ours. */
void journal_fail(struct coordinator *c);

/* The window's generation, from whoever wrote it; news of two sessions may cross. */
void journal_note_generation(struct coordinator *c, int64_t generation);

bool journal_is_idle(const struct journal *journal);

void intent_answer(const struct intent *intent, const struct outcome *outcome);

/* Answers with a problem whose detail is a printf format. Returns false, for decide(). */
bool intent_refuse(const struct intent *intent, enum problem problem, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
