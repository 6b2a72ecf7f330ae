/* What the route table points at: handlers, and the shapes of what they take. Each answers exactly once. */
#ifndef HTTP_HANDLERS_H
#define HTTP_HANDLERS_H

#include "request.h"

/* replicas.c, renewals.c */
void replicas_register(struct request *r);
void replicas_renew(struct request *r);
void replicas_renew_many(struct request *r);
void replicas_leave(struct request *r);
void replicas_show(struct request *r);
void replicas_list(struct request *r);
void replicas_remove(struct request *r); /* argument: enum replica_event */
extern const struct shape registration_shape, registration_query_shape, renewal_shape, renewals_shape,
    leave_query_shape, replicas_query_shape, evict_shape, attest_shape;

/* apps.c */
void apps_list(struct request *r);
void apps_show(struct request *r);
void apps_change(struct request *r);
void apps_record_compatible(struct request *r);
void apps_retire(struct request *r);
void apps_admission(struct request *r);
extern const struct shape page_query_shape, app_shape, compatible_shape, reason_query_shape,
    range_query_shape;

/* migrations.c, submit.c */
void migrations_submit(struct request *r);
void migrations_plan(struct request *r);
void migrations_list(struct request *r);
void migrations_show(struct request *r); /* argument: 1 for the gate alone */
void migrations_act(struct request *r);  /* argument: enum machine_event */
void migrations_pause_all(struct request *r); /* argument: 1 to pause, 0 to resume */
void migrations_waive(struct request *r);
void migrations_unblock(struct request *r);
void migrations_baseline(struct request *r);
extern const struct shape submission_shape, plan_shape, poll_query_shape, reason_shape, waive_shape,
    baseline_shape;

/* sessions.c */
void sessions_terminate(struct request *r);
extern const struct shape terminate_shape;

/* events.c */
void events_list(struct request *r);
extern const struct shape events_query_shape;

/* overview.c, health.c, metrics.c, openapi.c */
void overview_status(struct request *r);
void overview_page(struct request *r);
extern const struct shape status_query_shape;
void health_live(struct request *r);
void health_ready(struct request *r);
extern const struct shape ready_query_shape;
void metrics_show(struct request *r);
void openapi_show(struct request *r);

#endif
