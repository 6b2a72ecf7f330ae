/* How a statement is to be run, beside its text: what kind of work it is, which tables it locks, and where
 * it comes from. The planner writes it, the steps of a migration keep it, the executor goes by it. */
#ifndef SCHEMAGATE_PLAN_WORK_H
#define SCHEMAGATE_PLAN_WORK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum plan_kind {
    WORK_STATEMENT, /* sent as it stands */
    WORK_BATCHED,   /* in batches over the keys of batch.relation, each a transaction of its own */
    WORK_INDEX,     /* builds the index `object` CONCURRENTLY on the first of its locks: one of ours that was
                       left INVALID is dropped and built again */
    WORK_RUNNER,    /* a configured command: `object` names it, `sql` has its arguments */
    WORK_INDEX_DROP, /* drops the index `object` CONCURRENTLY */
    WORK_REINDEX,    /* rebuilds `object`, an index or a table, CONCURRENTLY */
    WORK_DETACH,     /* detaches the partition `object` CONCURRENTLY */
    WORK_KINDS
};

/* Table locks from the weakest to the strongest, as PostgreSQL orders them. */
enum plan_lock {
    LOCK_NONE,
    LOCK_ACCESS_SHARE,
    LOCK_ROW_SHARE,
    LOCK_ROW_EXCLUSIVE,
    LOCK_SHARE_UPDATE_EXCLUSIVE,
    LOCK_SHARE,
    LOCK_SHARE_ROW_EXCLUSIVE,
    LOCK_EXCLUSIVE,
    LOCK_ACCESS_EXCLUSIVE,
    PLAN_LOCKS
};

/* A table that the statement locks until its transaction ends. */
struct plan_relation_lock {
    char *relation; /* owned; quoted, qualified as it was written: resolved by to_regclass when it runs */
    enum plan_lock mode;
    bool parents; /* the tables that its foreign keys refer to are locked in the same way */
};

/* What the time depends on for which a statement runs, and with it holds its locks; from the least on. */
enum plan_effort {
    EFFORT_MOMENT,  /* it changes the catalog only */
    EFFORT_UNKNOWN, /* its text does not tell */
    EFFORT_SCAN,    /* it reads every row of the table */
    EFFORT_INDEX,   /* it builds indexes of the table */
    EFFORT_ROWS,    /* it writes rows of the table */
    EFFORT_REWRITE, /* it writes the table and its indexes anew, beside the old ones */
    PLAN_EFFORTS
};

struct plan_cost {
    enum plan_effort effort;
    char *table;         /* owned or NULL; quoted, qualified as it was written */
    int64_t rows, bytes; /* of the table, as the catalog has them when the plan is made; -1: not known */
};

/* The pieces of a statement that can run in batches. One batch over a table that `relation` stands for
 * (itself, a partition, or an heir) is
 *     head ONLY table AS alias body (predicate over its keys) tail
 * and says otherwise what its author wrote. All owned; NULL for other kinds. */
struct plan_batch {
    char *relation; /* quoted; qualified as it was written: resolved by to_regclass when it runs */
    char *alias;    /* quoted: its name in the statement */
    char *head, *body, *tail;
    char *condition; /* of the rows that it takes, as it was written; "true": it has none */
    char *into;     /* INSERT: the table that it writes, as `relation`; else NULL */
    char *assigned; /* the columns that an UPDATE sets, as PostgreSQL writes an array of text */
    char *conflict, *taken; /* in the same way, of an INSERT … ON CONFLICT that repeats: the columns of the
                       conflict, and those of `relation` that they are taken from; else NULL */
    char *calls;    /* the functions that it calls, in the same way: name, or schema.name */
    char *wide_calls; /* those that would look at rows of several batches if they were aggregates */
    bool repeats;   /* run again over all keys, it changes no row that it has changed before */
    bool only;      /* ONLY the table itself, without its heirs */
    bool one_table; /* it names a row as a whole: only the table itself has the order of its columns */
};

/* A table, view or column that is gone, or named otherwise, once the contract has run; as it was written,
 * without quotes. */
struct plan_drop {
    char *schema; /* owned; NULL: as search_path finds it */
    char *table;  /* owned */
    char *column; /* owned; NULL: the whole table */
};

struct plan_work {
    enum plan_kind kind;
    struct plan_relation_lock *locks; /* owned; each table once, with its strongest mode */
    size_t lock_count;
    char *object; /* owned or NULL: the index, or the runner */
    char *shape;  /* owned or NULL: how WORK_INDEX builds it, as far as another one can be told from it:
                     "unique btree (name, *) include (id) where"; "*" is an expression */
    struct plan_batch batch;
    unsigned source; /* the submitted statement that it stands for, 1… in the file; 0: none */
    bool generated;  /* its text is not the submitted one */
    struct plan_cost cost; /* not kept with the step: it is about the time of the plan */
    char *note;      /* owned or NULL: why it stands where it does, in one sentence */
    struct plan_drop *drops; /* owned; of a contract's statements */
    size_t drop_count;
    bool only_drops; /* the statement does nothing else, and drops nothing that is not named */
};

const char *plan_kind_name(enum plan_kind kind); /* "statement", "batched", "index", … */
const char *plan_effort_name(enum plan_effort effort); /* "moment", "scan", … */
const char *plan_lock_name(enum plan_lock lock); /* "ACCESS EXCLUSIVE"; "" for LOCK_NONE */
/* False where no kind or lock has that name. */
bool plan_kind_parse(const char *name, enum plan_kind *kind);
bool plan_lock_parse(const char *name, enum plan_lock *lock);

/* Adds a lock, or raises the one that is there. `relation` is copied. */
void plan_work_lock(struct plan_work *work, const char *relation, enum plan_lock mode);
/* The same with all that another statement's lock says. */
void plan_work_lock_as(struct plan_work *work, const struct plan_relation_lock *lock);

/* Frees what it owns and clears it. */
void plan_work_release(struct plan_work *work);

#endif
