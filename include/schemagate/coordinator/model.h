/* What the daemon knows: the window, migrations, applications and replicas. Owned and changed by the
 * coordinator alone; others read it between two turns of the event loop and keep no pointer longer.
 * Times named _wall are milliseconds since 1970 UTC, _boot milliseconds of CLOCK_BOOTTIME. */
#ifndef SCHEMAGATE_COORDINATOR_MODEL_H
#define SCHEMAGATE_COORDINATOR_MODEL_H

#include <schemagate/core/batch.h>
#include <schemagate/core/gate.h>
#include <schemagate/core/machine.h>
#include <schemagate/core/replica.h>
#include <schemagate/core/window.h>
#include <schemagate/plan/plan.h>
#include <schemagate/plan/uses.h>

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uthash.h>

enum step_state { STEP_PENDING, STEP_DONE, STEP_FAILED };

struct step {
    enum plan_section section;
    unsigned number, transaction; /* as in struct plan_statement */
    bool transactional;
    unsigned line, column;
    char *sql; /* owned */
    struct plan_work work;
    json_t *progress; /* owned: what a batched step goes on from, or the executor's note; NULL: not begun */
    enum step_state state;
    unsigned attempts;
    int64_t started_wall; /* 0: never */
    double seconds; /* at work, without the try that is under way */
};

/* Why a migration is `failed`. All strings owned or NULL. */
struct migration_error {
    enum plan_section section;
    unsigned step; /* 0: none */
    char sqlstate[6];
    char *message, *detail, *hint, *context;
    unsigned line, column;
    json_t *report; /* owned; more for its event, in memory only; or NULL */
};

/* Who is in the way of a migration's next try, or keeps the present one waiting. Strings are owned by the
 * wait. */
struct blocker {
    int pid;         /* 0: a prepared transaction, which `gid` names */
    const char *gid; /* or NULL */
    const char *kind; /* session, autovacuum, autovacuum-wraparound, replication, background,
                         prepared-transaction */
    const char *relation; /* that it locks; "": not known */
    const char *role, *application_name, *state, *backend_start, *transaction_start;
    int64_t since_wall; /* of its state; 0: hidden */
    double state_seconds, transaction_seconds, query_seconds;
    bool blocks; /* the executor waits for it */
    const json_t *waits_for; /* pids for which it waits itself, 0 a prepared transaction; or null */
};

/* A migration's wait for its tables: before a try, during it, and after one that failed. */
struct lock_wait {
    bool asked; /* a look is under way */
    bool ahead; /* it was asked for before it waits */
    bool blind; /* the age of other roles' transactions is hidden: nobody is waited for */
    int64_t since_boot; /* the watch began; 0: nothing is watched */
    int64_t due_boot, pause_ms; /* the next look */
    int64_t free_boot; /* nobody old was in the way then; 0: not yet */
    int64_t ahead_boot; /* the same, before it waits */
    struct blocker *blockers; /* owned; the oldest first */
    size_t blocker_count;
    json_t *seen; /* owns the strings; its "progress" is that of the statement that runs */
    bool ending;  /* sessions are being ended by configuration */
    int64_t end_again_boot;
    char *told_to_end; /* owned: those that the last event about it names, with the start of their
                          transactions; NULL: none */
};

/* A statement of pg_stat_statements, called since the fleet moved, that uses what a contract takes away. */
struct used_statement {
    const char *id, *role; /* queryid, as a text; who has called it */
    const char *text;      /* its start, in one line */
    enum plan_use use;
    const struct plan_drop *drop; /* that it uses */
    int64_t calls;         /* since the fleet moved, as far as was seen */
    int64_t seen_wall;     /* when the newest of them was noticed */
};

/* What pg_stat_statements has shown since the fleet moved (coordinator/usage.c). */
struct usage;

enum migration_status {
    STATUS_RUNNING,
    STATUS_WAITING,
    STATUS_RETRYING,
    STATUS_PAUSED,
    STATUS_FAILED,
    STATUS_DONE
};

