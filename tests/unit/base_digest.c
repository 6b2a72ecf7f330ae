/* Digests against published vectors; the clock's text; random digits. */
#include <schemagate/base/clock.h>
#include <schemagate/base/digest.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

/* FIPS 180-4's examples. */
static void sha256_agrees_with_the_standard(void **state)
{
    static const struct {
        const char *text, *hex;
    } vectors[] = {
        {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
    };
    char hex[DIGEST_HEX_SIZE], tagged[DIGEST_TAGGED_SIZE];

    (void)state;
    for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
        size_t length = strlen(vectors[i].text);
        assert_string_equal(digest_sha256_hex(vectors[i].text, length, hex), vectors[i].hex);
        digest_sha256_tagged(vectors[i].text, length, tagged);
        assert_memory_equal(tagged, "sha256:", 7);
        assert_string_equal(tagged + 7, vectors[i].hex);
    }
}

static void expect_same_migration(const char *one, const char *two, int same)
{
    char first[DIGEST_TAGGED_SIZE], second[DIGEST_TAGGED_SIZE];

    digest_migration_text(one, strlen(one), first);
    digest_migration_text(two, strlen(two), second);
    assert_int_equal(strcmp(first, second) == 0, same);
}

static void line_ends_and_byte_order_marks_do_not_change_a_migration(void **state)
{
    char plain[DIGEST_TAGGED_SIZE], migration[DIGEST_TAGGED_SIZE];

    (void)state;
    digest_sha256_tagged("a\nb\n", 4, plain);
    assert_string_equal(digest_migration_text("a\nb\n", 4, migration), plain);
    expect_same_migration("a\nb\n", "a\r\nb\r\n", 1);
    expect_same_migration("a\nb\n", "\xef\xbb\xbf" "a\r\nb\n", 1);
    expect_same_migration("a\r", "a", 0);
    expect_same_migration("a\rb", "ab", 0);
    expect_same_migration("a\r\r\n", "a\r\n", 0);
    expect_same_migration("a\n", "a", 0);
    expect_same_migration("a\xef\xbb\xbf", "a", 0);
    expect_same_migration("", "\xef\xbb\xbf", 1);
}

static void random_digits_are_hexadecimal_and_differ(void **state)
{
    char one[101], two[101], none[1];

    (void)state;
    digest_random_hex(100, one);
    digest_random_hex(100, two);
    assert_int_equal(strlen(one), 100);
    assert_int_equal(strspn(one, "0123456789abcdef"), 100);
    assert_string_not_equal(one, two);
    assert_string_equal(digest_random_hex(0, none), "");
}

static void times_are_shown_as_rfc3339(void **state)
{
    static const struct {
        int64_t wall_ms;
        const char *text;
    } vectors[] = {
        {0, "1970-01-01T00:00:00.000Z"},
        {-1, "1970-01-01T00:00:00.000Z"},
        {INT64_C(951782400007), "2000-02-29T00:00:00.007Z"},
        {INT64_C(1795167000123), "2026-11-20T09:30:00.123Z"},
        {INT64_C(253402300799999), "9999-12-31T23:59:59.999Z"},
        {INT64_MAX, "9999-12-31T23:59:59.999Z"},
        {INT64_MIN, "1970-01-01T00:00:00.000Z"},
    };
    char text[CLOCK_RFC3339_SIZE];

    (void)state;
    setenv("TZ", "America/New_York", 1);
    tzset();
    for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
        assert_string_equal(clock_rfc3339(vectors[i].wall_ms, text), vectors[i].text);
    }
}

static void the_clock_goes_forward(void **state)
{
    struct instant one = clock_sample(), two = clock_sample();

    (void)state;
    assert_true(two.boot_ms >= one.boot_ms);
    assert_true(one.boot_ms > 0);
    assert_true(one.wall_ms > INT64_C(1700000000000));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sha256_agrees_with_the_standard),
        cmocka_unit_test(line_ends_and_byte_order_marks_do_not_change_a_migration),
        cmocka_unit_test(random_digits_are_hexadecimal_and_differ),
        cmocka_unit_test(times_are_shown_as_rfc3339),
        cmocka_unit_test(the_clock_goes_forward),
    };

    return cmocka_run_group_tests_name("base_digest", tests, NULL, NULL);
}
