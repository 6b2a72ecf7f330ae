/* A generator of HTTP load over keep-alive connections: one thread, one epoll loop; each connection
 * sends a request, waits for its answer and sends the next. */
#ifndef SUPPORT_LOAD_H
#define SUPPORT_LOAD_H

#include <stddef.h>
#include <stdint.h>

struct load {
    int port;            /* on the loopback */
    size_t connections;
    char **requests;     /* whole requests; connection i begins with request i */
    size_t request_count;
    int64_t duration_ms; /* go round for so long; 0: send each request once */
};

struct load_result {
    uint64_t answered; /* with a status of 2xx */
    uint64_t failed;   /* with another one, or not at all */
    double seconds;
    double p50_ms, p99_ms;
};

/* Opens the connections, runs the load and closes them. `looked_at` (may be NULL) is called while
 * all connections are still open. */
void load_run(const struct load *load, struct load_result *result, void (*looked_at)(void *context),
              void *context);

/* A request of HTTP/1.1 with a JSON body; the caller frees. */
char *load_request(const char *method, const char *path, const char *body);

/* The value at a share (0.5: the median) of `count` values, which are sorted in place. */
double load_quantile(double *values, size_t count, double share);

#endif
