/* The service manager's protocol: ready, reloading, stopping, watchdog (sd_notify(3)). */
#ifndef SERVICE_NOTIFY_H
#define SERVICE_NOTIFY_H

struct event_base;
struct notify;

/* Feeds the watchdog from the loop, at half of its interval, where the manager asks for it. */
struct notify *notify_open(struct event_base *base);
void notify_close(struct notify *notify);

void notify_ready(void);
void notify_reloading(void);
void notify_stopping(void);
/* One line for `systemctl status`. */
void notify_status(const char *text);

#endif
