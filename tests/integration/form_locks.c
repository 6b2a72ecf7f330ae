/* The table locks that the plan of a file without markers claims, and what it says its statements read and
 * write, held against those that a real PostgreSQL
 * takes, statement by statement, for every form that the planner generates: never a weaker one, and no table
 * left out. What PostgreSQL refuses inside of transactions is looked at each time that it waits for one of
 * three sessions that stand in its way. */
#include "../../daemon/service/planner_catalog.h"

#include <schemagate/base/embed.h>
#include <support/world.h>

#include <dirent.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

EMBED(form_locks_catalog, "daemon/db/sql/catalog.sql");
EMBED(form_locks_resolve, "daemon/db/sql/resolve.sql");
EMBED(form_locks_watch, "daemon/db/sql/watch.sql");

enum { SEEN_MAX = 500, VERSION = 42 };

static const char goldens[] = "tests/golden/plan";

static const char library[] =
    "SET client_min_messages = warning; DROP SCHEMA public CASCADE; CREATE SCHEMA public;\n"
    "DROP ROLE IF EXISTS form_reader; CREATE ROLE form_reader;\n"
    "CREATE TABLE authors (id int PRIMARY KEY, name text UNIQUE, born int NOT NULL, note text);\n"
    "INSERT INTO authors SELECT i, 'author ' || i, 1900 + i FROM generate_series(1, 20) AS i;\n"
    "CREATE TABLE shops (id serial PRIMARY KEY, town text);\nINSERT INTO shops (town) VALUES ('Ulm');\n"
    "CREATE TABLE books (id int PRIMARY KEY, n int GENERATED ALWAYS AS IDENTITY, title varchar(80) NOT NULL "
    "DEFAULT 'none',\n"
    "  author_id int REFERENCES authors, isbn text, price int CHECK (price > 0), shelf int,\n"
    "  CONSTRAINT one_title UNIQUE (title, shelf));\n"
    "CREATE INDEX books_title ON books (lower(title)) WHERE title <> '';\n"
    "CREATE INDEX books_price ON books (price, shelf);\n"
    "CREATE STATISTICS books_price_shelf ON price, shelf FROM books;\n"
    "ALTER TABLE books ALTER title SET STATISTICS 500;\n"
    "COMMENT ON COLUMN books.title IS 'as printed';\nCOMMENT ON INDEX books_title IS 'an index';\n"
    "COMMENT ON CONSTRAINT books_price_check ON books IS 'a constraint';\n"
    "GRANT SELECT (title) ON books TO form_reader; GRANT SELECT ON books TO form_reader;\n"
    "INSERT INTO books (id, title, author_id, isbn, price, shelf)\n"
    "  SELECT i, 'book ' || i, i % 20 + 1, 'isbn ' || i, i, i FROM generate_series(1, 50) AS i;\n"
    "CREATE TABLE notes (id int, body text);\nINSERT INTO notes VALUES (1, 'a');\n"
    "CREATE TABLE people (id int PRIMARY KEY, whole text, street text, city text);\n"
    "INSERT INTO people VALUES (1, 'Ada King', 'Main Street', 'London');\n"
    "CREATE TABLE members (id int PRIMARY KEY); INSERT INTO members VALUES (1);\n"
    "CREATE TABLE loans (book int, day date, author_id int, member int REFERENCES members)\n"
    "  PARTITION BY RANGE (day);\n"
    "CREATE TABLE loans_old PARTITION OF loans FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');\n"
    "CREATE TABLE \"Loans.New\" PARTITION OF loans FOR VALUES FROM ('2021-01-01') TO ('2022-01-01');\n"
    "INSERT INTO loans SELECT i, date '2020-01-01' + i, i % 20 + 1, 1 FROM generate_series(1, 700) AS i;\n"
    "CREATE TYPE mood AS ENUM ('glad');\n"
    "CREATE TABLE schema_migrations (version text); CREATE TABLE alembic_version (version_num text);\n"
    "INSERT INTO alembic_version VALUES ('a'); GRANT SELECT ON notes TO form_reader;";

