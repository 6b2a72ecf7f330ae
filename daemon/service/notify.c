/* Telling the service manager. */
#include "notify.h"

#include <schemagate/base/memory.h>

#include <event2/event.h>
#include <inttypes.h>
#include <stdlib.h>
#include <systemd/sd-daemon.h>
#include <time.h>

struct notify {
    struct event *watchdog; /* NULL: nobody watches */
};

static void feed(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    (void)context;
    sd_notify(0, "WATCHDOG=1");
}

struct notify *notify_open(struct event_base *base)
{
    struct notify *notify = memory_new(sizeof *notify);
    uint64_t interval_us;

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
    if (notify->watchdog)
        event_free(notify->watchdog);
    free(notify);
}

void notify_ready(void)
{
    sd_notify(0, "READY=1");
}

void notify_reloading(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64,
               (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000);
}

void notify_stopping(void)
{
    sd_notify(0, "STOPPING=1");
}

void notify_status(const char *text)
{
    sd_notifyf(0, "STATUS=%s", text);
}
