/* Old and new shape side by side, on a real server: old and new code read and write at once, and what one of
 * them writes is what the other reads, at every moment. */
#include <support/expect.h>
#include <support/samples.h>
#include <support/world.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { ROUNDS = 15 }; /* that each release does beside the other */

static const char library[] =
    "DROP TABLE IF EXISTS book, author, thing CASCADE;\n"
    "DROP VIEW IF EXISTS book; DROP TABLE IF EXISTS volume;\n"
    "CREATE TABLE author (name text PRIMARY KEY, born int NOT NULL, note text);\n"
    "INSERT INTO author SELECT 'author ' || i, 1900 + i FROM generate_series(1, 9) AS i;\n"
    "CREATE TABLE thing (id serial PRIMARY KEY, label text);\nINSERT INTO thing (label) VALUES ('first');\n"
    "DROP TABLE IF EXISTS person;\n"
    "CREATE TABLE person (id int PRIMARY KEY, full_name text NOT NULL DEFAULT 'No Body', street text,\n"
    "  city text);\n"
    "INSERT INTO person SELECT i, 'First' || i || ' Last', nullif('street ' || i % 9, 'street 0'), 'city'\n"
    "  FROM generate_series(1, 3000) AS i;\n"
    "CREATE TABLE book (id int PRIMARY KEY, title varchar(80) NOT NULL DEFAULT 'none',\n"
    "  writer text REFERENCES author, price int CHECK (price > 0), shelf int, CONSTRAINT one_title UNIQUE "
    "(title, shelf));\n"
    "CREATE INDEX book_title ON book (lower(title)) WHERE title <> '';\n"
    "CREATE INDEX book_price ON book (price, shelf);\n"
    "COMMENT ON COLUMN book.title IS 'as printed';\n"
    "INSERT INTO book SELECT i, 'book ' || i, 'author ' || i % 9 + 1, i, i % 7 FROM generate_series(1, "
    "3000) AS i;\n";

/* What a release does again and again; each release has ids of its own to insert. */
struct scenario {
    const char *name, *written, *old_code, *new_code;
    const char *equal;   /* true at every moment in which both shapes are there */
    const char *finally; /* true at the end */
};

