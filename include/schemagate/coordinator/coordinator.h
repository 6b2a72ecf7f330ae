/* The coordinator: events come in, the pure core decides, changes are committed, then acted upon
 * (docs/design.md §6). It knows nothing of HTTP or libpq; see environment.h. Single-threaded. */
#ifndef SCHEMAGATE_COORDINATOR_COORDINATOR_H
#define SCHEMAGATE_COORDINATOR_COORDINATOR_H

#include <schemagate/base/config.h>
#include <schemagate/coordinator/environment.h>
#include <schemagate/coordinator/model.h>

struct coordinator;

/* ---- life ---- */

/* Borrows config and environment until coordinator_free. */
struct coordinator *coordinator_new(const struct config *config, const struct environment *environment);
void coordinator_free(struct coordinator *c);
void coordinator_configure(struct coordinator *c, const struct config *config); /* after a reload */

/* The lock is taken, epoch and nonce are bumped, the store is ready: loads all rows, then leads. */
void coordinator_begin_term(struct coordinator *c, const struct term *term);
/* The sessions are gone; a leader becomes cut off, renewals are still answered. `reason`: one line. */
void coordinator_end_term(struct coordinator *c, const char *reason);
/* PostgreSQL has answered that this daemon leads, to what was sent at asked_boot: leases that somebody ends
 * by (docs/design.md §3, rule 5) may be extended for a few seconds from then on. */
void coordinator_prove_lead(struct coordinator *c, int64_t asked_boot);
/* Another daemon holds the lock; its advertised URL or "". */
void coordinator_stand_by(struct coordinator *c, const char *leader_url);
/* Begins nothing new. idle: nothing runs and nothing waits to be committed. */
void coordinator_stop(struct coordinator *c);
bool coordinator_is_idle(const struct coordinator *c);
/* Does what is due; see world_ops.wake_at. */
void coordinator_tick(struct coordinator *c);

/* ---- answers ---- */

enum problem {
    PROBLEM_NONE,
    PROBLEM_INVALID,             /* understood but wrong; `pointer` names the member */
    PROBLEM_SCHEMA_TOO_OLD,
    PROBLEM_RANGE_NOT_SERVED,
    PROBLEM_INCARNATION_SUPERSEDED,
    PROBLEM_UNKNOWN_REPLICA,
    PROBLEM_UNKNOWN_APP,
    PROBLEM_UNKNOWN_MIGRATION,
    PROBLEM_APP_IN_USE,          /* it has replicas that are not gone */
    PROBLEM_APP_RETIRED,
    PROBLEM_VERSION_CONFLICT,
    PROBLEM_OUT_OF_ORDER,
    PROBLEM_UNDO_UNDER_WAY,      /* a version below is being undone: nothing is queued above it */
    PROBLEM_PLAN_REFUSED,        /* with findings */
    PROBLEM_INVALID_TRANSITION,
    PROBLEM_NO_UNDO,
    PROBLEM_BASELINE_CONFLICT,
    PROBLEM_UNKNOWN_SESSION,     /* the witness sees no such session (any more) */
    PROBLEM_NOT_TERMINATED,      /* PostgreSQL refused, or the sessions cannot be told from others' */
    PROBLEM_DATABASE_UNAVAILABLE,
    PROBLEM_NOT_LEADER,          /* `detail` names the leader's URL where it is known */
    PROBLEM_STOPPING,
    PROBLEM_COUNT
};

/* What came of a request. Pointers are valid during the call of `answer` only. */
struct outcome {
    enum problem problem;
    const char *detail;  /* what is wrong and what to do; NULL without a problem */
    const char *pointer; /* JSON pointer of the wrong member, or NULL */
    bool created;        /* something new is there now */
    bool baselined;      /* a submission at or below the baseline */
    struct replica *replica;
    const struct application *app;
    const struct migration *migration;
    const struct plan *plan;  /* PLAN_REFUSED; of coordinator_plan */
    int64_t needed;           /* SCHEMA_TOO_OLD: the lowest version that `max` must reach */
};

