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
         "The words are migration, expand, backfill, contract, undo and allow."},
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
         "statements, just before the one that it is for."},
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
    [RULE_REQUIRED_COLUMN] =
        {"required-column", PLAN_ERROR, true,
         "The rows that are there have no value for it, and INSERTs of the old release, which does not "
         "know it, would fail.",
         "Give it a DEFAULT; or add it without NOT NULL, fill it by an UPDATE, and SET NOT NULL: each "
         "goes to its phase by itself."},
    [RULE_ONE_SHAPE_ONLY] =
        {"one-shape-only", PLAN_ERROR, true,
         "Old and new code run side by side during a rollout, and each needs its own shape.",
         "Add the new shape beside the old one, fill it, and drop the old one: the contract does that last. "
         "'-- schemagate: allow one-shape-only reason=\"…\"' runs it as it is written in the contract."},
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
};

const struct plan_rule *plan_rule_find(const char *id)
{
    for (size_t i = 0; i < PLAN_RULES; i++)
        if (strcmp(plan_rules[i].id, id) == 0)
            return &plan_rules[i];
    return NULL;
}
