/* Backfills in batches: every kind of key, tables without one, families of tables; kill -9 in between. Each
 * row is changed exactly once. */
#include "backfill_scene.h"

#include <string.h>

/* ---- keys ---- */

static void every_kind_of_key_meets_each_row_once(void **state)
{
    static const struct {
        const char *columns, *values, *key;
    } tables[] = {
        {"k int PRIMARY KEY", "i", "k"},
        {"k bigint PRIMARY KEY", "-i * 10000000000", "k"},
        {"k smallint PRIMARY KEY", "i", "k"},
        {"k numeric PRIMARY KEY", "i / 7.0", "k"},
        {"k text PRIMARY KEY", "chr(32 + i % 60) || ' ''\\' || i", "k"},
        {"k text COLLATE \"C\" PRIMARY KEY", "md5(i::text)", "k"},
        {"k text COLLATE \"de-x-icu\" PRIMARY KEY", "'ä' || chr(65 + i % 58) || i", "k"},
        {"k varchar(40) PRIMARY KEY", "repeat('x', i % 30) || i", "k"},
        {"k char(12) PRIMARY KEY", "'c ' || i", "k"},
        {"k uuid PRIMARY KEY", "md5(i::text)::uuid", "k"},
        {"k timestamptz PRIMARY KEY", "'2026-03-29 00:00+00'::timestamptz + i * interval '1.000001 s'", "k"},
        {"k timestamp PRIMARY KEY", "'2026-03-29'::timestamp + i * interval '1 h'", "k"},
        {"k date PRIMARY KEY", "'2020-01-01'::date + i", "k"},
        {"k bytea PRIMARY KEY", "decode(md5(i::text), 'hex')", "k"},
        {"k inet PRIMARY KEY", "'10.0.0.0'::inet + i", "k"},
        {"k macaddr PRIMARY KEY", "('08002b01' || lpad(to_hex(i), 4, '0'))::macaddr", "k"},
        {"k narrower PRIMARY KEY", "i", "k"},
        {"m mood, b bool, c time, k int, PRIMARY KEY (m, b, c, k)",
         "(array['happy', 'sad', 'ok']::mood[])[i % 3 + 1], i % 2 = 0, '10:00', i", "m,b,c,k"},
        /* Equal values, other texts. */
        {"a numeric, k int, PRIMARY KEY (a, k)", "(array[1.0, 1.00, 1.000, 2.0])[i % 4 + 1], i", "a,k"},
        {"\"a b\" int, k text, PRIMARY KEY (\"a b\", k)", "i % 7, i::text", "\"a b\",k"},
        {"a uuid, b timestamptz, c int, PRIMARY KEY (a, b, c)",
         "md5((i % 3)::text)::uuid, now() - i % 11 * interval '1 s', i", "a,b,c"},
        {"a int NOT NULL UNIQUE, b text", "i, 'b'", "a"},
        {"k double precision PRIMARY KEY, a int NOT NULL UNIQUE", "i / 3.0, i", "a"},
        {"k int, a int NOT NULL", "i, i", ""}, /* with the index below */
    };
    struct world *world = *state;
    struct http_client *client = client_of_small_batches(world);

    sql_run(world->sql, "CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy'); CREATE DOMAIN narrow AS bigint;"
                        "CREATE DOMAIN narrower AS narrow CHECK (value <> 0)");
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
        sql_run(world->sql, "DROP TABLE IF EXISTS t; CREATE TABLE t (%s, n int NOT NULL DEFAULT 0);"
                            "INSERT INTO t SELECT %s FROM generate_series(1, " ROWS ") AS i; ANALYZE t",
                tables[i].columns, tables[i].values);
        if (tables[i].key[0] == '\0')
            sql_run(world->sql, "CREATE UNIQUE INDEX descending ON t (k DESC, a DESC);"
                                "ALTER TABLE t ALTER k SET NOT NULL");
        fill(client, (int64_t)i + 1, "UPDATE t SET n = n + 1");
        expect_all_once(world, "t");
        expect_progress(world, (int64_t)i + 1, "whole", "");
        expect_progress(world, (int64_t)i + 1, "rows", ROWS);
        char *key = sql_text(world->sql,
                             "SELECT string_agg(k->>'name', ',') FROM schemagate.step, "
                             "jsonb_array_elements(progress->'key') AS k WHERE version = %zu", i + 1);
        assert_string_equal(key, tables[i].key[0] != '\0' ? tables[i].key : "k,a");
        free(key);
    }
}

