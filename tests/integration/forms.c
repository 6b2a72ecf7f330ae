/* Each form that a file without markers is given, on a real server: old code reads and writes all the
 * while, until its contract, and new code from the expand on. */
#include <support/expect.h>
#include <support/samples.h>
#include <support/world.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

/* 2,000 books of 20 authors; what old code does with them is in `old_code`. */
static const char library[] =
    "CREATE TABLE authors (id int PRIMARY KEY, name text);\n"
    "CREATE TABLE books (n int GENERATED ALWAYS AS IDENTITY, title text NOT NULL, author_id int, isbn text,\n"
    "  price int NOT NULL DEFAULT 1);\n"
    "CREATE INDEX books_price ON books (price);\n"
    "INSERT INTO authors SELECT i, 'author ' || i FROM generate_series(1, 20) AS i;\n"
    "CREATE TABLE loans (book int, day date, author_id int) PARTITION BY RANGE (day);\n"
    "CREATE TABLE loans_old PARTITION OF loans FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');\n"
    "CREATE TABLE \"Loans.New\" PARTITION OF loans FOR VALUES FROM ('2021-01-01') TO ('2022-01-01');\n"
    "CREATE TABLE loans_late PARTITION OF loans FOR VALUES FROM ('2022-01-01') TO ('2023-01-01')\n"
    "  PARTITION BY LIST (book);\nCREATE TABLE loans_late_1 PARTITION OF loans_late DEFAULT;\n"
    "INSERT INTO loans SELECT i, date '2020-01-01' + i, i % 20 + 1 FROM generate_series(1, 700) AS i;\n"
    "INSERT INTO books (title, author_id, isbn, price)\n"
    "  SELECT 'book ' || i, i % 20 + 1, 'isbn ' || i, i FROM generate_series(1, 2000) AS i;\n";

static const char old_code[] =
    "INSERT INTO books (title, author_id, isbn, price) SELECT 'more', 1, 'isbn m' || max(n), 7 FROM books;\n"
    "UPDATE books SET title = title || '.' WHERE n = 17;\n"
    "INSERT INTO loans VALUES (1, '2021-02-03', 1);\n"
    "DELETE FROM books WHERE n = (SELECT max(n) FROM books WHERE title = 'more')";

struct form {
    const char *name, *written, *new_code;
    const char *holds; /* true at the end */
    bool contract;     /* it has one: the old replica holds it back */
};

