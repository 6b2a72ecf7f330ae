/* A daemon's two sessions with the database, as both ends see them; private to link.c and server.c. */
#ifndef SIM_LINK_H
#define SIM_LINK_H

#include "sim.h"

#include <utlist.h>

enum session { SESSION_STORE, SESSION_HOLDER, SESSIONS };

enum call_kind {
    CALL_COMMIT,
    CALL_LOAD,
    CALL_VERIFY,
    CALL_LOOK,
    CALL_WATCH,
    CALL_STATEMENTS,
    CALL_RUN,
    CALL_POLL,
    CALL_TAKE_OVER,
    CALL_PING,
    CALL_PROVE
};

/* One request of the client's, from its sending until both ends have done with it. */
struct call {
    struct call *prev, *next;       /* in link->pending: not answered yet */
    struct call *sent_next, *answer_next; /* on its way there, and back */
    struct link *link;
    enum call_kind kind;
    bool client_done, server_done;
    json_t *changes;
    int64_t expected, version, asked_boot;
    uint64_t position;      /* of the log, which standbys must have replayed */
    int64_t patience_until; /* for them */
    enum plan_section section;
    struct statement statements[STATEMENTS];
    size_t statement_count;
    bool transactional, statement_ran, cancelled;
    bool batched;
    int64_t batch_rows;
    json_t *progress;
    struct batch_load load;
    /* the answer */
    enum commit_status commit_status;
    enum execution_status run_status;
    struct rows_result result;
    json_t *facts;
    bool yes;
    union {
        commit_done *commit;
        void (*load)(void *context, bool ok);
        void (*verify)(void *context, const json_t *facts);
        execution_done *run;
    } done;
    void (*row)(void *context, const char *table, const json_t *row);
    void *context;
};

struct link {
    struct link *next;
    struct daemon *d;
    uint64_t serial;
    bool client_open;
    bool open[SESSIONS]; /* on the server */
    bool noticed; /* the client will learn that the server's end is closed */
    int64_t epoch;
    uint64_t nonce;
    struct call *pending;
    struct call *sent[SESSIONS], *answers[SESSIONS];
    int64_t last_arrival[SESSIONS], last_answer[SESSIONS];
    struct call *running; /* its SQL is under way on the server */
};

/* Frees it once both ends have done. */
void call_release(struct call *call);

/* The request has come to the server, which has a session for it. */
void server_take(struct sim *s, struct call *call);
/* Every session with it ends. */
void server_stop(struct sim *s, int64_t longest_ms);
void server_cancel(struct sim *s, struct link *link);
/* The server's end of both sessions closes; what runs is rolled back, or, if it may, goes on to its end. */
void server_close(struct sim *s, struct link *link, bool lingers);
/* The session with the lock has been idle for too long; the other one stays. */
void server_time_out(struct sim *s, struct link *link);

/* The server answers. */
void link_answer(struct sim *s, struct call *call);
/* The client learns after a while that the server has closed its end. */
void link_notice(struct sim *s, struct link *link);
/* The whole answer of a client that is gone. */
void link_deliver(struct call *call, bool lost);

#endif
