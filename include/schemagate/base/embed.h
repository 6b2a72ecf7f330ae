/* Files that are part of the program: EMBED(sql_schema, "daemon/db/sql/schema.sql") defines
 * `const char sql_schema[]` (NUL-terminated) and `const char sql_schema_end[]` (at the NUL). The path is
 * relative to the top of the source tree, where the compiler runs. String literals could not hold
 * them: the language allows 4,095 bytes. */
#ifndef SCHEMAGATE_BASE_EMBED_H
#define SCHEMAGATE_BASE_EMBED_H

#include <stddef.h>
#include <stdint.h>

#define EMBED(symbol, path)                                                                         \
    extern const char symbol[];                                                                     \
    extern const char symbol##_end[];                                                               \
    __asm__(".pushsection .rodata\n"                                                                \
            ".global " #symbol "\n" #symbol ":\n"                                                   \
            ".incbin \"" path "\"\n"                                                                \
            ".global " #symbol "_end\n" #symbol "_end:\n"                                           \
            ".byte 0\n"                                                                             \
            ".popsection\n")

/* The file's length in bytes. */
#define EMBED_LENGTH(symbol) ((size_t)((uintptr_t)symbol##_end - (uintptr_t)symbol))

#endif
