/* A set of changes that is committed in one transaction (see struct store_ops). */
#ifndef COORDINATOR_CHANGES_H
#define COORDINATOR_CHANGES_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct change_set {
    json_t *rows;            /* owned; NULL while nothing is in it */
    json_t *apps;            /* owned: the rows of "apps" by name; NULL: none */
    int64_t *event_versions; /* owned: the version each event is about, 0: none */
    size_t event_count;
};

/* Adds a row to "replicas", "migrations", "steps", "apps", "compatible" or "approvals"; takes over the
 * reference. Rows of the same app become one: many registrations of a group touch it. */
void changes_row(struct change_set *changes, const char *table, json_t *row);

/* Sets columns of the window row; takes over the reference. */
void changes_window(struct change_set *changes, json_t *columns);

struct change_event {
    const char *kind;
    int64_t version;                  /* 0: none */
    const char *app, *instance;       /* or NULL */
    const char *actor;                /* NULL: schemagate itself */
    const char *reason;               /* or NULL, "" */
    json_t *data;                     /* reference taken over, or NULL */
};
void changes_event(struct change_set *changes, const struct change_event *event);

/* Asks for the rows of what is hidden of a version (struct commit_result). */
void changes_ask_hidden(struct change_set *changes, int64_t version);

bool changes_empty(const struct change_set *changes);

/* Hands the rows over, as the store takes them. Never NULL. */
json_t *changes_take(struct change_set *changes);
void changes_free(struct change_set *changes);

#endif