/* Statements that do not need one another share a file. */
static const char *const cases[] = {
    "CREATE INDEX ON books (lower(title), author_id); CREATE INDEX books_isbn ON books (isbn);\n"
    "ALTER TABLE books ADD COLUMN token uuid NOT NULL DEFAULT gen_random_uuid() UNIQUE;\n"
    "ALTER TABLE books ADD COLUMN number bigserial;\n"
    "ALTER TABLE books ADD COLUMN state text NOT NULL DEFAULT 'new' CHECK (state <> '');\n"
    "ALTER TABLE books ADD COLUMN code text UNIQUE;\n"
    "ALTER TABLE books ADD COLUMN shop int REFERENCES shops,\n"
    "  ADD COLUMN other_shop int DEFAULT 1 REFERENCES shops;\n"
    "ALTER TABLE notes ADD COLUMN key int GENERATED ALWAYS AS IDENTITY (START WITH 5) PRIMARY KEY;\n"
    "CREATE INDEX ON loans (book, day); CREATE VIEW prices AS SELECT price FROM books;",
    "REINDEX TABLE books; REINDEX INDEX books_title; ALTER TYPE mood ADD VALUE 'sad';\n"
    "UPDATE books SET shelf = 3; ALTER TABLE books ALTER COLUMN title DROP NOT NULL,\n"
    "  ALTER COLUMN title DROP DEFAULT, ALTER COLUMN shelf SET DEFAULT 1;\n"
    "DROP INDEX books_price; ALTER TABLE books DROP CONSTRAINT one_title;\n"
    "ALTER TABLE notes ADD CHECK (id > 0), ADD UNIQUE (body) WITH (fillfactor = 80), ADD PRIMARY KEY (id);\n"
    "ALTER TABLE books ALTER COLUMN isbn SET NOT NULL; ALTER TABLE loans DETACH PARTITION loans_old;",
    "ALTER TABLE books ADD FOREIGN KEY (shelf) REFERENCES authors NOT VALID,\n"
    "  ADD FOREIGN KEY (author_id) REFERENCES authors ON DELETE CASCADE;\n"
    "ALTER TABLE loans ADD FOREIGN KEY (author_id) REFERENCES authors;",
    "-- schemagate: using up=\"'about ' || name\"\nALTER TABLE authors ALTER COLUMN note SET NOT NULL;\n"
    "ALTER TABLE authors DROP COLUMN born; ALTER TABLE books RENAME COLUMN title TO name;\n"
    "ALTER TABLE loans RENAME COLUMN book TO of_book; ALTER TABLE shops ALTER COLUMN id TYPE bigint;",
    "ALTER TABLE books RENAME author_id TO author; ALTER TABLE notes RENAME TO remarks;",
    "ALTER TABLE books ALTER COLUMN price TYPE bigint;\n"
    "ALTER TABLE authors ALTER COLUMN name TYPE varchar(90) USING left(name, 90);",
    "ALTER TABLE books DROP COLUMN author_id; ALTER TABLE loans DROP COLUMN member;\n"
    "DROP TABLE members CASCADE; DROP TABLE books;",
    "ALTER TABLE books DROP CONSTRAINT books_author_id_fkey; DROP TABLE loans;",
    "CREATE TYPE size AS ENUM ('small'); CREATE TABLE tags (book int REFERENCES books (id), tag text);\n"
    "INSERT INTO tags SELECT id, title FROM books; CREATE INDEX ON tags (tag);\n"
    "ALTER TABLE tags ADD CHECK (tag <> ''), ADD COLUMN size size;\n"
    "UPDATE alembic_version SET version_num = 'b' WHERE version_num = 'a';\n"
    "INSERT INTO schema_migrations (version) VALUES ('20261120093000');\n"
    "ALTER TABLE notes ADD COLUMN a int, ADD COLUMN b text;\n"
    "CREATE TABLE copy AS SELECT id FROM books; CREATE VIEW ids AS SELECT id FROM copy;",
    "ALTER TABLE books ALTER COLUMN author_id DROP NOT NULL, ADD CHECK (price < 1000);",
    "-- schemagate: split up=\"first = split_part(whole, ' ', 1), last = split_part(whole, ' ', 2)\" "
    "down=\"whole = concat_ws(' ', first, last)\"\n"
    "ALTER TABLE people ADD COLUMN first text DEFAULT '' NOT NULL, ADD COLUMN last text,\n"
    "  DROP COLUMN whole;\n"
    "-- schemagate: merge up=\"address = concat_ws(', ', street, city)\" "
    "down=\"street = split_part(address, ', ', 1), city = split_part(address, ', ', 2)\"\n"
    "ALTER TABLE people DROP COLUMN street, DROP COLUMN city, ADD COLUMN address text NOT NULL;",
    "-- schemagate: migration keep_hours=1\nALTER TABLE books DROP COLUMN shelf; DROP TABLE loans;",
    "-- schemagate: migration keep_hours=1\nALTER TABLE notes RENAME body TO text; DROP TABLE books;",
    "-- schemagate: migration keep_hours=1\nALTER TABLE books RENAME author_id TO author;",
};

