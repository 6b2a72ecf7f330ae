/* The command's process tree, as /proc shows it. */
#ifndef SCHEMAGATE_CLI_RUN_TREE_H
#define SCHEMAGATE_CLI_RUN_TREE_H

#include <sys/types.h>

/* Calls visit for each number that names an entry of a /proc directory. */
void tree_each_number(const char *directory, void (*visit)(void *context, int number), void *context);

/* To the process group `group` (0: none), and to every direct child of `parent` in whatever group, but for
 * `spared` (0: nobody). What a child leaves behind when it ends becomes its reaper's: look there again. */
struct tree {
    pid_t group, parent, spared;
};
void tree_signal(const struct tree *tree, int signal);

#endif
