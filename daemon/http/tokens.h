/* The tokens file: one token a line, `name role app sha256`, of which only the SHA-256 is kept. app is "-"
 * for roles that belong to no application. Empty lines and lines that begin with # do not count. */
#ifndef HTTP_TOKENS_H
#define HTTP_TOKENS_H

#include "caller.h"

#include <schemagate/base/buf.h>

struct tokens;

/* Reads the file; NULL if it cannot be read or has mistakes, which are written to `errors` with their
 * line. */
struct tokens *tokens_read(const char *path, struct buf *errors);
/* The same from text; `path` stands in messages. */
struct tokens *tokens_parse(const char *path, const char *text, struct buf *errors);
void tokens_free(struct tokens *tokens);

/* Whose token this is, or NULL. Takes the same time for every token that is unknown. */
const struct caller *tokens_find(const struct tokens *tokens, const char *token, size_t length);

#endif
