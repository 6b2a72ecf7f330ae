/* Reads and searches the tokens file (tokens.h). */
#include "tokens.h"

#include <schemagate/base/digest.h>
#include <schemagate/base/memory.h>

#include <errno.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TOKENS_FILE_MAXIMUM (1024 * 1024)
#define HEX_DIGITS "0123456789abcdef"
#define NAME_CHARACTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:@-"

enum column { COLUMN_NAME, COLUMN_ROLE, COLUMN_APP, COLUMN_SHA256, COLUMNS };

struct token {
    struct caller caller;
    char hex[DIGEST_HEX_SIZE];
};

struct tokens {
    struct token *items;
    size_t count;
};

struct word {
    const char *start;
    size_t length;
};

static size_t split_words(const char *line, size_t length, struct word words[COLUMNS + 1])
{
    size_t count = 0, at = 0;

    while (at < length && count <= COLUMNS) {
        size_t gap = strspn(line + at, " \t\r");
        at = at + gap < length ? at + gap : length;
        size_t end = at;
        while (end < length && strchr(" \t\r", line[end]) == NULL)
            end++;
        if (end > at)
            words[count++] = (struct word){line + at, end - at};
        at = end;
    }
    return count;
}

static bool word_is_name(struct word word, size_t size)
{
    return word.length < size && strspn(word.start, NAME_CHARACTERS) >= word.length;
}

/* Fills a token from the columns of its line; returns what is wrong, or NULL. */
static const char *read_token(const struct word words[COLUMNS], struct token *token)
{
    struct word app = words[COLUMN_APP], sum = words[COLUMN_SHA256];
    static const char tag[] = "sha256:";

    if (!word_is_name(words[COLUMN_NAME], CALLER_NAME_SIZE))
        return "the name must be 1 to 64 of A-Z a-z 0-9 . _ : @ -";
    if (!caller_role_parse(words[COLUMN_ROLE].start, words[COLUMN_ROLE].length, &token->caller.role))
        return "the role must be viewer, operator, app, agent or deployer";
    bool none = app.length == 1 && *app.start == '-';
    if (none == (token->caller.role == CALLER_APP))
        return none ? "the role app needs the name of its application in the third column"
                    : "only the role app belongs to an application: write - in the third column";
    if (!word_is_name(app, CALLER_APP_SIZE))
        return "the application must be 1 to 40 of A-Z a-z 0-9 . _ : -";
    if (sum.length > sizeof(tag) - 1 && memcmp(sum.start, tag, sizeof(tag) - 1) == 0) {
        sum.start += sizeof(tag) - 1;
        sum.length -= sizeof(tag) - 1;
    }
    if (sum.length != DIGEST_HEX_SIZE - 1 || strspn(sum.start, HEX_DIGITS) < sum.length)
        return "the fourth column must be a SHA-256 in 64 lower-case hexadecimal digits "
               "(schemagate token new prints the line)";
    memcpy(token->caller.name, words[COLUMN_NAME].start, words[COLUMN_NAME].length);
    memcpy(token->caller.app, app.start, none ? 0 : app.length);
    memcpy(token->hex, sum.start, sum.length);
    return NULL;
}

static void read_line(struct tokens *tokens, const char *line, size_t length, const char *path,
                      unsigned number, struct buf *errors)
{
    struct word words[COLUMNS + 1];
    struct token token = {0};
    size_t count = split_words(line, length, words);

    if (count == 0 || *words[0].start == '#')
        return;
    const char *wrong = count == COLUMNS ? read_token(words, &token)
                                         : "a line must have four columns: name role app sha256";
    if (wrong != NULL) {
        buf_printf(errors, "%s:%u: %s\n", path, number, wrong);
        return;
    }
    tokens->items = memory_grow(tokens->items, tokens->count + 1, sizeof(token));
    tokens->items[tokens->count++] = token;
}

struct tokens *tokens_parse(const char *path, const char *text, struct buf *errors)
{
    struct tokens *tokens = memory_new(sizeof(*tokens));
    size_t before = errors->length;
    unsigned number = 1;

    for (const char *line = text; *line != '\0'; number++) {
        size_t length = strcspn(line, "\n");
        read_line(tokens, line, length, path, number, errors);
        line += length + (line[length] == '\n');
    }
    if (errors->length > before) {
        tokens_free(tokens);
        return NULL;
    }
    return tokens;
}

struct tokens *tokens_read(const char *path, struct buf *errors)
{
    struct buf text = BUF_INIT(TOKENS_FILE_MAXIMUM);
    struct tokens *tokens = NULL;
    char chunk[4096];
    size_t got;

    FILE *file = fopen(path, "re");
    if (file == NULL) {
        buf_printf(errors, "%s: %s (the tokens file; make a token with: schemagate token new)\n", path,
                   strerror(errno));
        return NULL;
    }
    while ((got = fread(chunk, 1, sizeof(chunk), file)) > 0)
        buf_append(&text, chunk, got);
    if (ferror(file) || text.overflowed)
        buf_printf(errors, "%s: %s\n", path, text.overflowed ? "is larger than 1 MiB" : "cannot be read");
    else
        tokens = tokens_parse(path, buf_text(&text), errors);
    fclose(file);
    buf_free(&text);
    return tokens;
}

void tokens_free(struct tokens *tokens)
{
    if (tokens != NULL) {
        free(tokens->items);
        free(tokens);
    }
}

const struct caller *tokens_find(const struct tokens *tokens, const char *token, size_t length)
{
    const struct caller *found = NULL;
    char hex[DIGEST_HEX_SIZE];

    digest_sha256_hex(token, length, hex);
    for (size_t i = 0; i < tokens->count; i++)
        if (CRYPTO_memcmp(tokens->items[i].hex, hex, DIGEST_HEX_SIZE - 1) == 0)
            found = &tokens->items[i].caller;
    return found;
}