/* ---- the plan ---- */

static struct catalog *read_catalog(PGconn *session, const struct plan *plan)
{
    char *names = planner_catalog_names(plan);
    const char *const parameters[] = {names, ""};
    PGresult *result = PQexecParams(session, form_locks_catalog, 2, NULL, parameters, NULL, NULL, 0);
    struct catalog *catalog;

    if (PQresultStatus(result) != PGRES_TUPLES_OK)
        test_fail("no facts: %s", PQresultErrorMessage(result));
    catalog = planner_catalog_read(PQgetvalue(result, 0, 0), (size_t)PQgetlength(result, 0, 0));
    PQclear(result);
    free(names);
    return catalog;
}

/* As the daemon makes it: with the facts of the database. */
static struct plan *make_plan(PGconn *session, const char *written)
{
    struct plan_options options = {.version = VERSION};
    struct plan *first = plan_read(written, strlen(written), &options), *plan;
    struct catalog *catalog = read_catalog(session, first);

    options.catalog = catalog;
    plan = plan_read(written, strlen(written), &options);
    for (size_t i = 0; i < plan->finding_count; i++)
        if (plan->findings[i].severity == PLAN_ERROR && !plan->findings[i].allowed)
            test_fail("%s: %s: %s", written, plan->findings[i].id, plan->findings[i].message);
    catalog_free(catalog);
    plan_free(first);
    return plan;
}

/* ---- which steps of forms have been looked at ---- */

struct seen {
    char *steps[SEEN_MAX]; /* owned */
    size_t count;
};

/* Why it stands there, in one sentence without numbers, and what the statement does. Owned by the caller. */
static char *step_of(const struct plan_statement *statement)
{
    const char *note = statement->work.note == NULL ? "" : statement->work.note;
    static const char digits[] = "0123456789";
    char *file = NULL, *step = NULL, *longer;
    struct plan *plan;

    assert_true(asprintf(&file, "-- schemagate: undo\n%s", statement->sql) > 0);
    plan = plan_read(file, strlen(file), NULL);
    assert_true(asprintf(&step, "%.*s", (int)strcspn(note, "."), note) >= 0);
    for (char *at = step + strcspn(step, digits); *at != '\0'; at += strcspn(at, digits))
        memmove(at, at + strspn(at, digits), strlen(at + strspn(at, digits)) + 1);
    for (size_t i = 0; i < plan->operation_count; i++) {
        longer = NULL;
        assert_true(asprintf(&longer, "%s | %s %s", step, plan->operations[i].kind,
                             plan_lock_name(plan->operations[i].lock)) > 0);
        free(step);
        step = longer;
    }
    plan_free(plan);
    free(file);
    return step;
}

