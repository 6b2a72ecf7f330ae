/* The life of a migration: the table, and the scan that finds a row in it. */
#include <schemagate/core/machine.h>

#include <stddef.h>
#include <string.h>

/* `next` of rows that lead back to where an undo came from. */
#define BEFORE_UNDO PHASES
/* `action` of rows that say no; their comment is the reason. */
#define REFUSE MACHINE_ACTIONS

enum effect { KEEPS, FAILS, CLEARS };

struct row {
    enum phase phase;
    enum machine_event event;
    unsigned with, without; /* facts that must hold, and must not */
    enum phase next;
    enum effect effect;
    enum machine_action action;
    const char *comment;
};

#define BACKFILL FACT_BACKFILL
#define CONTRACT FACT_CONTRACT
#define HAS_UNDO FACT_UNDO
#define COMMITTED FACT_COMMITTED
#define FAILED FACT_FAILED
#define RUNNING FACT_RUNNING
#define NEWEST FACT_NEWEST
#define FENCED FACT_FENCED
#define SERVED FACT_SERVED
#define HIDES FACT_HIDES
#define FLOOR FACT_FLOOR
#define TRYING FACT_TRYING

static const struct row rows[] = {
    {PHASE_QUEUED, EVENT_TURN, 0, FAILED, PHASE_EXPANDING, KEEPS, ACTION_RUN,
     "every version before it is expanded"},
    {PHASE_QUEUED, EVENT_CORRECTED, FAILED, 0, PHASE_QUEUED, CLEARS, ACTION_NONE,
     "nothing of it has run: the corrected plan takes its place"},
    {PHASE_QUEUED, EVENT_APPROVE, 0, 0, PHASE_QUEUED, KEEPS, ACTION_NONE, "approved"},
    {PHASE_QUEUED, EVENT_PAUSE, 0, 0, PHASE_QUEUED, KEEPS, ACTION_NONE, "paused"},
    {PHASE_QUEUED, EVENT_RESUME, 0, 0, PHASE_QUEUED, KEEPS, ACTION_NONE, "resumed"},
    {PHASE_QUEUED, EVENT_RETRY, FAILED, 0, PHASE_QUEUED, CLEARS, ACTION_NONE, "tried again"},
    {PHASE_QUEUED, EVENT_CANCEL, 0, 0, PHASE_CANCELLED, CLEARS, ACTION_NONE, "nothing of it has run"},
    {PHASE_QUEUED, EVENT_UNDO, 0, 0, PHASE_QUEUED, KEEPS, REFUSE,
     "nothing of it has run: cancel it instead"},

    {PHASE_EXPANDING, EVENT_STEP_DONE, 0, 0, PHASE_EXPANDING, KEEPS, ACTION_RUN,
     "a transaction is committed, the next one follows"},
    {PHASE_EXPANDING, EVENT_PHASE_DONE, BACKFILL, 0, PHASE_BACKFILLING, KEEPS, ACTION_RUN,
     "the columns are there, now they are filled"},
    {PHASE_EXPANDING, EVENT_PHASE_DONE, 0, CONTRACT, PHASE_COMPLETE, KEEPS, ACTION_NONE,
     "served; an empty contract passes no gate"},
    {PHASE_EXPANDING, EVENT_PHASE_DONE, 0, 0, PHASE_EXPANDED, KEEPS, ACTION_NONE, "served"},
    {PHASE_EXPANDING, EVENT_TRY_FAILED, 0, 0, PHASE_EXPANDING, KEEPS, ACTION_BACK_OFF,
     "the lock was not to be had; nothing is held until the next try"},
    {PHASE_EXPANDING, EVENT_STEP_FAILED, 0, COMMITTED, PHASE_QUEUED, FAILS, ACTION_NONE,
     "nothing is committed: as if it had not begun"},
    {PHASE_EXPANDING, EVENT_STEP_FAILED, 0, 0, PHASE_EXPANDING, FAILS, ACTION_NONE,
     "it stays where it is"},
    {PHASE_EXPANDING, EVENT_RECOVERED, 0, 0, PHASE_EXPANDING, KEEPS, ACTION_RUN,
     "it goes on at the first step that is not committed"},
    {PHASE_EXPANDING, EVENT_APPROVE, 0, 0, PHASE_EXPANDING, KEEPS, ACTION_NONE, "approved"},
    {PHASE_EXPANDING, EVENT_PAUSE, 0, 0, PHASE_EXPANDING, KEEPS, ACTION_NONE,
     "paused after the running transaction"},
    {PHASE_EXPANDING, EVENT_RESUME, 0, 0, PHASE_EXPANDING, KEEPS, ACTION_RUN, "resumed"},
    {PHASE_EXPANDING, EVENT_RETRY, FAILED, 0, PHASE_EXPANDING, CLEARS, ACTION_RUN,
     "it goes on at the failed step"},
    {PHASE_EXPANDING, EVENT_UNDO, FAILED | HAS_UNDO, 0, PHASE_UNDOING, CLEARS, ACTION_NONE,
     "what was committed is taken back"},
    {PHASE_EXPANDING, EVENT_UNDO, 0, FAILED, PHASE_EXPANDING, KEEPS, REFUSE,
     "it is being expanded: cancel it first"},
    {PHASE_EXPANDING, EVENT_CANCEL, FAILED, 0, PHASE_EXPANDING, KEEPS, REFUSE,
     "part of it is committed: retry or undo it"},
    {PHASE_EXPANDING, EVENT_CANCEL, RUNNING, 0, PHASE_EXPANDING, KEEPS, ACTION_CANCEL_TRY,
     "the running statement is cancelled"},
    {PHASE_EXPANDING, EVENT_CANCEL, 0, COMMITTED, PHASE_QUEUED, FAILS, ACTION_NONE,
     "cancelled between two tries, nothing is committed"},
    {PHASE_EXPANDING, EVENT_CANCEL, 0, 0, PHASE_EXPANDING, FAILS, ACTION_NONE,
     "cancelled between two transactions"},

    {PHASE_BACKFILLING, EVENT_STEP_DONE, 0, 0, PHASE_BACKFILLING, KEEPS, ACTION_RUN,
     "a transaction is committed, the next one follows"},
    {PHASE_BACKFILLING, EVENT_PHASE_DONE, 0, CONTRACT, PHASE_COMPLETE, KEEPS, ACTION_NONE,
     "served; an empty contract passes no gate"},
    {PHASE_BACKFILLING, EVENT_PHASE_DONE, 0, 0, PHASE_EXPANDED, KEEPS, ACTION_NONE, "served"},
    {PHASE_BACKFILLING, EVENT_TRY_FAILED, 0, 0, PHASE_BACKFILLING, KEEPS, ACTION_BACK_OFF,
     "the lock was not to be had; nothing is held until the next try"},
    {PHASE_BACKFILLING, EVENT_STEP_FAILED, 0, 0, PHASE_BACKFILLING, FAILS, ACTION_NONE,
     "it stays where it is"},
    {PHASE_BACKFILLING, EVENT_RECOVERED, 0, 0, PHASE_BACKFILLING, KEEPS, ACTION_RUN,
     "it goes on at the first step that is not committed"},
    {PHASE_BACKFILLING, EVENT_APPROVE, 0, 0, PHASE_BACKFILLING, KEEPS, ACTION_NONE, "approved"},
    {PHASE_BACKFILLING, EVENT_PAUSE, 0, 0, PHASE_BACKFILLING, KEEPS, ACTION_NONE,
     "paused after the running transaction"},
    {PHASE_BACKFILLING, EVENT_RESUME, 0, 0, PHASE_BACKFILLING, KEEPS, ACTION_RUN, "resumed"},
    {PHASE_BACKFILLING, EVENT_RETRY, FAILED, 0, PHASE_BACKFILLING, CLEARS, ACTION_RUN,
     "it goes on at the failed step"},
    {PHASE_BACKFILLING, EVENT_UNDO, FAILED | HAS_UNDO, 0, PHASE_UNDOING, CLEARS, ACTION_NONE,
     "the expand is taken back"},
    {PHASE_BACKFILLING, EVENT_UNDO, 0, FAILED, PHASE_BACKFILLING, KEEPS, REFUSE,
     "it is being filled: cancel it first"},
    {PHASE_BACKFILLING, EVENT_CANCEL, FAILED, 0, PHASE_BACKFILLING, KEEPS, REFUSE,
     "its expand is committed: retry or undo it"},
    {PHASE_BACKFILLING, EVENT_CANCEL, RUNNING, 0, PHASE_BACKFILLING, KEEPS, ACTION_CANCEL_TRY,
     "the running statement is cancelled"},
    {PHASE_BACKFILLING, EVENT_CANCEL, 0, 0, PHASE_BACKFILLING, FAILS, ACTION_NONE,
     "cancelled between two transactions"},

    {PHASE_EXPANDED, EVENT_GATE_OPEN, 0, FAILED, PHASE_CONTRACTING, KEEPS, ACTION_FENCE,
     "no hold is left: admission below it closes, then PostgreSQL is asked again"},
    {PHASE_EXPANDED, EVENT_RECOVERED, 0, 0, PHASE_EXPANDED, KEEPS, ACTION_NONE, "it waits on"},
    {PHASE_EXPANDED, EVENT_APPROVE, 0, 0, PHASE_EXPANDED, KEEPS, ACTION_NONE, "approved"},
    {PHASE_EXPANDED, EVENT_PAUSE, 0, 0, PHASE_EXPANDED, KEEPS, ACTION_NONE, "paused"},
    {PHASE_EXPANDED, EVENT_RESUME, 0, 0, PHASE_EXPANDED, KEEPS, ACTION_NONE, "resumed"},
    {PHASE_EXPANDED, EVENT_RETRY, FAILED, 0, PHASE_EXPANDED, CLEARS, ACTION_NONE,
     "its contract may be tried again"},
    {PHASE_EXPANDED, EVENT_UNDO, HAS_UNDO, 0, PHASE_UNDOING, CLEARS, ACTION_NONE,
     "the undo waits for its gate"},
    {PHASE_EXPANDED, EVENT_CANCEL, TRYING, FAILED, PHASE_EXPANDED, FAILS, ACTION_NONE,
     "its contract is cancelled between two tries, nothing is committed"},
    {PHASE_EXPANDED, EVENT_CANCEL, 0, 0, PHASE_EXPANDED, KEEPS, REFUSE,
     "it is served: pause its contract, or undo it"},

    {PHASE_CONTRACTING, EVENT_VERIFIED, 0, 0, PHASE_CONTRACTING, KEEPS, ACTION_RUN,
     "PostgreSQL agrees behind the fence"},
    {PHASE_CONTRACTING, EVENT_HOLD_FOUND, 0, COMMITTED, PHASE_EXPANDED, KEEPS, ACTION_UNFENCE,
     "somebody needs the old shape after all: admission opens again"},
    {PHASE_CONTRACTING, EVENT_HOLD_FOUND, COMMITTED, 0, PHASE_CONTRACTING, KEEPS, ACTION_BACK_OFF,
     "part of the contract is committed: admission stays closed while it waits"},
    {PHASE_CONTRACTING, EVENT_STEP_DONE, 0, 0, PHASE_CONTRACTING, KEEPS, ACTION_RUN,
     "a transaction is committed, the next one follows"},
    {PHASE_CONTRACTING, EVENT_PHASE_DONE, HIDES, 0, PHASE_HIDDEN, KEEPS, ACTION_NONE,
     "the floor is raised; what it drops is hidden, and can be restored"},
    {PHASE_CONTRACTING, EVENT_PHASE_DONE, 0, 0, PHASE_COMPLETE, KEEPS, ACTION_NONE,
     "the floor is raised"},
    {PHASE_CONTRACTING, EVENT_TRY_FAILED, 0, COMMITTED, PHASE_EXPANDED, KEEPS, ACTION_UNFENCE,
     "the lock was not to be had: admission is open until the next try"},
    {PHASE_CONTRACTING, EVENT_TRY_FAILED, COMMITTED, 0, PHASE_CONTRACTING, KEEPS, ACTION_BACK_OFF,
     "the lock was not to be had; part of the contract is committed"},
    {PHASE_CONTRACTING, EVENT_STEP_FAILED, 0, COMMITTED, PHASE_EXPANDED, FAILS, ACTION_UNFENCE,
     "nothing is committed: admission opens again"},
    {PHASE_CONTRACTING, EVENT_STEP_FAILED, COMMITTED, 0, PHASE_CONTRACTING, FAILS, ACTION_NONE,
     "part of the contract is committed: it stays where it is"},
    {PHASE_CONTRACTING, EVENT_RECOVERED, 0, COMMITTED, PHASE_EXPANDED, KEEPS, ACTION_UNFENCE,
     "nothing is committed: the gate is asked again"},
    {PHASE_CONTRACTING, EVENT_RECOVERED, COMMITTED, 0, PHASE_CONTRACTING, KEEPS, ACTION_VERIFY,
     "part of the contract is committed: it goes on after verification"},
    {PHASE_CONTRACTING, EVENT_APPROVE, 0, 0, PHASE_CONTRACTING, KEEPS, ACTION_NONE, "approved"},
    {PHASE_CONTRACTING, EVENT_PAUSE, 0, 0, PHASE_CONTRACTING, KEEPS, ACTION_NONE,
     "paused after the running transaction"},
    {PHASE_CONTRACTING, EVENT_RESUME, 0, 0, PHASE_CONTRACTING, KEEPS, ACTION_NONE, "resumed"},
    {PHASE_CONTRACTING, EVENT_RETRY, FAILED, 0, PHASE_CONTRACTING, CLEARS, ACTION_VERIFY,
     "it goes on at the failed step, after verification"},
    {PHASE_CONTRACTING, EVENT_UNDO, 0, 0, PHASE_CONTRACTING, KEEPS, REFUSE,
     "its contract has begun: pause it, or wait for its end"},
    {PHASE_CONTRACTING, EVENT_CANCEL, RUNNING, 0, PHASE_CONTRACTING, KEEPS, ACTION_CANCEL_TRY,
     "the running statement is cancelled"},
    {PHASE_CONTRACTING, EVENT_CANCEL, TRYING | COMMITTED, FAILED, PHASE_CONTRACTING, FAILS, ACTION_NONE,
     "cancelled between two tries; part of the contract is committed"},
    {PHASE_CONTRACTING, EVENT_CANCEL, 0, 0, PHASE_CONTRACTING, KEEPS, REFUSE,
     "nothing of it runs at this moment: pause it instead"},

    {PHASE_HIDDEN, EVENT_GATE_OPEN, 0, FAILED | FENCED, PHASE_PURGING, KEEPS, ACTION_FENCE,
     "its time is over and no hold is left: PostgreSQL is asked again, then the purge runs"},
    {PHASE_HIDDEN, EVENT_RECOVERED, 0, 0, PHASE_HIDDEN, KEEPS, ACTION_NONE, "it waits on"},
    {PHASE_HIDDEN, EVENT_APPROVE, 0, 0, PHASE_HIDDEN, KEEPS, ACTION_NONE, "approved"},
    {PHASE_HIDDEN, EVENT_PAUSE, 0, 0, PHASE_HIDDEN, KEEPS, ACTION_NONE, "paused"},
    {PHASE_HIDDEN, EVENT_RESUME, 0, 0, PHASE_HIDDEN, KEEPS, ACTION_NONE, "resumed"},
    {PHASE_HIDDEN, EVENT_RETRY, FAILED, 0, PHASE_HIDDEN, CLEARS, ACTION_NONE,
     "its purge may be tried again"},
    {PHASE_HIDDEN, EVENT_RESTORE, FLOOR, FENCED, PHASE_RESTORING, CLEARS, ACTION_RUN,
     "what was hidden comes back; the floor falls once all of it is there"},
    {PHASE_HIDDEN, EVENT_RESTORE, 0, FLOOR, PHASE_HIDDEN, KEEPS, REFUSE,
     "a later contract has begun or is done: the floor cannot fall below it any more"},
    {PHASE_HIDDEN, EVENT_UNDO, 0, 0, PHASE_HIDDEN, KEEPS, REFUSE,
     "its contract is done: restore it first"},
    {PHASE_HIDDEN, EVENT_CANCEL, 0, 0, PHASE_HIDDEN, KEEPS, REFUSE,
     "nothing of it runs: pause it to put the purge off, or restore it"},

    {PHASE_PURGING, EVENT_VERIFIED, 0, 0, PHASE_PURGING, KEEPS, ACTION_RUN,
     "PostgreSQL agrees behind the fence"},
    {PHASE_PURGING, EVENT_HOLD_FOUND, 0, COMMITTED, PHASE_HIDDEN, KEEPS, ACTION_UNFENCE,
     "somebody may need the old shape after all: it stays hidden"},
    {PHASE_PURGING, EVENT_HOLD_FOUND, COMMITTED, 0, PHASE_PURGING, KEEPS, ACTION_BACK_OFF,
     "part of the purge is committed: the rest waits"},
    {PHASE_PURGING, EVENT_STEP_DONE, 0, 0, PHASE_PURGING, KEEPS, ACTION_RUN,
     "a transaction is committed, the next one follows"},
    {PHASE_PURGING, EVENT_PHASE_DONE, 0, 0, PHASE_COMPLETE, KEEPS, ACTION_NONE,
     "what was hidden is gone"},
    {PHASE_PURGING, EVENT_TRY_FAILED, 0, COMMITTED, PHASE_HIDDEN, KEEPS, ACTION_UNFENCE,
     "the lock was not to be had: it stays hidden until the next try"},
    {PHASE_PURGING, EVENT_TRY_FAILED, COMMITTED, 0, PHASE_PURGING, KEEPS, ACTION_BACK_OFF,
     "the lock was not to be had; part of the purge is committed"},
    {PHASE_PURGING, EVENT_STEP_FAILED, 0, COMMITTED, PHASE_HIDDEN, FAILS, ACTION_UNFENCE,
     "nothing is committed: it stays hidden"},
    {PHASE_PURGING, EVENT_STEP_FAILED, COMMITTED, 0, PHASE_PURGING, FAILS, ACTION_NONE,
     "part of the purge is committed: it stays where it is"},
    {PHASE_PURGING, EVENT_RECOVERED, 0, COMMITTED, PHASE_HIDDEN, KEEPS, ACTION_UNFENCE,
     "nothing is committed: the gate is asked again"},
    {PHASE_PURGING, EVENT_RECOVERED, COMMITTED, 0, PHASE_PURGING, KEEPS, ACTION_VERIFY,
     "part of the purge is committed: it goes on after verification"},
    {PHASE_PURGING, EVENT_APPROVE, 0, 0, PHASE_PURGING, KEEPS, ACTION_NONE, "approved"},
    {PHASE_PURGING, EVENT_PAUSE, 0, 0, PHASE_PURGING, KEEPS, ACTION_NONE,
     "paused after the running transaction"},
    {PHASE_PURGING, EVENT_RESUME, 0, 0, PHASE_PURGING, KEEPS, ACTION_NONE, "resumed"},
    {PHASE_PURGING, EVENT_RETRY, FAILED, 0, PHASE_PURGING, CLEARS, ACTION_VERIFY,
     "it goes on at the failed step, after verification"},
    {PHASE_PURGING, EVENT_RESTORE, COMMITTED, 0, PHASE_PURGING, KEEPS, REFUSE,
     "part of what was hidden is gone already"},
    {PHASE_PURGING, EVENT_RESTORE, 0, 0, PHASE_PURGING, KEEPS, REFUSE,
     "its purge is being tried at this moment: pause it, then ask again"},
    {PHASE_PURGING, EVENT_UNDO, 0, 0, PHASE_PURGING, KEEPS, REFUSE,
     "its contract is done, and its purge has begun"},
    {PHASE_PURGING, EVENT_CANCEL, RUNNING, 0, PHASE_PURGING, KEEPS, ACTION_CANCEL_TRY,
     "the running statement is cancelled"},
    {PHASE_PURGING, EVENT_CANCEL, 0, 0, PHASE_PURGING, KEEPS, REFUSE,
     "nothing of it runs at this moment: pause it instead"},

    {PHASE_RESTORING, EVENT_STEP_DONE, 0, 0, PHASE_RESTORING, KEEPS, ACTION_RUN,
     "a transaction is committed, the next one follows"},
    {PHASE_RESTORING, EVENT_PHASE_DONE, 0, 0, PHASE_EXPANDED, KEEPS, ACTION_NONE,
     "all of it is back: the floor falls, and older code may start again"},
    {PHASE_RESTORING, EVENT_TRY_FAILED, 0, 0, PHASE_RESTORING, KEEPS, ACTION_BACK_OFF,
     "the lock was not to be had; nothing is held until the next try"},
    {PHASE_RESTORING, EVENT_STEP_FAILED, 0, COMMITTED, PHASE_HIDDEN, FAILS, ACTION_NONE,
     "nothing is committed: it stays hidden"},
    {PHASE_RESTORING, EVENT_STEP_FAILED, COMMITTED, 0, PHASE_RESTORING, FAILS, ACTION_NONE,
     "part of it is back: it stays where it is"},
    {PHASE_RESTORING, EVENT_RECOVERED, 0, 0, PHASE_RESTORING, KEEPS, ACTION_RUN,
     "it goes on at the first step that is not committed"},
    {PHASE_RESTORING, EVENT_APPROVE, 0, 0, PHASE_RESTORING, KEEPS, ACTION_NONE, "approved"},
    {PHASE_RESTORING, EVENT_PAUSE, 0, 0, PHASE_RESTORING, KEEPS, REFUSE,
     "it is paused once it is restored"},
    {PHASE_RESTORING, EVENT_RESUME, 0, 0, PHASE_RESTORING, KEEPS, REFUSE,
     "it is being restored, and stays paused so that the contract does not run at once: resume it then"},
    {PHASE_RESTORING, EVENT_RETRY, FAILED, 0, PHASE_RESTORING, CLEARS, ACTION_RUN,
     "it goes on at the failed step"},
    {PHASE_RESTORING, EVENT_RESTORE, FAILED, 0, PHASE_RESTORING, CLEARS, ACTION_RUN,
     "it goes on at the failed step"},
    {PHASE_RESTORING, EVENT_RESTORE, 0, 0, PHASE_RESTORING, KEEPS, ACTION_NONE,
     "it is being restored already"},
    {PHASE_RESTORING, EVENT_UNDO, 0, 0, PHASE_RESTORING, KEEPS, REFUSE,
     "it is being restored: undo it then"},
    {PHASE_RESTORING, EVENT_CANCEL, RUNNING, 0, PHASE_RESTORING, KEEPS, ACTION_CANCEL_TRY,
     "the running statement is cancelled"},
    {PHASE_RESTORING, EVENT_CANCEL, 0, COMMITTED, PHASE_HIDDEN, CLEARS, ACTION_NONE,
     "the restore is taken back before it began"},
    {PHASE_RESTORING, EVENT_CANCEL, 0, 0, PHASE_RESTORING, KEEPS, REFUSE,
     "part of it is back: wait for its end, or retry it"},

    {PHASE_COMPLETE, EVENT_RECOVERED, 0, 0, PHASE_COMPLETE, KEEPS, ACTION_NONE, "it is done"},
    {PHASE_COMPLETE, EVENT_UNDO, CONTRACT, 0, PHASE_COMPLETE, KEEPS, REFUSE,
     "its contract is done, and what it dropped is gone: submit a migration that adds it again"},
    {PHASE_COMPLETE, EVENT_UNDO, NEWEST | HAS_UNDO, CONTRACT, PHASE_UNDOING, CLEARS, ACTION_NONE,
     "the undo waits for its gate"},
    {PHASE_COMPLETE, EVENT_UNDO, 0, NEWEST, PHASE_COMPLETE, KEEPS, REFUSE,
     "a later version builds on it: only the newest can be undone"},

    {PHASE_UNDOING, EVENT_GATE_OPEN, 0, FAILED | FENCED, PHASE_UNDOING, KEEPS, ACTION_FENCE,
     "no hold is left: admission for it closes, then PostgreSQL is asked again"},
    {PHASE_UNDOING, EVENT_VERIFIED, 0, 0, PHASE_UNDOING, KEEPS, ACTION_RUN,
     "PostgreSQL agrees behind the fence"},
    {PHASE_UNDOING, EVENT_HOLD_FOUND, 0, COMMITTED, PHASE_UNDOING, KEEPS, ACTION_UNFENCE,
     "somebody needs the new shape after all: admission opens again"},
    {PHASE_UNDOING, EVENT_HOLD_FOUND, COMMITTED, 0, PHASE_UNDOING, KEEPS, ACTION_BACK_OFF,
     "part of the undo is committed: admission stays closed while it waits"},
    {PHASE_UNDOING, EVENT_STEP_DONE, 0, 0, PHASE_UNDOING, KEEPS, ACTION_RUN,
     "a transaction is committed, the next one follows"},
    {PHASE_UNDOING, EVENT_PHASE_DONE, 0, 0, PHASE_UNDONE, KEEPS, ACTION_NONE,
     "it is served no longer, and never again"},
    {PHASE_UNDOING, EVENT_TRY_FAILED, 0, COMMITTED, PHASE_UNDOING, KEEPS, ACTION_UNFENCE,
     "the lock was not to be had: admission is open until the next try"},
    {PHASE_UNDOING, EVENT_TRY_FAILED, COMMITTED, 0, PHASE_UNDOING, KEEPS, ACTION_BACK_OFF,
     "the lock was not to be had; part of the undo is committed"},
    {PHASE_UNDOING, EVENT_STEP_FAILED, 0, COMMITTED, BEFORE_UNDO, FAILS, ACTION_UNFENCE,
     "nothing is committed: as if it had not begun"},
    {PHASE_UNDOING, EVENT_STEP_FAILED, COMMITTED, 0, PHASE_UNDOING, FAILS, ACTION_NONE,
     "part of the undo is committed: it stays where it is"},
    {PHASE_UNDOING, EVENT_RECOVERED, 0, COMMITTED, PHASE_UNDOING, KEEPS, ACTION_UNFENCE,
     "nothing is committed: the gate is asked again"},
    {PHASE_UNDOING, EVENT_RECOVERED, COMMITTED, 0, PHASE_UNDOING, KEEPS, ACTION_VERIFY,
     "part of the undo is committed: it goes on after verification"},
    {PHASE_UNDOING, EVENT_APPROVE, 0, 0, PHASE_UNDOING, KEEPS, ACTION_NONE, "approved"},
    {PHASE_UNDOING, EVENT_PAUSE, 0, 0, PHASE_UNDOING, KEEPS, ACTION_NONE,
     "paused after the running transaction"},
    {PHASE_UNDOING, EVENT_RESUME, 0, 0, PHASE_UNDOING, KEEPS, ACTION_NONE, "resumed"},
    {PHASE_UNDOING, EVENT_UNDO, 0, 0, PHASE_UNDOING, KEEPS, ACTION_NONE, "it is being undone already"},
    {PHASE_UNDOING, EVENT_RETRY, FAILED, 0, PHASE_UNDOING, CLEARS, ACTION_VERIFY,
     "it goes on at the failed step, after verification"},
    {PHASE_UNDOING, EVENT_CANCEL, RUNNING, 0, PHASE_UNDOING, KEEPS, ACTION_CANCEL_TRY,
     "the running statement is cancelled"},
    {PHASE_UNDOING, EVENT_CANCEL, SERVED, COMMITTED | FENCED, BEFORE_UNDO, CLEARS, ACTION_NONE,
     "the undo is taken back before it began"},
    {PHASE_UNDOING, EVENT_CANCEL, 0, COMMITTED | FENCED, BEFORE_UNDO, FAILS, ACTION_NONE,
     "the undo is taken back before it began"},
    {PHASE_UNDOING, EVENT_CANCEL, 0, 0, PHASE_UNDOING, KEEPS, REFUSE,
     "the undo has begun: pause it, or wait for its end"},

    {PHASE_UNDONE, EVENT_RECOVERED, 0, 0, PHASE_UNDONE, KEEPS, ACTION_NONE, "it is done"},

    {PHASE_CANCELLED, EVENT_RECOVERED, 0, 0, PHASE_CANCELLED, KEEPS, ACTION_NONE, "it is done"},
    {PHASE_CANCELLED, EVENT_CORRECTED, 0, 0, PHASE_QUEUED, CLEARS, ACTION_NONE,
     "nothing of it has run: the corrected plan takes its place"},
    {PHASE_CANCELLED, EVENT_CANCEL, 0, 0, PHASE_CANCELLED, KEEPS, ACTION_NONE,
     "it is cancelled already"},
};

