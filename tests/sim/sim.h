/* The simulation: real coordinators against a simulated clock, network, database and fleet. All that happens
 * follows from one seed. What is checked after each step stands in truth.c, record.c, evidence.c, waits.c. */
#ifndef SIM_SIM_H
#define SIM_SIM_H

#include <support/rows.h>

#include <schemagate/coordinator/coordinator.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DAEMONS 2
#define PROCESSES 24
#define APPS 3
#define INSTANCES 4
#define MIGRATIONS 10
#define STATEMENTS 4
#define KNOWN MIGRATIONS
#define BACKENDS 160
#define STANDBYS 2
#define ROLES 4

struct sim;
struct link;
struct process;

/* ---- chance and time (queue.c) ---- */

typedef void happen(struct sim *s, void *context);

struct happening {
    int64_t at;
    uint64_t order; /* what is due at the same time happens in the order of asking */
    happen *happen;
    void *context;
};

struct queue {
    struct happening *heap;
    size_t count, capacity;
    uint64_t order;
};

void queue_add(struct sim *s, int64_t at, happen *what, void *context);
bool queue_next(struct sim *s, struct happening *next);

uint64_t chance_next(struct sim *s);
int64_t chance_between(struct sim *s, int64_t low, int64_t high); /* both included */
bool chance_percent(struct sim *s, int64_t percent);
bool chance_one_in(struct sim *s, int64_t n); /* 0: never */
/* Mostly short, sometimes very long; at least 1. */
int64_t chance_delay(struct sim *s, int64_t usual);

/* What is about to fail how often; drawn once for each seed. Per cent, or one in so many. */
struct profile {
    int64_t loss, duplicate;      /* HTTP, per cent */
    int64_t delay, database_delay; /* ms */
    int64_t fault_every;          /* ms between two faults; 0: none */
    int64_t operator_every, submit_every, fleet_every;
    int64_t try_again, sql_fails; /* per cent of executions */
    int64_t alone;                /* per cent of sections that begin outside of transactions */
    int64_t late_calls;           /* per cent of readings that show one of an old statement */
    int64_t refused_commit;       /* one in so many; 0: none */
    int64_t wall_steps;           /* the wall clock steps, one fault in so many */
};

/* ---- migrations and the true shape of the database (truth.c) ---- */

struct blueprint {
    int64_t version;
    unsigned revision;           /* of its text: corrected plans */
    int statements[PLAN_SECTIONS]; /* -1: no such section */
    unsigned alone;              /* bits of sections whose first statement runs outside of transactions */
    bool together;               /* the statements of a section share a transaction */
    bool batched;                /* the backfill's first statement runs in batches */
    bool manual;
    bool keep; /* the contract hides, the purge drops, a restore takes the contract back */
    int64_t soak_seconds, requires;
    char text[160], checksum[80];
    bool submitted;              /* by somebody's knowledge */
    /* true, whatever anybody has written down */
    unsigned executed[PLAN_SECTIONS]; /* bits of statements whose effects are there */
    int64_t filled;              /* rows that its batches have gone through */
    int64_t behind_until;        /* when the registry last held somebody below it */
    bool undone;
    bool hours_passed;           /* since it was hidden */
};

/* One statement, as its text names it. */
struct statement {
    int64_t version;
    enum plan_section section;
    int number, of; /* from 1 */
    bool alone;
};

/* Rows that a backfill in batches goes through. */
#define BACKFILL_ROWS 9000

void truth_write_text(struct blueprint *b);
/* What a planner makes of a contract that hides. */
void truth_plan_keep(struct blueprint *b);
bool truth_read_statement(const char *sql, struct statement *statement);
/* The statement's effects are there now. */
void truth_execute(struct sim *s, const struct statement *statement);
/* The effects of a batch of its rows, those behind the row `from`, are there. Returns the last row that was
 * filled. */