struct migration {
    UT_hash_handle by_version; /* key: version; iteration order is ascending by version */
    int64_t version;
    char *name, *checksum, *plan_checksum;
    char *approval; /* "auto" or "manual" */
    int64_t soak_seconds, keep_hours, requires; /* requires: 0 none */
    json_t *labels; /* object or NULL */
    int64_t submitted_wall;
    char *submitted_by;

    enum phase phase, origin; /* origin: while undoing */
    int64_t phase_since_wall;
    bool failed;
    struct migration_error *error; /* NULL where it has not failed */
    bool paused;
    char *paused_by, *paused_reason;
    int64_t paused_since_wall;
    bool approved; /* for this plan, system identifier and timeline */
    bool has_section[PLAN_WRITTEN_SECTIONS]; /* stands in the file, empty or not */
    struct step *steps; /* owned; by section, number */
    size_t step_count;
    json_t *hidden; /* owned: rows of what its contract has hidden, or a restore has to tell; NULL: none */

    /* In memory only. */
    bool running;            /* the executor is at work on it */
    bool cancelling;         /* what runs was asked to end: nothing follows it, however it ends */
    bool begun;              /* it expands, and nothing of that is committed yet */
    unsigned attempt;        /* tries of the current transaction */
    struct lock_wait lock;
    int64_t first_try_boot;  /* since when it is tried, or its tables are watched; 0: not yet */
    int64_t next_try_boot, next_try_wall; /* 0: none */
    struct batch_pace pace;  /* of its backfill */
    int64_t soak_from_boot;  /* 0: a replica is behind */
    int64_t soak_stored_ms;  /* elapsed before this term */
    int64_t soak_written_ms; /* elapsed time as the database has it */
    int64_t index;           /* id of its newest event */
    struct usage *usage; /* owned: statements that use what its contract takes away; NULL: the fleet has not
                            moved, or nothing keeps the gate closed */
    json_t *reach; /* owned: who can reach what its contract takes away; NULL: nobody has looked */
    json_t *reach_ahead; /* owned: the same, asked for while the gate is about to open; NULL: not known */
    int64_t reach_ahead_boot; /* when that was answered */
    bool reach_asked;    /* it is being asked for */
    struct waiver *waivers;  /* owned: those that count now */
    struct gate_waiver *passes; /* owned: the same, as the gate takes them */
    size_t waiver_count;
    uint64_t requests_before, errors_before; /* that replicas had reported when it was hidden, or read in */
    int64_t waivers_stored_boot; /* when their elapsed time was stored last */
};

struct application;

/* Replicas of one app that a gate need not tell apart; `gate` comes first on purpose. */
struct cohort {
    struct gate_cohort gate;
    struct application *app;
    char *release;       /* interned in the app; "" none */
    struct replica *members; /* utlist, doubly linked by cohort_prev/cohort_next; all states but gone */
    size_t waiting;
    size_t place;        /* index in app->cohorts */
};

struct replica {
    UT_hash_handle by_key; /* newest incarnation of its instance; key: "app/instance" */
    struct cohort *cohort; /* app, range, release */
    struct replica *cohort_prev, *cohort_next;
    struct replica *older; /* superseded incarnations of the same instance, newest first */
    const char *instance, *incarnation, *application_name, *address; /* inside the same allocation */
    char *renamed;         /* owned: application_name, where it has registered again under another; or NULL */
    int64_t registered_wall, state_since_wall;
    int64_t renewed_boot;  /* last registration or renewal */
    int64_t deadline_boot; /* when its lease runs out, or when its fate is looked at again; 0: never */
    int64_t lost_boot;     /* since when it is lost */
    int64_t absent_boot;   /* when a look was answered that does not show it, the first since it was seen */
    uint32_t lease_seconds;
    uint32_t heap_place;   /* in the registry's heap of deadlines; UINT32_MAX: not in it */
    uint32_t requests, errors; /* health since it registered, saturating */
    uint8_t state;         /* enum replica_state */
    uint16_t held_open;    /* answers that are held back for it: its lease does not run */
    bool on_lost_exit, superseded, settled;
    bool witnessed; /* a session that can only be its own was seen while it was live */
    bool pins;      /* all sessions of it that were seen last had pins */
    uint64_t roles; /* that its sessions were seen with (coordinator/roles.h) */
};

