/* One target of [notify NAME]: what it still has to be told. Private to daemon/service. */
#ifndef SERVICE_HOOK_TARGET_H
#define SERVICE_HOOK_TARGET_H

#include <schemagate/base/clock.h>
#include <schemagate/base/config.h>

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct child;
struct coordinator;
struct database;
struct event;
struct event_base;
struct webhook;
struct transfers;

struct hook_world {
    struct event_base *base;
    struct coordinator *coordinator;
    struct database *database;
    struct transfers *transfers; /* NULL: nobody has a URL */
};

struct hook_target {
    const struct hook_world *world;
    const struct config_notify *settings; /* borrowed until the next hook_target_configure */
    bool active;    /* its term goes on, and it is known what it has been told */
    int64_t read;   /* id of the newest event that was fetched for it */
    int64_t told;   /* of the newest that it has taken, or does not care for */
    int64_t stored; /* of that which PostgreSQL knows to be told */
    json_t *page;   /* events that were fetched, or NULL; `place`: the next one to tell */
    size_t place;
    struct child *child;     /* at most one of both tells now */
    struct webhook *webhook;
    bool stale;              /* what tells now began in a term that is over */
    unsigned attempt;        /* tries of the event at `place` */
    int64_t first_try_boot;
    struct instant behind_since; /* all zero: it has had all events, or nothing is known */
    char error[160];             /* of the last try; "": it has not failed */
    struct event *retry;
    bool fetching, storing;  /* a call of the store is under way */
    bool dropped;            /* it goes when these have come back */
    struct hook_target *prev, *next; /* utlist.h */
};

struct hook_target *hook_target_new(const struct hook_world *world);
/* A target that has been told goes on with the new settings. */
void hook_target_configure(struct hook_target *target, const struct config_notify *settings);
/* A term has begun: it has been told everything up to `event`. */
void hook_target_begin(struct hook_target *target, int64_t event);
/* There may be more to tell. */
void hook_target_look(struct hook_target *target);
/* Somebody else may be telling now: nothing more is begun. */
void hook_target_pause(struct hook_target *target);
/* Ends what is under way. */
void hook_target_drop(struct hook_target *target);

#endif
