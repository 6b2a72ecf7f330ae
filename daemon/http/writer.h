/* Writes JSON into a buffer as it goes, without a tree: an answer with a thousand replicas costs
 * a fraction of what building and dumping a document does, and a renewal costs no allocation but its
 * buffer. The caller opens and closes objects and lists in pairs.
 *
 * `name` is the member's name within an object, NULL within a list or at the top; it is written as it is
 * and so must need no escaping. */
#ifndef HTTP_WRITER_H
#define HTTP_WRITER_H

#include <schemagate/base/buf.h>

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct writer {
    struct buf *out;
    bool comma; /* something stands before in this object or list */
};

#define WRITER_INIT(out_) ((struct writer){.out = (out_)})

void writer_open_object(struct writer *w, const char *name);
void writer_close_object(struct writer *w);
void writer_open_list(struct writer *w, const char *name);
void writer_close_list(struct writer *w);

void writer_text(struct writer *w, const char *name, const char *text); /* NULL: null */
void writer_text_or_null(struct writer *w, const char *name, const char *text); /* "" as well: null */
void writer_number(struct writer *w, const char *name, int64_t number);
void writer_version(struct writer *w, const char *name, int64_t version); /* 0: null */
void writer_count(struct writer *w, const char *name, int64_t count); /* negative, so not known: null */
void writer_real(struct writer *w, const char *name, double number);
void writer_bool(struct writer *w, const char *name, bool value);
void writer_null(struct writer *w, const char *name);
void writer_time(struct writer *w, const char *name, int64_t wall_ms); /* 0: null */
void writer_json(struct writer *w, const char *name, const json_t *value); /* NULL: null */

#endif