#define ROW_COUNT (sizeof rows / sizeof *rows)

static const char *const phase_names[PHASES + 1] = {
    "queued",  "expanding", "backfilling", "expanded", "contracting", "hidden",
    "purging", "restoring", "complete",    "undoing",  "undone",      "cancelled",
    "(before the undo)"};

static const char *const action_names[MACHINE_ACTIONS + 1] = {
    "none", "run", "fence", "verify", "unfence", "back-off", "cancel-try", "refuse"};

static const char *const effect_names[] = {"", "failed", "clears failure"};

static const char *const fact_names[FACT_BITS] = {"backfill", "contract", "undo section",
                                                  "committed", "failed",   "running",
                                                  "newest",    "fenced",   "served",
                                                  "hides",     "floor",    "trying"};

/* The name of each event, and what is said where no row takes it. */
static const struct {
    const char *name, *refusal;
} events[MACHINE_EVENTS] = {
    [EVENT_TURN] = {"turn", "it is not its turn"},
    [EVENT_GATE_OPEN] = {"gate-open", "it has no gate to pass now"},
    [EVENT_HOLD_FOUND] = {"hold-found", "nothing is being verified"},
    [EVENT_VERIFIED] = {"verified", "nothing is being verified"},
    [EVENT_STEP_DONE] = {"step-done", "nothing of it is running"},
    [EVENT_PHASE_DONE] = {"phase-done", "nothing of it is running"},
    [EVENT_TRY_FAILED] = {"try-failed", "nothing of it is running"},
    [EVENT_STEP_FAILED] = {"step-failed", "nothing of it is running"},
    [EVENT_RECOVERED] = {"recovered", "there is nothing to recover"},
    [EVENT_CORRECTED] = {"corrected",
                         "only what was cancelled, or failed before anything was committed, can be "
                         "submitted again with another text: use a new version"},
    [EVENT_APPROVE] = {"approve", "it has ended: there is nothing to approve"},
    [EVENT_PAUSE] = {"pause", "it has ended: there is nothing to pause"},
    [EVENT_RESUME] = {"resume", "it has ended: there is nothing to resume"},
    [EVENT_RETRY] = {"retry", "it has not failed"},
    [EVENT_UNDO] = {"undo", "there is nothing to undo, or its file has no undo section"},
    [EVENT_RESTORE] = {"restore", "nothing of it is hidden: only what a contract with keep_hours has hidden "
                                  "can be restored"},
    [EVENT_CANCEL] = {"cancel", "it has ended: there is nothing to cancel"},
};

