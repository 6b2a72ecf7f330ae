/* What the parts of this folder share: the sessions of a daemon and the term that they are in. */
#ifndef DB_STATE_H
#define DB_STATE_H

#include "session.h"

#include <schemagate/base/buf.h>
#include <schemagate/coordinator/model.h>
#include <schemagate/db/database.h>

struct event;
struct executor_try;
struct offload;
struct standby;

/* Where the daemon stands; leadership.c has the table. */
enum life {
    LIFE_DOWN, /* no sessions; the next try is due when the timer fires */
    LIFE_CONNECTING,
    LIFE_PROVING,
    LIFE_POLLING, /* as a standby, or about to take the lock */
    LIFE_INSTALLING,
    LIFE_TAKING_OVER,
    LIFE_JOINING,
    LIFE_WATCHING,
    LIFE_LEADING,
    LIFE_ENDED, /* stopped, or a failure that waiting cannot mend */
    LIVES
};

/* What all sessions of a daemon must agree on. */
struct identity {
    char system_identifier[24], timeline[9], postmaster_start[32], database_oid[16];
};

struct database {
    struct event_base *base;
    const struct config *config;
    char *advertise_url;
    struct coordinator *coordinator;

    enum life life;
    unsigned failures;     /* tries since the last success, for the back-off */
    struct event *timer;   /* DOWN: next try; POLLING: next poll; LEADING: next ping */
    struct event *fall;    /* ends the term in the next turn of the loop */
    struct buf fall_reason;
    char *logged_reason;   /* so that a long outage is one line */
    char *fatal;
    char *leader_url;      /* last told to the coordinator; NULL: not a standby */

    struct session *holder, *store, *witness; /* holder: of the lock */
    struct standby *standbys; /* those of the configuration, while leading; utlist */
    struct identity identity;
    struct term term;
    char epoch[24], nonce[33], lock_key[24]; /* as parameters */
    bool may_hurry;    /* the role may set deadlock_timeout: an autovacuum makes way for a try */
    char *search_path; /* that submitted SQL runs under */
    session_answered *witness_ready;

    struct executor_try *running; /* NULL: the executor is free */
    struct offload *cancelling;   /* a cancel request is under way: nothing else may be started */
    struct event *cancel_again;   /* the one before may have been forgotten */

    struct event *stop_deadline;
    bool stopping;
    void (*stopped)(void *context);
    void *stop_context;
};

void leadership_begin(struct database *db);
/* Ends the term in the next turn of the loop and begins again. */
void leadership_fall(struct database *db, const char *reason);
void leadership_on_fall(struct database *db); /* when the event `fall` fires */
void leadership_on_due(struct database *db);  /* when the timer fires */
/* Frees the sessions; what they had under way is answered as lost. */
void leadership_drop_sessions(struct database *db);
/* All sessions are open and proven. */
bool leadership_is_leading(const struct database *db);

/* Prepares the store's statements. */
void store_prepare(struct database *db, session_answered *done);

/* Prepares the witness's statements. */
void witness_prepare(struct database *db, session_answered *done);
/* Sends a batch over s, one of the witness's sessions; without one (NULL) it is answered as lost. */
void witness_send(struct database *db, struct session *s, const struct session_statement *statements,
                  size_t count, session_answered *done, void *context);
int session_pid(const struct session *s); /* 0: NULL */

/* watch.c: what a try would have to wait for. As in struct witness_ops. */
void watch_look(void *witness, const struct watch_request *request,
                void (*done)(void *context, const json_t *seen), void *context);

/* Prepares what surrounds submitted SQL, in the session that holds the lock. */
void executor_prepare(struct database *db, session_answered *done);
void executor_on_cancel_again(struct database *db); /* when the event `cancel_again` fires */
void executor_stop(struct database *db); /* ends a command that runs, forgets a cancel that is under way */
void executor_close(struct database *db); /* waits for the command's end */
/* A command runs, or is being ended: its end comes in the loop. */
bool executor_runs_command(const struct database *db);
void executor_prove(struct database *db); /* the lock is held: a command that runs may go on */

/* While stopping: goes on as soon as the executor is free. */
void database_stop_step(struct database *db);
/* While stopping: the sessions are gone. */
void database_stop_finish(struct database *db);

#endif
