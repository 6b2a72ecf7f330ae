/* The command: started in a process group of its own, with the terminal where there is one;
 * signalled, reaped together with all that it leaves behind. */
#ifndef SCHEMAGATE_CLI_RUN_CHILD_H
#define SCHEMAGATE_CLI_RUN_CHILD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct run_child {
    pid_t pid; /* the command's process, and its group; 0: not started */
    pid_t guard;    /* between us and the command (run_guard.h); 0: none (any more) */
    int report_fd, moments_fd; /* from the guard, and to it; -1: none */
    int64_t moment_ms; /* what it knows, or will be started with; 0: none */
    bool exited;
    int exit_code;  /* as a shell would say it: the status, or 128 + signal */
    int terminal;   /* the terminal that it was given; -1: none */
    int *inherited; /* owned; descriptors that were open before us and belong to the command */
    size_t inherited_count;
};

/* First thing of all: standard descriptors are made to exist, those that are open are remembered,
 * what descendants orphan will be ours, signals are blocked. Returns a signalfd for all that can be
 * caught. */
int run_child_prepare(struct run_child *child);

/* Starts the command with that environment; lock_fd (-1: none) is handed on too. Returns 0, or 126
 * or 127 after saying why it could not be run. */
int run_child_start(struct run_child *child, char **command, char **environment, int lock_fd);

/* The guard kills the tree at that moment of CLOCK_BOOTTIME (ms), unless another one is named before. May be
 * said before the start. */
void run_child_end_by(struct run_child *child, int64_t moment_ms);

enum run_reaped {
    REAPED_NOTHING,
    REAPED_SOME, /* descendants ended */
    REAPED_MAIN, /* the command itself ended; others are left */
    REAPED_ALL   /* nobody is left */
};

/* Collects what has ended; where the command was stopped from its terminal, stops this one too. */
enum run_reaped run_child_reap(struct run_child *child);

void run_child_signal_group(const struct run_child *child, int signal);

/* The group, and whatever else has become an orphan of the tree. */
void run_child_signal_all(const struct run_child *child, int signal);

/* Takes the terminal back. */
void run_child_close(struct run_child *child);

#endif
