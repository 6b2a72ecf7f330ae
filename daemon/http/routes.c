/* The table of routes (route.h). The order is that of the documentation; what comes most often comes
 * first. */
#include "handlers.h"

#define VIEWER (1U << CALLER_VIEWER)
#define OPERATOR (1U << CALLER_OPERATOR)
#define APP (1U << CALLER_APP)
#define AGENT (1U << CALLER_AGENT)
#define DEPLOYER (1U << CALLER_DEPLOYER)

#define READERS (VIEWER | OPERATOR | DEPLOYER)
#define ANYBODY 0U

#define REPLICA "/v1/apps/{app}/replicas/{instance}"
#define MIGRATION "/v1/migrations/{version}"
#define ACTION(name_, event_, about_)                                                              \
    {                                                                                              \
        METHOD_POST, MIGRATION "/" name_, OPERATOR, migrations_act, &reason_shape, NULL, event_,     \
            ROUTE_JSON, about_                                                                       \
    }

const struct route routes[] = {
    {METHOD_POST, REPLICA "/renew", OPERATOR | APP | AGENT, replicas_renew, &renewal_shape, NULL, 0,
     ROUTE_JSON, "Renew the lease of a replica"},
    {METHOD_PUT, REPLICA, OPERATOR | APP, replicas_register, &registration_shape,
     &registration_query_shape, 0, ROUTE_JSON, "Register a replica, or change what was registered"},
    {METHOD_DELETE, REPLICA, OPERATOR | APP, replicas_leave, NULL, &leave_query_shape, 0, ROUTE_JSON,
     "Say goodbye"},
    {METHOD_GET, REPLICA, READERS | APP | AGENT, replicas_show, NULL, NULL, 0, ROUTE_JSON,
     "The incarnations of an instance"},
    {METHOD_POST, REPLICA "/attest", OPERATOR | AGENT, replicas_remove, &attest_shape, NULL,
     REPLICA_ATTESTED, ROUTE_JSON, "Attest that a replica has ended"},
    {METHOD_POST, REPLICA "/evict", OPERATOR, replicas_remove, &evict_shape, NULL, REPLICA_EVICTED,
     ROUTE_JSON, "Declare a replica gone"},
    {METHOD_POST, "/v1/renewals", OPERATOR | APP | AGENT, replicas_renew_many, &renewals_shape, NULL, 0,
     ROUTE_JSON, "Renew many leases in one request"},
    {METHOD_GET, "/v1/replicas", READERS, replicas_list, NULL, &replicas_query_shape, 0, ROUTE_JSON,
     "All replicas"},

    {METHOD_GET, "/v1/apps", READERS, apps_list, NULL, &page_query_shape, 0, ROUTE_JSON,
     "All applications"},
    {METHOD_GET, "/v1/apps/{app}", READERS | APP, apps_show, NULL, NULL, 0, ROUTE_JSON, "An application"},
    {METHOD_PUT, "/v1/apps/{app}", OPERATOR | DEPLOYER, apps_change, &app_shape, NULL, 0, ROUTE_JSON,
     "Declare what is meant to run"},
    {METHOD_DELETE, "/v1/apps/{app}", OPERATOR, apps_retire, NULL, &reason_query_shape, 0, ROUTE_JSON,
     "Retire an application for good"},
    {METHOD_GET, "/v1/apps/{app}/admission", READERS | APP, apps_admission, NULL, &range_query_shape, 0,
     ROUTE_JSON, "Could code with this range start now?"},
    {METHOD_POST, "/v1/apps/{app}/compatible", OPERATOR, apps_record_compatible, &compatible_shape, NULL,
     0, ROUTE_JSON, "Record that a release works up to a version after all"},

    {METHOD_POST, "/v1/migrations", OPERATOR | DEPLOYER, migrations_submit, &submission_shape, NULL, 0,
     ROUTE_JSON, "Submit a migration"},
    {METHOD_POST, "/v1/plan", OPERATOR | DEPLOYER, migrations_plan, &plan_shape, NULL, 0, ROUTE_JSON,
     "What would run, in which phase and form, and what is to be said about it; stores nothing"},
    {METHOD_GET, "/v1/migrations", READERS, migrations_list, NULL, &page_query_shape, 0, ROUTE_JSON,
     "All migrations"},
    {METHOD_GET, MIGRATION, READERS, migrations_show, NULL, &poll_query_shape, 0, ROUTE_JSON,
     "A migration"},
    {METHOD_GET, MIGRATION "/gate", READERS, migrations_show, NULL, &poll_query_shape, 1, ROUTE_JSON,
     "What holds a migration's gate"},
    ACTION("approve", EVENT_APPROVE, "Approve the contract"),
    ACTION("pause", EVENT_PAUSE, "Pause a migration"),
    ACTION("resume", EVENT_RESUME, "Let a paused migration go on"),
    ACTION("retry", EVENT_RETRY, "Try a failed migration again"),
    ACTION("undo", EVENT_UNDO, "Take a migration's expand back"),
    ACTION("restore", EVENT_RESTORE, "Bring back what a contract has hidden"),
    ACTION("cancel", EVENT_CANCEL, "Cancel a queued migration, or what is being tried"),
    {METHOD_POST, MIGRATION "/unblock", OPERATOR, migrations_unblock, &reason_shape, NULL, 0, ROUTE_JSON,
     "Terminate the sessions that are in the way of a migration"},
    {METHOD_POST, MIGRATION "/waive", OPERATOR, migrations_waive, &waive_shape, NULL, 0, ROUTE_JSON,
     "Let a hold pass, for a time"},
    {METHOD_POST, "/v1/sessions/{pid}/terminate", OPERATOR, sessions_terminate, &terminate_shape, NULL, 0,
     ROUTE_JSON, "Terminate a database session that a hold names"},
    {METHOD_POST, "/v1/baseline", OPERATOR, migrations_baseline, &baseline_shape, NULL, 0, ROUTE_JSON,
     "Adopt a database that has its schema already"},

    {METHOD_POST, "/v1/pause", OPERATOR, migrations_pause_all, &reason_shape, NULL, 1, ROUTE_JSON,
     "Pause the whole daemon"},
    {METHOD_POST, "/v1/resume", OPERATOR, migrations_pause_all, &reason_shape, NULL, 0, ROUTE_JSON,
     "Let the whole daemon go on"},
    {METHOD_GET, "/v1/events", READERS, events_list, NULL, &events_query_shape, 0, ROUTE_JSON,
     "The audit trail"},

    {METHOD_GET, "/status", READERS, overview_status, NULL, &status_query_shape, 0,
     ROUTE_JSON | ROUTE_HTML | ROUTE_STANDBY, "Everything at a glance"},
    {METHOD_GET, "/", READERS, overview_page, NULL, NULL, 0, ROUTE_HTML | ROUTE_STANDBY,
     "The operators' page"},
    {METHOD_GET, "/metrics", READERS, metrics_show, NULL, NULL, 0, ROUTE_TEXT | ROUTE_STANDBY,
     "Metrics for Prometheus"},
    {METHOD_GET, "/livez", ANYBODY, health_live, NULL, NULL, 0, ROUTE_JSON | ROUTE_STANDBY,
     "Does the process work?"},
    {METHOD_GET, "/readyz", ANYBODY, health_ready, NULL, &ready_query_shape, 0,
     ROUTE_JSON | ROUTE_STANDBY, "Does this daemon lead?"},
    {METHOD_GET, "/openapi.json", ANYBODY, openapi_show, NULL, NULL, 0, ROUTE_JSON | ROUTE_STANDBY,
     "This interface, as OpenAPI 3.1"},
    {.pattern = NULL},
};
