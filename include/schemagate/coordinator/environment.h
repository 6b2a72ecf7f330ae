/* Everything through which the coordinator touches the world: tables of functions that the service fills
 * with the real parts (db/, service/) and the simulation with scripted ones. Every `done` is called
 * exactly once, from the event loop, never from inside the call that started the work.
 *
 * Rows travel as JSON objects whose members are the columns of db/sql/schema.sql; coordinator/record.c is
 * the one place that turns them into structs and back. */
#ifndef SCHEMAGATE_COORDINATOR_ENVIRONMENT_H
#define SCHEMAGATE_COORDINATOR_ENVIRONMENT_H

#include <schemagate/base/clock.h>
#include <schemagate/core/batch.h>
#include <schemagate/core/window.h>
#include <schemagate/plan/plan.h>
#include <schemagate/plan/uses.h>

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- the store: registry, state and events; short fenced transactions ---- */

enum commit_status {
    COMMIT_DONE,
    COMMIT_STALE,   /* the generation had moved: nothing was written; `window` tells what is there */
    COMMIT_FENCED,  /* another term owns the database: nothing was written, this one is over */
    COMMIT_UNKNOWN, /* the connection went away in between: it may have been committed */
    COMMIT_FAILED   /* PostgreSQL refused: nothing was written; `error` says why */
};

struct commit_result {
    enum commit_status status;
    int64_t generation;            /* DONE, STALE: of the window row now */
    struct window window;          /* STALE: the window row now */
    const int64_t *event_ids;      /* DONE: ids given to changes.events, in their order, ascending */
    size_t event_count;
    const json_t *hidden;          /* DONE: rows of `hidden` of the version that changes.hidden names, as load
                                      gives them; NULL: it names none */
    const char *error;             /* FAILED: one line with SQLSTATE */
};

typedef void commit_done(void *context, const struct commit_result *result);

/* A set of changes that is committed in one transaction:
 *   {"window": {row}, "replicas": [rows], "migrations": [rows], "steps": [rows], "apps": [rows],
 *    "compatible": [rows], "approvals": [rows], "waivers": [rows], "roles": [rows], "events": [rows],
 *    "hidden": version}
 * every member optional. "hidden" asks for what is hidden of a version, which its events tell as well. A row
 * names its key columns and the columns to set; absent columns keep their
 * value (an insert takes defaults); a step that is there names all of its progress. Migrations may carry
 * "replaced": true: their steps, approvals and waivers are deleted first. */
struct store_ops {
    /* Writes changes under the fence (epoch, nonce), the window row first: generation + 1. Where
     * expect_generation is not 0, it must be the generation that is there. Takes over the reference to
     * changes. One commit is under way at a time. */
    void (*commit)(void *store, json_t *changes, int64_t expect_generation, commit_done *done,
                   void *context);

    /* Reads all rows at the start of a term, in this order: window, migrations (ascending version),
     * steps, approvals, waivers, apps, compatible, roles, replicas that are not gone. `row` (borrowed) is
     * called for each, then `done`; ok=false: the connection went away. */
    void (*load)(void *store, void (*row)(void *context, const char *table, const json_t *row),
                 void (*done)(void *context, bool ok), void *context);

    /* Reads what a gate needs, in a snapshot younger than the last commit: an object
     * {"replicas": [{"app","release","min","max","knows","state","count","instance","incarnation"}],
     *  "apps": [rows], "compatible": [rows], "window": {row}}; `facts` is borrowed; NULL: the connection
     * went away. */
    void (*verify)(void *store, void (*done)(void *context, const json_t *facts), void *context);

    /* Reads events with id > after, ascending, at most limit; version 0, kind NULL: any; kind may end in
     * '*'. `rows`: an array of event objects as in the HTTP interface, borrowed; NULL: unavailable. */
    void (*events)(void *store, int64_t after, const char *kind, int64_t version, int limit,
                   void (*done)(void *context, const json_t *rows), void *context);
};

/* ---- the executor: migration SQL, in the session that holds the lock ---- */

struct execution_statement {
    const char *sql;
    unsigned line, column; /* of its first token in the submitted file */
    unsigned number;       /* step number within its phase */
    bool generated;        /* its text is not the submitted one: a position in it is none in the file */
};

/* One batch of a step that runs in batches (plan/work.h). How far it has come is an object that belongs to
 * the executor, committed with the batch; others read "rows" (changed in all), "walked" (gone through in
 * this pass), "estimate" (to go through), "pass" (1…), "verifying" (the next batch is one look at all rows),
 * "left" (that the last look found, or null), "done", and, once done, "verified" (true: it found none; false:
 * some; null: no look can tell), "whole" (why it ran as one statement, or null) and "vacuum" (the command,
 * where many dead rows are left, or null). */
