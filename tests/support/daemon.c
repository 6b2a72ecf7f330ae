/* The daemon as a child, with a notification socket as systemd has one. */
#include <support/daemon.h>

#include <support/logs.h>
#include <support/process.h>
#include <support/test.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define ENVIRONMENT_MAX 32

static const char *program(void)
{
    const char *path = getenv("SCHEMAGATE_BINARY");
    if (!path)
        test_fail("SCHEMAGATE_BINARY names no program");
    return path;
}

static int listen_loopback(int *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(listener, (struct sockaddr *)&address, length) != 0 || listen(listener, 4096) != 0 ||
        getsockname(listener, (struct sockaddr *)&address, &length) != 0)
        test_fail("cannot listen on the loopback");
    *port = ntohs(address.sin_port);
    return listener;
}

static int open_notifications(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%.100s", path);
    int receiver = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (bind(receiver, (struct sockaddr *)&address, sizeof address) != 0)
        test_fail("cannot bind %s", path);
    return receiver;
}

static char *write_config(const struct scratch *scratch, unsigned serial, const char *socket_path,
                          const struct daemon_options *options)
{
    char *text = NULL, name[32];
    snprintf(name, sizeof name, "daemon-%u.ini", serial);
    if (asprintf(&text, "[database]\nconninfo = %s\n[http]\nlisten = unix:%s\n%s",
                 options->conninfo ? options->conninfo : "", socket_path,
                 options->sections ? options->sections : "") < 0)
        test_fail("out of memory");
    char *path = scratch_write(scratch, name, text);
    free(text);
    return path;
}

void daemon_launch(struct daemon *daemon, const struct scratch *scratch,
                   const struct daemon_options *options)
{
    static atomic_uint count;
    unsigned serial = ++count;
    char *socket_path = scratch_path(scratch, "api-%u", serial);
    char *notify_path = scratch_path(scratch, "notify-%u", serial);
    char notify[160], failpoint[96], preload[160], watchdog[48];
    const char *environment[ENVIRONMENT_MAX] = {"LISTEN_FDS", "LISTEN_PID"};
    size_t used = 2;
    int listener = 0;
    *daemon = (struct daemon){0};
    daemon->log = scratch_path(scratch, "daemon-%u.log", serial);
    logs_watch(daemon->log);
    daemon->config = write_config(scratch, serial, socket_path, options);
    daemon->notifications = open_notifications(notify_path);
    if (options->tcp)
        listener = listen_loopback(&daemon->port);
    snprintf(notify, sizeof notify, "NOTIFY_SOCKET=%s", notify_path);
    environment[used++] = notify;
    if (options->failpoint) {
        snprintf(failpoint, sizeof failpoint, "SCHEMAGATE_FAILPOINT=%s", options->failpoint);
        environment[used++] = failpoint;
    }
    if (options->preload) {
        snprintf(preload, sizeof preload, "LD_PRELOAD=%s", options->preload);
        environment[used++] = preload;
    }
    if (options->watchdog_ms) {
        snprintf(watchdog, sizeof watchdog, "WATCHDOG_USEC=%d000", options->watchdog_ms);
        environment[used++] = watchdog;
    }
    for (size_t i = 0; options->environment && options->environment[i]; i++)
        if (used < ENVIRONMENT_MAX - 1)
            environment[used++] = options->environment[i];
    environment[used] = NULL;
    const char *arguments[] = {program(), "daemon", "-c", daemon->config, NULL};
    daemon->pid = process_start(&(struct process_options){
        .arguments = arguments,
        /* A listening socket may have taken over LISTEN_PID: these two are unset only without
         * one. */
        .environment = options->tcp ? environment + 2 : environment,
        .output = daemon->log,
        .errors = daemon->log,
        .listen_fd = listener});
    if (listener)
        close(listener);
    http_open(&daemon->client, socket_path, 0);
    free(socket_path);
    free(notify_path);
}

void daemon_start(struct daemon *daemon, const struct scratch *scratch,
                  const struct daemon_options *options)
{
    daemon_launch(daemon, scratch, options);
    daemon_wait_notification(daemon, "READY=1");
}

static bool has_line(const char *text, const char *line)
{
    size_t length = strlen(line);
    for (const char *found = text; (found = strstr(found, line)); found++)
        if ((found == text || found[-1] == '\n') &&
            (found[length] == '\0' || found[length] == '\n'))
            return true;
    return false;
}

void daemon_wait_notification(struct daemon *daemon, const char *line)
{
    int64_t deadline = test_now_ms() + PATIENCE_MS;
    char message[1024];
    for (;;) {
        ssize_t length = recv(daemon->notifications, message, sizeof message - 1, 0);
        if (length > 0) {
            message[length] = '\0';
            if (has_line(message, line))
                return;
            continue;
        }
        if (!process_runs(daemon->pid) || test_now_ms() > deadline)
            test_fail("the daemon did not say %s", line);
        struct pollfd incoming = {.fd = daemon->notifications, .events = POLLIN};
        poll(&incoming, 1, 100);
    }
}

void daemon_wait_leader(struct daemon *daemon)
{
    int64_t deadline = test_now_ms() + PATIENCE_MS;
    while (http_try(&daemon->client, "GET", NULL, NULL, "/readyz")->status != 200) {
        if (!process_runs(daemon->pid) || test_now_ms() > deadline)
            test_fail("the daemon does not lead");
        test_pause();
    }
}

void daemon_wait_log(const struct daemon *daemon, const char *text)
{
    int64_t deadline = test_now_ms() + PATIENCE_MS;
    for (;;) {
        char *log = scratch_read(daemon->log);
        bool found = strstr(log, text);
        free(log);
        if (found)
            return;
        if (test_now_ms() > deadline)
            test_fail("the daemon's log does not say: %s", text);
        test_pause();
    }
}

/* What it says at its end is read, as a service manager does. */
static void read_until_end(struct daemon *daemon)
{
    int64_t deadline = test_now_ms() + PATIENCE_MS;
    char message[1024];

    while (process_runs(daemon->pid) && test_now_ms() < deadline) {
        while (recv(daemon->notifications, message, sizeof message, 0) > 0)
            continue;
        test_pause();
    }
}

int daemon_wait_end(struct daemon *daemon)
{
    read_until_end(daemon);
    int status = process_wait(daemon->pid, PATIENCE_MS);
    daemon->pid = 0;
    return status;
}

void daemon_expect_killed(struct daemon *daemon)
{
    int status = daemon_wait_end(daemon);
    if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
        test_fail("the failpoint was not reached: wait status %x", (unsigned)status);
}

void daemon_stop(struct daemon *daemon)
{
    if (!daemon->pid)
        return;
    kill(daemon->pid, SIGTERM);
    int code = process_code(daemon_wait_end(daemon));
    if (code != 0)
        test_fail("the daemon ended with %d", code);
}

void daemon_kill(struct daemon *daemon)
{
    if (!daemon->pid)
        return;
    kill(daemon->pid, SIGKILL);
    daemon_wait_end(daemon);
}

void daemon_close(struct daemon *daemon)
{
    daemon_kill(daemon);
    if (daemon->client.curl)
        http_close(&daemon->client);
    if (daemon->notifications > 0)
        close(daemon->notifications);
    if (daemon->log)
        logs_forget(daemon->log);
    free(daemon->log);
    free(daemon->config);
    *daemon = (struct daemon){0};
}