int64_t truth_fill(struct sim *s, const struct statement *statement, int64_t from, int64_t rows);
bool truth_serves(const struct sim *s, int64_t version);
bool truth_works(const struct sim *s, const struct process *p);
bool truth_serves_some(const struct sim *s, struct version_range range);
/* The one invariant (docs/design.md §2), for every process. */
void truth_check(struct sim *s);
struct blueprint *truth_find(struct sim *s, int64_t version);

/* ---- what is written down (record.c) ---- */

/* Before and after a set of changes is committed. */
void record_check(struct sim *s, const json_t *changes);
void record_check_registry(struct sim *s);
void record_check_start(struct sim *s, const struct statement *statement);

/* ---- waits are explained (waits.c) ---- */

void waits_check(struct sim *s, size_t daemon);

/* ---- what a conclusion may rest on (evidence.c) ---- */

/* Before a set of changes is committed: nobody is declared gone who may still run, but by a rule that an
 * operator has chosen to err by. */
void evidence_check(struct sim *s, const json_t *changes);
/* Before a contract's statement: what was there before the fence, and holds, was seen. */
void evidence_check_contract(struct sim *s, int64_t version);
/* What pins stand for. */
void evidence_check_pins(struct sim *s);

/* ---- sessions of applications (sessions.c, standbys.c) ---- */

/* Between them the standbys; the old one: before a failover. */
enum { SERVER_PRIMARY, SERVER_OLD = STANDBYS + 1 };

struct backend {
    int pid;         /* 0: none */
    uint64_t serial; /* of its process; 0: nobody's, or a pooler's */
    size_t server, role;
    int64_t since;
    bool left;       /* half-open: nobody uses it any more */
    char name[24], address[24];
    bool pins;       /* its hook calls schemagate.pin() */
    bool locks;      /* the pin's locks are held */
    bool confirmed;  /* the markers were looked at: it queries from now on */
    int64_t baseline; /* when it was */
    struct version_range range; /* of the pin */
    int64_t true_max;
};

/* How a process connects. */
enum habit {
    HABIT_KEEPS,  /* at least one session as long as it can, which shows whose it is */
    HABIT_COMES,  /* now some, now none, as an idle pool does */
    HABIT_PINS,   /* the same, and each calls schemagate.pin() before anything else */
    HABIT_POOLED  /* through a pooler: what the server shows is the pooler's */
};

/* What pin() reads. */
struct markers {
    struct window window;
    int64_t offered[MIGRATIONS]; /* neither undone nor yet to be expanded */
    size_t count;
};

struct standby {
    int64_t unreachable_since, reachable_since; /* for the witness; 0: it is, always was */
    uint64_t replayed;
    struct markers markers;
};

/* What this seed's operators have configured. */
struct rules {
    const char *strays;
    int64_t trust_seconds, assume_seconds, witness_seconds, standbys, stray_every;
    bool require_pins, app_roles, shy_witness;
};

extern const char *const role_names[ROLES], *const habit_names[];

void sessions_begin(struct sim *s);
void sessions_calm(struct sim *s);
void sessions_draw(struct sim *s, struct process *p); /* how it will connect */
void sessions_start(struct sim *s, size_t process);   /* it connects from now on */
void sessions_leave(struct sim *s, const struct process *p); /* it has ended */
void sessions_end_on(struct sim *s, size_t server);
void sessions_fail_over(struct sim *s);
bool backend_is_of(const struct backend *session, const struct process *p);

struct call;
void standbys_begin(struct sim *s);
void standbys_calm(struct sim *s);
void standbys_write(struct sim *s); /* something was committed */
void standbys_fail_over(struct sim *s, bool with_loss);
void standbys_look(struct sim *s, struct call *call);
bool standby_serves(const struct sim *s, size_t server, struct version_range range);

/* ---- the database (server.c, link.c, failover.c) ---- */

struct backup;

