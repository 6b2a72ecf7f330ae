/* The SQL files of this folder, part of the program (base/embed.h). What each does, and its
 * parameters, stands at its top. */
#ifndef DB_SQL_H
#define DB_SQL_H

#include <schemagate/base/buf.h>

/* The layout that sql/schema.sql and those after it make. */
#define SQL_LAYOUT 3

extern const char sql_pin_session[], sql_identity[];
extern const char sql_poll_lock[], sql_leader[], sql_installed[], sql_layout[];
extern const char sql_take_over[], sql_ping[], sql_prove[];
extern const char sql_commit[], sql_settle[], sql_load[], sql_verify[], sql_events[];
extern const char sql_witness[], sql_barred_roles[], sql_reach[], sql_statements[], sql_replayed[];
extern const char sql_terminate[];
extern const char sql_begin_deliveries[], sql_note_delivery[];
extern const char sql_catalog[], sql_catalog_settings[];
extern const char sql_search_path[], sql_may_hurry[], sql_is_superuser[];
extern const char sql_read_as[], sql_resolve[], sql_watch[];
extern const char sql_execution_begin[], sql_execution_alone[], sql_execution_end[], sql_note_settings[];
extern const char sql_fence[];
extern const char sql_backfill_batch[], sql_backfill_end[];
extern const char sql_online_look[], sql_online_begin[], sql_online_forget[];

/* Writes the script that brings the schema from `layout` (0: it is not there) to SQL_LAYOUT, and
 * the functions to those of this program, in one transaction. */
void sql_write_install_script(struct buf *script, int layout);

#endif
