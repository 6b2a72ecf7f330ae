/* From facts to holds: one row of the table below asks each question. */
#include <schemagate/core/gate.h>

#include <string.h>

static const struct {
    const char *name, *clears_when;
    bool waivable;
} codes[HOLD_CODES] = {
    [HOLD_REPLICA_LOST] = {"replica-lost",
                           "it renews with a compatible range, says goodbye, is attested or is evicted",
                           false},
    [HOLD_REPLICA_BEHIND] = {"replica-behind", "it reports a compatible range or leaves", false},
    [HOLD_REPLICA_AHEAD] = {"replica-ahead", "it reports a range that works without it, or leaves",
                            false},
    [HOLD_SESSION_BEHIND] = {"session-behind", "the session ends or is terminated", false},
    [HOLD_SESSION_AHEAD] = {"session-ahead", "the session ends or is terminated", false},
    [HOLD_SESSION_UNPINNED] = {"session-unpinned",
                               "the session calls schemagate.pin(), ends or is terminated", true},
    [HOLD_SESSION_STRAY] = {"session-stray",
                            "its replica registers, or the session ends or is terminated", true},
    [HOLD_STANDBY_UNKNOWN] = {"standby-unknown", "the standby answers and has caught up", true},
    [HOLD_DESIRED_BEHIND] = {"desired-behind", "a newer release is declared for the app", true},
    [HOLD_FLEET_MISSING] = {"fleet-missing",
                            "enough replicas register, min_replicas is lowered, or the app is retired",
                            true},
    [HOLD_EARLIER_MIGRATION] = {"earlier-migration", "the earlier migration is done", false},
    [HOLD_LATER_MIGRATION] = {"later-migration", "the later migration is undone or cancelled", false},
    [HOLD_SETTLING] = {"settling", "every known replica has renewed or its lease has run out", true},
    [HOLD_PAUSED] = {"paused", "an operator resumes it", false},
    [HOLD_AWAITING_APPROVAL] = {"awaiting-approval", "an operator approves it", false},
    [HOLD_OUTSIDE_HOURS] = {"outside-hours", "the next contract hours begin", false},
    [HOLD_UNHEALTHY] = {"unhealthy", "the replicas' error rate falls below max_error_percent", true},
    [HOLD_IN_USE] = {"in-use", "nobody has called the statement for 10 minutes", true},
    [HOLD_REPLICATION_LAG] = {"replication-lag", "every standby has caught up", false},
    [HOLD_SOAKING] = {"soaking", "the soak time has passed without a replica below it", true},
};

const char *gate_code_name(enum gate_code code)
{
    return codes[code].name;
}

const char *gate_code_clears_when(enum gate_code code)
{
    return codes[code].clears_when;
}

bool gate_code_is_waivable(enum gate_code code)
{
    return codes[code].waivable;
}

bool gate_code_parse(const char *name, enum gate_code *code)
{
    for (size_t i = 0; i < HOLD_CODES; i++) {
        if (strcmp(codes[i].name, name) == 0) {
            *code = (enum gate_code)i;
            return true;
        }
    }
    return false;
}

/* A release that lists what it ships counts as behind unless it lists N with the submitted checksum
 * (docs/design.md §2). */
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

/* What a waiver names: an app, a standby, a session's role and name, a statement. */
static const char *subject_of(const struct gate_hold *hold)
{
    return hold->session     ? hold->session->name
           : hold->standby   ? hold->standby->name
           : hold->statement ? hold->statement->name
           : hold->app       ? hold->app->name
                             : "";
}

bool gate_hold_is_waivable(const struct gate_facts *facts, const struct gate_hold *hold)
{
    if (hold->code == HOLD_SETTLING && facts->after_failover)
        return false;
    if (hold->standby && hold->standby->primary)
        return false;
    if (hold->code == HOLD_SOAKING && facts->kept)
        return false;
    return codes[hold->code].waivable;
}

static bool is_waived(const struct gate_facts *facts, const struct gate_hold *hold)
{
    if (!gate_hold_is_waivable(facts, hold))
        return false;
    for (size_t i = 0; i < facts->waiver_count; i++) {
        const struct gate_waiver *waiver = &facts->waivers[i];
        if (waiver->code == hold->code &&
            (*waiver->subject == '\0' || strcmp(waiver->subject, subject_of(hold)) == 0))
            return true;
    }
    return false;
}