static const struct scenario scenarios[] = {
    {"a column is renamed", "ALTER TABLE book RENAME COLUMN title TO name;",
     "INSERT INTO book (id, title) VALUES (-1, 'old') ON CONFLICT (id) DO UPDATE SET title = book.title || "
     "'.';\n"
     "UPDATE book SET title = 'old ' || id, shelf = 1 WHERE id IN (17, 2011);\n"
     "UPDATE book SET shelf = shelf + 1 WHERE id = 2500;\nDELETE FROM book WHERE id = -1",
     "INSERT INTO book (id, name) VALUES (-2, 'new') ON CONFLICT (id) DO UPDATE SET name = book.name || "
     "'!';\n"
     "UPDATE book SET name = 'new ' || id, shelf = 2 WHERE id IN (17, 2011);\nDELETE FROM book WHERE id = "
     "-2",
     "SELECT count(*) = 0 FROM book WHERE name IS DISTINCT FROM title",
     "SELECT attnotnull AND col_description(attrelid, attnum) = 'as printed'\n"
     "  AND (SELECT array_agg(c.relname::text ORDER BY 1) = '{book_pkey,book_price,book_title,one_title}'\n"
     "       FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid WHERE indrelid = 'book'::regclass AND "
     "indisvalid)\n"
     "  AND (SELECT bool_and(name LIKE 'new %' OR name LIKE 'old %') FROM book WHERE id IN (17, 2011))\n"
     "  AND (SELECT pg_get_expr(adbin, adrelid) = '''none''::character varying' FROM pg_attrdef\n"
     "       WHERE adrelid = attrelid AND adnum = attnum)\n"
     "  AND NOT EXISTS (SELECT FROM pg_trigger WHERE tgrelid = attrelid AND NOT tgisinternal)\n"
     "  AND NOT EXISTS (SELECT FROM pg_proc WHERE proname LIKE 'zz_schemagate%')\n"
     "  FROM pg_attribute WHERE attrelid = 'book'::regclass AND attname = 'name'"},
    {"a column with a foreign key is renamed", "ALTER TABLE book RENAME writer TO author;",
     "INSERT INTO book (id, title, writer) VALUES (-1, 'old', 'author 1');\n"
     "UPDATE book SET writer = NULL WHERE id = 17; UPDATE book SET writer = 'author 2' WHERE id = 18;\n"
     "DELETE FROM book WHERE id = -1",
     "INSERT INTO book (id, title, author) VALUES (-2, 'new', 'author 3');\n"
     "UPDATE book SET author = 'author 4' WHERE id = 17; UPDATE book SET author = NULL WHERE id = 18;\n"
     "DELETE FROM book WHERE id = -2",
     "SELECT count(*) = 0 FROM book WHERE author IS DISTINCT FROM writer",
     "SELECT conname = 'book_writer_fkey' AND convalidated AND conkey = (SELECT ARRAY[attnum] FROM "
     "pg_attribute\n"
     "  WHERE attrelid = conrelid AND attname = 'author')\n"
     "  FROM pg_constraint WHERE conrelid = 'book'::regclass AND contype = 'f'"},
    {"a column gets another type", "ALTER TABLE book ALTER COLUMN price TYPE bigint;",
     "INSERT INTO book (id, title, price) VALUES (-1, 'old', 5); UPDATE book SET price = price % 1000 + 1 "
     "WHERE id = 17;\n"
     "UPDATE book SET price = NULL WHERE id = 18; DELETE FROM book WHERE id = -1",
     "INSERT INTO book (id, title, price) VALUES (-2, 'new', 6); UPDATE book SET price = price % 1000 + 2 "
     "WHERE id = 17;\n"
     "UPDATE book SET price = 3 WHERE id = 18; DELETE FROM book WHERE id = -2",
     "SELECT count(*) = 0 FROM book WHERE to_jsonb(book) ->> 'price' IS DISTINCT FROM to_jsonb(book) ->> "
     "'price__4'",
     "SELECT atttypid = 'bigint'::regtype\n"
     "  AND (SELECT count(*) = 1 FROM pg_constraint WHERE conrelid = attrelid AND conname = "
     "'book_price_check')\n"
     "  AND to_regclass('book_price') IS NOT NULL AND (SELECT count(price) >= 2999 FROM book)\n"
     "  FROM pg_attribute WHERE attrelid = 'book'::regclass AND attname = 'price'"},
    {"the key gets another type", "ALTER TABLE book ALTER COLUMN id TYPE bigint;",
     "INSERT INTO book (id, title) VALUES (-1, 'old') ON CONFLICT (id) DO NOTHING; DELETE FROM book WHERE "
     "id = -1",
     "INSERT INTO book (id, title) VALUES (-2, 'new'); UPDATE book SET id = -3 WHERE id = -2;\n"
     "DELETE FROM book WHERE id = -3",
     "SELECT count(*) = 0 FROM book WHERE to_jsonb(book) ->> 'id' IS DISTINCT FROM to_jsonb(book) ->> "
     "'id__5'",
     "SELECT atttypid = 'bigint'::regtype AND attnotnull AND (SELECT conname = 'book_pkey' AND conkey = "
     "ARRAY[attnum]\n"
     "  FROM pg_constraint WHERE conrelid = attrelid AND contype = 'p')\n"
     "  FROM pg_attribute WHERE attrelid = 'book'::regclass AND attname = 'id'"},
    {"a table is renamed", "ALTER TABLE book RENAME TO volume;",
     "INSERT INTO book (id, title) VALUES (-1, 'old') ON CONFLICT (id) DO UPDATE SET title = book.title || "
     "'.';\n"
     "UPDATE book SET title = 'old ' || id WHERE id = 17; DELETE FROM book WHERE id = -1",
     "INSERT INTO volume (id, title) VALUES (-2, 'new') ON CONFLICT (id) DO UPDATE SET title = volume.title "
     "|| '!';\n"
     "UPDATE volume SET title = 'new ' || id WHERE id = 17; DELETE FROM volume WHERE id = -2",
     "SELECT (SELECT md5(string_agg(b::text, ',' ORDER BY id)) FROM book b)\n"
     "  = (SELECT md5(string_agg(v::text, ',' ORDER BY id)) FROM volume v)",
     "SELECT to_regclass('book') IS NULL AND count(*) = 3000 FROM volume"},
    {"a required column goes", "ALTER TABLE author DROP COLUMN born;",
     "INSERT INTO author (name, born) VALUES ('old', 1); DELETE FROM author WHERE name = 'old'",
     "INSERT INTO author (name) VALUES ('new'); DELETE FROM author WHERE name = 'new'",
     "SELECT count(born) >= 9 FROM author",
     "SELECT count(*) = 0 FROM pg_attribute WHERE attrelid = 'author'::regclass AND attname = 'born'"},
    {"a column may be empty no more",
     "-- schemagate: using up=\"'about ' || name\"\nALTER TABLE author ALTER COLUMN note SET NOT NULL;",
     "INSERT INTO author (name, born) VALUES ('old', 1); UPDATE author SET note = NULL WHERE born = 1903;\n"
     "DELETE FROM author WHERE name = 'old'",
     "INSERT INTO author (name, born, note) VALUES ('new', 1, 'x'); DELETE FROM author WHERE name = 'new'",
     "SELECT count(*) = 0 FROM author WHERE note IS NULL",
     "SELECT attnotnull AND NOT EXISTS (SELECT FROM pg_trigger WHERE tgname LIKE 'zz_schemagate%')\n"
     "  AND (SELECT bool_and(note = 'about ' || name) FROM author WHERE name LIKE 'author%')\n"
     "  FROM pg_attribute WHERE attrelid = 'author'::regclass AND attname = 'note'"},
    {"numbers of a sequence get another type", "ALTER TABLE thing ALTER COLUMN id TYPE bigint;",
     "INSERT INTO thing (label) VALUES ('old'); DELETE FROM thing WHERE label = 'old'",
     "INSERT INTO thing (label) VALUES ('new'); DELETE FROM thing WHERE label = 'new'",
     "SELECT count(*) = 0 FROM thing WHERE to_jsonb(thing) ->> 'id' IS DISTINCT FROM to_jsonb(thing) ->> "
     "'id__9'",
     "SELECT atttypid = 'bigint'::regtype\n"
     "  AND pg_get_serial_sequence('thing', 'id') = 'public.thing_id_seq'\n"
     "  FROM pg_attribute WHERE attrelid = 'thing'::regclass AND attname = 'id' AND atthasdef"},
    {"a column is split",
     "-- schemagate: split up=\"first_name = split_part(full_name, ' ', 1), last_name = substr(full_name, "
     "strpos(full_name || ' ', ' ') + 1)\" down=\"full_name = concat_ws(' ', first_name, last_name)\"\n"
     "ALTER TABLE person ADD COLUMN first_name varchar(80) DEFAULT '' NOT NULL;\n"
     "ALTER TABLE person ADD COLUMN last_name text;\nALTER TABLE person DROP COLUMN full_name;",
     "INSERT INTO person (id, full_name) VALUES (-1, 'Old Code') ON CONFLICT (id) DO UPDATE SET full_name = "
     "'Older Code';\n"
     "UPDATE person SET full_name = 'Old Name', city = 'a' WHERE id IN (17, 2011);\n"
     "UPDATE person SET city = city || '.' WHERE id = 2500;\nDELETE FROM person WHERE id = -1",
     "INSERT INTO person (id, first_name, last_name) VALUES (-2, 'New', 'Code') ON CONFLICT (id) DO UPDATE "
     "SET last_name = excluded.last_name;\n"
     "UPDATE person SET first_name = 'New', last_name = 'Name', city = 'b' WHERE id IN (17, 2011);\n"
     "UPDATE person SET last_name = NULL WHERE id = 18; UPDATE person SET last_name = 'Back' WHERE id = 18;\n"
     "DELETE FROM person WHERE id = -2",
     "SELECT count(*) = 0 FROM person WHERE full_name IS DISTINCT FROM concat_ws(' ', first_name, last_name)",
     "SELECT count(*) = 3000 AND bool_and(first_name = 'First' || id) FILTER (WHERE id NOT IN (17, 2011))\n"
     "  AND bool_and(first_name || last_name IN ('OldName', 'NewName')) FILTER (WHERE id IN (17, 2011))\n"
     "  AND (SELECT string_agg(attname || attnotnull, ',' ORDER BY attnum) FROM pg_attribute\n"
     "       WHERE attrelid = 'person'::regclass AND attnum > 0 AND NOT attisdropped)\n"
     "    = 'idtrue,streetfalse,cityfalse,first_nametrue,last_namefalse'\n"
     "  AND NOT EXISTS (SELECT FROM pg_proc WHERE proname LIKE 'zz_schemagate%') FROM person"},
    {"columns are merged",
     "-- schemagate: merge up=\"address = concat_ws(', ', street, city)\" down=\"street = CASE WHEN address "
     "LIKE '%, %' THEN split_part(address, ', ', 1) END, city = split_part(address, ', ', 1 + (address "
     "LIKE '%, %')::int)\"\n"
     "ALTER TABLE person DROP COLUMN street, DROP COLUMN city, ADD COLUMN address text NOT NULL;",
     "INSERT INTO person (id, street, city) VALUES (-1, 'old', 'code');\n"
     "UPDATE person SET street = 'old ' || id, city = 'a' WHERE id IN (17, 2011);\n"
     "UPDATE person SET street = NULL WHERE id = 18; UPDATE person SET full_name = full_name || '.' WHERE id "
     "= 2500;\nDELETE FROM person WHERE id = -1",
     "INSERT INTO person (id, address) VALUES (-2, 'new, code');\n"
     "UPDATE person SET address = 'new ' || id || ', b' WHERE id IN (17, 2011);\n"
     "UPDATE person SET address = 'new street, c' WHERE id = 18; DELETE FROM person WHERE id = -2",
     "SELECT count(*) = 0 FROM person WHERE address IS DISTINCT FROM concat_ws(', ', street, city)",
     "SELECT count(*) = 3000 AND bool_and(address = concat_ws(', ', nullif('street ' || id % 9, 'street 0'), "
     "'city')) FILTER (WHERE id NOT IN (17, 18, 2011))\n"
     "  AND (SELECT string_agg(attname || attnotnull, ',' ORDER BY attnum) FROM pg_attribute\n"
     "       WHERE attrelid = 'person'::regclass AND attnum > 0 AND NOT attisdropped) = "
     "'idtrue,full_nametrue,addresstrue'\n"
     "  FROM person"},
};

