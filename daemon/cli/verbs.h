/* What the verbs share: their declarations, the head of their option structs, confirmation, usage.
 */
#ifndef SCHEMAGATE_CLI_VERBS_H
#define SCHEMAGATE_CLI_VERBS_H

#include "client.h"
#include "options.h"

#include <stdbool.h>
#include <stdio.h>

/* A verb: what runs it, and its option table. */
#define VERB(name)                          \
    int verb_##name(int argc, char **argv); \
    extern const struct cli_option verb_##name##_options[]

VERB(plan);
VERB(submit);
VERB(status);
VERB(wait);
VERB(gate);
VERB(steer); /* approve, pause, resume, retry, undo, cancel: argv[0] says which */
VERB(waive);
VERB(terminate);
VERB(replicas);
VERB(evict);
VERB(attest);
VERB(retire);
VERB(admission);
VERB(declare);
VERB(compatible);
VERB(events);
VERB(baseline);
VERB(token);
VERB(pin_sql);
VERB(run);
VERB(dev);

/* The usage of a client verb, from its row and its option table. */
void verb_print_usage(FILE *out, const char *name);

/* Reads a version argument; false after saying what is wrong, with the verb's name. */
bool verb_read_version(const char *verb, const char *text, int64_t *version);

/* Splits "web/web-1" in place into app and instance; false after saying what is wrong. */
bool verb_split_replica(const char *verb, char *text, const char **app, const char **instance);

/* "/v1/apps/web/replicas/web-1/evict" and the like, each part encoded: the parts end with NULL; a
 * part that begins with "/" is taken as it is. The caller frees. */
char *verb_path(const char *first, ...) __attribute__((sentinel));

/* "migration 42", as problems name it. The caller frees. */
char *verb_migration(int64_t version);

/* One request, and what is printed of its answer. */
struct verb_request {
    const struct connection *connection;
    const char *method;
    char *path;    /* taken over */
    json_t *body;  /* taken over; NULL: none */
    char *subject; /* what a problem is about; taken over; NULL: nothing */
    bool json;     /* the server's JSON is printed, where there is any; else: */
    char *line;    /* this; taken over; NULL: */
    int (*print)(const struct reply *reply, const void *context); /* this does it; returns the exit code */
    const void *context;
};

/* Asks, prints, and reports what is wrong on stderr. Returns the exit code. */
int verb_ask(const struct verb_request *request);

/* Asks on a terminal; elsewhere `yes` must have been given. CLI_DONE to go on, else the code. */
int verb_confirm(const char *verb, bool yes, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
