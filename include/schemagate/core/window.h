/* The window of served schema versions and who is admitted to it (docs/design.md §2). Pure. */
#ifndef SCHEMAGATE_CORE_WINDOW_H
#define SCHEMAGATE_CORE_WINDOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SCHEMA_VERSION_MAX ((INT64_C(1) << 48) - 1)

/* What a replica's code can work with: 0 <= min <= max <= SCHEMA_VERSION_MAX. 0 needs no schema. */
struct version_range {
    int64_t min, max;
};

/* The row `schemagate.window`. Versions; 0 in the last two: nothing is under way. */
struct window {
    int64_t floor, ceiling;
    int64_t contracting; /* admission is closed below it: its contract is being tried */
    int64_t undoing;     /* admission is closed for it: its undo is being tried */
};

/* The window with the versions that a decision needs beside it. The arrays are ascending and belong to
 * the caller. */
struct window_view {
    struct window window;
    const int64_t *served; /* floor … ceiling: expanded, not undone; the baseline ([0] at first) too */
    size_t served_count;
    const int64_t *pending; /* submitted, not served yet, and still to come */
    size_t pending_count;
    int64_t latest; /* the highest version ever submitted or adopted; 0: none */
};

enum admission {
    ADMISSION_LIVE,    /* a version in the range is served: it may run */
    ADMISSION_WAITING, /* what it needs may still come: it must not start yet */
    ADMISSION_TOO_OLD, /* the range lies below the floor or below a contract under way */
    ADMISSION_NEVER    /* no version in the range is served or can be served again */
};

bool window_equal(const struct window *a, const struct window *b);

enum admission window_admit(const struct window_view *view, struct version_range range);

/* What the floor is while no contract at or above `version` is done: the highest of the `count` versions
 * below it whose contracts are, in any order, or the baseline. */
int64_t window_floor_below(const int64_t *contracted, size_t count, int64_t baseline, int64_t version);

/* The greatest served version below `version`, or -1. */
int64_t window_previous(const struct window_view *view, int64_t version);

bool window_serves(const struct window_view *view, int64_t version);

/* The invariant of section 2 for one replica that may still run. */
bool window_covers(const struct window_view *view, struct version_range range);

#endif
