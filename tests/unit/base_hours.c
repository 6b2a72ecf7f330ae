/* Hours of the week: what is read, what is contained, and time zones with their summer time. */
#include <support/test.h>

#include <schemagate/base/hours.h>

#include <stdlib.h>
#include <string.h>

#define AT(day, hour, minute) ((day) * 1440 + (hour) * 60 + (minute))
enum { MON, TUE, WED, THU, FRI, SAT, SUN };

static struct hours parse(const char *text)
{
    struct hours hours;
    const char *mistake;
    if (!hours_parse(text, &hours, &mistake))
        fail_msg("%s: %s", text, mistake);
    return hours;
}

static void test_a_working_week(void **state)
{
    (void)state;
    struct hours hours = parse("Mon-Fri 09:00-17:00 Europe/Berlin");
    assert_string_equal(hours.zone, "Europe/Berlin");
    assert_false(hours_contain(&hours, AT(MON, 8, 59)));
    assert_true(hours_contain(&hours, AT(MON, 9, 0)));
    assert_true(hours_contain(&hours, AT(FRI, 16, 59)));
    assert_false(hours_contain(&hours, AT(FRI, 17, 0)));
    assert_false(hours_contain(&hours, AT(SAT, 12, 0)));
}

static void test_over_midnight_and_over_the_weekend(void **state)
{
    (void)state;
    struct hours night = parse("Sun 22:00-04:00");
    assert_true(hours_contain(&night, AT(SUN, 23, 0)));
    assert_true(hours_contain(&night, AT(MON, 3, 59)));
    assert_false(hours_contain(&night, AT(MON, 4, 0)));
    assert_false(hours_contain(&night, AT(SUN, 3, 0)));
    struct hours weekend = parse("Sat-Mon 00:00-24:00 UTC");
    assert_true(hours_contain(&weekend, AT(SUN, 23, 59)));
    assert_true(hours_contain(&weekend, AT(MON, 23, 59)));
    assert_false(hours_contain(&weekend, AT(TUE, 0, 0)));
    struct hours daily = parse("02:00-03:00");
    for (int day = MON; day <= SUN; day++)
        assert_true(hours_contain(&daily, AT(day, 2, 30)));
}

static void test_what_is_refused(void **state)
{
    static const char *const wrong[] = {
        "",           "Mon-Fri",           "Mon-Foo 09:00-17:00",          "Mon-Fri 9-17",
        "25:00-26:00", "09:00-17:60",      "09:00-24:01",                  "09:00-17:00 Mars/Base",
        "Mon 09:00-17:00 UTC more",        "09:00-17:00 ../../etc/passwd", "Monday 09:00-17:00"};
    struct hours hours;
    const char *mistake;
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        if (hours_parse(wrong[i], &hours, &mistake))
            fail_msg("%s was read", wrong[i]);
}

static void test_zones_have_their_summer_time(void **state)
{
    (void)state;
    setenv("TZ", "America/New_York", 1);
    /* Wednesday 2026-01-14 and 2026-07-15, 12:00 UTC. */
    assert_int_equal(hours_minute_of_week("UTC", 1768392000000), AT(WED, 12, 0));
    assert_int_equal(hours_minute_of_week("Europe/Berlin", 1768392000000), AT(WED, 13, 0));
    assert_int_equal(hours_minute_of_week("Europe/Berlin", 1784116800000), AT(WED, 14, 0));
    assert_int_equal(hours_minute_of_week("Asia/Tokyo", 1768392000000), AT(WED, 21, 0));
    assert_string_equal(getenv("TZ"), "America/New_York");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_working_week),
        cmocka_unit_test(test_over_midnight_and_over_the_weekend),
        cmocka_unit_test(test_what_is_refused),
        cmocka_unit_test(test_zones_have_their_summer_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