/* Where the extension lives in a schema that is not on the search_path, its comparisons are not found by
 * their names: those of text are, which order otherwise than the index. */
static void comparisons_are_those_of_the_index(void **state)
{
    struct world *world = *state;
    if (sql_number(world->sql, "SELECT count(*) FROM pg_available_extensions WHERE name = 'citext'") == 0)
        skip();
    struct http_client *client = client_of_small_batches(world);
    sql_run(world->sql, "CREATE SCHEMA ext; CREATE EXTENSION citext SCHEMA ext;"
                        "CREATE TABLE t (a int, k ext.citext, n int NOT NULL DEFAULT 0, PRIMARY KEY (k, a));"
                        "INSERT INTO t SELECT i, CASE i %% 2 WHEN 0 THEN upper(md5((i / 50)::text)) "
                        "ELSE md5((i / 50)::text) END FROM generate_series(1, " ROWS ") AS i; ANALYZE t");
    fill(client, 1, "UPDATE t SET n = n + 1");
    expect_all_once(world, "t");
    expect_progress(world, 1, "whole", "");
}

/* A column that is generated from one that the statement sets moves its row to the end of the key, again and
 * again. */
static void what_moves_with_the_statement_is_no_key(void **state)
{
    struct world *world = *state;
    struct http_client *client = client_of_small_batches(world);
    sql_run(world->sql, "CREATE TABLE t (n int, k int NOT NULL, "
                        "g int GENERATED ALWAYS AS (n + k * 10) STORED NOT NULL UNIQUE, "
                        "d int NOT NULL DEFAULT 0);"
                        "INSERT INTO t (n, k) SELECT 0, i FROM generate_series(1, " ROWS ") AS i; ANALYZE t");
    fill(client, 1, "UPDATE t SET n = n + 1000000");
    assert_int_equal(sql_number(world->sql, "SELECT count(*) FROM t WHERE n <> 1000000"), 0);
    fill(client, 2, "DELETE FROM t WHERE k > 2500"); /* it sets nothing */
    expect_progress(world, 2, "whole", "");
}

/* All of them have the same first column: a comparison of rows would be read to the end of it each time. */
static void a_batch_reads_its_own_rows_alone(void **state)
{
    struct world *world = *state;
    world_client(world);
    sql_run(world->sql, "CREATE TABLE t (a int, b text, c int, PRIMARY KEY (a, b, c));"
                        "INSERT INTO t SELECT 1, CASE WHEN i < 90000 THEN 'm' ELSE 'x' END, i "
                        "FROM generate_series(1, 100000) AS i;"
                        "CREATE FUNCTION pages_of(low jsonb, high jsonb) RETURNS bigint "
                        "LANGUAGE plpgsql AS $$ "
                        "DECLARE key jsonb := schemagate.backfill_key('t'::regclass, '{}'); "
                        "plan jsonb; range text; pages bigint := 0; found bigint := 0; BEGIN "
                        "FOR range IN SELECT schemagate.backfill_ranges('t', key, low, high) LOOP "
                        "EXECUTE 'EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) SELECT FROM t WHERE ' || range "
                        "INTO plan; "
                        "pages := pages + (plan->0->'Plan'->'Shared Hit Blocks')::bigint "
                        "+ (plan->0->'Plan'->'Shared Read Blocks')::bigint; "
                        "found := found + (plan->0->'Plan'->'Actual Rows')::numeric::bigint; END LOOP; "
                        "RETURN CASE WHEN found = 1000 THEN pages ELSE -found END; END $$");
    sql_run(world->sql, "VACUUM ANALYZE t");
    static const char *const ranges[] = {
        "null, '[1, \"m\", 1000]'",
        "'[1, \"m\", 50000]', '[1, \"m\", 51000]'",
        "'[1, \"m\", 89499]', '[1, \"x\", 90499]'",
    };
    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++) {
        int64_t pages = sql_number(world->sql, "SELECT pages_of(%s)", ranges[i]);
        if (pages < 0 || pages > 60)
            test_fail("%s: %lld pages", ranges[i], (long long)pages);
    }
}

