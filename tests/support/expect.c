/* Expectations about answers. */
#include <support/expect.h>

#include <support/json.h>
#include <support/test.h>

#include <string.h>

#define TYPE_PREFIX "urn:schemagate:problem:"

void expect_answer_at(const char *file, int line, const struct http_answer *answer, int status,
                      const char *slug)
{
    const char *type = json_text_at(answer->json, "/type");
    int is_problem = strncmp(type, TYPE_PREFIX, strlen(TYPE_PREFIX)) == 0;
    if (answer->status != status ||
        (slug && (!is_problem || strcmp(type + strlen(TYPE_PREFIX), slug) != 0)))
        test_fail_at(file, line, "expected %d %s, not %d %s", status, slug ? slug : "",
                     answer->status,
                     answer->body);
}

int expect_names_pointer(const struct http_answer *answer, const char *pointer)
{
    size_t i;
    json_t *error;
    json_array_foreach(json_at(answer->json, "/errors"), i, error)
        if (strcmp(json_text_at(error, "/pointer"), pointer) == 0)
            return 1;
    return 0;
}
