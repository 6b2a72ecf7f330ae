/* The server's documents in words: pure, JSON in, text out. */
#ifndef SCHEMAGATE_CLI_RENDER_H
#define SCHEMAGATE_CLI_RENDER_H

#include <schemagate/base/buf.h>

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* A text or number member, "" or 0 where it is absent. */
const char *render_text(const json_t *object, const char *member);
int64_t render_number(const json_t *object, const char *member);

/* Appends a text member, with what stands before and behind it; nothing where it is absent or empty. */
void render_any(struct buf *out, const char *before, const json_t *object, const char *member,
                const char *after);

/* Appends "40..41", or nothing where there is no range. */
void render_range(struct buf *out, const json_t *object);

/* Appends a hold's subject: "web/web-b21 (40..41, lost 8m)"; nothing where it has none. */
void render_hold_subject(struct buf *out, const json_t *hold, int64_t wall_ms);

/* Appends what to do about a hold: the next command to type, filled in. */
void render_hold_remedy(struct buf *out, const json_t *hold, int64_t version);

/* Appends "waiting 12m04s  42 split_name: 2 of 14 replicas …: web/web-7f9c (40..41, …), …", without
 * a line end. */
void render_wait_line(struct buf *out, const json_t *migration, int64_t waited_ms, int64_t wall_ms);

/* One hold as `gate` lists it: message, subject's age, what clears it, what to type. */
void render_hold(struct buf *out, const json_t *hold, int64_t version, int64_t wall_ms,
                 bool colour);

/* Who is in the way of its next try, a line each, and what to do about it. */
void render_blockers(struct buf *out, const json_t *migration);

/* The screens of `status VERSION`, `gate VERSION` and `status`. */
void render_migration(struct buf *out, const json_t *migration, int64_t wall_ms, bool colour);
void render_gate(struct buf *out, const json_t *gate, int64_t version, int64_t wall_ms,
                 bool colour);
void render_status(struct buf *out, const json_t *status, bool colour);

#endif
