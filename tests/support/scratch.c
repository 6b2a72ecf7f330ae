/* The directory and its janitor: a child that waits for the death of the test program and of
 * everything that inherited its pipe, then removes the directory. */
#include <support/scratch.h>

#include <support/test.h>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define STRAGGLERS_MS 15000
#define MEMORY_FOLDER "/dev/shm"
#define MEMORY_LEAST_KB (8L << 20) /* several programs at a time; a cluster grows to some hundred megabytes */

static void janitor_run(const char *path, int alive, pid_t parent)
{
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
    prctl(PR_SET_PDEATHSIG, SIGUSR1);
    if (getppid() == parent) {
        sigset_t death;
        int signal_number;
        sigemptyset(&death);
        sigaddset(&death, SIGUSR1);
        sigwait(&death, &signal_number);
    }
    struct pollfd everybody = {.fd = alive, .events = POLLIN};
    poll(&everybody, 1, STRAGGLERS_MS);
    execlp("rm", "rm", "-rf", "--", path, (char *)NULL);
    _exit(EXIT_FAILURE);
}

static long available_kb(void)
{
    char line[128];
    long kilobytes = 0;
    FILE *file = fopen("/proc/meminfo", "re");
    while (file && kilobytes == 0 && fgets(line, sizeof line, file))
        sscanf(line, "MemAvailable: %ld kB", &kilobytes);
    if (file)
        fclose(file);
    return kilobytes;
}

/* Thousands of small files come and go in each program: while others are removed, ext4 needs up to ten times
 * the processor for them that memory does. */
static bool memory_is_plentiful(void)
{
    struct statvfs folder;
    return statvfs(MEMORY_FOLDER, &folder) == 0 && !(folder.f_flag & ST_NOEXEC) &&
           folder.f_bavail * (folder.f_frsize / 1024) > MEMORY_LEAST_KB && available_kb() > MEMORY_LEAST_KB;
}

void scratch_open(struct scratch *scratch, const char *name, enum scratch_place place, bool keep)
{
    snprintf(scratch->path, sizeof scratch->path, "%s/schemagate-%.16s.XXXXXX",
             place == SCRATCH_FAST && !keep && memory_is_plentiful() ? MEMORY_FOLDER : "/tmp", name);
    if (!mkdtemp(scratch->path) || chmod(scratch->path, 0755) != 0)
        test_fail("cannot create %s", scratch->path);
    int ends[2];
    if (pipe(ends) != 0)
        test_fail("cannot create a pipe");
    scratch->alive = ends[1];
    if (keep)
        return;
    pid_t parent = getpid();
    pid_t janitor = fork();
    if (janitor < 0)
        test_fail("cannot start the janitor");
    if (janitor == 0) {
        close(ends[1]);
        janitor_run(scratch->path, ends[0], parent);
    }
    close(ends[0]);
}

char *scratch_path(const struct scratch *scratch, const char *format, ...)
{
    char name[128];
    char *path = NULL;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(name, sizeof name, format, arguments);
    va_end(arguments);
    if (asprintf(&path, "%s/%s", scratch->path, name) < 0)
        test_fail("out of memory");
    return path;
}

char *scratch_write(const struct scratch *scratch, const char *name, const char *text)
{
    char *path = scratch_path(scratch, "%s", name);
    FILE *file = fopen(path, "w");
    if (!file || fputs(text, file) < 0 || fclose(file) != 0)
        test_fail("cannot write %s", path);
    return path;
}

char *scratch_read(const char *path)
{
    size_t length = 0;
    char *text = NULL;
    FILE *file = fopen(path, "r");
    FILE *memory = open_memstream(&text, &length);
    if (!memory)
        test_fail("out of memory");
    int byte;
    while (file && (byte = fgetc(file)) != EOF)
        fputc(byte, memory);
    fclose(memory);
    if (file)
        fclose(file);
    return text;
}
