/* The configuration: what is read from where, and the exact words for every kind of mistake. */
#include <schemagate/base/config.h>
#include <schemagate/base/memory.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

struct folder {
    char path[64];
};

static char *folder_file(const struct folder *folder, const char *name)
{
    return memory_printf("%s/%s", folder->path, name);
}

static void folder_write(const struct folder *folder, const char *name, const char *text, size_t length)
{
    char *path = folder_file(folder, name);
    FILE *file = fopen(path, "we");

    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, length, file), length);
    assert_int_equal(fclose(file), 0);
    free(path);
}

static int set_up(void **state)
{
    struct folder *folder = memory_new(sizeof(*folder));

    strcpy(folder->path, "/tmp/schemagate-config-XXXXXX");
    *state = folder;
    return mkdtemp(folder->path) != NULL ? 0 : -1;
}

static int tear_down(void **state)
{
    struct folder *folder = *state;
    char *command = memory_printf("rm -rf '%s'", folder->path);
    int status = system(command);

    free(command);
    free(folder);
    return status;
}

/* Reads `text` as main.ini; the folder's name is cut out of the mistakes. */
static struct config *read_bytes(const struct folder *folder, const char *text, size_t length,
                                 char **mistakes)
{
    struct buf errors = BUF_INIT(0), plain = BUF_INIT(0);
    char *path = folder_file(folder, "main.ini");

    folder_write(folder, "main.ini", text, length);
    struct config *config = config_read(path, &errors);
    const char *at = buf_text(&errors);
    for (const char *hit; (hit = strstr(at, folder->path)) != NULL;) {
        buf_append(&plain, at, (size_t)(hit - at));
        at = hit + strlen(folder->path) + 1;
    }
    buf_puts(&plain, at);
    *mistakes = buf_take(&plain);
    buf_free(&errors);
    free(path);
    return config;
}

static struct config *read_well(const struct folder *folder, const char *text)
{
    char *mistakes;
    struct config *config = read_bytes(folder, text, strlen(text), &mistakes);

    assert_string_equal(mistakes, "");
    assert_non_null(config);
    free(mistakes);
    return config;
}

static void expect_mistakes_in_bytes(const struct folder *folder, const char *text, size_t length,
                                     const char *expected)
{
    char *mistakes;

    assert_null(read_bytes(folder, text, length, &mistakes));
    assert_string_equal(mistakes, expected);
    free(mistakes);
}

static void expect_mistakes(const struct folder *folder, const char *text, const char *expected)
{
    expect_mistakes_in_bytes(folder, text, strlen(text), expected);
}

static void every_key_has_its_documented_default(void **state)
{
    struct config *c = read_well(*state, "");

    assert_string_equal(c->database.conninfo, "");
    assert_string_equal(c->database.password_file, "");
    assert_int_equal(c->http.listen.count, 1);
    assert_string_equal(c->http.listen.items[0], "127.0.0.1:7433");
    assert_string_equal(c->http.advertise_url, "");
    assert_string_equal(c->http.tls_certificate, "");
    assert_string_equal(c->http.tls_key, "");
    assert_string_equal(c->http.tls_client_ca, "");
    assert_string_equal(c->http.tokens_file, "");
    assert_int_equal(c->http.socket_roles.count, 0);
    assert_int_equal(c->http.max_body_bytes, 1048576);
    assert_int_equal(c->http.max_connections, 20000);
    assert_int_equal(c->http.idle_timeout_seconds, 120);
    assert_int_equal(c->gate.lease_seconds, 30);
    assert_int_equal(c->gate.min_replicas, 1);
    assert_string_equal(c->gate.stray_sessions, "block");
    assert_int_equal(c->gate.app_roles.count, 0);
    assert_int_equal(c->gate.ignore_application_names.count, 8);
    assert_string_equal(c->gate.ignore_application_names.items[0], "psql");
    assert_string_equal(c->gate.ignore_application_names.items[7], "postgres_exporter*");
    assert_false(c->gate.require_pins);
    assert_int_equal(c->gate.trust_absence_seconds, 0);
    assert_int_equal(c->gate.assume_gone_after_seconds, 0);
    assert_string_equal(c->gate.approval, "auto");
    assert_int_equal(c->gate.soak_seconds, 0);
    assert_int_equal(c->gate.keep_hours, 0);
    assert_int_equal(c->gate.contract_hours.count, 0);
    assert_int_equal(c->gate.max_error_percent, 0);
    assert_int_equal(c->gate.witness_interval_seconds, 5);
    assert_string_equal(c->migration.run_as, "");
    assert_int_equal(c->migration.lock_timeout_ms, 100);
    assert_int_equal(c->migration.retry_first_ms, 50);
    assert_int_equal(c->migration.retry_max_ms, 1000);
    assert_int_equal(c->migration.retry_for_seconds, 3600);
    assert_int_equal(c->migration.statement_timeout_ms, 0);
    assert_int_equal(c->migration.terminate_idle_in_transaction_seconds, 0);
    assert_int_equal(c->migration.backfill_batch_ms, 50);
    assert_int_equal(c->migration.max_replication_lag_seconds, 10);
    assert_int_equal(c->log.level, LOG_LEVEL_INFO);
    assert_int_equal(c->log.format, LOG_FORMAT_AUTO);
    assert_int_equal(c->app_count, 0);
    assert_int_equal(c->standby_count, 0);
    config_free(c);
}

