/* An array of text as PostgreSQL writes it: {"one","two"}. */
#ifndef PLAN_TEXT_ARRAY_H
#define PLAN_TEXT_ARRAY_H

/* Takes over `array`, which is NULL or comes from here, and gives it back with one element more. */
char *text_array_add(char *array, const char *element);
/* Takes over `array`; what comes back is "{}" for NULL. Owned by the caller. */
char *text_array_end(char *array);

#endif
