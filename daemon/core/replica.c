/* The life of a replica as a table. */
#include <schemagate/core/replica.h>

#include <stddef.h>

static const char *const state_names[REPLICA_STATES] = {"waiting", "live", "lost", "gone"};

static const char *const event_names[REPLICA_EVENTS] = {
    [REPLICA_ADMITTED] = "admitted",         [REPLICA_RENEWED] = "renewed",
    [REPLICA_EXPIRED] = "expired",           [REPLICA_SUPERSEDED] = "superseded",
    [REPLICA_DEREGISTERED] = "deregistered", [REPLICA_RESTARTED] = "restarted",
    [REPLICA_ATTESTED] = "attested",         [REPLICA_EVICTED] = "evicted",
    [REPLICA_FENCED] = "self-fenced",        [REPLICA_UNSEEN] = "no-sessions",
    [REPLICA_ASSUMED] = "assumed",
};

static const struct row {
    enum replica_state from;
    enum replica_event event;
    enum replica_state to;
    const char *comment;
} rows[] = {
    {REPLICA_WAITING, REPLICA_ADMITTED, REPLICA_LIVE, "a version in its range is served now"},
    {REPLICA_WAITING, REPLICA_RENEWED, REPLICA_WAITING, "a renewal never admits"},
    {REPLICA_WAITING, REPLICA_EXPIRED, REPLICA_GONE, "it was never started; it must register again"},
    {REPLICA_WAITING, REPLICA_SUPERSEDED, REPLICA_GONE, "it was never started"},
    {REPLICA_WAITING, REPLICA_DEREGISTERED, REPLICA_GONE, "it said goodbye"},
    {REPLICA_WAITING, REPLICA_RESTARTED, REPLICA_GONE, "its successor attests that it has ended"},
    {REPLICA_WAITING, REPLICA_ATTESTED, REPLICA_GONE, "an agent says that it has ended"},
    {REPLICA_WAITING, REPLICA_EVICTED, REPLICA_GONE, "an operator says so"},

    {REPLICA_LIVE, REPLICA_RENEWED, REPLICA_LIVE, "its lease is extended"},
    {REPLICA_LIVE, REPLICA_EXPIRED, REPLICA_LOST, "silence is not death: it goes on holding"},
    {REPLICA_LIVE, REPLICA_SUPERSEDED, REPLICA_LOST, "nobody knows whether it still runs"},
    {REPLICA_LIVE, REPLICA_DEREGISTERED, REPLICA_GONE, "it said goodbye"},
    {REPLICA_LIVE, REPLICA_RESTARTED, REPLICA_GONE, "its successor attests that it has ended"},
    {REPLICA_LIVE, REPLICA_ATTESTED, REPLICA_GONE, "an agent says that it has ended"},
    {REPLICA_LIVE, REPLICA_EVICTED, REPLICA_GONE, "an operator says so"},

    {REPLICA_LOST, REPLICA_RENEWED, REPLICA_LIVE, "it was only slow"},
    {REPLICA_LOST, REPLICA_EXPIRED, REPLICA_LOST, "it goes on holding"},
    {REPLICA_LOST, REPLICA_SUPERSEDED, REPLICA_LOST, "nobody knows whether it still runs"},
    {REPLICA_LOST, REPLICA_DEREGISTERED, REPLICA_GONE, "it said goodbye"},
    {REPLICA_LOST, REPLICA_RESTARTED, REPLICA_GONE, "its successor attests that it has ended"},
    {REPLICA_LOST, REPLICA_ATTESTED, REPLICA_GONE, "an agent says that it has ended"},
    {REPLICA_LOST, REPLICA_EVICTED, REPLICA_GONE, "an operator says so"},
    {REPLICA_LOST, REPLICA_FENCED, REPLICA_GONE, "its lease and grace are over, with which it ends itself"},
    {REPLICA_LOST, REPLICA_UNSEEN, REPLICA_GONE, "its sessions are gone, and the operator trusts that"},
    {REPLICA_LOST, REPLICA_ASSUMED, REPLICA_GONE, "lost for as long as the operator allows"},
};

const char *replica_state_name(enum replica_state state)
{
    return state_names[state];
}

const char *replica_event_name(enum replica_event event)
{
    return event_names[event];
}

bool replica_next(enum replica_state state, enum replica_event event, enum replica_state *next)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (rows[i].from == state && rows[i].event == event) {
            *next = rows[i].to;
            return true;
        }
    }
    return false;
}

bool replica_holds(enum replica_state state)
{
    return state == REPLICA_LIVE || state == REPLICA_LOST;
}

void replica_print_table(FILE *out)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        fprintf(out, "%s\t%s\t%s\t%s\n", state_names[rows[i].from], event_names[rows[i].event],
                state_names[rows[i].to], rows[i].comment);
}