static void values_of_every_type_are_read(void **state)
{
    struct config *c = read_well(*state,
                                 "# a comment\n; another\n\n"
                                 "[database]\r\n"
                                 "conninfo =  host=db1,db2 dbname='a = b'  \n"
                                 "[http]\n"
                                 "\tlisten = 127.0.0.1:0 , [::1]:80,, unix:/run/x.sock,\n"
                                 "socket_roles = uid:1000=operator, user:deploy=deployer\n"
                                 "[gate]\napproval=manual\nsoak_seconds=31536000\n"
                                 "[log]\nlevel = debug\nformat = json\n");

    assert_string_equal(c->database.conninfo, "host=db1,db2 dbname='a = b'");
    assert_int_equal(c->http.listen.count, 3);
    assert_string_equal(c->http.listen.items[0], "127.0.0.1:0");
    assert_string_equal(c->http.listen.items[1], "[::1]:80");
    assert_string_equal(c->http.listen.items[2], "unix:/run/x.sock");
    assert_int_equal(c->http.socket_roles.count, 2);
    assert_string_equal(c->http.socket_roles.items[1], "user:deploy=deployer");
    assert_string_equal(c->gate.approval, "manual");
    assert_int_equal(c->gate.soak_seconds, 31536000);
    assert_int_equal(c->log.level, LOG_LEVEL_DEBUG);
    assert_int_equal(c->log.format, LOG_FORMAT_JSON);
    config_free(c);
}

static void a_byte_order_mark_and_a_missing_last_newline_do_no_harm(void **state)
{
    struct config *c = read_well(*state, "\xef\xbb\xbf[gate]\nmin_replicas = 7");

    assert_int_equal(c->gate.min_replicas, 7);
    config_free(c);
}

static void long_lines_are_read_whole(void **state)
{
    struct buf text = BUF_INIT(0);

    buf_puts(&text, "[http]\nadvertise_url = https://");
    for (int i = 0; i < 10000; i++) {
        buf_puts(&text, "0123456789");
    }
    struct config *c = read_well(*state, buf_text(&text));
    assert_int_equal(strlen(c->http.advertise_url), 8 + 100000);
    config_free(c);
    buf_free(&text);
}

static void apps_have_sections_of_their_own(void **state)
{
    struct config *c = read_well(*state, "[app web]\nmin_replicas = 3\n"
                                         "[app  jobs.eu-1 ]\nlease_seconds = 60\nsoak_seconds = 0\n"
                                         "[app idle]\n");

    assert_int_equal(c->app_count, 3);
    assert_int_equal(config_app_find(c, "web")->min_replicas, 3);
    assert_int_equal(config_app_find(c, "web")->lease_seconds, -1);
    assert_int_equal(config_app_find(c, "web")->soak_seconds, -1);
    assert_int_equal(config_app_find(c, "jobs.eu-1")->min_replicas, -1);
    assert_int_equal(config_app_find(c, "jobs.eu-1")->lease_seconds, 60);
    assert_int_equal(config_app_find(c, "jobs.eu-1")->soak_seconds, 0);
    assert_non_null(config_app_find(c, "idle"));
    assert_null(config_app_find(c, "Web"));
    config_free(c);
}

