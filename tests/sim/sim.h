/* The simulation: real coordinators against a simulated clock, network, database and fleet. All that happens
 * follows from one seed. What is checked after every step stands in truth.c, record.c and waits.c. */
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

struct sim;
struct link;

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
/* The one invariant (DESIGN.md section 2), for every process. */
void truth_check(struct sim *s);
struct blueprint *truth_find(struct sim *s, int64_t version);

/* ---- what is written down (record.c) ---- */

/* Before and after a set of changes is committed. */
void record_check(struct sim *s, const json_t *changes);
void record_check_registry(struct sim *s);
void record_check_start(struct sim *s, const struct statement *statement);

/* ---- waits are explained (waits.c) ---- */

void waits_check(struct sim *s, size_t daemon);

/* ---- the database (server.c, link.c) ---- */

struct call;

struct server {
    int64_t down_until;
    int64_t called[MIGRATIONS]; /* statements that use what a contract drops */
    struct link *lock;   /* who holds it */
    struct call *runner; /* whose SQL runs */
    int64_t epoch;
    uint64_t nonce;
    struct link *links; /* all that ever were */
};

void server_restart(struct sim *s);
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
    uint64_t self_fenced, in_use, purges, restores;
};

struct sim {
    uint64_t seed, random, serials;
    int64_t now;
    uint64_t step;
    bool trace;
    bool calm; /* no more faults: everything has to complete */
    bool over; /* it is being taken apart */
    struct profile profile;
    struct queue queue;
    struct rows rows;
    struct server server;
    struct daemon daemons[DAEMONS];
    struct process processes[PROCESSES];
    uint64_t youngest[APPS][INSTANCES]; /* serials */
    struct blueprint blueprints[MIGRATIONS];
    size_t blueprint_count;
    bool look; /* something that the invariant depends on has changed */
    bool told_paused[MIGRATIONS + 1]; /* an operator was told that it is paused; the last: all */
    struct counts counts;
};

void sim_fail(struct sim *s, const char *format, ...) __attribute__((format(printf, 2, 3), noreturn));
void sim_trace(const struct sim *s, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
