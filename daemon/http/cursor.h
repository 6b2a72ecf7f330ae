/* Cursors of lists: opaque to clients, base64url of the last item's key. */
#ifndef HTTP_CURSOR_H
#define HTTP_CURSOR_H

#include <stdbool.h>
#include <stddef.h>

#define CURSOR_KEY_SIZE 384
#define CURSOR_SIZE 520 /* of the text */

char *cursor_encode(const char *key, char cursor[CURSOR_SIZE]);

/* False: no cursor of ours. */
bool cursor_decode(const char *cursor, char key[CURSOR_KEY_SIZE]);

#endif
