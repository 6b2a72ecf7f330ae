/* schemagate's tables as JSON. */
#include <support/rows.h>

#include <schemagate/base/memory.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEY_SIZE 400

/* `fresh`: the defaults of a row that is inserted (db/sql/schema.sql). */
static const struct {
    const char *name, *keys[4], *fresh;
} tables[ROWS_TABLES] = {
    [ROWS_MIGRATIONS] = {"migrations",
                         {"version"},
                         "{\"name\": \"\", \"approval\": \"auto\", \"soak_seconds\": 0, "
                         "\"keep_hours\": 0, \"sections\": [], \"submitted_by\": \"\", "
                         "\"phase\": \"queued\", \"failed\": false, \"paused\": false, "
                         "\"soak_elapsed_ms\": 0, \"last_event\": 0}"},
    [ROWS_STEPS] = {"steps",
                    {"version", "section", "number"},
                    "{\"state\": \"pending\", \"attempts\": 0, \"seconds\": 0}"},
    [ROWS_APPROVALS] = {"approvals",
                        {"version", "plan_checksum", "system_identifier", "timeline"},
                        "{\"reason\": \"\"}"},
    [ROWS_APPS] = {"apps", {"app"}, "{\"retired\": false}"},
    [ROWS_COMPATIBLE] = {"compatible", {"app", "release"}, "{}"},
    [ROWS_REPLICAS] = {"replicas",
                       {"app", "instance", "incarnation"},
                       "{\"release\": \"\", \"application_name\": \"\", \"on_lost\": \"keep\", "
                       "\"superseded\": false}"},
};

void rows_open(struct rows *rows)
{
    *rows = (struct rows){0};
    rows->window = json_pack("{s:i, s:i, s:i, s:n, s:n, s:i, s:b}", "generation", 1, "floor", 0,
                             "ceiling", 0, "contracting", "undoing", "baseline", 0, "paused", 0);
    for (size_t i = 0; i < ROWS_TABLES; i++)
        rows->tables[i] = json_object();
}

void rows_close(struct rows *rows)
{
    json_decref(rows->window);
    for (size_t i = 0; i < ROWS_TABLES; i++)
        json_decref(rows->tables[i]);
}

int64_t rows_number(const json_t *row, const char *column)
{
    return json_integer_value(json_object_get(row, column));
}

const char *rows_text(const json_t *row, const char *column)
{
    const char *text = json_string_value(json_object_get(row, column));
    return text ? text : "";
}

struct window rows_window(const struct rows *rows)
{
    return (struct window){
        rows_number(rows->window, "floor"), rows_number(rows->window, "ceiling"),
        rows_number(rows->window, "contracting"), rows_number(rows->window, "undoing")};
}

/* ---- keys ---- */

static void make_key(enum rows_table table, const json_t *row, char key[KEY_SIZE])
{
    size_t used = 0;
    for (size_t i = 0; i < 4 && tables[table].keys[i]; i++) {
        const json_t *value = json_object_get(row, tables[table].keys[i]);
        int length = json_is_integer(value)
                         ? snprintf(key + used, KEY_SIZE - used, "%lld/",
                                    (long long)json_integer_value(value))
                         : snprintf(key + used, KEY_SIZE - used, "%s/", json_string_value(value));
        used += (size_t)length;
    }
}

json_t *rows_replica(const struct rows *rows, const char *app, const char *instance,
                     const char *incarnation)
{
    char key[KEY_SIZE];
    snprintf(key, sizeof key, "%s/%s/%s/", app, instance, incarnation);
    return json_object_get(rows->tables[ROWS_REPLICAS], key);
}

json_t *rows_migration(const struct rows *rows, int64_t version)
{
    char key[KEY_SIZE];
    snprintf(key, sizeof key, "%lld/", (long long)version);
    return json_object_get(rows->tables[ROWS_MIGRATIONS], key);
}

/* ---- writing ---- */

static void drop_version(json_t *table, int64_t version)
{
    const char *key;
    json_t *row;
    void *next;
    json_object_foreach_safe(table, next, key, row)
    {
        if (rows_number(row, "version") == version)
            json_object_del(table, key);
    }
}

static void write_row(struct rows *rows, enum rows_table table, json_t *change)
{
    char key[KEY_SIZE];

    if (json_is_true(json_object_get(change, "replaced"))) {
        drop_version(rows->tables[ROWS_STEPS], rows_number(change, "version"));
        drop_version(rows->tables[ROWS_APPROVALS], rows_number(change, "version"));
    }
    make_key(table, change, key);
    json_t *row = json_object_get(rows->tables[table], key);
    if (!row) {
        row = json_loads(tables[table].fresh, 0, NULL);
        json_object_set_new(rows->tables[table], key, row);
    }
    json_object_update(row, change);
    json_object_del(row, "replaced");
}

