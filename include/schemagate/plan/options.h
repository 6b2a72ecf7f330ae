/* What plan_read is told beside the text. Zeroed: nothing is known, nothing is asked for. */
#ifndef SCHEMAGATE_PLAN_OPTIONS_H
#define SCHEMAGATE_PLAN_OPTIONS_H

#include <stdint.h>

struct catalog;

struct plan_options {
    const struct catalog *catalog; /* what the database says of plan->needs; NULL: nobody has asked it */
    int64_t keep_hours;            /* what the request says of reversible contracts; 0: the file decides */
};

#endif
