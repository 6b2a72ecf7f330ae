/* Words of a configured command with places that are filled in when it runs: {version}, {phase}, {name} and
 * {argument}. What is filled in stays inside its word: nothing is split, nothing is expanded. */
#ifndef SCHEMAGATE_BASE_TEMPLATE_H
#define SCHEMAGATE_BASE_TEMPLATE_H

#include <stdbool.h>

enum template_place { TEMPLATE_VERSION, TEMPLATE_PHASE, TEMPLATE_NAME, TEMPLATE_ARGUMENT, TEMPLATE_PLACES };

/* What is wrong with a word, as the end of a sentence, or NULL. */
const char *template_check(const char *word);

bool template_has(const char *word, enum template_place place);

/* values: one for each place that the word has. The caller frees. */
char *template_fill(const char *word, const char *const values[TEMPLATE_PLACES]);

#endif
