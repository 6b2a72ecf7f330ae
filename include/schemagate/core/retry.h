/* Back-off with jitter between the tries of a step (docs/design.md §7). Pure: chance comes in as an
 * argument. */
#ifndef SCHEMAGATE_CORE_RETRY_H
#define SCHEMAGATE_CORE_RETRY_H

#include <stdint.h>

struct retry_policy {
    int64_t first_ms, max_ms; /* delay after the first try; bound of the doubling */
    int64_t for_ms;           /* give up once tries have gone on for so long */
};

/* Delay before the next try, or -1 to give up. attempt: tries made so far, from 1; elapsed_ms: since the
 * first of them; chance: uniform in 0 … UINT32_MAX. Half to one and a half of the doubled delay. */
int64_t retry_delay_ms(const struct retry_policy *policy, unsigned attempt, int64_t elapsed_ms,
                       uint32_t chance);

#endif