static void drop_ins_count_in_the_order_of_their_names(void **state)
{
    const struct folder *folder = *state;
    char *drop_ins = folder_file(folder, "main.ini.d");

    assert_int_equal(mkdir(drop_ins, 0700), 0);
    folder_write(folder, "main.ini.d/20-b.ini",
                 "[gate]\nlease_seconds = 20\n[app web]\nsoak_seconds=5\n", 51);
    folder_write(folder, "main.ini.d/10-a.ini", "[gate]\nlease_seconds = 10\nmin_replicas = 2\n", 43);
    folder_write(folder, "main.ini.d/30-c.ini~", "nonsense", 8);
    folder_write(folder, "main.ini.d/.hidden.ini", "nonsense", 8);
    struct config *c = read_well(folder, "[gate]\nlease_seconds = 5\nmin_replicas = 9\nsoak_seconds = 1\n"
                                         "[app web]\nmin_replicas = 4\n");
    assert_int_equal(c->gate.lease_seconds, 20);
    assert_int_equal(c->gate.min_replicas, 2);
    assert_int_equal(c->gate.soak_seconds, 1);
    assert_int_equal(c->app_count, 1);
    assert_int_equal(c->apps[0].min_replicas, 4);
    assert_int_equal(c->apps[0].soak_seconds, 5);
    config_free(c);

    folder_write(folder, "main.ini.d/40-d.ini", "\n[gate]\nsoak = 1\nlease_seconds = x\n", 34);
    expect_mistakes(folder, "",
                    "main.ini.d/40-d.ini:3: [gate] soak is unknown; this section has lease_seconds, "
                    "min_replicas, stray_sessions, app_roles, ignore_application_names, require_pins, "
                    "trust_absence_seconds, assume_gone_after_seconds, approval, soak_seconds, keep_hours, "
                    "contract_hours, max_error_percent, witness_interval_seconds\n"
                    "main.ini.d/40-d.ini:4: [gate] lease_seconds must be a whole number from 5 to 3600, "
                    "not \"x\"\n");
    free(drop_ins);
}

static void the_environment_wins_over_files(void **state)
{
    setenv("SCHEMAGATE_GATE_LEASE_SECONDS", "45", 1);
    setenv("SCHEMAGATE_HTTP_LISTEN", "127.0.0.1:1,127.0.0.1:2", 1);
    setenv("SCHEMAGATE_PORT_80_TCP", "tcp://10.0.0.1:80", 1);
    setenv("SCHEMAGATE_APP_MIN_REPLICAS", "many", 1);
    struct config *c = read_well(*state, "[gate]\nlease_seconds = 10\nmin_replicas = 3\n");
    assert_int_equal(c->gate.lease_seconds, 45);
    assert_int_equal(c->gate.min_replicas, 3);
    assert_int_equal(c->http.listen.count, 2);
    config_free(c);

    setenv("SCHEMAGATE_GATE_LEASE_SECONDS", "", 1);
    setenv("SCHEMAGATE_HTTP_LISTEN", "127.0.0.1", 1);
    setenv("SCHEMAGATE_LOG_LEVEL", "loud", 1);
    expect_mistakes(*state, "",
                    "SCHEMAGATE_HTTP_LISTEN must be host:port, [v6]:port or unix:/path, not "
                    "\"127.0.0.1\"\n"
                    "SCHEMAGATE_GATE_LEASE_SECONDS must be a whole number from 5 to 3600, not \"\"\n"
                    "SCHEMAGATE_LOG_LEVEL must be error, warn, info or debug, not \"loud\"\n");
    unsetenv("SCHEMAGATE_GATE_LEASE_SECONDS");
    unsetenv("SCHEMAGATE_HTTP_LISTEN");
    unsetenv("SCHEMAGATE_LOG_LEVEL");
    unsetenv("SCHEMAGATE_PORT_80_TCP");
    unsetenv("SCHEMAGATE_APP_MIN_REPLICAS");
}

