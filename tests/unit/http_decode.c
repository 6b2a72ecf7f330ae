/* The decoder of all input: kinds, bounds, required and unknown members, queries. */
#include "../../daemon/http/decode.h"

#include <schemagate/base/memory.h>
#include <support/test.h>

#include <stdio.h>
#include <string.h>

struct inner {
    struct object_state state;
    int64_t count;
};

struct sample {
    const char *text, *name, *sql;
    int64_t number;
    bool flag;
    int choice;
    struct inner inner;
    const json_t *texts, *list;
};

static const struct field inner_fields[] = {
    {"count", FIELD_INTEGER, offsetof(struct inner, count), .required = true, .high = 9},
};
static const struct shape inner_shape = SHAPE(inner_fields, struct inner, NULL);

static void check_sample(const void *values, const char *prefix, struct mistakes *mistakes)
{
    const struct sample *sample = values;

    if (sample->number == 13) {
        mistakes_add(mistakes, prefix, "number", "brings bad luck");
    }
}

static const char *const choices[] = {"red", "green", NULL};
static const struct field sample_fields[] = {
    {"text", FIELD_TEXT, offsetof(struct sample, text), .low = 1, .high = 5},
    {"name", FIELD_NAME, offsetof(struct sample, name), .required = true, .high = 4},
    {"sql", FIELD_SQL, offsetof(struct sample, sql), .high = 8},
    {"number", FIELD_INTEGER, offsetof(struct sample, number), .low = -5, .high = 100, .fallback = 7},
    {"flag", FIELD_BOOLEAN, offsetof(struct sample, flag), .required = false},
    {"choice", FIELD_CHOICE, offsetof(struct sample, choice), .choices = choices},
    {"inner", FIELD_OBJECT, offsetof(struct sample, inner), .shape = &inner_shape, .nullable = true},
    {"texts", FIELD_TEXTS, offsetof(struct sample, texts), .high = 2},
    {"list", FIELD_LIST, offsetof(struct sample, list), .low = 1, .high = 2, .shape = &inner_shape},
};
static const struct shape sample_shape = SHAPE(sample_fields, struct sample, check_sample);

static json_t *decode(const char *text, struct sample *sample, struct mistakes *mistakes)
{
    json_t *document = json_loads(text, JSON_DECODE_ANY, NULL);

    assert_non_null(document);
    *mistakes = (struct mistakes){.in = "body"};
    decode_object(&sample_shape, document, "", sample, mistakes);
    return document;
}

static void everything_given(void **state)
{
    struct sample sample;
    struct mistakes mistakes;
    json_t *document = decode("{\"text\":\"hello\",\"name\":\"a.:-\",\"sql\":\"a\\nb\",\"number\":-5,"
                              "\"flag\":true,\"choice\":\"green\",\"inner\":{\"count\":9},"
                              "\"texts\":{\"a\":\"b\"},\"list\":[{\"count\":1}]}",
                              &sample, &mistakes);

    (void)state;
    assert_int_equal(mistakes.count, 0);
    assert_string_equal(sample.text, "hello");
    assert_string_equal(sample.name, "a.:-");
    assert_string_equal(sample.sql, "a\nb");
    assert_int_equal(sample.number, -5);
    assert_true(sample.flag);
    assert_int_equal(sample.choice, 1);
    assert_true(sample.inner.state.given);
    assert_false(sample.inner.state.null);
    assert_int_equal(sample.inner.count, 9);
    assert_int_equal(json_object_size(sample.texts), 1);
    assert_int_equal(json_array_size(sample.list), 1);
    json_decref(document);
}

static void what_is_absent_has_its_fallback(void **state)
{
    struct sample sample;
    struct mistakes mistakes;
    json_t *document = decode("{\"name\":\"a\"}", &sample, &mistakes);

    (void)state;
    assert_int_equal(mistakes.count, 0);
    assert_null(sample.text);
    assert_int_equal(sample.number, 7);
    assert_false(sample.flag);
    assert_int_equal(sample.choice, -1);
    assert_false(sample.inner.state.given);
    json_decref(document);
}

