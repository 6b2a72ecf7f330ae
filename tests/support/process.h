/* Child processes with a deadline on every wait. They die with the test program. */
#ifndef SUPPORT_PROCESS_H
#define SUPPORT_PROCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct process_options {
    const char *const *arguments;   /* end with NULL; the first is the program, found in PATH */
    const char *const *environment; /* added "NAME=value", end with NULL; "NAME" alone removes it */
    const char *user;               /* run as this user where we are root */
    const char *output, *errors;    /* files for stdout and stderr; NULL: as ours */
    int listen_fd;                  /* a listening socket handed over as systemd does; 0: none */
    int death_signal;               /* what it gets when we die; 0: SIGKILL */
    bool own_group;                 /* a process group of its own */
};

pid_t process_start(const struct process_options *options);

/* Waits for the end and returns the wait status; fails the test when the time is up. */
int process_wait(pid_t pid, int64_t patience_ms);

/* True if it has not ended yet; its status stays to be waited for. */
bool process_runs(pid_t pid);

/* Of anybody's process. False as well for one that nobody has waited for yet. */
bool process_is_alive(pid_t pid);
/* Waits until it is not. */
void process_wait_dead(pid_t pid);

/* Waits until the process is stopped (SIGSTOP). */
void process_wait_stopped(pid_t pid);
bool process_is_stopped(pid_t pid); /* or has ended */

/* Starts, waits, and returns the exit code, or 128 + the number of the signal that ended it. */
int process_run(const struct process_options *options, int64_t patience_ms);

/* The exit code that a shell would show for a wait status. */
int process_code(int status);

#endif
