/* The words in which a hold is told, for /status, the page and the command line alike. */
#ifndef COORDINATOR_WORDING_H
#define COORDINATOR_WORDING_H

#include "state.h"

struct wording {
    const struct coordinator *c;
    const struct migration *m;
    const struct gate_facts *facts;
    const struct gate_hold *hold;
    const struct replica *replica; /* NULL for holds without one */
    char *text;
    size_t size;
};

/* Writes the hold's message into w->text: who or what holds, and what it is about. */
void wording_say(const struct wording *w);

#define WORDING_SPAN_SIZE 32

/* "42s", "5m07s", "3h20m"; nothing below 0. */
void wording_span(int64_t ms, char text[WORDING_SPAN_SIZE]);

/* "paused by ann: for the night". by and reason may be NULL, the reason may be empty. */
void wording_who(char *text, size_t size, const char *what, const char *by, const char *reason);

#endif
