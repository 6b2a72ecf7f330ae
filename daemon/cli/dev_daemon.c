/* A daemon of one's own: its configuration, its process, its end. */
#include "dev_daemon.h"

#include <schemagate/base/memory.h>
#include <schemagate/cli/cli.h>

#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char *path_in(const struct dev_daemon *daemon, const char *name)
{
    return memory_printf("%s/%s", daemon->folder, name);
}

/* Nobody but the developer's own program uses this database: no fleet is asked for, and no session is a
 * stray. Whatever replicas are registered hold contracts all the same. */
static bool write_configuration(const struct dev_daemon *daemon, const char *conninfo)
{
    char *path = path_in(daemon, "schemagate.ini");
    FILE *file = fopen(path, "we");

    free(path);
    if (!file)
        return false;
    fprintf(file,
            "[database]\nconninfo = %s\n[http]\nlisten = %s\n"
            "[gate]\nmin_replicas = 0\nstray_sessions = ignore\n[log]\nlevel = error\nformat = text\n",
            conninfo ? conninfo : "", daemon->url);
    return fclose(file) == 0;
}

/* Our environment without SCHEMAGATE_*, which would win over the file. The texts are borrowed. */
static char **plain_environment(void)
{
    size_t count = 0;
    while (environ[count])
        count++;
    char **plain = memory_new((count + 1) * sizeof *plain);
    for (size_t from = 0, to = 0; from < count; from++)
        if (strncmp(environ[from], "SCHEMAGATE_", strlen("SCHEMAGATE_")) != 0)
            plain[to++] = environ[from];
    return plain;
}

static int spawn(struct dev_daemon *daemon)
{
    char *configuration = path_in(daemon, "schemagate.ini"), **environment = plain_environment();
    char *const arguments[] = {"schemagate", "daemon", "-c", configuration, NULL};
    posix_spawnattr_t attributes;

    /* A group of its own: Ctrl-C is for us, and we end it in our time. */
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
    int error = posix_spawn(&daemon->pid, "/proc/self/exe", NULL, &attributes, arguments, environment);
    posix_spawnattr_destroy(&attributes);
    free(environment);
    free(configuration);
    return error;
}

int dev_daemon_start(struct dev_daemon *daemon, const char *conninfo)
{
    *daemon = (struct dev_daemon){.folder = "/tmp/schemagate-dev-XXXXXX"};
    if (!mkdtemp(daemon->folder)) {
        fprintf(stderr, "schemagate dev: cannot make a folder in /tmp: %s\n", strerror(errno));
        return CLI_FAILED;
    }
    snprintf(daemon->url, sizeof daemon->url, "unix:%s/api.sock", daemon->folder);
    int error = write_configuration(daemon, conninfo) ? spawn(daemon) : errno;
    if (error == 0)
        return CLI_DONE;
    fprintf(stderr, "schemagate dev: cannot start: %s\n", strerror(error));
    daemon->pid = 0;
    dev_daemon_stop(daemon);
    return CLI_FAILED;
}

bool dev_daemon_has_ended(struct dev_daemon *daemon)
{
    if (daemon->pid > 0 && waitpid(daemon->pid, NULL, WNOHANG) == daemon->pid)
        daemon->pid = 0;
    return daemon->pid == 0;
}

void dev_daemon_stop(struct dev_daemon *daemon)
{
    static const char *const left[] = {"schemagate.ini", "api.sock"};

    if (daemon->pid > 0) {
        kill(daemon->pid, SIGTERM);
        while (waitpid(daemon->pid, NULL, 0) < 0 && errno == EINTR)
            continue;
        daemon->pid = 0;
    }
    for (size_t i = 0; i < sizeof left / sizeof *left; i++) {
        char *path = path_in(daemon, left[i]);
        unlink(path);
        free(path);
    }
    rmdir(daemon->folder);
}