static void report(struct pass *pass, const struct gate_hold *hold)
{
    if (is_waived(pass->facts, hold))
        return;
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

/* ---- sessions and standbys ---- */

static bool pin_holds(const struct gate_facts *facts, const struct gate_session *session)
{
    if (!session->pinned)
        return false;
    return facts->kind == GATE_CONTRACT ? session->range.max < facts->version
                                        : session->range.min > facts->previous;
}

static bool lacks_pin(const struct gate_facts *facts, const struct gate_session *session)
{
    return facts->require_pins && session->application && !session->pinned;
}

/* What a pinned session needs is known, whoever it belongs to. */
static bool is_stray(const struct gate_facts *facts, const struct gate_session *session)
{
    (void)facts;
    return session->application && !session->known && !session->pinned;
}

static void report_sessions(struct pass *pass, enum gate_code code,
                            bool (*holds)(const struct gate_facts *, const struct gate_session *))
{
    for (size_t i = 0; i < pass->facts->session_count; i++) {
        const struct gate_session *session = &pass->facts->sessions[i];
        if (holds(pass->facts, session))
            report(pass, &(struct gate_hold){
                             .code = code, .session = session, .count = session->count});
    }
}

static void pinned_elsewhere(struct pass *pass, enum gate_code code)
{
    report_sessions(pass, code, pin_holds);
}

static void unpinned(struct pass *pass, enum gate_code code)
{
    report_sessions(pass, code, lacks_pin);
}

static void stray(struct pass *pass, enum gate_code code)
{
    if (pass->facts->strays == STRAYS_BLOCK)
        report_sessions(pass, code, is_stray);
}

static void standby_unknown(struct pass *pass, enum gate_code code)
{
    for (size_t i = 0; i < pass->facts->standby_count; i++) {
        const struct gate_standby *standby = &pass->facts->standbys[i];
        if (!standby->reachable)
            report(pass, &(struct gate_hold){.code = code, .standby = standby, .count = 1});
    }
}

/* ---- the rest ---- */

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

static void outside_hours(struct pass *pass, enum gate_code code)
{
    report_if(pass, code, pass->facts->outside_hours, 0);
}

double gate_error_percent(const struct gate_facts *facts)
{
    uint64_t requests = 0, errors = 0;

    for (size_t a = 0; a < facts->app_count; a++) {
        for (size_t i = 0; i < facts->apps[a]->cohort_count; i++) {
            const struct gate_cohort *cohort = facts->apps[a]->cohorts[i];
            if (cohort->range.max < facts->version)
                continue;
            requests += cohort->requests;
            errors += cohort->errors;
        }
    }
    return requests ? 100.0 * (double)errors / (double)requests : -1;
}

static void unhealthy(struct pass *pass, enum gate_code code)
{
    report_if(pass, code,
              pass->facts->max_error_percent > 0 &&
                  gate_error_percent(pass->facts) > pass->facts->max_error_percent,
              0);
}

static void in_use(struct pass *pass, enum gate_code code)
{
    for (size_t i = 0; i < pass->facts->statement_count; i++)
        report(pass, &(struct gate_hold){
                         .code = code, .statement = &pass->facts->statements[i], .count = 1});
}

static void replication_lag(struct pass *pass, enum gate_code code)
{
    report_if(pass, code,
              pass->facts->max_lag_seconds > 0 &&
                  pass->facts->lag_seconds > pass->facts->max_lag_seconds,
              0);
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
    {HOLD_SESSION_BEHIND, CONTRACT, pinned_elsewhere},
    {HOLD_SESSION_AHEAD, UNDO, pinned_elsewhere},
    {HOLD_SESSION_UNPINNED, CONTRACT, unpinned},
    {HOLD_SESSION_STRAY, CONTRACT, stray},
    {HOLD_STANDBY_UNKNOWN, CONTRACT | UNDO, standby_unknown},
    {HOLD_DESIRED_BEHIND, CONTRACT, desired_behind},
    {HOLD_FLEET_MISSING, CONTRACT, fleet_missing},
    {HOLD_EARLIER_MIGRATION, CONTRACT, earlier},
    {HOLD_LATER_MIGRATION, UNDO, later},
    {HOLD_SETTLING, CONTRACT | UNDO, settling},
    {HOLD_PAUSED, CONTRACT | UNDO, paused},
    {HOLD_AWAITING_APPROVAL, CONTRACT | UNDO, awaiting_approval},
    {HOLD_OUTSIDE_HOURS, CONTRACT, outside_hours},
    {HOLD_UNHEALTHY, CONTRACT, unhealthy},
    {HOLD_IN_USE, CONTRACT, in_use},
    {HOLD_REPLICATION_LAG, CONTRACT | UNDO, replication_lag},
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

/* ---- the grade ---- */

const char *gate_evidence_name(enum gate_evidence evidence)
{
    static const char *const names[] = {"reported", "witnessed", "pinned", "proved"};
    return names[evidence];
}

static bool sees_every_server(const struct gate_facts *facts)
{
    for (size_t i = 0; i < facts->standby_count; i++)
        if (!facts->standbys[i].reachable)
            return false;
    return facts->sees_sessions;
}

/* Sessions count as they are, whatever the policy says and whatever was waived. Absence proves nothing where
 * a live replica has never been seen: it may reach the database through a pooler. */
enum gate_evidence gate_grade(const struct gate_facts *facts)
{
    size_t application = 0, strays = 0, unpinned_count = 0;

    if (!sees_every_server(facts))
        return EVIDENCE_REPORTED;
    for (size_t i = 0; i < facts->session_count; i++) {
        const struct gate_session *session = &facts->sessions[i];
        application += session->application;
        strays += is_stray(facts, session);
        unpinned_count += session->application && !session->pinned;
    }
    if (facts->proved)
        return EVIDENCE_PROVED;
    if (application > 0 && unpinned_count == 0 && (facts->unwitnessed == 0 || facts->roles_configured))
        return EVIDENCE_PINNED;
    return application > 0 && strays == 0 && facts->unwitnessed == 0 ? EVIDENCE_WITNESSED
                                                                     : EVIDENCE_REPORTED;
}