static bool has_seen(const struct seen *seen, const char *step)
{
    for (size_t i = 0; i < seen->count; i++)
        if (strcmp(seen->steps[i], step) == 0)
            return true;
    return false;
}

static void see(struct seen *seen, const struct plan_statement *statement)
{
    char *step = step_of(statement);

    if (has_seen(seen, step)) {
        free(step);
        return;
    }
    assert_true(seen->count < SEEN_MAX);
    seen->steps[seen->count++] = step;
}

/* ---- claims and locks ---- */

struct scene {
    struct world *world;
    PGconn *runner, *watcher;
    PGconn *sides[3]; /* in the way of what runs outside of transactions */
    const char *written;
    unsigned weak; /* claims */
    struct seen seen;
};

/* What the watch makes of the claims: it adds what the catalog knows. */
static void note_claims(struct scene *scene, const struct plan_work *work)
{
    json_t *relations = json_array();
    char *text, *query = NULL;
    PGresult *result;
    size_t head = (size_t)(strstr(form_locks_watch, ", locks AS MATERIALIZED") - form_locks_watch);

    for (size_t i = 0; i < work->lock_count; i++)
        json_array_append_new(relations,
                              json_pack("{s:s, s:i, s:b}", "relation", work->locks[i].relation, "level",
                                        (int)work->locks[i].mode, "parents", (int)work->locks[i].parents));
    text = json_dumps(relations, 0);
    sql_run(scene->watcher, "BEGIN; SET LOCAL search_path = public, pg_catalog");
    result = PQexecParams(scene->watcher, form_locks_resolve, 1, NULL, (const char *[]){text}, NULL, NULL,
                          0);
    if (PQresultStatus(result) != PGRES_TUPLES_OK)
        test_fail("%s", PQresultErrorMessage(result));
    PQclear(result);
    assert_true(asprintf(&query, "TRUNCATE pg_temp.claim; INSERT INTO pg_temp.claim %.*s\n"
                                 "SELECT relation, level FROM tables",
                         (int)head, form_locks_watch) > 0);
    sql_run(scene->watcher, "%s", query);
    sql_run(scene->watcher, "COMMIT");
    free(query);
    free(text);
    json_decref(relations);
}

/* Locks of the runner that nobody has claimed, on what was there before the migration. An index, what does
 * not fit into a row, and a column's sequence go with their table: who locks the table locks them. */
static const char unclaimed[] =
    "WITH RECURSIVE taken AS (\n"
    "    SELECT relation, relation AS belongs,\n"
    "           array_position(ARRAY['AccessShareLock', 'RowShareLock', 'RowExclusiveLock',\n"
    "               'ShareUpdateExclusiveLock', 'ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock',\n"
    "               'AccessExclusiveLock'], mode) AS level, mode\n"
    "    FROM pg_locks WHERE pid = %d AND locktype = 'relation'\n"
    "      AND relation IN (SELECT oid FROM pg_temp.known)\n"
    "    UNION\n"
    "    SELECT relation, coalesce(\n"
    "        (SELECT indrelid FROM pg_index WHERE indexrelid = belongs),\n"
    "        (SELECT oid FROM pg_class WHERE reltoastrelid = belongs),\n"
    "        (SELECT refobjid FROM pg_depend WHERE objid = belongs AND classid = 'pg_class'::regclass\n"
    "            AND refclassid = 'pg_class'::regclass AND deptype IN ('a', 'i') AND refobjsubid > 0\n"
    "            AND (SELECT relkind FROM pg_class AS c WHERE c.oid = belongs) = 'S')), level, mode\n"
    "    FROM taken WHERE belongs IS NOT NULL)\n"
    "SELECT string_agg(DISTINCT format('%%s %%s', name, mode), ', ')\n"
    "FROM (SELECT relation, max(level) AS level, max(mode) AS mode,\n"
    "             (SELECT max(c.level) FROM pg_temp.claim AS c WHERE c.relation IN (\n"
    "                  SELECT belongs FROM taken AS t WHERE t.relation = taken.relation)) AS claimed\n"
    "      FROM taken WHERE level >= 3 GROUP BY relation, level) AS strongest\n"
    "JOIN pg_temp.known ON oid = relation\n"
    "WHERE level > coalesce(claimed, 0) AND NOT (kind = 'i' AND %s)";