static void a_table_without_a_key_goes_by_pages_until_none_is_left(void **state)
{
    struct world *world = *state;
    struct http_client *client = client_of_small_batches(world);
    sql_run(world->sql, "CREATE TABLE t (a int, n int); INSERT INTO t SELECT i FROM generate_series(1, " ROWS
                        ") AS i");
    fill(client, 1, "UPDATE t SET n = 1 WHERE n IS NULL");
    expect_all_once(world, "t");
    expect_progress(world, 1, "whole", "");
    expect_progress(world, 1, "verified", "true");
    /* Rows move between pages: what must not touch a row twice does not go by them. */
    fill(client, 2, "UPDATE t SET n = n + 1");
    char *whole = progress_of(world, 2, "whole");
    assert_non_null(strstr(whole, "public.t has no unique key"));
    free(whole);
    assert_int_equal(sql_number(world->sql, "SELECT count(*) FROM t WHERE n <> 2"), 0);
    /* Nor is a key one that the statement changes. */
    sql_run(world->sql, "ALTER TABLE t ADD PRIMARY KEY (a)");
    fill(client, 3, "UPDATE t SET a = a + 100000");
    whole = progress_of(world, 3, "whole");
    assert_non_null(strstr(whole, "public.t has no unique key"));
    free(whole);
}

/* Which PostgreSQL 18 has: rows that were there may be without the key, and would be passed by. */
static void a_key_that_rows_may_lack_is_none(void **state)
{
    struct world *world = *state;
    if (PQserverVersion(world->sql) < 180000)
        return;
    struct http_client *client = client_of_small_batches(world);
    sql_run(world->sql, "CREATE TABLE t (k int UNIQUE, n int DEFAULT 0); INSERT INTO t SELECT nullif(i, 7) "
                        "FROM generate_series(1, " ROWS ") AS i; ALTER TABLE t ADD NOT NULL k NOT VALID;"
                        "CREATE FUNCTION give() RETURNS trigger LANGUAGE plpgsql AS "
                        "'BEGIN NEW.k := coalesce(NEW.k, 7); RETURN NEW; END';"
                        "CREATE TRIGGER give BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION give()");
    fill(client, 1, "UPDATE t SET n = n + 1");
    expect_all_once(world, "t");
    char *whole = progress_of(world, 1, "whole");
    assert_non_null(strstr(whole, "public.t has no unique key"));
    free(whole);
}

static void empty_and_tiny_tables_take_one_batch(void **state)
{
    struct world *world = *state;
    struct http_client *client = world_client(world);
    sql_run(world->sql, "CREATE TABLE empty (k int PRIMARY KEY, n int);"
                        "CREATE TABLE tiny (k int PRIMARY KEY, n int); INSERT INTO tiny VALUES (1), (2)");
    fill(client, 1, "UPDATE empty SET n = 1 WHERE n IS NULL");
    fill(client, 2, "UPDATE tiny SET n = 1 WHERE n IS NULL");
    expect_all_once(world, "tiny");
    expect_progress(world, 2, "verified", "true");
    /* The batch, and the end of the phase. */
    assert_int_equal(sql_number(world->sql, "SELECT max(attempts) FROM schemagate.step"), 1);
    char *report = sql_text(world->sql, "SELECT concat_ws(' ', data->'backfill'->>'rows', "
                                        "data->'backfill'->>'verified') FROM schemagate.event "
                                        "WHERE kind = 'migration.complete' AND version = 2");
    assert_string_equal(report, "2 true");
    free(report);
}

/* What a crash of the server takes back, its progress goes with; the last one tells that all is done. */
static void only_the_last_batch_waits_for_the_disk(void **state)
{
    struct world *world = *state;
    struct http_client *client = client_of_small_batches(world);
    sql_run(world->sql, "CREATE TABLE t (k int PRIMARY KEY, n int DEFAULT 0);"
                        "INSERT INTO t SELECT generate_series(1, " ROWS ");"
                        "CREATE TABLE seen (done bool, waits text);"
                        "CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN "
                        "INSERT INTO public.seen SELECT (NEW.progress->''done'')::bool, "
                        "current_setting(''synchronous_commit''); RETURN NULL; END';"
                        "CREATE CONSTRAINT TRIGGER see AFTER UPDATE ON schemagate.step "
                        "DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.progress IS NOT NULL) "
                        "EXECUTE FUNCTION see()");
    fill(client, 1, "UPDATE t SET n = n + 1");
    expect_all_once(world, "t");
    assert_int_equal(sql_number(world->sql, "SELECT count(*) FROM seen WHERE done <> (waits = 'on')"), 0);
    assert_int_equal(sql_number(world->sql, "SELECT count(DISTINCT done) FROM seen"), 2);
}

