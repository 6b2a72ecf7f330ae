/* What the directives mean: one table of words, one of keys. */
#include "allocate.h"
#include "directive.h"
#include "reader.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_MAX_BYTES = 200, RUNNER_MAX_BYTES = 40, ARGUMENT_MAX_BYTES = 128 };
static const int64_t seconds_max = INT64_C(10) * 365 * 24 * 3600;
static const int64_t hours_max = INT64_C(10) * 365 * 24;

/* A directive while it is put to use. */
struct use {
    struct reader *reader;
    const struct directive *directive;
    size_t start;   /* of its comment */
    size_t key;     /* where the key stands that is being set */
    size_t section; /* of the four, where it opens one */
};

static bool read_number(const char *text, int64_t lowest, int64_t highest, int64_t *number)
{
    char *end;
    long long value;

    if (strspn(text, "0123456789") != strlen(text) || *text == '\0')
        return false;
    errno = 0;
    value = strtoll(text, &end, 10);
    if (errno != 0 || value < lowest || value > highest)
        return false;
    *number = value;
    return true;
}

static bool read_choice(const char *text, const char *const choices[2], bool *second)
{
    *second = strcmp(text, choices[1]) == 0;
    return *second || strcmp(text, choices[0]) == 0;
}

static bool set_name(struct use *use, const char *value)
{
    if (*value == '\0' || strlen(value) > NAME_MAX_BYTES)
        return false;
    for (const char *at = value; *at != '\0'; at++)
        if ((unsigned char)*at < ' ' || *at == '\x7F')
            return false;
    use->reader->plan->name = allocate_text("%s", value);
    return true;
}

static bool set_approval(struct use *use, const char *value)
{
    bool manual;

    if (!read_choice(value, (const char *const[]){"auto", "manual"}, &manual))
        return false;
    use->reader->plan->approval = allocate_text("%s", value);
    return true;
}

static bool set_soak(struct use *use, const char *value)
{
    return read_number(value, 0, seconds_max, &use->reader->plan->soak_seconds);
}

static bool set_keep(struct use *use, const char *value)
{
    return read_number(value, 0, hours_max, &use->reader->plan->keep_hours);
}

static bool set_requires(struct use *use, const char *value)
{
    return read_number(value, 1, PLAN_VERSION_MAX, &use->reader->plan->requires);
}

static bool set_style(struct use *use, const char *value)
{
    return read_choice(value, (const char *const[]){"off", "on"}, &use->reader->style);
}

static bool set_atomic(struct use *use, const char *value)
{
    return read_choice(value, (const char *const[]){"no", "yes"},
                       &use->reader->sections[use->section].atomic);
}

static bool set_hide(struct use *use, const char *value)
{
    return read_choice(value, (const char *const[]){"rename", "revoke"}, &use->reader->revokes);
}

static bool check_reason(struct use *use, const char *value)
{
    (void)use;
    return value[strspn(value, " \t")] != '\0';
}

/* Whether it is one, its statement tells. */
static bool check_expression(struct use *use, const char *value)
{
    (void)use;
    return value[strspn(value, " \t")] != '\0';
}

/* It becomes a part of a command line: never an option, never a word of a shell's. */
static bool set_argument(struct use *use, const char *value)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:/+-";
    size_t length = strlen(value);

    if (length == 0 || length > ARGUMENT_MAX_BYTES || *value == '-' || strspn(value, letters) != length)
        return false;
    use->reader->runs[use->reader->run_count - 1].argument = allocate_text("%s", value);
    return true;
}

#define ON_MIGRATION "migration"
#define ON_CONTRACT "contract"
#define ON_ALLOW "allow"
#define ON_USING "using"
#define ON_SPLIT "split"
#define ON_MERGE "merge"
#define ON_RUN "run"
#define ON_SECTION NULL /* any of the four */

static const struct {
    const char *word, *key;
    bool (*set)(struct use *use, const char *value); /* false: the value has another form */
    const char *form;
} keys[] = {
    {ON_MIGRATION, "name", set_name, "1 to 200 bytes of text without control characters"},
    {ON_MIGRATION, "approval", set_approval, "'auto' or 'manual'"},
    {ON_MIGRATION, "soak_seconds", set_soak, "a whole number from 0 to 315360000"},
    {ON_MIGRATION, "keep_hours", set_keep, "a whole number from 0 to 87600"},
    {ON_MIGRATION, "requires", set_requires, "a schema version: a whole number from 1 to 2^48 - 1"},
    {ON_MIGRATION, "style", set_style, "'on' or 'off'"},
    {ON_SECTION, "atomic", set_atomic, "'yes' or 'no'"},
    {ON_CONTRACT, "hide", set_hide, "'rename' or 'revoke'"},
    {ON_ALLOW, "reason", check_reason, "a text that says why"},
    {ON_USING, "up", check_expression, "an expression, in quotes"},
    {ON_USING, "down", check_expression, "an expression, in quotes"},
    {ON_SPLIT, "up", check_expression, "assignments to the new columns, in quotes"},
    {ON_SPLIT, "down", check_expression, "an assignment to the old column, in quotes"},
    {ON_MERGE, "up", check_expression, "an assignment to the new column, in quotes"},
    {ON_MERGE, "down", check_expression, "assignments to the old columns, in quotes"},
    {ON_RUN, "argument", set_argument, "1 to 128 of A-Z a-z 0-9 . _ : / + -, the first one not a -"},
};