static void all_syntax_mistakes_of_a_file_are_named(void **state)
{
    expect_mistakes(*state,
                    "[gate]\nno equal sign\n= 3\n[gate\n[]\n[log] x\n /* c */\n",
                    "main.ini:2: a line must be \"[section]\", \"key = value\" or begin with \"#\"\n"
                    "main.ini:3: a key is missing in front of \"=\"\n"
                    "main.ini:4: a section must end in \"]\", with nothing behind it\n"
                    "main.ini:5: a section needs a name between \"[\" and \"]\"\n"
                    "main.ini:6: a section must end in \"]\", with nothing behind it\n"
                    "main.ini:7: a line must be \"[section]\", \"key = value\" or begin with \"#\"\n");
    expect_mistakes(*state, "[gate]\nlease_seconds = 5\n continued\n",
                    "main.ini:3: a line must be \"[section]\", \"key = value\" or begin with \"#\"\n");
    expect_mistakes(*state, "[gate]\nl\xc3\xa4nge = 5\n",
                    "main.ini: a key has a character that is not ASCII\n");
    expect_mistakes(*state, "[gate]\n\xff = 5\n", "main.ini: is not UTF-8 text\n");
    expect_mistakes_in_bytes(*state, "[gate]\nlease_seconds = 5\0000\n", 27,
                             "main.ini: has a NUL byte\n");
}

static void nothing_may_stand_twice_in_a_file(void **state)
{
    expect_mistakes(*state,
                    "[gate]\nlease_seconds = 5\nlease_seconds = 6\n[log]\nlevel = info\n[gate]\n"
                    "min_replicas = 3\n",
                    "main.ini:3: the key stands twice in its section\n"
                    "main.ini:6: the section stands twice in this file\n");
    expect_mistakes(*state, "[app web]\nmin_replicas = 3\n[app Web]\nsoak_seconds = 3\n",
                    "main.ini:3: the section stands twice in this file\n");
}

static void unknown_sections_and_keys_are_mistakes(void **state)
{
    static const char known[] = "there are [database], [http], [gate], [migration], [log], [app NAME], "
                                "[standby NAME], [notify NAME], [runner NAME]\n";
    char *expected = memory_printf("main.ini:1: [gat] is unknown; %smain.ini:3: [log x] is unknown; %s"
                                   "main.ini:4: [Log] is unknown; %s",
                                   known, known, known);

    expect_mistakes(*state, "[gat]\nlease_seconds = 5\n[log x]\n[Log]\nlevel = info\n", expected);
    free(expected);
    expected = memory_printf("main.ini: [default] is unknown (keys before the first section count as "
                             "its); %s", known);
    expect_mistakes(*state, "lease_seconds = 5\n[gate]\n", expected);
    free(expected);
    expect_mistakes(*state, "[log]\n\nLevel = info\n",
                    "main.ini:3: [log] Level is unknown; this section has level, format\n");
}

static void names_of_apps_are_checked(void **state)
{
    expect_mistakes(*state,
                    "[app]\nmin_replicas = x\n[app a/b]\n[app two words]\n"
                    "[app 01234567890123456789012345678901234567890]\n",
                    "main.ini:1: [app] must have a name of 1 to 40 of A-Z a-z 0-9 . _ : -\n"
                    "main.ini:3: [app a/b] must have a name of 1 to 40 of A-Z a-z 0-9 . _ : -\n"
                    "main.ini:4: [app two words] must have a name of 1 to 40 of A-Z a-z 0-9 . _ : -\n"
                    "main.ini:5: [app 01234567890123456789012345678901234567890] must have a name of 1 to "
                    "40 of A-Z a-z 0-9 . _ : -\n");
    expect_mistakes(*state, "[standby primary]\nconninfo = host=b\n",
                    "main.ini:1: [standby primary] must have another name: holds call the primary so\n");
}

