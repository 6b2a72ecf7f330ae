/* Short-lived threads for work that blocks; an eventfd brings their end to the loop. */
#include "offload.h"

#include <schemagate/base/log.h>
#include <schemagate/base/memory.h>

#include <errno.h>
#include <event2/event.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* The thread and the loop both let go of it once; who comes second frees it. */
enum offload_state { OFFLOAD_WORKING, OFFLOAD_WORKED, OFFLOAD_COLLECTED, OFFLOAD_ABANDONED };

struct offload {
    const struct offload_job *kind;
    void *job;
    int wake_fd;
    struct event *wake; /* freed by the loop */
    _Atomic int state;
};

static void offload_free(struct offload *o)
{
    if (o->wake_fd >= 0)
        close(o->wake_fd);
    free(o);
}

static void *offload_thread(void *argument)
{
    struct offload *o = argument;

    o->kind->work(o->job);
    eventfd_write(o->wake_fd, 1);
    int before = atomic_exchange(&o->state, OFFLOAD_WORKED);
    if (before == OFFLOAD_ABANDONED)
        o->kind->discard(o->job);
    if (before != OFFLOAD_WORKING)
        offload_free(o);
    return NULL;
}

static void offload_on_wake(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct offload *o = context;
    const struct offload_job *kind = o->kind;
    void *job = o->job;

    event_free(o->wake);
    if (atomic_exchange(&o->state, OFFLOAD_COLLECTED) == OFFLOAD_WORKED)
        offload_free(o);
    kind->done(job);
}

/* Signals are for the loop's thread alone. */
static int offload_spawn(struct offload *o)
{
    pthread_t thread;
    pthread_attr_t attributes;
    sigset_t all, before;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    int error = pthread_create(&thread, &attributes, offload_thread, o);
    pthread_attr_destroy(&attributes);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error;
}

struct offload *offload_start(struct event_base *base, const struct offload_job *kind, void *job)
{
    struct offload *o = memory_new(sizeof *o);

    o->kind = kind;
    o->job = job;
    o->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    o->wake = event_new(base, o->wake_fd, EV_READ, offload_on_wake, o);
    if (o->wake == NULL)
        abort();
    int error = o->wake_fd < 0 || event_add(o->wake, NULL) != 0 ? errno : offload_spawn(o);
    if (error != 0) {
        log_error("no thread for a database connection", LOG_TEXT("error", strerror(error)));
        atomic_store(&o->state, OFFLOAD_WORKED);
        event_active(o->wake, EV_READ, 0);
    }
    return o;
}

void offload_abandon(struct offload *o)
{
    if (o == NULL)
        return;
    event_free(o->wake);
    if (atomic_exchange(&o->state, OFFLOAD_ABANDONED) == OFFLOAD_WORKED) {
        o->kind->discard(o->job);
        offload_free(o);
    }
}
