/* A plan in words: findings as a compiler shows them, then what would run. Pure: JSON in, text out. */
#ifndef SCHEMAGATE_CLI_RENDER_PLAN_H
#define SCHEMAGATE_CLI_RENDER_PLAN_H

#include "plan_process.h"

#include <schemagate/base/buf.h>

#include <jansson.h>
#include <stdbool.h>

struct render_plan {
    bool explain; /* say why each statement stands where it does */
    bool colour;
};

/* `plan`: the document of POST /v1/plan. */
void render_plan(struct buf *out, const json_t *plan, const struct plan_text *text,
                 const struct render_plan *how);

/* How many findings refuse the text. */
size_t render_plan_errors(const json_t *plan);

#endif
