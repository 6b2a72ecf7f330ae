/* Log lines: formats, quoting, levels, the choice of a format; and failpoints. */
#include <schemagate/base/buf.h>
#include <schemagate/base/failpoint.h>
#include <schemagate/base/log.h>

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* Standard error goes into a file while `write_lines` runs; *text is what was written. */
static void capture(void (*write_lines)(void), char text[32768])
{
    FILE *file = tmpfile();
    int saved = dup(STDERR_FILENO);

    assert_non_null(file);
    assert_true(dup2(fileno(file), STDERR_FILENO) >= 0);
    write_lines();
    assert_true(dup2(saved, STDERR_FILENO) >= 0);
    close(saved);
    rewind(file);
    text[fread(text, 1, 32767, file)] = '\0';
    fclose(file);
}

/* Replaces each time of day by a fixed text of the same form. */
static void blank_times(char *text)
{
    static const char blank[] = "2026-11-20T09:30:00.123Z";

    for (char *at = text; strlen(at) >= sizeof(blank) - 1; at++) {
        if (at[4] == '-' && at[7] == '-' && at[10] == 'T' && at[23] == 'Z') {
            memcpy(at, blank, sizeof(blank) - 1);
        }
    }
}

static void expect_lines(enum log_format format, void (*write_lines)(void), const char *expected)
{
    char text[32768];

    log_open(LOG_LEVEL_INFO, format);
    capture(write_lines, text);
    blank_times(text);
    assert_string_equal(text, expected);
}

static void write_plain(void)
{
    log_error("no lock");
    log_info("lock taken", LOG_NUMBER("epoch", 7), LOG_TEXT("host", "db1"));
    log_debug("not shown", LOG_NUMBER("epoch", 8));
    log_warn("odd", LOG_NUMBER("low", INT64_MIN), LOG_TEXT("none", NULL));
}

static void write_hostile(void)
{
    log_info("taken", LOG_TEXT("a", "two words"), LOG_TEXT("b", "say \"x\"\\"),
             LOG_TEXT("c", "x\nlevel=error msg=forged\r\t\x1b[31m\x7f"), LOG_TEXT("d", "k=v"),
             LOG_TEXT("e", "gr\xc3\xbc\xc3\x9f"), LOG_TEXT("f", "\xff\xfe!"));
}

static void text_lines_read_like_sentences(void **state)
{
    (void)state;
    expect_lines(LOG_FORMAT_TEXT, write_plain,
                 "2026-11-20T09:30:00.123Z error no lock\n"
                 "2026-11-20T09:30:00.123Z info  lock taken epoch=7 host=db1\n"
                 "2026-11-20T09:30:00.123Z warn  odd low=-9223372036854775808 none=\"\"\n");
}

static void logfmt_lines_quote_what_could_mislead(void **state)
{
    (void)state;
    expect_lines(LOG_FORMAT_LOGFMT, write_plain,
                 "time=2026-11-20T09:30:00.123Z level=error msg=\"no lock\"\n"
                 "time=2026-11-20T09:30:00.123Z level=info msg=\"lock taken\" epoch=7 host=db1\n"
                 "time=2026-11-20T09:30:00.123Z level=warn msg=odd low=-9223372036854775808 none=\"\"\n");
    expect_lines(LOG_FORMAT_LOGFMT, write_hostile,
                 "time=2026-11-20T09:30:00.123Z level=info msg=taken a=\"two words\" b=\"say \\\"x\\\"\\\\\" "
                 "c=\"x\\nlevel=error msg=forged\\r\\t\\x1b[31m\\x7f\" d=\"k=v\" e=gr\xc3\xbc\xc3\x9f "
                 "f=\xff\xfe!\n");
}

static void json_lines_are_json(void **state)
{
    (void)state;
    expect_lines(LOG_FORMAT_JSON, write_plain,
                 "{\"time\":\"2026-11-20T09:30:00.123Z\",\"level\":\"error\",\"message\":\"no lock\"}\n"
                 "{\"time\":\"2026-11-20T09:30:00.123Z\",\"level\":\"info\",\"message\":\"lock taken\","
                 "\"epoch\":7,\"host\":\"db1\"}\n"
                 "{\"time\":\"2026-11-20T09:30:00.123Z\",\"level\":\"warn\",\"message\":\"odd\","
                 "\"low\":-9223372036854775808,\"none\":\"\"}\n");
    expect_lines(LOG_FORMAT_JSON, write_hostile,
                 "{\"time\":\"2026-11-20T09:30:00.123Z\",\"level\":\"info\",\"message\":\"taken\","
                 "\"a\":\"two words\",\"b\":\"say \\\"x\\\"\\\\\","
                 "\"c\":\"x\\nlevel=error msg=forged\\r\\t\\u001B[31m\x7f\",\"d\":\"k=v\","
                 "\"e\":\"gr\xc3\xbc\xc3\x9f\",\"f\":\"?\?!\"}\n");
}

