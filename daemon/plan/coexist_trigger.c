/* The function that keeps old and new columns in step, whoever writes which of them; both sides are one
 * column, or several.
 *
 *   INSERT  the new side is given: it leads, else the old one does. A value in it was given, because it
 *           has no default for code that does not say its version. Of code that does, NULL was given, too,
 *           where the old side has nothing but its defaults.
 *   UPDATE  the side that changes leads. Both change: the new one leads, unless the session says an older
 *           version. Neither: the row is older than the new columns, which are filled.
 *
 * Values are compared as they are stored ("*=" of records): that works for types without an operator "=",
 * and tells 1.0 from 1.00. What is in step by either expression stays as it is, so that an expression that
 * loses something (a text with leading zeros becomes a number) loses it only when the other side is
 * written. */
#include "coexist.h"

#include "allocate.h"
#include "piece.h"

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

char *sync_default(const char *text, int64_t version)
{
    return allocate_text(default_of_new_code, version, text);
}

#define SAME(left, right) "ROW(" left ")::record OPERATOR(pg_catalog.*=) ROW(" right ")::record"

static const char follows[] = "\nBEGIN -- the new column follows the old one\n"
                              "    [set_new]\n"
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
    "    ELSIF " SAME("[new]", "[was_new]") " THEN\n"
    "        leads := false;\n"
    "    ELSIF " SAME("[old]", "[was_old]") " THEN\n"
    "        leads := true;\n"
    "    ELSE\n"
    "        leads := says_new IS NOT FALSE;\n"
    "    END IF;\n"
    "    IF leads THEN\n"
    "        [set_old]\n"
    "    ELSE\n"
    "        [set_new]\n"
    "    END IF;\n"
    "    RETURN NEW;\n"
    "END ";

static const char by_new[] = SAME("[new]", "[up]");
static const char by_either[] = SAME("[new]", "[up]") "\n"
                                "       OR " SAME("[old]", "[down]");

/* On INSERT, by what the old side's defaults can be told from. */
static const char given_as_value[] = "[given_new]";
static const char given_or_said[] = "[given_new] OR says_new IS TRUE";
static const char given_or_default[] =
    "CASE WHEN [empty_new]\n"
    "                 -- NULL was given, if the other has its default only because nobody named it\n"
    "                 THEN says_new IS TRUE AND " SAME("[old]", "[old_default]") "\n"
    "                 -- a value was given, unless it is the default, and the other was given\n"
    "                 ELSE says_new IS NOT TRUE OR " SAME("[old]", "[old_default]") "\n"
    "                      OR NOT " SAME("[new]", "[new_default]") " END";

/* ---- what is told from the columns ---- */

static bool have_defaults(const struct sync_side *side, bool volatile_ones)
{
    for (size_t i = 0; i < side->count; i++)
        if (side->columns[i].default_text != NULL && (!volatile_ones || side->columns[i].default_volatile))
            return true;
    return false;
}

/* A renamed column: both sides say the same. */
static bool is_plain(const struct sync *sync)
{
    const struct sync_column *old = sync->old.columns, *new = sync->new.columns;

    return sync->old.count == 1 && sync->new.count == 1 && strncmp(new->value, "NEW.", strlen("NEW.")) == 0
           && strcmp(new->value + strlen("NEW."), old->name) == 0
           && strncmp(old->value, "NEW.", strlen("NEW.")) == 0
           && strcmp(old->value + strlen("NEW."), new->name) == 0;
}

static const char *template_given(const struct sync *sync)
{
    if (have_defaults(&sync->old, true))
        return given_or_said;
    return is_plain(sync) && !have_defaults(&sync->old, false) ? given_as_value : given_or_default;
}

/* ---- lists of a side's columns ---- */

typedef char *write_column(const struct sync_column *column);

static char *write_new(const struct sync_column *column)
{
    return allocate_text("NEW.%s", column->name);
}

static char *write_old(const struct sync_column *column)
{
    return allocate_text("OLD.%s", column->name);
}

static char *write_value(const struct sync_column *column)
{
    return allocate_text("%s", column->value);
}

static char *write_default(const struct sync_column *column)
{
    return allocate_text("CAST(%s AS %s)", column->default_text == NULL ? "NULL" : column->default_text,
                         column->type);
}

static char *write_assignment(const struct sync_column *column)
{
    return allocate_text("NEW.%s := %s;", column->name, column->value);
}

static char *write_given(const struct sync_column *column)
{
    return allocate_text("NEW.%s IS DISTINCT FROM NULL", column->name);
}

static char *write_empty(const struct sync_column *column)
{
    return allocate_text("NEW.%s IS NOT DISTINCT FROM NULL", column->name);
}

static char *list(const struct sync_side *side, write_column *write, const char *between)
{
    char *text = write(&side->columns[0]);

    for (size_t i = 1; i < side->count; i++) {
        char *next = write(&side->columns[i]), *longer = allocate_text("%s%s%s", text, between, next);

        free(next);
        free(text);
        text = longer;
    }
    return text;
}

