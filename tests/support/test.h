/* What every test program includes: cmocka with the headers that it wants to see first, and a way
 * for helpers to fail the running test with a sentence. */
#ifndef SUPPORT_TEST_H
#define SUPPORT_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* The longest that a helper waits for anything before it fails the test. */
#define PATIENCE_MS 60000

/* Prints the sentence and fails the running test; outside of a test it ends the program. */
#define test_fail(...) test_fail_at(__FILE__, __LINE__, __VA_ARGS__)

void test_fail_at(const char *file, int line, const char *format, ...)
    __attribute__((format(printf, 3, 4), noreturn));

/* Milliseconds of a clock that nobody steps. */
int64_t test_now_ms(void);

/* Lets a moment pass between two looks at something that cannot report its change. */
void test_pause(void);

/* `turn` is called in each of these moments, for what would notice that this process does nothing else; NULL:
 * nothing is. */
void test_meanwhile(void (*turn)(void *context), void *context);

#endif