static const struct form forms[] = {
    {"an index", "CREATE INDEX ON books (lower(title), author_id);", "SELECT count(*) FROM books",
     "SELECT bool_and(indisvalid) FROM pg_index WHERE indrelid = 'books'::regclass", false},
    {"an index that goes", "DROP INDEX books_price;", "SELECT count(*) FROM books",
     "SELECT to_regclass('books_price') IS NULL", true},
    {"an index anew", "REINDEX TABLE books;", "SELECT count(*) FROM books",
     "SELECT bool_and(indisvalid) FROM pg_index WHERE indrelid = 'books'::regclass", false},
    {"a volatile default",
     "ALTER TABLE books ADD COLUMN token uuid NOT NULL DEFAULT gen_random_uuid() UNIQUE;",
     "INSERT INTO books (title, token) VALUES ('new', gen_random_uuid())",
     "SELECT count(*) = count(DISTINCT token) FROM books", false},
    {"a serial column", "ALTER TABLE books ADD COLUMN number bigserial;",
     "INSERT INTO books (title) VALUES ('new')", "SELECT count(*) = count(DISTINCT number) FROM books",
     false},
    {"an identity that is the key",
     "ALTER TABLE books ADD COLUMN id int GENERATED ALWAYS AS IDENTITY (START WITH 5) PRIMARY KEY;",
     "INSERT INTO books (title) VALUES ('new')",
     "SELECT attidentity = 'a' AND attnotnull AND (SELECT min(id) >= 5 FROM books)\n"
     "  AND EXISTS (SELECT FROM pg_constraint WHERE conrelid = 'books'::regclass AND contype = 'p')\n"
     "  FROM pg_attribute WHERE attrelid = 'books'::regclass AND attname = 'id'", false},
    {"a column with rules",
     "ALTER TABLE books ADD COLUMN state text NOT NULL DEFAULT 'new' CHECK (state <> '');",
     "INSERT INTO books (title, state) VALUES ('new', 'old')",
     "SELECT bool_and(convalidated) FROM pg_constraint WHERE conrelid = 'books'::regclass", false},
    {"a unique column", "ALTER TABLE books ADD COLUMN code text UNIQUE;",
     "INSERT INTO books (title, code) VALUES ('new', 'a') ON CONFLICT (code) DO UPDATE SET title = 'newer'",
     "SELECT count(*) = 1 FROM pg_constraint WHERE conname = 'books_code_key'", false},
    {"keys", "ALTER TABLE books ADD FOREIGN KEY (author_id) REFERENCES authors, ADD CHECK (price > 0),\n"
             "  ADD UNIQUE (isbn) WITH (fillfactor = 80), ADD PRIMARY KEY (n);",
     "SELECT count(*) FROM books",
     "SELECT count(*) = 4 AND bool_and(convalidated) FROM pg_constraint WHERE conrelid = "
     "'books'::regclass AND contype <> 'n'", true},
    {"NOT NULL", "ALTER TABLE books ALTER COLUMN isbn SET NOT NULL;", "SELECT count(*) FROM books",
     "SELECT attnotnull AND NOT EXISTS (SELECT FROM pg_constraint WHERE conrelid = 'books'::regclass\n"
     "  AND contype <> 'n')\n"
     "  FROM pg_attribute WHERE attrelid = 'books'::regclass AND attname = 'isbn'", true},
    {"what a mapper prints",
     "BEGIN;\nALTER TABLE books ADD COLUMN label text DEFAULT '' NOT NULL;\n"
     "ALTER TABLE books ALTER COLUMN label DROP DEFAULT;\n"
     "UPDATE books SET label = title WHERE label = '';\nALTER TABLE books DROP COLUMN isbn;\n"
     "ALTER TABLE books ADD COLUMN owner int CONSTRAINT owned REFERENCES authors DEFERRABLE INITIALLY "
     "DEFERRED;\n"
     "SET CONSTRAINTS owned IMMEDIATE;\nCREATE INDEX books_owner ON books (owner);\nCOMMIT;",
     "INSERT INTO books (title, label, owner) VALUES ('new', 'new', 2)",
     "SELECT NOT atthasdef AND (SELECT bool_and(label <> '' OR title LIKE 'more%') FROM books)\n"
     "  FROM pg_attribute WHERE attrelid = 'books'::regclass AND attname = 'label'", true},
    {"an enum's value", "CREATE TYPE mood AS ENUM ('calm'); ALTER TYPE mood ADD VALUE 'glad';\n"
                        "ALTER TABLE books ADD COLUMN mood mood DEFAULT 'glad';",
     "INSERT INTO books (title, mood) VALUES ('new', 'calm')",
     "SELECT count(*) > 0 FROM books WHERE mood = 'glad'", false},
    {"a partitioned table's index", "CREATE INDEX ON loans USING btree (book, day);",
     "INSERT INTO loans VALUES (1, '2021-02-03', 2)",
     "SELECT count(*) = 5 AND bool_and(indisvalid) FROM pg_index\n"
     "  WHERE indrelid IN (SELECT relid FROM pg_partition_tree('loans'))", false},
    {"a partitioned table's foreign key", "ALTER TABLE loans ADD FOREIGN KEY (author_id) REFERENCES authors;",
     "INSERT INTO loans VALUES (1, '2021-02-03', 2)",
     "SELECT count(*) = 5 AND bool_and(convalidated) AND count(*) FILTER (WHERE conparentid <> 0) = 4\n"
     "  FROM pg_constraint WHERE conname = 'loans_author_id_fkey'", true},
    {"a partition that goes", "ALTER TABLE loans DETACH PARTITION loans_old;", "SELECT count(*) FROM loans",
     "SELECT count(*) = 2 FROM pg_inherits WHERE inhparent = 'loans'::regclass", true},
    {"a table of its own",
     "CREATE TABLE tags (book int, tag text NOT NULL);\nCREATE INDEX ON tags (tag);\n"
     "ALTER TABLE tags ADD CHECK (tag <> '');\nINSERT INTO tags SELECT n, title FROM books;",
     "INSERT INTO tags VALUES (1, 'x')", "SELECT count(*) >= 2000 FROM tags", false},
};

/* ---- old code ---- */

struct old_release {
    const char *conninfo;
    atomic_bool stop;
    atomic_uint rounds, failed;
    char error[512]; /* of the first failure */
};

