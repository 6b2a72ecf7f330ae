/* Clock, chance and wake-ups. */
#include "world.h"

#include <sys/random.h>
#include <sys/timerfd.h>
#include <unistd.h>

static struct instant now(void *context)
{
    (void)context;
    return clock_sample();
}

static void wake_at(void *context, int64_t boot_ms)
{
    const struct world *world = context;
    /* A time of zero would disarm it. */
    int64_t at = boot_ms > 0 ? boot_ms : 1;
    struct itimerspec when = {.it_value = {at / 1000, at % 1000 * 1000000}};
    timerfd_settime(world->alarm_fd, TFD_TIMER_ABSTIME, &when, NULL);
}

static void wake(void *context)
{
    struct world *world = context;
    event_active(world->soon, EV_TIMEOUT, 1);
}

static uint32_t chance(void *context)
{
    uint32_t number = 0;
    (void)context;
    if (getrandom(&number, sizeof number, 0) != sizeof number)
        number = UINT32_MAX / 2;
    return number;
}

static void changed(void *context)
{
    const struct world *world = context;
    world->changed(world->context);
}

static void restart_term(void *context, const char *reason)
{
    const struct world *world = context;
    world->restart_term(world->context, reason);
}

const struct world_ops world_ops = {.now = now,
                                    .wake_at = wake_at,
                                    .wake = wake,
                                    .chance = chance,
                                    .changed = changed,
                                    .restart_term = restart_term};

static void alarm_rang(evutil_socket_t fd, short what, void *context)
{
    const struct world *world = context;
    uint64_t times;

    (void)what;
    if (read(fd, &times, sizeof times) == sizeof times)
        world->tick(world->context);
}

static void soon_came(evutil_socket_t fd, short what, void *context)
{
    const struct world *world = context;
    (void)fd;
    (void)what;
    world->tick(world->context);
}

bool world_open(struct world *world, struct event_base *base)
{
    world->alarm_fd = timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK | TFD_CLOEXEC);
    if (world->alarm_fd < 0)
        return false;
    world->alarm = event_new(base, world->alarm_fd, EV_READ | EV_PERSIST, alarm_rang, world);
    world->soon = event_new(base, -1, 0, soon_came, world);
    event_add(world->alarm, NULL);
    return true;
}

void world_close(struct world *world)
{
    if (world->alarm_fd < 0)
        return;
    event_free(world->alarm);
    event_free(world->soon);
    close(world->alarm_fd);
}
