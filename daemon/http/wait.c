/* Held requests (wait.h). */
#include "wait.h"

#include <utlist.h>

static void on_alarm(evutil_socket_t fd, short what, void *context)
{
    struct request *r = context;

    (void)fd;
    (void)what;
    r->time_is_up = true;
    if (r->look != NULL)
        r->look(r, true);
}

bool wait_begin(struct request *r, int64_t seconds, void (*look)(struct request *r, bool last))
{
    struct http_server *server = r->server;

    if (r->time_is_up || server->stopping) {
        look(r, true);
        return true;
    }
    if (server->waiter_count >= server->waiter_limit)
        return false;
    r->look = look;
    DL_APPEND2(server->waiters, r, waiter_prev, waiter_next);
    server->waiter_count++;
    if (r->alarm == NULL) {
        r->alarm = evtimer_new(server->base, on_alarm, r);
        evtimer_add(r->alarm, &(struct timeval){.tv_sec = (time_t)seconds});
    }
    return true;
}

void wait_look(struct http_server *server, bool last)
{
    struct request *r, *next;

    DL_FOREACH_SAFE2(server->waiters, r, next, waiter_next) {
        r->look(r, last);
    }
}

void wait_forget(struct request *r)
{
    if (r->look != NULL) {
        r->look = NULL;
        DL_DELETE2(r->server->waiters, r, waiter_prev, waiter_next);
        r->server->waiter_count--;
    }
}
