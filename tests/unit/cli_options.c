/* The option parser and the readers of single values. */
#include "../../daemon/cli/options.h"
#include "../../daemon/cli/run_environment.h"
#include "../../daemon/cli/text.h"

#include <schemagate/cli/cli.h>
#include <support/test.h>

#include <stdlib.h>
#include <string.h>

struct sample {
    struct connection connection;
    bool flag;
    const char *text, *choice;
    int64_t number, seconds;
    struct version_range range;
};

static const struct cli_option sample_options[] = {
    {"flag", 'f', OPTION_FLAG, NULL, "", offsetof(struct sample, flag), NULL},
    {"text", 't', OPTION_TEXT, "T", "", offsetof(struct sample, text), NULL},
    {"choice", 0, OPTION_CHOICE, "one|two", "", offsetof(struct sample, choice), NULL},
    {"number", 0, OPTION_NUMBER, "N", "", offsetof(struct sample, number), NULL},
    {"seconds", 0, OPTION_SECONDS, "S", "", offsetof(struct sample, seconds), NULL},
    {"range", 'r', OPTION_RANGE, "MIN..MAX", "", offsetof(struct sample, range),
     "SCHEMAGATE_SAMPLE"},
    OPTION_END};

/* Parses "status" and words; rules: any number of arguments. */
#define PARSE(sample, rest, stop, ...)                        \
    parse((const char *const[]){"status", __VA_ARGS__, NULL}, \
          &(struct argument_rules){0, -1, stop}, sample, rest)

static int parse(const char *const words[], const struct argument_rules *rules,
                 struct sample *sample, struct arguments *rest)
{
    static char *argv[16];
    int argc = 0;
    for (; words[argc]; argc++)
        argv[argc] = (char *)(uintptr_t)words[argc];
    argv[argc] = NULL;
    *sample = (struct sample){0};
    return options_parse(argc, argv, sample_options, rules, sample, rest);
}

static void every_kind_is_read(void **state)
{
    struct sample sample;
    struct arguments rest;
    (void)state;
    assert_int_equal(PARSE(&sample, &rest, false, "-f", "--text=a b", "one", "--choice", "two",
                           "--number", "7", "--seconds", "1.5", "-r", "41..43", "two"),
                     OPTIONS_GO_ON);
    assert_true(sample.flag);
    assert_string_equal(sample.text, "a b");
    assert_string_equal(sample.choice, "two");
    assert_int_equal(sample.number, 7);
    assert_int_equal(sample.seconds, 1500);
    assert_int_equal(sample.range.min, 41);
    assert_int_equal(sample.range.max, 43);
    assert_int_equal(rest.count, 2);
    assert_string_equal(rest.items[0], "one");
    assert_string_equal(rest.items[1], "two");
}

static void a_command_keeps_its_own_options(void **state)
{
    struct sample sample;
    struct arguments rest;
    (void)state;
    assert_int_equal(PARSE(&sample, &rest, true, "-f", "ls", "-t", "x"), OPTIONS_GO_ON);
    assert_null(sample.text);
    assert_int_equal(rest.count, 3);
    assert_int_equal(PARSE(&sample, &rest, true, "--", "-f"), OPTIONS_GO_ON);
    assert_false(sample.flag);
    assert_int_equal(rest.count, 1);
}

static void mistakes_are_usage(void **state)
{
    struct sample sample;
    struct arguments rest;
    (void)state;
    assert_int_equal(PARSE(&sample, &rest, false, "--nonesuch"), CLI_USAGE);
    assert_int_equal(PARSE(&sample, &rest, false, "--text"), CLI_USAGE);
    assert_int_equal(PARSE(&sample, &rest, false, "--choice", "three"), CLI_USAGE);
    assert_int_equal(PARSE(&sample, &rest, false, "--choice", ""), CLI_USAGE);
    assert_int_equal(PARSE(&sample, &rest, false, "--choice", "one|two"), CLI_USAGE);
    assert_int_equal(PARSE(&sample, &rest, false, "--number", "-1"), CLI_USAGE);
    assert_int_equal(PARSE(&sample, &rest, false, "--number", "1x"), CLI_USAGE);
    assert_int_equal(PARSE(&sample, &rest, false, "--number", "99999999999999999999"), CLI_USAGE);
    assert_int_equal(PARSE(&sample, &rest, false, "--seconds", "1e3"), CLI_USAGE);
    assert_int_equal(PARSE(&sample, &rest, false, "--seconds", "nan"), CLI_USAGE);
    assert_int_equal(parse((const char *const[]){"status", NULL},
                           &(struct argument_rules){1, 1, false}, &sample, &rest),
                     CLI_USAGE);
    assert_int_equal(parse((const char *const[]){"status", "1", "2", NULL},
                           &(struct argument_rules){1, 1, false}, &sample, &rest),
                     CLI_USAGE);
}

