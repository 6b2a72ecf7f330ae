/* Who calls: the tokens file, users of unix sockets, the Authorization header; and who must not: pages of
 * other sites. */
#include "../../daemon/http/auth.h"
#include "../../daemon/http/guard.h"
#include "../../daemon/http/socket_roles.h"
#include "../../daemon/http/tokens.h"

#include <support/test.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* SHA-256 of "secret" and of "other". */
#define SECRET "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b"
#define OTHER "d9298a10d1b0735837dc4bd85dac641b0f3cef27a47e5d53a54f2f3f5b2fcffa"

static void tokens_name_their_owner(void **state)
{
    struct buf errors = BUF_INIT(0);
    struct tokens *tokens = tokens_parse("tokens",
                                         "# people\n\n"
                                         "alice operator - " SECRET "\r\n"
                                         "\tweb-1  app  web\tsha256:" OTHER "\n",
                                         &errors);

    (void)state;
    assert_string_equal(buf_text(&errors), "");
    assert_non_null(tokens);
    const struct caller *alice = tokens_find(tokens, "secret", 6);
    const struct caller *web = tokens_find(tokens, "other", 5);
    assert_non_null(alice);
    assert_int_equal(alice->role, CALLER_OPERATOR);
    assert_string_equal(alice->name, "alice");
    assert_string_equal(alice->app, "");
    assert_non_null(web);
    assert_int_equal(web->role, CALLER_APP);
    assert_string_equal(web->app, "web");
    assert_null(tokens_find(tokens, "secre", 5));
    assert_null(tokens_find(tokens, "", 0));
    assert_null(tokens_find(tokens, SECRET, strlen(SECRET))); /* the hash is no token */

    char actor[CALLER_ACTOR_SIZE];
    assert_string_equal(caller_actor(alice, actor), "operator:alice");
    assert_true(auth_allows_app(alice, "shop"));
    assert_true(auth_allows_app(web, "web"));
    assert_false(auth_allows_app(web, "shop"));
    tokens_free(tokens);
}

