/* Why a gate opened: the facts, written down so that they can be read months later (docs/design.md §5). */
#include "proof.h"
#include "record.h"
#include "state.h"

#include <string.h>

/* So many of each kind are written out; the counts are whole. */
#define LISTED_MAX 50

static json_t *list_cohorts(const struct coordinator *c, size_t *total)
{
    json_t *list = json_array();

    *total = 0;
    for (size_t a = 0; a < c->registry.gate_app_count; a++) {
        const struct gate_app *app = c->registry.gate_apps[a];
        for (size_t i = 0; i < app->cohort_count; i++) {
            const struct cohort *cohort = (const struct cohort *)app->cohorts[i];
            const struct gate_cohort *gate = &cohort->gate;
            if (gate->live + gate->lost == 0 || (*total)++ >= LISTED_MAX)
                continue;
            json_array_append_new(
                list, json_pack("{s:s, s:s, s:I, s:I, s:I, s:I, s:I}", "app", app->name, "release",
                                cohort->release, "min", (json_int_t)gate->range.min, "max",
                                (json_int_t)gate->range.max, "live", (json_int_t)gate->live, "lost",
                                (json_int_t)gate->lost, "compatible_max",
                                (json_int_t)gate->compatible_max));
        }
    }
    return list;
}

static json_t *list_sessions(const struct coordinator *c, const struct gate_facts *facts)
{
    size_t all = 0, application = 0, unknown = 0, pinned = 0;
    const struct sight *sight = witness_sight(c);

    for (size_t i = 0; i < facts->session_count; i++) {
        const struct gate_session *session = &facts->sessions[i];
        all += session->count;
        application += session->application ? session->count : 0;
        unknown += session->application && !session->known ? session->count : 0;
        pinned += session->pinned ? session->count : 0;
    }
    return json_pack("{s:b, s:o, s:I, s:I, s:I, s:I, s:I}", "sees_all", facts->sees_sessions, "looked_at",
                     record_time_value(sight ? sight->at_wall : 0), "count", (json_int_t)all,
                     "application", (json_int_t)application, "unknown", (json_int_t)unknown, "pinned",
                     (json_int_t)pinned, "replicas_never_seen", (json_int_t)facts->unwitnessed);
}

static json_t *list_standbys(const struct gate_facts *facts)
{
    json_t *list = json_array();
    for (size_t i = 0; i < facts->standby_count && i < LISTED_MAX; i++)
        json_array_append_new(list, json_pack("{s:s, s:b}", "name", facts->standbys[i].name,
                                              "reachable", facts->standbys[i].reachable));
    return list;
}

static json_t *list_waivers(const struct migration *m)
{
    json_t *list = json_array();
    for (size_t i = 0; i < m->waiver_count && i < LISTED_MAX; i++)
        json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s}", "code",
                                              gate_code_name(m->waivers[i].code), "subject",
                                              m->waivers[i].subject, "reason", m->waivers[i].reason,
                                              "actor", m->waivers[i].actor));
    return list;
}

json_t *proof_record(const struct coordinator *c, const struct migration *m)
{
    struct gate_facts facts;
    size_t cohorts;

    facts_of_memory(c, m, &facts);
    json_t *list = list_cohorts(c, &cohorts);
    return json_pack(
        "{s:s, s:I, s:I, s:s, s:s, s:s, s:s, s:b, s:o, s:I, s:o, s:o, s:o, s:f, s:O*, s:o}", "evidence",
        gate_evidence_name(gate_grade(&facts)), "generation", (json_int_t)c->generation, "epoch",
        (json_int_t)c->term.epoch, "system_identifier", c->term.system_identifier, "timeline",
        c->term.timeline, "plan_checksum", m->plan_checksum, "approval", m->approval, "approved",
        m->approved, "cohorts", list, "cohorts_total", (json_int_t)cohorts, "sessions",
        list_sessions(c, &facts), "standbys", list_standbys(&facts), "waivers", list_waivers(m),
        "lag_seconds", facts.lag_seconds, "reach", m->reach,
        "statements", coordinator_statements(m));
}

enum gate_evidence coordinator_evidence(const struct coordinator *c, const struct migration *m)
{
    struct gate_facts facts;
    facts_of_memory(c, m, &facts);
    return gate_grade(&facts);
}