/* ---- releases ---- */

struct release {
    const char *conninfo, *sql;
    bool looks; /* the answer has to be true */
    atomic_bool stop;
    atomic_uint rounds, failed;
    char error[512]; /* of the first failure */
    pthread_t thread;
};

static bool is_wrong(const struct release *release, const PGresult *result)
{
    if (!release->looks)
        return PQresultStatus(result) != PGRES_COMMAND_OK;
    return PQresultStatus(result) != PGRES_TUPLES_OK || PQgetvalue(result, 0, 0)[0] != 't';
}

static void *run_release(void *context)
{
    struct release *release = context;
    PGconn *session = PQconnectdb(release->conninfo);

    while (!atomic_load(&release->stop)) {
        PGresult *result = PQexec(session, release->sql);

        if (is_wrong(release, result) && atomic_fetch_add(&release->failed, 1) == 0)
            snprintf(release->error, sizeof(release->error), "%s",
                     *PQerrorMessage(session) == '\0' ? "values differ" : PQerrorMessage(session));
        PQclear(result);
        atomic_fetch_add(&release->rounds, 1);
    }
    PQfinish(session);
    return NULL;
}

static void start(struct release *release, const struct world *world, const char *sql, bool looks)
{
    *release = (struct release){.conninfo = world->conninfo, .sql = sql, .looks = looks};
    assert_int_equal(pthread_create(&release->thread, NULL, run_release, release), 0);
}

