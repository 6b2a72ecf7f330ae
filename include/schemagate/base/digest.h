/* SHA-256 and random bytes, from libcrypto. */
#ifndef SCHEMAGATE_BASE_DIGEST_H
#define SCHEMAGATE_BASE_DIGEST_H

#include <stddef.h>

#define DIGEST_HEX_SIZE 65              /* 64 hexadecimal digits and a NUL */
#define DIGEST_TAGGED_SIZE (7 + DIGEST_HEX_SIZE) /* "sha256:" in front */

char *digest_sha256_hex(const void *bytes, size_t length, char hex[DIGEST_HEX_SIZE]);

/* HMAC with SHA-256. */
char *digest_hmac_hex(const char *secret, const void *bytes, size_t length, char hex[DIGEST_HEX_SIZE]);

/* "sha256:<hex>" */
char *digest_sha256_tagged(const void *bytes, size_t length, char text[DIGEST_TAGGED_SIZE]);

/* The checksum of a migration file: SHA-256 of its text with CRLF as LF and without a byte-order
 * mark (docs/design.md §6), tagged. */
char *digest_migration_text(const char *sql, size_t length, char text[DIGEST_TAGGED_SIZE]);

/* Fills text with `digits` random hexadecimal digits and a NUL (size digits + 1); aborts without
 * entropy. */
char *digest_random_hex(size_t digits, char *text);

#endif
