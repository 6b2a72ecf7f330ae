/* One asynchronous session with PostgreSQL on the event loop. It is always in libpq's pipeline
 * mode: batches go out at once, each in one message with one sync, and are answered in order.
 *
 * A batch without BEGIN is one implicit transaction; one of a single statement is exactly what a
 * plain query is on the wire, so that statements that cannot run in a transaction run that way too.
 * */
#ifndef DB_SESSION_H
#define DB_SESSION_H

#include "connect.h"

#include <libpq-fe.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct event_base;
struct session;

struct session_owner {
    void *context;
    /* Connected, and the settings of sql/pin_session.sql are made. */
    void (*opened)(void *context);
    /* It could not be opened, or is lost; all batches have been answered before. The owner frees
     * it, in this call if it likes. Called once. */
    void (*lost)(void *context, const char *reason);
};

struct session_settings {
    const char *application_name;     /* static */
    const char *lock_timeout;         /* of schemagate's own statements, as PostgreSQL writes it */
    const char *idle_session_timeout; /* "0": none */
    bool reads_only;
};

/* settings must stay valid. */
struct session *session_open(struct event_base *base, const struct connect_target *target,
                             const struct session_settings *settings,
                             const struct session_owner *owner);

/* Answers what is under way as lost, says goodbye to the server. Not from inside a `done`. NULL is
 * fine. */
void session_free(struct session *s);

#define SESSION_PARAMETERS 8

struct session_statement {
    const char *sql;      /* one statement */
    const char *prepared; /* execute this prepared statement instead */
    const char *prepare;  /* only prepare sql, under this name */
    const char *parameters[SESSION_PARAMETERS]; /* text */
    int parameter_count;
    bool drops_rows;      /* submitted SQL: nobody looks at what it returns */
};

struct session_outcome {
    bool lost;          /* the connection went away before the end of the batch */
    size_t succeeded;   /* so many statements from the first on */
    PGresult **results; /* of these; NULL where rows are dropped or streamed */
    PGresult *error;    /* of the statement after them, or of the commit at the end; NULL: none.
                           Set it to NULL to take it over. */
    const double *seconds; /* by statement, from the answer before it to its own */
};

/* The answer to a batch. */
typedef void session_answered(void *context, struct session_outcome *outcome);

struct session_batch {
    const struct session_statement *statements; /* read before session_run returns */
    size_t count;
    int64_t deadline_ms; /* the session is given up when its turn takes longer; 0: none */
    size_t timed_first, timed_count; /* these are answered one by one, each as it is ready, for their times */
    void (*row)(void *context, const PGresult *row); /* streams the rows of all statements */
    session_answered *done;
    void *context;
};

/* done is called exactly once, from the loop, also where the session is lost already. */
void session_run(struct session *s, const struct session_batch *batch);

/* Many statements in one text, without parameters, outside pipeline mode; only while nothing else
 * is under way. */
void session_run_script(struct session *s, const char *script, session_answered *done,
                        void *context);

/* Prepares it anew, where a migration has taken it away. */
struct session_statement session_prepare_pin(void);
/* Makes the settings again, as one statement of a batch. */
struct session_statement session_pin(const struct session *s);

bool session_is_idle(const struct session *s);

/* Of an open session. */
PGconn *session_connection(const struct session *s);

#endif
