/* Copying bytes both ways, for a few connections at a time. */
#include <support/relay.h>

#include <support/process.h>
#include <support/test.h>

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define ENDS 64 /* of connections: an even one and the odd one after it belong together */

static struct sockaddr_un address_of(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    return address;
}

static int open_socket(void)
{
    return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

static void take_client(struct pollfd *ends, int listener, const char *target)
{
    struct sockaddr_un address = address_of(target);
    int client = accept(listener, NULL, NULL), server = open_socket();
    size_t free_pair = 0;
    while (free_pair < ENDS && ends[free_pair].fd >= 0)
        free_pair += 2;
    if (free_pair == ENDS || connect(server, (struct sockaddr *)&address, sizeof address) != 0) {
        close(client);
        close(server);
        return;
    }
    ends[free_pair] = (struct pollfd){.fd = client, .events = POLLIN};
    ends[free_pair + 1] = (struct pollfd){.fd = server, .events = POLLIN};
}

static void pass_on(struct pollfd *ends, size_t from)
{
    char bytes[4096];
    size_t to = from ^ 1;
    ssize_t length = read(ends[from].fd, bytes, sizeof bytes);
    if (length > 0 && write(ends[to].fd, bytes, (size_t)length) == length)
        return;
    close(ends[from].fd);
    close(ends[to].fd);
    ends[from].fd = ends[to].fd = -1;
}

static _Noreturn void serve(int listener, const char *target)
{
    struct pollfd ends[ENDS + 1];
    for (size_t n = 0; n < ENDS; n++)
        ends[n] = (struct pollfd){.fd = -1};
    ends[ENDS] = (struct pollfd){.fd = listener, .events = POLLIN};
    for (;;) {
        poll(ends, ENDS + 1, -1);
        for (size_t n = 0; n < ENDS; n++)
            if (ends[n].fd >= 0 && ends[n].revents)
                pass_on(ends, n);
        if (ends[ENDS].revents)
            take_client(ends, listener, target);
    }
}

void relay_open(struct relay *relay, const char *socket, const char *target)
{
    struct sockaddr_un address = address_of(socket);
    int listener = open_socket();
    *relay = (struct relay){.socket = strdup(socket)};
    unlink(socket);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) != 0 || listen(listener, 16) != 0)
        test_fail("cannot listen on %s", socket);
    relay->pid = fork();
    if (relay->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        signal(SIGPIPE, SIG_IGN);
        serve(listener, target);
    }
    close(listener);
}

void relay_hold(const struct relay *relay)
{
    kill(relay->pid, SIGSTOP);
    process_wait_stopped(relay->pid);
}

void relay_close(struct relay *relay)
{
    kill(relay->pid, SIGKILL);
    waitpid(relay->pid, NULL, 0);
    unlink(relay->socket);
    free(relay->socket);
    *relay = (struct relay){0};
}
