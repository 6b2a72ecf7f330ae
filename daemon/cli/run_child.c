/* Starting, signalling and reaping the command. */
#include "run_child.h"

#include "run_guard.h"
#include "run_tree.h"

#include <schemagate/base/memory.h>
#include <schemagate/cli/cli.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define START_LOOK_MS 500

/* Signals that a fault of our own raises: blocking them would only hide it. */
static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT};

static void remember_descriptor(void *context, int fd)
{
    struct run_child *child = context;
    if (fcntl(fd, F_GETFD) < 0)
        return;
    child->inherited = memory_grow(child->inherited, child->inherited_count + 1,
                                   sizeof(*child->inherited));
    child->inherited[child->inherited_count++] = fd;
}

static void open_standard_descriptors(void)
{
    for (int fd = 0; fd <= 2; fd++)
        if (fcntl(fd, F_GETFD) < 0)
            (void)!open("/dev/null", O_RDWR); /* takes the lowest free number: this one */
}

int run_child_prepare(struct run_child *child)
{
    *child = (struct run_child){.terminal = -1, .report_fd = -1, .moments_fd = -1};
    open_standard_descriptors();
    tree_each_number("/proc/self/fd", remember_descriptor, child);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    sigset_t set;
    sigfillset(&set);
    for (size_t n = 0; n < sizeof(faults) / sizeof(faults[0]); n++)
        sigdelset(&set, faults[n]);
    signal(SIGCHLD, SIG_DFL); /* where it is ignored, there is nothing to wait for */
    sigprocmask(SIG_SETMASK, &set, NULL);
    return signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

/* What nobody handed to us is not handed on: libraries open descriptors too. */
struct hand_on {
    const struct run_child *child;
    int lock_fd;
};

static void close_on_exec(void *context, int fd)
{
    const struct hand_on *what = context;
    for (size_t n = 0; n < what->child->inherited_count; n++)
        if (what->child->inherited[n] == fd)
            return;
    if (fd != what->lock_fd)
        fcntl(fd, F_SETFD, FD_CLOEXEC);
}

/* The terminal, if we are the ones who may use it now. */
static int find_terminal(void)
{
    return isatty(STDIN_FILENO) && tcgetpgrp(STDIN_FILENO) == getpgrp() ? STDIN_FILENO : -1;
}

static int explain_failure(const char *command, int error)
{
    int code = error == ENOENT ? CLI_NOT_FOUND : CLI_NOT_EXECUTABLE;
    fprintf(stderr, "schemagate run: cannot run \"%s\": %s\n  next: check the command after --\n",
            command, strerror(error));
    return code;
}

/* Sets *report to the guard's next news; false where there is none. */
static bool next_news(const struct run_child *child, struct guard_report *report)
{
    return child->report_fd >= 0 &&
           read(child->report_fd, report, sizeof(*report)) == (ssize_t)sizeof(*report);
}

/* The first news: 0, or an errno. */
static int await_start(struct run_child *child)
{
    struct pollfd source = {.fd = child->report_fd, .events = POLLIN};
    struct guard_report report;
    while (poll(&source, 1, START_LOOK_MS) == 0)
        kill(child->guard, SIGCONT); /* should somebody have stopped it */
    if (!next_news(child, &report))
        return EAGAIN; /* the guard could not be had, or was killed */
    if (report.news == GUARD_FAILED)
        return report.value;
    child->pid = (pid_t)report.value;
    return 0;
}

static void forget_guard(struct run_child *child)
{
    child->guard = 0;
    if (child->report_fd >= 0)
        close(child->report_fd);
    if (child->moments_fd >= 0)
        close(child->moments_fd);
    child->report_fd = child->moments_fd = -1;
}

/* A start that has failed leaves nothing behind. */
static void end_children(void)
{
    do
        tree_signal(&(struct tree){.parent = getpid()}, SIGKILL);
    while (waitpid(-1, NULL, 0) > 0);
}

int run_child_start(struct run_child *child, char **command, char **environment, int lock_fd)
{
    int reports[2], moments[2];
    if (pipe2(reports, O_CLOEXEC | O_NONBLOCK) != 0)
        return explain_failure(command[0], errno);
    if (pipe2(moments, O_CLOEXEC | O_NONBLOCK) != 0) {
        close(reports[0]);
        close(reports[1]);
        return explain_failure(command[0], errno);
    }
    child->terminal = find_terminal();
    tree_each_number("/proc/self/fd", close_on_exec, &(struct hand_on){child, lock_fd});
    child->guard = fork();
    if (child->guard == 0)
        guard_run(&(struct guard_task){.command = command,
                                       .environment = environment,
                                       .terminal = child->terminal,
                                       .lock_fd = lock_fd,
                                       .report_fd = reports[1],
                                       .moments_fd = moments[0],
                                       .moment_ms = child->moment_ms});
    int error = child->guard < 0 ? errno : 0;
    close(reports[1]);
    close(moments[0]);
    child->report_fd = reports[0];
    child->moments_fd = moments[1];
    if (!error)
        error = await_start(child);
    if (!error)
        return 0;
    end_children();
    forget_guard(child);
    return explain_failure(command[0], error);
}

void run_child_end_by(struct run_child *child, int64_t moment_ms)
{
    child->moment_ms = moment_ms;
    if (child->moments_fd >= 0) /* a guard that stands still ends the command too early, not too late */
        (void)!write(child->moments_fd, &moment_ms, sizeof(moment_ms));
}

/* Ctrl-Z reached the command alone: the shell that waits for us must see us stop as well. What
 * continues us is forwarded to the command like any other signal. */
static void stop_along(const struct run_child *child)
{
    if (child->terminal < 0 || getsid(0) == getpid())
        return;
    tcsetpgrp(child->terminal, getpgrp());
    kill(getpid(), SIGSTOP);
    if (tcgetpgrp(child->terminal) == getpgrp())
        tcsetpgrp(child->terminal, child->pid);
}

static void note_exit(struct run_child *child, int status, enum run_reaped *reaped)
{
    if (child->exited)
        return;
    child->exited = true;
    child->exit_code = WIFSIGNALED(status) ? CLI_SIGNAL + WTERMSIG(status) : WEXITSTATUS(status);
    *reaped = REAPED_MAIN;
}

static void note_some(enum run_reaped *reaped)
{
    if (*reaped == REAPED_NOTHING)
        *reaped = REAPED_SOME;
}

static void read_news(struct run_child *child, enum run_reaped *reaped)
{
    struct guard_report report;
    while (next_news(child, &report)) {
        if (report.news == GUARD_EXITED)
            note_exit(child, report.value, reaped);
        else if (report.news == GUARD_STOPPED)
            stop_along(child);
        else
            note_some(reaped);
    }
}

/* A guard ends when nothing of the tree is left. One that was killed has taken the command along, and what
 * the command has left behind is ours now. */
static void note_guard_end(struct run_child *child, int status, enum run_reaped *reaped)
{
    read_news(child, reaped);
    if (WIFSIGNALED(status)) {
        fprintf(stderr, "schemagate run: the guard beside the command was killed, and the command with it\n");
        note_exit(child, status, reaped);
    }
    forget_guard(child);
}

enum run_reaped run_child_reap(struct run_child *child)
{
    enum run_reaped reaped = REAPED_NOTHING;
    int status;
    pid_t pid;
    read_news(child, &reaped);
    while ((pid = waitpid(-1, &status, WNOHANG | WUNTRACED)) > 0) {
        if (WIFSTOPPED(status) && pid == child->guard)
            kill(pid, SIGCONT); /* the command's end is noticed by it alone */
        else if (!WIFSTOPPED(status) && pid == child->guard)
            note_guard_end(child, status, &reaped);
        else if (!WIFSTOPPED(status))
            note_some(&reaped);
    }
    return pid < 0 && errno == ECHILD && child->exited ? REAPED_ALL : reaped;
}

void run_child_signal_group(const struct run_child *child, int signal)
{
    if (child->pid > 0)
        kill(-child->pid, signal);
}

/* Its parent is the guard, or we are where the guard has died. As PID 1 we have other children as well. */
void run_child_signal_all(const struct run_child *child, int signal)
{
    tree_signal(&(struct tree){.group = child->pid,
                               .parent = child->guard ? child->guard : getpid()},
                signal);
    if (child->guard)
        tree_signal(&(struct tree){.parent = getpid(), .spared = child->guard}, signal);
}

void run_child_close(struct run_child *child)
{
    if (child->terminal >= 0)
        tcsetpgrp(child->terminal, getpgrp()); /* SIGTTOU is blocked: this cannot stop us */
    free(child->inherited);
    forget_guard(child);
    *child = (struct run_child){.terminal = -1, .report_fd = -1, .moments_fd = -1};
}
