/* Completions for shells, written from the tables of verbs and options (cli.h). */
#include "options.h"

#include <schemagate/cli/cli.h>

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* What a value, or an argument, is to be completed with. */
enum completes { COMPLETES_NOTHING, COMPLETES_FILES, COMPLETES_WORDS, COMPLETES_COMMANDS };

static bool is_path(const char *what)
{
    return strncmp(what, "FILE", 4) == 0 || strncmp(what, "DIR", 3) == 0 || strncmp(what, "PATH", 4) == 0;
}

static enum completes value_completes(const struct cli_option *option)
{
    if (option->kind == OPTION_CHOICE)
        return COMPLETES_WORDS;
    return option->argument && is_path(option->argument) ? COMPLETES_FILES : COMPLETES_NOTHING;
}

static enum completes argument_completes(const struct cli_verb *verb)
{
    if (strstr(verb->arguments, "COMMAND"))
        return COMPLETES_COMMANDS;
    if (strstr(verb->arguments, "FILE"))
        return COMPLETES_FILES;
    bool one_of = strchr(verb->arguments, '|') && !strchr(verb->arguments, ' ');
    return one_of ? COMPLETES_WORDS : COMPLETES_NOTHING;
}

/* "a|b|c" as "a b c". */
static void print_words(const char *choices)
{
    for (; *choices; choices++)
        putchar(*choices == '|' ? ' ' : *choices);
}

/* Text inside of single quotes, with `special` characters behind a backslash. */
static void print_quoted(const char *text, const char *special)
{
    for (; *text; text++) {
        if (*text == '\'')
            fputs("'\\'", stdout);
        else if (strchr(special, *text))
            putchar('\\');
        putchar(*text);
    }
}

typedef void each_verb(const struct cli_verb *verb);
typedef void each_option(const struct cli_verb *verb, const struct cli_option *option);

static void for_verbs(const struct cli_verb *const tables[], each_verb *each)
{
    for (; *tables; tables++)
        for (const struct cli_verb *verb = *tables; verb->name; verb++)
            if (verb->summary)
                each(verb);
}

/* The verb's own and, where it has a table, those of the connection. */
static void for_options(const struct cli_verb *verb, each_option *each)
{
    const struct cli_option *const both[] = {verb->options, verb->options ? connection_options : NULL};
    for (size_t n = 0; n < 2; n++)
        for (const struct cli_option *option = both[n]; option && option->name; option++)
            each(verb, option);
}

/* ---- bash ---- */

static void bash_name(const struct cli_verb *verb)
{
    printf(" %s", verb->name);
}

static void bash_flag(const struct cli_verb *verb, const struct cli_option *option)
{
    (void)verb;
    printf(" --%s", option->name);
}

static void bash_flags(const struct cli_verb *verb)
{
    printf("    %s) options='--help", verb->name);
    for_options(verb, bash_flag);
    fputs("' ;;\n", stdout);
}

static void bash_value(const struct cli_verb *verb, const struct cli_option *option)
{
    static const char *const completes[] = {
        [COMPLETES_NOTHING] = "return 0",
        [COMPLETES_FILES] = "_schemagate_files; return 0",
    };
    enum completes with = value_completes(option);
    if (option->kind == OPTION_FLAG)
        return;
    printf("    %s:--%s", verb->name, option->name);
    if (option->letter)
        printf("|%s:-%c", verb->name, option->letter);
    if (with != COMPLETES_WORDS) {
        printf(") %s ;;\n", completes[with]);
        return;
    }
    fputs(") _schemagate_words '", stdout);
    print_words(option->argument);
    fputs("'; return 0 ;;\n", stdout);
}

static void bash_values(const struct cli_verb *verb)
{
    for_options(verb, bash_value);
}

static void bash_argument(const struct cli_verb *verb)
{
    switch (argument_completes(verb)) {
    case COMPLETES_FILES:
        printf("    %s) _schemagate_files ;;\n", verb->name);
        break;
    case COMPLETES_COMMANDS:
        printf("    %s) mapfile -t COMPREPLY < <(compgen -c -- \"$word\") ;;\n", verb->name);
        break;
    case COMPLETES_WORDS:
        printf("    %s) _schemagate_words '", verb->name);
        print_words(verb->arguments);
        fputs("' ;;\n", stdout);
        break;
    case COMPLETES_NOTHING:
        break;
    }
}

static void print_bash(const struct cli_verb *const tables[])
{
    fputs("# schemagate completion bash\n"
          "_schemagate_words() { mapfile -t COMPREPLY < <(compgen -W \"$1\" -- \"$word\"); }\n"
          "_schemagate_files() { compopt -o filenames 2>/dev/null; "
          "mapfile -t COMPREPLY < <(compgen -f -- \"$word\"); }\n"
          "_schemagate() {\n"
          "    local word=\"${COMP_WORDS[COMP_CWORD]}\" before=\"${COMP_WORDS[COMP_CWORD - 1]}\" "
          "verb=\"${COMP_WORDS[1]}\" options=\n"
          "    COMPREPLY=()\n"
          "    if [ \"$COMP_CWORD\" = 1 ]; then _schemagate_words '",
          stdout);
    for_verbs(tables, bash_name);
    fputs("'; return 0; fi\n    case \"$verb:$before\" in\n", stdout);
    for_verbs(tables, bash_values);
    fputs("    esac\n    case \"$verb\" in\n", stdout);
    for_verbs(tables, bash_flags);
    fputs("    esac\n    if [ \"${word:0:1}\" = - ]; then _schemagate_words \"$options\"; return 0; fi\n"
          "    case \"$verb\" in\n",
          stdout);
    for_verbs(tables, bash_argument);
    fputs("    esac\n    return 0\n}\ncomplete -F _schemagate schemagate\n", stdout);
}

