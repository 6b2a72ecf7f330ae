/* Answers to a registration or a renewal, by a table. */
#include "run_verdict.h"

#include <string.h>

/* The first row that matches counts; slug NULL: any. */
static const struct verdict_row {
    long from, to;
    const char *slug;
    enum run_verdict verdict;
} rows[] = {
    {0, 0, NULL, VERDICT_UNAVAILABLE},
    {202, 202, NULL, VERDICT_WAITING},
    {200, 299, NULL, VERDICT_LIVE},
    {404, 404, "unknown-replica", VERDICT_UNKNOWN},
    {409, 409, "schema-too-old", VERDICT_TOO_OLD},
    {409, 409, "incarnation-superseded", VERDICT_SUPERSEDED},
    {429, 429, NULL, VERDICT_UNAVAILABLE},
    {500, 599, NULL, VERDICT_UNAVAILABLE},
};

enum run_verdict run_judge(long status, const char *slug)
{
    for (size_t n = 0; n < sizeof(rows) / sizeof(rows[0]); n++)
        if (status >= rows[n].from && status <= rows[n].to &&
            (!rows[n].slug || strcmp(rows[n].slug, slug) == 0))
            return rows[n].verdict;
    return VERDICT_REFUSED;
}