/* An index that is dropped or replaced CONCURRENTLY is locked when nobody can use it any more. */
static bool replaces_indexes(const struct plan_work *work)
{
    return work->kind == WORK_INDEX_DROP || work->kind == WORK_REINDEX;
}

static void compare(struct scene *scene, const struct plan_statement *statement)
{
    char *more = sql_text(scene->watcher, unclaimed, PQbackendPID(scene->runner),
                          replaces_indexes(&statement->work) ? "true" : "false");

    if (*more != '\0') {
        print_error("%s\n  %s: %s\n  locks that the plan does not claim: %s\n", scene->written,
                    plan_section_name(statement->section), statement->sql, more);
        scene->weak++;
    }
    free(more);
}

/* ---- running ---- */

/* Rows that the session has read from end to end, and what has been written anew. */
static const char scanned[] =
    "SELECT coalesce(sum(seq_tup_read), 0) FROM pg_stat_xact_user_tables WHERE schemaname = 'public'";
static const char rewritten[] =
    "SELECT string_agg(relname, ', ') FROM pg_class JOIN pg_temp.written USING (oid)\n"
    "WHERE relfilenode <> file";

static void compare_effort(struct scene *scene, const struct plan_statement *statement, int64_t before)
{
    enum plan_effort effort = statement->work.cost.effort;
    int64_t read = sql_number(scene->runner, scanned) - before;
    char *written = sql_text(scene->runner, rewritten);

    if ((effort == EFFORT_MOMENT && read > 0) || (effort == EFFORT_REWRITE) != (*written != '\0')) {
        print_error("%s\n  %s: %s\n  said: %s; rows read: %" PRId64 "; written anew: %s\n", scene->written,
                    plan_section_name(statement->section), statement->sql, plan_effort_name(effort), read,
                    written);
        scene->weak++;
    }
    free(written);
}

static void run_inside(struct scene *scene, const struct plan_statement *statement)
{
    int64_t before;

    sql_run(scene->runner, "TRUNCATE pg_temp.written; INSERT INTO pg_temp.written\n"
                           "SELECT oid, relfilenode FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace");
    sql_run(scene->runner, "BEGIN");
    before = sql_number(scene->runner, scanned);
    sql_run(scene->runner, "%s", statement->sql);
    compare(scene, statement);
    compare_effort(scene, statement, before);
    sql_run(scene->runner, "COMMIT");
}

static void finish_outside(struct scene *scene, const struct plan_statement *statement)
{
    PGresult *result;

    while ((result = PQgetResult(scene->runner)) != NULL) {
        if (PQresultStatus(result) != PGRES_COMMAND_OK && PQresultStatus(result) != PGRES_TUPLES_OK)
            test_fail("%s: %s", statement->sql, PQresultErrorMessage(result));
        PQclear(result);
    }
}

/* True once it waits; false when it has ended. */
static bool waits(struct scene *scene, const struct plan_statement *statement)
{
    int64_t deadline = test_now_ms() + PATIENCE_MS;

    for (;;) {
        assert_true(PQconsumeInput(scene->runner) == 1);
        if (!PQisBusy(scene->runner))
            return false;
        compare(scene, statement);
        if (sql_number(scene->watcher, "SELECT count(*) FROM pg_locks WHERE pid = %d AND NOT granted",
                       PQbackendPID(scene->runner)) > 0)
            return true;
        if (test_now_ms() > deadline)
            test_fail("neither waits nor ends: %s", statement->sql);
        test_pause();
    }
}

