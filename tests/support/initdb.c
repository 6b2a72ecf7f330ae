/* initdb, and copies of what it made. It refuses to run as root: then it runs as the user postgres. */
#include <support/initdb.h>

#include <support/process.h>
#include <support/test.h>

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_SIZE 512

void initdb_program(const char *program, char path[256])
{
    const char *folder = getenv("PG_BINDIR");
    glob_t found = {0};
    if (folder)
        snprintf(path, 256, "%s/%s", folder, program);
    else if (glob("/usr/lib/postgresql/*/bin/initdb", 0, NULL, &found) == 0)
        snprintf(path, 256, "%.*s/%s",
                 (int)(strlen(found.gl_pathv[found.gl_pathc - 1]) - strlen("/initdb")),
                 found.gl_pathv[found.gl_pathc - 1], program);
    else
        snprintf(path, 256, "%s", program);
    globfree(&found);
}

static int run(const char *const *arguments, const char *user, const char *log)
{
    struct process_options options = {.arguments = arguments, .user = user, .output = log, .errors = log};
    return process_run(&options, PATIENCE_MS);
}

bool initdb_copy(const char *from, const char *to, const char *log)
{
    char contents[PATH_SIZE];
    snprintf(contents, sizeof contents, "%s/.", from);
    return run((const char *const[]){"cp", "-a", "--reflink=auto", contents, to, NULL}, NULL, log) == 0;
}

static void make(const char *data, const char *log)
{
    char program[256];
    initdb_program("initdb", program);
    const char *arguments[] = {program, "-D", data, "-U", SERVER_USER, "-A", "trust",
                               "-E", "UTF8", "--no-locale", "--no-sync", NULL};
    if (run(arguments, SERVER_USER, log) != 0)
        test_fail("initdb failed, see %s", log);
}

/* What `initdb --version` says, as the name of a file: two builds of one release are told apart. */
static void name_version(char *name, size_t size)
{
    char command[280], program[256];
    initdb_program("initdb", program);
    snprintf(command, sizeof command, "'%s' --version", program);
    FILE *said = popen(command, "re");
    if (!said || !fgets(name, (int)size, said) || pclose(said) != 0)
        test_fail("%s fails", command);
    for (char *at = name; *at; at++)
        if (!isalnum((unsigned char)*at) && *at != '.')
            *at = '-';
}

/* Held until the descriptor is closed. */
static int lock_templates(const char *folder)
{
    char path[PATH_SIZE];
    snprintf(path, sizeof path, "%s/lock", folder);
    mkdir(folder, 0755);
    int lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (lock < 0 || flock(lock, LOCK_EX) != 0)
        test_fail("cannot lock %s: %s", path, strerror(errno));
    return lock;
}

/* Under another name until it is whole: who makes it may be killed. */
static void keep(const char *data, const char *template, const char *log)
{
    char unfinished[PATH_SIZE + 16];
    snprintf(unfinished, sizeof unfinished, "%s.%d", template, (int)getpid());
    if (mkdir(unfinished, 0700) != 0 || !initdb_copy(data, unfinished, log) ||
        rename(unfinished, template) != 0)
        test_fail("cannot keep %s: %s, see %s", template, strerror(errno), log);
}

void initdb_fill(const char *data, const char *log)
{
    const char *folder = getenv("SCHEMAGATE_TEMPLATES");
    if (!folder || !*folder) {
        make(data, log);
        return;
    }
    char version[96], template[PATH_SIZE];
    name_version(version, sizeof version);
    snprintf(template, sizeof template, "%s/%s", folder, version);
    int lock = lock_templates(folder);
    bool made = access(template, F_OK) != 0;
    if (made) {
        make(data, log);
        keep(data, template, log);
    }
    close(lock);
    if (!made && !initdb_copy(template, data, log))
        test_fail("cannot copy %s, see %s", template, log);
}