enum { KEY_COUNT = sizeof(keys) / sizeof(keys[0]) };

static bool key_fits(size_t row, const struct use *use)
{
    if (keys[row].word == ON_SECTION)
        return use->section < PLAN_SECTIONS;
    return strcmp(keys[row].word, use->directive->word) == 0;
}

static void report_unknown_key(struct use *use, const struct directive_key *key)
{
    char *known = allocate_text("%s", "");

    for (size_t row = 0; row < KEY_COUNT; row++) {
        char *longer;

        if (!key_fits(row, use))
            continue;
        longer = allocate_text("%s%s%s", known, *known == '\0' ? "" : ", ", keys[row].key);
        free(known);
        known = longer;
    }
    reader_report(use->reader, RULE_UNKNOWN_KEY, use->key, key->name,
                  "'%s' has no key '%s'; it knows: %s", use->directive->word, key->name, known);
    free(known);
}

static void read_key(struct use *use, size_t index)
{
    const struct directive_key *key = &use->directive->keys[index];

    use->key = use->start + key->offset;
    for (size_t earlier = 0; earlier < index; earlier++) {
        if (strcmp(use->directive->keys[earlier].name, key->name) == 0) {
            reader_report(use->reader, RULE_DUPLICATE_KEY, use->key, key->name,
                          "the key '%s' is given twice", key->name);
            return;
        }
    }
    for (size_t row = 0; row < KEY_COUNT; row++) {
        if (strcmp(keys[row].key, key->name) != 0 || !key_fits(row, use))
            continue;
        if (!keys[row].set(use, key->value))
            reader_report(use->reader, RULE_BAD_VALUE, use->key, key->name,
                          "'%s' is no value for '%s': it takes %s", key->value, key->name,
                          keys[row].form);
        return;
    }
    report_unknown_key(use, key);
}

static bool begin_migration(struct use *use)
{
    struct reader *reader = use->reader;

    if (reader->migration_seen) {
        reader_report(reader, RULE_DUPLICATE_DIRECTIVE, use->start, "migration",
                      "'migration' is given twice");
        return false;
    }
    reader->migration_seen = true;
    if (reader->open != NULL)
        reader_report(reader, RULE_MISPLACED_DIRECTIVE, use->start, "migration",
                      "'migration' stands behind a section");
    return true;
}

static bool begin_section(struct use *use)
{
    struct reader *reader = use->reader;
    struct section *section = &reader->sections[use->section];

    if (reader->open != NULL && reader->open->end == 0)
        reader->open->end = use->start;
    reader->open = section;
    if (reader->plan->has_section[use->section]) {
        reader_report(reader, RULE_DUPLICATE_DIRECTIVE, use->start, use->directive->word,
                      "the section '%s' is given twice", use->directive->word);
        return false;
    }
    reader->plan->has_section[use->section] = true;
    *section = (struct section){.atomic = true,
                                .start = text_line_end(&reader->text, use->start)};
    return true;
}

static bool begin_allow(struct use *use)
{
    struct reader *reader = use->reader;
    const struct directive *directive = use->directive;
    const char *reason = directive_value(directive, "reason");
    const struct plan_rule *rule;

    if (directive->argument == NULL || reason == NULL) {
        reader_report(reader, RULE_ALLOW_INCOMPLETE, use->start, directive->argument,
                      "'allow' has no %s", directive->argument == NULL ? "rule's id" : "reason");
        return true;
    }
    rule = plan_rule_find(directive->argument);
    if (rule == NULL || !rule->allowable) {
        reader_report(reader, rule == NULL ? RULE_ALLOW_UNKNOWN : RULE_ALLOW_FORBIDDEN,
                      use->start + directive->argument_offset, directive->argument,
                      rule == NULL ? "there is no rule '%s'" : "the rule '%s' cannot be set aside",
                      directive->argument);
        return true;
    }
    reader->allowances =
        allocate_one_more(reader->allowances, reader->allowance_count, sizeof(*reader->allowances));
    reader->allowances[reader->allowance_count++] = (struct allowance){
        .rule = (enum plan_rule_id)(rule - plan_rules),
        .offset = use->start,
        .reason = allocate_text("%s", reason),
    };
    return true;
}