static void await_rounds(struct release *release, unsigned rounds)
{
    int64_t deadline = test_now_ms() + 60000;
    unsigned from = atomic_load(&release->rounds);

    while (atomic_load(&release->rounds) - from < rounds) {
        if (test_now_ms() > deadline)
            test_fail("%u rounds were not done in a minute", rounds);
        test_pause();
    }
}

static void stop(struct release *release, const char *scenario, const char *who)
{
    atomic_store(&release->stop, true);
    pthread_join(release->thread, NULL);
    if (atomic_load(&release->failed) > 0)
        fail_msg("%s: %s failed %u times of %u: %s", scenario, who, atomic_load(&release->failed),
                 atomic_load(&release->rounds), release->error);
}

/* ---- a rollout, and one that is taken back ---- */

struct rollout {
    struct world *world;
    struct http_client *client;
    const struct scenario *scenario;
    int64_t version;
    struct release old, new, looker;
};

/* Both releases run, and somebody looks all the while. */
static void run_side_by_side(struct rollout *rollout)
{
    const struct scenario *scenario = rollout->scenario;

    sql_run(rollout->world->sql, "%s", library);
    fleet_join(rollout->client, REPLICA("old", 0, rollout->version - 1));
    start(&rollout->old, rollout->world, scenario->old_code, false);
    await_rounds(&rollout->old, 1);
    rollout_submit(rollout->client, rollout->version, scenario->written);
    rollout_wait(rollout->client, rollout->version, "expanded");
    start(&rollout->new, rollout->world, scenario->new_code, false);
    start(&rollout->looker, rollout->world, scenario->equal, true);
    await_rounds(&rollout->old, ROUNDS);
    await_rounds(&rollout->new, ROUNDS);
    await_rounds(&rollout->looker, ROUNDS);
}

static void roll_out(struct rollout *rollout)
{
    const char *name = rollout->scenario->name;

    run_side_by_side(rollout);
    stop(&rollout->looker, name, "who looked");
    stop(&rollout->old, name, "old code");
    fleet_join(rollout->client, REPLICA("new", 0, rollout->version));
    fleet_leave(rollout->client, REPLICA("old", 0, rollout->version - 1));
    rollout_wait(rollout->client, rollout->version, "complete");
    await_rounds(&rollout->new, ROUNDS);
    stop(&rollout->new, name, "new code");
    fleet_leave(rollout->client, REPLICA("new", 0, rollout->version));
}