static void *run_old_release(void *context)
{
    struct old_release *old = context;
    PGconn *session = PQconnectdb(old->conninfo);

    while (!atomic_load(&old->stop)) {
        PGresult *result = PQexec(session, old_code);

        if (PQresultStatus(result) != PGRES_COMMAND_OK && atomic_fetch_add(&old->failed, 1) == 0)
            snprintf(old->error, sizeof(old->error), "%s", PQerrorMessage(session));
        PQclear(result);
        atomic_fetch_add(&old->rounds, 1);
    }
    PQfinish(session);
    return NULL;
}

static void stop_old_release(struct old_release *old, pthread_t thread, const char *name)
{
    atomic_store(&old->stop, true);
    pthread_join(thread, NULL);
    if (atomic_load(&old->failed) > 0)
        fail_msg("%s: old code failed %u times of %u: %s", name, atomic_load(&old->failed),
                 atomic_load(&old->rounds), old->error);
}

/* ---- forms ---- */

static void roll_out(struct world *world, struct http_client *client, const struct form *form,
                     int64_t version)
{
    const struct fleet_replica *before = REPLICA("old", version - 1, version - 1);
    const struct fleet_replica *after = REPLICA("new", version - 1, version);
    struct old_release old = {.conninfo = world->conninfo};
    pthread_t thread;

    fleet_join(client, before);
    assert_int_equal(pthread_create(&thread, NULL, run_old_release, &old), 0);
    rollout_submit(client, version, form->written);
    rollout_wait(client, version, form->contract ? "expanded" : "complete");
    sql_run(world->sql, "%s", form->new_code);
    stop_old_release(&old, thread, form->name);
    fleet_join(client, after);
    fleet_leave(client, before);
    rollout_wait(client, version, "complete");
    sql_run(world->sql, "%s", form->new_code);
    fleet_leave(client, after);
}

static void old_and_new_code_run_beside_every_form(void **state)
{
    struct world *world = *state;
    struct http_client *client = world_client(world);

    rollout_submit(client, 1, "-- schemagate: expand\nSELECT 1;\n");
    rollout_wait(client, 1, "complete");
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        char *held;

        sql_run(world->sql, "DROP TABLE IF EXISTS books, authors, loans, loans_old CASCADE");
        sql_run(world->sql, "%s", library);
        roll_out(world, client, &forms[i], (int64_t)i + 2);
        held = sql_text(world->sql, "%s", forms[i].holds);
        if (held[0] != 't')
            fail_msg("%s: does not hold: %s", forms[i].name, forms[i].holds);
        free(held);
    }
}

/* ---- undo ---- */

static const char shape[] =
    "SELECT string_agg(relname || ' ' || coalesce(attname, ''), ',' ORDER BY relname, attname)\n"
    "  FROM pg_class c LEFT JOIN pg_attribute a ON attrelid = c.oid AND attnum > 0 AND NOT attisdropped\n"
    "  WHERE relnamespace = 'public'::regnamespace";

static void what_was_derived_leads_back(void **state)
{
    struct world *world = *state;
    struct http_client *client = world_client(world);
    char *before, *after;

    rollout_submit(client, 1, library);
    rollout_wait(client, 1, "complete");
    before = sql_text(world->sql, "%s", shape);
    rollout_submit(client, 2,
                   "ALTER TABLE books ADD COLUMN token uuid NOT NULL DEFAULT gen_random_uuid() UNIQUE,\n"
                   "  ADD COLUMN number serial;\n"
                   "CREATE TABLE tags (book int, kind text);\nCREATE INDEX ON books (title);\n"
                   "CREATE FUNCTION twice(a int, OUT b numeric(10, 2)) LANGUAGE sql AS 'SELECT a * 2';\n"
                   "ALTER TABLE books ALTER COLUMN price SET DEFAULT 9;\n"
                   "CREATE VIEW titles AS SELECT title FROM books;\nCREATE TYPE mood AS ENUM ('calm');\n");
    rollout_wait(client, 2, "complete");
    rollout_act(client, 2, "undo");
    rollout_wait(client, 2, "undone");
    after = sql_text(world->sql, "%s", shape);
    assert_string_equal(before, after);
    assert_int_equal(sql_number(world->sql, "SELECT column_default FROM information_schema.columns\n"
                                            "  WHERE table_name = 'books' AND column_name = 'price'"), 1);
    assert_int_equal(sql_number(world->sql, "SELECT count(*) FROM pg_proc WHERE proname = 'twice'"), 0);
    free(before);
    free(after);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        world_test(old_and_new_code_run_beside_every_form),
        world_test(what_was_derived_leads_back),
    };

    return world_run(tests);
}