typedef void coordinator_answer(void *context, const struct outcome *outcome);

/* ---- replicas: all strings are copied ---- */

struct registration {
    const char *app, *instance, *incarnation;
    struct version_range range;
    int64_t lease_seconds; /* 0: the configuration's */
    const char *release, *application_name; /* "" where not given */
    const char *address; /* from which it registers; "" for unix sockets */
    bool on_lost_exit;
    /* The whole process tree of the incarnation before has ended; `predecessor` (or NULL) names it, and
     * then a request that comes late is no word about whoever came in between. */
    bool predecessor_ended;
    const char *predecessor;
    const struct gate_knows *knows;
    size_t knows_count;
    const char *actor; /* "app:web" */
};

void coordinator_register(struct coordinator *c, const struct registration *r,
                          coordinator_answer *answer, void *context);

/* Answered before it returns; `outcome` is filled in. */
void coordinator_renew(struct coordinator *c, const char *app, const char *instance,
                       const char *incarnation, uint32_t requests, uint32_t errors,
                       struct outcome *outcome);

/* While an answer is held back for a waiting replica, its lease does not run (+1 … -1). Find the replica
 * again by its names before each call. */
void coordinator_hold_lease(struct coordinator *c, struct replica *replica, int change);

/* how: REPLICA_DEREGISTERED, REPLICA_ATTESTED or REPLICA_EVICTED. incarnation NULL: all of them (evict)
 * or the newest (attest). The outcome has no replica. */
void coordinator_remove(struct coordinator *c, enum replica_event how, const char *app,
                        const char *instance, const char *incarnation, const char *reason,
                        const char *actor, coordinator_answer *answer, void *context);

/* As coordinator_remove with REPLICA_EVICTED, after the replica's sessions were terminated. */
void coordinator_evict_sessions(struct coordinator *c, const char *app, const char *instance,
                                const char *incarnation, const char *reason, const char *actor,
                                coordinator_answer *answer, void *context);

/* Could code with this range start now? `pending`: contracts not done that would shut it out, ascending; at
 * most `size` are written, *count says how many there are. */
enum admission coordinator_admission(const struct coordinator *c, struct version_range range,
                                     int64_t *pending, size_t size, size_t *count);

/* ---- applications ---- */

struct app_change {
    const char *app;
    bool set_min_replicas, set_desired, clear_desired;
    int64_t min_replicas;
    struct version_range desired;
    const char *desired_release; /* "" none */
    const char *actor;
};

void coordinator_change_app(struct coordinator *c, const struct app_change *change,
                            coordinator_answer *answer, void *context);
void coordinator_record_compatible(struct coordinator *c, const char *app, const char *release,
                                   int64_t max, const char *reason, const char *actor,
                                   coordinator_answer *answer, void *context);
void coordinator_retire_app(struct coordinator *c, const char *app, const char *reason,
                            const char *actor, coordinator_answer *answer, void *context);

/* ---- migrations ---- */

struct submission {
    int64_t version;
    const char *name;      /* NULL: the file's, else "" */
    const char *sql;       /* the file, or the joined parts (plan_join_parts) */
    size_t sql_length;
    const char *approval;  /* NULL: the file's, else the configuration's */
    int64_t soak_seconds, keep_hours; /* -1: the file's, else the configuration's */
    const json_t *labels;  /* object of strings, or NULL */
    const char *actor;
};

void coordinator_submit(struct coordinator *c, const struct submission *s, coordinator_answer *answer,
                        void *context);

/* Plans a text as coordinator_submit would, and stores nothing. A plan that would be refused is an answer
 * like any other: outcome.plan has the findings. */
void coordinator_plan(struct coordinator *c, const struct submission *s, coordinator_answer *answer,
                      void *context);

