/* Steps that are configured commands: the migration names one and gives it an argument; the program, and what
 * else is on its command line, are the configuration's. */
#include "state.h"

#include <schemagate/base/memory.h>
#include <schemagate/base/template.h>
#include <schemagate/plan/rule.h>

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define ARGUMENT_MAX 128
#define ARGUMENT_LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:/+-"

/* ---- what a step asks for ---- */

/* Inside the step's text (plan/emit.c writes it); NULL: none. */
static const char *argument_of(const char *sql)
{
    static const char key[] = " argument=";
    const char *at = strstr(sql, key);
    return at ? at + strlen(key) : NULL;
}

/* What a submitter has written may be a word of a command line, and never an option. */
static bool is_harmless(const char *text)
{
    size_t length = strlen(text);
    return length > 0 && length <= ARGUMENT_MAX && *text != '-' && strspn(text, ARGUMENT_LETTERS) == length;
}

static bool takes(const struct config_runner *runner, enum template_place place)
{
    for (size_t i = 0; i < runner->command.count; i++)
        if (template_has(runner->command.items[i], place))
            return true;
    return false;
}

static char *name_runners(const struct config *config, const char *missing)
{
    struct buf text = BUF_INIT(0);

    buf_printf(&text, "there is no runner '%s'; ", missing);
    buf_puts(&text, config->runner_count > 0 ? "configured are: " : "none is configured");
    for (size_t i = 0; i < config->runner_count; i++)
        buf_printf(&text, "%s%s", i > 0 ? ", " : "", config->runners[i].name);
    return buf_take(&text);
}

/* What keeps the command from being put together, or NULL; the caller frees. */
static char *mistake_in(const struct config *config, const char *runner_name, const char *argument,
                        const char *migration_name, enum plan_rule_id *rule)
{
    const struct config_runner *runner = config_runner_find(config, runner_name);

    *rule = runner ? RULE_RUNNER_ARGUMENT : RULE_UNKNOWN_RUNNER;
    if (!runner)
        return name_runners(config, runner_name);
    if (takes(runner, TEMPLATE_ARGUMENT) && !argument)
        return memory_printf("the runner '%s' needs an argument: '-- schemagate: run %s argument=VALUE'",
                             runner_name, runner_name);
    if (argument && !takes(runner, TEMPLATE_ARGUMENT))
        return memory_printf("the runner '%s' takes no argument", runner_name);
    if (argument && !is_harmless(argument))
        return memory_printf("the argument of the runner '%s' is not of the form that it must have",
                             runner_name);
    if (takes(runner, TEMPLATE_NAME) && !is_harmless(migration_name))
        return memory_printf("the runner '%s' is told the migration's name, which '%s' cannot be: 1 to 128 "
                             "of A-Z a-z 0-9 . _ : / + -, the first one not a -",
                             runner_name, migration_name);
    return NULL;
}

void runners_judge(const struct coordinator *c, const char *name, struct plan *plan)
{
    for (size_t i = 0; i < plan->statement_count; i++) {
        const struct plan_statement *statement = &plan->statements[i];
        enum plan_rule_id rule;

        if (statement->work.kind != WORK_RUNNER)
            continue;
        char *mistake = mistake_in(c->config, statement->work.object, argument_of(statement->sql),
                                   name ? name : plan->name ? plan->name : "", &rule);
        if (mistake)
            plan_report(plan, rule, statement->line, statement->column, statement->work.object, mistake);
        free(mistake);
    }
}

/* ---- the command ---- */

static char **fill_arguments(const struct config_runner *runner, const char *const values[TEMPLATE_PLACES])
{
    char **arguments = memory_new((runner->command.count + 1) * sizeof *arguments);
    for (size_t i = 0; i < runner->command.count; i++)
        arguments[i] = template_fill(runner->command.items[i], values);
    return arguments;
}

static char **make_environment(const struct config_runner *runner, const char *version, const char *phase)
{
    char **environment = memory_new((runner->environment.count + 3) * sizeof *environment);
    size_t count = 0;

    environment[count++] = memory_printf("SCHEMAGATE_VERSION=%s", version);
    environment[count++] = memory_printf("SCHEMAGATE_PHASE=%s", phase);
    for (size_t i = 0; i < runner->environment.count; i++)
        environment[count++] = memory_copy(runner->environment.items[i]);
    return environment;
}

struct execution_command *runner_command(const struct coordinator *c, const struct migration *m,
                                         const struct step *step, char **trouble)
{
    const struct config_runner *runner = config_runner_find(c->config, step->work.object);
    const char *argument = argument_of(step->sql), *phase = plan_section_name(step->section);
    struct execution_command *command;
    enum plan_rule_id rule;
    char version[24];

    *trouble = mistake_in(c->config, step->work.object, argument, m->name, &rule);
    if (*trouble)
        return NULL;
    snprintf(version, sizeof version, "%" PRId64, m->version);
    const char *const values[TEMPLATE_PLACES] = {
        [TEMPLATE_VERSION] = version,
        [TEMPLATE_PHASE] = phase,
        [TEMPLATE_NAME] = m->name,
        [TEMPLATE_ARGUMENT] = argument,
    };
    command = memory_new(sizeof *command);
    *command = (struct execution_command){
        .runner = memory_copy(runner->name),
        .arguments = fill_arguments(runner, values),
        .environment = make_environment(runner, version, phase),
        .directory = memory_copy(runner->directory),
        .timeout_ms = runner->timeout_seconds * 1000,
    };
    return command;
}

json_t *runner_event(const struct step *step)
{
    return json_pack("{s:s, s:i, s:s, s:s*}", "phase", plan_section_name(step->section), "step",
                     (int)step->number, "runner", step->work.object, "argument", argument_of(step->sql));
}

static void free_texts(char **texts)
{
    for (size_t i = 0; texts[i]; i++)
        free(texts[i]);
    free(texts);
}

void runner_free(struct execution_command *command)
{
    if (!command)
        return;
    free_texts(command->arguments);
    free_texts(command->environment);
    free(command->runner);
    free(command->directory);
    free(command);
}
