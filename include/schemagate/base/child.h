/* A command as a child process on the event loop: no shell, its input written and its output kept, ended when
 * it takes too long. What it leaves in its process group ends with it; it ends with this process, and, where
 * it is guarded, all of its group does, also when this process stands still. (Who leaves the group is
 * nobody's child any more.) */
#ifndef SCHEMAGATE_BASE_CHILD_H
#define SCHEMAGATE_BASE_CHILD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct child;
struct event_base;

/* Read before child_start returns. */
struct child_command {
    const char *const *arguments;   /* the first one is the program's absolute path; NULL at the end */
    const char *const *environment; /* NAME=value; NULL at the end. Beside them it gets PATH, HOME, LANG,
                                       LC_ALL, TZ and TMPDIR, where they are not among them. */
    const char *directory;          /* to start it in; NULL or "": this process's */
    const char *input;              /* for its standard input */
    size_t input_length;
    int64_t timeout_ms;             /* 0: none */
    size_t output_max;              /* bytes kept of its output and errors, at least 1, … */
    size_t output_end;              /* … and of what comes last, behind them; the rest is dropped */
    bool guarded;                   /* a process beside it ends the whole group if this process dies, … */
    int64_t guard_ms;               /* … or does not call child_prove for so long; 0: that is not asked for */
};

struct child_end {
    int code;            /* its exit code; -1: it did not exit by itself, or was not started */
    const char *trouble; /* "could not be started: …", "was ended by signal 9", "took longer than 30 s";
                            NULL where it exited by itself */
    bool stood_still;    /* it was ended because child_prove was not called in time */
    const char *output;  /* NUL-terminated; borrowed */
};

typedef void child_done(void *context, const struct child_end *end);

/* `done` is called exactly once, from the loop, then the child is freed. */
struct child *child_start(struct event_base *base, const struct child_command *command, child_done *done,
                          void *context);

/* Tells the guard that all is well. The first guard_ms begin with the start. */
void child_prove(struct child *child);

/* Ends it at once; its end comes through `done`. */
void child_kill(struct child *child);

/* Ends it without a word: `done` is not called. */
void child_abandon(struct child *child);

/* What a process does first that `parent` has just forked: it ends with its parent, and handles and blocks no
 * signal. Safe between fork and exec. */
void child_begin(pid_t parent);

#endif
