/* The document that POST /v1/plan answers with; `schemagate plan` shows the same without a daemon. */
#ifndef SCHEMAGATE_HTTP_PLAN_DOCUMENT_H
#define SCHEMAGATE_HTTP_PLAN_DOCUMENT_H

#include <schemagate/base/buf.h>
#include <schemagate/plan/plan.h>

/* Appends it. */
void http_write_plan(struct buf *out, const struct plan *plan);

#endif
