/* A client of the daemon: JSON in, JSON out, over a unix socket or TCP. Answers belong to the
 * client and live until it is closed. */
#ifndef SUPPORT_HTTP_H
#define SUPPORT_HTTP_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/un.h>

struct http_answer {
    int status;      /* 0: no answer */
    json_t *json;    /* NULL where the body is not JSON */
    char *body;      /* never NULL */
    char *headers;   /* as received, with status line */
    struct http_answer *next;
};

struct http_client {
    char socket[sizeof((struct sockaddr_un *)0)->sun_path]; /* "": TCP */
    int port;
    const char *authorization; /* NULL, or a whole header line: "Authorization: Bearer …" */
    void *curl;
    struct http_answer *answers;
};

void http_open(struct http_client *client, const char *socket_path, int port);
void http_close(struct http_client *client);

/* Sends one request and waits for the answer. `body` is taken over; NULL: none. Fails the test when
 * nothing answers. */
const struct http_answer *http_call(struct http_client *client, const char *method, json_t *body,
                                    const char *path_format, ...)
    __attribute__((format(printf, 4, 5)));

/* The same with the body as text and a header line of one's own (each may be NULL); the status is 0
 * when nothing answers. */
const struct http_answer *http_try(struct http_client *client, const char *method, const char *text,
                                   const char *header, const char *path);

/* The same with a JSON body that is taken over: for requests whose answer may die with the
 * daemon. */
const struct http_answer *http_tell(struct http_client *client, const char *method, json_t *body,
                                    const char *path);

/* The value of a header of an answer, or ""; the caller frees. */
char *http_header(const struct http_answer *answer, const char *name);

/* A request that goes on in the background. */
struct http_pending;
struct http_pending *http_begin(const struct http_client *client, const char *method, json_t *body,
                                const char *path_format, ...) __attribute__((format(printf, 4, 5)));
/* Waits for it; the answer belongs to the client. */
const struct http_answer *http_finish(struct http_client *client, struct http_pending *pending);

/* Sends a request over a connection of its own and does not wait: many can be on their way at once.
 * Returns the connection. */
int http_send(const struct http_client *client, const char *method, json_t *body,
              const char *path_format, ...) __attribute__((format(printf, 4, 5)));
/* Waits for the answer's status, 0 where there is none, and closes the connection. */
int http_receive(int connection);

/* Opens a plain connection and sends bytes. Returns the connection. */
int http_raw(const struct http_client *client, const char *bytes, size_t length);
/* What arrives until the peer closes or the head of the answer is complete; the caller frees. */
char *http_raw_read(int connection);

#endif