/* The words that are lists of columns. */
static const struct {
    const char *name;
    bool new;
    write_column *write;
    const char *between, *between_when_following;
} lists[] = {
    {"old", false, write_new, ", ", ", "},
    {"new", true, write_new, ", ", ", "},
    {"was_old", false, write_old, ", ", ", "},
    {"was_new", true, write_old, ", ", ", "},
    {"up", true, write_value, ", ", ", "},
    {"down", false, write_value, ", ", ", "},
    {"old_default", false, write_default, ", ", ", "},
    {"new_default", true, write_default, ", ", ", "},
    {"set_old", false, write_assignment, "\n        ", "\n    "},
    {"set_new", true, write_assignment, "\n        ", "\n    "},
    {"given_new", true, write_given, " OR ", " OR "},
    {"empty_new", true, write_empty, " AND ", " AND "},
};

enum { LISTS = sizeof(lists) / sizeof(lists[0]), VERSION = LISTS, GIVEN, IN_STEP, WORDS };

char *sync_function(const struct sync *sync)
{
    struct word words[WORDS + 1] = {{NULL, NULL}};
    char *own[WORDS], *text;

    for (size_t i = 0; i < LISTS; i++) {
        own[i] = list(lists[i].new ? &sync->new : &sync->old, lists[i].write,
                      sync->follows ? lists[i].between_when_following : lists[i].between);
        words[i] = (struct word){lists[i].name, own[i]};
    }
    own[VERSION] = allocate_text("%" PRId64, sync->version);
    words[VERSION] = (struct word){"version", own[VERSION]};
    own[GIVEN] = fill(template_given(sync), words);
    words[GIVEN] = (struct word){"given", own[GIVEN]};
    own[IN_STEP] = fill(is_plain(sync) ? by_new : by_either, words);
    words[IN_STEP] = (struct word){"in_step", own[IN_STEP]};
    text = fill(sync->follows ? follows : both_ways, words);
    for (size_t i = 0; i < WORDS; i++)
        free(own[i]);
    return text;
}

/* ---- the trigger ---- */

void sync_try(struct place *place, enum emit_alone alone, const char *table, const char *expressions)
{
    form_emit(place, PLAN_EXPAND, alone,
              "No row is read: an expression that this database does not understand fails here, before any "
              "writer meets it.",
              "SELECT %s FROM %s WHERE false", expressions, table)
        ->work.cost.effort = EFFORT_MOMENT;
}

struct sync_trigger sync_trigger_open(struct place *place, const struct catalog_table *table,
                                      const char *columns, const char *label)
{
    char *stem = allocate_text("zz_schemagate_%s", table->name);
    const char *object = form_free_name(place, piece_object_name(stem, columns, label));

    free(stem);
    return (struct sync_trigger){
        .table = form_table(place),
        .trigger = emit_name(object),
        .function = emit_qualified(table->schema, object),
    };
}

void sync_trigger_close(struct sync_trigger *trigger)
{
    free(trigger->table);
    free(trigger->trigger);
    free(trigger->function);
}

void sync_trigger_create(struct place *place, const struct sync_trigger *trigger, enum emit_alone alone,
                         bool keeps_path, const char *note, const char *body)
{
    form_emit(place, PLAN_EXPAND, alone, note,
              "CREATE FUNCTION %s() RETURNS trigger LANGUAGE plpgsql%s AS $schemagate$%s$schemagate$",
              trigger->function, keeps_path ? " SET search_path FROM CURRENT" : "", body);
    form_emit(place, PLAN_EXPAND, EMIT_WITH, note,
              "CREATE TRIGGER %s BEFORE INSERT OR UPDATE ON %s FOR EACH ROW EXECUTE FUNCTION %s()",
              trigger->trigger, trigger->table, trigger->function);
    form_alter(place, PLAN_EXPAND, EMIT_WITH,
               "Rows that replication brings (session_replication_role) are kept in step, too.",
               "ENABLE ALWAYS TRIGGER %s", trigger->trigger);
}

void sync_trigger_drop(struct place *place, const struct sync_trigger *trigger, const char *note)
{
    form_emit(place, PLAN_CONTRACT, EMIT_BEGINS, note, "DROP TRIGGER %s ON %s", trigger->trigger,
              trigger->table);
    form_emit(place, PLAN_CONTRACT, EMIT_WITH, note, "DROP FUNCTION %s()", trigger->function);
}

void sync_trigger_undo(struct place *place, const struct sync_trigger *trigger)
{
    undo_add_as(place, EMIT_WITH, "DROP FUNCTION %s()", trigger->function);
    undo_add_as(place, EMIT_BEGINS, "DROP TRIGGER %s ON %s", trigger->trigger, trigger->table);
}
