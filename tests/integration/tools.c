/* Real tools: what Django and Alembic print is submitted as it is, and both agree with schemagate afterwards.
 * How the files of Rails, Prisma, Flyway and golang-migrate are planned is in tests/golden/plan. */
#include <support/expect.h>
#include <support/process.h>
#include <support/samples.h>
#include <support/world.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* A tool's project: a folder, and the database by libpq's variables. */
struct project {
    struct world *world;
    char name[32], *folder;
    char host[160], port[32], user[64], database[64];
};

static void project_write(const struct project *project, const char *name, const char *text)
{
    char path[96];

    snprintf(path, sizeof path, "%s/%s", project->name, name);
    free(scratch_write(&project->world->scratch, path, text));
}

static void project_folder(const struct project *project, const char *name)
{
    char *path = scratch_path(&project->world->scratch, "%s/%s", project->name, name);

    if (mkdir(path, 0755) != 0)
        test_fail("cannot create %s", path);
    free(path);
}

static void project_open(struct project *project, struct world *world, const char *name)
{
    *project = (struct project){.world = world};
    snprintf(project->name, sizeof project->name, "%s", name);
    project->folder = scratch_path(&world->scratch, "%s", name);
    snprintf(project->host, sizeof project->host, "PGHOST=%s", PQhost(world->sql));
    snprintf(project->port, sizeof project->port, "PGPORT=%s", PQport(world->sql));
    snprintf(project->user, sizeof project->user, "PGUSER=%s", PQuser(world->sql));
    snprintf(project->database, sizeof project->database, "PGDATABASE=%s", PQdb(world->sql));
    if (mkdir(project->folder, 0755) != 0)
        test_fail("cannot create %s", project->folder);
}

/* What the tool prints; the caller frees. It is Debian's, whatever other Python is there. */
static char *project_run(const struct project *project, const char *tool)
{
    char *line = NULL, *output = scratch_path(&project->world->scratch, "%s.out", project->name);

    if (asprintf(&line, "cd '%s' && exec /usr/bin/python3 -m %s", project->folder, tool) < 0)
        test_fail("out of memory");
    remove(output); /* else it is appended to */
    int code = process_run(
        &(struct process_options){
            .arguments = (const char *[]){"sh", "-c", line, NULL},
            .environment = (const char *[]){project->host, project->port, project->user, project->database,
                                            "PYTHONPATH=.", "DJANGO_SETTINGS_MODULE=settings", NULL},
            .output = output},
        PATIENCE_MS);
    char *text = scratch_read(output);
    if (code != 0)
        test_fail("%s: exit code %d: %s", tool, code, text);
    free(line);
    free(output);
    return text;
}

/* Submits what the tool prints. */
static void submit_output(const struct project *project, struct http_client *client, int64_t version,
                          const char *tool)
{
    char *sql = project_run(project, tool);

    rollout_submit(client, version, sql);
    free(sql);
}

/* The number of steps in a phase whose SQL begins with these words. */
static int steps(const struct http_answer *answer, const char *phase, const char *beginning)
{
    int count = 0;
    size_t i;
    json_t *step;

    json_array_foreach(json_at(answer->json, "/steps"), i, step)
    {
        count += strcmp(json_text_at(step, "/phase"), phase) == 0 &&
                 strncmp(json_text_at(step, "/sql"), beginning, strlen(beginning)) == 0;
    }
    return count;
}

static bool has_column(struct world *world, const char *table, const char *column)
{
    return sql_number(world->sql, "SELECT count(*) FROM information_schema.columns "
                                  "WHERE table_name = '%s' AND column_name = '%s'", table, column) > 0;
}

/* A daemon with the tool as a runner: `command` is what follows the interpreter, in the project's folder. */
static struct http_client *daemon_with_runner(const struct project *project, const char *command)
{
    char sections[1024];

    snprintf(sections, sizeof sections,
             "[runner tool]\n"
             "command = /usr/bin/python3, -m, %s\n"
             "environment = %s, %s, %s, %s, PYTHONPATH=., DJANGO_SETTINGS_MODULE=settings, "
             "PGOPTIONS=-c lock_timeout=1s\n"
             "directory = %s\n",
             command, project->host, project->port, project->user, project->database, project->folder);
    return &world_daemon(project->world, &(struct daemon_options){.sections = sections})->client;
}