static void old_and_new_code_see_the_same(void **state)
{
    struct world *world = *state;
    struct http_client *client = world_client(world);

    rollout_submit(client, 1, "-- schemagate: expand\nSELECT 1;\n");
    rollout_wait(client, 1, "complete");
    for (size_t i = 0; i < sizeof(scenarios) / sizeof(scenarios[0]); i++) {
        struct rollout rollout = {world, client, &scenarios[i], (int64_t)i + 2, {0}, {0}, {0}};
        char *held;

        roll_out(&rollout);
        held = sql_text(world->sql, "%s", scenarios[i].finally);
        if (held[0] != 't')
            fail_msg("%s: does not hold: %s", scenarios[i].name, scenarios[i].finally);
        free(held);
    }
}

static const char shape[] =
    "SELECT md5(string_agg(t, ',' ORDER BY t)) FROM (\n"
    "  SELECT concat(relname, relkind, attname, atttypid::regtype, attnotnull) FROM pg_class c\n"
    "  LEFT JOIN pg_attribute a ON attrelid = c.oid AND attnum > 0 AND NOT attisdropped\n"
    "  WHERE relnamespace = 'public'::regnamespace\n"
    "  UNION ALL SELECT concat(conname, contype) FROM pg_constraint UNION ALL SELECT tgname FROM pg_trigger "
    "WHERE NOT tgisinternal\n"
    "  UNION ALL SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace) AS s (t)";

static void a_rollback_in_the_middle_leaves_no_trace(void **state)
{
    struct world *world = *state;
    struct http_client *client = world_client(world);

    rollout_submit(client, 1, "-- schemagate: expand\nSELECT 1;\n");
    rollout_wait(client, 1, "complete");
    sql_run(world->sql, "%s", library);
    char *before = sql_text(world->sql, "%s", shape);
    for (size_t i = 0; i < sizeof(scenarios) / sizeof(scenarios[0]); i++) {
        struct rollout rollout = {world, client, &scenarios[i], (int64_t)i + 2, {0}, {0}, {0}};
        char *after;

        run_side_by_side(&rollout);
        stop(&rollout.looker, scenarios[i].name, "who looked");
        stop(&rollout.new, scenarios[i].name, "new code");
        rollout_act(client, rollout.version, "undo");
        rollout_wait(client, rollout.version, "undone");
        await_rounds(&rollout.old, ROUNDS);
        stop(&rollout.old, scenarios[i].name, "old code");
        after = sql_text(world->sql, "%s", shape);
        assert_string_equal(before, after);
        free(after);
    }
    free(before);
}

/* ---- who leads ---- */

/* Statements of one session, and what both columns say then: "old|new". */
struct lead {
    const char *sql, *both;
};

static const struct lead leads[] = {
    {"INSERT INTO pair (id, a) VALUES (1, 'x')", "x|x"},
    {"INSERT INTO pair (id, b) VALUES (1, 'x')", "x|x"},
    {"INSERT INTO pair (id) VALUES (1)", "d|d"},
    {"INSERT INTO pair (id, a) VALUES (1, NULL)", "|"},
    {"INSERT INTO pair (id, b) VALUES (1, NULL)", "d|d"}, /* who says nothing gets the default */
    {"SET schemagate.version = 2; INSERT INTO pair (id, b) VALUES (1, NULL)", "|"},
    {"SET schemagate.version = 2; INSERT INTO pair (id, b) VALUES (1, 'x')", "x|x"},
    {"SET schemagate.version = 2; INSERT INTO pair (id) VALUES (1)", "d|d"},
    {"SET schemagate.version = 2; INSERT INTO pair (id, a) VALUES (1, 'x')", "x|x"},
    {"SET schemagate.version = 1; INSERT INTO pair (id, a) VALUES (1, NULL)", "|"},
    {"SET schemagate.version = 'two'; INSERT INTO pair (id, a) VALUES (1, 'x')", "x|x"},
    {"INSERT INTO pair VALUES (1, 'x', 'y')", "y|y"},
    {"UPDATE pair SET a = 'x' WHERE id = 0", "x|x"},
    {"UPDATE pair SET b = 'x' WHERE id = 0", "x|x"},
    {"UPDATE pair SET a = NULL WHERE id = 0", "|"},
    {"UPDATE pair SET b = NULL WHERE id = 0", "|"},
    {"UPDATE pair SET a = 'x', b = 'y' WHERE id = 0", "y|y"},
    {"SET schemagate.version = 1; UPDATE pair SET a = 'x', b = 'y' WHERE id = 0", "x|x"},
    {"UPDATE pair SET a = b, b = a WHERE id = 0", "before|before"},
    {"INSERT INTO pair (id, a) VALUES (0, 'x') ON CONFLICT (id) DO UPDATE SET a = excluded.a", "x|x"},
    {"INSERT INTO pair (id, b) VALUES (0, 'x') ON CONFLICT (id) DO UPDATE SET b = excluded.b", "x|x"},
    {"INSERT INTO pair (id, b) VALUES (0, 'x') ON CONFLICT (id) DO UPDATE SET a = excluded.b || excluded.a",
     "xx|xx"},
    {"COPY pair (id, a) FROM PROGRAM 'echo 1,x' (FORMAT csv)", "x|x"},
    {"COPY pair (id, b) FROM PROGRAM 'echo 1,x' (FORMAT csv)", "x|x"},
    {"SET session_replication_role = replica; INSERT INTO pair (id, a) VALUES (1, 'x')", "x|x"},
    {"UPDATE pair SET id = 100, a = 'x' WHERE id = 0", "x|x"}, /* it moves to the other partition */
    {"UPDATE pair SET id = 100, b = 'x' WHERE id = 0", "x|x"},
};

