/* The blocking HTTP client of the verbs. */
#ifndef SCHEMAGATE_CLI_CLIENT_H
#define SCHEMAGATE_CLI_CLIENT_H

#include "transport.h"

#include <stdbool.h>
#include <stdint.h>

struct client;

/* Returns NULL after saying on stderr what is wrong with the URL: exit code CLI_USAGE. */
struct client *client_open(const struct connection *connection);
void client_close(struct client *client);

/* From now on SIGINT and SIGTERM do not end the process: a call that waits returns. */
void client_catch_interrupts(struct client *client);

/* The signal that came, 0: none. */
int client_interrupted(const struct client *client);

/* Called about once a second while a call waits, to keep a line on a terminal fresh. */
typedef void client_tick(void *context);
void client_on_tick(struct client *client, client_tick *tick, void *context);

/* One exchange. `body` (may be NULL) is taken over. `wait_ms` is how long the server was asked to
 * hold the answer. A short 429 or 503 is tried again. reply is always filled in; the caller frees
 * it. */
void client_exchange(struct client *client, const char *method, const char *path, json_t *body,
                     int64_t wait_ms, struct reply *reply);

/* client_exchange that reports a problem about `subject` on stderr. Returns the exit code, CLI_DONE
 * for 2xx. */
int client_call(struct client *client, const char *method, const char *path, json_t *body,
                const char *subject, struct reply *reply);

/* Waits on this side; returns early at an interrupt. */
void client_pause(struct client *client, int64_t milliseconds);

/* All pages of a list as {"items": […], "next": null}. */
int client_list(struct client *client, const char *path, json_t **list);

#endif
