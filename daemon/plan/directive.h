/* The grammar of one directive (docs/design.md §6):
 *   "--" WS* "schemagate:" WS+ word (WS+ argument)? (WS+ key "=" value)* WS*
 * Only `allow` and `run` take an argument. What words and keys mean is not known here. */
#ifndef PLAN_DIRECTIVE_H
#define PLAN_DIRECTIVE_H

#include <stddef.h>

enum { DIRECTIVE_KEYS = 8 };

struct directive_key {
    char *name, *value; /* owned */
    size_t offset;      /* of the name, from the beginning of the comment */
};

struct directive {
    char *word, *argument; /* owned; argument may be NULL */
    size_t word_offset, argument_offset;
    struct directive_key keys[DIRECTIVE_KEYS];
    size_t key_count;
};

enum directive_kind { DIRECTIVE_NONE, DIRECTIVE_FINE, DIRECTIVE_MALFORMED };

struct directive_mistake {
    const char *message; /* static */
    size_t offset;       /* from the beginning of the comment */
};

/* Reads a line comment, which begins with "--". What came before a mistake is in `directive` all the
 * same; directive_clear releases it. */
enum directive_kind directive_read(const char *comment, size_t length, struct directive *directive,
                                   struct directive_mistake *mistake);
void directive_clear(struct directive *directive);

/* The value of a key, or NULL. */
const char *directive_value(const struct directive *directive, const char *key);

#endif
