/* Sets of changes. */
#include "changes.h"

#include <schemagate/base/memory.h>

#include <stdlib.h>
#include <string.h>

static json_t *rows_of(struct change_set *changes)
{
    if (!changes->rows)
        changes->rows = json_object();
    return changes->rows;
}

/* Joins the row with the one that is there for its app; false if it is the first. */
static bool join_app(struct change_set *changes, json_t *row)
{
    const char *app = json_string_value(json_object_get(row, "app"));
    json_t *first = json_object_get(changes->apps, app);
    if (first) {
        json_object_update(first, row);
        return true;
    }
    if (!changes->apps)
        changes->apps = json_object();
    json_object_set(changes->apps, app, row);
    return false;
}

void changes_row(struct change_set *changes, const char *table, json_t *row)
{
    if (strcmp(table, "apps") == 0 && join_app(changes, row)) {
        json_decref(row);
        return;
    }
    json_t *rows = json_object_get(rows_of(changes), table);
    if (!rows) {
        rows = json_array();
        json_object_set_new(changes->rows, table, rows);
    }
    json_array_append_new(rows, row);
}

void changes_window(struct change_set *changes, json_t *columns)
{
    json_t *window = json_object_get(rows_of(changes), "window");
    if (!window) {
        json_object_set_new(changes->rows, "window", columns);
        return;
    }
    json_object_update(window, columns);
    json_decref(columns);
}

void changes_ask_hidden(struct change_set *changes, int64_t version)
{
    json_object_set_new(rows_of(changes), "hidden", json_integer(version));
}

static void set_text(json_t *row, const char *column, const char *text)
{
    if (text && *text)
        json_object_set_new(row, column, json_string(text));
}

void changes_event(struct change_set *changes, const struct change_event *event)
{
    json_t *row = json_pack("{s:s}", "kind", event->kind);
    if (event->version)
        json_object_set_new(row, "version", json_integer(event->version));
    set_text(row, "app", event->app);
    set_text(row, "instance", event->instance);
    set_text(row, "actor", event->actor);
    set_text(row, "reason", event->reason);
    if (event->data)
        json_object_set_new(row, "data", event->data);
    changes_row(changes, "events", row);

    changes->event_versions =
        memory_grow(changes->event_versions, changes->event_count + 1, sizeof *changes->event_versions);
    changes->event_versions[changes->event_count++] = event->version;
}

bool changes_empty(const struct change_set *changes)
{
    return !changes->rows;
}

json_t *changes_take(struct change_set *changes)
{
    json_t *rows = rows_of(changes);
    changes->rows = NULL;
    json_decref(changes->apps);
    changes->apps = NULL;
    return rows;
}

void changes_free(struct change_set *changes)
{
    json_decref(changes->rows);
    json_decref(changes->apps);
    free(changes->event_versions);
    *changes = (struct change_set){0};
}