/* As PostgreSQL 13 needs it, which has no ranges of ctid: every place of every page, among them the last ones
 * of pages that are full of the smallest rows, and the gaps that deleted rows have left. */
static void pages_are_read_place_by_place_where_there_are_no_ranges(void **state)
{
    struct world *world = *state;
    struct http_client *client = client_of_small_batches(world);
    sql_run(world->sql, "CREATE TABLE thin (); INSERT INTO thin SELECT FROM generate_series(1, 2000);"
                        "CREATE TABLE t (a int, n int); INSERT INTO t SELECT i FROM generate_series(1, 2 * "
                        ROWS ") AS i; DELETE FROM t WHERE a %% 2 = 0");
    sql_run(world->sql, "VACUUM ANALYZE t");
    assert_int_equal(sql_number(world->sql, "SELECT max((ctid::text::point)[1]) FROM thin"), 291);
    char *predicate = sql_text(world->sql, "SELECT schemagate.backfill_pages('thin', 0, 6, false)");
    assert_int_equal(sql_number(world->sql, "SELECT count(*) FROM thin WHERE %s", predicate), 6 * 291);
    char *plan = sql_text(world->sql, "EXPLAIN (FORMAT JSON) DELETE FROM ONLY thin WHERE %s", predicate);
    if (strstr(plan, "\"Tid Scan\"") == NULL)
        test_fail("%s", plan);
    free(plan);
    free(predicate);
    sql_run(world->sql, "CREATE OR REPLACE FUNCTION schemagate.backfill_has_ranges() RETURNS bool "
                        "LANGUAGE sql STABLE AS 'SELECT false'");
    fill(client, 1, "UPDATE t SET n = 1 WHERE n IS NULL");
    expect_all_once(world, "t");
    expect_progress(world, 1, "whole", "");
    expect_progress(world, 1, "rows", ROWS);
    expect_progress(world, 1, "verified", "true");
}

/* ---- families ---- */

static void partitions_and_heirs_go_one_by_one(void **state)
{
    struct world *world = *state;
    struct http_client *client = client_of_small_batches(world);
    sql_run(world->sql,
            "CREATE TABLE p (id int, at int, n int DEFAULT 0, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);"
            "CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (100);"
            "CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (100) TO (200) PARTITION BY HASH (id);"
            "CREATE TABLE p2a PARTITION OF p2 FOR VALUES WITH (MODULUS 2, REMAINDER 0);"
            "CREATE TABLE p2b PARTITION OF p2 FOR VALUES WITH (MODULUS 2, REMAINDER 1);"
            "CREATE TABLE empty PARTITION OF p FOR VALUES FROM (200) TO (300);"
            "INSERT INTO p SELECT i, i %% 200 FROM generate_series(1, " ROWS ") AS i;"
            "CREATE TABLE parent (k int PRIMARY KEY, n int DEFAULT 0);"
            "CREATE TABLE heir (more text, PRIMARY KEY (k)) INHERITS (parent);"
            "INSERT INTO parent SELECT i FROM generate_series(1, 2000) AS i;"
            "INSERT INTO heir SELECT i FROM generate_series(1, 2000) AS i");
    fill(client, 1, "UPDATE p SET n = p.n + 1");
    expect_all_once(world, "p");
    expect_progress(world, 1, "whole", "");
    expect_progress(world, 1, "part", "public.p2b");
    fill(client, 2, "UPDATE parent AS x SET n = x.n + 1");
    expect_all_once(world, "parent");
    fill(client, 3, "UPDATE ONLY parent SET n = n + 1");
    assert_int_equal(sql_number(world->sql, "SELECT count(*) FROM parent WHERE n = 2"), 2000);
    /* It may move rows: through the parent, and at once. */
    fill(client, 4, "UPDATE p SET at = (at + 100) % 200");
    char *whole = progress_of(world, 4, "whole");
    assert_string_not_equal(whole, "");
    free(whole);
    assert_int_equal(sql_number(world->sql, "SELECT count(*) FROM p WHERE at = id %% 200"), 0);
}

