/* The coordinator's world: clock, chance and wake-ups on the event loop. */
#ifndef SERVICE_WORLD_H
#define SERVICE_WORLD_H

#include <schemagate/coordinator/environment.h>

#include <event2/event.h>

struct world {
    struct event *alarm; /* a timerfd on CLOCK_BOOTTIME: leases run on while the machine sleeps */
    struct event *soon;  /* becomes active in the next turn of the loop */
    int alarm_fd;
    void (*tick)(void *context);
    void (*changed)(void *context);
    void (*restart_term)(void *context, const char *reason);
    void *context;
};

extern const struct world_ops world_ops; /* world: struct world * */

/* Fills in alarm, soon and alarm_fd; the rest is the caller's. Returns false with errno. */
bool world_open(struct world *world, struct event_base *base);
void world_close(struct world *world);

#endif
