/* The lock file: every descendant of a command inherits its descriptor, so an exclusive lock on it
 * means that the whole tree before us has ended. It proves that only for trees that held this very
 * file (a name may be taken over from another machine, a file may be new), so the holders write
 * down their incarnations, and only those may be attested. */
#ifndef SCHEMAGATE_CLI_RUN_LOCK_H
#define SCHEMAGATE_CLI_RUN_LOCK_H

#include <stdbool.h>

struct run_lock {
    char *path; /* owned; NULL: there is no lock file */
    int fd;     /* -1: none; without close-on-exec */
    bool held;
    char *holders; /* owned; the incarnations that held it before us, a line each */
};

/* Opens (creates) the file; NULL: the default for app and instance under the runtime directory.
 * Returns false with errno where a file that was asked for cannot be opened; without a runtime
 * directory there is simply no lock. */
bool run_lock_open(struct run_lock *lock, const char *path, const char *app, const char *instance);

/* Tries to get the lock, once it is got writes our incarnation down. Returns lock->held. */
bool run_lock_try(struct run_lock *lock, const char *incarnation);

/* True if the lock is held and that incarnation held it before us. */
bool run_lock_proves_end(const struct run_lock *lock, const char *incarnation);

void run_lock_close(struct run_lock *lock);

#endif
