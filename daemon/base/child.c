/* Commands as child processes: fork, pipes, and a descriptor that tells of the end. */
#include <schemagate/base/child.h>

#include <schemagate/base/buf.h>
#include <schemagate/base/clock.h>
#include <schemagate/base/memory.h>

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { EXEC_FAILED = 127, READ_SIZE = 16384, REST_MAX = 1 << 20 };

struct child {
    pid_t pid; /* also its process group; -1: it could not be started */
    pid_t guard; /* the process that ends the group when this one dies; 0: none */
    int lifeline; /* the guard waits for its end, or for the end of what comes over it; -1: none */
    int64_t guard_ms, proved_boot; /* 0: nothing has to come; when something last did */
    int pidfd;
    struct event *exited, *deadline;
    struct bufferevent *input; /* NULL: all is written */
    struct bufferevent *output;
    struct buf kept, last; /* the beginning of its output; what follows, as far as it is kept */
    size_t last_max, left_out;
    int64_t timeout_ms;
    bool late;
    int start_error;
    child_done *done;
    void *context;
};

/* The only members of our own environment that a command gets: it holds secrets of the database. */
static const char *const passed_on[] = {"PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR"};

#define PASSED_ON (sizeof(passed_on) / sizeof(passed_on[0]))

static void free_environment(char **environment)
{
    for (size_t i = 0; environment[i] != NULL; i++)
        free(environment[i]);
    free(environment);
}

static bool is_set(const char *const *own, const char *name)
{
    size_t length = strlen(name);

    while (*own != NULL && (strncmp(*own, name, length) != 0 || (*own)[length] != '='))
        own++;
    return *own != NULL;
}

static char **make_environment(const char *const *own)
{
    size_t count = 0, own_count = 0;
    char **environment;

    while (own[own_count] != NULL)
        own_count++;
    environment = memory_new((own_count + PASSED_ON + 1) * sizeof(*environment));
    for (size_t i = 0; i < own_count; i++)
        environment[count++] = memory_copy(own[i]);
    for (size_t i = 0; i < PASSED_ON; i++) {
        const char *value = getenv(passed_on[i]);
        if (value != NULL && !is_set(own, passed_on[i]))
            environment[count++] = memory_printf("%s=%s", passed_on[i], value);
    }
    return environment;
}