static void mistakes_in_tokens_have_their_line(void **state)
{
    static const struct {
        const char *text, *message;
    } expected[] = {
        {"a operator -\n", "t:1: a line must have four columns"},
        {"\n#\na operator - " SECRET " more\n", "t:3: a line must have four columns"},
        {"a root - " SECRET "\n", "t:1: the role must be viewer, operator, app, agent or deployer"},
        {"a viewer web " SECRET "\n", "t:1: only the role app belongs to an application"},
        {"a app - " SECRET "\n", "t:1: the role app needs the name of its application"},
        {"a,b viewer - " SECRET "\n", "t:1: the name must be"},
        {"a viewer - secret\n", "t:1: the fourth column must be a SHA-256"},
        {"a viewer - " SECRET "0\n", "t:1: the fourth column must be a SHA-256"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
        struct buf errors = BUF_INIT(0);
        assert_null(tokens_parse("t", expected[i].text, &errors));
        if (strncmp(buf_text(&errors), expected[i].message, strlen(expected[i].message)) != 0) {
            test_fail("%s: %s", expected[i].text, buf_text(&errors));
        }
        buf_free(&errors);
    }
}

static void a_tokens_file_must_be_readable(void **state)
{
    struct buf errors = BUF_INIT(0);

    (void)state;
    assert_null(tokens_read("/nonexistent/tokens", &errors));
    assert_non_null(strstr(buf_text(&errors), "/nonexistent/tokens: No such file"));
    buf_free(&errors);
}

static struct socket_roles *parse_roles(char *first, char *second, struct buf *errors)
{
    char *items[] = {first, second};
    const struct config_list list = {items, second != NULL ? 2 : first != NULL ? 1 : 0};

    return socket_roles_parse(&list, errors);
}

static void users_of_sockets_have_roles(void **state)
{
    struct buf errors = BUF_INIT(0);
    char first[] = "uid:9=deployer", second[] = "user:root=app:web";
    struct socket_roles *roles = parse_roles(first, second, &errors);
    struct caller caller;

    (void)state;
    assert_string_equal(buf_text(&errors), "");
    socket_roles_find(roles, 9, &caller);
    assert_int_equal(caller.role, CALLER_DEPLOYER);
    assert_string_equal(caller.name, "uid:9");
    socket_roles_find(roles, 0, &caller);
    assert_int_equal(caller.role, CALLER_APP);
    assert_string_equal(caller.app, "web");
    assert_string_equal(caller.name, "user:root");
    socket_roles_find(roles, 54321, &caller);
    assert_int_equal(caller.role, CALLER_VIEWER);
    socket_roles_free(roles);

    roles = parse_roles(NULL, NULL, &errors);
    assert_false(socket_roles_configured(roles));
    socket_roles_find(roles, 0, &caller);
    assert_int_equal(caller.role, CALLER_OPERATOR);
    socket_roles_find(roles, geteuid(), &caller);
    assert_int_equal(caller.role, CALLER_OPERATOR);
    socket_roles_free(roles);
}

static void mistakes_in_socket_roles_are_named(void **state)
{
    static const char *const wrong[] = {
        "operator",      "uid:=operator",      "uid:x=operator",        "uid:-1=operator",
        "1000=operator", "uid:1000=root",      "uid:1000=app",          "uid:1000=viewer:web",
        "user:=viewer",   "=viewer",           "uid:1=app:",    "group:x=operator",
        "user:no-such-user=viewer",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct buf errors = BUF_INIT(0);
        char *item = strdup(wrong[i]);
        if (parse_roles(item, NULL, &errors) != NULL || strstr(buf_text(&errors), wrong[i]) == NULL) {
            test_fail("%s was taken, or not named: %s", wrong[i], buf_text(&errors));
        }
        free(item);
        buf_free(&errors);
    }
}

static void a_token_comes_as_bearer_or_as_password(void **state)
{
    static const struct {
        const char *authorization, *token;
    } expected[] = {
        {"Bearer secret", "secret"},
        {"bearer   secret", "secret"},
        {"Basic YW55Ym9keTpzZWNyZXQ=", "secret"}, /* anybody:secret */
        {"basic OnNlY3JldA==", "secret"},         /* :secret */
        {"Basic c2VjcmV0", ""},                   /* no colon */
        {"Basic ====", ""},
        {"Basic a", ""},
        {"Basic ", ""},
        {"Basic \x01\x02\x03\x04", ""},
        {"Digest secret", ""},
        {"secret", ""},
        {"", ""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
        char token[64];
        size_t length = auth_token(expected[i].authorization, token, sizeof(token));
        if (length != strlen(expected[i].token) || memcmp(token, expected[i].token, length) != 0) {
            test_fail("%s", expected[i].authorization);
        }
    }
    char large[200] = "Bearer ", token[64];
    memset(large + 7, 'a', sizeof(large) - 8);
    assert_int_equal(auth_token(large, token, sizeof(token)), 0);
}

static void only_local_hosts_without_tokens(void **state)
{
    static const struct {
        const char *host;
        bool local;
    } expected[] = {
        {"localhost", true},       {"LocalHost:7433", true}, {"127.0.0.1", true},
        {"127.1.2.3:80", true},    {"[::1]:7433", true},     {"[::1]", true},
        {"gate.internal", true},   {"gate.internal:1", true}, {"evil.example", false},
        {"localhost.evil", false}, {"127.0.0.1.evil", false}, {"10.0.0.1", false},
        {"[::2]", false},          {"", false},               {"unix", false},
    };
    char first[] = "gate.internal:7433", second[] = "unix:/run/x", third[] = ":7434";
    char *items[] = {first, second, third};
    const struct config_list listen = {items, 3};

    (void)state;
    for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
        if (guard_host_is_local(expected[i].host, &listen) != expected[i].local) {
            test_fail("Host: %s", expected[i].host);
        }
    }
}

static void an_origin_is_ours_or_not(void **state)
{
    (void)state;
    assert_true(guard_origin_matches("http://localhost:7433", "localhost:7433"));
    assert_true(guard_origin_matches("https://Gate.example", "gate.example"));
    assert_false(guard_origin_matches("http://localhost:8080", "localhost:7433"));
    assert_false(guard_origin_matches("http://evil.example", "localhost:7433"));
    assert_false(guard_origin_matches("null", "localhost:7433"));
    assert_false(guard_origin_matches("", "localhost"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tokens_name_their_owner),
        cmocka_unit_test(mistakes_in_tokens_have_their_line),
        cmocka_unit_test(a_tokens_file_must_be_readable),
        cmocka_unit_test(users_of_sockets_have_roles),
        cmocka_unit_test(mistakes_in_socket_roles_are_named),
        cmocka_unit_test(a_token_comes_as_bearer_or_as_password),
        cmocka_unit_test(only_local_hosts_without_tokens),
        cmocka_unit_test(an_origin_is_ours_or_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
