/* What the life of a session (session.c) and its batches (batch.c) share. */
#ifndef DB_SESSION_PRIVATE_H
#define DB_SESSION_PRIVATE_H

#include "session.h"

#include <schemagate/base/buf.h>

struct event;
struct offload;

/* What was sent and not yet answered. */
struct pending {
    struct pending *prev, *next;
    struct session_batch batch; /* statements are gone, `count` counts */
    bool script;
    size_t current; /* statement whose answer comes next */
    bool *drops;
    double *seconds;
    double since;
    struct session_outcome outcome;
};

struct session {
    struct event_base *base;
    struct session_settings settings;
    struct session_owner owner;
    struct offload *connecting; /* NULL once connected */
    PGconn *connection;
    struct event *readable, *writable, *deadline, *ending;
    struct pending *pending; /* utlist, oldest first */
    struct buf reason;       /* why it is lost; empty: it is not */
};

bool session_is_lost(const struct session *s);
/* The end itself comes with the next turn of the loop, never from inside a caller's call. */
void session_lose(struct session *s, const char *reason);
void session_lose_connection(struct session *s); /* for libpq's reason */
/* Loses it where these are the server's last words (FATAL): they tell more than the broken socket that
 * follows. */
void session_hear(struct session *s, const PGresult *said);

/* Sends what libpq holds, as far as the socket takes it. */
void session_flush(struct session *s);

/* Takes all answers that have arrived. */
void session_drain(struct session *s);

/* Answers all batches as lost. */
void session_answer_lost(struct session *s);

#endif
