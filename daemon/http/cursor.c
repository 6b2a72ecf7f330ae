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
    size_t length = strlen(cursor);

    if (length == 0 || length >= CURSOR_SIZE - 8 || length % 4 == 1) {
        return false;
    }
    memcpy(text, cursor, length + 1);
    swap_characters(text, "-_", "+/");
    while (length % 4 != 0) {
        text[length++] = '=';
    }
    text[length] = '\0';
    int decoded = EVP_DecodeBlock(plain, (const unsigned char *)text, (int)length);
    if (decoded <= 0 || decoded >= CURSOR_KEY_SIZE) {
        return false;
    }
    plain[decoded] = '\0'; /* padding has become NULs */
    memcpy(key, plain, (size_t)decoded + 1);
    return true;
}
