/* Buffers with a maximum, and memory. */
#include <schemagate/base/buf.h>
#include <schemagate/base/memory.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void an_empty_buffer_is_an_empty_text(void **state)
{
    struct buf b = BUF_INIT(0);

    (void)state;
    assert_string_equal(buf_text(&b), "");
    buf_consume(&b, 0);
    buf_append(&b, NULL, 0);
    assert_string_equal(buf_text(&b), "");
    buf_puts(&b, "a");
    buf_append(&b, NULL, 0);
    assert_string_equal(buf_text(&b), "a");
    buf_free(&b);
    char *text = buf_take(&b);
    assert_string_equal(text, "");
    free(text);
}

static void appending_keeps_all_bytes(void **state)
{
    struct buf b = BUF_INIT(0);

    (void)state;
    for (int i = 0; i < 10000; i++) {
        buf_printf(&b, "%d,", i % 10);
    }
    buf_append(&b, "a\0b", 3);
    assert_int_equal(b.length, 20003);
    assert_memory_equal(b.data + 19990, "5,6,7,8,9,a\0b", 14);
    assert_false(b.overflowed);
    buf_free(&b);
    assert_null(b.data);
}

static void the_maximum_holds_exactly(void **state)
{
    struct buf b = BUF_INIT(8);

    (void)state;
    buf_puts(&b, "12345678");
    assert_false(b.overflowed);
    buf_append(&b, "", 0);
    assert_false(b.overflowed);
    buf_puts(&b, "9");
    assert_true(b.overflowed);
    assert_string_equal(buf_text(&b), "12345678");
    buf_free(&b);
    assert_false(b.overflowed);
    assert_int_equal(b.maximum, 8);
}

static void after_an_overflow_nothing_is_added(void **state)
{
    struct buf b = BUF_INIT(8);

    (void)state;
    buf_puts(&b, "123456");
    buf_printf(&b, "%s", "789");
    assert_true(b.overflowed);
    buf_puts(&b, "7");
    buf_append(&b, "8", 1);
    assert_string_equal(buf_text(&b), "123456");
    buf_free(&b);
    buf_append(&b, "x", SIZE_MAX);
    assert_true(b.overflowed);
    buf_free(&b);
}

static void consuming_takes_from_the_front(void **state)
{
    struct buf b = BUF_INIT(0);

    (void)state;
    buf_puts(&b, "head body");
    buf_consume(&b, 5);
    assert_string_equal(buf_text(&b), "body");
    buf_consume(&b, 4);
    assert_string_equal(buf_text(&b), "");
    buf_puts(&b, "again");
    char *text = buf_take(&b);
    assert_string_equal(text, "again");
    assert_null(b.data);
    free(text);
}

static void memory_is_zeroed_and_copied(void **state)
{
    char *slot = NULL;
    unsigned char *zeroes = memory_new(100);

    (void)state;
    for (size_t i = 0; i < 100; i++) {
        assert_int_equal(zeroes[i], 0);
    }
    free(zeroes);
    free(memory_new(0));
    free(memory_grow(NULL, 0, 8));
    assert_null(memory_copy(NULL));
    memory_replace(&slot, "a long text");
    memory_replace(&slot, slot + 2);
    assert_string_equal(slot, "long text");
    memory_replace(&slot, NULL);
    assert_null(slot);
    slot = memory_copy_n("abcdef", 3);
    assert_string_equal(slot, "abc");
    free(slot);
    slot = memory_printf("%s-%d", "x", 7);
    assert_string_equal(slot, "x-7");
    free(slot);
}

static void numbers_are_written_in_decimal(void **state)
{
    static const int64_t numbers[] = {0, 7, -7, 4096, INT64_MAX, INT64_MIN};
    struct buf b = BUF_INIT(0), bounded = BUF_INIT(4);

    (void)state;
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        buf_number(&b, numbers[i]);
        buf_puts(&b, " ");
    }
    assert_string_equal(buf_text(&b), "0 7 -7 4096 9223372036854775807 -9223372036854775808 ");
    buf_number(&bounded, 12345);
    assert_true(bounded.overflowed);
    buf_free(&b);
    buf_free(&bounded);
}

static void what_does_not_fit_is_formatted_once_more(void **state)
{
    struct buf b = BUF_INIT(0), bounded = BUF_INIT(100);

    (void)state;
    for (int width = 1; width < 300; width++) {
        buf_printf(&b, "%*d", width, 1);
        assert_int_equal(b.data[b.length - 1], '1');
        assert_int_equal(strlen(b.data), b.length);
    }
    buf_puts(&bounded, "kept");
    buf_printf(&bounded, "%97d", 1); /* one too many, though it may fit into what is allocated */
    assert_true(bounded.overflowed);
    assert_string_equal(buf_text(&bounded), "kept");
    buf_free(&b);
    buf_free(&bounded);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_buffer_is_an_empty_text),
        cmocka_unit_test(appending_keeps_all_bytes),
        cmocka_unit_test(numbers_are_written_in_decimal),
        cmocka_unit_test(what_does_not_fit_is_formatted_once_more),
        cmocka_unit_test(the_maximum_holds_exactly),
        cmocka_unit_test(after_an_overflow_nothing_is_added),
        cmocka_unit_test(consuming_takes_from_the_front),
        cmocka_unit_test(memory_is_zeroed_and_copied),
    };

    return cmocka_run_group_tests_name("base_buf", tests, NULL, NULL);
}
