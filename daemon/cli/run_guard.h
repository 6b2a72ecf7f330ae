/* The guard: a small process between the wrapper and the command. It is the command's parent and the reaper
 * of all that the command leaves behind, so that nothing of the tree escapes while one of the two lives:
 *
 *   - the wrapper dies: the guard kills the tree;
 *   - the wrapper stands still beyond the moment that it gave last: the guard kills the tree (docs/design.md
 *     section 3, rule 5);
 *   - the guard dies: the kernel kills the command, what else there was becomes the wrapper's, which ends it.
 *
 * It speaks with nobody but the wrapper, and ends when nothing of the tree is left. */
#ifndef SCHEMAGATE_CLI_RUN_GUARD_H
#define SCHEMAGATE_CLI_RUN_GUARD_H

#include <stdint.h>
#include <sys/types.h>

enum guard_news {
    GUARD_STARTED, /* value: the command's process; the first news, or GUARD_FAILED */
    GUARD_FAILED,  /* value: errno of what could not be run */
    GUARD_EXITED,  /* value: the command's wait status */
    GUARD_STOPPED, /* the command was stopped, from its terminal perhaps */
    GUARD_REAPED   /* something that it had left behind has ended */
};

/* Over the pipe to the wrapper; SIGCHLD says that there is something. */
struct guard_report {
    enum guard_news news;
    int value;
};

struct guard_task {
    char **command, **environment;
    int terminal;      /* handed to the command; -1: none */
    int lock_fd;       /* kept open until the tree has ended; -1: none */
    int report_fd;     /* to the wrapper */
    int moments_fd;    /* from it: int64_t, milliseconds of CLOCK_BOOTTIME; its end is the wrapper's */
    int64_t moment_ms; /* when the tree is killed unless a later moment arrives; 0: never */
};

/* In a process of its own that the wrapper has just forked, all signals blocked. */
_Noreturn void guard_run(const struct guard_task *task);

#endif