struct execution_batch {
    const json_t *pieces;   /* the struct plan_batch, as a step's row has it; NULL: no batch */
    const json_t *progress; /* NULL: it begins */
    int64_t rows;           /* at most about so many; 0: only the load is looked at */
    bool counts_sessions;   /* the load's active sessions are wanted */
};

/* A step that is a configured command, run without a shell: all of it is put together from the configuration,
 * and what a submitter has written is no more than a part of one argument. Owned by the caller. */
struct execution_command {
    char *runner;       /* its name, for messages */
    char **arguments;   /* the first one is the program's absolute path; NULL at the end */
    char **environment; /* NAME=value; NULL at the end */
    char *directory;    /* "": the daemon's */
    int64_t timeout_ms; /* 0: none */
};

/* One transaction of a phase, one batch of a step, or one statement that must run outside of transactions. */
struct execution {
    int64_t version;
    const char *phase;       /* for messages and failpoints: "expand", … (plan_section_name) */
    bool transactional;
    const struct execution_statement *statements;
    size_t statement_count;  /* 0: only the changes are committed */
    struct execution_batch batch; /* of the one statement; the changes are the row of its step */
    const struct plan_work *work; /* of the first step; outside of transactions its kind tells what an
                                  interrupted attempt may have left behind. NULL: none */
    const struct execution_command *command; /* in place of the one statement; NULL: it is SQL. The session
                                proves the lock while it runs; the changes' first event takes "exit_code" and
                                "seconds" into its data */
    json_t *changes;         /* reference taken over: committed with the SQL (or right after it, where it
                                is not transactional) */
    int64_t lock_timeout_ms, statement_timeout_ms; /* 0: none */
    const char *run_as;      /* role, or "" */
};

/* As psql would show it. Strings are borrowed; NULL where PostgreSQL gives none. */
struct execution_error {
    char sqlstate[6];
    const char *message, *detail, *hint, *context;
    unsigned step;         /* number of the failed statement; 0: none of them */
    unsigned line, column; /* in the submitted file */
    const json_t *report;  /* more for the event, or NULL: of a command "runner", "exit_code" (null: it did
                              not exit by itself) and "seconds" */
};

enum execution_status {
    EXECUTION_DONE,      /* committed */
    EXECUTION_TRY_AGAIN, /* 55P03, 40P01, 40001 and the like: rolled back */
    EXECUTION_CANCELLED, /* 57014 after a cancel: rolled back */
    EXECUTION_FAILED,    /* the SQL failed: rolled back; or the command did */
    EXECUTION_FENCED,    /* another term owns the database, or the lock is lost: rolled back */
    EXECUTION_UNKNOWN    /* the connection went away in between */
};

struct execution_result {
    enum execution_status status;
    struct execution_error error;  /* TRY_AGAIN, CANCELLED, FAILED */
    struct commit_result commit;   /* DONE: generation and event ids */
    const json_t *progress;        /* DONE, of a batch; borrowed */
    struct batch_load load;        /* DONE, of a batch */
    bool untouched;                /* TRY_AGAIN, CANCELLED, FAILED: the statement outside of transactions has
                                      left everything as it was; PostgreSQL was asked */
    const double *seconds;         /* per statement, as far as they ran */
    size_t seconds_count;
};

typedef void execution_done(void *context, const struct execution_result *result);

struct executor_ops {
    /* One execution is under way at a time. Statements, ids and strings must stay valid until done. */
    void (*run)(void *executor, const struct execution *execution, execution_done *done, void *context);
    /* Cancels what runs; its end comes through done. */
    void (*cancel)(void *executor);
};

/* ---- the witness: what PostgreSQL itself shows; it writes nothing, and ends sessions ---- */

struct watch_request {
    const struct plan_relation_lock *locks; /* that a try would take; each relation once */
    size_t lock_count;     /* 0: only what the executor waits for now is asked */
    int64_t older_than_ms; /* transactions younger than this are waited for in passing */
    const char *run_as;    /* role, or "": names are looked up as its SQL would */
};

/* A session that is to be ended, as long as it is still what was seen. */
struct witness_target {
    const char *standby; /* NULL: on the primary */
    int pid;
    const char *backend_start;
    const char *transaction_start; /* it is still in this transaction; NULL: whatever it does */
    bool idle_only;                /* and leaves it idle */
};

