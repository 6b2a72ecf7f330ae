/* Runs the program's client verbs. */
#include <support/command.h>

#include <support/process.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void command_open(struct command *command, const struct world *world, const struct daemon *daemon)
{
    *command = (struct command){.world = world};
    int length = daemon ? asprintf(&command->url, "SCHEMAGATE_URL=unix:%s", daemon->client.socket)
                        : asprintf(&command->url, "SCHEMAGATE_URL");
    if (length < 0)
        test_fail("out of memory");
}

void command_close(struct command *command)
{
    free(command->url);
    free(command->output);
    free(command->errors);
    *command = (struct command){0};
}

static char *file_of(const struct command *command, const char *kind)
{
    return scratch_path(&command->world->scratch, "command-%u.%s", command->count, kind);
}

static pid_t start(struct command *command, const char *arguments)
{
    char *line = NULL;
    command->count++;
    if (asprintf(&line, "exec \"$SCHEMAGATE_BINARY\" %s", arguments) < 0)
        test_fail("out of memory");
    char *output = file_of(command, "out"), *errors = file_of(command, "err");
    remove(output);
    remove(errors);
    pid_t pid = process_start(&(struct process_options){
        .arguments = (const char *[]){"sh", "-c", line, NULL},
        .environment =
            (const char *[]){command->url, "SCHEMAGATE_TOKEN_FILE", "NOTIFY_SOCKET", NULL},
        .output = output,
        .errors = errors});
    free(output);
    free(errors);
    free(line);
    return pid;
}

#define FORMATTED(text, format)                                                                    \
    char *text = NULL;                                                                             \
    va_list list;                                                                                  \
    va_start(list, format);                                                                        \
    if (vasprintf(&text, format, list) < 0)                                                        \
        test_fail("out of memory");                                                                \
    va_end(list)

pid_t command_start(struct command *command, const char *arguments_format, ...)
{
    FORMATTED(arguments, arguments_format);
    pid_t pid = start(command, arguments);
    free(arguments);
    return pid;
}

int command_finish(struct command *command, pid_t pid)
{
    command->code = process_code(process_wait(pid, PATIENCE_MS));
    char *output = file_of(command, "out"), *errors = file_of(command, "err");
    free(command->output);
    free(command->errors);
    command->output = scratch_read(output);
    command->errors = scratch_read(errors);
    free(output);
    free(errors);
    return command->code;
}

void command_expect(struct command *command, int code, const char *arguments_format, ...)
{
    FORMATTED(arguments, arguments_format);
    if (command_finish(command, start(command, arguments)) != code)
        test_fail("schemagate %s: exit code %d, not %d\n%s%s", arguments, command->code, code,
                  command->output, command->errors);
    free(arguments);
}
