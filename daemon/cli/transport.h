/* What one HTTP exchange with the daemon needs, for the blocking client of the verbs and for the
 * event loop of `run`: where to, the token, TLS, and the answer as JSON. */
#ifndef SCHEMAGATE_CLI_TRANSPORT_H
#define SCHEMAGATE_CLI_TRANSPORT_H

#include "options.h"

#include <schemagate/base/buf.h>

#include <curl/curl.h>
#include <jansson.h>

/* Where the daemon is. Strings belong to the command line or the environment, but base_url. */
struct transport {
    struct connection connection;
    char *base_url;        /* owned; without a slash at the end */
    const char *unix_path; /* NULL: TCP */
    bool local;            /* this machine: no proxy */
};

/* Reads the URL. Returns CLI_DONE, or CLI_USAGE after saying on stderr what is wrong. */
int transport_open(struct transport *transport, const struct connection *connection);
void transport_close(struct transport *transport);

/* One request. */
struct request {
    const char *method;
    const char *path; /* with the query */
    json_t *body;     /* borrowed; NULL: none */
    long timeout_ms;  /* for the whole exchange */
};

/* One answer. Zeroed before use; reply_free leaves it zeroed. */
struct reply {
    long status;            /* 0: there was none, and `failure` says why */
    char *failure;          /* owned */
    bool token_missing;     /* the token file could not be read: `failure` says so */
    bool never_sent;        /* nothing of the request can have reached the daemon */
    json_t *body;           /* owned; NULL where the answer was not JSON */
    int64_t retry_after_ms; /* -1: not said */
};

void reply_free(struct reply *reply);

/* The slug of a problem's type ("schema-too-old"), "" where there is none. */
const char *reply_slug(const struct reply *reply);

/* A text member of the answer's body, "" where it is absent. */
const char *reply_text(const struct reply *reply, const char *member);

/* An exchange under way: what must live until curl is done with it. */
struct exchange {
    CURL *easy;
    struct curl_slist *headers;
    char *url, *content;
    char *failure; /* set where the request cannot be made at all, with no easy handle */
    struct buf received;
    char error[CURL_ERROR_SIZE];
};

/* Prepares an easy handle. False: nothing can be sent; exchange_finish then makes the reply that
 * says why. */
bool exchange_begin(struct exchange *exchange, const struct transport *transport,
                    const struct request *request);

/* Makes the reply from what came, and releases the exchange. */
void exchange_finish(struct exchange *exchange, CURLcode result, const struct transport *transport,
                     struct reply *reply);

/* Releases an exchange whose answer nobody wants. */
void exchange_drop(struct exchange *exchange);

#endif
