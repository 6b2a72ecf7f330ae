/* Cancel requests: a connection of their own, in a thread of its own. */
#include "cancel.h"

#include "offload.h"

#include <schemagate/base/log.h>
#include <schemagate/base/memory.h>

#include <stdlib.h>

struct cancel_job {
    PGcancel *request;
    char error[256]; /* "": sent */
    void (*done)(void *context);
    void *context;
};

static void cancel_work(void *argument)
{
    struct cancel_job *job = argument;

    PQcancel(job->request, job->error, sizeof job->error);
}

static void cancel_discard(void *argument)
{
    struct cancel_job *job = argument;

    PQfreeCancel(job->request);
    free(job);
}

static void cancel_finish(void *argument)
{
    struct cancel_job *job = argument;

    if (job->error[0] != '\0')
        log_warn("a running statement could not be cancelled", LOG_TEXT("error", job->error));
    job->done(job->context);
    cancel_discard(job);
}

struct offload *cancel_start(struct event_base *base, PGconn *connection,
                             void (*done)(void *context), void *context)
{
    static const struct offload_job kind = {cancel_work, cancel_finish, cancel_discard};
    struct cancel_job *job = memory_new(sizeof *job);

    job->request = PQgetCancel(connection);
    job->done = done;
    job->context = context;
    return offload_start(base, &kind, job);
}
