/* The lock file that descendants inherit. */
#include "run_lock.h"

#include <schemagate/base/buf.h>
#include <schemagate/base/memory.h>

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define HOLDERS_MAX 8192 /* bytes that are read */
#define HOLDERS_KEPT 4096

/* "/run/schemagate" for root, "$XDG_RUNTIME_DIR/schemagate" for others; NULL where there is
 * neither. A directory that anybody may write to would prove nothing. */
static char *runtime_directory(void)
{
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    char *directory = geteuid() == 0        ? memory_copy("/run/schemagate")
                      : runtime && *runtime ? memory_printf("%s/schemagate", runtime)
                                            : NULL;
    if (directory)
        mkdir(directory, 0755);
    return directory;
}

static char *default_path(const char *app, const char *instance)
{
    char *directory = runtime_directory();
    char *path = directory ? memory_printf("%s/run-%s-%s.lock", directory, app, instance) : NULL;
    free(directory);
    return path;
}

bool run_lock_open(struct run_lock *lock, const char *path, const char *app, const char *instance)
{
    *lock = (struct run_lock){.path = path ? memory_copy(path) : default_path(app, instance),
                              .fd = -1};
    if (!lock->path)
        return true;
    lock->fd = open(lock->path, O_RDWR | O_CREAT | O_NOFOLLOW, 0600);
    return lock->fd >= 0 || !path;
}

static char *read_holders(int fd)
{
    char text[HOLDERS_MAX + 1];
    ssize_t length = pread(fd, text, HOLDERS_MAX, 0);
    return memory_copy_n(text, length > 0 ? (size_t)length : 0);
}

/* The newest holders and ourselves, in one write. */
static void write_holders(int fd, const char *holders, const char *incarnation)
{
    size_t length = strlen(holders);
    const char *newest = length > HOLDERS_KEPT ? strchr(holders + length - HOLDERS_KEPT, '\n')
                                               : NULL;
    struct buf text = BUF_INIT(0);
    buf_printf(&text, "%s%s\n", newest ? newest + 1 : holders, incarnation);
    if (pwrite(fd, buf_text(&text), text.length, 0) == (ssize_t)text.length) {
        /* Where it fails the old end stays behind: lines of incarnations that held the lock too. */
        (void)!ftruncate(fd, (off_t)text.length);
    }
    buf_free(&text);
}

bool run_lock_try(struct run_lock *lock, const char *incarnation)
{
    if (lock->held || lock->fd < 0)
        return lock->held;
    struct stat open_file, named_file;
    lock->held = flock(lock->fd, LOCK_EX | LOCK_NB) == 0 && fstat(lock->fd, &open_file) == 0 &&
                 stat(lock->path, &named_file) == 0 && open_file.st_ino == named_file.st_ino &&
                 open_file.st_dev == named_file.st_dev;
    if (lock->held) {
        lock->holders = read_holders(lock->fd);
        write_holders(lock->fd, lock->holders, incarnation);
    }
    return lock->held;
}

bool run_lock_proves_end(const struct run_lock *lock, const char *incarnation)
{
    size_t length = strlen(incarnation);
    for (const char *line = lock->held ? lock->holders : NULL; line && *line && length;) {
        size_t end = strcspn(line, "\n");
        if (end == length && strncmp(line, incarnation, length) == 0)
            return true;
        line += end + (line[end] == '\n');
    }
    return false;
}

void run_lock_close(struct run_lock *lock)
{
    if (lock->fd >= 0)
        close(lock->fd);
    free(lock->path);
    free(lock->holders);
    *lock = (struct run_lock){.fd = -1};
}
