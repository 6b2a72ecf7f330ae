/* Cursors (cursor.h). */
#include "cursor.h"

#include <assert.h>
#include <openssl/evp.h>
#include <string.h>

static void swap_characters(char *text, const char from[2], const char to[2])
{
    for (; *text != '\0'; text++) {
        for (size_t i = 0; i < 2; i++) {
            if (*text == from[i]) {
                *text = to[i];
                break;
            }
        }
    }
}

char *cursor_encode(const char *key, char cursor[CURSOR_SIZE])
{
    size_t length = strlen(key);

    assert(length < CURSOR_KEY_SIZE);
    EVP_EncodeBlock((unsigned char *)cursor, (const unsigned char *)key, (int)length);
    swap_characters(cursor, "+/", "-_");
    cursor[strcspn(cursor, "=")] = '\0';
    return cursor;
}

bool cursor_decode(const char *cursor, char key[CURSOR_KEY_SIZE])
{
    char text[CURSOR_SIZE + 4];
    unsigned char plain[CURSOR_SIZE];
    size_t length = strlen(cursor), padding = (4 - length % 4) % 4;

    if (length == 0 || length >= CURSOR_SIZE - 8 || length % 4 == 1)
        return false;
    memcpy(text, cursor, length + 1);
    swap_characters(text, "-_", "+/");
    memset(text + length, '=', padding);
    int decoded = EVP_DecodeBlock(plain, (const unsigned char *)text, (int)(length + padding));
    if (decoded <= (int)padding || decoded - (int)padding >= CURSOR_KEY_SIZE)
        return false;
    memcpy(key, plain, (size_t)decoded - padding);
    key[(size_t)decoded - padding] = '\0';
    return true;
}