/* The first stands in the way of the table's lock, the second of those who wait for writers, the third of
 * those who wait for readers and old snapshots. */
static void stand_in_the_way(struct scene *scene, const char *table)
{
    sql_run(scene->sides[0], "BEGIN; LOCK TABLE %s IN SHARE UPDATE EXCLUSIVE MODE", table);
    sql_run(scene->sides[1], "BEGIN; LOCK TABLE %s IN ROW EXCLUSIVE MODE", table);
    sql_run(scene->sides[2], "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT FROM %s LIMIT 1", table);
}

static void run_outside(struct scene *scene, const struct plan_statement *statement)
{
    const struct plan_work *work = &statement->work;
    char *table = work->lock_count == 0
                      ? strdup("")
                      : sql_text(scene->runner,
                                 "SELECT coalesce((SELECT indrelid FROM pg_index WHERE indexrelid = name),\n"
                                 "  name)::regclass FROM to_regclass('%s') AS name",
                                 work->locks[0].relation);

    if (*table != '\0')
        stand_in_the_way(scene, table);
    assert_int_equal(PQsendQuery(scene->runner, statement->sql), 1);
    for (size_t i = 0; *table != '\0' && i < sizeof(scene->sides) / sizeof(scene->sides[0]); i++) {
        bool waited = waits(scene, statement);

        if (i == 0 && !waited)
            test_fail("does not wait for its lock on %s: %s", table, statement->sql);
        compare(scene, statement);
        sql_run(scene->sides[i], "COMMIT");
    }
    while (waits(scene, statement))
        continue;
    finish_outside(scene, statement);
    free(table);
}

static void run_section(struct scene *scene, const struct plan *plan, enum plan_section section)
{
    for (size_t i = 0; i < plan->statement_count; i++) {
        const struct plan_statement *statement = &plan->statements[i];

        if (statement->section != section)
            continue;
        note_claims(scene, &statement->work);
        if (statement->transactional)
            run_inside(scene, statement);
        else
            run_outside(scene, statement);
        see(&scene->seen, statement);
    }
}

static void note_known(struct scene *scene)
{
    sql_run(scene->watcher,
            "SET client_min_messages = warning; DROP TABLE IF EXISTS pg_temp.known, pg_temp.claim;\n"
            "CREATE TEMP TABLE claim (relation oid, level int);\n"
            "CREATE TEMP TABLE known AS SELECT c.oid, c.oid::regclass::text AS name, relkind AS kind\n"
            "  FROM pg_class c WHERE c.oid >= 16384\n"
            "    AND relnamespace IN ('public'::regnamespace, 'pg_toast'::regnamespace)");
}

static const enum plan_section ways[][5] = {
    {PLAN_EXPAND, PLAN_BACKFILL, PLAN_CONTRACT, PLAN_PURGE, PLAN_SECTIONS},
    {PLAN_EXPAND, PLAN_BACKFILL, PLAN_CONTRACT, PLAN_RESTORE, PLAN_SECTIONS},
    {PLAN_EXPAND, PLAN_BACKFILL, PLAN_UNDO, PLAN_SECTIONS},
};

static bool has_section(const struct plan *plan, enum plan_section section)
{
    for (size_t i = 0; i < plan->statement_count; i++)
        if (plan->statements[i].section == section)
            return true;
    return false;
}

static enum plan_section last_of(const enum plan_section *way)
{
    while (way[1] != PLAN_SECTIONS)
        way++;
    return *way;
}

static void reset(struct scene *scene)
{
    sql_run(scene->runner, "%s", library);
    sql_run(scene->runner, "DROP TABLE IF EXISTS pg_temp.written;\n"
                           "CREATE TEMP TABLE written (oid oid, file oid)");
    note_known(scene);
}

