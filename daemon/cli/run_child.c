/* Starting, signalling and reaping the command. */
#include "run_child.h"

#include <schemagate/base/memory.h>
#include <schemagate/cli/cli.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

/* Signals that a fault of our own raises: blocking them would only hide it. */
static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT};

/* Calls visit for each number that names an entry of a /proc directory. */
static void each_number(const char *directory, void (*visit)(void *context, int number),
                        void *context)
{
    DIR *entries = opendir(directory);
    if (!entries)
        return;
    const struct dirent *entry;
    while ((entry = readdir(entries))) {
        char *end;
        long number = strtol(entry->d_name, &end, 10);
        if (!*end && number >= 0 && number != dirfd(entries))
            visit(context, (int)number);
    }
    closedir(entries);
}

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
    *child = (struct run_child){.terminal = -1};
    open_standard_descriptors();
    each_number("/proc/self/fd", remember_descriptor, child);
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

/* In the new process; only calls that are safe after fork. */
static _Noreturn void become_command(const struct run_child *child, pid_t parent, char **command,
                                     char **environment, int failure_fd)
{
    setpgid(0, 0);
    if (child->terminal >= 0)
        tcsetpgrp(child->terminal, getpid());
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(CLI_FAILED); /* the wrapper died before the line above could see it */
    for (int number = 1; number <= SIGRTMAX; number++)
        signal(number, SIG_DFL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    execvpe(command[0], command, environment);
    int error = errno;
    (void)!write(failure_fd, &error, sizeof(error));
    _exit(CLI_NOT_FOUND);
}

static int explain_failure(const char *command, int error)
{
    int code = error == ENOENT ? CLI_NOT_FOUND : CLI_NOT_EXECUTABLE;
    fprintf(stderr, "schemagate run: cannot run \"%s\": %s\n  next: check the command after --\n",
            command, strerror(error));
    return code;
}

int run_child_start(struct run_child *child, char **command, char **environment, int lock_fd)
{
    int failure[2];
    if (pipe2(failure, O_CLOEXEC) != 0)
        return explain_failure(command[0], errno);
    child->terminal = find_terminal();
    each_number("/proc/self/fd", close_on_exec, &(struct hand_on){child, lock_fd});
    pid_t parent = getpid();
    child->pid = fork();
    if (child->pid == 0)
        become_command(child, parent, command, environment, failure[1]);
    int error = child->pid < 0 ? errno : 0;
    close(failure[1]);
    if (child->pid > 0) {
        setpgid(child->pid, child->pid); /* both sides do it: whoever is first */
        if (read(failure[0], &error, sizeof(error)) == (ssize_t)sizeof(error))
            waitpid(child->pid, NULL, 0);
    }
    close(failure[0]);
    if (!error)
        return 0;
    child->pid = 0;
    return explain_failure(command[0], error);
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

enum run_reaped run_child_reap(struct run_child *child)
{
    enum run_reaped reaped = REAPED_NOTHING;
    int status;
    pid_t pid;
    while ((pid = waitpid(-1, &status, WNOHANG | WUNTRACED)) > 0) {
        if (WIFSTOPPED(status)) {
            if (pid == child->pid)
                stop_along(child);
            continue;
        }
        if (pid == child->pid && !child->exited) {
            child->exited = true;
            child->exit_code = WIFSIGNALED(status) ? CLI_SIGNAL + WTERMSIG(status)
                                                   : WEXITSTATUS(status);
            reaped = REAPED_MAIN;
        } else if (reaped == REAPED_NOTHING) {
            reaped = REAPED_SOME;
        }
    }
    return pid < 0 && errno == ECHILD && child->exited ? REAPED_ALL : reaped;
}

void run_child_signal_group(const struct run_child *child, int signal)
{
    if (child->pid > 0)
        kill(-child->pid, signal);
}

/* True if the process's parent is this one. */
static bool is_our_child(int pid)
{
    char path[64], text[512];
    snprintf(path, sizeof(path), "/proc/%d/stat", pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
    if (fd >= 0)
        close(fd);
    if (length <= 0)
        return false;
    text[length] = '\0';
    /* "pid (name) state ppid …": the name may hold anything, a parenthesis too. */
    const char *name_end = strrchr(text, ')');
    int parent;
    return name_end && sscanf(name_end + 1, " %*c %d", &parent) == 1 && parent == getpid();
}

struct addressee {
    const struct run_child *child;
    int signal;
};

static void signal_if_ours(void *context, int pid)
{
    const struct addressee *addressee = context;
    if (pid > 1 && is_our_child(pid) && getpgid(pid) != addressee->child->pid)
        kill(pid, addressee->signal);
}

void run_child_signal_all(const struct run_child *child, int signal)
{
    run_child_signal_group(child, signal);
    each_number("/proc", signal_if_ours, &(struct addressee){child, signal});
}

void run_child_close(struct run_child *child)
{
    if (child->terminal >= 0)
        tcsetpgrp(child->terminal, getpgrp()); /* SIGTTOU is blocked: this cannot stop us */
    free(child->inherited);
    *child = (struct run_child){.terminal = -1};
}
