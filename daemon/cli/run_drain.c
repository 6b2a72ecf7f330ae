/* The drain's table: what is not in it changes nothing. */
#include "run_drain.h"

#include <stddef.h>

static const struct drain_row {
    enum drain_state state;
    enum drain_event event;
    enum drain_state next;
    unsigned actions;
} rows[] = {
    {DRAIN_NOTHING, DRAIN_STARTED, DRAIN_RUNNING, 0},

    {DRAIN_RUNNING, DRAIN_STOP, DRAIN_STOPPING, DRAIN_ASK_GROUP | DRAIN_ARM_KILL},
    {DRAIN_RUNNING, DRAIN_MAIN_EXITED, DRAIN_STOPPING, DRAIN_ASK_ALL | DRAIN_ARM_KILL},
    {DRAIN_RUNNING, DRAIN_TREE_GONE, DRAIN_GONE, DRAIN_FINISH},

    {DRAIN_STOPPING, DRAIN_STOP, DRAIN_STOPPING,
     DRAIN_ASK_GROUP}, /* asked twice: no more time for it */
    {DRAIN_STOPPING, DRAIN_MAIN_EXITED, DRAIN_STOPPING,
     DRAIN_ASK_ALL}, /* what left the group was not asked yet */
    {DRAIN_STOPPING, DRAIN_KILL_DUE, DRAIN_KILLING, DRAIN_KILL_ALL},
    {DRAIN_STOPPING, DRAIN_TREE_GONE, DRAIN_GONE, DRAIN_FINISH},

    {DRAIN_KILLING, DRAIN_MAIN_EXITED, DRAIN_KILLING, DRAIN_KILL_ALL},
    {DRAIN_KILLING, DRAIN_REAPED, DRAIN_KILLING, DRAIN_KILL_ALL},
    {DRAIN_KILLING, DRAIN_KILL_DUE, DRAIN_KILLING, DRAIN_KILL_ALL},
    {DRAIN_KILLING, DRAIN_TREE_GONE, DRAIN_GONE, DRAIN_FINISH},
};

unsigned drain_step(enum drain_state *state, enum drain_event event)
{
    for (size_t n = 0; n < sizeof(rows) / sizeof(rows[0]); n++) {
        if (rows[n].state != *state || rows[n].event != event)
            continue;
        *state = rows[n].next;
        return rows[n].actions;
    }
    return 0;
}
