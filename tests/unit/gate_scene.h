/* A gate to be asked: facts with one app of one cohort, and what to look for in its answer. */
#ifndef TESTS_UNIT_GATE_SCENE_H
#define TESTS_UNIT_GATE_SCENE_H

#include <support/test.h>

#include <schemagate/core/gate.h>

#define CHECKSUM "sha256:42"

/* An app with one cohort; the facts of a gate that is open. */
struct scene {
    struct gate_cohort cohort;
    struct gate_cohort *cohorts[1];
    struct gate_app app;
    const struct gate_app *apps[1];
    struct gate_facts facts;
};

static inline void open_scene(struct scene *s, enum gate_kind kind)
{
    *s = (struct scene){
        .cohort = {.range = {40, 42}, .live = 3},
        .app = {.name = "web", .min_replicas = 1, .live = 3, .cohort_count = 1},
        .facts = {.kind = kind, .version = 42, .checksum = CHECKSUM, .previous = 41, .app_count = 1},
    };
    s->cohorts[0] = &s->cohort;
    s->app.cohorts = s->cohorts;
    s->apps[0] = &s->app;
    s->facts.apps = s->apps;
}

struct seen {
    enum gate_code codes[32];
    size_t counts[32], count;
    int64_t version;
    const struct gate_app *app;
    const struct gate_cohort *cohort;
    const struct gate_session *session;
    const struct gate_standby *standby;
};

static inline void note(void *context, const struct gate_hold *hold)
{
    struct seen *seen = context;
    assert_true(seen->count < 32);
    seen->codes[seen->count] = hold->code;
    seen->counts[seen->count++] = hold->count;
    seen->version = hold->version;
    seen->app = hold->app;
    seen->cohort = hold->cohort;
    seen->session = hold->session;
    seen->standby = hold->standby;
}

static inline struct seen look(const struct scene *s)
{
    struct seen seen = {0};
    size_t total = gate_evaluate(&s->facts, note, &seen), sum = 0;
    for (size_t i = 0; i < seen.count; i++)
        sum += seen.counts[i];
    assert_int_equal(total, sum);
    assert_int_equal(total, gate_evaluate(&s->facts, NULL, NULL));
    return seen;
}

/* Exactly one hold, standing for so many. */
static inline struct seen assert_holds(const struct scene *s, enum gate_code code, size_t count)
{
    struct seen seen = look(s);
    assert_int_equal(seen.count, 1);
    assert_string_equal(gate_code_name(seen.codes[0]), gate_code_name(code));
    assert_int_equal(seen.counts[0], count);
    return seen;
}

static inline void assert_open(const struct scene *s)
{
    assert_int_equal(look(s).count, 0);
}

#endif
