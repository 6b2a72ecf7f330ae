/* Planning without a daemon: a child of our own binary reads the text, since the grammar can be crashed by
 * hostile nesting (docs/design.md §8). */
#ifndef SCHEMAGATE_CLI_PLAN_PROCESS_H
#define SCHEMAGATE_CLI_PLAN_PROCESS_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

/* What is planned. */
struct plan_text {
    const char *label; /* its file, as people know it */
    char *sql;         /* owned by whoever read it; `length` bytes and a NUL */
    size_t length;
    int64_t version;   /* 0: its name has none */
};

/* {"plan": the document of POST /v1/plan, "names": what the catalog knows about}. `facts`: the document of
 * the catalog, or NULL. Where the child ends over the text, the plan has one finding that says so. NULL after
 * saying on stderr why there is no child. The caller releases it. */
json_t *plan_process_read(const struct plan_text *text, const char *facts);

#endif
