/* SHA-256 and random bytes, by libcrypto (digest.h). */
#include <schemagate/base/buf.h>
#include <schemagate/base/digest.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>

#define SHA256_BYTES 32
#define RANDOM_BYTES_AT_ONCE 32

static const char hex_digits[] = "0123456789abcdef";

static char *write_hex(const unsigned char sum[SHA256_BYTES], char hex[DIGEST_HEX_SIZE])
{
    for (size_t i = 0; i < SHA256_BYTES; i++) {
        hex[2 * i] = hex_digits[sum[i] >> 4];
        hex[2 * i + 1] = hex_digits[sum[i] & 15];
    }
    hex[2 * SHA256_BYTES] = '\0';
    return hex;
}

char *digest_sha256_hex(const void *bytes, size_t length, char hex[DIGEST_HEX_SIZE])
{
    unsigned char sum[SHA256_BYTES];

    if (EVP_Digest(bytes, length, sum, NULL, EVP_sha256(), NULL) != 1)
        abort(); /* libcrypto without SHA-256: nothing that we say could be trusted */
    return write_hex(sum, hex);
}

char *digest_hmac_hex(const char *secret, const void *bytes, size_t length, char hex[DIGEST_HEX_SIZE])
{
    unsigned char sum[SHA256_BYTES];

    if (HMAC(EVP_sha256(), secret, (int)strlen(secret), bytes, length, sum, NULL) == NULL)
        abort(); /* as above */
    return write_hex(sum, hex);
}

char *digest_sha256_tagged(const void *bytes, size_t length, char text[DIGEST_TAGGED_SIZE])
{
    static const char tag[] = "sha256:";

    memcpy(text, tag, sizeof(tag) - 1);
    digest_sha256_hex(bytes, length, text + sizeof(tag) - 1);
    return text;
}

char *digest_migration_text(const char *sql, size_t length, char text[DIGEST_TAGGED_SIZE])
{
    static const char byte_order_mark[] = "\xef\xbb\xbf";
    struct buf plain = BUF_INIT(0);
    const char *end = sql + length;

    if (length >= 3 && memcmp(sql, byte_order_mark, 3) == 0)
        sql += 3;
    while (sql < end) {
        const char *carriage = memchr(sql, '\r', (size_t)(end - sql));
        const char *stop = carriage != NULL ? carriage : end;
        buf_append(&plain, sql, (size_t)(stop - sql));
        if (carriage != NULL && (carriage + 1 == end || carriage[1] != '\n'))
            buf_append(&plain, "\r", 1);
        sql = carriage != NULL ? carriage + 1 : end;
    }
    digest_sha256_tagged(buf_text(&plain), plain.length, text);
    buf_free(&plain);
    return text;
}

char *digest_random_hex(size_t digits, char *text)
{
    unsigned char noise[RANDOM_BYTES_AT_ONCE];

    for (size_t i = 0; i < digits; i++) {
        size_t place = i % RANDOM_BYTES_AT_ONCE;
        if (place == 0 && RAND_bytes(noise, RANDOM_BYTES_AT_ONCE) != 1)
            abort(); /* without entropy no nonce and no token is safe */
        text[i] = hex_digits[noise[place] & 15];
    }
    text[digits] = '\0';
    return text;
}