static void the_environment_stands_in(void **state)
{
    struct sample sample;
    struct arguments rest;
    (void)state;
    setenv("SCHEMAGATE_SAMPLE", "1..2", 1);
    assert_int_equal(PARSE(&sample, &rest, false, NULL), OPTIONS_GO_ON);
    assert_int_equal(sample.range.max, 2);
    assert_int_equal(PARSE(&sample, &rest, false, "-r", "5"), OPTIONS_GO_ON);
    assert_int_equal(sample.range.min, 5);
    assert_int_equal(sample.range.max, 5);
    setenv("SCHEMAGATE_SAMPLE", "two", 1);
    assert_int_equal(PARSE(&sample, &rest, false, NULL), CLI_USAGE);
    setenv("SCHEMAGATE_SAMPLE", "", 1);
    assert_int_equal(PARSE(&sample, &rest, false, NULL), OPTIONS_GO_ON);
    unsetenv("SCHEMAGATE_SAMPLE");
    setenv("SCHEMAGATE_URL", "unix:/x", 1);
    assert_int_equal(PARSE(&sample, &rest, false, NULL), OPTIONS_GO_ON);
    assert_string_equal(sample.connection.url, "unix:/x");
    assert_int_equal(PARSE(&sample, &rest, false, "--url", "http://y"), OPTIONS_GO_ON);
    assert_string_equal(sample.connection.url, "http://y");
    unsetenv("SCHEMAGATE_URL");
}

static void ranges_are_exact(void **state)
{
    static const char *const wrong[] = {"",       "..",      "41..",    "..43",
                                        "43..41", "41.43",   "41...43", "-1..2",
                                        "a..b",   " 41..43", "41..43 ", "1..281474976710656"};
    struct version_range range;
    (void)state;
    assert_true(option_read_range("0..281474976710655", &range));
    assert_int_equal(range.max, (INT64_C(1) << 48) - 1);
    assert_true(option_read_range("20261120093000", &range));
    assert_int_equal(range.min, INT64_C(20261120093000));
    for (size_t n = 0; n < sizeof(wrong) / sizeof(wrong[0]); n++) {
        range = (struct version_range){7, 8};
        assert_false(option_read_range(wrong[n], &range));
        assert_int_equal(range.min, 7);
        assert_int_equal(range.max, 8);
    }
}

static void check_duration(int64_t milliseconds, const char *duration, const char *age)
{
    struct buf text = BUF_INIT(0);
    text_duration(&text, milliseconds);
    assert_string_equal(buf_text(&text), duration);
    buf_free(&text);
    text_age(&text, milliseconds);
    assert_string_equal(buf_text(&text), age);
    buf_free(&text);
}

static void durations_read_well(void **state)
{
    (void)state;
    check_duration(-5, "0s", "0s");
    check_duration(3999, "3s", "3s");
    check_duration(60000, "1m00s", "1m");
    check_duration(724000, "12m04s", "12m");
    check_duration(11100000, "3h05m", "3h");
    check_duration(187200000, "2d04h", "2d");
}

static void times_are_read(void **state)
{
    int64_t when;
    (void)state;
    assert_true(text_read_time("1970-01-02T00:00:00.250Z", &when));
    assert_int_equal(when, 86400250);
    assert_true(text_read_time("2026-11-20T09:30:00Z", &when));
    assert_int_equal(when, INT64_C(1795167000000));
    assert_false(text_read_time("2026-11-20T09:30:00+01:00", &when));
    assert_false(text_read_time("", &when));
}

/* What a server says must not steer a terminal. */
static void control_characters_do_not_pass(void **state)
{
    struct buf text = BUF_INIT(0);
    (void)state;
    text_clean(&text, "a\033[31mb\nc\x7f\xc2\x9b"
                      "d\xc3\xa9");
    assert_string_equal(buf_text(&text), "a?[31mb c??d\xc3\xa9");
    buf_free(&text);
    text_lines(&text, "one\ntwo\033[31m\nthree", "  ");
    assert_string_equal(buf_text(&text), "one\n  two?[31m\n  three\n");
    buf_free(&text);
    text_url(&text, "a b/c?d&e:f");
    assert_string_equal(buf_text(&text), "a%20b%2Fc%3Fd%26e:f");
    buf_free(&text);
}

static void the_environment_is_changed_as_told(void **state)
{
    char *const old[] = {(char[]){"A=1"}, (char[]){"AB=2"}, (char[]){"TOKEN=secret"}, NULL};
    char **made = run_environment_make(
        old,
        (const struct run_variable[]){{"A", "9"}, {"TOKEN", NULL}, {"N", "x y"}, {NULL, NULL}});
    (void)state;
    assert_string_equal(made[0], "AB=2");
    assert_string_equal(made[1], "A=9");
    assert_string_equal(made[2], "N=x y");
    assert_null(made[3]);
    run_environment_free(made);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_is_read),
        cmocka_unit_test(a_command_keeps_its_own_options),
        cmocka_unit_test(mistakes_are_usage),
        cmocka_unit_test(the_environment_stands_in),
        cmocka_unit_test(ranges_are_exact),
        cmocka_unit_test(durations_read_well),
        cmocka_unit_test(times_are_read),
        cmocka_unit_test(control_characters_do_not_pass),
        cmocka_unit_test(the_environment_is_changed_as_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
