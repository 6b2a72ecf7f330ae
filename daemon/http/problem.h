/* Everything that can be wrong, as one table: slug, title, status (RFC 9457). */
#ifndef HTTP_PROBLEM_H
#define HTTP_PROBLEM_H

#include <schemagate/coordinator/coordinator.h>

/* What the HTTP layer finds by itself, after the coordinator's own problems. */
enum http_problem {
    PROBLEM_BAD_REQUEST = PROBLEM_COUNT,
    PROBLEM_NOT_JSON,
    PROBLEM_UNAUTHENTICATED,
    PROBLEM_FORBIDDEN,
    PROBLEM_CROSS_SITE,
    PROBLEM_NOT_FOUND,
    PROBLEM_METHOD_NOT_ALLOWED,
    PROBLEM_NOT_ACCEPTABLE,
    PROBLEM_PRECONDITION_FAILED,
    PROBLEM_TOO_LARGE,
    PROBLEM_UNSUPPORTED_MEDIA_TYPE,
    PROBLEM_TOO_MANY_WAITERS,
    HTTP_PROBLEMS
};

#define PROBLEM_URN "urn:schemagate:problem:"

struct problem_kind {
    const char *slug;  /* behind PROBLEM_URN */
    const char *title;
    unsigned status;
    unsigned retry_after_seconds; /* 0: no such header */
};

/* problem: enum problem or enum http_problem, never PROBLEM_NONE. */
const struct problem_kind *problem_kind(unsigned problem);

#endif
