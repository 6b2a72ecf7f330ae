/* GET /livez and /readyz, for probes and load balancers. */
#include "handlers.h"

void health_live(struct request *r)
{
    struct buf body = BUF_INIT(0);
    struct writer w = WRITER_INIT(&body);

    writer_open_object(&w, NULL);
    writer_text(&w, "status", "ok");
    writer_close_object(&w);
    request_answer(r, 200, NULL, &body);
}

struct ready_query {
    bool verbose;
};

static const struct field ready_query_fields[] = {
    {"verbose", FIELD_BOOLEAN, offsetof(struct ready_query, verbose), .about = "list the checks"},
};
const struct shape ready_query_shape = SHAPE(ready_query_fields, struct ready_query, NULL);

/* Ready is who leads, or led last while the database is away: renewals go on there. */
static const struct {
    bool ready, database;
    enum problem problem;
} readiness[] = {
    [ROLE_STARTING] = {false, false, PROBLEM_DATABASE_UNAVAILABLE},
    [ROLE_LEADER] = {true, true, PROBLEM_NONE},
    [ROLE_CUT_OFF] = {true, false, PROBLEM_NONE},
    [ROLE_STANDBY] = {false, true, PROBLEM_NOT_LEADER},
    [ROLE_STOPPING] = {false, true, PROBLEM_STOPPING},
};

static void write_check(struct writer *w, const char *name, bool ok, const char *detail)
{
    writer_open_object(w, NULL);
    writer_text(w, "name", name);
    writer_bool(w, "ok", ok);
    writer_text(w, "detail", detail);
    writer_close_object(w);
}

static void write_checks(struct writer *w, const void *context)
{
    const struct request *r = context;
    const struct ready_query *query = request_query(r);
    const struct coordinator *c = r->server->coordinator;
    enum coordinator_role role = coordinator_role(c);

    writer_text(w, "role", coordinator_role_name(role));
    writer_text_or_null(w, "leader_url", coordinator_leader_url(c));
    if (!query->verbose)
        return;
    writer_open_list(w, "checks");
    write_check(w, "leader", readiness[role].ready, coordinator_role_name(role));
    write_check(w, "database", readiness[role].database, coordinator_trouble(c));
    writer_close_list(w);
}

void health_ready(struct request *r)
{
    const struct coordinator *c = r->server->coordinator;
    enum coordinator_role role = coordinator_role(c);
    const char *leader = coordinator_leader_url(c), *trouble = coordinator_trouble(c);
    struct buf body = BUF_INIT(0);
    struct writer w = WRITER_INIT(&body);

    if (readiness[role].ready) {
        writer_open_object(&w, NULL);
        writer_text(&w, "status", "ready");
        write_checks(&w, r);
        writer_close_object(&w);
        request_answer(r, 200, NULL, &body);
        return;
    }
    if (role == ROLE_STANDBY)
        buf_printf(&body, "this daemon stands by; the leader is %s",
                   *leader != '\0' ? leader : "another one that names no advertise_url");
    else
        buf_puts(&body, *trouble != '\0' ? trouble : coordinator_role_name(role));
    request_problem_with(r, readiness[role].problem, buf_text(&body), write_checks, r);
    buf_free(&body);
}