const char *phase_name(enum phase phase)
{
    return phase_names[phase];
}

bool phase_parse(const char *name, enum phase *phase)
{
    for (enum phase p = 0; p < PHASES; p++) {
        if (strcmp(phase_names[p], name) == 0) {
            *phase = p;
            return true;
        }
    }
    return false;
}

const char *machine_event_name(enum machine_event event)
{
    return events[event].name;
}

const char *machine_action_name(enum machine_action action)
{
    return action_names[action];
}

bool phase_is_final(enum phase phase)
{
    return phase == PHASE_COMPLETE || phase == PHASE_UNDONE || phase == PHASE_CANCELLED;
}

bool phase_is_expanded(enum phase phase)
{
    return phase >= PHASE_EXPANDED && phase <= PHASE_COMPLETE;
}

bool phase_is_contracted(enum phase phase)
{
    return phase == PHASE_HIDDEN || phase == PHASE_PURGING || phase == PHASE_COMPLETE;
}

static const struct row *find_row(enum phase phase, enum machine_event event, unsigned facts)
{
    for (size_t i = 0; i < ROW_COUNT; i++) {
        const struct row *row = &rows[i];
        if (row->phase == phase && row->event == event && (facts & row->with) == row->with &&
            (facts & row->without) == 0)
            return row;
    }
    return NULL;
}

