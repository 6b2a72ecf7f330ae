/* Takes in the SQL files, and puts the installation script together. */
#include "sql.h"

#include <schemagate/base/embed.h>

EMBED(sql_pin_session, "daemon/db/sql/pin_session.sql");
EMBED(sql_identity, "daemon/db/sql/identity.sql");
EMBED(sql_poll_lock, "daemon/db/sql/poll_lock.sql");
EMBED(sql_leader, "daemon/db/sql/leader.sql");
EMBED(sql_installed, "daemon/db/sql/installed.sql");
EMBED(sql_layout, "daemon/db/sql/layout.sql");
EMBED(sql_take_over, "daemon/db/sql/take_over.sql");
EMBED(sql_ping, "daemon/db/sql/ping.sql");
EMBED(sql_prove, "daemon/db/sql/prove.sql");
EMBED(sql_commit, "daemon/db/sql/commit.sql");
EMBED(sql_settle, "daemon/db/sql/settle.sql");
EMBED(sql_load, "daemon/db/sql/load.sql");
EMBED(sql_verify, "daemon/db/sql/verify.sql");
EMBED(sql_events, "daemon/db/sql/events.sql");
EMBED(sql_begin_deliveries, "daemon/db/sql/begin_deliveries.sql");
EMBED(sql_note_delivery, "daemon/db/sql/note_delivery.sql");
EMBED(sql_witness, "daemon/db/sql/witness.sql");
EMBED(sql_barred_roles, "daemon/db/sql/barred_roles.sql");
EMBED(sql_reach, "daemon/db/sql/reach.sql");
EMBED(sql_statements, "daemon/db/sql/statements.sql");
EMBED(sql_replayed, "daemon/db/sql/replayed.sql");
EMBED(sql_catalog, "daemon/db/sql/catalog.sql");
EMBED(sql_catalog_settings, "daemon/db/sql/catalog_settings.sql");
EMBED(sql_terminate, "daemon/db/sql/terminate.sql");
EMBED(sql_search_path, "daemon/db/sql/search_path.sql");
EMBED(sql_may_hurry, "daemon/db/sql/may_hurry.sql");
EMBED(sql_is_superuser, "daemon/db/sql/is_superuser.sql");
EMBED(sql_read_as, "daemon/db/sql/read_as.sql");
EMBED(sql_resolve, "daemon/db/sql/resolve.sql");
EMBED(sql_watch, "daemon/db/sql/watch.sql");
EMBED(sql_execution_begin, "daemon/db/sql/execution_begin.sql");
EMBED(sql_fence, "daemon/db/sql/fence.sql");
EMBED(sql_execution_alone, "daemon/db/sql/execution_alone.sql");
EMBED(sql_note_settings, "daemon/db/sql/note_settings.sql");
EMBED(sql_execution_end, "daemon/db/sql/execution_end.sql");
EMBED(sql_backfill_batch, "daemon/db/sql/backfill_batch.sql");
EMBED(sql_backfill_end, "daemon/db/sql/backfill_end.sql");
EMBED(sql_online_look, "daemon/db/sql/online_look.sql");
EMBED(sql_online_begin, "daemon/db/sql/online_begin.sql");
EMBED(sql_online_forget, "daemon/db/sql/online_forget.sql");

EMBED(sql_schema, "daemon/db/sql/schema.sql");
EMBED(sql_schema_2, "daemon/db/sql/schema_2.sql");
EMBED(sql_schema_3, "daemon/db/sql/schema_3.sql");
EMBED(sql_function_rfc3339, "daemon/db/sql/functions/rfc3339.sql");
EMBED(sql_function_fence, "daemon/db/sql/functions/fence.sql");
EMBED(sql_function_write_registry, "daemon/db/sql/functions/write_registry.sql");
EMBED(sql_function_write_migrations, "daemon/db/sql/functions/write_migrations.sql");
EMBED(sql_function_markers, "daemon/db/sql/functions/markers.sql");
EMBED(sql_function_hidden, "daemon/db/sql/functions/hidden.sql");
EMBED(sql_function_hide, "daemon/db/sql/functions/hide.sql");
EMBED(sql_function_revoke, "daemon/db/sql/functions/revoke.sql");
EMBED(sql_function_restore, "daemon/db/sql/functions/restore.sql");
EMBED(sql_function_online, "daemon/db/sql/functions/online.sql");
EMBED(sql_function_commit, "daemon/db/sql/functions/commit.sql");
EMBED(sql_function_delivery, "daemon/db/sql/functions/delivery.sql");
EMBED(sql_function_backfill, "daemon/db/sql/functions/backfill.sql");
EMBED(sql_function_pin, "daemon/db/sql/functions/pin.sql");
EMBED(sql_function_statements, "daemon/db/sql/functions/statements.sql");
EMBED(sql_function_grants, "daemon/db/sql/functions/grants.sql");

/* Row n brings layout n to layout n + 1. */
static const char *const layouts[SQL_LAYOUT] = {sql_schema, sql_schema_2, sql_schema_3};

static const char *const functions[] = {
    sql_function_rfc3339,          sql_function_fence,   sql_function_write_registry,
    sql_function_write_migrations, sql_function_markers, sql_function_hidden,
    sql_function_commit,           sql_function_revoke,  sql_function_hide,
    sql_function_restore,          sql_function_pin,     sql_function_delivery,
    sql_function_backfill,         sql_function_online,  sql_function_statements,
    sql_function_grants,
};

void sql_write_install_script(struct buf *script, int layout)
{
    buf_puts(script, "BEGIN;\n");
    for (int i = layout; i < SQL_LAYOUT; i++)
        buf_puts(script, layouts[i]);
    for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++)
        buf_puts(script, functions[i]);
    buf_puts(script, "COMMIT;\n");
}
