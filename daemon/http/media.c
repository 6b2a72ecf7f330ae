/* Media types (media.h). */
#include "media.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* How closely a media range fits: 3 the type itself, 2 "text/…", 1 everything, 0 not. */
static unsigned range_fits(const char *range, size_t length, const char *type)
{
    size_t major = strcspn(type, "/") + 1;

    if (length == strlen(type) && strncasecmp(range, type, length) == 0)
        return 3;
    if (length == major + 1 && range[major] == '*' && strncasecmp(range, type, major) == 0)
        return 2;
    return length == 3 && strncmp(range, "*/*", 3) == 0 ? 1 : 0;
}

/* "…;q=0.5" as 500; 1000 where there is none. */
static unsigned range_quality(const char *parameters, const char *end)
{
    for (const char *at = memchr(parameters, ';', (size_t)(end - parameters)); at != NULL && at < end;
         at = memchr(at, ';', (size_t)(end - at))) {
        at++;
        at += strspn(at, " \t");
        if (at + 2 <= end && (*at == 'q' || *at == 'Q') && at[1] == '=') {
            double quality = strtod(at + 2, NULL);
            return quality >= 1 ? 1000 : quality > 0 ? (unsigned)(quality * 1000) : 0;
        }
    }
    return 1000;
}

unsigned media_quality(const char *accept, const char *type)
{
    unsigned closest = 0, quality = 0;

    if (accept == NULL || strspn(accept, " \t") == strlen(accept))
        return 1000;
    while (*accept != '\0') {
        accept += strspn(accept, " \t,");
        const char *end = accept + strcspn(accept, ",");
        unsigned fits = range_fits(accept, strcspn(accept, " \t;,"), type);
        if (fits > closest) {
            closest = fits;
            quality = range_quality(accept, end);
        }
        accept = end;
    }
    return quality;
}

bool media_is_json(const char *content_type)
{
    static const char json[] = "application/json", charset[] = "charset=";

    if (content_type == NULL || strncasecmp(content_type, json, sizeof(json) - 1) != 0)
        return false;
    const char *rest = content_type + sizeof(json) - 1;
    if (*rest != '\0' && strchr(" \t;", *rest) == NULL)
        return false;
    rest += strspn(rest, " \t;");
    if (strncasecmp(rest, charset, sizeof(charset) - 1) != 0)
        return true;
    rest += sizeof(charset) - 1;
    rest += *rest == '"';
    return strncasecmp(rest, "utf-8", 5) == 0 && (rest[5] == '\0' || strchr("\" \t;", rest[5]) != NULL);
}
