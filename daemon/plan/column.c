/* Questions to a column's definition. */
#include "column.h"

#include "function.h"

#include <string.h>

#define CONSTRAINT(TYPE) PG_QUERY__CONSTR_TYPE__CONSTR_##TYPE

const PgQuery__Constraint *column_constraint(const PgQuery__ColumnDef *column, PgQuery__ConstrType type)
{
    for (size_t i = 0; i < column->n_constraints; i++)
        if (column->constraints[i]->node_case == PG_QUERY__NODE__NODE_CONSTRAINT
            && column->constraints[i]->constraint->contype == type)
            return column->constraints[i]->constraint;
    return NULL;
}

bool column_is_serial(const PgQuery__ColumnDef *column)
{
    static const char *const names[] = {"serial",  "serial2",     "serial4",
                                        "serial8", "smallserial", "bigserial"};
    const PgQuery__TypeName *type = column->type_name;
    const char *name = type != NULL && type->n_names == 1 ? node_string(type->names[0]) : NULL;

    for (size_t i = 0; name != NULL && i < sizeof(names) / sizeof(names[0]); i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

static bool is_null_constant(const PgQuery__Node *expression)
{
    while (expression != NULL && expression->node_case == PG_QUERY__NODE__NODE_TYPE_CAST)
        expression = expression->type_cast->arg;
    return expression == NULL
           || (expression->node_case == PG_QUERY__NODE__NODE_A_CONST && expression->a_const->isnull);
}

enum column_fill column_fill(const PgQuery__ColumnDef *column)
{
    const PgQuery__Constraint *with_default = column_constraint(column, CONSTRAINT(DEFAULT));

    if (column_constraint(column, CONSTRAINT(GENERATED)) != NULL)
        return COLUMN_GENERATED;
    if (column_is_serial(column) || column_constraint(column, CONSTRAINT(IDENTITY)) != NULL)
        return COLUMN_EACH;
    if (with_default == NULL || is_null_constant(with_default->raw_expr))
        return COLUMN_EMPTY;
    return function_worst(&with_default->raw_expr->base) == FUNCTION_STABLE ? COLUMN_CONSTANT : COLUMN_EACH;
}

bool column_is_not_null(const PgQuery__ColumnDef *column)
{
    return column_constraint(column, CONSTRAINT(NOTNULL)) != NULL
           || column_constraint(column, CONSTRAINT(PRIMARY)) != NULL || column->is_not_null;
}
