/* What the configuration names, and is not there (config.h). */
#include <schemagate/base/config.h>

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A regular file can be run, a directory entered. Returns 0, or the errno of what would fail: `unlike`
 * where it is of another type (S_IFMT). */
static int try_path(const char *path, mode_t type, int unlike)
{
    struct stat found;

    if (stat(path, &found) != 0)
        return errno;
    if ((found.st_mode & S_IFMT) != type)
        return unlike;
    return access(path, X_OK) == 0 ? 0 : errno;
}

static void warn_of_program(struct buf *warnings, const char *section, const char *name,
                            const struct config_list *command)
{
    int error = command->count > 0 ? try_path(command->items[0], S_IFREG, EACCES) : 0;

    if (error == 0)
        return;
    bool is_shell_like = strchr(command->items[0], ' ') != NULL;
    buf_printf(warnings, "[%s %s] command: %s cannot be run: %s%s\n", section, name, command->items[0],
               strerror(error), is_shell_like ? " (the words of a command are separated by commas)" : "");
}

void config_warn(const struct config *c, struct buf *warnings)
{
    for (size_t i = 0; i < c->notify_count; i++)
        warn_of_program(warnings, "notify", c->notifies[i].name, &c->notifies[i].command);
    for (size_t i = 0; i < c->runner_count; i++) {
        const struct config_runner *runner = &c->runners[i];
        int error = runner->directory[0] != '\0' ? try_path(runner->directory, S_IFDIR, ENOTDIR) : 0;

        warn_of_program(warnings, "runner", runner->name, &runner->command);
        if (error != 0)
            buf_printf(warnings, "[runner %s] directory: %s cannot be entered: %s\n", runner->name,
                       runner->directory, strerror(error));
    }
}
