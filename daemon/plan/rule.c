/* The table of rules: id, severity, whether an author may set it aside, why it matters, what to do. */
#include <schemagate/plan/rule.h>

#include <string.h>

const struct plan_rule plan_rules[PLAN_RULES] = {
    [RULE_UNREADABLE] =
        {"unreadable", PLAN_ERROR, false,
         "SQL is read in a process of its own with bounded stack, memory and time.",
         "Split the migration, and take long chains of operators and deep nesting apart."},
    [RULE_TOO_LARGE] =
        {"too-large", PLAN_ERROR, false, "SQL is read with bounded memory and time.",
         "Split the migration, or load the data with a tool of its own."},
    [RULE_TOO_MANY_FINDINGS] =
        {"too-many-findings", PLAN_ERROR, false, NULL,
         "Mend what is listed and submit again to see the rest."},
    [RULE_NO_FACTS] =
        {"no-facts", PLAN_NOTE, false,
         "Sizes, dependents and what exists already change what is safe: without them the careful form is "
         "taken, and what only the database knows is not found.",
         "Plan it where the database can be asked: through a daemon that leads (--url), or with "
         "--database CONNINFO."},
    [RULE_NUL_BYTE] =
        {"nul-byte", PLAN_ERROR, false, "PostgreSQL's texts cannot hold a zero byte.",
         "Save the file as UTF-8 text; UTF-16 has zero bytes between the letters."},
    [RULE_NOT_UTF8] =
        {"not-utf8", PLAN_ERROR, false,
         "Migrations are sent to PostgreSQL with client_encoding UTF8.",
         "Save the file as UTF-8."},
    [RULE_EMPTY_FILE] =
        {"empty-file", PLAN_ERROR, false, NULL,
         "Write SQL, as your tool prints it, or under the markers '-- schemagate: expand', 'backfill', "
         "'contract' and 'undo'."},
    [RULE_UNTERMINATED] =
        {"unterminated", PLAN_ERROR, false,
         "Everything up to the end of the file would belong to it.", "Close what is opened here."},
    [RULE_SYNTAX_ERROR] =
        {"syntax-error", PLAN_ERROR, false, "PostgreSQL's grammar does not accept the statement.",
         "Correct the statement. The grammar is that of PostgreSQL 15."},
    [RULE_PSQL_COMMAND] =
        {"psql-command", PLAN_ERROR, false,
         "Backslash commands are understood by psql, not by PostgreSQL.",
         "Take the command out, and write what it does as SQL."},
    [RULE_MALFORMED_DIRECTIVE] =
        {"malformed-directive", PLAN_ERROR, false,
         "A marker that is overlooked would run a statement in the wrong phase.",
         "Write '-- schemagate: WORD key=value …' on a line of its own, or begin the comment with "
         "another word."},
    [RULE_UNKNOWN_WORD] =
        {"unknown-word", PLAN_ERROR, false,
         "A marker that is overlooked would run a statement in the wrong phase.",
         "The words are migration, expand, backfill, contract, undo, allow, using, split, merge and run."},
    [RULE_UNKNOWN_KEY] =
        {"unknown-key", PLAN_ERROR, false,
         "A setting that is overlooked would change how the migration runs.",
         "Use the keys that the message names, or take this one out."},
    [RULE_DUPLICATE_KEY] =
        {"duplicate-key", PLAN_ERROR, false, "Only one of both values could count.",
         "Keep the one that is meant."},
    [RULE_BAD_VALUE] =
        {"bad-value", PLAN_ERROR, false, NULL, "Write a value of the form that the message names."},
    [RULE_DUPLICATE_DIRECTIVE] =
        {"duplicate-directive", PLAN_ERROR, false,
         "Two sections of one kind read as if they ran apart, and they would not.",
         "Put it all under one marker."},
    [RULE_MISPLACED_DIRECTIVE] =
        {"misplaced-directive", PLAN_ERROR, false, NULL,
         "'migration' stands before all sections; 'allow' stands in a section, between two "
         "statements, just before the one that it is for; 'run' stands in a section, between two "
         "statements, where the command is to run; 'using', 'split' and 'merge' stand in a file without "
         "sections, just before the statement that they are for."},
    [RULE_SQL_BEFORE_SECTION] =
        {"sql-before-section", PLAN_ERROR, false,
         "It belongs to no phase, so nobody knows when it should run.",
         "Move the statement below the marker of the phase that it belongs to."},
    [RULE_ALLOW_INCOMPLETE] =
        {"allow-incomplete", PLAN_ERROR, false,
         "An exception is recorded with its reason, for those who ask later.",
         "Write '-- schemagate: allow ID reason=\"…\"'."},
    [RULE_ALLOW_UNKNOWN] =
        {"allow-unknown", PLAN_ERROR, false,
         "An exception for a rule that does not exist allows nothing.",
         "Copy the id from the finding that it should let pass."},
    [RULE_ALLOW_FORBIDDEN] =
        {"allow-forbidden", PLAN_ERROR, false,
         "No exception can make the statement work, or keep the migration safe.",
         "Take the directive out, and mend what the rule finds."},
    [RULE_ALLOW_UNUSED] =
        {"allow-unused", PLAN_WARNING, false,
         "An exception that nothing needs would hide a mistake made later.",
         "Take the directive out."},
    [RULE_RUNNER_STEP] =
        {"runner-step", PLAN_NOTE, false,
         "What a program does is read by nobody: neither its locks nor what it removes are known, and no "
         "transaction takes it back.",
         "See to it that it only adds in expand and backfill, that it may be run again after it was ended in "
         "the middle, and that its own locks time out."},
    [RULE_UNKNOWN_RUNNER] =
        {"unknown-runner", PLAN_ERROR, false,
         "A migration can only name programs that the daemon's configuration lets it start.",
         "Name one of them, or have a [runner NAME] added to the daemon's configuration and reloaded."},
    [RULE_RUNNER_ARGUMENT] =
        {"runner-argument", PLAN_ERROR, false,
         "The command is put together from its configuration and what the migration says; nothing of it may "
         "be missing, ignored, or be taken for an option.",
         "Give what the message names, or have the command of the [runner NAME] changed."},
    [RULE_TRANSACTION_CONTROL] =
        {"transaction-control", PLAN_ERROR, false,
         "schemagate commits statements together with the record that they ran; a COMMIT of one's "
         "own would part them.",
         "Take it out: the statements of a section share one transaction by themselves. "
         "'atomic=no' on the section gives each one its own."},
    [RULE_CLIENT_COPY] =
        {"client-copy", PLAN_ERROR, false,
         "The rows would have to come from, or go to, the client's connection, which is the "
         "daemon's.",
         "Use INSERT … VALUES, or load the data with a tool of its own."},
    [RULE_SERVER_PROGRAM] =
        {"server-program", PLAN_ERROR, false,
         "Who may submit a migration does not thereby choose programs: those that may run stand in the "
         "daemon's configuration.",
         "Name a configured runner ('-- schemagate: run NAME'), or run the program by hand."},
    [RULE_NOT_RESUMABLE] =
        {"not-resumable", PLAN_ERROR, false,
         "Outside of transactions an interrupted statement leaves a part of its work behind. The next "
         "attempt finds it by the name of the one index that the statement is about.",
         "Give the index a name, and each index a statement of its own."},
    [RULE_SESSION_STATE] =
        {"session-state", PLAN_ERROR, false,
         "The session belongs to the daemon: it holds the migration lock, and it outlives the "
         "migration.",
         "Take the statement out."},
    [RULE_MANAGED_SETTING] =
        {"managed-setting", PLAN_ERROR, false,
         "The daemon sets it itself, so that a migration is fenced, owned by the right role and "
         "never makes the application's queries wait.",
         "Take the statement out, and use the daemon's configuration (section [migration])."},
    [RULE_OWN_SCHEMA] =
        {"own-schema", PLAN_ERROR, false,
         "The schema 'schemagate' holds the record of what ran and of who is safe.",
         "Leave it to the daemon, and give things of your own another name."},
    [RULE_ADVISORY_LOCK] =
        {"advisory-lock", PLAN_ERROR, false,
         "An advisory lock of this session is what makes the daemon the only one that migrates.",
         "Take the call out: migrations of one database never run beside each other."},
    [RULE_SUSPECT_DO_BLOCK] =
        {"suspect-do-block", PLAN_ERROR, true,
         "The body of a DO block is a program that can only be searched, not understood: touching "
         "the schema 'schemagate' or advisory locks would break the record of what ran.",
         "Take the mention out, or, if it is harmless, put "
         "'-- schemagate: allow suspect-do-block reason=\"…\"' before the statement."},
    [RULE_POSTPONED] =
        {"postponed", PLAN_NOTE, false,
         "With keep_hours only what can be hidden is done at once, so that a restore finds everything "
         "else as older code knows it.",
         "Nothing needs to be done. What has to run with the contract itself belongs into a migration of its "
         "own, with keep_hours=0."},
    [RULE_NOTHING_HIDDEN] =
        {"nothing-hidden", PLAN_WARNING, false,
         "Only columns and tables that are dropped can be hidden; once this contract has run, there is no "
         "restore.",
         "Take keep_hours out of this migration if that is meant."},
    [RULE_NO_SAFE_FORM] =
        {"no-safe-form", PLAN_ERROR, true,
         "As it is written it stops the application, or the old release, for as long as it runs.",
         "Write the steps yourself under the markers '-- schemagate: expand', 'backfill' and "
         "'contract'; or, if the table is small or unused, put "
         "'-- schemagate: allow no-safe-form reason=\"…\"' before the statement to run it as it is written."},
    [RULE_ONE_SHAPE_ONLY] =
        {"one-shape-only", PLAN_ERROR, true,
         "Old and new code run side by side during a rollout, and each needs its own shape.",
         "Add the new shape beside the old one, fill it, and drop the old one: the contract does that last. "
         "'-- schemagate: allow one-shape-only reason=\"…\"' runs it as it is written in the contract."},
    [RULE_COEXISTENCE] =
        {"coexistence", PLAN_NOTE, false,
         "Old and new code run side by side during a rollout: what one writes, the other reads.",
         "Nothing. What the two shapes cannot do for each other stands in docs/migrations.md, under "
         "'Old and new shape side by side'."},
    [RULE_COLUMN_IN_USE] =
        {"column-in-use", PLAN_ERROR, true,
         "It would keep the old column from being dropped, or, for a trigger, see rows before both columns "
         "are in step.",
         "Take it away, or change it so that it does without the column, in a migration before this one; or "
         "change it in this file and put '-- schemagate: allow column-in-use reason=\"…\"' before the "
         "statement."},
    [RULE_MENTIONED_COLUMN] =
        {"mentioned-column", PLAN_WARNING, true,
         "PostgreSQL does not know what the text of a function needs: the function would fail when it is "
         "called.",
         "Replace the function in a migration that runs before the contract, or put "
         "'-- schemagate: allow mentioned-column reason=\"…\"' before the statement if another column is "
         "meant."},
    [RULE_BAD_SPLIT] =
        {"bad-split", PLAN_ERROR, false,
         "Old and new code write side by side: each new column is made from the old ones, and each old "
         "column from the new ones, in every row.",
         "Put '-- schemagate: split up=\"a = …, b = …\" down=\"old = …\"' (or merge, the other way round) "
         "before the first of the statements that add the new columns and drop the old ones; all of them "
         "stand in this file."},
    [RULE_NO_CONVERSION] =
        {"no-conversion", PLAN_ERROR, false,
         "Each row has its new value from the expand on, and code of the old release must be able to write "
         "whatever it writes.",
         "Say how: '-- schemagate: using up=\"an expression of the row's columns\"' before the statement, or "
         "USING behind the type. With down=\"…\" as well the new column can be written before the contract."},
    [RULE_NEEDS_CONTRACT] =
        {"needs-contract", PLAN_ERROR, true,
         "The contract runs when the old release is gone; until then the new release would be without it.",
         "Make two migrations of it, or give the new thing another name. "
         "'-- schemagate: allow needs-contract reason=\"…\"' puts the statement into the contract."},
    [RULE_UNPLACED] =
        {"unplaced", PLAN_ERROR, false,
         "A statement in the wrong phase breaks the old release or the new one, so what cannot be read "
         "is placed by its author.",
         "Put the markers '-- schemagate: expand', 'backfill', 'contract' and 'undo' into the file, and the "
         "statement under the one where it belongs."},
    [RULE_NEEDS_SCHEMA] =
        {"needs-schema", PLAN_ERROR, false,
         "The daemon's own search_path could lead to another table of that name.",
         "Write the name with its schema."},
    [RULE_SETTING_DROPPED] =
        {"setting-dropped", PLAN_NOTE, false,
         "The daemon sets it for its own sessions, so that nobody waits for a migration.",
         "Nothing is to be done; section [migration] of the configuration has the daemon's values."},
    [RULE_NO_UNDO] =
        {"no-undo", PLAN_NOTE, false,
         "An undo is derived for the whole file or not at all: half of one would be a state that nobody has "
         "tested.",
         "Nothing, if going back is not needed; else put markers into the file and write the undo section."},
    [RULE_UNPARSED] =
        {"unparsed", PLAN_ERROR, true,
         "The grammar is that of PostgreSQL 15: what only a newer server understands can be run, but "
         "not checked.",
         "Correct the statement, or, if the server understands it and it belongs here, put "
         "'-- schemagate: allow unparsed reason=\"…\"' before it."},
    [RULE_DROP_TABLE] =
        {"drop-table", PLAN_ERROR, true,
         "Every query of the running release that names the table fails from that moment on.",
         "Move the statement below '-- schemagate: contract'; it runs when no replica needs {table} "
         "any more."},
    [RULE_DROP_COLUMN] =
        {"drop-column", PLAN_ERROR, true,
         "The running release lists its columns in SELECT and INSERT: each of these queries fails from"
         " that moment on.",
         "Move it below '-- schemagate: contract': ALTER TABLE {table} DROP COLUMN {column};"},
    [RULE_DROP_OBJECT] =
        {"drop-object", PLAN_ERROR, true,
         "The running release may name it: its queries fail from that moment on.",
         "Move the statement below '-- schemagate: contract'."},
    [RULE_DROP_CONSTRAINT] =
        {"drop-constraint", PLAN_ERROR, true,
         "ON CONFLICT of the running release fails without its unique constraint, and without a "
         "foreign key nothing deletes or clears the rows that refer to a deleted one. (Without the "
         "catalog's facts it is not known of which kind the constraint is.)",
         "Move it below '-- schemagate: contract': ALTER TABLE {table} DROP CONSTRAINT {name}; a CHECK"
         " that new code has to break may be allowed here."},
    [RULE_DROP_INDEX] =
        {"drop-index", PLAN_ERROR, true,
         "The queries of the running release that the index is for read the whole table instead, and "
         "ON CONFLICT fails without its unique index.",
         "Move it below '-- schemagate: contract': DROP INDEX CONCURRENTLY {table};"},
    [RULE_TRUNCATE] =
        {"truncate", PLAN_ERROR, true,
         "The running release still reads the rows, and ACCESS EXCLUSIVE shuts it out until the "
         "transaction ends.",
         "Move the statement below '-- schemagate: contract'."},
    [RULE_RENAME_TABLE] =
        {"rename-table", PLAN_ERROR, true,
         "The running release knows the old name only: each of its queries on the table fails.",
         "Keep {table} in expand: CREATE VIEW {name} AS SELECT * FROM {table}; and rename in contract."},
    [RULE_RENAME_COLUMN] =
        {"rename-column", PLAN_ERROR, true,
         "The running release knows the old name only, the new one knows only the new: whatever the "
         "moment, one of them fails.",
         "Add {name} in expand, keep both in step by a trigger, fill it in backfill, and drop {column}"
         " in contract."},
    [RULE_RENAME_OBJECT] =
        {"rename-object", PLAN_ERROR, true,
         "The running release knows the old name only.",
         "Create the new one beside it in expand, and drop the old one below '-- schemagate: "
         "contract'."},
    [RULE_SET_SCHEMA] =
        {"set-schema", PLAN_ERROR, true,
         "The running release finds it in the old schema only.",
         "Move the statement below '-- schemagate: contract', and put both schemas on the search_path "
         "of new code before."},
    [RULE_SET_OWNER] =
        {"set-owner", PLAN_ERROR, true,
         "The old owner loses every right that it was not granted, and the running release may be "
         "connected as the old owner.",
         "GRANT what the old owner needs in expand, and move the statement below '-- schemagate: "
         "contract'."},
    [RULE_DETACH_PARTITION] =
        {"detach-partition", PLAN_ERROR, true,
         "The rows vanish from the parent, where the running release looks for them.",
         "Move it below '-- schemagate: contract': ALTER TABLE {table} DETACH PARTITION {other} "
         "CONCURRENTLY;"},
    [RULE_COLUMN_TYPE] =
        {"column-type", PLAN_ERROR, true,
         "The running release sends and expects the old type; its prepared statements fail ('cached "
         "plan must not change result type').",
         "Add a column of the new type in expand, keep both in step by a trigger, fill it in backfill,"
         " and drop {column} in contract."},
    [RULE_DROP_EXPRESSION] =
        {"drop-expression", PLAN_ERROR, true,
         "Rows that the running release writes get no computed value any more.",
         "Move the statement below '-- schemagate: contract'."},
    [RULE_DISABLE_TRIGGER] =
        {"disable-trigger", PLAN_ERROR, true,
         "What the trigger does for the rows of the running release is not done any more.",
         "Move the statement below '-- schemagate: contract'."},
    [RULE_ALTER_TYPE] =
        {"alter-type", PLAN_ERROR, true,
         "The running release reads and writes values of the type as they were, '(a,b)' for two "
         "attributes.",
         "Create a new type in expand, and drop the old one below '-- schemagate: contract'."},
    [RULE_RENAME_ENUM_VALUE] =
        {"rename-enum-value", PLAN_ERROR, true,
         "The running release writes and expects the old value.",
         "ALTER TYPE {table} ADD VALUE in expand, UPDATE in backfill, and leave the old value be."},
    [RULE_ALTER_OBJECT] =
        {"alter-object", PLAN_ERROR, true,
         "The running release may rely on it as it is.",
         "Create a new one beside it in expand, or move the statement below '-- schemagate: contract'."},
    [RULE_REVOKE] =
        {"revoke", PLAN_ERROR, true,
         "The running release may need the right: its queries fail with 'permission denied' from that "
         "moment on.",
         "Move the statement below '-- schemagate: contract'."},
    [RULE_CHANGE_ROLE] =
        {"change-role", PLAN_ERROR, true,
         "The running release may be connected as this role, and opens new connections at any time.",
         "Move the statement below '-- schemagate: contract', or keep roles out of migrations."},
    [RULE_SERVER_STATEMENT] =
        {"server-statement", PLAN_ERROR, true,
         "It is about the server or another database, which no migration of this one can take back.",
         "Run it by hand, as an administrator of the server."},
    [RULE_ADD_COLUMN_NOT_NULL] =
        {"add-column-not-null", PLAN_ERROR, true,
         "The statement fails if the table has a row, and INSERTs of the running release, which does "
         "not know the column, fail from that moment on.",
         "Give it a default: ALTER TABLE {table} ADD COLUMN {column} … NOT NULL DEFAULT …; or add it "
         "without NOT NULL, fill it in backfill and SET NOT NULL in contract. In a file without markers "
         "each goes to its phase by itself."},
    [RULE_SET_NOT_NULL] =
        {"set-not-null", PLAN_ERROR, true,
         "The running release may still write NULL: such INSERTs and UPDATEs fail from that moment on.",
         "In contract: ALTER TABLE {table} ADD CONSTRAINT … CHECK ({column} IS NOT NULL) NOT VALID; "
         "VALIDATE it; ALTER COLUMN {column} SET NOT NULL; DROP CONSTRAINT. Fill the NULLs in backfill"
         " before."},
    [RULE_DROP_DEFAULT] =
        {"drop-default", PLAN_ERROR, true,
         "INSERTs of the running release that leave the column out get NULL instead, and fail where it"
         " is NOT NULL.",
         "Move it below '-- schemagate: contract': ALTER TABLE {table} ALTER COLUMN {column} DROP "
         "DEFAULT;"},
    [RULE_GENERATED_ALWAYS] =
        {"generated-always", PLAN_ERROR, true,
         "INSERTs of the running release that give the column a value of their own fail.",
         "ALTER TABLE {table} ALTER COLUMN {column} ADD GENERATED BY DEFAULT AS IDENTITY in expand; "
         "SET GENERATED ALWAYS in contract."},
    [RULE_ADD_CHECK] =
        {"add-check", PLAN_ERROR, true,
         "Rows that the running release writes are refused where they break the rule, NOT VALID or "
         "not.",
         "In contract: ALTER TABLE {table} ADD CONSTRAINT {name} CHECK (…) NOT VALID; then ALTER TABLE"
         " {table} VALIDATE CONSTRAINT {name};"},
    [RULE_ADD_FOREIGN_KEY] =
        {"add-foreign-key", PLAN_ERROR, true,
         "Rows of the running release that refer to nothing are refused, NOT VALID or not, and so is "
         "deleting rows of {other} that others refer to.",
         "In contract: ALTER TABLE {table} ADD CONSTRAINT {name} FOREIGN KEY (…) REFERENCES {other} "
         "NOT VALID; then ALTER TABLE {table} VALIDATE CONSTRAINT {name};"},
    [RULE_ADD_UNIQUE] =
        {"add-unique", PLAN_ERROR, true,
         "Rows of the running release that repeat a value are refused.",
         "In contract: CREATE UNIQUE INDEX CONCURRENTLY {name} ON {table} (…); then ALTER TABLE "
         "{table} ADD CONSTRAINT … UNIQUE USING INDEX {name};"},
    [RULE_ADD_PRIMARY_KEY] =
        {"add-primary-key", PLAN_ERROR, true,
         "Rows of the running release that repeat a value or leave one out are refused.",
         "In contract: CREATE UNIQUE INDEX CONCURRENTLY, make the columns NOT NULL by a validated "
         "CHECK, then ALTER TABLE {table} ADD PRIMARY KEY USING INDEX …;"},
    [RULE_ADD_EXCLUDE] =
        {"add-exclude", PLAN_ERROR, true,
         "Rows of the running release that overlap another are refused.",
         "Move the statement below '-- schemagate: contract'."},
    [RULE_ALTER_CONSTRAINT] =
        {"alter-constraint", PLAN_ERROR, true,
         "Transactions of the running release that set things right before they COMMIT fail at the "
         "first statement.",
         "Move the statement below '-- schemagate: contract'."},
    [RULE_TIGHTEN_DOMAIN] =
        {"tighten-domain", PLAN_ERROR, true,
         "Values that the running release writes are refused in every column of the domain.",
         "In contract: ALTER DOMAIN {table} ADD CONSTRAINT {name} CHECK (…) NOT VALID; then VALIDATE "
         "CONSTRAINT."},
    [RULE_ROW_SECURITY] =
        {"row-security", PLAN_ERROR, true,
         "Rows vanish for the running release without an error, and its writes are refused.",
         "Create the policies that the running release needs first, and move the statement below '-- "
         "schemagate: contract'."},
    [RULE_ENABLE_TRIGGER] =
        {"enable-trigger", PLAN_ERROR, true,
         "The writes of the running release set off the trigger, which may refuse them.",
         "Move the statement below '-- schemagate: contract', or allow it if the trigger refuses "
         "nothing."},
    [RULE_CREATE_RULE] =
        {"create-rule", PLAN_ERROR, true,
         "The writes of the running release are rewritten into others.",
         "Move the statement below '-- schemagate: contract', or use a trigger."},
    [RULE_ALTER_SEQUENCE] =
        {"alter-sequence", PLAN_ERROR, true,
         "Numbers that the running release draws may repeat, or run out.",
         "Move the statement below '-- schemagate: contract'."},
    [RULE_PUBLISH_TABLE] =
        {"publish-table", PLAN_ERROR, true,
         "UPDATE and DELETE fail on a published table that has no replica identity (a primary key, as "
         "a rule).",
         "Make sure that {table} has a primary key, or publish INSERTs only; then allow it."},
    [RULE_REPLICA_IDENTITY] =
        {"replica-identity-nothing", PLAN_ERROR, true,
         "UPDATE and DELETE fail where the table is published.",
         "Keep the primary key as the replica identity, or choose an index."},
    [RULE_INDEX_NOT_CONCURRENT] =
        {"index-not-concurrent", PLAN_ERROR, true,
         "SHARE keeps every writer of the table out while the index is built, and who waits for the "
         "lock makes readers wait, too.",
         "CREATE INDEX CONCURRENTLY {name} ON {table} …; it runs outside of transactions, which "
         "schemagate sees to."},
    [RULE_DROP_INDEX_NOT_CONCURRENT] =
        {"drop-index-not-concurrent", PLAN_ERROR, true,
         "ACCESS EXCLUSIVE on the index's table: readers and writers wait behind it, and it waits for "
         "all that run.",
         "DROP INDEX CONCURRENTLY {table};"},
    [RULE_REINDEX_NOT_CONCURRENT] =
        {"reindex-not-concurrent", PLAN_ERROR, true,
         "SHARE keeps every writer of the table out while the indexes are built, and readers that "
         "would use them.",
         "REINDEX … CONCURRENTLY …;"},
    [RULE_REFRESH_NOT_CONCURRENT] =
        {"refresh-not-concurrent", PLAN_ERROR, true,
         "ACCESS EXCLUSIVE keeps every reader of the view out until its query is done.",
         "REFRESH MATERIALIZED VIEW CONCURRENTLY {table}; (it needs a unique index on the view)"},
    [RULE_VOLATILE_DEFAULT] =
        {"volatile-default", PLAN_ERROR, true,
         "Each row gets a value of its own: the table is written anew under ACCESS EXCLUSIVE, for as "
         "long as that takes.",
         "ALTER TABLE {table} ADD COLUMN {column} …; ALTER TABLE {table} ALTER COLUMN {column} SET "
         "DEFAULT …; and in backfill: UPDATE {table} SET {column} = … WHERE {column} IS NULL;"},
    [RULE_SERIAL_COLUMN] =
        {"serial-column", PLAN_ERROR, true,
         "Each row gets a number: the table is written anew under ACCESS EXCLUSIVE, for as long as "
         "that takes.",
         "CREATE SEQUENCE …; ALTER TABLE {table} ADD COLUMN {column} bigint; ALTER TABLE {table} ALTER"
         " COLUMN {column} SET DEFAULT nextval('…'); ALTER SEQUENCE … OWNED BY {table}.{column}; and "
         "fill the old rows in backfill."},
    [RULE_GENERATED_COLUMN] =
        {"generated-column", PLAN_ERROR, true,
         "The value of each row is computed and stored: the table is written anew under ACCESS "
         "EXCLUSIVE, for as long as that takes.",
         "Add {column} as a plain column, fill it by a trigger and in backfill; or compute it in a "
         "view."},
    [RULE_DOMAIN_COLUMN] =
        {"domain-column", PLAN_ERROR, true,
         "PostgreSQL looks at each row for the rules of the domain: the table is written anew under "
         "ACCESS EXCLUSIVE.",
         "Use the domain's base type, and a CHECK that is NOT VALID at first."},
    [RULE_CHECK_WITHOUT_NOT_VALID] =
        {"check-without-not-valid", PLAN_ERROR, true,
         "Every row is looked at under ACCESS EXCLUSIVE: nobody reads or writes the table for as long "
         "as that takes.",
         "ALTER TABLE {table} ADD CONSTRAINT {name} CHECK (…) NOT VALID; then, in a transaction of its"
         " own: ALTER TABLE {table} VALIDATE CONSTRAINT {name};"},
    [RULE_FOREIGN_KEY_WITHOUT_NOT_VALID] =
        {"foreign-key-without-not-valid", PLAN_ERROR, true,
         "Every row is looked up under SHARE ROW EXCLUSIVE on both tables: nobody writes either for as"
         " long as that takes.",
         "ALTER TABLE {table} ADD CONSTRAINT {name} FOREIGN KEY (…) REFERENCES {other} NOT VALID; "
         "then, in a transaction of its own: ALTER TABLE {table} VALIDATE CONSTRAINT {name};"},
    [RULE_UNIQUE_WITHOUT_INDEX] =
        {"unique-without-index", PLAN_ERROR, true,
         "The index is built under ACCESS EXCLUSIVE: nobody reads or writes the table for as long as "
         "that takes.",
         "CREATE UNIQUE INDEX CONCURRENTLY … ON {table} (…); then ALTER TABLE {table} ADD CONSTRAINT …"
         " UNIQUE (or PRIMARY KEY) USING INDEX …;"},
    [RULE_EXCLUDE_BUILDS_INDEX] =
        {"exclude-builds-index", PLAN_ERROR, true,
         "The index is built under ACCESS EXCLUSIVE, and PostgreSQL has no other way to add such a "
         "constraint.",
         "Add it while {table} is small, or write into a new table that has it from the beginning."},
    [RULE_NOT_NULL_SCAN] =
        {"not-null-scan", PLAN_ERROR, true,
         "Every row is looked at under ACCESS EXCLUSIVE, unless a validated CHECK has proved it "
         "already.",
         "ALTER TABLE {table} ADD CONSTRAINT … CHECK ({column} IS NOT NULL) NOT VALID; VALIDATE it in "
         "a transaction of its own; then SET NOT NULL looks at nothing; DROP CONSTRAINT. Where {column} has "
         "a NOT NULL that is NOT VALID (PostgreSQL 18), VALIDATE that one instead."},
    [RULE_TYPE_REWRITE] =
        {"type-rewrite", PLAN_ERROR, true,
         "The table and its indexes are written anew under ACCESS EXCLUSIVE, unless the new type holds"
         " the old values as they are.",
         "Add a column of the new type, copy by trigger and backfill, and drop {column} in contract."},
    [RULE_TABLE_REWRITE] =
        {"table-rewrite", PLAN_ERROR, true,
         "The table is written anew under ACCESS EXCLUSIVE: nobody reads or writes it for as long as "
         "that takes.",
         "Use pg_repack, or move the rows to a new table in backfill."},
    [RULE_ATTACH_SCAN] =
        {"attach-scan", PLAN_ERROR, true,
         "Every row of the partition (and of the default one) is looked at while it is locked.",
         "ALTER TABLE {other} ADD CONSTRAINT … CHECK (the partition's bounds) NOT VALID; VALIDATE it; "
         "ATTACH; DROP CONSTRAINT. If that is done already, allow it."},
    [RULE_DETACH_NOT_CONCURRENT] =
        {"detach-not-concurrent", PLAN_ERROR, true,
         "ACCESS EXCLUSIVE on the parent: every query of the whole table waits.",
         "ALTER TABLE {table} DETACH PARTITION {other} CONCURRENTLY; (PostgreSQL 14)"},
    [RULE_LOCK_TABLE] =
        {"lock-table", PLAN_ERROR, true,
         "The table stays locked until the transaction ends.",
         "Take the statement out: schemagate waits for a quiet moment before it locks anything."},
    [RULE_DOMAIN_SCAN] =
        {"domain-scan", PLAN_ERROR, true,
         "Every table that has a column of the domain is read under SHARE.",
         "Add the constraint NOT VALID, and VALIDATE it in a transaction of its own."},
    [RULE_LONG_UNDER_LOCK] =
        {"long-under-lock", PLAN_ERROR, true,
         "Statements of a section share a transaction: what was locked before stays locked until this "
         "one is done.",
         "Write 'atomic=no' on the section, or move the statement to a section of its own (data to '--"
         " schemagate: backfill')."},
    [RULE_DROP_NOT_NULL] =
        {"drop-not-null", PLAN_WARNING, true,
         "The running release may not expect NULL where there was none.",
         "Make sure that old code can read NULL in {column}, or that new code writes none before the "
         "contract."},
    [RULE_REPLACE_OBJECT] =
        {"replace-object", PLAN_WARNING, true,
         "The running release calls the new body from that moment on, and undo does not know the old "
         "one.",
         "Give it a new name, and drop the old one in contract; or allow it if old code gets what it "
         "expects."},
    [RULE_CREATE_TRIGGER] =
        {"create-trigger", PLAN_WARNING, true,
         "The writes of the running release set off the trigger: if it raises or changes rows, old "
         "code notices. What it does cannot be read from here.",
         "Make sure that the trigger takes what old code writes."},
    [RULE_OPAQUE_STATEMENT] =
        {"opaque-statement", PLAN_WARNING, true,
         "What it does cannot be read, so nobody has checked that it belongs here.",
         "Look through what it does: whatever removes or tightens belongs into contract."},
    [RULE_UNKNOWN_STATEMENT] =
        {"unknown-statement", PLAN_ERROR, true,
         "Nothing is known about this form, so it cannot be said what it would break.",
         "Place it by '-- schemagate: allow unknown-statement reason=\"…\"' before it, once you have "
         "made sure."},
    [RULE_CASCADE] =
        {"cascade", PLAN_WARNING, true,
         "Whatever depends on it goes as well, and that may be more than when this was written.",
         "Drop each dependent object by name, without CASCADE."},
    [RULE_JSON_COLUMN] =
        {"json-column", PLAN_WARNING, true,
         "json has no equality: SELECT DISTINCT and GROUP BY of the running release that list every "
         "column fail.",
         "ALTER TABLE {table} ADD COLUMN {column} jsonb;"},
    [RULE_DOMAIN_WITH_CONSTRAINT] =
        {"domain-with-constraint", PLAN_WARNING, true,
         "A rule of a domain can only be changed for all tables at once, and a column of it is written"
         " anew.",
         "CREATE DOMAIN without CHECK and NOT NULL, and put CHECKs on the tables."},
    [RULE_ENUM_VALUE] =
        {"enum-value", PLAN_NOTE, true,
         "As soon as new code writes the value, the running release may read it.",
         "Make sure that old code can read a value that it does not know. It cannot be taken back: "
         "undo leaves it."},
    [RULE_DATA_IN_EXPAND] =
        {"data-in-expand", PLAN_WARNING, true,
         "All rows are changed in one transaction, which locks them until it ends, beside DDL that "
         "waits for locks.",
         "Move it below '-- schemagate: backfill': a plain UPDATE of one table runs in batches there."},
    [RULE_DELETE_ROWS] =
        {"delete-rows", PLAN_WARNING, true,
         "The running release may still read the rows, and undo cannot bring them back.",
         "Move the statement below '-- schemagate: contract'."},
    [RULE_PUBLISHED_TABLE] =
        {"published-table", PLAN_WARNING, true,
         "Subscribers of a logical replication stop ('missing replicated column') until they have the "
         "column, and WAL piles up here meanwhile.",
         "Add the column to the subscribers' {table} first."},
    [RULE_EVENT_TRIGGER] =
        {"event-trigger", PLAN_NOTE, true,
         "It runs beside each statement of the migration, and may refuse it.",
         "Make sure that the event triggers of this database let the migration pass."},
    [RULE_EXTENSION_OWNED] =
        {"extension-owned", PLAN_ERROR, true,
         "The next update of the extension undoes the change, or fails.",
         "Leave it to the extension."},
    [RULE_DEPENDENTS] =
        {"dependents", PLAN_WARNING, true,
         "What depends on it breaks, blocks the statement, or goes along with CASCADE.",
         "Drop or replace what depends on it before, in the same section."},
    [RULE_STILL_REQUIRED] =
        {"still-required", PLAN_ERROR, true,
         "The column is NOT NULL without a default: new code, which does not know it, can insert no "
         "row until the contract has run.",
         "In expand: ALTER TABLE {table} ALTER COLUMN {column} DROP NOT NULL; (or SET DEFAULT)"},
    [RULE_INDEX_EXISTS] =
        {"index-exists", PLAN_WARNING, true,
         "The statement fails, or with IF NOT EXISTS does nothing, whatever the index there is made "
         "of.",
         "Choose another name, or take the statement out if it is the same index."},
    [RULE_STILL_REACHABLE] =
        {"still-reachable", PLAN_WARNING, true,
         "Views read with the rights of their owner: what is revoked here is still reachable through "
         "them.",
         "REVOKE on the views as well."},
    [RULE_STYLE_CHAR] =
        {"style-char", PLAN_WARNING, true,
         "char(n) pads with blanks, which comparisons then ignore.",
         "Write: {column} text"},
    [RULE_STYLE_TEXT] =
        {"style-text", PLAN_WARNING, true,
         "Another length is another type; a CHECK can be replaced without touching the column.",
         "Write: {column} text CHECK (length({column}) <= …)"},
    [RULE_STYLE_BIGINT] =
        {"style-bigint", PLAN_WARNING, true,
         "A number of 32 bits runs out at 2,147,483,647, and another type is a rewrite.",
         "Write: {column} bigint"},
    [RULE_STYLE_IDENTITY] =
        {"style-identity", PLAN_WARNING, true,
         "A serial's sequence is an object of its own, with rights of its own.",
         "Write: {column} bigint GENERATED BY DEFAULT AS IDENTITY"},
    [RULE_STYLE_TIMESTAMPTZ] =
        {"style-timestamptz", PLAN_WARNING, true,
         "A timestamp without time zone means another moment wherever the session's TimeZone differs.",
         "Write: {column} timestamptz"},
    [RULE_STYLE_ROBUST] =
        {"style-robust", PLAN_WARNING, true,
         "What cannot run in a transaction may have been done in part when it is tried again.",
         "Add IF NOT EXISTS or IF EXISTS."},
    [RULE_STYLE_WIDE_INDEX] =
        {"style-wide-index", PLAN_WARNING, true,
         "An index of more than three columns seldom finds more than one of the first three.",
         "Begin with the columns that narrow most, and leave the others out."},
    [RULE_NOT_BATCHED] =
        {"not-batched", PLAN_WARNING, true,
         "In one statement it locks all rows that it changes until it ends, and starts from nothing "
         "when it is interrupted.",
         "Write it as an UPDATE, a DELETE or an INSERT … SELECT over one table, in which each row "
         "stands for itself; if the table is small, put '-- schemagate: allow not-batched "
         "reason=\"…\"' before the statement."},
    [RULE_CLOCK_OF_BATCHES] =
        {"clock-of-batches", PLAN_NOTE, true,
         "Each batch is a transaction of its own, so rows of different batches get different times.",
         "If all rows need the same time, write it as a constant."},
    [RULE_NOT_VERIFIED] =
        {"not-verified", PLAN_WARNING, true,
         "No look at the end can find what was missed: rows that are inserted meanwhile are met or not, and "
         "one whose key or partition is changed meanwhile may be left out, or met twice.",
         "Give an UPDATE a condition that its own effect ends (WHERE a IS NULL, where it sets a), a DELETE a "
         "condition, an INSERT … SELECT an ON CONFLICT (columns) DO NOTHING over columns that it reads. Or "
         "let a default or a trigger fill new rows, see to it that keys stay as they are, and put "
         "'-- schemagate: allow not-verified reason=\"…\"' before the statement."},
};

const struct plan_rule *plan_rule_find(const char *id)
{
    for (size_t i = 0; i < PLAN_RULES; i++)
        if (strcmp(plan_rules[i].id, id) == 0)
            return &plan_rules[i];
    return NULL;
}
