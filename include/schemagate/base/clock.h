/* The clocks. Leases and time-outs are counted on CLOCK_BOOTTIME, which goes on while the machine
 * sleeps and which no administrator can step (docs/design.md §3); the wall clock is only shown. */
#ifndef SCHEMAGATE_BASE_CLOCK_H
#define SCHEMAGATE_BASE_CLOCK_H

#include <stddef.h>
#include <stdint.h>

/* One sample of both clocks, taken once per turn of the event loop. */
struct instant {
    int64_t boot_ms; /* milliseconds of CLOCK_BOOTTIME: differences only */
    int64_t wall_ms; /* milliseconds since 1970-01-01 UTC: for display and storage only */
};

struct instant clock_sample(void);

#define CLOCK_RFC3339_SIZE 25 /* "2026-11-20T09:30:00.123Z" and its NUL */

/* Writes wall_ms (from 1970 to 9999) as RFC 3339 UTC with milliseconds; returns text. */
char *clock_rfc3339(int64_t wall_ms, char text[CLOCK_RFC3339_SIZE]);

#endif