struct witness_ops {
    /* Looks once. `sight` is borrowed; NULL: the connection went away.
     *   {"sees_all": bool,                     the role may see every session's state and address
     *    "sessions": [{"pid", "backend_start", "role", "application_name", "address", "state",
     *                  "since"}],              client sessions of this database but the daemon's own;
     *                                          "address": "" for unix sockets
     *    "pins": [{"pid", "min", "max"}],      its session may not be listed; while it is being replaced
     *                                          min may exceed max: the strictest of both pins
     *    "barred_roles": [names],              of the table of roles: those that may not log in to this
     *                                          database
     *    "standbys": [{"name", "reachable", "error", "lag_seconds", "sees_all", "sessions", "pins"}],
     *    "lag_seconds": number}                the largest of pg_stat_replication; 0: no standby */
    void (*look)(void *witness, void (*done)(void *context, const json_t *sight), void *context);
    /* Asks who can still reach what a contract takes away: drops as in a step's row, roles: an array of those
     * that the configuration calls applications'; both references are taken over. `reach` is borrowed; NULL:
     * it could not be looked at.
     *   {"missing": [names],   what is not there at all
     *    "roles": [names],     that can reach something of it
     *    "left_out": [names],  superusers and the daemon's own role, where no application is known to use
     *                          them
     *    "views": [names], "functions": [names],   that may reach it for others
     *    "subscriptions": number}                   that write into it */
    void (*reach)(void *witness, json_t *drops, json_t *roles,
                  void (*done)(void *context, const json_t *reach), void *context);
    /* Reads pg_stat_statements of this database, on the primary. roles: as for reach; wanted: an array of
     * ids whose texts are asked for as well; both references are taken over. `read` is borrowed; NULL: it
     * could not be had.
     *   {"trouble": text,                    why it cannot be read; without it:
     *    "statements": [[id, role, calls]],  id: queryid, as a text; of applications' roles, and of others
     *                                        that are neither superusers nor the daemon's own
     *    "texts": {id: text},                of those that are wanted; long ones are cut
     *    "reset_at": text, "lost": number}   when the statistics were reset last, "" not known, and how many
     *                                        statements were thrown out for others since; -1 not known */
    void (*statements)(void *witness, json_t *roles, json_t *wanted,
                       void (*done)(void *context, const json_t *read), void *context);
    /* Terminates a session if it is still the one; `ended` tells whether it was there. */
    void (*terminate)(void *witness, const struct witness_target *target,
                      void (*done)(void *context, bool ended, const char *error), void *context);
    /* Who would keep a try waiting, and who keeps the executor's session waiting now; cheap, and it queues
     * for no lock. `seen` is borrowed; NULL: it could not be had.
     *   {"sees_all": bool,      false: the age of transactions is hidden, all that hold a lock are named
     *    "yields": bool,        an autovacuum makes way for a try, and is not named
     *    "blockers": [{"pid" (null: a prepared transaction, "gid" names it), "kind", "relation", "role",
     *                  "application_name", "state", "blocks" (the executor waits for it now),
     *                  "backend_start", "transaction_start", "since" (of the state), "state_seconds",
     *                  "transaction_seconds", "query_seconds"}],  the oldest first, at most 50
     *    "progress": {"phase", "done", "total", "unit"}}  of an index that is being built, or null */
    void (*watch)(void *witness, const struct watch_request *request,
                  void (*done)(void *context, const json_t *seen), void *context);
};

/* ---- the rest ---- */

struct planner_ops {
    /* As planner_read in service/planner.h. */
    void (*read)(void *planner, const char *sql, size_t length, const struct plan_options *options,
                 void (*done)(void *context, struct plan *plan), void *context);
    /* As planner_find_uses in service/planner.h. */
    void (*find_uses)(void *planner, const struct plan_question *question,
                      void (*done)(void *context, const struct plan_used *used), void *context);
};

struct world_ops {
    struct instant (*now)(void *world);
    /* Asks for a call of coordinator_tick at boot_ms or soon after (the latest request counts). */
    void (*wake_at)(void *world, int64_t boot_ms);
    /* Asks for a call of coordinator_tick in the next turn of the loop. */
    void (*wake)(void *world);
    uint32_t (*chance)(void *world); /* any number, each as likely; for jitter alone */
    /* The model or the event list has changed: whoever waits may look again. Cheap; may come often. */
    void (*changed)(void *world);
    /* The term cannot go on (fenced, unknown outcome): drop the sessions and begin a new one. */
    void (*restart_term)(void *world, const char *reason);
};

struct environment {
    const struct store_ops *store_ops;
    void *store;
    const struct executor_ops *executor_ops;
    void *executor;
    const struct witness_ops *witness_ops;
    void *witness;
    const struct planner_ops *planner_ops;
    void *planner;
    const struct world_ops *world_ops;
    void *world;
};

#endif
