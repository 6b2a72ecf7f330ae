/* `run`, the wrapper around an application: the parts that its files share. One event loop; nothing
 * on it blocks, so that signals and renewals never wait for each other.
 *
 *   run.c           options and facts
 *   run_loop.c      the loop: signals, timers, and what follows from them
 *   run_lease.c     the conversation with the daemon: register, renew, say goodbye
 *   run_verdict.c   what an answer means (pure)
 *   run_drain.c     how the process tree is brought down (pure)
 *   run_child.c     the command: started, signalled, reaped
 *   run_guard.c     the process between the two, which ends the command where the wrapper cannot
 *   run_tree.c      the command's process tree
 *   run_environment.c   the environment that it gets
 *   run_lock.c      the lock file whose descriptor every descendant inherits
 *   run_http.c      one request at a time, on the loop
 */
#ifndef SCHEMAGATE_CLI_RUN_H
#define SCHEMAGATE_CLI_RUN_H

#include "options.h"
#include "run_child.h"
#include "run_drain.h"
#include "run_http.h"
#include "run_lock.h"
#include "run_verdict.h"
#include "transport.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* What the command line says. */
struct run_options {
    struct connection connection;
    const char *app, *instance, *schema_from, *release, *on_unavailable, *on_lost, *lock_file,
        *pod_uid;
    struct version_range schema;
    int64_t min; /* for --schema-from; RUN_NOT_GIVEN */
    int64_t lease_ms, kill_after_ms;
    bool pg_options;
};

#define RUN_NOT_GIVEN (-1)

/* What is known before anything is asked. */
struct run_facts {
    const struct run_options *options;
    const char *app;
    char *instance, *incarnation, *application_name; /* owned */
    char *pg_options; /* owned; NULL: PGOPTIONS stays as it is */
    struct version_range range;
    json_t *knows; /* owned; NULL: the release does not list its versions */
    char **command;
};

/* Moments on CLOCK_BOOTTIME in milliseconds at which something is due; 0: never. */
enum run_due { /* in the order in which they are acted upon where several are due */
    RUN_DUE_LOST,  /* --on-lost exit: the tree must be told to stop */
    RUN_DUE_KILL,  /* SIGKILL, and again while anything is left */
    RUN_DUE_LEAVE, /* the goodbye has taken long enough */
    RUN_DUE_ASK,   /* the next request: a registration, a renewal, a goodbye */
    RUN_DUES
};

/* Where the conversation with the daemon is. */
enum run_phase {
    RUN_REGISTERING, /* asking to be let in, or, with a running child, to be let in again */
    RUN_HELD,        /* the lease is ours: renew */
    RUN_SUPERSEDED,  /* a newer incarnation took the name: no more renewals, the child stays */
    RUN_LEAVING      /* the tree is gone, or never was: say goodbye */
};

struct run {
    struct run_facts facts;
    struct transport transport;
    struct event_base *base;
    struct run_http *http;
    struct run_lock lock;
    struct run_child child;
    enum drain_state drain;
    int64_t due[RUN_DUES];
    int timer;   /* timerfd on CLOCK_BOOTTIME */
    int signals; /* signalfd */

    enum run_phase phase;
    bool asking_in;       /* a registration is under way: it may be recorded at any moment */
    bool known_to_daemon; /* a registration may have been recorded: a goodbye is owed */
    char *predecessor; /* that is known to have ended; NULL: none */
    bool trouble_told; /* the present silence has been reported */
    bool unprotected;  /* the child runs without ever having been registered */
    bool lost;         /* --on-lost exit: it was time to stop; nothing is asked until the tree has ended */
    int64_t sent_ms;   /* when the request under way, or the last one, was sent */
    int64_t waiting_since_ms;
    int64_t pause_ms; /* before the next try, grows */
    int64_t lease_ms, renew_ms;
    int64_t end_ms;    /* --on-lost exit: nothing of the tree may run then (CLOCK_BOOTTIME); 0: none */
    struct version_range window; /* as the daemon said last */
    char *last_wait;             /* the wait that was reported last */
    int exit_code;               /* the wrapper's own, where it is not the child's; RUN_NOT_GIVEN */
};

/* "schemagate run: web/web-1: …" on stderr. */
void run_say(const struct run *run, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Sets a moment `milliseconds` from now. */
void run_due_in(struct run *run, enum run_due due, int64_t milliseconds);
void run_due_never(struct run *run, enum run_due due);

/* run_loop.c: runs until all is over; returns the exit code. */
int run_loop(struct run *run);

/* run_loop.c: what the conversation decides. */
void run_start_command(struct run *run);
void run_stop_command(struct run *run);
bool run_is_lost(struct run *run); /* first of all: --on-lost exit, and it is time to stop, or was */
void run_leave(struct run *run, int exit_code); /* nothing runs any more: say goodbye, end */

/* run_lease.c */
void run_ask(struct run *run); /* RUN_DUE_ASK: the next request of this phase */

#endif
