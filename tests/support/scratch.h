/* A temporary directory for one test program. It is removed when the program and everything that it
 * started have ended, however they ended. */
#ifndef SUPPORT_SCRATCH_H
#define SUPPORT_SCRATCH_H

#include <stdbool.h>

struct scratch {
    char path[64];
    int alive; /* inherited by every child: tells the janitor who still runs */
};

enum scratch_place {
    SCRATCH_FAST, /* in memory where that is plentiful: what is there need not be durable */
    SCRATCH_DISK,
};

/* Creates the directory. `keep`: it stays when the program has ended, on the disk. */
void scratch_open(struct scratch *scratch, const char *name, enum scratch_place place, bool keep);

/* "<directory>/<formatted name>"; the caller frees. */
char *scratch_path(const struct scratch *scratch, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Writes text into a new file and returns its path; the caller frees. */
char *scratch_write(const struct scratch *scratch, const char *name, const char *text);

/* The text of a file, "" where there is none; the caller frees. */
char *scratch_read(const char *path);

#endif