static void pause_within(struct http_client *client, struct world *world, const char *part)
{
    while (sql_number(world->sql, "SELECT count(*) FROM schemagate.step WHERE progress->>'part' = '%s'",
                      part) == 0)
        continue;
    rollout_act(client, 1, "pause");
    while (sql_number(world->sql, "SELECT count(*) FROM pg_stat_activity WHERE state <> 'idle' AND "
                                  "query LIKE '%%One batch%%' AND pid <> pg_backend_pid()") > 0)
        continue;
}

/* Paused while the first of two partitions is gone through. */
static struct http_client *pause_within_partitions(struct world *world)
{
    struct http_client *client = client_of_small_batches(world);
    sql_run(world->sql,
            "CREATE TABLE p (k int PRIMARY KEY, n int DEFAULT 0) PARTITION BY RANGE (k);"
            "CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (100000);"
            "CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (100000) TO (200000);"
            "INSERT INTO p SELECT generate_series(1, 102000); ANALYZE p");
    submit_backfill(client, 1, "UPDATE p SET n = n + 1");
    pause_within(client, world, "public.p1");
    return client;
}

/* Those who keep data for a time drop partitions whenever it is over. */
static void a_partition_that_is_dropped_meanwhile_is_passed_over(void **state)
{
    struct world *world = *state;
    struct http_client *client = pause_within_partitions(world);
    sql_run(world->sql, "DROP TABLE p1");
    rollout_act(client, 1, "resume");
    rollout_wait(client, 1, "complete");
    expect_all_once(world, "p");
    assert_int_equal(sql_number(world->sql, "SELECT count(*) FROM p"), 2001);
}

/* Neither missed under its new name, nor met again from its first row on. */
static void a_partition_that_is_renamed_meanwhile_is_asked_for(void **state)
{
    struct world *world = *state;
    struct http_client *client = pause_within_partitions(world);
    sql_run(world->sql, "ALTER TABLE p1 RENAME TO p9");
    rollout_act(client, 1, "resume");
    rollout_wait_status(client, 1, "failed");
    sql_run(world->sql, "ALTER TABLE p9 RENAME TO p1");
    rollout_act(client, 1, "retry");
    rollout_wait(client, 1, "complete");
    expect_all_once(world, "p");
}

/* Pages are no way to go where a row must not be met twice. */
static void a_partition_without_a_key_is_asked_for_one(void **state)
{
    struct world *world = *state;
    struct http_client *client = client_of_small_batches(world);
    sql_run(world->sql, "CREATE TABLE p (k int, n int DEFAULT 0);"
                        "ALTER TABLE p ADD PRIMARY KEY (k); INSERT INTO p SELECT generate_series(1, 100000);"
                        "ANALYZE p");
    submit_backfill(client, 1, "UPDATE p SET n = n + 1");
    pause_within(client, world, "public.p");
    sql_run(world->sql, "CREATE TABLE q () INHERITS (p); INSERT INTO q SELECT generate_series(1, 2000)");
    rollout_act(client, 1, "resume");
    rollout_wait_status(client, 1, "failed");
    sql_run(world->sql, "ALTER TABLE q ADD PRIMARY KEY (k)");
    rollout_act(client, 1, "retry");
    rollout_wait(client, 1, "complete");
    expect_all_once(world, "p");
}

/* ---- other statements ---- */

static void deletes_and_copies_run_in_batches(void **state)
{
    struct world *world = *state;
    struct http_client *client = client_of_small_batches(world);
    sql_run(world->sql,
            "CREATE TABLE t (k int PRIMARY KEY, n int); CREATE TABLE copy (k int PRIMARY KEY, n int);"
            "CREATE TABLE kinds (k int PRIMARY KEY, name text); INSERT INTO kinds SELECT i, i || '!' FROM "
            "generate_series(0, 9) AS i;"
            "INSERT INTO t SELECT i, i %% 10 FROM generate_series(1, " ROWS ") AS i; ANALYZE t");
    fill(client, 1, "INSERT INTO copy (k, n) SELECT k, n FROM t WHERE n < 5 -- half of them\n"
                    "ON CONFLICT (k) DO NOTHING");
    assert_int_equal(sql_number(world->sql, "SELECT count(*) FROM copy"), 2500);
    expect_progress(world, 1, "verified", "true");
    fill(client, 2, "INSERT INTO copy SELECT k + 100000, n FROM t AS source");
    assert_int_equal(sql_number(world->sql, "SELECT count(*) FROM copy"), 7500);
    expect_progress(world, 2, "verified", "");
    fill(client, 3, "DELETE FROM t WHERE n = 3 OR n = 4");
    assert_int_equal(sql_number(world->sql, "SELECT count(*) FROM t"), 4000);
    expect_progress(world, 3, "verified", "true");
    sql_run(world->sql, "ALTER TABLE t ADD name text");
    fill(client, 4, "UPDATE t SET name = (SELECT kinds.name FROM kinds WHERE kinds.k = t.n) "
                    "WHERE name IS NULL");
    assert_int_equal(sql_number(world->sql, "SELECT count(*) FROM t WHERE name = n || '!'"), 4000);
    expect_progress(world, 4, "verified", "true");
}