bool machine_next(struct machine_position at, enum machine_event event, unsigned facts,
                  struct machine_step *step, const char **refusal)
{
    const struct row *row = find_row(at.phase, event, facts);

    if (!row || row->action == REFUSE) {
        *refusal = row ? row->comment : events[event].refusal;
        return false;
    }
    *step = (struct machine_step){
        .next = row->next == BEFORE_UNDO ? at.origin : row->next,
        .fails = row->effect == FAILS,
        .clears = row->effect == CLEARS,
        .action = row->action,
        .comment = row->comment,
    };
    return true;
}

static void print_facts(FILE *out, const struct row *row)
{
    const char *separator = "";
    for (unsigned bit = 0; bit < FACT_BITS; bit++) {
        if (!((row->with | row->without) & (1u << bit)))
            continue;
        fprintf(out, "%s%s%s", separator, row->without & (1u << bit) ? "not " : "", fact_names[bit]);
        separator = ", ";
    }
}

void machine_print_table(FILE *out)
{
    for (size_t i = 0; i < ROW_COUNT; i++) {
        const struct row *row = &rows[i];
        fprintf(out, "%s\t%s\t", phase_names[row->phase], events[row->event].name);
        print_facts(out, row);
        fprintf(out, "\t%s\t%s\t%s\t%s\n", row->action == REFUSE ? "-" : phase_names[row->next],
                effect_names[row->effect], action_names[row->action], row->comment);
    }
}

void machine_print_diagram(FILE *out)
{
    fputs("stateDiagram-v2\n    [*] --> queued\n", out);
    for (size_t i = 0; i < ROW_COUNT; i++) {
        const struct row *row = &rows[i];
        if (row->action == REFUSE || row->next == row->phase)
            continue;
        if (row->next == BEFORE_UNDO)
            fprintf(out, "    undoing --> expanded: %s", events[row->event].name);
        else
            fprintf(out, "    %s --> %s: %s", phase_names[row->phase], phase_names[row->next],
                    events[row->event].name);
        if (row->with | row->without) {
            fputs(" [", out);
            print_facts(out, row);
            fputc(']', out);
        }
        fputc('\n', out);
    }
    for (enum phase phase = 0; phase < PHASES; phase++)
        if (phase_is_final(phase))
            fprintf(out, "    %s --> [*]\n", phase_names[phase]);
}
