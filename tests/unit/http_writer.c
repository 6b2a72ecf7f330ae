/* What is written: JSON, and the page's pieces with their values escaped. */
#include "../../daemon/http/markup.h"
#include "../../daemon/http/writer.h"

#include <support/test.h>

#include <math.h>
#include <stdlib.h>

static void every_kind_of_value(void **state)
{
    struct buf out = BUF_INIT(0);
    struct writer w = WRITER_INIT(&out);
    json_t *value = json_pack("{s:[i,n]}", "a", 1);

    (void)state;
    writer_open_object(&w, NULL);
    writer_text(&w, "text", "a");
    writer_text(&w, "nothing", NULL);
    writer_text_or_null(&w, "some", "b");
    writer_text_or_null(&w, "empty", "");
    writer_number(&w, "least", INT64_MIN);
    writer_number(&w, "most", INT64_MAX);
    writer_number(&w, "zero", 0);
    writer_version(&w, "none", 0);
    writer_version(&w, "version", 42);
    writer_count(&w, "counted", 0);
    writer_count(&w, "unknown", -1);
    writer_real(&w, "real", 0.012);
    writer_real(&w, "infinite", INFINITY);
    writer_bool(&w, "yes", true);
    writer_null(&w, "null");
    writer_time(&w, "at", 1795167000123);
    writer_time(&w, "never", 0);
    writer_json(&w, "json", value);
    writer_json(&w, "absent", NULL);
    writer_open_list(&w, "list");
    writer_number(&w, NULL, 1);
    writer_open_object(&w, NULL);
    writer_close_object(&w);
    writer_open_list(&w, NULL);
    writer_close_list(&w);
    writer_close_list(&w);
    writer_close_object(&w);
    assert_string_equal(
        buf_text(&out),
        "{\"text\":\"a\",\"nothing\":null,\"some\":\"b\",\"empty\":null,\"least\":-9223372036854775808,"
        "\"most\":9223372036854775807,\"zero\":0,\"none\":null,\"version\":42,\"counted\":0,\"unknown\":null,"
        "\"real\":0.012,\"infinite\":null,\"yes\":true,\"null\":null,\"at\":\"2026-11-20T09:30:00.123Z\","
        "\"never\":null,\"json\":{\"a\":[1,null]},\"absent\":null,\"list\":[1,{},[]]}");
    json_decref(value);
    buf_free(&out);
}

/* Whatever stands in a text, the document is JSON, and where the text is UTF-8, it comes back. */
static void texts_come_back(void **state)
{
    static const char *const texts[] = {
        "", "plain", "\"quoted\" \\ / back", "\n\r\t\b\f\x01\x1f\x7f", "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80",
        "\xed\x9f\xbf\xee\x80\x80\xf4\x8f\xbf\xbf",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct buf out = BUF_INIT(0);
        struct writer w = WRITER_INIT(&out);
        writer_open_list(&w, NULL);
        writer_text(&w, NULL, texts[i]);
        writer_close_list(&w);
        json_t *document = json_loads(buf_text(&out), 0, NULL);
        assert_non_null(document);
        assert_string_equal(json_string_value(json_array_get(document, 0)), texts[i]);
        json_decref(document);
        buf_free(&out);
    }
}

static void what_is_not_utf8_is_replaced(void **state)
{
    static const struct {
        const char *text, *json;
    } expected[] = {
        {"a\xff", "\"a\\ufffd\""},
        {"\xc0\x80", "\"\\ufffd\\ufffd\""},                   /* overlong */
        {"\xed\xa0\x80", "\"\\ufffd\\ufffd\\ufffd\""},        /* a surrogate */
        {"\xf4\x90\x80\x80", "\"\\ufffd\\ufffd\\ufffd\\ufffd\""}, /* above U+10FFFF */
        {"\xe2\x82", "\"\\ufffd\\ufffd\""},                   /* cut off */
        {"\xc3", "\"\\ufffd\""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
        struct buf out = BUF_INIT(0);
        struct writer w = WRITER_INIT(&out);
        writer_text(&w, NULL, expected[i].text);
        assert_string_equal(buf_text(&out), expected[i].json);
        buf_free(&out);
    }
}

static void a_bounded_buffer_stays_bounded(void **state)
{
    struct buf out = BUF_INIT(8);
    struct writer w = WRITER_INIT(&out);

    (void)state;
    writer_text(&w, NULL, "much longer than eight");
    assert_true(out.overflowed);
    assert_true(out.length <= 8);
    buf_free(&out);
}

static void markup_in_values_is_text(void **state)
{
    struct buf out = BUF_INIT(0);

    (void)state;
    MARKUP_WRITE(&out, "<p class=\"{{kind}}\">{{text}}{{nothing}}</p>{{html}}",
                   {"text", "<script>alert('&')</script>", false}, {"kind", "\" onclick=\"", false},
                   {"nothing", NULL, false}, {"html", "<b>bold</b>", true});
    assert_string_equal(buf_text(&out),
                        "<p class=\"&quot; onclick=&quot;\">&lt;script&gt;"
                        "alert(&#39;&amp;&#39;)&lt;/script&gt;</p><b>bold</b>");
    buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_of_value),
        cmocka_unit_test(texts_come_back),
        cmocka_unit_test(what_is_not_utf8_is_replaced),
        cmocka_unit_test(a_bounded_buffer_stays_bounded),
        cmocka_unit_test(markup_in_values_is_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
