/* One execution that is under way, and how it ends. */
#ifndef DB_EXECUTION_H
#define DB_EXECUTION_H

#include "state.h"

struct executor_try {
    struct database *db;
    struct execution execution; /* a copy; what it points at is the caller's until the end */
    execution_done *done;
    void *context;
    char lock_timeout[24], statement_timeout[24];
    char *changes; /* JSON */
    char *pieces, *progress, rows[24]; /* of a batch: its parameters (backfill.c) */
    bool settles;  /* the window changes: the markers of session pins follow it */
    bool cancelled;
    bool interruptible; /* submitted SQL is on its way, or runs */
    bool alone_done;    /* a statement outside of transactions has succeeded */
    bool goes_back;     /* it has failed: once the sequence is through, all is as it was before */
    bool untouched;     /* all is */
    char left[512];     /* what it has left behind, and what to do; "": nothing that is known */
    json_t *sequence;   /* owned: what is run outside of transactions, one after another; "": the submitted
                           statement. NULL: that alone */
    size_t place;       /* in the sequence */
    char version[24], number[16]; /* of the first step, as parameters */
    size_t first, sent; /* of the submitted statements in the batch; statements of the batch */
    size_t commit;      /* place of COMMIT in the batch */
    PGresult *error;    /* the one that counts, while what it left behind is tidied up */
    unsigned failed;    /* which submitted statement failed, from 1; 0: none of them */
    struct child *child; /* the command that runs; NULL: none */
    void (*child_done)(struct executor_try *try); /* after its exit code 0 */
    int64_t child_since;
    bool deallocated;    /* the SQL has taken away what its COMMIT needs */
    bool child_lost;     /* the session went away under it: it is being ended */
    double *seconds;
    size_t seconds_count;
};

struct executor_try *execution_new(struct database *db, const struct execution *execution,
                                   execution_done *done, void *context);

/* Frees the executor and the try, and answers. */
void execution_finish(struct executor_try *try, enum execution_status status);
void execution_finish_with(struct executor_try *try, struct execution_result *result);
/* With the status that try->error means. */
void execution_finish_failed(struct executor_try *try);

#endif