static void write_events(struct rows *rows, const json_t *events, struct rows_result *result)
{
    json_t *event;
    size_t i;

    result->event_count = json_array_size(events);
    result->event_ids = memory_new((result->event_count + 1) * sizeof *result->event_ids);
    json_array_foreach(events, i, event)
    {
        json_t *m = rows_migration(rows, rows_number(event, "version"));
        result->event_ids[i] = ++rows->last_event;
        if (m)
            json_object_set_new(m, "last_event", json_integer(rows->last_event));
    }
}

void rows_commit(struct rows *rows, const json_t *changes, int64_t expected,
                 struct rows_result *result)
{
    int64_t generation = rows_number(rows->window, "generation");
    json_t *row;
    size_t i;

    *result = (struct rows_result){.generation = generation, .window = rows_window(rows)};
    if (expected != 0 && expected != generation)
        return;
    json_object_update(rows->window, json_object_get(changes, "window"));
    json_object_set_new(rows->window, "generation", json_integer(generation + 1));
    for (enum rows_table table = 0; table < ROWS_TABLES; table++) {
        json_array_foreach(json_object_get(changes, tables[table].name), i, row)
        {
            write_row(rows, table, row);
        }
    }
    write_events(rows, json_object_get(changes, "events"), result);
    result->written = true;
    result->generation = generation + 1;
    result->window = rows_window(rows);
}

void rows_write_steps(struct rows *rows, json_t *steps)
{
    json_t *row;
    size_t i;

    json_array_foreach(steps, i, row)
    {
        write_row(rows, ROWS_STEPS, row);
    }
}

/* ---- reading ---- */

static bool is_gone(const json_t *row)
{
    return strcmp(rows_text(row, "state"), "gone") == 0;
}

static int by_age(const void *left, const void *right)
{
    const json_t *a = *(json_t *const *)left, *b = *(json_t *const *)right;
    int order = json_is_true(json_object_get(b, "superseded")) -
                json_is_true(json_object_get(a, "superseded"));
    if (order == 0)
        order = strcmp(rows_text(a, "registered_at"), rows_text(b, "registered_at"));
    return order;
}

static int by_version_and_number(const void *left, const void *right)
{
    const json_t *a = *(json_t *const *)left, *b = *(json_t *const *)right;
    int64_t difference = rows_number(a, "version") - rows_number(b, "version");
    if (difference == 0)
        difference = rows_number(a, "number") - rows_number(b, "number");
    return (difference > 0) - (difference < 0);
}

static void load_table(const struct rows *rows, enum rows_table table,
                       void (*row)(void *context, const char *table, const json_t *row),
                       void *context)
{
    size_t count = 0;
    json_t **sorted = memory_new((json_object_size(rows->tables[table]) + 1) * sizeof *sorted), *one;
    const char *key;

    json_object_foreach(rows->tables[table], key, one)
    {
        if (!is_gone(one))
            sorted[count++] = one;
    }
    qsort(sorted, count, sizeof *sorted, table == ROWS_REPLICAS ? by_age : by_version_and_number);
    for (size_t i = 0; i < count; i++)
        row(context, tables[table].name, sorted[i]);
    free(sorted);
}

void rows_load(const struct rows *rows,
               void (*row)(void *context, const char *table, const json_t *row), void *context)
{
    json_t *window = json_copy(rows->window);

    json_object_set_new(window, "last_event", json_integer(rows->last_event));
    row(context, "window", window);
    json_decref(window);
    for (enum rows_table table = 0; table < ROWS_TABLES; table++)
        load_table(rows, table, row, context);
}

static json_t *copies(const json_t *table)
{
    json_t *array = json_array(), *row;
    const char *key;
    json_object_foreach((json_t *)table, key, row)
    {
        if (!is_gone(row))
            json_array_append_new(array, json_copy(row));
    }
    return array;
}

json_t *rows_verify(const struct rows *rows)
{
    json_t *replicas = copies(rows->tables[ROWS_REPLICAS]), *row;
    size_t i;

    json_array_foreach(replicas, i, row)
    {
        json_object_set_new(row, "count", json_integer(1));
    }
    return json_pack("{s:o, s:o, s:o, s:o}", "replicas", replicas, "apps",
                     copies(rows->tables[ROWS_APPS]), "compatible",
                     copies(rows->tables[ROWS_COMPATIBLE]), "window", json_copy(rows->window));
}
