/* The coordinator's own state; private to daemon/coordinator. */
#ifndef COORDINATOR_STATE_H
#define COORDINATOR_STATE_H

#include "journal.h"
#include "registry.h"
#include "usage.h"
#include "witness.h"

#include <schemagate/coordinator/coordinator.h>
#include <schemagate/core/retry.h>

struct transition;

/* One transaction of a migration's phase, while the executor is at work on it. */
struct run {
    int64_t version;
    enum plan_section section;
    struct step *steps; /* inside the migration */
    size_t step_count;
    struct transition *transition; /* owned: what follows from its success; NULL: it is a batch */
    struct change_set changes;
    struct execution_statement *statements; /* owned */
    size_t statement_count;
    struct execution_batch batch; /* pieces are owned */
    struct execution_command *command; /* owned; NULL: it is SQL */
    char *trouble; /* owned: why there is no command; or NULL */
    int64_t since_boot; /* it was begun */
};

/* What goes on with the migrations; one thing at a time. */
struct rollout {
    bool busy; /* a transition, a verification or a run is under way */
    bool reread;     /* memory differs from PostgreSQL: the term has to begin anew */
    bool over;       /* a new term was asked for: nothing is begun in this one */
    struct run *run; /* borrowed; NULL: the executor is idle */
    unsigned term;   /* callbacks of an earlier term are told by it */
};

/* Sessions that ended under one and the same run, in a row; of this process, over its terms. */
struct losses {
    int64_t version;
    enum plan_section section;
    unsigned step; /* its first; 0: the end of a phase */
    unsigned count;
};

/* The window row's memory of the server on which registrations have settled. */
struct settled_on {
    char system_identifier[24], timeline[9];
    int64_t longest_lease_seconds; /* ever granted */
};

struct failover {
    bool is_new; /* this term began on another timeline or cluster */
    bool ending; /* the end of its settling is being written */
    struct settled_on from;
    size_t written_back;
};

struct coordinator {
    const struct config *config;
    struct environment env;

    enum coordinator_role role;
    struct term term;
    char *trouble, *leader_url;

    struct registry registry;
    struct migration *migrations; /* uthash by_version, ascending */
    int64_t baseline;
    struct window_view view; /* arrays owned */
    struct pause_note pause; /* strings owned */
    int64_t generation, index;

    struct journal journal;
    struct rollout rollout;
    struct losses losses;
    struct watch watch;
    struct usage_watch usage;
    bool outside_hours; /* as of the last look at the clock */
    int64_t hours_minute; /* that it was looked at for */
    const struct config *hours_config;
    struct settled_on settled_on;
    int64_t proved_boot;      /* when it was asked for what proved last that this daemon leads; 0: never */
    int64_t fenced_from_boot; /* what a former leader has extended is over */
    struct failover failover;
    int64_t settle_until_boot; /* after a failover; 0: none, or settled */
    struct loading *loading; /* a term that is being read in, or NULL */
    struct coordinator_counts counts;
    struct reported reported; /* by replicas, since the process started */
};

static inline struct instant coordinator_now(const struct coordinator *c)
{
    return c->env.world_ops->now(c->env.world);
}

static inline void coordinator_changed(const struct coordinator *c)
{
    c->env.world_ops->changed(c->env.world);
}

/* Asks for a tick in the next turn of the loop. */
static inline void coordinator_wake(const struct coordinator *c)
{
    c->env.world_ops->wake(c->env.world);
}

/* ---- migrations.c: the collection, and what follows from it ---- */

