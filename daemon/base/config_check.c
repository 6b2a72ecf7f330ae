/* Checks of single configuration values (config_check.h). */
#include "config_check.h"

#include <schemagate/base/hours.h>

#include <libpq-fe.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#define NAME_MAXIMUM 40 /* an app's name, as the HTTP interface bounds it */
#define UNIX_PATH_MAXIMUM (sizeof(((struct sockaddr_un *)0)->sun_path) - 1)

static bool is_number_to(const char *text, unsigned long maximum)
{
    size_t digits = strspn(text, "0123456789");

    return digits > 0 && digits <= 10 && text[digits] == '\0' && strtoul(text, NULL, 10) <= maximum;
}

static bool is_port(const char *text)
{
    return is_number_to(text, 65535);
}

const char *config_check_address(const char *value)
{
    static const char form[] = "must be host:port, [v6]:port or unix:/path";

    if (strncmp(value, "unix:", 5) == 0) {
        size_t length = strlen(value + 5);
        return value[5] != '/'               ? form
               : length > UNIX_PATH_MAXIMUM ? "must name a socket with at most 107 bytes in its path"
                                             : NULL;
    }
    const char *colon = strrchr(value, ':');
    if (colon == NULL || colon == value || !is_port(colon + 1))
        return form;
    if (value[0] == '[')
        return colon[-1] == ']' ? NULL : form;
    return memchr(value, ':', (size_t)(colon - value)) == NULL ? NULL : form; /* v6 needs brackets */
}

const char *config_check_socket_role(const char *value)
{
    static const char *const roles[] = {"viewer", "operator", "app", "agent", "deployer"};
    const char *equals = strchr(value, '=');
    bool is_uid = strncmp(value, "uid:", 4) == 0;
    bool is_user = strncmp(value, "user:", 5) == 0;
    const char *who = value + (is_uid ? 4 : 5);

    if (equals == NULL || (!is_uid && !is_user) || equals <= who ||
        (is_uid && strspn(who, "0123456789") != (size_t)(equals - who)))
        return "must be uid:NUMBER=ROLE or user:NAME=ROLE";
    for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++)
        if (strcmp(equals + 1, roles[i]) == 0)
            return NULL;
    return "must give one of the roles viewer, operator, app, agent, deployer";
}

const char *config_check_conninfo(const char *value)
{
    PQconninfoOption *options = PQconninfoParse(value, NULL); /* its message could repeat a password */

    if (options == NULL)
        return "must be a connection string or URI that libpq can read (try it with psql)";
    PQconninfoFree(options);
    return NULL;
}

const char *config_check_url(const char *value)
{
    bool is_url = strncmp(value, "http://", 7) == 0 || strncmp(value, "https://", 8) == 0;

    return value[0] == '\0' || (is_url && strpbrk(value, " \t\"<>") == NULL)
               ? NULL
               : "must be an http:// or https:// URL";
}

const char *config_check_variable(const char *value)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789";
    size_t length = strspn(value, letters);

    if (length == 0 || value[length] != '=' || strchr("0123456789", value[0]) != NULL)
        return "must be NAME=value, with a name of A-Z a-z 0-9 _ that begins with no digit";
    return strncmp(value, "SCHEMAGATE_", 11) == 0 ? "must leave the names SCHEMAGATE_* to the daemon" : NULL;
}

const char *config_check_directory(const char *value)
{
    return value[0] == '\0' || value[0] == '/' ? NULL : "must be an absolute path";
}

const char *config_check_name(const char *value)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.:-";
    size_t length = strlen(value);

    if (length == 0 || length > NAME_MAXIMUM || strspn(value, allowed) != length)
        return "must have a name of 1 to 40 of A-Z a-z 0-9 . _ : -";
    return NULL;
}

const char *config_check_hours(const char *value)
{
    struct hours hours;
    const char *mistake;

    return hours_parse(value, &hours, &mistake) ? NULL : mistake;
}
