/* Telling the service manager, without ever waiting for it. */
#include "notify.h"

#include <schemagate/base/memory.h>

#include <errno.h>
#include <event2/event.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>
#include <time.h>
#include <unistd.h>
#include <utlist.h>

enum { AGAIN_MS = 100, WAITING_MAX = 32 };

/* One that the manager has had no room for. */
struct message {
    char *text;
    struct message *prev, *next; /* utlist.h */
};

struct notify {
    struct event *watchdog; /* NULL: nobody watches */
    struct event *again;    /* while messages wait */
    struct message *waiting; /* in their order */
    size_t count;
};

static socklen_t manager_address(struct sockaddr_un *address)
{
    const char *path = getenv("NOTIFY_SOCKET");
    size_t length = path != NULL ? strlen(path) : 0;

    if (length < 2 || length >= sizeof address->sun_path || (path[0] != '/' && path[0] != '@'))
        return 0;
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    memcpy(address->sun_path, path, length);
    if (path[0] == '@') /* an abstract one */
        address->sun_path[0] = '\0';
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
}

/* sd_notify() waits for as long as the manager does not read and its socket is full; the loop waits for
 * nobody. False: there was no room. */
static bool send_now(const char *text)
{
    struct sockaddr_un address;
    socklen_t length = manager_address(&address);
    int end = length > 0 ? socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0) : -1;

    if (end < 0)
        return true; /* nobody is to be told */
    ssize_t sent = sendto(end, text, strlen(text), MSG_NOSIGNAL, (struct sockaddr *)&address, length);
    int error = sent < 0 ? errno : 0;

    close(end);
    return error != EAGAIN && error != ENOBUFS;
}

static void drop_first(struct notify *notify)
{
    struct message *first = notify->waiting;

    DL_DELETE(notify->waiting, first);
    notify->count--;
    free(first->text);
    free(first);
}

static void send_waiting(evutil_socket_t fd, short what, void *context)
{
    static const struct timeval pause = {.tv_usec = AGAIN_MS * 1000};
    struct notify *notify = context;

    (void)fd;
    (void)what;
    while (notify->waiting != NULL && send_now(notify->waiting->text))
        drop_first(notify);
    if (notify->waiting != NULL)
        event_add(notify->again, &pause);
}

/* In the order in which they were said; the text is taken over. */
static void tell(struct notify *notify, char *text)
{
    struct message *message = memory_new(sizeof *message);

    message->text = text;
    DL_APPEND(notify->waiting, message);
    if (++notify->count > WAITING_MAX)
        drop_first(notify);
    send_waiting(-1, 0, notify);
}

/* One that finds no room is lost: the next one follows soon. */
static void feed(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    (void)context;
    send_now("WATCHDOG=1");
}

struct notify *notify_open(struct event_base *base)
{
    struct notify *notify = memory_new(sizeof *notify);
    uint64_t interval_us;

    notify->again = evtimer_new(base, send_waiting, notify);
    if (sd_watchdog_enabled(0, &interval_us) > 0) {
        struct timeval half = {(time_t)(interval_us / 2 / 1000000),
                               (suseconds_t)(interval_us / 2 % 1000000)};
        notify->watchdog = event_new(base, -1, EV_PERSIST, feed, NULL);
        event_add(notify->watchdog, &half);
    }
    return notify;
}

void notify_close(struct notify *notify)
{
    if (!notify)
        return;
    while (notify->waiting)
        drop_first(notify);
    event_free(notify->again);
    if (notify->watchdog)
        event_free(notify->watchdog);
    free(notify);
}

void notify_ready(struct notify *notify)
{
    tell(notify, memory_copy("READY=1"));
}

void notify_reloading(struct notify *notify)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    tell(notify, memory_printf("RELOADING=1\nMONOTONIC_USEC=%" PRIu64,
                               (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000));
}

void notify_stopping(struct notify *notify)
{
    tell(notify, memory_copy("STOPPING=1"));
}
