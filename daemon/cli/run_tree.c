/* Looking through /proc. */
#include "run_tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void tree_each_number(const char *directory, void (*visit)(void *context, int number), void *context)
{
    DIR *entries = opendir(directory);
    if (!entries)
        return;
    const struct dirent *entry;
    while ((entry = readdir(entries))) {
        char *end;
        long number = strtol(entry->d_name, &end, 10);
        if (!*end && number >= 0 && number != dirfd(entries))
            visit(context, (int)number);
    }
    closedir(entries);
}

static bool is_child(int pid, pid_t parent)
{
    char path[64], text[512];
    snprintf(path, sizeof(path), "/proc/%d/stat", pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
    if (fd >= 0)
        close(fd);
    if (length <= 0)
        return false;
    text[length] = '\0';
    /* "pid (name) state ppid …": the name may hold anything, a parenthesis too. */
    const char *name_end = strrchr(text, ')');
    int its_parent;
    return name_end && sscanf(name_end + 1, " %*c %d", &its_parent) == 1 && its_parent == parent;
}

struct addressee {
    const struct tree *tree;
    int signal;
};

static void signal_if_child(void *context, int pid)
{
    const struct addressee *addressee = context;
    const struct tree *tree = addressee->tree;
    if (pid > 1 && pid != tree->spared && is_child(pid, tree->parent) && getpgid(pid) != tree->group)
        kill(pid, addressee->signal);
}

void tree_signal(const struct tree *tree, int signal)
{
    if (tree->group > 0)
        kill(-tree->group, signal);
    tree_each_number("/proc", signal_if_child, &(struct addressee){tree, signal});
}
