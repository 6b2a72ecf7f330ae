/* Short ways to a member of a JSON document, named by a JSON pointer ("/gate/holds/0/code"). */
#ifndef SUPPORT_JSON_H
#define SUPPORT_JSON_H

#include <jansson.h>
#include <stdint.h>

json_t *json_at(const json_t *document, const char *pointer);      /* NULL: not there */
const char *json_text_at(const json_t *document, const char *pointer); /* "" : no text there */
int64_t json_number_at(const json_t *document, const char *pointer); /* INT64_MIN: none there */

#endif