struct compatible {
    char *release;
    int64_t max;
    char *reason, *actor;
};

struct application {
    UT_hash_handle by_name;
    struct gate_app gate; /* .name is owned; .cohorts points at this app's struct cohort */
    char *desired_release;
    size_t waiting, lost; /* replicas; live ones are counted in gate */
    size_t witnessed;     /* live ones of which a session was seen */
    int64_t min_replicas_asked; /* by PUT /v1/apps; -1: the configuration counts */
    bool retired;
    int64_t created_wall;
    struct compatible *compatible;
    size_t compatible_count;
    size_t cohort_capacity;
};

/* A database session as the witness saw it last. Strings owned by the sight. */
struct witnessed_session {
    int pid;
    const char *backend_start, *role, *application_name, *address, *state;
    const char *name;    /* "role/application_name" */
    const char *standby; /* NULL: on the primary */
    int64_t started_wall;
    bool pinned;
    struct version_range range;
    bool application; /* of a role that applications use, under a name that is not to be ignored */
    bool ignored;     /* its application_name is one of ignore_application_names */
    bool known;       /* it belongs to a replica that is not gone */
    struct replica *replica; /* the only one to which it can belong, or NULL */
};

/* One look of the witness, with every session matched to its replica. */
struct sight {
    bool sees_all;   /* the role may see every session's address and times, on all servers */
    bool complete;   /* and all servers were looked at: absence means something */
    int64_t at_boot, at_wall; /* when it was asked for */
    int64_t answered_boot;    /* what it does not show was away at some time between the two */
    struct witnessed_session *sessions;
    size_t session_count;
    struct gate_session *groups; /* of sessions that a gate need not tell apart; subject: the oldest one */
    size_t group_count;
    struct gate_standby *standbys;
    const char **standby_errors; /* "" where it was reached */
    size_t standby_count;
    double lag_seconds; /* the largest */
    uint64_t unpinned_roles; /* of which some session has no pin and is not to be ignored */
    uint64_t registry_changes;  /* of the registry that the sessions are matched with */
    json_t *rows;       /* owns the strings */
};

struct waiver {
    int64_t version;
    enum gate_code code;
    char *subject, *reason, *actor; /* subject "": all */
    int64_t given_wall, for_seconds;
    int64_t stored_ms, since_boot; /* elapsed before this term, and since when it counts in it */
    int64_t until_boot;
};

/* A hold as it is shown: one subject each. Strings are valid until the next call. */
struct hold {
    enum gate_code code;
    const char *app;               /* or NULL */
    const struct replica *replica; /* or NULL */
    const struct witnessed_session *session; /* or NULL: the oldest of `count` that are alike */
    size_t count;
    const char *standby;           /* or NULL */
    const struct used_statement *statement; /* or NULL */
    int64_t version;               /* or 0 */
    int64_t since_wall;            /* 0: not known */
    char message[320];
};

enum coordinator_role {
    ROLE_STARTING, /* no term yet */
    ROLE_LEADER,
    ROLE_CUT_OFF,  /* the last proven leader; the database is away */
    ROLE_STANDBY,  /* another daemon holds the lock */
    ROLE_STOPPING
};

const char *coordinator_role_name(enum coordinator_role role); /* "leader" */

#define TERM_LIMITS 8

/* What taking the lock proved. */
struct term {
    int64_t epoch;
    char system_identifier[24], timeline[9];
    char server_version[32], host[256];
    const char *limits[TERM_LIMITS]; /* what this server lacks: static sentences, ended by NULL */
    int64_t since_wall;
};

#endif
