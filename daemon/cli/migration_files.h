/* Migration files on disk: found, ordered by version, read. */
#ifndef SCHEMAGATE_CLI_MIGRATION_FILES_H
#define SCHEMAGATE_CLI_MIGRATION_FILES_H

#include <schemagate/base/buf.h>

#include <stddef.h>
#include <stdint.h>

struct migration_file {
    int64_t version;
    char *name, *path; /* owned */
};

struct migration_files {
    struct migration_file *items; /* in version order */
    size_t count;
};

/* Collects files and the files of directories. Every name must be a migration's, and no version may
 * come twice: mistakes are described in `errors`, a line each, and nothing is collected then. */
void migration_files_collect(struct migration_files *files, char *const paths[], size_t path_count,
                             struct buf *errors);
/* The same for one file that goes by another name. */
void migration_files_name(struct migration_files *files, const char *path, const char *file_name,
                          struct buf *errors);
void migration_files_free(struct migration_files *files);

/* Reads a whole file; "-" is standard input. Returns NULL with a line in `errors` if that fails. */
char *migration_file_read(const char *path, size_t *length, struct buf *errors);

#endif
