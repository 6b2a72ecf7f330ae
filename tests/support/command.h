/* The command line as its users type it, against a daemon of the test's world. */
#ifndef SUPPORT_COMMAND_H
#define SUPPORT_COMMAND_H

#include <support/world.h>

struct command {
    const struct world *world;
    char *url;            /* SCHEMAGATE_URL=… */
    int code;             /* exit code of the last one, as a shell shows it */
    char *output, *errors; /* what the last one printed */
    unsigned count;
};

/* daemon: NULL for verbs that need none. */
void command_open(struct command *command, const struct world *world, const struct daemon *daemon);
void command_close(struct command *command);

/* Runs `schemagate ARGUMENTS` through the shell and fails the test unless it ends with `code`. */
void command_expect(struct command *command, int code, const char *arguments_format, ...)
    __attribute__((format(printf, 3, 4)));

/* The same in the background: returns the process. Its output goes to files: see command_finish. */
pid_t command_start(struct command *command, const char *arguments_format, ...)
    __attribute__((format(printf, 2, 3)));
/* Waits for the one that was started last and takes its output; returns the exit code. */
int command_finish(struct command *command, pid_t pid);

#endif
