/* The gate: a pure function from facts to a list of holds (docs/design.md §4). It is open when the
 * list is empty. The same function judges the facts in memory, which are looked at whenever something
 * changes, and the facts read back from PostgreSQL behind the fence. Its cost grows with the number of
 * cohorts, never with the number of replicas. */
#ifndef SCHEMAGATE_CORE_GATE_H
#define SCHEMAGATE_CORE_GATE_H

#include <schemagate/core/window.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Worst first: holds are listed in this order. */
enum gate_code {
    HOLD_REPLICA_LOST,
    HOLD_REPLICA_BEHIND,
    HOLD_REPLICA_AHEAD,
    HOLD_SESSION_BEHIND,
    HOLD_SESSION_AHEAD,
    HOLD_SESSION_UNPINNED,
    HOLD_SESSION_STRAY,
    HOLD_STANDBY_UNKNOWN,
    HOLD_DESIRED_BEHIND,
    HOLD_FLEET_MISSING,
    HOLD_EARLIER_MIGRATION,
    HOLD_LATER_MIGRATION,
    HOLD_SETTLING,
    HOLD_PAUSED,
    HOLD_AWAITING_APPROVAL,
    HOLD_OUTSIDE_HOURS,
    HOLD_UNHEALTHY,
    HOLD_IN_USE,
    HOLD_REPLICATION_LAG,
    HOLD_SOAKING,
    HOLD_CODES
};

const char *gate_code_name(enum gate_code code);        /* "replica-behind" */
const char *gate_code_clears_when(enum gate_code code); /* what makes it go away, for people */

enum gate_kind { GATE_CONTRACT, GATE_UNDO };

/* One version that a release lists as shipped, with the checksum of its file. */
struct gate_knows {
    int64_t version;
    const char *checksum; /* tagged */
};

/* Replicas of one app that are alike in everything that a gate looks at. */
struct gate_cohort {
    struct version_range range;
    int64_t compatible_max;         /* an operator's record for this release; 0: none */
    const struct gate_knows *knows; /* ascending by version; what the release lists */
    size_t knows_count;             /* 0: it lists nothing and is judged by its range alone */
    size_t live, lost;              /* members in these states */
    uint64_t requests, errors;      /* that the members have reported */
};

struct gate_app {
    const char *name;
    int64_t min_replicas; /* live ones below this number hold every contract */
    size_t live;
    bool has_desired;             /* a deploy tool declared what is meant to run */
    struct version_range desired;
    struct gate_cohort *const *cohorts;
    size_t cohort_count;
};

/* Database sessions that the witness sees, on the primary or on a standby, and that are alike in all that a
 * gate looks at. Which replica they belong to, and whether they are an application's at all, was decided
 * before (coordinator/witness.c). */
struct gate_session {
    const char *name;           /* "role/application_name": what a waiver names */
    size_t count;               /* so many are alike */
    bool pinned;                /* they hold the two shared locks of schemagate.pin() */
    struct version_range range; /* that they are pinned to */
    bool application;           /* the role is one that applications use, the name is not to be ignored */
    bool known;                 /* they belong to a replica that is not gone */
    const void *subject;        /* for the caller */
};

/* A statement that uses what the contract takes away, and that somebody goes on calling; found before
 * (coordinator/usage.c). */
struct gate_statement {
    const char *name;    /* its queryid: what a waiver names */
    const void *subject; /* for the caller */
};

/* What an operator lets pass: docs/design.md §4 names the codes that can be waived. */
struct gate_waiver {
    enum gate_code code;
    const char *subject; /* app, standby, "role/application_name" of a session, queryid; "": all */
};

/* The subject of a standby-unknown hold where the primary itself could not be looked at. */
#define GATE_PRIMARY "primary"

struct gate_standby {
    const char *name;
    bool reachable; /* its sessions and pins were read, and it has replayed the window's marker */
    bool primary;   /* the server itself: without a look at it nothing is known, so it is never waived */
};

