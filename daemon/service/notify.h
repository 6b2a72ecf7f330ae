/* The service manager's protocol: ready, reloading, stopping, watchdog (sd_notify(3)). Nothing waits for the
 * manager: what it has no room for is sent again until it has, in order. */
#ifndef SERVICE_NOTIFY_H
#define SERVICE_NOTIFY_H

struct event_base;
struct notify;

/* Feeds the watchdog from the loop, at half of its interval, where the manager asks for it. */
struct notify *notify_open(struct event_base *base);
void notify_close(struct notify *notify);

void notify_ready(struct notify *notify);
void notify_reloading(struct notify *notify);
void notify_stopping(struct notify *notify);

#endif
