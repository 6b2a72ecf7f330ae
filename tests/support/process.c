/* Starting, stopping and waiting for children. */
#include <support/process.h>

#include <support/test.h>

#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define FIRST_LISTEN_FD 3

static void become_user(const char *name)
{
    struct passwd *user = name && geteuid() == 0 ? getpwnam(name) : NULL;
    if (user && (initgroups(name, user->pw_gid) != 0 || setgid(user->pw_gid) != 0 ||
                 setuid(user->pw_uid) != 0))
        _exit(126);
}

static void redirect(const char *path, int fd)
{
    if (!path)
        return;
    int file = open(path, O_WRONLY | O_CREAT | O_APPEND, 0666);
    if (file < 0 || dup2(file, fd) < 0)
        _exit(126);
    close(file);
}

static void set_environment(const char *const *environment)
{
    for (; environment && *environment; environment++) {
        if (strchr(*environment, '='))
            putenv((char *)(uintptr_t)*environment);
        else
            unsetenv(*environment);
    }
}

static void hand_over_socket(int listen_fd)
{
    if (!listen_fd)
        return;
    char pid[16];
    snprintf(pid, sizeof pid, "%d", (int)getpid());
    setenv("LISTEN_PID", pid, 1);
    setenv("LISTEN_FDS", "1", 1);
    if (listen_fd == FIRST_LISTEN_FD)
        fcntl(listen_fd, F_SETFD, 0);
    else if (dup2(listen_fd, FIRST_LISTEN_FD) < 0)
        _exit(126);
}

static void run_child(const struct process_options *options, pid_t parent)
{
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    if (options->own_group)
        setpgid(0, 0);
    redirect(options->output, STDOUT_FILENO);
    redirect(options->errors, STDERR_FILENO);
    hand_over_socket(options->listen_fd);
    become_user(options->user);
    set_environment(options->environment);
    /* After the change of user, which would forget it. */
    prctl(PR_SET_PDEATHSIG, options->death_signal ? options->death_signal : SIGKILL);
    if (getppid() != parent)
        _exit(126);
    execvp(options->arguments[0], (char *const *)(uintptr_t)options->arguments);
    fprintf(stderr, "cannot run %s\n", options->arguments[0]);
    _exit(127);
}

pid_t process_start(const struct process_options *options)
{
    pid_t parent = getpid();
    fflush(NULL);
    pid_t pid = fork();
    if (pid < 0)
        test_fail("cannot fork");
    if (pid == 0)
        run_child(options, parent);
    return pid;
}

int process_wait(pid_t pid, int64_t patience_ms)
{
    int status = 0;
    int watch = (int)syscall(SYS_pidfd_open, pid, 0);
    if (watch < 0)
        test_fail("process %d is none of ours", (int)pid);
    struct pollfd end = {.fd = watch, .events = POLLIN};
    int ended = poll(&end, 1, (int)patience_ms);
    close(watch);
    if (ended != 1)
        test_fail("process %d did not end within %d ms", (int)pid, (int)patience_ms);
    if (waitpid(pid, &status, 0) != pid)
        test_fail("cannot wait for process %d", (int)pid);
    return status;
}

bool process_runs(pid_t pid)
{
    siginfo_t info = {0};
    if (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) != 0)
        return false;
    return info.si_pid == 0;
}

bool process_is_alive(pid_t pid)
{
    char path[64], state = 'Z';
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "re");

    if (!file)
        return false;
    if (fscanf(file, "%*d (%*[^)]) %c", &state) != 1)
        state = 'Z';
    fclose(file);
    return state != 'Z' && state != 'X';
}

void process_wait_dead(pid_t pid)
{
    int64_t end = test_now_ms() + PATIENCE_MS;

    for (; process_is_alive(pid); test_pause())
        if (test_now_ms() > end)
            test_fail("process %d lives on", (int)pid);
}

/* Of what can be waited for; it stays so. */
static bool has_changed(pid_t pid, siginfo_t *info)
{
    *info = (siginfo_t){0};
    return waitid(P_PID, (id_t)pid, info, WSTOPPED | WEXITED | WNOHANG | WNOWAIT) != 0 || info->si_pid != 0;
}

bool process_is_stopped(pid_t pid)
{
    siginfo_t info;
    return has_changed(pid, &info);
}

void process_wait_stopped(pid_t pid)
{
    int64_t deadline = test_now_ms() + PATIENCE_MS;
    siginfo_t info;
    for (; !has_changed(pid, &info); test_pause())
        if (test_now_ms() > deadline)
            test_fail("process %d was not stopped", (int)pid);
    if (info.si_code != CLD_STOPPED)
        test_fail("process %d ended and should have been stopped", (int)pid);
    waitid(P_PID, (id_t)pid, &info, WSTOPPED | WNOHANG);
}

int process_code(int status)
{
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

int process_run(const struct process_options *options, int64_t patience_ms)
{
    return process_code(process_wait(process_start(options), patience_ms));
}