static void expect_leads(struct world *world, const struct lead *lead, size_t count, const char *before,
                         const char *columns)
{
    for (size_t i = 0; i < count; i++, lead++) {
        char *both;

        sql_run(world->sql, "BEGIN; TRUNCATE pair; %s", before);
        sql_run(world->sql, "%s", lead->sql);
        both = sql_text(world->sql, "SELECT %s FROM pair ORDER BY id DESC LIMIT 1", columns);
        if (strcmp(both, lead->both) != 0)
            fail_msg("%s: %s, not %s", lead->sql, both, lead->both);
        free(both);
        sql_run(world->sql, "ROLLBACK");
    }
}

static void expect_leads_of(struct world *world, const char *create)
{
    struct http_client *client = world_client(world);

    rollout_submit(client, 1, create);
    rollout_wait(client, 1, "complete");
    fleet_join(client, REPLICA("old", 1, 1));
    rollout_submit(client, 2, "ALTER TABLE pair RENAME a TO b;");
    rollout_wait(client, 2, "expanded");
    expect_leads(world, leads, sizeof(leads) / sizeof(leads[0]),
                 "INSERT INTO pair (id, a) VALUES (0, 'before')",
                 "concat_ws('|', coalesce(a, ''), coalesce(b, ''))");
}

static void who_writes_leads(void **state)
{
    expect_leads_of(*state, "CREATE TABLE pair (id int PRIMARY KEY, a text DEFAULT 'd');");
}

static void who_writes_leads_in_partitions(void **state)
{
    expect_leads_of(*state, "CREATE TABLE pair (id int PRIMARY KEY, a text DEFAULT 'd') PARTITION BY RANGE "
                            "(id);\n"
                            "CREATE TABLE pair_1 PARTITION OF pair FOR VALUES FROM (0) TO (50);\n"
                            "CREATE TABLE pair_2 PARTITION OF pair FOR VALUES FROM (50) TO (200);");
}