static void begin_django(struct project *django, struct world *world, const char *name)
{
    project_open(django, world, name);
    project_folder(django, "shop");
    project_folder(django, "shop/migrations");
    project_write(django, "shop/__init__.py", "");
    project_write(django, "shop/migrations/__init__.py", "");
    project_write(django, "settings.py",
                  "import os\n"
                  "SECRET_KEY = 'x'\n"
                  "INSTALLED_APPS = ['shop']\n"
                  "USE_TZ = True\n"
                  "DATABASES = {'default': {'ENGINE': 'django.db.backends.postgresql',\n"
                  "    'HOST': os.environ['PGHOST'], 'PORT': os.environ['PGPORT'],\n"
                  "    'USER': os.environ['PGUSER'], 'NAME': os.environ['PGDATABASE']}}\n");
    project_write(django, "shop/migrations/0001_initial.py",
                  "from django.db import migrations, models\n"
                  "class Migration(migrations.Migration):\n"
                  "    initial = True\n"
                  "    operations = [\n"
                  "        migrations.CreateModel('Customer', [\n"
                  "            ('id', models.BigAutoField(primary_key=True)),\n"
                  "            ('email', models.EmailField(null=True))]),\n"
                  "        migrations.CreateModel('Order', [\n"
                  "            ('id', models.BigAutoField(primary_key=True)),\n"
                  "            ('customer', models.ForeignKey('shop.Customer', on_delete=models.CASCADE)),\n"
                  "            ('note', models.TextField(null=True))])]\n");
    project_write(django, "shop/migrations/0002_more.py",
                  "from django.db import migrations, models\n"
                  "class Migration(migrations.Migration):\n"
                  "    dependencies = [('shop', '0001_initial')]\n"
                  "    operations = [\n"
                  "        migrations.AddField('Customer', 'phone',\n"
                  "                            models.CharField(max_length=20, null=True)),\n"
                  "        migrations.AddIndex('Customer',\n"
                  "                            models.Index(fields=['email'], name='by_email')),\n"
                  "        migrations.RemoveField('Order', 'note')]\n");
}

static void what_django_prints_is_rolled_out(void **state)
{
    struct world *world = *state;
    struct http_client *client = world_client(world);
    struct project django;

    begin_django(&django, world, "django");
    submit_output(&django, client, 1, "django sqlmigrate shop 0001");
    rollout_wait(client, 1, "complete");
    submit_output(&django, client, 2, "django sqlmigrate shop 0002");
    rollout_wait(client, 2, "expanded");
    const struct http_answer *answer = rollout_get(client, 2);
    assert_int_equal(steps(answer, "expand", "ALTER TABLE \"shop_customer\" ADD COLUMN \"phone\""), 1);
    assert_int_equal(steps(answer, "expand", "CREATE INDEX CONCURRENTLY"), 1);
    assert_int_equal(steps(answer, "contract", "ALTER TABLE \"shop_order\" DROP COLUMN \"note\""), 1);
    assert_true(has_column(world, "shop_customer", "phone"));
    assert_true(has_column(world, "shop_order", "note"));
    fleet_join(client, REPLICA("new", 2, 2));
    rollout_wait(client, 2, "complete");
    assert_false(has_column(world, "shop_order", "note"));

    /* Django is told that both have run. */
    free(project_run(&django, "django migrate --fake shop"));
    char *plan = project_run(&django, "django migrate --plan");
    assert_non_null(strstr(plan, "No planned migration operations"));
    free(plan);
    free(django.folder);
}

/* Code has no SQL to print: it is a step by itself, and Django's own record says that it has run. */
static void what_django_has_in_code_is_a_step(void **state)
{
    struct world *world = *state;
    struct project django;

    begin_django(&django, world, "django_code");
    project_write(&django, "shop/migrations/0003_fill.py",
                  "from django.db import migrations\n"
                  "def fill(apps, schema_editor):\n"
                  "    apps.get_model('shop', 'Customer').objects.create(email='a@example.com')\n"
                  "class Migration(migrations.Migration):\n"
                  "    dependencies = [('shop', '0002_more')]\n"
                  "    operations = [migrations.RunPython(fill, migrations.RunPython.noop)]\n");
    struct http_client *client =
        daemon_with_runner(&django, "django, migrate, --no-input, shop, {argument}");
    rollout_submit(client, 1, "-- schemagate: expand\n-- schemagate: run tool argument=0003\n");
    rollout_wait(client, 1, "complete");
    assert_int_equal(sql_number(world->sql, "SELECT count(*) FROM shop_customer"), 1);
    assert_int_equal(sql_number(world->sql, "SELECT count(*) FROM django_migrations WHERE app = 'shop'"), 3);
    free(django.folder);
}