struct migration *migrations_find(const struct coordinator *c, int64_t version);
void migrations_insert(struct coordinator *c, struct migration *m);
void migrations_remove(struct coordinator *c, struct migration *m);
void migration_free(struct migration *m);
void migration_error_free(struct migration_error *error);
/* Says in it that an operator has cancelled; where it was, it goes on saying. */
void migration_error_cancel(struct migration_error *error);
/* The error of a phase that an operator has cancelled. The caller frees. */
struct migration_error *migration_cancellation(const struct migration *m);
/* Computes the served and the pending versions anew. */
void migrations_refresh_view(struct coordinator *c);
/* Bits of enum machine_fact. */
unsigned migration_facts(const struct coordinator *c, const struct migration *m);
/* The section that the phase runs; PLAN_SECTIONS: none. */
enum plan_section migration_section(const struct migration *m);
/* What it does, old code could trip over. */
bool migration_section_breaks(enum plan_section section);
/* The first step of a section that is not done, or NULL. */
struct step *migration_next_step(const struct migration *m, enum plan_section section);
/* How many steps, from `first` on, share its transaction. */
size_t migration_transaction_steps(const struct migration *m, const struct step *first);
/* Whatever comes next is tried as if for the first time: the time for tries has not run. */
void migration_forget_tries(struct migration *m);
bool migration_has_steps(const struct migration *m, enum plan_section section);
/* It has an undo, or its expand was empty: then there is nothing to be taken back. */
bool migration_can_go_back(const struct migration *m);
/* True while what its contract drops is hidden, and waits for its purge. */
bool migration_is_kept(const struct migration *m);
/* Takes a copy of the rows; NULL: none. */
void migration_take_hidden(struct migration *m, const json_t *rows);
/* What the floor is once m's contract has been taken back. */
int64_t migration_floor_below(const struct coordinator *c, const struct migration *m);
/* The lowest version whose contract has to be done, or is being tried, before m's; the lowest above m that is
 * not undone or cancelled; 0: none. */
int64_t migration_earlier(const struct migration *m);
int64_t migration_later(const struct migration *m);

/* ---- facts.c: what the gate is asked about ---- */

/* True while m waits for a gate; *kind says for which. */
bool migration_gate_kind(const struct migration *m, enum gate_kind *kind);
/* From memory alone. */
void facts_of_memory(const struct coordinator *c, const struct migration *m, struct gate_facts *facts);
/* True where m's gate would be open but for what the witness has seen, or could not see. */
bool facts_hang_on_sight(const struct coordinator *c, const struct migration *m);
/* The number of holds with the fleet as PostgreSQL has it (struct store_ops, verify). */
size_t facts_verify(const struct coordinator *c, const struct migration *m, const json_t *fleet);
int64_t app_min_replicas(const struct coordinator *c, const struct application *app);

/* ---- admission.c: who may start ---- */

enum admission admission_of(const struct coordinator *c, const struct gate_cohort *cohort);
/* The version of a contract, done or under way, that a release which lists what it ships does not know;
 * 0: none. */
int64_t admission_unlisted(const struct coordinator *c, const struct gate_cohort *cohort);

/* ---- lease.c ---- */

/* Leases that have run out. */
void replicas_expire(struct coordinator *c);
/* The window has changed: waiting replicas may be admitted. */
void replicas_admit_waiting(struct coordinator *c);
void replica_admit_waiting(struct coordinator *c, const struct replica *r);
int64_t replica_lease_end(const struct replica *r);
/* A replica is lost from now on: its fate is looked at when it is time. */
void replica_begin_loss(const struct coordinator *c, struct registry *registry, struct replica *r);
void replicas_judge_anew(struct coordinator *c);
json_t *replica_note(const struct replica *r); /* data of its events */

/* ---- fencing.c ---- */

/* A lease, and the grace that docs/design.md §3 adds to it. */
int64_t lease_with_grace_ms(int64_t lease_seconds);
/* Leases of replicas that end themselves are extended only by a daemon that has just proved that it leads. */
bool fencing_may_extend(const struct coordinator *c);
/* The registry is read in, and compared with the server before. */
void fencing_begin_term(struct coordinator *c);
/* When it has ended by its own promise, should it not renew; 0: it has promised nothing. */
int64_t fencing_ends_boot(const struct coordinator *c, const struct replica *r);

/* ---- waivers.c ---- */

void waivers_read(struct migration *m, const json_t *row, struct instant now);
void waivers_free(struct migration *m);
/* Drops those that have ended, and stores the elapsed time of the others now and then. */
void waivers_follow(struct coordinator *c, struct migration *m);
int64_t waivers_due_boot(const struct migration *m); /* 0: never */

/* ---- failover.c ---- */

/* Compares the server with the one before; `loaded` takes back what only memory knows. */
void failover_look(struct coordinator *c, struct registry *loaded, struct settled_on *stored);
void failover_write(struct coordinator *c, struct change_set *changes); /* with the term's first event */
void failover_note_settled(struct coordinator *c);
void failover_follow(struct coordinator *c);

/* ---- rollout.c: what is done next ---- */

/* Looks for something to do, and asks to be woken for what is due later. Call it whenever something that
 * a decision depends on has changed. */