/* The first way is taken by all; the others by those that have its end. */
static void take_ways(struct scene *scene)
{
    struct plan *plan;

    reset(scene);
    plan = make_plan(scene->runner, scene->written);
    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        if (i > 0 && !has_section(plan, last_of(ways[i])))
            continue;
        if (i > 0)
            reset(scene);
        for (const enum plan_section *section = ways[i]; *section != PLAN_SECTIONS; section++)
            run_section(scene, plan, *section);
    }
    plan_free(plan);
}

/* ---- what the golden files show ---- */

static struct catalog *facts_beside(const char *name)
{
    struct catalog *catalog = NULL;
    char *path = NULL, *text;

    assert_true(asprintf(&path, "%s/%.*s.json", goldens, (int)(strlen(name) - strlen(".sql")), name) > 0);
    text = scratch_read(path);
    if (*text != '\0')
        catalog = planner_catalog_read(text, strlen(text));
    free(text);
    free(path);
    return catalog;
}

/* The number of steps in a golden file's plan that no case has. */
static unsigned miss(const struct scene *scene, const char *name)
{
    struct catalog *catalog = facts_beside(name);
    struct plan_options options = {.version = VERSION, .catalog = catalog};
    unsigned missed = 0;
    struct plan *plan;
    char *path = NULL, *text;

    assert_true(asprintf(&path, "%s/%s", goldens, name) > 0);
    text = scratch_read(path);
    plan = plan_read(text, strlen(text), &options);
    for (size_t i = 0; i < plan->statement_count && !plan_is_refused(plan); i++) {
        char *step = step_of(&plan->statements[i]);

        if (plan->statements[i].work.generated && !has_seen(&scene->seen, step)) {
            print_error("%s: no case compares the locks of: %s\n    %s\n", name, step,
                        plan->statements[i].sql);
            missed++;
        }
        free(step);
    }
    plan_free(plan);
    free(text);
    free(path);
    catalog_free(catalog);
    return missed;
}

static unsigned miss_any(const struct scene *scene)
{
    DIR *folder = opendir(goldens);
    const struct dirent *entry;
    unsigned missed = 0, files = 0;

    if (folder == NULL)
        test_fail("no %s: the tests run in the project's folder", goldens);
    while ((entry = readdir(folder)) != NULL) {
        const char *end = strrchr(entry->d_name, '.');

        if (end == NULL || strcmp(end, ".sql") != 0)
            continue;
        files++;
        missed += miss(scene, entry->d_name);
    }
    closedir(folder);
    assert_true(files > 0);
    return missed;
}

static void no_form_takes_a_lock_that_its_plan_does_not_claim(void **state)
{
    struct scene scene = {.world = *state};

    struct http_client *client = world_client(scene.world);

    /* What is hidden belongs to a version. */
    rollout_submit(client, VERSION, "-- schemagate: expand\nSELECT 1;\n");
    rollout_wait(client, VERSION, "complete");
    scene.runner = sql_open(scene.world->conninfo);
    scene.watcher = sql_open(scene.world->conninfo);
    for (size_t i = 0; i < sizeof(scene.sides) / sizeof(scene.sides[0]); i++)
        scene.sides[i] = sql_open(scene.world->conninfo);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        scene.written = cases[i];
        take_ways(&scene);
    }
    assert_int_equal(scene.weak, 0);
    if (miss_any(&scene) > 0)
        fail_msg("a form has no case here: add a line to `cases`");
    for (size_t i = 0; i < scene.seen.count; i++)
        free(scene.seen.steps[i]);
    for (size_t i = 0; i < sizeof(scene.sides) / sizeof(scene.sides[0]); i++)
        PQfinish(scene.sides[i]);
    PQfinish(scene.runner);
    PQfinish(scene.watcher);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        world_test(no_form_takes_a_lock_that_its_plan_does_not_claim),
    };

    return world_run(tests);
}