/* ---- zsh ---- */

#define ZSH_SPECIAL "[]:\\"

static void zsh_name(const struct cli_verb *verb)
{
    printf("        '%s:", verb->name);
    print_quoted(verb->summary, ZSH_SPECIAL);
    fputs("'\n", stdout);
}

static void zsh_value(const struct cli_option *option)
{
    if (option->kind == OPTION_FLAG)
        return;
    putchar(':');
    print_quoted(option->argument, ZSH_SPECIAL);
    putchar(':');
    if (value_completes(option) == COMPLETES_FILES)
        fputs("_files", stdout);
    if (value_completes(option) == COMPLETES_WORDS) {
        putchar('(');
        print_words(option->argument);
        putchar(')');
    }
}

static void zsh_option(const struct cli_verb *verb, const struct cli_option *option)
{
    (void)verb;
    if (option->letter)
        printf(" \\\n            {-%c,--%s}'[", option->letter, option->name);
    else
        printf(" \\\n            '--%s[", option->name);
    print_quoted(option->help, ZSH_SPECIAL);
    putchar(']');
    zsh_value(option);
    putchar('\'');
}

static void zsh_verb(const struct cli_verb *verb)
{
    enum completes with = argument_completes(verb);

    printf("    %s)\n        _arguments '--help[print the usage]'", verb->name);
    for_options(verb, zsh_option);
    if (with == COMPLETES_FILES)
        fputs(" \\\n            '*:file:_files'", stdout);
    if (with == COMPLETES_COMMANDS)
        fputs(" \\\n            '*::command:_normal'", stdout);
    if (with == COMPLETES_WORDS) {
        fputs(" \\\n            '1:word:(", stdout);
        print_words(verb->arguments);
        fputs(")'", stdout);
    }
    fputs(" ;;\n", stdout);
}

static void print_zsh(const struct cli_verb *const tables[])
{
    fputs("#compdef schemagate\n"
          "_schemagate() {\n"
          "    local -a verbs\n"
          "    verbs=(\n",
          stdout);
    for_verbs(tables, zsh_name);
    fputs("    )\n"
          "    if (( CURRENT == 2 )); then _describe verb verbs; return; fi\n"
          "    shift words\n"
          "    (( CURRENT-- ))\n"
          "    case $words[1] in\n",
          stdout);
    for_verbs(tables, zsh_verb);
    fputs("    esac\n"
          "}\n"
          "if [ \"$funcstack[1]\" = _schemagate ]; then _schemagate \"$@\"; "
          "else compdef _schemagate schemagate; fi\n",
          stdout);
}

/* ---- fish ---- */

#define FISH_SPECIAL "\\"
#define FISH_IN "complete -c schemagate -n '__fish_seen_subcommand_from %s'"

static void fish_option(const struct cli_verb *verb, const struct cli_option *option)
{
    printf(FISH_IN " -l %s", verb->name, option->name);
    if (option->letter)
        printf(" -s %c", option->letter);
    if (option->kind != OPTION_FLAG)
        fputs(value_completes(option) == COMPLETES_FILES ? " -rF" : " -x", stdout);
    if (value_completes(option) == COMPLETES_WORDS) {
        fputs(" -a '", stdout);
        print_words(option->argument);
        putchar('\'');
    }
    fputs(" -d '", stdout);
    print_quoted(option->help, FISH_SPECIAL);
    fputs("'\n", stdout);
}

static void fish_verb(const struct cli_verb *verb)
{
    printf("complete -c schemagate -n __fish_use_subcommand -f -a %s -d '", verb->name);
    print_quoted(verb->summary, FISH_SPECIAL);
    fputs("'\n", stdout);
    for_options(verb, fish_option);
    switch (argument_completes(verb)) {
    case COMPLETES_FILES:
        printf(FISH_IN " -F\n", verb->name);
        break;
    case COMPLETES_COMMANDS:
        printf(FISH_IN " -a '(__fish_complete_subcommand)'\n", verb->name);
        break;
    case COMPLETES_WORDS:
        printf(FISH_IN " -a '", verb->name);
        print_words(verb->arguments);
        fputs("'\n", stdout);
        break;
    case COMPLETES_NOTHING:
        break;
    }
}

static void print_fish(const struct cli_verb *const tables[])
{
    fputs("# schemagate completion fish\ncomplete -c schemagate -f\n", stdout);
    for_verbs(tables, fish_verb);
}

int cli_print_completion(const struct cli_verb *const tables[], const char *shell)
{
    static const struct {
        const char *shell;
        void (*print)(const struct cli_verb *const tables[]);
    } shells[] = {{"bash", print_bash}, {"zsh", print_zsh}, {"fish", print_fish}};

    for (size_t n = 0; shell && n < sizeof(shells) / sizeof(shells[0]); n++)
        if (strcmp(shells[n].shell, shell) == 0) {
            shells[n].print(tables);
            return CLI_DONE;
        }
    fputs("usage: schemagate completion bash|zsh|fish\n", stderr);
    return CLI_USAGE;
}