void rollout_advance(struct coordinator *c);
/* Replicas are gone as soon as what is in flight is committed: where a gate waits for nobody else, what is
 * asked before it opens is asked meanwhile. */
void rollout_look_ahead(struct coordinator *c);
/* Commits m's transition by `event`; error (taken over) may be NULL. Until it is applied nothing else is
 * begun. */
void rollout_transition(struct coordinator *c, const struct migration *m, enum machine_event event,
                        struct migration_error *error);
/* Forgets what was under way in a term that is over. */
void rollout_reset(struct coordinator *c);

/* ---- run.c: one transaction through the executor ---- */

void run_start(struct coordinator *c, struct migration *m);
/* A contract or an undo that begins with a statement outside of transactions is announced before: whoever
 * finds it later cannot tell whether the statement has had its effects, and keeps admission closed. */
bool run_is_announced(const struct coordinator *c, struct migration *m);
void run_announce(struct coordinator *c, const struct migration *m);

/* ---- losses.c: sessions that end under what they run ---- */

void losses_note(struct coordinator *c, const struct run *run);
/* The run has come to an end of its own. */
void losses_forget(struct coordinator *c, const struct run *run);
/* The rows are read in: what sessions have ended under is tried again after a pause. */
void losses_begin_term(struct coordinator *c);
/* Why the run is not tried any more; NULL: it is. The caller frees. */
char *losses_verdict(const struct coordinator *c, const struct run *run);
bool losses_summarize(const struct coordinator *c, const struct migration *m, char *text, size_t size);

/* ---- backfill.c: steps that run in batches ---- */

/* The step has rows left to go through. */
bool backfill_goes_on(const struct step *step);
void backfill_prepare(const struct coordinator *c, struct migration *m, struct run *run);
/* A batch is committed: notes how far it has come, and when the next one may begin. */
void backfill_advance(struct coordinator *c, struct migration *m, const struct run *run,
                      const struct execution_result *result);
/* What the backfill of m has done, for its event; NULL: none of its steps ran in batches. */
json_t *backfill_report(const struct migration *m);

/* ---- runner.c: steps that are configured commands ---- */

/* Holds the steps of a plan against the configuration: what is wrong is a finding. name NULL: the plan's. */
void runners_judge(const struct coordinator *c, const char *name, struct plan *plan);
/* The command of a step; or NULL, and why not in *trouble, which the caller frees. */
struct execution_command *runner_command(const struct coordinator *c, const struct migration *m,
                                         const struct step *step, char **trouble);
json_t *runner_event(const struct step *step);
void runner_free(struct execution_command *command);

/* ---- soak.c ---- */

/* Counts the time without a replica below m; facts are of memory. */
void soak_follow(struct coordinator *c, struct migration *m, const struct gate_facts *facts);
/* A replica of this cohort registers: what has been stored of the soaks that it begins anew is taken back in
 * the same transaction. */
void soak_forget(const struct coordinator *c, const struct gate_cohort *cohort,
                 struct change_set *changes);
/* When the soak of m ends; 0: it does not soak. */
int64_t soak_end_boot(const struct migration *m, const struct gate_facts *facts);

/* ---- transition.c: one function changes a phase ---- */

struct transition {
    enum machine_event event;
    struct machine_step step;
    struct migration_error *error; /* owned, or NULL */
    const char *actor, *reason;    /* borrowed */
    bool quiet;                    /* no event: a further try of the same thing */
    bool window_changes;
    struct window window;          /* after it */
};

/* Finds the row and what the window becomes. Returns false with *refusal. */
bool transition_prepare(const struct coordinator *c, const struct migration *m,
                        enum machine_event event, struct transition *t, const char **refusal);
void transition_write(const struct coordinator *c, const struct migration *m,
                      const struct transition *t, struct change_set *changes);
/* After the commit; takes over t->error. */
void transition_apply(struct coordinator *c, struct migration *m, struct transition *t);
/* Before the commit: what m begins with is told and committed with its first transaction. */
void transition_begin(struct coordinator *c, struct migration *m, struct transition *t);

/* ---- term.c ---- */

/* True while something may be begun. */
bool term_goes_on(const struct coordinator *c);
/* It cannot go on: nothing is begun any more, and the world is asked for a new one. */
void term_restart(struct coordinator *c, const char *reason);
/* Ids of committed events: raises the index of what they are about. */
void term_note_events(struct coordinator *c, const struct change_set *changes,
                      const struct commit_result *result);

#endif
