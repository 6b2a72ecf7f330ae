/* Finds and orders migration files. */
#include "migration_files.h"

#include <schemagate/base/memory.h>
#include <schemagate/plan/plan.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MAX (64u << 20)

static void add_named(struct migration_files *files, const char *path, const char *file_name,
                      struct buf *errors)
{
    char *name = NULL;
    int64_t version = plan_file_version(file_name, &name);
    if (version < 0) {
        buf_printf(errors, "%s: not a migration's name (VERSION_NAME.sql: 42_split_name.sql)\n",
                   strcmp(path, "-") == 0 ? file_name : path);
        free(name);
        return;
    }
    files->items = memory_grow(files->items, files->count + 1, sizeof(*files->items));
    files->items[files->count++] = (struct migration_file){version, name, memory_copy(path)};
}

static void add_file(struct migration_files *files, const char *path, struct buf *errors)
{
    const char *slash = strrchr(path, '/');
    add_named(files, path, slash ? slash + 1 : path, errors);
}

void migration_files_name(struct migration_files *files, const char *path, const char *file_name,
                          struct buf *errors)
{
    *files = (struct migration_files){0};
    add_named(files, path, file_name, errors);
}

/* Hidden files are left alone: editors and version control put them everywhere. */
static int is_visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static void add_directory(struct migration_files *files, const char *directory, struct buf *errors)
{
    struct dirent **entries = NULL;
    int count = scandir(directory, &entries, is_visible, alphasort);
    if (count < 0)
        buf_printf(errors, "%s: %s\n", directory, strerror(errno));
    if (count == 0)
        buf_printf(errors, "%s: no migration file in it\n", directory);
    size_t length = strlen(directory);
    for (int n = 0; n < count; n++) {
        char *path = memory_printf("%s%s%s", directory,
                                   length && directory[length - 1] == '/' ? "" : "/",
                                   entries[n]->d_name);
        add_file(files, path, errors);
        free(path);
        free(entries[n]);
    }
    free(entries);
}

static int by_version(const void *left, const void *right)
{
    const struct migration_file *a = left, *b = right;
    return a->version < b->version ? -1 : a->version > b->version;
}

static void refuse_duplicates(const struct migration_files *files, struct buf *errors)
{
    for (size_t n = 1; n < files->count; n++)
        if (files->items[n].version == files->items[n - 1].version)
            buf_printf(errors, "%s: version %" PRId64 " is in %s too\n", files->items[n].path,
                       files->items[n].version, files->items[n - 1].path);
}

void migration_files_collect(struct migration_files *files, char *const paths[], size_t path_count,
                             struct buf *errors)
{
    *files = (struct migration_files){0};
    size_t before = errors->length;
    for (size_t n = 0; n < path_count; n++) {
        struct stat facts;
        if (stat(paths[n], &facts) != 0)
            buf_printf(errors, "%s: %s\n", paths[n], strerror(errno));
        else if (S_ISDIR(facts.st_mode))
            add_directory(files, paths[n], errors);
        else
            add_file(files, paths[n], errors);
    }
    if (files->count)
        qsort(files->items, files->count, sizeof(*files->items), by_version);
    refuse_duplicates(files, errors);
    if (errors->length > before)
        migration_files_free(files);
}

void migration_files_free(struct migration_files *files)
{
    for (size_t n = 0; n < files->count; n++) {
        free(files->items[n].name);
        free(files->items[n].path);
    }
    free(files->items);
    *files = (struct migration_files){0};
}

char *migration_file_read(const char *path, size_t *length, struct buf *errors)
{
    struct buf text = BUF_INIT(FILE_MAX);
    char chunk[65536];
    ssize_t got = -1;
    bool standard_input = strcmp(path, "-") == 0;
    int fd = standard_input ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    while (fd >= 0 && (got = read(fd, chunk, sizeof(chunk))) > 0)
        buf_append(&text, chunk, (size_t)got);
    if (got < 0 || text.overflowed)
        buf_printf(errors, "%s: %s\n", path, got < 0 ? strerror(errno) : "larger than 64 MB");
    if (fd >= 0 && !standard_input)
        close(fd);
    if (got < 0 || text.overflowed) {
        buf_free(&text);
        return NULL;
    }
    *length = text.length;
    return buf_take(&text);
}