static void null_takes_away_where_it_may(void **state)
{
    struct sample sample;
    struct mistakes mistakes;
    json_t *document = decode("{\"name\":\"a\",\"inner\":null}", &sample, &mistakes);

    (void)state;
    assert_int_equal(mistakes.count, 0);
    assert_true(sample.inner.state.given);
    assert_true(sample.inner.state.null);
    json_decref(document);
}

static void each_mistake_names_its_member(void **state)
{
    static const struct {
        const char *body, *pointer, *detail;
    } expected[] = {
        {"[]", "", "must be an object"},
        {"{}", "/name", "is required"},
        {"{\"name\":\"a\",\"nam\":1}", "/nam", "is not a member that is known here"},
        {"{\"name\":\"\"}", "/name", "must be 1 to 4 of A-Z a-z 0-9 . _ : -"},
        {"{\"name\":\"a b\"}", "/name", "must be 1 to 4 of A-Z a-z 0-9 . _ : -"},
        {"{\"name\":\"a/b\"}", "/name", "must be 1 to 4 of A-Z a-z 0-9 . _ : -"},
        {"{\"name\":\"abcde\"}", "/name", "must be 1 to 4 of A-Z a-z 0-9 . _ : -"},
        {"{\"name\":7}", "/name", "must be text"},
        {"{\"name\":null}", "/name", "must be text"},
        {"{\"name\":\"a\",\"text\":\"\"}", "/text", "must not be empty"},
        {"{\"name\":\"a\",\"text\":\"sixsix\"}", "/text", "must have at most 5 bytes"},
        {"{\"name\":\"a\",\"text\":\"a\\nb\"}", "/text", "must not have control characters"},
        {"{\"name\":\"a\",\"sql\":\"123456789\"}", "/sql", "must have at most 8 bytes"},
        {"{\"name\":\"a\",\"number\":101}", "/number", "must be from -5 to 100"},
        {"{\"name\":\"a\",\"number\":-6}", "/number", "must be from -5 to 100"},
        {"{\"name\":\"a\",\"number\":1.0}", "/number", "must be a whole number"},
        {"{\"name\":\"a\",\"number\":1e30}", "/number", "must be from -5 to 100"},
        {"{\"name\":\"a\",\"number\":\"1\"}", "/number", "must be a whole number"},
        {"{\"name\":\"a\",\"number\":13}", "/number", "brings bad luck"},
        {"{\"name\":\"a\",\"flag\":1}", "/flag", "must be true or false"},
        {"{\"name\":\"a\",\"choice\":\"blue\"}", "/choice", "must be one of red, green"},
        {"{\"name\":\"a\",\"inner\":[]}", "/inner", "must be an object"},
        {"{\"name\":\"a\",\"inner\":{}}", "/inner/count", "is required"},
        {"{\"name\":\"a\",\"inner\":{\"count\":10}}", "/inner/count", "must be from 0 to 9"},
        {"{\"name\":\"a\",\"texts\":{\"x\":1}}", "/texts/x", "must be text"},
        {"{\"name\":\"a\",\"texts\":{\"x\":\"\",\"y\":\"\",\"z\":\"\"}}", "/texts",
         "must have at most 2 members"},
        {"{\"name\":\"a\",\"list\":[]}", "/list", "must have 1 to 2 items"},
        {"{\"name\":\"a\",\"list\":{}}", "/list", "must be a list"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
        struct sample sample;
        struct mistakes mistakes;
        json_t *document = decode(expected[i].body, &sample, &mistakes);
        if (mistakes.count != 1) {
            test_fail("%s: %zu mistakes", expected[i].body, mistakes.count);
        }
        assert_string_equal(mistakes.items[0].pointer, expected[i].pointer);
        assert_string_equal(mistakes.items[0].detail, expected[i].detail);
        json_decref(document);
    }
}

static void all_mistakes_are_found_up_to_a_bound(void **state)
{
    struct sample sample;
    struct mistakes mistakes;
    json_t *object = json_object();
    char name[8];

    (void)state;
    for (int i = 0; i < 50; i++) {
        snprintf(name, sizeof(name), "x%d", i);
        json_object_set_new(object, name, json_null());
    }
    mistakes = (struct mistakes){.in = "body"};
    decode_object(&sample_shape, object, "", &sample, &mistakes);
    assert_int_equal(mistakes.count, MISTAKES_MAX);
    json_decref(object);
}

static void a_number_too_large_for_64_bits_is_named(void **state)
{
    struct sample sample;
    struct mistakes mistakes = {.in = "body", .whole_as_real = true};
    json_t *object = json_loads("{\"name\":\"a\",\"number\":99999999999999999999,\"inner\":{\"count\":3}}",
                                JSON_DECODE_INT_AS_REAL, NULL);

    (void)state;
    decode_object(&sample_shape, object, "", &sample, &mistakes);
    assert_int_equal(mistakes.count, 1);
    assert_string_equal(mistakes.items[0].pointer, "/number");
    json_decref(object);
}

static void queries_are_read_by_the_same_rows(void **state)
{
    static const struct {
        const char *name, *text, *detail; /* detail NULL: taken */
    } expected[] = {
        {"number", "99", NULL},
        {"number", "", "must be a whole number"},
        {"number", "9x", "must be a whole number"},
        {"number", " 9", "must be a whole number"},
        {"number", "+9", "must be a whole number"},
        {"number", "99999999999999999999", "must be a whole number"},
        {"number", "101", "must be from -5 to 100"},
        {"flag", NULL, NULL},
        {"flag", "true", NULL},
        {"flag", "yes", "must be true or false"},
        {"choice", "red", NULL},
        {"choice", "", "must be one of red, green"},
        {"text", "a", NULL},
        {"text", "\xff", "must be UTF-8"},
        {"colour", "red", "is not a parameter that is known here"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
        struct sample sample;
        struct mistakes mistakes = {.in = "query"};
        uint32_t seen = 0;
        decode_defaults(&sample_shape, &sample);
        decode_parameter(&sample_shape, expected[i].name, expected[i].text, &sample, &seen, &mistakes);
        if ((mistakes.count == 0) != (expected[i].detail == NULL)) {
            test_fail("%s=%s", expected[i].name, expected[i].text != NULL ? expected[i].text : "");
        }
        if (mistakes.count > 0) {
            assert_string_equal(mistakes.items[0].detail, expected[i].detail);
            assert_string_equal(mistakes.items[0].in, "query");
        }
    }
}

static void a_parameter_stands_there_once(void **state)
{
    struct sample sample;
    struct mistakes mistakes = {.in = "query"};
    uint32_t seen = 0;

    (void)state;
    decode_defaults(&sample_shape, &sample);
    decode_parameter(&sample_shape, "number", "1", &sample, &seen, &mistakes);
    decode_parameter(&sample_shape, "number", "2", &sample, &seen, &mistakes);
    assert_int_equal(mistakes.count, 1);
    assert_string_equal(mistakes.items[0].detail, "stands there twice");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_given),
        cmocka_unit_test(what_is_absent_has_its_fallback),
        cmocka_unit_test(null_takes_away_where_it_may),
        cmocka_unit_test(each_mistake_names_its_member),
        cmocka_unit_test(all_mistakes_are_found_up_to_a_bound),
        cmocka_unit_test(a_number_too_large_for_64_bits_is_named),
        cmocka_unit_test(queries_are_read_by_the_same_rows),
        cmocka_unit_test(a_parameter_stands_there_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