static void expect_whole(struct world *world, int64_t version, const char *why)
{
    char *whole = progress_of(world, version, "whole");
    if (strstr(whole, why) == NULL)
        test_fail("migration %lld: %s", (long long)version, whole);
    free(whole);
}

/* An aggregate of an author's own looks like any function; so does one in a sub-select that is over the rows
 * of the statement. */
static void aggregates_of_authors_see_all_rows(void **state)
{
    struct world *world = *state;
    struct http_client *client = client_of_small_batches(world);
    sql_run(world->sql,
            "CREATE SCHEMA app; CREATE AGGREGATE app.total (bigint) "
            "(SFUNC = int8pl, STYPE = bigint, INITCOND = 0);"
            "CREATE TABLE t (k int PRIMARY KEY, n int); CREATE TABLE sums (n bigint);"
            "CREATE TABLE parts (t int, n int); CREATE TABLE copy (k int PRIMARY KEY, n bigint);"
            "INSERT INTO t SELECT i, i FROM generate_series(1, " ROWS ") AS i;"
            "INSERT INTO parts SELECT k, 1 FROM t CROSS JOIN generate_series(1, 2);"
            "CREATE INDEX ON parts (t); ANALYZE");
    fill(client, 1, "INSERT INTO sums SELECT app.total(n) FROM t");
    expect_whole(world, 1, "app.total is an aggregate");
    fill(client, 2, "SET search_path = app, public; INSERT INTO sums SELECT total(n) FROM t");
    fill(client, 3, "INSERT INTO sums SELECT (SELECT app.total(t.n)) FROM t");
    expect_whole(world, 3, "app.total is an aggregate");
    fill(client, 4, "INSERT INTO sums SELECT (SELECT max(t.n)) FROM t");
    assert_int_equal(sql_number(world->sql, "SELECT count(*) FROM sums WHERE n = 12502500"), 3);
    assert_int_equal(sql_number(world->sql, "SELECT count(*) FROM sums"), 4);
    /* One over the rows of another table has the same ones in each batch. */
    fill(client, 5, "INSERT INTO copy SELECT k, (SELECT app.total(p.n) FROM parts AS p WHERE p.t = o.k) "
                    "FROM t AS o");
    expect_progress(world, 5, "whole", "");
    assert_int_equal(sql_number(world->sql, "SELECT count(*) FROM copy WHERE n = 2"), 5000);
}

static void functions_that_read_as_of_the_statement_run_in_one(void **state)
{
    struct world *world = *state;
    struct http_client *client = client_of_small_batches(world);
    sql_run(world->sql,
            "CREATE TABLE t (k int PRIMARY KEY, n int DEFAULT 0, s text);"
            "INSERT INTO t SELECT i FROM generate_series(1, " ROWS ") AS i; ANALYZE;"
            "CREATE FUNCTION done() RETURNS int STABLE LANGUAGE sql AS 'SELECT n FROM public.t WHERE k = 1';"
            "CREATE FUNCTION slug(text) RETURNS text LANGUAGE sql AS 'SELECT lower($1)'");
    fill(client, 1, "UPDATE t SET n = 1 + done()");
    expect_whole(world, 1, "public.done is STABLE");
    expect_all_once(world, "t");
    /* What each row gets by itself goes in batches. */
    fill(client, 2, "UPDATE t SET s = slug('A' || k)");
    expect_progress(world, 2, "whole", "");
    assert_int_equal(sql_number(world->sql, "SELECT count(*) FROM t WHERE s = 'a' || k"), 5000);
}