/* The words that say how values of one shape become those of another. `using` has no word about the way
 * back where nobody writes the new column. */
static const struct {
    const char *word;
    bool assigns;
} conversions[] = {{ON_USING, false}, {ON_SPLIT, true}, {ON_MERGE, true}};

static bool begin_using(struct use *use)
{
    struct reader *reader = use->reader;
    const char *up = directive_value(use->directive, "up"), *down = directive_value(use->directive, "down");
    size_t row = 0;

    while (strcmp(conversions[row].word, use->directive->word) != 0)
        row++;
    if (up == NULL || (down == NULL && conversions[row].assigns)) {
        reader_report(reader, RULE_BAD_VALUE, use->start, conversions[row].word, "'%s' has no %s=\"…\"",
                      conversions[row].word, up == NULL ? "up" : "down");
        return true;
    }
    reader->usings = allocate_one_more(reader->usings, reader->using_count, sizeof(*reader->usings));
    reader->usings[reader->using_count++] = (struct using){
        .offset = use->start,
        .word = conversions[row].word,
        .assigns = conversions[row].assigns,
        .up = allocate_text("%s", up),
        .down = down == NULL ? NULL : allocate_text("%s", down),
    };
    return true;
}

static bool begin_run(struct use *use)
{
    struct reader *reader = use->reader;
    const char *name = use->directive->argument;

    if (name == NULL || strlen(name) > RUNNER_MAX_BYTES || strpbrk(name, "/+") != NULL) {
        reader_report(reader, RULE_BAD_VALUE, use->start, name,
                      "'run' takes the name of a configured runner: 1 to 40 of A-Z a-z 0-9 . _ : -");
        return false;
    }
    if (reader->open == NULL) {
        reader_report(reader, RULE_MISPLACED_DIRECTIVE, use->start, name,
                      "this 'run' stands in no section, so nobody knows when '%s' should run", name);
        return false;
    }
    reader->runs = allocate_one_more(reader->runs, reader->run_count, sizeof(*reader->runs));
    reader->runs[reader->run_count++] =
        (struct run){.offset = use->start, .name = allocate_text("%s", name)};
    return true;
}

static const struct {
    const char *word;
    bool (*begin)(struct use *use); /* false: its keys are not looked at */
    size_t section;
} words[] = {
    {"migration", begin_migration, PLAN_SECTIONS}, {"expand", begin_section, PLAN_EXPAND},
    {"backfill", begin_section, PLAN_BACKFILL},    {"contract", begin_section, PLAN_CONTRACT},
    {"undo", begin_section, PLAN_UNDO},            {"allow", begin_allow, PLAN_SECTIONS},
    {"using", begin_using, PLAN_SECTIONS},         {"split", begin_using, PLAN_SECTIONS},
    {"merge", begin_using, PLAN_SECTIONS},
    {"run", begin_run, PLAN_SECTIONS},
};

static void apply(struct reader *reader, const struct directive *directive, size_t start)
{
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        struct use use = {reader, directive, start, start, words[i].section};

        if (strcmp(words[i].word, directive->word) != 0)
            continue;
        if (words[i].begin(&use))
            for (size_t key = 0; key < directive->key_count; key++)
                read_key(&use, key);
        return;
    }
    reader_report(reader, RULE_UNKNOWN_WORD, start + directive->word_offset, directive->word,
                  "'%s' is no word of a directive", directive->word);
}

void reader_read_marker(struct reader *reader, size_t start)
{
    const char *comment = reader->text.bytes + start;
    struct directive directive;
    struct directive_mistake mistake;
    enum directive_kind kind =
        directive_read(comment, text_line_end(&reader->text, start) - start, &directive, &mistake);

    reader->marker_seen = reader->marker_seen || kind != DIRECTIVE_NONE;
    if (kind == DIRECTIVE_MALFORMED)
        reader_report(reader, RULE_MALFORMED_DIRECTIVE, start + mistake.offset, NULL,
                      "this looks like a directive, but %s", mistake.message);
    else if (kind == DIRECTIVE_FINE && !text_is_first_on_line(&reader->text, start))
        reader_report(reader, RULE_MALFORMED_DIRECTIVE, start, NULL,
                      "this directive stands behind something else on its line");
    else if (kind == DIRECTIVE_FINE)
        apply(reader, &directive, start);
    directive_clear(&directive);
}

void reader_close_markers(struct reader *reader)
{
    if (reader->open != NULL && reader->open->end == 0)
        reader->open->end = reader->text.length;
}