/* The same for one column that becomes two: "old|new 1|new 2". */
static const struct lead split_leads[] = {
    {"INSERT INTO pair (id, a) VALUES (1, 'x y')", "x y|x|y"},
    {"INSERT INTO pair (id, b, c) VALUES (1, 'x', 'y')", "x y|x|y"},
    {"INSERT INTO pair (id, b) VALUES (1, 'x')", "x|x|-"},
    {"INSERT INTO pair (id, c) VALUES (1, 'y')", "y|-|y"},
    {"INSERT INTO pair (id) VALUES (1)", "d e|d|e"},
    {"INSERT INTO pair (id, a) VALUES (1, NULL)", "-|-|-"},
    {"INSERT INTO pair (id, b, c) VALUES (1, NULL, NULL)", "d e|d|e"}, /* who says nothing gets the default */
    {"SET schemagate.version = 2; INSERT INTO pair (id, b, c) VALUES (1, NULL, NULL)", "|-|-"},
    {"SET schemagate.version = 2; INSERT INTO pair (id, c) VALUES (1, 'y')", "n y|n|y"},
    {"SET schemagate.version = 2; INSERT INTO pair (id) VALUES (1)", "n|n|-"},
    {"SET schemagate.version = 2; INSERT INTO pair (id, a) VALUES (1, 'x y')", "x y|x|y"},
    {"SET schemagate.version = 1; INSERT INTO pair (id, a) VALUES (1, NULL)", "-|-|-"},
    {"INSERT INTO pair (id, a, b, c) VALUES (1, 'x y', 'v', 'w')", "v w|v|w"},
    {"UPDATE pair SET a = 'x y' WHERE id = 0", "x y|x|y"},
    {"UPDATE pair SET b = 'x' WHERE id = 0", "x that|x|that"},
    {"UPDATE pair SET b = 'x', c = NULL WHERE id = 0", "x|x|-"},
    {"UPDATE pair SET b = NULL, c = NULL WHERE id = 0", "|-|-"},
    {"UPDATE pair SET a = NULL WHERE id = 0", "-|-|-"},
    {"UPDATE pair SET a = 'x y', b = 'v' WHERE id = 0", "v that|v|that"},
    {"SET schemagate.version = 1; UPDATE pair SET a = 'x y', b = 'v' WHERE id = 0", "x y|x|y"},
    {"INSERT INTO pair (id, a) VALUES (0, 'x y') ON CONFLICT (id) DO UPDATE SET a = excluded.a", "x y|x|y"},
    {"INSERT INTO pair (id, b, c) VALUES (0, 'x', 'y') ON CONFLICT (id) DO UPDATE SET c = excluded.c",
     "this y|this|y"},
    {"COPY pair (id, a) FROM PROGRAM 'echo 1,x y' (FORMAT csv)", "x y|x|y"},
    {"COPY pair (id, b, c) FROM PROGRAM 'echo 1,x,y' (FORMAT csv)", "x y|x|y"},
    {"SET session_replication_role = replica; INSERT INTO pair (id, a) VALUES (1, 'x y')", "x y|x|y"},
    {"UPDATE pair SET id = 100, a = 'x y' WHERE id = 0", "x y|x|y"}, /* it moves to the other partition */
    {"UPDATE pair SET id = 100, c = 'y' WHERE id = 0", "this y|this|y"},
};

static void expect_split_leads_of(struct world *world, const char *create)
{
    struct http_client *client = world_client(world);

    rollout_submit(client, 1, create);
    rollout_wait(client, 1, "complete");
    fleet_join(client, REPLICA("old", 1, 1));
    rollout_submit(client, 2,
                   "-- schemagate: split up=\"b = split_part(a, ' ', 1), c = split_part(a, ' ', 2)\" "
                   "down=\"a = concat_ws(' ', b, c)\"\n"
                   "ALTER TABLE pair ADD b varchar(10) DEFAULT 'n';\nALTER TABLE pair ADD c text;\n"
                   "ALTER TABLE pair DROP a;\n");
    rollout_wait(client, 2, "expanded");
    expect_leads(world, split_leads, sizeof(split_leads) / sizeof(split_leads[0]),
                 "INSERT INTO pair (id, a) VALUES (0, 'this that')",
                 "concat_ws('|', coalesce(a, '-'), coalesce(b, '-'), coalesce(c, '-'))");
}

static void who_writes_a_split_column_leads(void **state)
{
    expect_split_leads_of(*state, "CREATE TABLE pair (id int PRIMARY KEY, a text DEFAULT 'd e');");
}

static void who_writes_a_split_column_leads_in_partitions(void **state)
{
    expect_split_leads_of(*state, "CREATE TABLE pair (id int PRIMARY KEY, a text DEFAULT 'd e')\n"
                                  "  PARTITION BY RANGE (id);\n"
                                  "CREATE TABLE pair_1 PARTITION OF pair FOR VALUES FROM (0) TO (50);\n"
                                  "CREATE TABLE pair_2 PARTITION OF pair FOR VALUES FROM (50) TO (200);");
}

/* What it fails on is the daemon's own question, not the application's next write. */
static void an_expression_that_does_not_exist_harms_no_writer(void **state)
{
    struct world *world = *state;
    struct http_client *client = world_client(world);

    rollout_submit(client, 1, "CREATE TABLE pair (id int PRIMARY KEY, a text);");
    rollout_wait(client, 1, "complete");
    rollout_submit(client, 2, "-- schemagate: split up=\"b = splitpart(a, ' ', 1)\" down=\"a = b\"\n"
                              "ALTER TABLE pair ADD b text, DROP a;\n");
    rollout_wait_status(client, 2, "failed");
    sql_run(world->sql, "INSERT INTO pair VALUES (1, 'x')");
    assert_true(
        sql_number(world->sql, "SELECT count(*) FROM pg_trigger WHERE tgrelid = 'pair'::regclass") == 0);
}

