/* GET /v1/replicas: all of them, filtered, in pages. Each page begins where the one before ended, found by
 * its last replica; one that has left in between is found again by the time at which it registered. */
#include "handlers.h"

#include "documents.h"
#include "list.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct replicas_query {
    struct list_query list;
    const char *app;
    int64_t holding;
    int state;
};

/* In the order of enum replica_state, so that the choice is the state. */
static const char *const state_choices[] = {"waiting", "live", "lost", "gone", NULL};

static const struct field replicas_query_fields[] = {
    LIST_FIELDS,
    {"app", FIELD_NAME, offsetof(struct replicas_query, app), .high = 40, .about = "of this application"},
    {"state", FIELD_CHOICE, offsetof(struct replicas_query, state), .choices = state_choices,
     .about = "in this state"},
    {"holding", FIELD_INTEGER, offsetof(struct replicas_query, holding), .low = 1,
     .high = SCHEMA_VERSION_MAX, .about = "that hold the contract of this version"},
};
const struct shape replicas_query_shape = SHAPE(replicas_query_fields, struct replicas_query, NULL);

/* What a cursor says: "registered app instance incarnation". */
struct place {
    int64_t registered_wall;
    char app[41], instance[129], incarnation[129];
};

static bool read_place(const char *key, struct place *place)
{
    return sscanf(key, "%" SCNd64 " %40s %128s %128s", &place->registered_wall, place->app,
                  place->instance, place->incarnation) == 4;
}

/* The next one: the older incarnations of an instance follow the newest. `newest` is kept up to date. */
static struct replica *next_replica(struct replica **newest, struct replica *replica)
{
    if (replica->older != NULL)
        return replica->older;
    return *newest = coordinator_next_replica(*newest);
}

/* The first one behind the place. */
static struct replica *find_place(const struct coordinator *c, const struct place *place,
                                  struct replica **newest)
{
    struct replica *replica = coordinator_find_replica(c, place->app, place->instance);

    *newest = replica;
    if (replica != NULL && replica->registered_wall >= place->registered_wall)
        for (; replica != NULL; replica = replica->older)
            if (strcmp(replica->incarnation, place->incarnation) == 0)
                return next_replica(newest, replica);
    *newest = coordinator_first_replica(c);
    while (*newest != NULL && (*newest)->registered_wall <= place->registered_wall)
        *newest = coordinator_next_replica(*newest);
    return *newest;
}

static bool fits(const struct replicas_query *query, const struct coordinator *c,
                 const struct replica *replica)
{
    return (query->app == NULL || strcmp(query->app, replica->cohort->app->gate.name) == 0) &&
           (query->state < 0 || query->state == replica->state) &&
           (query->holding == 0 ||
            (replica_holds(replica->state) && replica_is_behind(c, replica, query->holding)));
}

void replicas_list(struct request *r)
{
    const struct replicas_query *query = request_query(r);
    const struct coordinator *c = r->server->coordinator;
    struct replica *newest, *replica;
    struct place place;
    struct list list;

    if (!list_begin(&list, r, &query->list))
        return;
    if (*list.from == '\0') {
        replica = newest = coordinator_first_replica(c);
    } else if (read_place(list.from, &place)) {
        replica = find_place(c, &place, &newest);
    } else {
        list_refuse_cursor(&list);
        return;
    }
    for (; replica != NULL; replica = next_replica(&newest, replica)) {
        if (!fits(query, c, replica))
            continue;
        if (!list_add(&list, "%" PRId64 " %s %s %s", replica->registered_wall,
                      replica->cohort->app->gate.name, replica->instance, replica->incarnation))
            break;
        document_replica(&list.w, c, replica);
    }
    list_finish(&list, replica != NULL);
}
