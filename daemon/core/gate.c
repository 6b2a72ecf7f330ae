/* From facts to holds: one row of the table below asks each question. */
#include <schemagate/core/gate.h>

#include <string.h>

static const struct {
    const char *name, *clears_when;
} codes[HOLD_CODES] = {
    [HOLD_REPLICA_LOST] = {"replica-lost",
                           "it renews with a compatible range, says goodbye, is attested or is evicted"},
    [HOLD_REPLICA_BEHIND] = {"replica-behind", "it reports a compatible range or leaves"},
    [HOLD_REPLICA_AHEAD] = {"replica-ahead", "it reports a range that works without it, or leaves"},
    [HOLD_DESIRED_BEHIND] = {"desired-behind", "a newer release is declared for the app"},
    [HOLD_FLEET_MISSING] = {"fleet-missing",
                            "enough replicas register, min_replicas is lowered, or the app is retired"},
    [HOLD_EARLIER_MIGRATION] = {"earlier-migration", "the earlier migration is done"},
    [HOLD_LATER_MIGRATION] = {"later-migration", "the later migration is undone or cancelled"},
    [HOLD_SETTLING] = {"settling", "every known replica has renewed or its lease has run out"},
    [HOLD_PAUSED] = {"paused", "an operator resumes it"},
    [HOLD_AWAITING_APPROVAL] = {"awaiting-approval", "an operator approves it"},
    [HOLD_SOAKING] = {"soaking", "the soak time has passed without a replica below it"},
};

const char *gate_code_name(enum gate_code code)
{
    return codes[code].name;
}

const char *gate_code_clears_when(enum gate_code code)
{
    return codes[code].clears_when;
}

/* A release that lists what it ships counts as behind unless it lists N with the submitted checksum
 * (DESIGN.md section 2). */
static bool lists_otherwise(const struct gate_facts *facts, const struct gate_cohort *cohort)
{
    if (cohort->knows_count == 0)
        return false;
    for (size_t i = 0; i < cohort->knows_count; i++) {
        if (cohort->knows[i].version != facts->version)
            continue;
        return strcmp(cohort->knows[i].checksum, facts->checksum) != 0;
    }
    return true;
}

static bool cohort_is_behind(const struct gate_facts *facts, const struct gate_cohort *cohort)
{
    if (cohort->compatible_max >= facts->version)
        return false;
    return cohort->range.max < facts->version || lists_otherwise(facts, cohort);
}

bool gate_cohort_holds(const struct gate_facts *facts, const struct gate_cohort *cohort)
{
    return facts->kind == GATE_CONTRACT ? cohort_is_behind(facts, cohort)
                                        : cohort->range.min > facts->previous;
}

/* One pass over the facts: what is found is reported and counted. */
struct pass {
    const struct gate_facts *facts;
    gate_found *found;
    void *context;
    size_t total;
};

static void report(struct pass *pass, const struct gate_hold *hold)
{
    pass->total += hold->count;
    if (pass->found)
        pass->found(pass->context, hold);
}

static void report_cohorts(struct pass *pass, enum gate_code code, bool lost)
{
    for (size_t a = 0; a < pass->facts->app_count; a++) {
        const struct gate_app *app = pass->facts->apps[a];
        for (size_t i = 0; i < app->cohort_count; i++) {
            const struct gate_cohort *cohort = app->cohorts[i];
            size_t count = lost ? cohort->lost : cohort->live;
            if (count && gate_cohort_holds(pass->facts, cohort))
                report(pass, &(struct gate_hold){
                                 .code = code, .app = app, .cohort = cohort, .count = count});
        }
    }
}

static void lost(struct pass *pass, enum gate_code code)
{
    report_cohorts(pass, code, true);
}

static void incompatible(struct pass *pass, enum gate_code code)
{
    report_cohorts(pass, code, false);
}

static void desired_behind(struct pass *pass, enum gate_code code)
{
    for (size_t a = 0; a < pass->facts->app_count; a++) {
        const struct gate_app *app = pass->facts->apps[a];
        if (app->has_desired && app->desired.max < pass->facts->version)
            report(pass, &(struct gate_hold){.code = code, .app = app, .count = 1});
    }
}

static void fleet_missing(struct pass *pass, enum gate_code code)
{
    for (size_t a = 0; a < pass->facts->app_count; a++) {
        const struct gate_app *app = pass->facts->apps[a];
        if (app->min_replicas > 0 && app->live < (size_t)app->min_replicas)
            report(pass, &(struct gate_hold){.code = code, .app = app, .count = 1});
    }
    if (pass->facts->app_count == 0)
        report(pass, &(struct gate_hold){.code = code, .count = 1});
}

static void report_if(struct pass *pass, enum gate_code code, bool holds, int64_t version)
{
    if (holds)
        report(pass, &(struct gate_hold){.code = code, .version = version, .count = 1});
}

static void earlier(struct pass *pass, enum gate_code code)
{
    report_if(pass, code, pass->facts->earlier != 0, pass->facts->earlier);
}

static void later(struct pass *pass, enum gate_code code)
{
    report_if(pass, code, pass->facts->later != 0, pass->facts->later);
}

static void settling(struct pass *pass, enum gate_code code)
{
    report_if(pass, code, pass->facts->settling > 0, 0);
}

static void paused(struct pass *pass, enum gate_code code)
{
    report_if(pass, code, pass->facts->paused, 0);
}

static void awaiting_approval(struct pass *pass, enum gate_code code)
{
    report_if(pass, code, pass->facts->approval_missing, 0);
}

static void soaking(struct pass *pass, enum gate_code code)
{
    report_if(pass, code, pass->facts->soak_elapsed_ms < pass->facts->soak_ms, 0);
}

#define CONTRACT (1u << GATE_CONTRACT)
#define UNDO (1u << GATE_UNDO)

static const struct {
    enum gate_code code;
    unsigned kinds;
    void (*look)(struct pass *pass, enum gate_code code);
} questions[] = {
    {HOLD_REPLICA_LOST, CONTRACT | UNDO, lost},
    {HOLD_REPLICA_BEHIND, CONTRACT, incompatible},
    {HOLD_REPLICA_AHEAD, UNDO, incompatible},
    {HOLD_DESIRED_BEHIND, CONTRACT, desired_behind},
    {HOLD_FLEET_MISSING, CONTRACT, fleet_missing},
    {HOLD_EARLIER_MIGRATION, CONTRACT, earlier},
    {HOLD_LATER_MIGRATION, UNDO, later},
    {HOLD_SETTLING, CONTRACT | UNDO, settling},
    {HOLD_PAUSED, CONTRACT | UNDO, paused},
    {HOLD_AWAITING_APPROVAL, CONTRACT | UNDO, awaiting_approval},
    {HOLD_SOAKING, CONTRACT, soaking},
};

size_t gate_evaluate(const struct gate_facts *facts, gate_found *found, void *context)
{
    struct pass pass = {.facts = facts, .found = found, .context = context};
    for (size_t i = 0; i < sizeof questions / sizeof *questions; i++)
        if (questions[i].kinds & (1u << facts->kind))
            questions[i].look(&pass, questions[i].code);
    return pass.total;
}

size_t gate_behind(const struct gate_facts *facts)
{
    struct pass pass = {.facts = facts};
    report_cohorts(&pass, HOLD_REPLICA_LOST, true);
    report_cohorts(&pass, HOLD_REPLICA_BEHIND, false);
    return pass.total;
}
