/* The catalog's facts on their way to the planner: the names that are asked for, and the document that
 * PostgreSQL answers with (db/sql/catalog.sql). */
#ifndef SERVICE_PLANNER_CATALOG_H
#define SERVICE_PLANNER_CATALOG_H

#include <schemagate/plan/catalog.h>
#include <schemagate/plan/plan.h>

#include <stddef.h>

/* More names than these are not asked for: a plan without facts is better than a query without end. */
#define PLANNER_NEEDS_MAX 2000

/* The plan's needs as a JSON array. The caller frees. */
char *planner_catalog_names(const struct plan *plan);

/* The document as facts, to be released by catalog_free; NULL if it is none. */
struct catalog *planner_catalog_read(const char *document, size_t length);

#endif