/* action: EVENT_APPROVE … EVENT_CANCEL. */
void coordinator_act(struct coordinator *c, int64_t version, enum machine_event action,
                     const char *reason, const char *actor, coordinator_answer *answer, void *context);

struct waiver_request {
    int64_t version;
    enum gate_code code;
    const char *const *subjects; /* none: all */
    size_t subject_count;
    int64_t for_seconds; /* 1 … 7 days */
    const char *reason, *actor;
};

/* PROBLEM_INVALID with a pointer where the code cannot be waived. */
void coordinator_waive(struct coordinator *c, const struct waiver_request *request,
                       coordinator_answer *answer, void *context);

/* Terminates a session that a hold names. */
void coordinator_terminate(struct coordinator *c, int pid, const char *backend_start,
                           const char *reason, const char *actor, coordinator_answer *answer,
                           void *context);

/* Terminates the sessions that are named as those in the way of its tries, each only while it is still in
 * the same transaction. */
void coordinator_unblock(struct coordinator *c, int64_t version, const char *reason, const char *actor,
                         coordinator_answer *answer, void *context);
bool coordinator_can_unblock(const struct coordinator *c, const struct migration *m);
/* The executor is at work on the step, or on its transaction; one in batches runs from its first batch on,
 * also while it is throttled between two. */
bool coordinator_step_runs(const struct coordinator *c, const struct migration *m, const struct step *step);
/* How long it has been at work, over all its tries and up to now. */
double coordinator_step_seconds(const struct coordinator *c, const struct migration *m,
                                const struct step *step);
/* How far PostgreSQL is with the statement outside of transactions that runs now; NULL: the step is not that
 * one, or it is not known. {"phase", "done", "total", "unit"} */
const json_t *coordinator_progress(const struct migration *m, const struct step *step);
/* What an operator can do, in `text` or elsewhere; or NULL. */
#define BLOCKER_ADVICE_SIZE 1024
const char *blocker_advice(const struct blocker *b, int64_t version, char text[BLOCKER_ADVICE_SIZE]);

/* Pauses or resumes the whole daemon. */
void coordinator_pause_all(struct coordinator *c, bool paused, const char *reason, const char *actor,
                           coordinator_answer *answer, void *context);
void coordinator_baseline(struct coordinator *c, int64_t version, const char *actor,
                          coordinator_answer *answer, void *context);

/* ---- reading ---- */

enum coordinator_role coordinator_role(const struct coordinator *c);
const struct term *coordinator_term(const struct coordinator *c);
const char *coordinator_trouble(const struct coordinator *c);    /* why the database is away; "" */
const char *coordinator_leader_url(const struct coordinator *c); /* of the leader we stand by for; "" */
const struct window_view *coordinator_window(const struct coordinator *c);
int64_t coordinator_index(const struct coordinator *c); /* id of the newest event */

struct pause_note {
    bool paused;
    const char *by, *reason;
    int64_t since_wall;
};
struct pause_note coordinator_paused(const struct coordinator *c);

/* Ascending by version; NULL at the end. */
const struct migration *coordinator_first_migration(const struct coordinator *c);
const struct migration *coordinator_next_migration(const struct migration *m);
const struct migration *coordinator_find_migration(const struct coordinator *c, int64_t version);
enum migration_status coordinator_migration_status(const struct coordinator *c, const struct migration *m);
const char *migration_status_name(enum migration_status status);
/* How far its backfill has come. False: none of its steps has begun to run in batches. */
struct backfill_view {
    int64_t rows_done, rows_estimate; /* gone through; of about so many */
    int64_t rows_changed;
    double rows_per_second;   /* negative: not credible, or it is done */
    int64_t eta_seconds;      /* -1: the same */
    const char *throttled_by; /* or NULL */
    const struct batch_slot *slot; /* that it is throttled by, or NULL */
    int64_t pass;             /* 1…: over all rows */
    bool verifying;           /* the pass is through: one statement looks for rows that are left */
    int64_t verifying_ms;     /* it has done so for that long; -1: it waits for its turn, or does not */
    const json_t *verified;   /* true: none is left; false: some are; null: none can tell. NULL: not done */
    int64_t rows_left;        /* that the last look has found; -1: there was none */
    const char *whole;        /* why it runs as one statement, which is under way; or NULL */
};
bool coordinator_backfill(const struct coordinator *c, const struct migration *m,
                          struct backfill_view *view);