/* Types without an operator for "=", and an expression that loses something on its way back. */
static void values_are_compared_as_they_are_stored(void **state)
{
    struct world *world = *state;
    struct http_client *client = world_client(world);
    char *both;

    rollout_submit(client, 1, "CREATE TABLE pair (id int PRIMARY KEY, a json, n numeric, code text);\n"
                              "INSERT INTO pair VALUES (1, '{}', 1.0, '007'), (2, NULL, NULL, NULL);");
    rollout_wait(client, 1, "complete");
    fleet_join(client, REPLICA("old", 1, 1));
    rollout_submit(client, 2,
                   "ALTER TABLE pair RENAME a TO b;\nALTER TABLE pair RENAME n TO m;\n"
                   "-- schemagate: using up=\"code::int\" down=\"code::text\"\n"
                   "ALTER TABLE pair ALTER code TYPE int;\n");
    rollout_wait(client, 2, "expanded");
    sql_run(world->sql, "UPDATE pair SET a = '{ }', n = 1.00 WHERE id = 1");
    both = sql_text(world->sql, "SELECT concat_ws(' ', b, m, code, code__2) FROM pair WHERE id = 1");
    assert_string_equal(both, "{ } 1.00 007 7");
    free(both);
    sql_run(world->sql, "UPDATE pair SET code__2 = 8 WHERE id = 1");
    both = sql_text(world->sql, "SELECT concat_ws(' ', code, code__2) FROM pair WHERE id = 1");
    assert_string_equal(both, "8 8");
    free(both);
}

/* The same for a column that was split. */
static void a_split_column_that_is_hidden_stays_in_step(void **state)
{
    struct world *world = *state;
    struct http_client *client = world_client(world);
    char *old;

    rollout_submit(client, 1, "CREATE TABLE pair (id int PRIMARY KEY, a text NOT NULL);");
    rollout_wait(client, 1, "complete");
    rollout_submit(client, 2, "-- schemagate: migration keep_hours=1\n"
                              "-- schemagate: split up=\"b = left(a, 1), c = substr(a, 2)\" "
                              "down=\"a = b || c\"\n"
                              "ALTER TABLE pair ADD b text, ADD c text NOT NULL, DROP a;");
    rollout_wait(client, 2, "expanded");
    fleet_join(client, REPLICA("new", 1, 2));
    rollout_wait(client, 2, "hidden");
    sql_run(world->sql, "INSERT INTO pair (id, b, c) VALUES (1, 'x', 'yz')");
    rollout_act(client, 2, "restore");
    rollout_wait(client, 2, "expanded");
    sql_run(world->sql, "INSERT INTO pair (id, a) VALUES (2, 'old')");
    old = sql_text(world->sql, "SELECT string_agg(concat_ws('|', a, b, c), ',' ORDER BY id) FROM pair");
    assert_string_equal(old, "xyz|x|yz,old|o|ld");
    free(old);
}

/* With hours to keep the trigger goes on for the hidden column, so that it can come back. */
static void a_renamed_column_that_is_hidden_stays_in_step(void **state)
{
    struct world *world = *state;
    struct http_client *client = world_client(world);
    char *old;

    rollout_submit(client, 1, "CREATE TABLE pair (id int PRIMARY KEY, a text NOT NULL DEFAULT 'd');");
    rollout_wait(client, 1, "complete");
    rollout_submit(client, 2, "-- schemagate: migration keep_hours=1\nALTER TABLE pair RENAME a TO b;");
    rollout_wait(client, 2, "expanded");
    fleet_join(client, REPLICA("new", 1, 2));
    rollout_wait(client, 2, "hidden");
    sql_run(world->sql, "INSERT INTO pair (id, b) VALUES (1, 'x'); INSERT INTO pair (id) VALUES (2)");
    rollout_act(client, 2, "restore");
    rollout_wait(client, 2, "expanded");
    old = sql_text(world->sql, "SELECT string_agg(a || b, ',' ORDER BY id) FROM pair");
    assert_string_equal(old, "xx,dd");
    free(old);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        world_test(old_and_new_code_see_the_same),
        world_test(a_rollback_in_the_middle_leaves_no_trace),
        world_test(who_writes_leads),
        world_test(who_writes_leads_in_partitions),
        world_test(who_writes_a_split_column_leads),
        world_test(who_writes_a_split_column_leads_in_partitions),
        world_test(an_expression_that_does_not_exist_harms_no_writer),
        world_test(values_are_compared_as_they_are_stored),
        world_test(a_renamed_column_that_is_hidden_stays_in_step),
        world_test(a_split_column_that_is_hidden_stays_in_step),
    };

    return world_run(tests);
}
