/* Doubling back-off with jitter. */
#include <schemagate/core/retry.h>

int64_t retry_delay_ms(const struct retry_policy *policy, unsigned attempt, int64_t elapsed_ms,
                       uint32_t chance)
{
    if (elapsed_ms >= policy->for_ms)
        return -1;
    int64_t delay = policy->first_ms;
    for (unsigned i = 1; i < attempt && delay < policy->max_ms; i++)
        delay *= 2;
    if (delay > policy->max_ms)
        delay = policy->max_ms;
    return delay / 2 + (int64_t)((double)delay * chance / UINT32_MAX);
}