/* What to run where its steps have left many dead rows behind, one after another; NULL at the end. */
const char *coordinator_backfill_vacuum(const struct migration *m, size_t number);
#define SLOT_ADVICE_SIZE 320
/* Who holds back the log, how much of it, and what an operator can do. */
void coordinator_slot_advice(const struct batch_slot *slot, char text[SLOT_ADVICE_SIZE]);
/* One line: what has failed, what it waits for, or what it does; the first of these that there is. */
void coordinator_migration_summary(const struct coordinator *c, const struct migration *m, char *text,
                                   size_t size);
/* While m is hidden: what replicas have reported since then, or since this daemon leads. */
struct reported {
    uint64_t requests, errors;
};
struct reported coordinator_reported(const struct coordinator *c, const struct migration *m);
/* What a role may do now: sets allowed[EVENT_APPROVE … EVENT_CANCEL]. */
void coordinator_actions(const struct coordinator *c, const struct migration *m,
                         bool allowed[MACHINE_EVENTS]);
/* True while a hold is there that a waiver would let pass. */
bool coordinator_may_waive(const struct coordinator *c, const struct migration *m);
/* Fills at most `size` holds, worst first; *total counts all. Empty for migrations without a gate. */
size_t coordinator_holds(const struct coordinator *c, const struct migration *m, struct hold *holds,
                         size_t size, size_t *total);
/* What the gate's verdict would rest on now. */
enum gate_evidence coordinator_evidence(const struct coordinator *c, const struct migration *m);
/* What pg_stat_statements was read for since the fleet moved: {"since", "read_at", "in_use", "note"}, or
 * null; the caller's. note: why it shows less than there is, or nothing. */
json_t *coordinator_statements(const struct migration *m);
/* The last look of the witness; NULL: none in this term. */
const struct sight *coordinator_sight(const struct coordinator *c);
/* Waivers that count now, of one migration; NULL at the end. */
const struct waiver *coordinator_waiver(const struct coordinator *c, int64_t version, size_t index);

/* One line for the whole: "contract 42 waits for 2 of 14 replicas". */
void coordinator_summary(const struct coordinator *c, char *text, size_t size);

const struct application *coordinator_first_app(const struct coordinator *c);
const struct application *coordinator_next_app(const struct application *a);
const struct application *coordinator_find_app(const struct coordinator *c, const char *name);
size_t coordinator_cohorts(const struct application *a); /* a->gate.cohorts[i] is a struct cohort */
/* The newest incarnation; `->older` follows. */
struct replica *coordinator_find_replica(const struct coordinator *c, const char *app,
                                         const char *instance);
/* In order of registration (newest incarnations; `->older` follows each). */
struct replica *coordinator_first_replica(const struct coordinator *c);
struct replica *coordinator_next_replica(const struct replica *r);
/* Remaining lease in milliseconds; negative or 0 where it has run out. */
int64_t coordinator_lease_left_ms(const struct coordinator *c, const struct replica *r);
bool replica_is_behind(const struct coordinator *c, const struct replica *r, int64_t version);

/* As store_ops.events; NULL rows: unavailable. */
void coordinator_events(struct coordinator *c, int64_t after, const char *kind, int64_t version,
                        int limit, void (*done)(void *context, const json_t *rows), void *context);

/* Monotonic counts since the process started, for /metrics. */
struct coordinator_counts {
    uint64_t registrations, refusals, renewals, commits, contracts, expands, tries_failed;
};
const struct coordinator_counts *coordinator_counts(const struct coordinator *c);

#endif
