/* The function that keeps two columns in step, whoever writes which of them.
 *
 *   INSERT  the new column is given: it leads, else the old one does. A value in it was given, because it
 *           has no default for code that does not say its version. Of code that does, NULL was given, too,
 *           where the old column has nothing but its default.
 *   UPDATE  the one that changes leads. Both change: the new one leads, unless the session says an older
 *           version. Neither: the row is older than the new column, which is filled.
 *
 * Values are compared as they are stored ("*=" of records): that works for types without an operator "=",
 * and tells 1.0 from 1.00. What is in step by either expression stays as it is, so that an expression that
 * loses something (a text with leading zeros becomes a number) loses it only when the other side is
 * written. */
#include "coexist.h"

#include "allocate.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* A word in brackets, and what is put in its place. */
struct word {
    const char *name, *text;
};

static const char *find(const struct word *words, const char *name, size_t length)
{
    for (; words->name != NULL; words++)
        if (strlen(words->name) == length && strncmp(words->name, name, length) == 0)
            return words->text;
    abort();
}

/* The template with its words filled in. Owned by the caller. */
static char *fill(const char *template, const struct word *words)
{
    char *text = allocate_text("%s", ""), *longer;

    while (*template != '\0') {
        size_t plain = strcspn(template, "["), name = strcspn(template + plain, "]");

        longer = allocate_text("%s%.*s%s", text, (int)plain, template,
                               name == 0 ? "" : find(words, template + plain + 1, name - 1));
        free(text);
        text = longer;
        template += plain + name + (name == 0 ? 0 : 1);
    }
    return text;
}

/* What is no version is as good as none. */
static const char default_of_new_code[] =
    "CASE WHEN current_setting('schemagate.version', true) ~ '^\\d{1,15}$' THEN "
    "CASE WHEN current_setting('schemagate.version', true)::bigint >= %" PRId64 " THEN %s END END";

char *coexist_default(const struct coexist *pair)
{
    if (pair->old->default_text == NULL)
        return NULL;
    if (pair->down == NULL)
        return allocate_text("%s", pair->old->default_text);
    return allocate_text(default_of_new_code, pair->place->statement->reader->options.version,
                         pair->old->default_text);
}

#define SAME(left, right) "ROW(" left ")::record OPERATOR(pg_catalog.*=) ROW(" right ")::record"

static const char follows[] = "\nBEGIN -- the new column follows the old one\n"
                              "    NEW.[to] := [up];\n"
                              "    RETURN NEW;\n"
                              "END ";

static const char both_ways[] =
    "\nDECLARE -- old and new column are kept in step\n"
    "    said text := current_setting('schemagate.version', true);\n"
    "    says_new boolean; -- NULL: the session says nothing\n"
    "    leads boolean;    -- the new column does\n"
    "BEGIN\n"
    "    IF [in_step] THEN\n"
    "        RETURN NEW;\n"
    "    END IF;\n"
    "    IF said ~ '^\\d{1,15}$' THEN\n"
    "        says_new := said::bigint >= [version];\n"
    "    END IF;\n"
    "    IF TG_OP = 'INSERT' THEN\n"
    "        leads := [given];\n"
    "    ELSIF " SAME("NEW.[to]", "OLD.[to]") " THEN\n"
    "        leads := false;\n"
    "    ELSIF " SAME("NEW.[from]", "OLD.[from]") " THEN\n"
    "        leads := true;\n"
    "    ELSE\n"
    "        leads := says_new IS NOT FALSE;\n"
    "    END IF;\n"
    "    IF leads THEN\n"
    "        NEW.[from] := [down];\n"
    "    ELSE\n"
    "        NEW.[to] := [up];\n"
    "    END IF;\n"
    "    RETURN NEW;\n"
    "END ";

static const char by_either[] = SAME("NEW.[to]", "[up]") "\n"
                                "       OR " SAME("NEW.[from]", "[down]");

/* On INSERT, by what the old column's default can be told from. */
static const char given_without_default[] = "NEW.[to] IS DISTINCT FROM NULL";
static const char given_or_said[] = "NEW.[to] IS DISTINCT FROM NULL OR says_new IS TRUE";
static const char given_or_default[] =
    "CASE WHEN NEW.[to] IS NOT DISTINCT FROM NULL\n"
    "                 -- NULL was given, if the other has its default only because nobody named it\n"
    "                 THEN says_new IS TRUE AND " SAME("NEW.[from]", "[old_default]") "\n"
    "                 -- a value was given, unless it is the default, and the other was given\n"
    "                 ELSE says_new IS NOT TRUE OR " SAME("NEW.[from]", "[old_default]") "\n"
    "                      OR NOT " SAME("NEW.[to]", "[new_default]") " END";

static const char *template_given(const struct catalog_column *old)
{
    if (old->default_text == NULL)
        return given_without_default;
    return old->default_volatile ? given_or_said : given_or_default;
}

static char *cast(const char *expression, const char *type)
{
    return expression == NULL ? allocate_text("NULL") : allocate_text("CAST(%s AS %s)", expression, type);
}

/* A renamed column: both expressions say the same. */
static bool is_plain(const struct coexist *pair)
{
    return strncmp(pair->row_up, "NEW.", strlen("NEW.")) == 0
           && strcmp(pair->row_up + strlen("NEW."), pair->from) == 0
           && strncmp(pair->row_down, "NEW.", strlen("NEW.")) == 0
           && strcmp(pair->row_down + strlen("NEW."), pair->to) == 0;
}

char *coexist_function(const struct coexist *pair)
{
    enum { VERSION, OLD_DEFAULT, NEW_DEFAULT, GIVEN, IN_STEP, FILLED };
    char *own[FILLED] = {
        [VERSION] = allocate_text("%" PRId64, pair->place->statement->reader->options.version),
        [OLD_DEFAULT] = cast(pair->old->default_text, pair->old->type),
        [NEW_DEFAULT] = cast(pair->old->default_text, pair->type),
    };
    struct word words[] = {
        {"version", own[VERSION]},         {"old_default", own[OLD_DEFAULT]},
        {"new_default", own[NEW_DEFAULT]}, {"given", NULL},
        {"in_step", NULL},                 {"from", pair->from},
        {"to", pair->to},                  {"up", pair->row_up},
        {"down", pair->row_down},          {NULL, NULL},
    };
    char *text;

    words[GIVEN].text = own[GIVEN] = fill(template_given(pair->old), words);
    words[IN_STEP].text = own[IN_STEP] = fill(is_plain(pair) ? SAME("NEW.[to]", "[up]") : by_either, words);
    text = fill(pair->down == NULL ? follows : both_ways, words);
    for (size_t i = 0; i < FILLED; i++)
        free(own[i]);
    return text;
}
