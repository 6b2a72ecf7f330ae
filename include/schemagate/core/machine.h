/* A migration's life as one table of rows: phase, event, guard, next phase, action, comment (docs/design.md
 * §6). Pure. Every (phase, event) pair is in the table or refused by name. The table is dumped as
 * a golden file and drawn in docs/architecture.md. */
#ifndef SCHEMAGATE_CORE_MACHINE_H
#define SCHEMAGATE_CORE_MACHINE_H

#include <stdbool.h>
#include <stdio.h>

enum phase {
    PHASE_QUEUED,
    PHASE_EXPANDING,
    PHASE_BACKFILLING,
    PHASE_EXPANDED,
    PHASE_CONTRACTING,
    PHASE_HIDDEN,    /* the contract is done, what it drops is only hidden */
    PHASE_PURGING,
    PHASE_RESTORING,
    PHASE_COMPLETE,
    PHASE_UNDOING,
    PHASE_UNDONE,
    PHASE_CANCELLED,
    PHASES
};

enum machine_event {
    /* What the daemon sees. */
    EVENT_TURN,        /* the expand of every version before is done */
    EVENT_GATE_OPEN,   /* no hold is left, by the facts in memory */
    EVENT_HOLD_FOUND,  /* verification behind the fence found one */
    EVENT_VERIFIED,    /* verification found none */
    EVENT_STEP_DONE,   /* a transaction of this phase is committed, more are to come */
    EVENT_PHASE_DONE,  /* the last one is, or there is nothing to run */
    EVENT_TRY_FAILED,  /* a lock was not to be had, or the server asked to try again */
    EVENT_STEP_FAILED, /* the SQL failed, was cancelled, or retries ran out */
    EVENT_RECOVERED,   /* a new term found the migration in this phase */
    EVENT_CORRECTED,   /* another file was submitted for the same version */
    /* What people ask for. */
    EVENT_APPROVE,
    EVENT_PAUSE,
    EVENT_RESUME,
    EVENT_RETRY,
    EVENT_UNDO,
    EVENT_RESTORE,
    EVENT_CANCEL,
    MACHINE_EVENTS
};

enum machine_action {
    ACTION_NONE,
    ACTION_RUN,        /* run the next transaction of the phase */
    ACTION_FENCE,      /* close admission by committing the window's marker, then verify */
    ACTION_VERIFY,     /* read the facts back from PostgreSQL */
    ACTION_UNFENCE,    /* reopen admission */
    ACTION_BACK_OFF,   /* try again later */
    ACTION_CANCEL_TRY, /* cancel the running statement; its end comes back as an event */
    MACHINE_ACTIONS
};

/* What a row's guard may ask: bits, gathered once. */
enum machine_fact {
    FACT_BACKFILL = 1 << 0,  /* the backfill section has something to run */
    FACT_CONTRACT = 1 << 1,  /* the contract section has */
    FACT_UNDO = 1 << 2,      /* an undo section stands in the file, empty or not */
    FACT_COMMITTED = 1 << 3, /* a transaction of this phase is committed */
    FACT_FAILED = 1 << 4,    /* its status is `failed` */
    FACT_RUNNING = 1 << 5,   /* the executor is at work on it */
    FACT_NEWEST = 1 << 6,    /* no higher version is queued, started or served */
    FACT_FENCED = 1 << 7,    /* the window's marker names it */
    FACT_SERVED = 1 << 8,    /* it is one of the served versions */
    FACT_HIDES = 1 << 9,     /* the contract hides, and something is left to purge */
    FACT_FLOOR = 1 << 10,    /* it is the window's floor, and no other contract is under way */
    FACT_TRYING = 1 << 11,   /* it waits for its next try, or watches its tables before one */
    FACT_BITS = 12
};

struct machine_step {
    enum phase next;
    bool fails;  /* the status becomes `failed` */
    bool clears; /* a failure is forgotten */
    enum machine_action action;
    const char *comment; /* static: the row's log line and label */
};

/* Before an undo: the phase to which a failed or cancelled undo returns. */
struct machine_position {
    enum phase phase;
    enum phase origin; /* counts only while phase is PHASE_UNDOING */
};

/* Finds the first row that fits; facts: bits of enum machine_fact. Returns false where the event is
 * refused; then *refusal (static, never NULL) says why, and what to do instead. */
bool machine_next(struct machine_position at, enum machine_event event, unsigned facts,
                  struct machine_step *step, const char **refusal);

const char *phase_name(enum phase phase);               /* "queued" */
bool phase_parse(const char *name, enum phase *phase);
const char *machine_event_name(enum machine_event event); /* "gate-open" */
const char *machine_action_name(enum machine_action action);

/* True once nothing is left to do: complete, undone, cancelled. */
bool phase_is_final(enum phase phase);
/* True from `expanded` on, while the version is not undone: it is served if the floor allows. */
bool phase_is_expanded(enum phase phase);
/* True once a contract, where it has one, is done as far as any code can tell. */
bool phase_is_contracted(enum phase phase);

void machine_print_table(FILE *out);   /* tab-separated rows, for the golden file */
void machine_print_diagram(FILE *out); /* Mermaid, for docs/architecture.md */

#endif
