/* What is done with one value, for each type of key. `slot` points to the member that the key's offset
 * names. */
#ifndef SCHEMAGATE_BASE_CONFIG_VALUE_H
#define SCHEMAGATE_BASE_CONFIG_VALUE_H

#include "config_table.h"

#include <schemagate/base/buf.h>

/* Replaces the value in slot by what `text` says. If that is wrong, appends the reason (the end of a
 * sentence that begins with the key's name) to `complaint`, leaves slot as it is and returns false. */
bool config_value_read(const struct config_key *key, void *slot, const char *text,
                       struct buf *complaint);

bool config_value_equal(const struct config_key *key, const void *slot, const void *other);

/* Frees what the value owns. */
void config_value_release(const struct config_key *key, void *slot);

/* "a whole number from 5 to 3600", "block, warn or ignore": for people. */
void config_value_describe(const struct config_key *key, struct buf *out);

#endif
