/* The routes: one table of rows; HEAD, OPTIONS, 404, 405, 406 and 415 follow from it. */
#ifndef HTTP_ROUTE_H
#define HTTP_ROUTE_H

#include "caller.h"
#include "decode.h"

#include <stdint.h>

struct request;

enum method { METHOD_GET, METHOD_PUT, METHOD_POST, METHOD_DELETE, METHODS };

enum route_flags {
    ROUTE_STANDBY = 1, /* answered whether this daemon leads or not */
    ROUTE_HTML = 2,    /* offers text/html */
    ROUTE_JSON = 4,    /* offers application/json */
    ROUTE_TEXT = 8     /* offers text/plain */
};

struct route {
    enum method method;
    const char *pattern;                     /* "/v1/apps/{app}/replicas/{instance}" */
    unsigned roles;                          /* bits 1 << enum caller_role; 0: no token needed */
    void (*handle)(struct request *request); /* answers now, or later exactly once */
    const struct shape *body, *query;        /* NULL: takes none; its struct: request_body, request_query */
    int argument;                            /* for handlers that serve several rows */
    unsigned flags;
    const char *about;
};

/* The values of {app}, {instance} and {version} in a path. */
struct path_values {
    const char *app, *instance;
    int64_t version, pid;
};

#define PATH_SIZE 320 /* longer ones lead nowhere */

extern const struct route routes[]; /* ends with a row whose pattern is NULL */
extern const struct shape route_path_shape;

const char *method_name(enum method method);
bool method_parse(const char *name, enum method *method); /* HEAD counts as GET */

enum route_verdict { ROUTE_FOUND, ROUTE_NO_PATH, ROUTE_NO_METHOD, ROUTE_INVALID };

/* Finds the row for a path. `path` is cut into its segments; values point into it. ROUTE_NO_METHOD: *allowed
 * has a bit for each method that the path has. ROUTE_INVALID: a value in the path is wrong. */
enum route_verdict route_find(const char *method, char *path, const struct route **route,
                              struct path_values *values, unsigned *allowed,
                              struct mistakes *mistakes);

#endif
