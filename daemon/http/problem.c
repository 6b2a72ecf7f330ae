/* The table of problems (problem.h). */
#include "problem.h"

#include <assert.h>

static const struct problem_kind kinds[HTTP_PROBLEMS] = {
    [PROBLEM_INVALID] = {"invalid", "The request was understood but is wrong", 422, 0},
    [PROBLEM_SCHEMA_TOO_OLD] = {"schema-too-old", "The schema has moved on: this release cannot start",
                                409, 0},
    [PROBLEM_RANGE_NOT_SERVED] = {"range-not-served", "No version in that range is served", 409, 0},
    [PROBLEM_INCARNATION_SUPERSEDED] =
        {"incarnation-superseded", "A newer incarnation of this instance has registered", 409, 0},
    [PROBLEM_UNKNOWN_REPLICA] = {"unknown-replica", "No such replica is registered", 404, 0},
    [PROBLEM_UNKNOWN_APP] = {"unknown-app", "No such application is known", 404, 0},
    [PROBLEM_UNKNOWN_MIGRATION] = {"unknown-migration", "No such migration was submitted", 404, 0},
    [PROBLEM_APP_IN_USE] = {"app-in-use", "The application still has replicas", 409, 0},
    [PROBLEM_APP_RETIRED] = {"app-retired", "The application was retired", 409, 0},
    [PROBLEM_VERSION_CONFLICT] =
        {"version-conflict", "Another migration was submitted under this version", 409, 0},
    [PROBLEM_UNDO_UNDER_WAY] = {"undo-under-way", "A version below is being undone", 409, 0},
    [PROBLEM_OUT_OF_ORDER] = {"out-of-order", "A higher version was submitted before", 409, 0},
    [PROBLEM_PLAN_REFUSED] = {"plan-refused", "The migration was refused", 422, 0},
    [PROBLEM_INVALID_TRANSITION] = {"invalid-transition", "Not possible in this state", 409, 0},
    [PROBLEM_NO_UNDO] = {"no-undo", "The migration has no undo section", 409, 0},
    [PROBLEM_BASELINE_CONFLICT] = {"baseline-conflict", "The baseline cannot be set any more", 409, 0},
    [PROBLEM_UNKNOWN_SESSION] = {"unknown-session", "No such database session is there", 404, 0},
    [PROBLEM_NOT_TERMINATED] = {"not-terminated", "The database sessions were not terminated", 409, 0},
    [PROBLEM_DATABASE_UNAVAILABLE] =
        {"database-unavailable", "The database cannot be reached; nothing was recorded", 503, 1},
    [PROBLEM_NOT_LEADER] = {"not-leader", "Another daemon leads", 503, 2},
    [PROBLEM_STOPPING] = {"stopping", "The daemon is stopping", 503, 2},
    [PROBLEM_BAD_REQUEST] = {"bad-request", "This is not proper HTTP", 400, 0},
    [PROBLEM_NOT_JSON] = {"not-json", "The body is not JSON", 400, 0},
    [PROBLEM_UNAUTHENTICATED] = {"unauthenticated", "A token is needed", 401, 0},
    [PROBLEM_FORBIDDEN] = {"forbidden", "Your role does not allow this", 403, 0},
    [PROBLEM_CROSS_SITE] = {"cross-site", "Requests from another site are refused", 403, 0},
    [PROBLEM_NOT_FOUND] = {"not-found", "There is nothing at this path", 404, 0},
    [PROBLEM_METHOD_NOT_ALLOWED] = {"method-not-allowed", "This method is not offered here", 405, 0},
    [PROBLEM_NOT_ACCEPTABLE] = {"not-acceptable", "No representation fits the Accept header", 406, 0},
    [PROBLEM_PRECONDITION_FAILED] = {"precondition-failed", "It has changed in the meantime", 412, 0},
    [PROBLEM_TOO_LARGE] = {"too-large", "The body is too large", 413, 0},
    [PROBLEM_UNSUPPORTED_MEDIA_TYPE] = {"unsupported-media-type", "The body must be JSON", 415, 0},
    [PROBLEM_TOO_MANY_WAITERS] = {"too-many-waiters", "Too many long polls are open", 429, 5},
};

const struct problem_kind *problem_kind(unsigned problem)
{
    assert(problem > PROBLEM_NONE && problem < HTTP_PROBLEMS && kinds[problem].slug != NULL);
    return &kinds[problem];
}
