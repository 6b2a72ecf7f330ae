/* A coordinator whose witness sees what a test puts there. */
#ifndef TESTS_UNIT_WITNESS_SCENE_H
#define TESTS_UNIT_WITNESS_SCENE_H

#include "coordinator_scene.h"

static inline void begin_watched(struct world *world)
{
    world->config.gate.witness_interval_seconds = 5;
    world_lead(world);
}

/* ---- what there is to see ---- */

static inline void connect_session(int pid, const char *role, const char *name, const char *address)
{
    json_array_append_new(json_object_get(w->sight, "sessions"),
                          json_pack("{s:i, s:s, s:s, s:s, s:s, s:s}", "pid", pid, "backend_start",
                                    "2026-11-20T09:30:00.000000+00:00", "role", role,
                                    "application_name", name, "address", address, "state", "idle"));
}

static inline void disconnect(int pid)
{
    json_t *sessions = json_object_get(w->sight, "sessions");
    for (size_t i = json_array_size(sessions); i-- > 0;)
        if (world_number(json_array_get(sessions, i), "pid") == pid)
            json_array_remove(sessions, i);
}

static inline void pin(int pid, int64_t min, int64_t max)
{
    json_array_append_new(json_object_get(w->sight, "pins"),
                          json_pack("{s:i, s:I, s:I}", "pid", pid, "min", (json_int_t)min, "max",
                                    (json_int_t)max));
}

static inline void look_again(void)
{
    live_for(65000, "a");
}

static inline const struct hold *find_hold(int64_t version, enum gate_code code)
{
    static struct hold holds[20];
    size_t total, count = coordinator_holds(w->c, the_migration(w, version), holds, 20, &total);
    for (size_t i = 0; i < count; i++)
        if (holds[i].code == code)
            return &holds[i];
    return NULL;
}

/* A contract 1 that waits for a/i1 alone; `new` is at it already, and its session shows the role. */
static inline void begin_contract(void)
{
    connect_session(10, "app", "new", "");
    connect_session(11, "app", "a", "");
    join(w, "a", 0, 0);
    join(w, "new", 0, 1);
    submit(w, 1, EXPAND CONTRACT);
    assert_phase(w, 1, PHASE_EXPANDED);
    live_for(5000, "a");
}

#endif
