/* Starting the command, and its end whatever becomes of the wrapper. */
#include "run_guard.h"

#include "run_tree.h"

#include <schemagate/base/child.h>
#include <schemagate/base/clock.h>
#include <schemagate/cli/cli.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define KILL_AGAIN_MS 20

struct guard {
    const struct guard_task *task;
    pid_t wrapper, command;
    int children, timer; /* signalfd of SIGCHLD, timerfd on CLOCK_BOOTTIME */
    int64_t moment_ms;
    bool killing;
};

/* ---- the command ---- */

/* In the new process; only calls that are safe after fork. */
static _Noreturn void become_command(const struct guard_task *task, pid_t parent, int failure_fd)
{
    setpgid(0, 0);
    if (task->terminal >= 0)
        tcsetpgrp(task->terminal, getpid());
    child_begin(parent);
    execvpe(task->command[0], task->command, task->environment);
    int error = errno;
    (void)!write(failure_fd, &error, sizeof(error));
    _exit(CLI_NOT_FOUND);
}

/* Returns 0, or errno. */
static int start_command(struct guard *guard)
{
    int failure[2], error = 0;
    pid_t parent = getpid();
    if (pipe2(failure, O_CLOEXEC) != 0)
        return errno;
    guard->command = fork();
    if (guard->command == 0)
        become_command(guard->task, parent, failure[1]);
    if (guard->command < 0)
        error = errno;
    close(failure[1]);
    if (guard->command > 0) {
        setpgid(guard->command, guard->command); /* both sides do it: whoever is first */
        if (read(failure[0], &error, sizeof(error)) == (ssize_t)sizeof(error))
            waitpid(guard->command, NULL, 0);
    }
    close(failure[0]);
    return error;
}

/* ---- telling the wrapper ---- */

static void report(const struct guard *guard, enum guard_news news, int value)
{
    const struct guard_report report = {news, value};
    (void)!write(guard->task->report_fd, &report, sizeof(report)); /* one that died hears nothing */
    if (getppid() == guard->wrapper)
        kill(guard->wrapper, SIGCHLD);
}

/* False: nothing is left. */
static bool reap(struct guard *guard)
{
    int status;
    pid_t pid;
    while ((pid = waitpid(-1, &status, WNOHANG | WUNTRACED)) > 0) {
        if (WIFSTOPPED(status)) {
            if (pid == guard->command)
                report(guard, GUARD_STOPPED, 0);
        } else if (pid == guard->command) {
            guard->command = 0;
            report(guard, GUARD_EXITED, status);
        } else {
            report(guard, GUARD_REAPED, 0);
        }
    }
    return pid == 0 || errno != ECHILD;
}

/* ---- its end ---- */

static void begin_killing(struct guard *guard, const char *why)
{
    if (!guard->killing)
        dprintf(STDERR_FILENO,
                "schemagate run: the guard of process %d ends the command and all that it started: %s\n",
                (int)guard->wrapper, why);
    guard->killing = true;
}

static void arm(const struct guard *guard)
{
    struct itimerspec when = {.it_value = {guard->moment_ms / 1000, guard->moment_ms % 1000 * 1000000}};
    timerfd_settime(guard->timer, TFD_TIMER_ABSTIME, &when, NULL);
}

/* The newest moment counts; the end of the pipe is the end of the wrapper. */
static void take_moments(struct guard *guard)
{
    int64_t moment;
    ssize_t length;
    while ((length = read(guard->task->moments_fd, &moment, sizeof(moment))) == (ssize_t)sizeof(moment))
        guard->moment_ms = moment;
    if (length == 0)
        begin_killing(guard, "the wrapper has died");
    arm(guard);
}

static void look_at_the_clock(struct guard *guard)
{
    if (guard->moment_ms && clock_sample().boot_ms >= guard->moment_ms)
        begin_killing(guard, "its lease ends, and the wrapper has not acted (--on-lost exit)");
}

/* What the wrapper has open would be kept open by a second process. */
static void close_unneeded(void *context, int fd)
{
    const struct guard *guard = context;
    const struct guard_task *task = guard->task;
    if (fd > STDERR_FILENO && fd != task->lock_fd && fd != task->report_fd && fd != task->moments_fd &&
        fd != guard->children && fd != guard->timer)
        close(fd);
}

static void wait_for_something(const struct guard *guard)
{
    struct pollfd sources[] = {{.fd = guard->children, .events = POLLIN},
                               {.fd = guard->timer, .events = POLLIN},
                               {.fd = guard->killing ? -1 : guard->task->moments_fd, .events = POLLIN}};
    struct signalfd_siginfo info;
    uint64_t times;
    poll(sources, sizeof(sources) / sizeof(sources[0]), guard->killing ? KILL_AGAIN_MS : -1);
    while (read(guard->children, &info, sizeof(info)) > 0)
        ;
    (void)!read(guard->timer, &times, sizeof(times));
}

_Noreturn void guard_run(const struct guard_task *task)
{
    struct guard guard = {.task = task, .wrapper = getppid(), .moment_ms = task->moment_ms};
    sigset_t child;

    setpgid(0, 0); /* what stops or ends the wrapper's group spares the guard */
    prctl(PR_SET_NAME, "schemagate-grd");
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    int error = start_command(&guard);
    report(&guard, error ? GUARD_FAILED : GUARD_STARTED, error ? error : (int)guard.command);
    if (error)
        _exit(CLI_FAILED);
    const pid_t group = guard.command;
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    guard.children = signalfd(-1, &child, SFD_NONBLOCK | SFD_CLOEXEC);
    guard.timer = timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK | TFD_CLOEXEC);
    tree_each_number("/proc/self/fd", close_unneeded, &guard);
    arm(&guard);
    while (reap(&guard)) {
        if (guard.killing)
            tree_signal(&(struct tree){.group = guard.command ? group : 0, .parent = getpid()}, SIGKILL);
        wait_for_something(&guard);
        take_moments(&guard);
        look_at_the_clock(&guard);
    }
    _exit(CLI_DONE);
}