struct server {
    int64_t down_until, fenced_at;
    int64_t failed_over_at, lost_at; /* the latter: with loss */
    int64_t called[MIGRATIONS]; /* statements that use what a contract drops */
    uint64_t timeline, written; /* the log, as far as pins read it */
    struct backup *backup;      /* what a standby had received when it was cut off; NULL: none is */
    int pids, barred;           /* the role, from 1, that may not log in; 0: none */
    bool sees_all;              /* the witness's role */
    int64_t sees_all_changed;
    struct markers markers;
    struct standby standbys[STANDBYS];
    struct link *lock;   /* who holds it */
    struct call *runner; /* whose SQL runs */
    int64_t epoch;
    uint64_t nonce;
    struct link *links; /* all that ever were */
};

void server_restart(struct sim *s);
void failover_begin(struct sim *s); /* what happens now and then */
void failover_free(struct backup *backup);
/* Its registration; the answer may still come. */
bool failover_has_lost(const struct sim *s, const struct process *p);
void server_free(struct sim *s);

/* ---- daemons (daemon.c) ---- */

enum life { LIFE_DOWN, LIFE_POLLING, LIFE_TAKING_OVER, LIFE_LEADING };

struct job; /* of the planner */
struct message;

struct daemon {
    struct sim *sim;
    size_t index;
    struct coordinator *c; /* NULL: it does not run */
    struct config config;
    uint64_t serial;       /* of the process: what is meant for an earlier one is dropped */
    bool muted;            /* it is being killed: nothing leaves it any more */
    bool stopping;
    int64_t paused_until, database_cut_until, network_cut_until;
    int64_t boot_offset, wall_offset;
    enum life life;
    struct link *link;
    unsigned failures;
    bool woken, looking, falling;
    uint64_t alarm; /* the newest request of wake_at */
    int64_t alarm_at; /* 0: none */
    struct job *jobs;
    struct message *held; /* registrations that wait for their admission */
    struct window committed_window;
};

extern const struct store_ops link_store_ops;
extern const struct executor_ops link_executor_ops;
extern const struct witness_ops link_witness_ops;

void daemon_start(struct sim *s, size_t index);
void daemon_kill(struct sim *s, size_t index);
void daemon_stop(struct sim *s, size_t index); /* as SIGTERM does */
void daemon_pause(struct sim *s, size_t index, int64_t ms);
void daemon_connect(struct daemon *d, int64_t delay);
void daemon_fall(struct daemon *d, const char *reason);
/* True where it is stopped: then `what` happens after it goes on. */
bool daemon_defers(struct sim *s, struct daemon *d, happen *what, void *context);
bool daemon_is_quiet(const struct daemon *d); /* nothing under way, nothing due now */

struct link *link_open(struct sim *s, struct daemon *d);
/* The client drops both sessions; what was under way is answered as lost. */
void link_close(struct sim *s, struct link *link);
bool link_is_idle(const struct link *link);
void link_poll(struct sim *s, struct link *link);
/* Its client pings no longer: the server ends what is idle for too long. */
void link_fall_silent(struct sim *s, struct link *link);

/* ---- the network (network.c) ---- */

enum request {
    REQUEST_REGISTER,
    REQUEST_RENEW,
    REQUEST_LEAVE,
    REQUEST_EVICT,
    REQUEST_ATTEST,
    REQUEST_ACT,
    REQUEST_PAUSE_ALL,
    REQUEST_SUBMIT,
    REQUEST_BASELINE,
    REQUEST_APP,
    REQUEST_COMPATIBLE,
    REQUEST_RETIRE
};

enum answer { ANSWER_NONE, ANSWER_LIVE, ANSWER_WAITING, ANSWER_OK, ANSWER_PROBLEM };

struct message {
    struct message *prev, *next; /* in daemon.held */
    struct sim *sim;
    enum request request;
    size_t daemon;
    uint64_t daemon_serial;
    int process; /* -1: an operator */
    uint64_t serial; /* of the process */
    char app[16], instance[16], incarnation[24], release[48];
    char predecessor[24]; /* that has ended; "": none is known to */
    char application_name[24], address[24];
    struct version_range range;
    int64_t true_max;
    bool lists, on_lost_exit, flag;
    int64_t lease_seconds, version, number;
    enum machine_event event;
    struct gate_knows knows[KNOWN];
    char checksums[KNOWN][80];
    size_t knows_count;
    char text[160];
    int64_t wait_until; /* registrations: the answer may be held back so long */
    int64_t sent_at;
    enum answer answer;
    enum problem problem;
};

