/* What the status says of a [notify NAME] that has been behind for long. */
#include "../../daemon/http/documents.h"

#include <support/test.h>

#include <stdlib.h>

static void expect_trouble(const struct http_notify *notify, const char *expected)
{
    struct buf text = BUF_INIT(0);

    assert_int_equal(document_notify_trouble(notify, &text), expected[0] != '\0');
    assert_string_equal(buf_text(&text), expected);
    buf_free(&text);
}

static void only_what_lasts_is_trouble(void **state)
{
    struct http_notify notify = {.name = "pager"};

    (void)state;
    expect_trouble(&notify, "");
    notify.behind = 7;
    notify.behind_since_wall = 1795167000123;
    notify.behind_seconds = 59;
    notify.tries = 9;
    notify.error = "answered 503";
    expect_trouble(&notify, "");
    notify.behind_seconds = 60;
    expect_trouble(&notify, "[notify pager] has been behind for 60 s, by 7 events; 9 tries of the next one "
                            "have failed: answered 503");
}

static void who_takes_events_slowly_is_told_from_who_refuses_them(void **state)
{
    const struct http_notify notify = {.name = "chat", .behind = 8905, .behind_seconds = 65};

    (void)state;
    expect_trouble(&notify, "[notify chat] has been behind for 65 s, by 8905 events: it takes them slowly");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_what_lasts_is_trouble),
        cmocka_unit_test(who_takes_events_slowly_is_told_from_who_refuses_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
