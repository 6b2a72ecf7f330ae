/* A hand-written reader for one line: positions of mistakes matter more than brevity here. */
#include "directive.h"

#include "allocate.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:/+-";
static const char name_letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
static const char white_space[] = " \t\f\v";
static const char marker[] = "schemagate:";

struct reader {
    const char *text; /* NUL-terminated copy of the comment */
    size_t at;
    struct directive_mistake *mistake;
};

static bool fail(struct reader *reader, const char *message)
{
    *reader->mistake = (struct directive_mistake){message, reader->at};
    return false;
}

static bool skip_space(struct reader *reader)
{
    size_t space = strspn(reader->text + reader->at, white_space);

    reader->at += space;
    return space > 0;
}

static char *take(struct reader *reader, const char *accepted)
{
    size_t length = strspn(reader->text + reader->at, accepted);
    char *word = length == 0 ? NULL : allocate_copy(reader->text + reader->at, length);

    reader->at += length;
    return word;
}

/* A value in double quotes, with \" and \\ for these two characters. */
static bool take_quoted(struct reader *reader, char **value)
{
    char *out = allocate(NULL, strlen(reader->text + reader->at), 1);
    size_t length = 0, opening = reader->at++;

    *value = out;
    while (reader->text[reader->at] != '"') {
        if (reader->text[reader->at] == '\0') {
            reader->at = opening;
            return fail(reader, "the quoted value is not closed on its line");
        }
        if (reader->text[reader->at] == '\\') {
            reader->at++;
            if (reader->text[reader->at] != '"' && reader->text[reader->at] != '\\')
                return fail(reader, "in a quoted value a backslash stands only before \" and \\");
        }
        out[length++] = reader->text[reader->at++];
    }
    out[length] = '\0';
    reader->at++;
    return true;
}

static bool read_key(struct reader *reader, struct directive *directive)
{
    struct directive_key *key = &directive->keys[directive->key_count];

    if (directive->key_count == DIRECTIVE_KEYS)
        return fail(reader, "too many keys");
    key->offset = reader->at;
    key->name = take(reader, name_letters);
    if (key->name == NULL)
        return fail(reader, "a key=value was expected here");
    directive->key_count++;
    if (reader->text[reader->at] != '=')
        return fail(reader, "an equals sign was expected here, without white space around it");
    reader->at++;
    if (reader->text[reader->at] == '"')
        return take_quoted(reader, &key->value);
    key->value = take(reader, letters);
    if (key->value == NULL)
        return fail(reader, "a value was expected here; one with other characters than letters, "
                            "digits and ._:/+- stands in double quotes");
    return true;
}

/* The words with an argument, and what it consists of. */
static const struct {
    const char *word, *letters;
} argued[] = {{"allow", name_letters}, {"run", letters}};

/* The letters of its argument, if a word alone follows and not the beginning of key=value; or NULL. */
static const char *at_argument(const struct reader *reader, const char *word)
{
    for (size_t i = 0; i < sizeof(argued) / sizeof(argued[0]); i++) {
        size_t length = strspn(reader->text + reader->at, argued[i].letters);
        char behind = reader->text[reader->at + length];

        if (strcmp(argued[i].word, word) == 0)
            return length > 0 && (behind == '\0' || strchr(white_space, behind) != NULL)
                       ? argued[i].letters
                       : NULL;
    }
    return NULL;
}

static bool read_rest(struct reader *reader, struct directive *directive)
{
    if (strncmp(reader->text + reader->at, marker, sizeof(marker) - 1) != 0)
        return fail(reader, "'schemagate:' was expected here, in lower case and with its colon");
    reader->at += sizeof(marker) - 1;
    if (!skip_space(reader))
        return fail(reader, "a space was expected behind 'schemagate:'");
    directive->word_offset = reader->at;
    directive->word = take(reader, name_letters);
    if (directive->word == NULL)
        return fail(reader, "a word was expected behind 'schemagate:'");
    while (reader->text[reader->at] != '\0') {
        const char *accepted;

        if (!skip_space(reader))
            return fail(reader, "white space was expected here");
        if (reader->text[reader->at] == '\0')
            break;
        if (directive->argument == NULL && directive->key_count == 0
            && (accepted = at_argument(reader, directive->word)) != NULL) {
            directive->argument_offset = reader->at;
            directive->argument = take(reader, accepted);
        } else if (!read_key(reader, directive)) {
            return false;
        }
    }
    return true;
}

enum directive_kind directive_read(const char *comment, size_t length, struct directive *directive,
                                   struct directive_mistake *mistake)
{
    enum directive_kind kind = DIRECTIVE_NONE;
    char *copy = allocate_copy(comment, length);
    struct reader reader = {.text = copy, .at = 2, .mistake = mistake};

    *directive = (struct directive){0};
    *mistake = (struct directive_mistake){0};
    skip_space(&reader);
    if (strncasecmp(copy + reader.at, marker, sizeof(marker) - 2) == 0)
        kind = read_rest(&reader, directive) ? DIRECTIVE_FINE : DIRECTIVE_MALFORMED;
    free(copy);
    return kind;
}

void directive_clear(struct directive *directive)
{
    free(directive->word);
    free(directive->argument);
    for (size_t i = 0; i < directive->key_count; i++) {
        free(directive->keys[i].name);
        free(directive->keys[i].value);
    }
    *directive = (struct directive){0};
}

const char *directive_value(const struct directive *directive, const char *key)
{
    for (size_t i = 0; i < directive->key_count; i++)
        if (strcmp(directive->keys[i].name, key) == 0)
            return directive->keys[i].value;
    return NULL;
}
