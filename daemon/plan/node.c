/* Small questions to nodes of the parse tree. */
#include "statement.h"

#include <string.h>
#include <strings.h>

const char *node_string(const PgQuery__Node *node)
{
    if (node == NULL)
        return NULL;
    if (node->node_case == PG_QUERY__NODE__NODE_STRING)
        return node->string->sval;
    if (node->node_case == PG_QUERY__NODE__NODE_A_CONST
        && node->a_const->val_case == PG_QUERY__A__CONST__VAL_SVAL)
        return node->a_const->sval->sval;
    return NULL;
}

const PgQuery__DefElem *node_option(PgQuery__Node *const *options, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (options[i]->node_case == PG_QUERY__NODE__NODE_DEF_ELEM
            && strcmp(options[i]->def_elem->defname, name) == 0)
            return options[i]->def_elem;
    return NULL;
}

/* A word that is no keyword, as in "create_slot = off", looks like the name of a type to the grammar. */
static const char *option_word(const PgQuery__Node *argument)
{
    if (argument->node_case == PG_QUERY__NODE__NODE_TYPE_NAME)
        return node_string(argument->type_name->names[argument->type_name->n_names - 1]);
    return node_string(argument);
}

bool node_option_is_on(PgQuery__Node *const *options, size_t count, const char *name, bool otherwise)
{
    static const char *const off[] = {"false", "off", "0"};
    const PgQuery__DefElem *option = node_option(options, count, name);
    const char *text;

    if (option == NULL)
        return otherwise;
    if (option->arg == NULL)
        return true;
    if (option->arg->node_case == PG_QUERY__NODE__NODE_INTEGER)
        return option->arg->integer->ival != 0;
    text = option_word(option->arg);
    for (size_t i = 0; text != NULL && i < sizeof(off) / sizeof(off[0]); i++)
        if (strcasecmp(text, off[i]) == 0)
            return false;
    return true;
}
