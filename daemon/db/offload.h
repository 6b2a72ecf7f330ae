/* Blocking work in a short-lived thread, with its end on the event loop: opening a connection
 * resolves names, and a cancel request waits for the server. */
#ifndef DB_OFFLOAD_H
#define DB_OFFLOAD_H

struct event_base;
struct offload;

struct offload_job {
    void (*work)(void *job);    /* in the thread */
    void (*done)(void *job);    /* on the loop, after work; takes the job over */
    void (*discard)(void *job); /* instead of done, in any thread, when it was abandoned */
};

/* `kind` must be static. Where no thread is to be had, done is called without work. */
struct offload *offload_start(struct event_base *base, const struct offload_job *kind, void *job);

/* Nobody waits for it any more: done will not be called. Not to be used once done was called. */
void offload_abandon(struct offload *offload);

#endif
