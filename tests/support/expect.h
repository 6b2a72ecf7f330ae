/* Expectations about answers. */
#ifndef SUPPORT_EXPECT_H
#define SUPPORT_EXPECT_H

#include <support/http.h>

/* The status, and the slug of the problem's type ("version-conflict"; NULL: any body). */
#define expect_answer(answer, status, slug)                                                        \
    expect_answer_at(__FILE__, __LINE__, answer, status, slug)
void expect_answer_at(const char *file, int line, const struct http_answer *answer, int status,
                      const char *slug);

/* True if a member "pointer" in `errors` is this JSON pointer. */
int expect_names_pointer(const struct http_answer *answer, const char *pointer);

#endif
