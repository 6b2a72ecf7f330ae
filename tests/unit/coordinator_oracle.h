/* The oracle of the coordinator's tests: docs/design.md §2, asked before a contract or an undo is
 * carried out. A part of coordinator_world.h, which includes it. */
#ifndef TESTS_UNIT_COORDINATOR_ORACLE_H
#define TESTS_UNIT_COORDINATOR_ORACLE_H

static inline bool row_holds(const json_t *row)
{
    return strcmp(world_text(row, "state"), "live") == 0 || strcmp(world_text(row, "state"), "lost") == 0;
}

static inline int64_t compatible_up_to(const struct world *w, const json_t *replica)
{
    const json_t *row;
    size_t i;
    json_array_foreach(world_table(w, "compatible"), i, row)
    {
        if (strcmp(world_text(row, "app"), world_text(replica, "app")) == 0 &&
            strcmp(world_text(row, "release"), world_text(replica, "release")) == 0)
            return world_number(row, "max");
    }
    return 0;
}

/* No replica that the database knows, and that may run, is left below the contract. */
static inline void check_contract(struct world *w, const struct call *call)
{
    const json_t *row;
    size_t i;

    assert_int_equal(world_window(w).contracting, call->version);
    json_array_foreach(world_table(w, "replicas"), i, row)
    {
        if (row_holds(row) && world_number(row, "max") < call->version &&
            compatible_up_to(w, row) < call->version)
            fail_msg("contract %lld runs against %s/%s", (long long)call->version,
                     world_text(row, "app"), world_text(row, "instance"));
    }
    if (w->before_contract)
        w->before_contract(w, call);
    *(strcmp(call->phase, "purge") == 0 ? &w->purges_run : &w->contracts_run) += 1;
}

static inline void check_undo(struct world *w, const struct call *call)
{
    const json_t *row;
    size_t i;
    int64_t previous = world_number(world_table(w, "window"), "baseline");

    assert_int_equal(world_window(w).undoing, call->version);
    json_array_foreach(world_table(w, "migrations"), i, row)
    {
        enum phase phase = PHASE_QUEUED;
        int64_t version = world_number(row, "version");
        phase_parse(world_text(row, "phase"), &phase);
        if (phase == PHASE_UNDOING) /* served, until it is done */
            phase_parse(world_text(row, "origin"), &phase);
        if (phase_is_expanded(phase) && version < call->version && version > previous)
            previous = version;
    }
    json_array_foreach(world_table(w, "replicas"), i, row)
    {
        if (row_holds(row) && world_number(row, "min") > previous)
            fail_msg("undo %lld runs against %s/%s", (long long)call->version, world_text(row, "app"),
                     world_text(row, "instance"));
    }
    if (w->before_contract)
        w->before_contract(w, call);
}

#endif