static void whoever_is_told_has_a_command_or_a_url(void **state)
{
    expect_mistakes(*state, "[notify pager]\nkinds = *\n",
                    "[notify pager] must have either a command or a url\n");
    expect_mistakes(*state, "[notify pager]\ncommand = /bin/true\nurl = https://chat.example/\n",
                    "[notify pager] must have either a command or a url\n");
    expect_mistakes(*state, "[notify pager]\ncommand = page, now\n",
                    "[notify pager] command must begin with the absolute path of a program\n");
    expect_mistakes(*state, "[notify chat]\nurl = chat.example\n",
                    "main.ini:2: [notify chat] url must be an http:// or https:// URL\n"
                    "[notify chat] must have either a command or a url\n");
}

static void a_word_with_a_comma_or_a_quote_stands_in_quotes(void **state)
{
    struct config *c =
        read_well(*state, "[runner tool]\n"
                          "command = /bin/echo, \"a, b\" ,\"\",\t\"say \\\"hi\\\" \\\\ it's\", plain\n"
                          "environment = \"PGOPTIONS=-c search_path=app,public\", A=b\n");
    static const char *const words[] = {"/bin/echo", "a, b", "", "say \"hi\" \\ it's", "plain"};

    assert_int_equal(c->runners[0].command.count, 5);
    for (size_t i = 0; i < 5; i++)
        assert_string_equal(c->runners[0].command.items[i], words[i]);
    assert_int_equal(c->runners[0].environment.count, 2);
    assert_string_equal(c->runners[0].environment.items[0], "PGOPTIONS=-c search_path=app,public");
    config_free(c);
}

#define QUOTES "must have double quotes around each whole item that has a comma or a quote in it"

/* A shell takes quotes away; a program that gets them does something else than was meant. */
static void quotes_that_a_shell_would_take_away_are_refused(void **state)
{
    static const char *const words[][2] = {{"--name=\"x\"", "--name=\"x\""},
                                           {"'a b'", "'a b'"},
                                           {"--name='x'", "--name='x'"},
                                           {"\"a\"b", "a"},
                                           {"\"a", "a"}};

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        char *text = memory_printf("[runner tool]\ncommand = /bin/echo, %s\n", words[i][0]);
        char *mistake =
            memory_printf("main.ini:2: [runner tool] command " QUOTES ", not \"%s\"\n"
                          "[runner tool] command must begin with the absolute path of a program\n",
                          words[i][1]);
        expect_mistakes(*state, text, mistake);
        free(mistake);
        free(text);
    }
}

static void what_cannot_be_run_is_a_warning(void **state)
{
    struct buf warnings = BUF_INIT(0);
    struct config *c = read_well(*state, "[runner a]\ncommand = /nowhere/alembic, upgrade\n"
                                         "[runner b]\ncommand = /bin/true now\ndirectory = /bin/true\n"
                                         "[runner c]\ncommand = /bin/true\ndirectory = /\n"
                                         "[notify d]\ncommand = /etc/passwd\n"
                                         "[notify e]\ncommand = /bin\n"
                                         "[notify f]\nurl = http://localhost/\n");

    config_warn(c, &warnings);
    assert_string_equal(
        buf_text(&warnings),
        "[notify d] command: /etc/passwd cannot be run: Permission denied\n"
        "[notify e] command: /bin cannot be run: Permission denied\n"
        "[runner a] command: /nowhere/alembic cannot be run: No such file or directory\n"
        "[runner b] command: /bin/true now cannot be run: No such file or directory (the words of a "
        "command are separated by commas)\n"
        "[runner b] directory: /bin/true cannot be entered: Not a directory\n");
    buf_free(&warnings);
    config_free(c);
}

