/* Routes, problems, media types and cursors: the tables, and what is found by them. */
#include "../../daemon/http/cursor.h"
#include "../../daemon/http/media.h"
#include "../../daemon/http/problem.h"
#include "../../daemon/http/route.h"

#include <support/test.h>

#include <stdio.h>
#include <string.h>

static enum route_verdict find(const char *method, const char *path, const struct route **route,
                               struct path_values *values, unsigned *allowed)
{
    static char copy[PATH_SIZE];
    struct mistakes mistakes = {.in = "path"};

    snprintf(copy, sizeof(copy), "%s", path);
    return route_find(method, copy, route, values, allowed, &mistakes);
}

static void paths_lead_to_their_row(void **state)
{
    static const struct {
        const char *method, *path, *pattern;
    } expected[] = {
        {"POST", "/v1/apps/web/replicas/w-1/renew", "/v1/apps/{app}/replicas/{instance}/renew"},
        {"PUT", "/v1/apps/web/replicas/w-1", "/v1/apps/{app}/replicas/{instance}"},
        {"HEAD", "/v1/apps", "/v1/apps"},
        {"GET", "/v1/migrations/42/gate", "/v1/migrations/{version}/gate"},
        {"POST", "/v1/migrations/42/undo", "/v1/migrations/{version}/undo"},
        {"GET", "/", "/"},
        {"GET", "/livez", "/livez"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
        const struct route *route = NULL;
        struct path_values values;
        unsigned allowed;
        assert_int_equal(find(expected[i].method, expected[i].path, &route, &values, &allowed),
                         ROUTE_FOUND);
        assert_string_equal(route->pattern, expected[i].pattern);
    }
}

static void values_of_a_path(void **state)
{
    const struct route *route;
    struct path_values values;
    unsigned allowed;

    (void)state;
    find("PUT", "/v1/apps/web/replicas/w-1", &route, &values, &allowed);
    assert_string_equal(values.app, "web");
    assert_string_equal(values.instance, "w-1");
    find("GET", "/v1/migrations/20261120093000", &route, &values, &allowed);
    assert_int_equal(values.version, 20261120093000);
}

static void other_paths_lead_nowhere(void **state)
{
    static const struct {
        const char *method, *path;
        enum route_verdict verdict;
    } expected[] = {
        {"GET", "", ROUTE_NO_PATH},
        {"GET", "*", ROUTE_NO_PATH},
        {"GET", "//", ROUTE_NO_PATH},
        {"GET", "/livez/", ROUTE_NO_PATH},
        {"GET", "/Livez", ROUTE_NO_PATH},
        {"GET", "/v1", ROUTE_NO_PATH},
        {"GET", "/v1/apps/web/replicas", ROUTE_NO_PATH},
        {"GET", "/a/b/c/d/e/f/g/h/i/j", ROUTE_NO_PATH},
        {"POST", "/v1/migrations/42/restored", ROUTE_NO_PATH},
        {"POST", "/v1/plans", ROUTE_NO_PATH},
        {"DELETE", "/livez", ROUTE_NO_METHOD},
        {"BREW", "/livez", ROUTE_NO_METHOD},
        {"GET", "/v1/migrations/x", ROUTE_INVALID},
        {"GET", "/v1/migrations/0", ROUTE_INVALID},
        {"GET", "/v1/migrations/281474976710656", ROUTE_INVALID},
        {"GET", "/v1/apps/a b", ROUTE_INVALID},
        {"GET", "/v1/apps/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", ROUTE_INVALID},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
        const struct route *route;
        struct path_values values;
        unsigned allowed;
        if (find(expected[i].method, expected[i].path, &route, &values, &allowed) != expected[i].verdict) {
            test_fail("%s %s", expected[i].method, expected[i].path);
        }
    }
}

static void a_path_knows_its_methods(void **state)
{
    const struct route *route;
    struct path_values values;
    unsigned allowed;

    (void)state;
    assert_int_equal(find("OPTIONS", "/v1/apps/web/replicas/w", &route, &values, &allowed),
                     ROUTE_NO_METHOD);
    assert_int_equal(allowed, 1U << METHOD_GET | 1U << METHOD_PUT | 1U << METHOD_DELETE);
}

/* What a table must be for the code that walks it. */
static void the_routes_are_well_formed(void **state)
{
    (void)state;
    for (const struct route *row = routes; row->pattern != NULL; row++) {
        assert_non_null(row->handle);
        assert_non_null(row->about);
        assert_int_not_equal(row->flags & (ROUTE_JSON | ROUTE_HTML | ROUTE_TEXT), 0);
        assert_true(row->body == NULL || row->body->count <= 32);
        assert_true(row->query == NULL || row->query->count <= 32);
        if (row->method == METHOD_GET) {
            assert_null(row->body);
        } else {
            assert_int_not_equal(row->roles, 0);                         /* changes need a role */
            assert_int_equal(row->roles & 1U << CALLER_VIEWER, 0);       /* which reads only */
            assert_int_not_equal(row->roles & 1U << CALLER_OPERATOR, 0); /* while operators may all */
        }
        for (const struct route *other = row + 1; other->pattern != NULL; other++) {
            if (other->method == row->method) {
                assert_string_not_equal(other->pattern, row->pattern);
            }
        }
    }
}

static void every_problem_has_a_kind(void **state)
{
    (void)state;
    for (unsigned problem = PROBLEM_NONE + 1; problem < HTTP_PROBLEMS; problem++) {
        const struct problem_kind *kind = problem_kind(problem);
        assert_true(kind->status >= 400 && kind->status < 600);
        assert_true(strlen(kind->title) > 0);
        assert_true(strspn(kind->slug, "abcdefghijklmnopqrstuvwxyz-") == strlen(kind->slug));
        assert_int_equal(kind->retry_after_seconds > 0, kind->status == 503 || kind->status == 429);
        for (unsigned other = problem + 1; other < HTTP_PROBLEMS; other++) {
            assert_string_not_equal(problem_kind(other)->slug, kind->slug);
        }
    }
}

static void accept_is_understood(void **state)
{
    static const struct {
        const char *accept;
        unsigned json, html;
    } expected[] = {
        {NULL, 1000, 1000},
        {"", 1000, 1000},
        {"*/*", 1000, 1000},
        {"application/json", 1000, 0},
        {"APPLICATION/JSON", 1000, 0},
        {"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", 800, 1000},
        {"text/*;q=0.3, text/html;q=0.7, application/json;q=0.5", 500, 700},
        {"application/*", 1000, 0},
        {"application/json;q=0, */*", 0, 1000},
        {"text/event-stream", 0, 0},
        {"application/json-patch", 0, 0},
        {"text/html;level=1;q=0.4", 0, 400},
        {", ,application/json", 1000, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
        if (media_quality(expected[i].accept, "application/json") != expected[i].json ||
            media_quality(expected[i].accept, "text/html") != expected[i].html) {
            test_fail("Accept: %s", expected[i].accept != NULL ? expected[i].accept : "(none)");
        }
    }
}

static void content_type_is_understood(void **state)
{
    (void)state;
    assert_true(media_is_json("application/json"));
    assert_true(media_is_json("Application/JSON; charset=UTF-8"));
    assert_true(media_is_json("application/json;charset=\"utf-8\""));
    assert_true(media_is_json("application/json; profile=x"));
    assert_false(media_is_json("application/json; charset=latin1"));
    assert_false(media_is_json("application/jsonp"));
    assert_false(media_is_json("application/x-www-form-urlencoded"));
    assert_false(media_is_json("text/plain"));
    assert_false(media_is_json(NULL));
}

static void cursors_come_back(void **state)
{
    static const char *const keys[] = {"4", "42", "web", "1795171982714 web w-1 6f1c", "\xff\xfe\xfd?>~?>~"};
    char cursor[CURSOR_SIZE], key[CURSOR_KEY_SIZE], longest[CURSOR_KEY_SIZE];

    (void)state;
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        cursor_encode(keys[i], cursor);
        assert_int_equal(strcspn(cursor, "+/="), strlen(cursor));
        assert_true(cursor_decode(cursor, key));
        assert_string_equal(key, keys[i]);
    }
    memset(longest, 'x', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    assert_true(cursor_decode(cursor_encode(longest, cursor), key));
    assert_string_equal(key, longest);
}

static void other_texts_are_no_cursors(void **state)
{
    static const char *const wrong[] = {"", "a", "abcde", "a b c d ", "\x01\x02\x03\x04"};
    char key[CURSOR_KEY_SIZE], longest[CURSOR_SIZE];

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        if (cursor_decode(wrong[i], key)) {
            test_fail("\"%s\" was taken", wrong[i]);
        }
    }
    memset(longest, 'x', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    assert_false(cursor_decode(longest, key));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths_lead_to_their_row),
        cmocka_unit_test(values_of_a_path),
        cmocka_unit_test(other_paths_lead_nowhere),
        cmocka_unit_test(a_path_knows_its_methods),
        cmocka_unit_test(the_routes_are_well_formed),
        cmocka_unit_test(every_problem_has_a_kind),
        cmocka_unit_test(accept_is_understood),
        cmocka_unit_test(content_type_is_understood),
        cmocka_unit_test(cursors_come_back),
        cmocka_unit_test(other_texts_are_no_cursors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
