/* Who may start: the window decides by the range, and a release that lists what it ships is taken at its word
 * (docs/design.md §2). It counts as behind a contract that it does not list, whatever it claims as max. */
#include "state.h"

#include <string.h>

/* A contract that is done shuts out whoever ends below it, or ships another text: a release may have folded
 * old migrations together, and then lists none of them. */
static bool has_shut_out(const struct gate_facts *contract, const struct gate_cohort *cohort)
{
    if (cohort->knows[cohort->knows_count - 1].version < contract->version)
        return true;
    for (size_t i = 0; i < cohort->knows_count; i++)
        if (cohort->knows[i].version == contract->version)
            return strcmp(cohort->knows[i].checksum, contract->checksum) != 0;
    return false;
}

int64_t admission_unlisted(const struct coordinator *c, const struct gate_cohort *cohort)
{
    if (cohort->knows_count == 0)
        return 0;
    for (const struct migration *m = c->migrations; m; m = m->by_version.next) {
        const struct gate_facts contract = {
            .kind = GATE_CONTRACT, .version = m->version, .checksum = m->checksum};
        bool over = phase_is_contracted(m->phase) || m->phase == PHASE_RESTORING;
        bool done = over && migration_has_steps(m, PLAN_CONTRACT);
        /* One that is under way shuts out all that would hold its gate. */
        if (m->version <= cohort->compatible_max)
            continue;
        if ((m->version == c->view.window.contracting && gate_cohort_holds(&contract, cohort)) ||
            (done && has_shut_out(&contract, cohort)))
            return m->version;
    }
    return 0;
}

/* What an operator recorded for a release counts when it starts again as well as while it runs. */
enum admission admission_of(const struct coordinator *c, const struct gate_cohort *cohort)
{
    struct version_range range = cohort->range;
    if (range.max < cohort->compatible_max)
        range.max = cohort->compatible_max;
    enum admission admission = window_admit(&c->view, range);
    bool may_come = admission == ADMISSION_LIVE || admission == ADMISSION_WAITING;
    return may_come && admission_unlisted(c, cohort) ? ADMISSION_TOO_OLD : admission;
}