static void a_runner_is_a_program_with_known_places(void **state)
{
    expect_mistakes(*state, "[runner tool]\ntimeout_seconds = 5\n",
                    "[runner tool] command must begin with the absolute path of a program\n");
    expect_mistakes(*state, "[runner tool]\ncommand = alembic, upgrade\n",
                    "[runner tool] command must begin with the absolute path of a program\n");
    expect_mistakes(*state, "[runner tool]\ncommand = /bin/{argument}\n",
                    "[runner tool] command must begin with the absolute path of a program\n");
    expect_mistakes(*state, "[runner tool]\ncommand = /bin/true, {argument}{revision}\n",
                    "main.ini:2: [runner tool] command must have no braces but those of {version}, {phase}, "
                    "{name} and {argument}, not \"{argument}{revision}\"\n"
                    "[runner tool] command must begin with the absolute path of a program\n");
    expect_mistakes(*state, "[runner tool]\ncommand = /bin/true\nenvironment = A=b, 1A=b\ndirectory = tmp\n",
                    "main.ini:3: [runner tool] environment must be NAME=value, with a name of A-Z a-z 0-9 _ "
                    "that begins with no digit, not \"1A=b\"\n"
                    "main.ini:4: [runner tool] directory must be an absolute path\n");
    expect_mistakes(*state, "[runner tool]\ncommand = /bin/true\nenvironment = SCHEMAGATE_PHASE=undo\n",
                    "main.ini:3: [runner tool] environment must leave the names SCHEMAGATE_* to the daemon, "
                    "not \"SCHEMAGATE_PHASE=undo\"\n");
}

static void values_of_the_wrong_type_or_out_of_bounds_are_mistakes(void **state)
{
    expect_mistakes(*state,
                    "[gate]\nlease_seconds = 4\nmin_replicas = -1\nassume_gone_after_seconds = 604801\n"
                    "approval = maybe\nsoak_seconds = 1.5\n",
                    "main.ini:2: [gate] lease_seconds must be a whole number from 5 to 3600, not \"4\"\n"
                    "main.ini:3: [gate] min_replicas must be a whole number from 0 to 1000000, not \"-1\"\n"
                    "main.ini:4: [gate] assume_gone_after_seconds must be a whole number from 0 to 604800, "
                    "not \"604801\"\n"
                    "main.ini:5: [gate] approval must be auto or manual, not \"maybe\"\n"
                    "main.ini:6: [gate] soak_seconds must be a whole number from 0 to 31536000, not "
                    "\"1.5\"\n");
    expect_mistakes(*state, "[migration]\nlock_timeout_ms =\nretry_for_seconds = 99999999999999999999\n",
                    "main.ini:2: [migration] lock_timeout_ms must be a whole number from 1 to 600000, "
                    "not \"\"\n"
                    "main.ini:3: [migration] retry_for_seconds must be a whole number from 0 to 604800, "
                    "not \"99999999999999999999\"\n");
    expect_mistakes(*state, "[app web]\nlease_seconds = 1\n",
                    "main.ini:2: [app web] lease_seconds must be a whole number from 5 to 3600, not "
                    "\"1\"\n");
    expect_mistakes(*state, "[migration]\nretry_first_ms = 2000\n",
                    "[migration] retry_first_ms must be at most retry_max_ms\n");
}

static void addresses_and_roles_are_checked(void **state)
{
    static const char *const wrong[] = {"7433",      "host",      ":7433",     "host:",   "host:65536",
                                        "host:12a",  "::1:7433",  "[::1]7433", "unix:x",  "unix:",
                                        "http://x:", "[::1:7433"};

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        char *text = memory_printf("[http]\nlisten = 127.0.0.1:1, %s\n", wrong[i]);
        char *expected = memory_printf("main.ini:2: [http] listen must be host:port, [v6]:port or "
                                       "unix:/path, not \"%s\"\n", wrong[i]);
        expect_mistakes(*state, text, expected);
        free(text);
        free(expected);
    }
    expect_mistakes(*state, "[http]\nsocket_roles = uid:=viewer\n",
                    "main.ini:2: [http] socket_roles must be uid:NUMBER=ROLE or user:NAME=ROLE, not "
                    "\"uid:=viewer\"\n");
    expect_mistakes(*state, "[http]\nsocket_roles = uid:1=viewer, user:x=root\n",
                    "main.ini:2: [http] socket_roles must give one of the roles viewer, operator, app, "
                    "agent, deployer, not \"user:x=root\"\n");
}

