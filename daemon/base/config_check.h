/* Checks of single values: each returns what is wrong, as the end of a sentence, or NULL. */
#ifndef SCHEMAGATE_BASE_CONFIG_CHECK_H
#define SCHEMAGATE_BASE_CONFIG_CHECK_H

/* host:port, [v6]:port or unix:/path */
const char *config_check_address(const char *value);

/* uid:NUMBER=ROLE or user:NAME=ROLE */
const char *config_check_socket_role(const char *value);

/* A connection string or URI that libpq can read. */
const char *config_check_conninfo(const char *value);

/* An http or https URL. */
const char *config_check_url(const char *value);

/* Hours of the week (base/hours.h). */
const char *config_check_hours(const char *value);

/* NAME=value, of an environment; schemagate's own names are its own. */
const char *config_check_variable(const char *value);

/* An absolute path, or nothing. */
const char *config_check_directory(const char *value);

/* The NAME of [app NAME], [standby NAME], [notify NAME] and [runner NAME]. */
const char *config_check_name(const char *value);

#endif