static void begin_alembic(struct project *alembic, struct world *world, const char *name)
{
    project_open(alembic, world, name);
    project_folder(alembic, "versions");
    project_write(alembic, "alembic.ini", "[alembic]\nscript_location = .\n");
    project_write(alembic, "env.py",
                  "from alembic import context\n"
                  "from sqlalchemy import create_engine\n"
                  "if context.is_offline_mode():\n"
                  "    context.configure(url='postgresql://', literal_binds=True)\n"
                  "    with context.begin_transaction():\n"
                  "        context.run_migrations()\n"
                  "else:\n"
                  "    with create_engine('postgresql+psycopg2://').connect() as connection:\n"
                  "        context.configure(connection=connection)\n"
                  "        with context.begin_transaction():\n"
                  "            context.run_migrations()\n");
    project_write(alembic, "versions/a1_customer.py",
                  "import sqlalchemy as sa\n"
                  "from alembic import op\n"
                  "revision, down_revision = 'a1', None\n"
                  "def upgrade():\n"
                  "    op.create_table('customer', sa.Column('id', sa.BigInteger, primary_key=True),\n"
                  "                    sa.Column('name', sa.String(100)))\n");
    project_write(alembic, "versions/b2_phone.py",
                  "import sqlalchemy as sa\n"
                  "from alembic import op\n"
                  "revision, down_revision = 'b2', 'a1'\n"
                  "def upgrade():\n"
                  "    op.add_column('customer', sa.Column('phone', sa.Text))\n"
                  "    op.create_index('by_phone', 'customer', ['phone'])\n"
                  "    op.drop_column('customer', 'name')\n");
}

static void what_alembic_prints_is_rolled_out_and_alembic_knows(void **state)
{
    struct world *world = *state;
    struct http_client *client = world_client(world);
    struct project alembic;

    begin_alembic(&alembic, world, "alembic");
    submit_output(&alembic, client, 1, "alembic -c alembic.ini upgrade a1 --sql");
    rollout_wait(client, 1, "complete");
    submit_output(&alembic, client, 2, "alembic -c alembic.ini upgrade a1:b2 --sql");
    rollout_wait(client, 2, "expanded");
    const struct http_answer *answer = rollout_get(client, 2);
    assert_int_equal(steps(answer, "expand", "ALTER TABLE customer ADD COLUMN phone"), 1);
    assert_int_equal(steps(answer, "expand", "CREATE INDEX CONCURRENTLY by_phone"), 1);
    assert_int_equal(steps(answer, "expand", "UPDATE alembic_version"), 1);
    assert_int_equal(steps(answer, "contract", "ALTER TABLE customer DROP COLUMN name"), 1);
    char *current = project_run(&alembic, "alembic -c alembic.ini current");
    assert_non_null(strstr(current, "b2 (head)"));
    free(current);
    fleet_join(client, REPLICA("new", 2, 2));
    rollout_wait(client, 2, "complete");
    assert_false(has_column(world, "customer", "name"));
    free(alembic.folder);
}

/* A traceback is what its author needs: the line of the revision, and what PostgreSQL said. */
static void what_fails_in_a_revision_is_shown(void **state)
{
    struct world *world = *state;
    struct project alembic;

    begin_alembic(&alembic, world, "alembic_code");
    project_write(&alembic, "versions/c3_code.py",
                  "import sqlalchemy as sa\n"
                  "from alembic import op\n"
                  "revision, down_revision = 'c3', 'b2'\n"
                  "def upgrade():\n"
                  "    op.get_bind().execute(sa.text('SELECT nosuch(1)'))\n");
    struct http_client *client =
        daemon_with_runner(&alembic, "alembic, -c, alembic.ini, upgrade, {argument}");
    rollout_submit(client, 1, "-- schemagate: expand\n-- schemagate: run tool argument=c3\n");
    rollout_wait_status(client, 1, "failed");
    const char *detail = json_text_at(rollout_get(client, 1)->json, "/error/detail");
    assert_non_null(strstr(detail, "Traceback"));
    assert_non_null(strstr(detail, "c3_code.py\", line 5"));
    assert_non_null(strstr(detail, "function nosuch(integer) does not exist"));
    assert_false(has_column(world, "customer", "name"));
    project_write(&alembic, "versions/c3_code.py",
                  "revision, down_revision = 'c3', 'b2'\n"
                  "def upgrade():\n"
                  "    pass\n");
    rollout_act(client, 1, "retry");
    rollout_wait(client, 1, "complete");
    char *current = project_run(&alembic, "alembic -c alembic.ini current");
    assert_non_null(strstr(current, "c3 (head)"));
    free(current);
    free(alembic.folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        world_test(what_django_prints_is_rolled_out),
        world_test(what_alembic_prints_is_rolled_out_and_alembic_knows),
        world_test(what_django_has_in_code_is_a_step),
        world_test(what_fails_in_a_revision_is_shown),
    };
    return world_run(tests);
}
