/* libcurl on the event loop: libcurl says which sockets and which moment it waits for, libevent tells it when
 * they have come. What is transferred is the caller's: a handle of libcurl's. */
#ifndef SCHEMAGATE_BASE_TRANSFERS_H
#define SCHEMAGATE_BASE_TRANSFERS_H

#include <curl/curl.h>

struct event_base;
struct transfers;

/* A transfer has ended, well or not. Called from the loop; the handle is to be removed, then or later. */
typedef void transfers_ended(void *context, CURL *handle, CURLcode result);

struct transfers *transfers_open(struct event_base *base, transfers_ended *ended, void *context);
/* Comes when no handle is left in it. NULL is fine. */
void transfers_close(struct transfers *transfers);

/* Begins; `ended` is called once, unless the handle is removed before. */
void transfers_add(struct transfers *transfers, CURL *handle);
void transfers_remove(struct transfers *transfers, CURL *handle);

#endif
