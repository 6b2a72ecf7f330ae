/* What the daemon's answer means for a wrapper: one table. */
#ifndef SCHEMAGATE_CLI_RUN_VERDICT_H
#define SCHEMAGATE_CLI_RUN_VERDICT_H

#include "transport.h"

enum run_verdict {
    VERDICT_LIVE,        /* go ahead; the lease is ours */
    VERDICT_WAITING,     /* not yet */
    VERDICT_TOO_OLD,     /* never with this range */
    VERDICT_SUPERSEDED,  /* a newer incarnation has taken the name */
    VERDICT_UNKNOWN,     /* register again */
    VERDICT_UNAVAILABLE, /* ask again later */
    VERDICT_REFUSED,     /* wrong, or not allowed */
    VERDICTS
};

/* `slug` is the problem's, "" where there is none. */
enum run_verdict run_judge(long status, const char *slug);

#endif
