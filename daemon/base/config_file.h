/* Reads one INI file through libini_config. */
#ifndef SCHEMAGATE_BASE_CONFIG_FILE_H
#define SCHEMAGATE_BASE_CONFIG_FILE_H

#include <schemagate/base/buf.h>

/* Called for every section (key NULL), then for each of its keys. `where` is "FILE:LINE". */
typedef void config_file_entry(void *context, const char *where, const char *section, const char *key,
                               const char *value);

/* Appends a line to errors for whatever keeps the file from being read. Its entries are only handed on
 * when its syntax is right. */
void config_file_read(const char *path, config_file_entry *entry, void *context, struct buf *errors);

#endif