static void write_long(void)
{
    static char text[20000];

    memset(text, 'x', sizeof(text) - 1);
    log_info("long", LOG_NUMBER("n", 1), LOG_TEXT("text", text), LOG_NUMBER("after", 2));
}

static void a_line_has_a_bound(void **state)
{
    char text[32768];

    (void)state;
    log_open(LOG_LEVEL_INFO, LOG_FORMAT_LOGFMT);
    capture(write_long, text);
    blank_times(text);
    assert_string_equal(text, "time=2026-11-20T09:30:00.123Z level=info msg=long n=1 text= …\n");
}

static void off_a_terminal_auto_means_logfmt(void **state)
{
    (void)state;
    unsetenv("JOURNAL_STREAM");
    expect_lines(LOG_FORMAT_AUTO, write_plain,
                 "time=2026-11-20T09:30:00.123Z level=error msg=\"no lock\"\n"
                 "time=2026-11-20T09:30:00.123Z level=info msg=\"lock taken\" epoch=7 host=db1\n"
                 "time=2026-11-20T09:30:00.123Z level=warn msg=odd low=-9223372036854775808 none=\"\"\n");
    setenv("JOURNAL_STREAM", "1:2", 1); /* inherited: another stream than our stderr */
    expect_lines(LOG_FORMAT_AUTO, write_plain,
                 "time=2026-11-20T09:30:00.123Z level=error msg=\"no lock\"\n"
                 "time=2026-11-20T09:30:00.123Z level=info msg=\"lock taken\" epoch=7 host=db1\n"
                 "time=2026-11-20T09:30:00.123Z level=warn msg=odd low=-9223372036854775808 none=\"\"\n");
    unsetenv("JOURNAL_STREAM");
}

/* Names standard error as the journal's stream. What is sent to the journal itself is not seen here. */
static void write_to_journal(void)
{
    struct stat status;
    char stream[64];

    fstat(STDERR_FILENO, &status);
    snprintf(stream, sizeof(stream), "%ju:%ju", (uintmax_t)status.st_dev, (uintmax_t)status.st_ino);
    setenv("JOURNAL_STREAM", stream, 1);
    log_open(LOG_LEVEL_INFO, LOG_FORMAT_AUTO);
    write_hostile();
    unsetenv("JOURNAL_STREAM");
}

static void the_journal_gets_fields_instead_of_lines(void **state)
{
    char text[32768];

    (void)state;
    capture(write_to_journal, text);
    assert_string_equal(text, "");
}

/* How a child ended that passes the place `times` times. */
static int status_of_child(const char *asked, const char *name, int times)
{
    int status = 0;
    pid_t child = fork();

    if (child == 0) {
        setenv("SCHEMAGATE_FAILPOINT", asked, 1);
        for (int i = 0; i < times; i++) {
            failpoint(name);
        }
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, WUNTRACED), child);
    if (WIFSTOPPED(status)) {
        kill(child, SIGCONT);
        int after = 0;
        assert_int_equal(waitpid(child, &after, 0), child);
        assert_true(WIFEXITED(after));
    }
    return status;
}

static void a_failpoint_acts_at_the_arrival_that_was_asked_for(void **state)
{
    (void)state;
    int status = status_of_child("expand-sent=kill", "expand-sent", 1);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    status = status_of_child("expand-sent=kill:3", "expand-sent", 3);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    status = status_of_child("expand-sent=stop:2", "expand-sent", 5);
    assert_true(WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
    assert_int_equal(status_of_child("expand-sent=kill:3", "expand-sent", 2), 0);
    assert_int_equal(status_of_child("alone-mended=kill", "alone-mending", 2), 0);
    assert_int_equal(status_of_child("expand=kill", "expand-sent", 2), 0);
    assert_int_equal(status_of_child("", "expand-sent", 2), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_lines_read_like_sentences),
        cmocka_unit_test(logfmt_lines_quote_what_could_mislead),
        cmocka_unit_test(json_lines_are_json),
        cmocka_unit_test(a_line_has_a_bound),
        cmocka_unit_test(off_a_terminal_auto_means_logfmt),
        cmocka_unit_test(the_journal_gets_fields_instead_of_lines),
        cmocka_unit_test(a_failpoint_acts_at_the_arrival_that_was_asked_for),
    };

    return cmocka_run_group_tests_name("base_log", tests, NULL, NULL);
}