/* The value that it fills in may be null: the condition then never becomes false, and the backfill ends all
 * the same, and says so. */
static void what_stays_unfilled_is_counted(void **state)
{
    struct world *world = *state;
    struct http_client *client = client_of_small_batches(world);
    sql_run(world->sql, "CREATE TABLE t (k int PRIMARY KEY, a text, b text);"
                        "INSERT INTO t SELECT i, CASE WHEN i > 7 THEN 'a' END FROM generate_series(1, " ROWS
                        ") AS i");
    fill(client, 1, "UPDATE t SET b = upper(a) WHERE b IS NULL");
    expect_progress(world, 1, "verified", "false");
    expect_progress(world, 1, "left", "7");
}

/* ---- kill -9 ---- */

/* Each row has left a dead one behind: what to do about it is told as it can be typed. */
static void expect_vacuum(struct world *world, struct http_client *client)
{
    const struct http_answer *answer = rollout_get(client, 1);
    const char *command = json_text_at(answer->json, "/backfill/vacuum/0");

    assert_string_equal(command, "VACUUM (ANALYZE) public.t");
    sql_run(world->sql, "%s", command);
    assert_int_equal(sql_number(world->sql, "SELECT count(*) FROM schemagate.event WHERE data->'backfill'->>"
                                            "'vacuum' = '[\"%s\"]'", command), 1);
}

static void killed_again_and_again_each_row_is_changed_once(void **state)
{
    static const char *const failpoints[] = {
        "backfill-begin=kill:2", "backfill-committed=kill:3", "backfill-sent=kill:4",
    };
    struct world *world = *state;
    struct daemon *daemon = NULL;

    sql_run(world->sql, "CREATE TABLE t (k int PRIMARY KEY, n int NOT NULL DEFAULT 0);"
                        "INSERT INTO t SELECT i FROM generate_series(1, 20000) AS i; ANALYZE t");
    for (size_t i = 0; i < sizeof failpoints / sizeof failpoints[0]; i++) {
        daemon = world_launch(world, &(struct daemon_options){.failpoint = failpoints[i],
                                                              .environment = small_batches});
        if (i == 0) {
            daemon_wait_leader(daemon);
            http_tell(&daemon->client, "POST",
                      json_pack("{s:i, s:s}", "version", 1, "sql",
                                "-- schemagate: expand\n-- schemagate: backfill\nUPDATE t SET n = n + 1;\n"),
                      "/v1/migrations");
        }
        daemon_expect_killed(daemon);
        assert_int_equal(sql_number(world->sql, "SELECT count(*) FROM t WHERE n > 1"), 0);
        assert_int_equal(sql_number(world->sql,
                                    "SELECT count(*) - coalesce((SELECT (progress->>'rows')::bigint FROM "
                                    "schemagate.step WHERE section = 'backfill'), 0) FROM t WHERE n = 1"),
                         0);
    }
    struct http_client *client = world_client(world);
    rollout_wait(client, 1, "complete");
    expect_all_once(world, "t");
    expect_progress(world, 1, "rows", "20000");
    expect_vacuum(world, client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        world_test(every_kind_of_key_meets_each_row_once),
        world_test(comparisons_are_those_of_the_index),
        world_test(what_moves_with_the_statement_is_no_key),
        world_test(a_batch_reads_its_own_rows_alone),
        world_test(a_table_without_a_key_goes_by_pages_until_none_is_left),
        world_test(pages_are_read_place_by_place_where_there_are_no_ranges),
        world_test(a_key_that_rows_may_lack_is_none),
        world_test(empty_and_tiny_tables_take_one_batch),
        world_test(only_the_last_batch_waits_for_the_disk),
        world_test(partitions_and_heirs_go_one_by_one),
        world_test(a_partition_that_is_dropped_meanwhile_is_passed_over),
        world_test(a_partition_that_is_renamed_meanwhile_is_asked_for),
        world_test(a_partition_without_a_key_is_asked_for_one),
        world_test(deletes_and_copies_run_in_batches),
        world_test(aggregates_of_authors_see_all_rows),
        world_test(functions_that_read_as_of_the_statement_run_in_one),
        world_test(what_stays_unfilled_is_counted),
        world_test(killed_again_and_again_each_row_is_changed_once),
    };
    return world_run(tests);
}
