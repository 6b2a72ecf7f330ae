/* Finds the route of a request (route.h). */
#include "route.h"

#include <schemagate/core/window.h>
#include <schemagate/http/server.h>

#include <string.h>

#define SEGMENTS_MAX 8

static const char *const method_names[METHODS] = {"GET", "PUT", "POST", "DELETE"};

static const struct field path_fields[] = {
    {"app", FIELD_NAME, offsetof(struct path_values, app), .high = 40, .about = "the application"},
    {"instance", FIELD_NAME, offsetof(struct path_values, instance), .high = 128,
     .about = "one running copy of the application: a host, a pod"},
    {"version", FIELD_INTEGER, offsetof(struct path_values, version), .low = 1,
     .high = SCHEMA_VERSION_MAX, .about = "a schema version"},
    {"pid", FIELD_INTEGER, offsetof(struct path_values, pid), .low = 1, .high = INT32_MAX,
     .about = "of a session's server process"},
};
const struct shape route_path_shape = SHAPE(path_fields, struct path_values, NULL);

struct segments {
    const char *items[SEGMENTS_MAX];
    size_t count; /* SEGMENTS_MAX + 1: too many */
};

const char *method_name(enum method method)
{
    return method_names[method];
}

bool method_parse(const char *name, enum method *method)
{
    if (strcmp(name, "HEAD") == 0) {
        *method = METHOD_GET;
        return true;
    }
    for (size_t i = 0; i < METHODS; i++) {
        if (strcmp(method_names[i], name) == 0) {
            *method = (enum method)i;
            return true;
        }
    }
    return false;
}

/* These walk every request's path, so they go over it once, without calls. */
static void split_path(char *path, struct segments *segments)
{
    segments->count = 0;
    while (*path == '/') {
        *path++ = '\0';
        if (segments->count == SEGMENTS_MAX) {
            segments->count++;
            return;
        }
        segments->items[segments->count++] = path;
        while (*path != '/' && *path != '\0')
            path++;
    }
}

/* Behind the segment of a pattern. */
static const char *skip_segment(const char *pattern)
{
    while (*pattern != '/' && *pattern != '\0')
        pattern++;
    return pattern;
}

/* True if the segments fit the pattern, whatever the values in place of {…} are. */
static bool pattern_fits(const char *pattern, const struct segments *segments)
{
    for (size_t i = 0; i < segments->count; i++) {
        const char *at = segments->items[i];
        if (*pattern++ != '/')
            return false;
        if (*pattern == '{') {
            pattern = skip_segment(pattern);
            continue;
        }
        while (*at != '\0' && *pattern == *at) {
            pattern++;
            at++;
        }
        if (*at != '\0' || (*pattern != '/' && *pattern != '\0'))
            return false;
    }
    return *pattern == '\0';
}

static void read_values(const char *pattern, const struct segments *segments, struct path_values *values,
                        struct mistakes *mistakes)
{
    uint32_t seen = 0;
    char name[16];

    for (size_t i = 0; i < segments->count; i++) {
        const char *start = pattern + 1;
        pattern = skip_segment(start);
        if (*start == '{') {
            size_t length = (size_t)(pattern - start) - 2;
            memcpy(name, start + 1, length);
            name[length] = '\0';
            decode_parameter(&route_path_shape, name, segments->items[i], values, &seen, mistakes);
        }
    }
}

enum route_verdict route_find(const char *method, char *path, const struct route **route,
                              struct path_values *values, unsigned *allowed, struct mistakes *mistakes)
{
    struct segments segments;
    enum method wanted = METHODS;

    method_parse(method, &wanted);
    split_path(path, &segments);
    *values = (struct path_values){0};
    *allowed = 0;
    for (const struct route *row = routes; row->pattern != NULL; row++) {
        if (segments.count == 0 || segments.count > SEGMENTS_MAX ||
            !pattern_fits(row->pattern, &segments))
            continue;
        *allowed |= 1U << row->method;
        if (row->method == wanted) {
            *route = row;
            read_values(row->pattern, &segments, values, mistakes);
            return mistakes->count > 0 ? ROUTE_INVALID : ROUTE_FOUND;
        }
    }
    return *allowed == 0 ? ROUTE_NO_PATH : ROUTE_NO_METHOD;
}

void http_print_routes(FILE *out)
{
    for (const struct route *row = routes; row->pattern != NULL; row++) {
        fprintf(out, "%s\t%s\t", method_names[row->method], row->pattern);
        const char *comma = "";
        for (unsigned role = 0; role < CALLER_ROLES; role++) {
            if ((row->roles & 1U << role) != 0) {
                fprintf(out, "%s%s", comma, caller_role_name((enum caller_role)role));
                comma = ",";
            }
        }
        fprintf(out, "%s\n", row->roles == 0 ? "anybody" : "");
    }
}
