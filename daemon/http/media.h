/* Media types in Accept and Content-Type (RFC 9110, sections 8.3 and 12.5.1). */
#ifndef HTTP_MEDIA_H
#define HTTP_MEDIA_H

#include <stdbool.h>

/* How much a client wants `type`: 0 (not at all) … 1000. accept NULL: everything. */
unsigned media_quality(const char *accept, const char *type);

/* True for application/json, in UTF-8 if it names a charset. */
bool media_is_json(const char *content_type);

#endif
