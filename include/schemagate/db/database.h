/* PostgreSQL: the sessions, who leads, the store and the executor. Nothing here blocks the event loop:
 * host names are resolved and connections opened off it (docs/design.md §5, §9, §11).
 *
 * The life of a database: connect the coordinator session → prove that it is a real session and not a
 * pooler's → poll pg_try_advisory_lock (a second daemon waits here as standby) → install or upgrade the
 * schema → bump epoch and nonce → connect the sessions of the store and of the witness, which must agree on
 * system identifier and timeline → coordinator_begin_term. When any of them is lost: drop all,
 * coordinator_end_term, begin again with back-off. Standbys are watched by sessions of their own, whose loss
 * only makes them unreachable. */
#ifndef SCHEMAGATE_DB_DATABASE_H
#define SCHEMAGATE_DB_DATABASE_H

#include <schemagate/base/config.h>
#include <schemagate/coordinator/environment.h>

struct coordinator;
struct database;
struct event_base;

/* The bigint key of the migration lock: 16 bits of tag, 48 bits of zero. */
#define DATABASE_LOCK_KEY (INT64_C(0x5347) << 48)

/* Borrows config and base. Nothing is connected before database_start. advertise_url: what a standby
 * points clients to. */
struct database *database_new(struct event_base *base, const struct config *config,
                              const char *advertise_url);
void database_start(struct database *db, struct coordinator *coordinator);
void database_configure(struct database *db, const struct config *config); /* after a reload */

extern const struct store_ops database_store_ops;       /* store: struct database * */
extern const struct executor_ops database_executor_ops; /* executor: struct database * */
extern const struct witness_ops database_witness_ops;   /* witness: struct database * */

/* What the catalog says of the names in a JSON array (db/sql/catalog.sql), as a JSON document that is valid
 * during the call; NULL: `trouble` says why not. Called exactly once, from the loop. */
typedef void database_catalog_done(void *context, const char *document, const char *trouble);
void database_read_catalog(struct database *db, const char *names, database_catalog_done *done,
                           void *context);

/* Drops all sessions, ends the term and begins again (world_ops.restart_term). */
void database_restart_term(struct database *db, const char *reason);

/* Begins an orderly end: no new work; a running try is cancelled; `done` when the sessions are closed and
 * the lock is released, at the latest after deadline_ms. */
void database_stop(struct database *db, int64_t deadline_ms, void (*done)(void *context), void *context);
void database_free(struct database *db);

/* How far those who are told of events ([notify NAME]) have been told. targets: a JSON array of their names;
 * `events` (borrowed): {"name": last event}, NULL: the connection went away. Fenced as commits are. */
void database_begin_deliveries(struct database *db, const char *targets,
                               void (*done)(void *context, const json_t *events), void *context);
void database_note_delivery(struct database *db, const char *target, int64_t event,
                            void (*done)(void *context, bool ok), void *context);

/* A failure that waiting cannot mend (a pooler, a database of a newer schemagate): text for the operator,
 * or NULL. The service ends with it. */
const char *database_fatal(const struct database *db);

#endif