/* Takes a copy. */
void network_send(struct sim *s, const struct message *message, size_t daemon);
/* Looks whether held answers can go out; all: at once. */
void network_look(struct daemon *d, bool all);

/* ---- the fleet (fleet.c) ---- */

enum process_state { PROCESS_DEAD, PROCESS_REGISTERING, PROCESS_WAITING, PROCESS_RUNNING, PROCESS_LEAVING };

/* What a process is not promised any more. */
enum given_up {
    GIVEN_UP_NOT,
    GIVEN_UP_BY_CHOICE, /* an operator chose a rule that may err: trust_absence, assume_gone_after */
    GIVEN_UP_SHUT_OUT,  /* it could not query: whatever it opens is pinned, or its role may not log in */
    GIVEN_UP_FORGOTTEN  /* a failover has lost its registration */
};

struct process {
    enum process_state state;
    uint64_t serial;
    size_t app, instance;
    char incarnation[24], release[48];
    char predecessor[24];       /* that has ended; "": none is known to */
    struct version_range range; /* as it claims */
    int64_t true_max;           /* what its queries can really work with */
    bool lists;                 /* `knows`: what it ships */
    bool on_lost_exit;
    int64_t lease_seconds, renewed_at, paused_until, confirmed_until;
    size_t daemon; /* that it talks to */
    unsigned goodbyes;
    enum habit habit;
    size_t home, role;
    char application_name[24], address[24];
    int64_t started_at, database_cut_until;
    int64_t unseen_since, seen_again; /* the last row of looks that show no session of it, and its end */
    enum given_up given_up;
};

extern const char *const app_names[APPS];
void fleet_begin(struct sim *s);
void fleet_answer(struct sim *s, const struct message *answer);
void fleet_kill(struct sim *s, size_t process);
void fleet_retire(struct sim *s);       /* every process says goodbye */
void fleet_start_newest(struct sim *s); /* two for each app, which work with everything */
/* The process with this incarnation, if it is not dead. */
const struct process *fleet_find(const struct sim *s, const char *incarnation);

/* ---- operators, deploy tools, faults (operators.c, faults.c) ---- */

void operators_begin(struct sim *s);
void operators_clean_up(struct sim *s); /* what they do so that everything completes */
void faults_begin(struct sim *s);
void faults_end(struct sim *s);

/* ---- the whole (sim.c) ---- */

struct counts {
    uint64_t steps, contracts, undos, expands, terms, kills, refusals, stale, fenced, unknown, live;
    uint64_t self_fenced, purges, restores;
    uint64_t sessions, pins_refused, unseen, assumed, failovers, lossy, forgotten;
    uint64_t held[HOLD_CODES]; /* waits for which they were the reason */
};

struct sim {
    uint64_t seed, random, serials;
    int64_t now;
    uint64_t step;
    bool trace;
    bool calm; /* no more faults: everything has to complete */
    bool over; /* it is being taken apart */
    struct profile profile;
    struct rules rules;
    struct queue queue;
    struct rows rows;
    struct server server;
    struct daemon daemons[DAEMONS];
    struct process processes[PROCESSES];
    struct backend backends[BACKENDS];
    uint64_t youngest[APPS][INSTANCES]; /* serials */
    struct blueprint blueprints[MIGRATIONS];
    size_t blueprint_count;
    bool look; /* something that the invariant depends on has changed */
    bool told_paused[MIGRATIONS + 1]; /* an operator was told that it is paused; the last: all */
    struct counts counts;
};

static inline bool version_in(struct version_range range, int64_t version)
{
    return version >= range.min && version <= range.max;
}

void sim_fail(struct sim *s, const char *format, ...) __attribute__((format(printf, 2, 3), noreturn));
void sim_trace(const struct sim *s, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
