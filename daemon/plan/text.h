/* The submitted text, checked and normalised: UTF-8 without a byte-order mark, lines end in LF. Offsets
 * are bytes from 0; lines and columns count from 1, columns in characters. */
#ifndef PLAN_TEXT_H
#define PLAN_TEXT_H

#include <stddef.h>

struct text_place {
    size_t offset;
    unsigned line, column;
};

struct text {
    char *bytes; /* owned; NUL-terminated */
    size_t length;
    size_t *lines; /* owned; where each line starts */
    size_t line_count;
    struct text_place last; /* where the latest search ended: the next one is seldom far from it */
};

enum text_fault { TEXT_FINE, TEXT_HAS_NUL, TEXT_NOT_UTF8 };

/* Takes a copy of what was submitted. On a fault `text` holds what comes before it. */
enum text_fault text_open(struct text *text, const char *bytes, size_t length);
void text_close(struct text *text);

struct text_place text_locate(struct text *text, size_t offset);

/* The offset `characters` behind `offset`, not beyond `end`. */
size_t text_advance(const struct text *text, size_t offset, size_t characters, size_t end);

/* Where the line begins that `offset` is on. */
size_t text_line_start(const struct text *text, size_t offset);

/* Where the line ends that `offset` is on: at its line feed, or at the end of the text. */
size_t text_line_end(const struct text *text, size_t offset);

/* True if nothing but white space stands before `offset` on its line. */
int text_is_first_on_line(const struct text *text, size_t offset);

#endif