static void a_bad_connection_string_is_not_repeated(void **state)
{
    expect_mistakes(*state, "[database]\nconninfo = host=x password=secret and more\n",
                    "main.ini:2: [database] conninfo must be a connection string or URI that libpq can "
                    "read (try it with psql)\n");
}

static void a_file_that_was_asked_for_must_be_there(void **state)
{
    struct buf errors = BUF_INIT(0);

    (void)state;
    assert_null(config_read("/nonexistent/x.ini", &errors));
    assert_string_equal(buf_text(&errors),
                        "/nonexistent/x.ini: cannot be read: No such file or directory\n");
    buf_free(&errors);
    assert_null(config_read("/tmp", &errors));
    assert_string_equal(buf_text(&errors), "/tmp: cannot be read: Is a directory\n");
    buf_free(&errors);
}

static void changes_that_need_a_restart_are_named(void **state)
{
    struct config *one = read_well(*state, "[http]\nlisten = 127.0.0.1:1, 127.0.0.1:2\n");
    struct config *two = read_well(*state, "[http]\nlisten = 127.0.0.1:1, 127.0.0.1:3\n"
                                           "max_connections = 100\n[database]\nconninfo = host=x\n"
                                           "[gate]\nlease_seconds = 100\n");
    struct buf names = BUF_INIT(0);

    config_fixed_changes(one, two, &names);
    assert_string_equal(buf_text(&names), "database.conninfo\nhttp.listen\nhttp.max_connections\n");
    buf_free(&names);
    config_fixed_changes(one, one, &names);
    assert_string_equal(buf_text(&names), "");
    config_free(one);
    config_free(two);
}

static void the_sample_says_what_the_defaults_are(void **state)
{
    const struct folder *folder = *state;
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);

    config_print_sample(out);
    assert_int_equal(fclose(out), 0);
    for (char *at = text; *at != '\0'; at++) {
        if (*at == ';' && (at == text || at[-1] == '\n')) {
            *at = ' ';
        }
    }
    struct config *defaults = read_well(folder, "[app NAME]\n");
    char *app = strstr(text, " [app NAME]"); /* its keys have no default to write */
    assert_non_null(app);
    *app = '\0';
    struct config *sample = read_well(folder, text);
    struct buf names = BUF_INIT(0);
    config_fixed_changes(defaults, sample, &names);
    assert_string_equal(buf_text(&names), "");
    assert_int_equal(sample->migration.retry_max_ms, defaults->migration.retry_max_ms);
    assert_int_equal(sample->http.listen.count, 1);
    assert_int_equal(sample->log.format, LOG_FORMAT_AUTO);
    config_free(defaults);
    config_free(sample);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        TEST(every_key_has_its_documented_default),
        TEST(values_of_every_type_are_read),
        TEST(a_byte_order_mark_and_a_missing_last_newline_do_no_harm),
        TEST(long_lines_are_read_whole),
        TEST(apps_have_sections_of_their_own),
        TEST(drop_ins_count_in_the_order_of_their_names),
        TEST(the_environment_wins_over_files),
        TEST(all_syntax_mistakes_of_a_file_are_named),
        TEST(nothing_may_stand_twice_in_a_file),
        TEST(unknown_sections_and_keys_are_mistakes),
        TEST(names_of_apps_are_checked),
        TEST(whoever_is_told_has_a_command_or_a_url),
        TEST(a_runner_is_a_program_with_known_places),
        TEST(a_word_with_a_comma_or_a_quote_stands_in_quotes),
        TEST(quotes_that_a_shell_would_take_away_are_refused),
        TEST(what_cannot_be_run_is_a_warning),
        TEST(values_of_the_wrong_type_or_out_of_bounds_are_mistakes),
        TEST(addresses_and_roles_are_checked),
        TEST(a_bad_connection_string_is_not_repeated),
        TEST(a_file_that_was_asked_for_must_be_there),
        TEST(changes_that_need_a_restart_are_named),
        TEST(the_sample_says_what_the_defaults_are),
#undef TEST
    };

    return cmocka_run_group_tests_name("base_config", tests, NULL, NULL);
}
