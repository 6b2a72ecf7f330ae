/* Small texts: durations, times, URL parts, and what is safe to print on a terminal. */
#ifndef SCHEMAGATE_CLI_TEXT_H
#define SCHEMAGATE_CLI_TEXT_H

#include <schemagate/base/buf.h>

#include <stdbool.h>
#include <stdint.h>

/* "4s", "12m04s", "3h05m", "2d04h"; negative counts as 0. */
void text_duration(struct buf *out, int64_t milliseconds);

/* One unit: "4s", "8m", "3h", "2d". */
void text_age(struct buf *out, int64_t milliseconds);

/* Reads RFC 3339 UTC ("2026-11-20T09:30:00.123Z") as milliseconds since 1970; else false. */
bool text_read_time(const char *text, int64_t *wall_ms);

/* Appends text with control characters replaced: what a server or a file says must not steer a
 * terminal. */
void text_clean(struct buf *out, const char *text);

/* The same, each line as a line of its own; the further ones behind `indent`. */
void text_lines(struct buf *out, const char *text, const char *indent);

/* The same behind something of our own: " by ", "\nsummary   ". */
void text_after(struct buf *out, const char *before, const char *text);

/* Appends text, percent-encoded for a segment or a query value of a URL. */
void text_url(struct buf *out, const char *text);

#endif
