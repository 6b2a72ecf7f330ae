/* What plan_read is told beside the text. Zeroed: nothing is known, nothing is asked for. */
#ifndef SCHEMAGATE_PLAN_OPTIONS_H
#define SCHEMAGATE_PLAN_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

struct catalog;

struct plan_options {
    const struct catalog *catalog; /* what the database says of plan->needs; NULL: nobody has asked it */
    int64_t version;               /* that the text is submitted as; 0: not known */
    bool says_keep;                /* the request names keep_hours, which goes before the file's */
    int64_t keep_hours;
    int64_t default_keep_hours;    /* the configuration's, where both are silent */
};

#endif
