/* Configured commands as steps: started behind the fence, ended with the session that holds the lock. Between
 * both the session is idle, so that its pings go on proving the lock (leadership.c). */
#include "command.h"

#include <schemagate/base/child.h>
#include <schemagate/base/clock.h>
#include <schemagate/base/log.h>
#include <schemagate/base/memory.h>

#include <stdlib.h>
#include <string.h>

/* Of its output: enough to see what it set out to do, and what it ended with. */
enum { OUTPUT_BEGINNING = 4096, OUTPUT_END = 12288 };

/* Without a proof of the lock. Two pings are at most 4 s apart (leadership.c), and the server gives up a
 * session that it has not heard of for 5 s: by then the command has ended, also where this process stands
 * still. */
enum { GUARD_MS = 4500 };

static void finish_command(struct executor_try *try, enum execution_status status, const char *message,
                           const char *output, const json_t *report)
{
    const struct execution_statement *statement = &try->execution.statements[0];
    struct execution_result result = {
        .status = status,
        .error = {.message = message,
                  .detail = output,
                  .hint = status == EXECUTION_FAILED ? "a retry runs it again from its beginning" : NULL,
                  .step = statement->number,
                  .line = statement->line,
                  .column = statement->column,
                  .report = report},
    };

    execution_finish_with(try, &result);
}

void command_finish_cancelled(struct executor_try *try)
{
    finish_command(try, EXECUTION_CANCELLED, "cancelled", NULL, NULL);
}

/* Its output as a text that JSON and PostgreSQL can hold; the caller frees. */
static char *clean_output(const char *output)
{
    char *text = memory_copy(output), *end = text + strlen(text);

    while (end > text && strchr(" \t\r\n", end[-1]) != NULL)
        *--end = '\0';
    for (char *at = text; *at != '\0'; at++)
        if ((unsigned char)*at < ' ' && *at != '\n' && *at != '\t')
            *at = ' ';
    json_t *as_json = json_string(text); /* NULL: it is not UTF-8 */
    for (char *at = text; as_json == NULL && *at != '\0'; at++)
        if ((unsigned char)*at >= 0x80)
            *at = '?';
    json_decref(as_json);
    return text;
}

/* Of a step, the first event is the command's own. */
static void note_in_event(struct executor_try *try, const json_t *report)
{
    json_t *changes = json_loads(try->changes, 0, NULL);
    json_t *event = json_array_get(json_object_get(changes, "events"), 0);

    json_object_update(json_object_get(event, "data"), (json_t *)report);
    free(try->changes);
    try->changes = json_dumps(changes, JSON_COMPACT);
    json_decref(changes);
}

static char *describe(const struct executor_try *try, const struct child_end *end)
{
    const char *runner = try->execution.command->runner;

    return end->trouble != NULL ? memory_printf("runner %s: %s", runner, end->trouble)
                                : memory_printf("runner %s: exit code %d", runner, end->code);
}

static void on_end(void *context, const struct child_end *end)
{
    struct executor_try *try = context;

    try->child = NULL;
    try->seconds[0] = (double)(clock_sample().boot_ms - try->child_since) / 1000;
    try->seconds_count = 1;
    if (try->child_lost || end->stood_still) {
        execution_finish(try, EXECUTION_UNKNOWN);
        return;
    }
    if (try->cancelled) {
        command_finish_cancelled(try);
        return;
    }
    json_t *code = end->trouble != NULL ? json_null() : json_integer(end->code);
    json_t *report = json_pack("{s:s, s:o, s:f}", "runner", try->execution.command->runner, "exit_code", code,
                               "seconds", try->seconds[0]);
    if (end->trouble == NULL && end->code == 0) {
        note_in_event(try, report);
        try->child_done(try);
    } else {
        char *message = describe(try, end), *output = clean_output(end->output);

        finish_command(try, EXECUTION_FAILED, message, *output != '\0' ? output : NULL, report);
        free(message);
        free(output);
    }
    json_decref(report);
}

void command_start(struct executor_try *try, void (*succeeded)(struct executor_try *try))
{
    const struct execution_command *command = try->execution.command;

    log_info("a runner is started", LOG_NUMBER("version", try->execution.version),
             LOG_TEXT("phase", try->execution.phase), LOG_TEXT("runner", command->runner));
    try->child_done = succeeded;
    try->child_since = clock_sample().boot_ms;
    try->child = child_start(try->db->base,
                             &(struct child_command){
                                 .arguments = (const char *const *)command->arguments,
                                 .environment = (const char *const *)command->environment,
                                 .directory = command->directory,
                                 .timeout_ms = command->timeout_ms,
                                 .output_max = OUTPUT_BEGINNING,
                                 .output_end = OUTPUT_END,
                                 .guarded = true,
                                 .guard_ms = GUARD_MS,
                             },
                             on_end, try);
}

void command_prove(struct executor_try *try)
{
    child_prove(try->child);
}

void command_kill(struct executor_try *try)
{
    child_kill(try->child);
}

void command_abandon(struct executor_try *try)
{
    child_abandon(try->child);
    try->child = NULL;
    execution_finish(try, EXECUTION_UNKNOWN);
}