void child_begin(pid_t parent)
{
    sigset_t none;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(EXEC_FAILED); /* it died before the line above could see it */
    for (int number = 1; number <= SIGRTMAX; number++)
        signal(number, SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

/* In the child, between fork and exec: only what is safe there. */
static void become(const struct child_command *command, pid_t parent, char *const *environment, int input,
                   int output)
{
    setpgid(0, 0);
    child_begin(parent);
    dup2(input, STDIN_FILENO);
    dup2(output, STDOUT_FILENO);
    dup2(output, STDERR_FILENO);
    close_range(STDERR_FILENO + 1, ~0u, 0);
    if (command->directory != NULL && command->directory[0] != '\0' && chdir(command->directory) != 0) {
        dprintf(STDERR_FILENO, "cannot enter %s: %s\n", command->directory, strerror(errno));
        _exit(EXEC_FAILED);
    }
    execve(command->arguments[0], (char *const *)command->arguments, environment);
    dprintf(STDERR_FILENO, "cannot run %s: %s\n", command->arguments[0], strerror(errno));
    _exit(EXEC_FAILED);
}

/* False at the end of the lifeline, or when nothing has come over it for `ms` (-1: that may be). */
static bool is_proved(int lifeline, int ms)
{
    struct pollfd end = {.fd = lifeline, .events = POLLIN};
    char bytes[64];
    int ready;

    while ((ready = poll(&end, 1, ms)) < 0 && errno == EINTR)
        ;
    return ready > 0 && read(lifeline, bytes, sizeof(bytes)) > 0;
}

/* In the guard, which is a copy of this process with nothing but the lifeline: its other end is closed by
 * the kernel however this process dies. Only what is safe between fork and exec. */
static void stand_guard(pid_t group, int lifeline, int ms)
{
    sigset_t all;

    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
    setpgid(0, 0);
    dup2(lifeline, STDIN_FILENO);
    close_range(STDIN_FILENO + 1, ~0u, 0);
    while (is_proved(STDIN_FILENO, ms))
        ;
    kill(-group, SIGKILL);
    _exit(0);
}

/* Returns 0 or an error number. */
static int set_guard(struct child *child)
{
    int ends[2];

    if (pipe2(ends, O_CLOEXEC) != 0)
        return errno;
    child->proved_boot = clock_sample().boot_ms; /* first: the guard may be quicker than this process */
    child->guard = fork();
    int error = errno;
    if (child->guard == 0)
        stand_guard(child->pid, ends[0], child->guard_ms > 0 ? (int)child->guard_ms : -1);
    close(ends[0]);
    if (child->guard < 0) {
        child->guard = 0;
        close(ends[1]);
        return error;
    }
    child->lifeline = ends[1];
    fcntl(child->lifeline, F_SETFL, O_NONBLOCK);
    return 0;
}

/* Before the child is waited for: until then nobody else can have its group's number. */
static void dismiss_guard(struct child *child)
{
    if (child->guard > 0) {
        kill(child->guard, SIGKILL);
        waitpid(child->guard, NULL, 0);
        close(child->lifeline);
        child->guard = 0;
    }
}

static void child_free(struct child *child)
{
    if (child->exited != NULL)
        event_free(child->exited);
    event_free(child->deadline);
    if (child->input != NULL)
        bufferevent_free(child->input);
    if (child->output != NULL)
        bufferevent_free(child->output);
    if (child->pidfd >= 0)
        close(child->pidfd);
    buf_free(&child->kept);
    buf_free(&child->last);
    free(child);
}

/* It is told as a text, which a zero byte would end. */
static void keep(struct child *child, char *bytes, size_t length)
{
    for (char *zero = memchr(bytes, '\0', length); zero != NULL;
         zero = memchr(zero, '\0', length - (size_t)(zero - bytes))) {
        *zero = ' ';
    }
    size_t room = child->kept.maximum - child->kept.length;
    size_t taken = length < room ? length : room;

    buf_append(&child->kept, bytes, taken);
    buf_append(&child->last, bytes + taken, length - taken);
    if (child->last.length > child->last_max) {
        size_t surplus = child->last.length - child->last_max;

        buf_consume(&child->last, surplus);
        child->left_out += surplus;
    }
}

/* The beginning and the end of its output, and how much is missing between them. */
static void join_output(struct child *child)
{
    child->kept.maximum = 0;
    if (child->last_max > 0 && child->left_out > 0)
        buf_printf(&child->kept, "\n… %zu bytes are left out …\n", child->left_out);
    buf_append(&child->kept, buf_text(&child->last), child->last.length);
}

static void take_output(struct bufferevent *output, void *context)
{
    struct child *child = context;
    struct evbuffer *input = bufferevent_get_input(output);
    char bytes[READ_SIZE];
    int got;

    while ((got = evbuffer_remove(input, bytes, sizeof(bytes))) > 0)
        keep(child, bytes, (size_t)got);
}

/* What it wrote last may still be in the pipe; what its descendants will write is nobody's. */
static void take_rest(struct child *child)
{
    int fd = bufferevent_getfd(child->output);
    char bytes[READ_SIZE];
    ssize_t got;

    take_output(child->output, child);
    for (size_t read_so_far = 0; read_so_far < REST_MAX && (got = read(fd, bytes, sizeof(bytes))) > 0;
         read_so_far += (size_t)got) {
        keep(child, bytes, (size_t)got);
    }
    join_output(child);
}

static void finish(struct child *child, int code, char *trouble, bool stood_still)
{
    struct child_end end = {.code = code, .trouble = trouble, .stood_still = stood_still,
                            .output = buf_text(&child->kept)};

    child->done(child->context, &end);
    free(trouble);
    child_free(child);
}

static bool is_overdue(const struct child *child)
{
    return child->guard_ms > 0 && clock_sample().boot_ms - child->proved_boot >= child->guard_ms;
}

static void on_exit_of_child(evutil_socket_t fd, short what, void *context)
{
    struct child *child = context;
    siginfo_t status = {0};
    char *trouble = NULL;
    int code = -1;
    bool stood_still = false;

    (void)fd;
    (void)what;
    kill(-child->pid, SIGKILL); /* the group is still its own: nobody has waited for it */
    dismiss_guard(child);
    waitid(P_PID, (id_t)child->pid, &status, WEXITED);
    take_rest(child);
    if (child->late) {
        trouble = memory_printf("took longer than %g s", (double)child->timeout_ms / 1000);
    } else if (status.si_code == CLD_EXITED) {
        code = status.si_status;
    } else if (is_overdue(child)) {
        stood_still = true;
        trouble = memory_printf("was ended, because nothing was heard of this process for %g s",
                                (double)child->guard_ms / 1000);
    } else {
        trouble = memory_printf("was ended by signal %d", status.si_status);
    }
    finish(child, code, trouble, stood_still);
}

static void on_deadline(evutil_socket_t fd, short what, void *context)
{
    struct child *child = context;

    (void)fd;
    (void)what;
    if (child->pid < 0) {
        finish(child, -1, memory_printf("could not be started: %s", strerror(child->start_error)), false);
        return;
    }
    child->late = true;
    child_kill(child);
}

static void close_input(struct child *child)
{
    if (child->input != NULL) {
        bufferevent_free(child->input);
        child->input = NULL;
    }
}

static void on_input_written(struct bufferevent *input, void *context)
{
    (void)input;
    close_input(context);
}

/* It need not read what it is given. */
static void on_input_event(struct bufferevent *input, short what, void *context)
{
    (void)input;
    (void)what;
    close_input(context);
}

static struct bufferevent *open_end(struct child *child, struct event_base *base, int fd, short direction)
{
    struct bufferevent *end;

    evutil_make_socket_nonblocking(fd);
    end = bufferevent_socket_new(base, fd, BEV_OPT_CLOSE_ON_FREE);
    if (direction == EV_READ)
        bufferevent_setcb(end, take_output, NULL, NULL, child);
    else
        bufferevent_setcb(end, NULL, on_input_written, on_input_event, child);
    bufferevent_enable(end, direction);
    return end;
}

/* Returns 0 or an error number. */
static int spawn(struct child *child, struct event_base *base, const struct child_command *command)
{
    int input[2], output[2];

    if (pipe2(input, O_CLOEXEC) != 0)
        return errno;
    if (pipe2(output, O_CLOEXEC) != 0) {
        int error = errno;
        close(input[0]);
        close(input[1]);
        return error;
    }
    char **environment = make_environment(command->environment);
    pid_t parent = getpid();
    child->pid = fork();
    int error = errno;
    if (child->pid == 0)
        become(command, parent, environment, input[0], output[1]);
    free_environment(environment);
    close(input[0]);
    close(output[1]);
    if (child->pid < 0) {
        close(input[1]);
        close(output[0]);
        return error;
    }
    setpgid(child->pid, child->pid); /* whichever of both comes first */
    child->input = open_end(child, base, input[1], EV_WRITE);
    child->output = open_end(child, base, output[0], EV_READ);
    bufferevent_write(child->input, command->input, command->input_length);
    if (command->input_length == 0)
        close_input(child);
    child->pidfd = pidfd_open(child->pid, 0);
    error = child->pidfd < 0 ? errno : command->guarded ? set_guard(child) : 0;
    if (error != 0) {
        kill(-child->pid, SIGKILL);
        waitpid(child->pid, NULL, 0);
        child->pid = -1;
        return error;
    }
    child->exited = event_new(base, child->pidfd, EV_READ, on_exit_of_child, child);
    event_add(child->exited, NULL);
    return 0;
}

struct child *child_start(struct event_base *base, const struct child_command *command, child_done *done,
                          void *context)
{
    struct child *child = memory_new(sizeof(*child));
    struct timeval wait = {command->timeout_ms / 1000, command->timeout_ms % 1000 * 1000};

    child->pidfd = -1;
    child->pid = -1;
    child->kept = BUF_INIT(command->output_max);
    child->last_max = command->output_end;
    child->timeout_ms = command->timeout_ms;
    child->guard_ms = command->guard_ms;
    child->done = done;
    child->context = context;
    child->deadline = evtimer_new(base, on_deadline, child);
    child->start_error = spawn(child, base, command);
    if (child->pid < 0)
        event_active(child->deadline, EV_TIMEOUT, 1);
    else if (command->timeout_ms > 0)
        event_add(child->deadline, &wait);
    return child;
}

/* A guard that has read nothing for so long that the pipe is full has no need of more. As above, the time
 * is taken first: a command that the guard ends is then never told as ended by somebody else. */
void child_prove(struct child *child)
{
    int64_t now = clock_sample().boot_ms;

    if (child->guard > 0 && (write(child->lifeline, "", 1) == 1 || errno == EAGAIN))
        child->proved_boot = now;
}

void child_kill(struct child *child)
{
    if (child->pid > 0)
        kill(-child->pid, SIGKILL);
}

void child_abandon(struct child *child)
{
    if (child->pid > 0) {
        kill(-child->pid, SIGKILL);
        dismiss_guard(child);
        waitpid(child->pid, NULL, 0);
    }
    child_free(child);
}