enum gate_strays { STRAYS_BLOCK, STRAYS_WARN, STRAYS_IGNORE };

/* What a verdict rests on (docs/design.md §5); never more than is true. */
enum gate_evidence { EVIDENCE_REPORTED, EVIDENCE_WITNESSED, EVIDENCE_PINNED, EVIDENCE_PROVED };

const char *gate_evidence_name(enum gate_evidence evidence);

struct gate_facts {
    enum gate_kind kind;
    int64_t version;      /* N */
    const char *checksum; /* of N's file, as submitted */
    int64_t previous;     /* undo: prev(N); -1 where nothing is left to serve */
    const struct gate_app *const *apps; /* all that are not retired */
    size_t app_count;
    size_t settling; /* replicas that have not renewed since the term began */
    int64_t earlier; /* contract: the lowest version that must be finished before; 0: none */
    int64_t later;   /* undo: a version above N that is queued or started; 0: none */
    bool paused;     /* this migration, or the whole daemon */
    bool approval_missing;
    int64_t soak_ms;         /* contract: longest asked soak */
    int64_t soak_elapsed_ms; /* since the last replica below N went */
    bool kept; /* N is contracted, and asks for its purge: the soak is the time for a restore, never waived */

    bool sees_sessions; /* the witness has looked, and its role may see every session */
    const struct gate_session *sessions;
    size_t session_count;
    bool require_pins;
    enum gate_strays strays;
    const struct gate_standby *standbys; /* those of the configuration */
    size_t standby_count;
    size_t unwitnessed;       /* live replicas of which no session has been seen in their life */
    bool roles_configured;    /* the configuration names all roles that applications use */
    bool outside_hours;       /* contract */
    double max_error_percent; /* contract: that replicas at N or above may report; 0: off */
    const struct gate_statement *statements; /* contract: in use */
    size_t statement_count;
    double lag_seconds, max_lag_seconds;
    bool proved; /* contract: no role of an application can reach what it takes away (docs/design.md §5.6) */
    bool after_failover; /* settling cannot be waived */
    const struct gate_waiver *waivers;
    size_t waiver_count;
};

/* One hold. Subjects by code: cohort and app for replicas; app for fleet and desired; session; standby;
 * statement; version for earlier and later. `count`: how many replicas or sessions it stands for, else 1. */
struct gate_hold {
    enum gate_code code;
    const struct gate_app *app;
    const struct gate_cohort *cohort;
    const struct gate_session *session;
    const struct gate_standby *standby;
    const struct gate_statement *statement;
    int64_t version;
    size_t count;
};

/* Calls `found` for each hold, worst first. Returns the sum of their counts: 0 means open. `found` may be
 * NULL. */
typedef void gate_found(void *context, const struct gate_hold *hold);
size_t gate_evaluate(const struct gate_facts *facts, gate_found *found, void *context);

/* How many live and lost replicas hold this gate by their range or by what they list. */
size_t gate_behind(const struct gate_facts *facts);

/* True for the codes that an operator may waive. */
bool gate_code_is_waivable(enum gate_code code);
/* True for a hold that a waiver can let pass as things are. */
bool gate_hold_is_waivable(const struct gate_facts *facts, const struct gate_hold *hold);
/* Returns false where no code has this name. */
bool gate_code_parse(const char *name, enum gate_code *code);

/* Errors among the requests that replicas at N or above have reported, in percent; negative: no requests. */
double gate_error_percent(const struct gate_facts *facts);

/* The grade of a verdict over these facts: it says what is known, whether or not the gate is open. */
enum gate_evidence gate_grade(const struct gate_facts *facts);

/* True if members of the cohort could trip over this contract (or need the version that this undo takes
 * away). */
bool gate_cohort_holds(const struct gate_facts *facts, const struct gate_cohort *cohort);

#endif
