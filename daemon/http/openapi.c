/* GET /openapi.json: OpenAPI 3.1, written from the tables of routes, shapes and problems, so that it cannot
 * say anything else than they do. */
#include "handlers.h"

#include <stdio.h>
#include <string.h>

#define NAME_PATTERN "^[A-Za-z0-9._:-]+$"
#define PROBLEM_REFERENCE "#/components/schemas/Problem"

/* ---- schemas ---- */

static void write_object_schema(struct writer *w, const struct shape *shape, bool nullable);

static void write_text_schema(struct writer *w, const struct field *field)
{
    writer_text(w, "type", "string");
    if (field->low > 0 || field->kind == FIELD_NAME)
        writer_number(w, "minLength", field->kind == FIELD_NAME ? 1 : field->low);
    if (field->high > 0)
        writer_number(w, "maxLength", field->high);
    if (field->kind == FIELD_NAME)
        writer_text(w, "pattern", NAME_PATTERN);
}

static void write_integer_schema(struct writer *w, const struct field *field)
{
    writer_text(w, "type", "integer");
    writer_number(w, "minimum", field->low);
    writer_number(w, "maximum", field->high);
    if (field->fallback > 0)
        writer_number(w, "default", field->fallback);
}

static void write_choice_schema(struct writer *w, const struct field *field)
{
    writer_text(w, "type", "string");
    writer_open_list(w, "enum");
    for (size_t i = 0; field->choices[i] != NULL; i++)
        writer_text(w, NULL, field->choices[i]);
    writer_close_list(w);
}

static void write_boolean_schema(struct writer *w, const struct field *field)
{
    (void)field;
    writer_text(w, "type", "boolean");
}

static void write_nested_schema(struct writer *w, const struct field *field)
{
    write_object_schema(w, field->shape, field->nullable);
}

static void write_texts_schema(struct writer *w, const struct field *field)
{
    writer_text(w, "type", "object");
    writer_number(w, "maxProperties", field->high);
    writer_open_object(w, "additionalProperties");
    writer_text(w, "type", "string");
    writer_close_object(w);
}

static void write_lines_schema(struct writer *w, const struct field *field)
{
    writer_text(w, "type", "array");
    writer_number(w, "maxItems", field->high);
    writer_open_object(w, "items");
    writer_text(w, "type", "string");
    writer_close_object(w);
}

static void write_list_schema(struct writer *w, const struct field *field)
{
    writer_text(w, "type", "array");
    writer_number(w, "minItems", field->low);
    writer_number(w, "maxItems", field->high);
    writer_open_object(w, "items");
    write_object_schema(w, field->shape, false);
    writer_close_object(w);
}

static void write_schema(struct writer *w, const char *name, const struct field *field)
{
    static void (*const kinds[])(struct writer *, const struct field *) = {
        [FIELD_TEXT] = write_text_schema,       [FIELD_SQL] = write_text_schema,
        [FIELD_NAME] = write_text_schema,       [FIELD_INTEGER] = write_integer_schema,
        [FIELD_BOOLEAN] = write_boolean_schema, [FIELD_CHOICE] = write_choice_schema,
        [FIELD_OBJECT] = write_nested_schema,   [FIELD_TEXTS] = write_texts_schema,
        [FIELD_LIST] = write_list_schema,       [FIELD_LINES] = write_lines_schema,
    };

    writer_open_object(w, name);
    kinds[field->kind](w, field);
    writer_text(w, "description", field->about);
    writer_close_object(w);
}

static void write_object_schema(struct writer *w, const struct shape *shape, bool nullable)
{
    if (nullable) {
        writer_open_list(w, "type");
        writer_text(w, NULL, "object");
        writer_text(w, NULL, "null");
        writer_close_list(w);
    } else {
        writer_text(w, "type", "object");
    }
    writer_bool(w, "additionalProperties", false);
    writer_open_list(w, "required");
    for (size_t i = 0; i < shape->count; i++)
        if (shape->fields[i].required)
            writer_text(w, NULL, shape->fields[i].name);
    writer_close_list(w);
    writer_open_object(w, "properties");
    for (size_t i = 0; i < shape->count; i++)
        write_schema(w, shape->fields[i].name, &shape->fields[i]);
    writer_close_object(w);
}

/* ---- operations ---- */

static void write_parameter(struct writer *w, const struct field *field, const char *in)
{
    bool in_path = strcmp(in, "path") == 0;

    writer_open_object(w, NULL);
    writer_text(w, "name", field->name);
    writer_text(w, "in", in);
    writer_bool(w, "required", in_path || field->required);
    write_schema(w, "schema", field);
    writer_close_object(w);
}

static void write_parameters(struct writer *w, const struct route *route)
{
    char place[24];

    writer_open_list(w, "parameters");
    for (size_t i = 0; i < route_path_shape.count; i++) {
        snprintf(place, sizeof(place), "{%s}", route_path_shape.fields[i].name);
        if (strstr(route->pattern, place) != NULL)
            write_parameter(w, &route_path_shape.fields[i], "path");
    }
    for (size_t i = 0; route->query != NULL && i < route->query->count; i++)
        write_parameter(w, &route->query->fields[i], "query");
    writer_close_list(w);
}

static void write_body(struct writer *w, const struct shape *shape)
{
    writer_open_object(w, "requestBody");
    writer_open_object(w, "content");
    writer_open_object(w, "application/json");
    writer_open_object(w, "schema");
    write_object_schema(w, shape, false);
    writer_close_object(w);
    writer_close_object(w);
    writer_close_object(w);
    writer_close_object(w);
}

static void write_responses(struct writer *w, const struct route *route)
{
    static const struct {
        unsigned flag;
        const char *type;
    } types[] = {{ROUTE_JSON, "application/json"}, {ROUTE_HTML, "text/html"}, {ROUTE_TEXT, "text/plain"}};

    writer_open_object(w, "responses");
    writer_open_object(w, "2XX");
    writer_text(w, "description", route->about);
    writer_open_object(w, "content");
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        if ((route->flags & types[i].flag) != 0) {
            writer_open_object(w, types[i].type);
            writer_close_object(w);
        }
    }
    writer_close_object(w);
    writer_close_object(w);
    writer_open_object(w, "default");
    writer_text(w, "description", "A problem");
    writer_open_object(w, "content");
    writer_open_object(w, "application/problem+json");
    writer_open_object(w, "schema");
    writer_text(w, "$ref", PROBLEM_REFERENCE);
    writer_close_object(w);
    writer_close_object(w);
    writer_close_object(w);
    writer_close_object(w);
    writer_close_object(w);
}

static void write_security(struct writer *w, const struct route *route)
{
    static const char *const schemes[] = {"bearer", "basic"};

    writer_open_list(w, "security");
    for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]) && route->roles != 0; i++) {
        writer_open_object(w, NULL);
        writer_open_list(w, schemes[i]);
        for (unsigned role = 0; role < CALLER_ROLES; role++)
            if ((route->roles & 1U << role) != 0)
                writer_text(w, NULL, caller_role_name((enum caller_role)role));
        writer_close_list(w);
        writer_close_object(w);
    }
    writer_close_list(w);
}

static void write_operation(struct writer *w, const struct route *route)
{
    static const char *const names[METHODS] = {"get", "put", "post", "delete"};

    writer_open_object(w, names[route->method]);
    writer_text(w, "summary", route->about);
    write_security(w, route);
    write_parameters(w, route);
    if (route->body != NULL)
        write_body(w, route->body);
    write_responses(w, route);
    writer_close_object(w);
}

static bool is_first_of_path(const struct route *route)
{
    for (const struct route *before = routes; before < route; before++)
        if (strcmp(before->pattern, route->pattern) == 0)
            return false;
    return true;
}

static void write_paths(struct writer *w)
{
    writer_open_object(w, "paths");
    for (const struct route *route = routes; route->pattern != NULL; route++) {
        if (!is_first_of_path(route))
            continue;
        writer_open_object(w, route->pattern);
        for (const struct route *same = route; same->pattern != NULL; same++)
            if (strcmp(same->pattern, route->pattern) == 0)
                write_operation(w, same);
        writer_close_object(w);
    }
    writer_close_object(w);
}

/* ---- components ---- */

static void write_problem_schema(struct writer *w)
{
    static const struct {
        const char *name, *type;
    } members[] = {{"title", "string"}, {"status", "integer"}, {"detail", "string"}, {"instance", "string"}};
    char urn[80];

    writer_open_object(w, "Problem");
    writer_text(w, "type", "object");
    writer_open_object(w, "properties");
    writer_open_object(w, "type");
    writer_open_list(w, "enum");
    for (unsigned problem = PROBLEM_NONE + 1; problem < HTTP_PROBLEMS; problem++) {
        snprintf(urn, sizeof(urn), PROBLEM_URN "%s", problem_kind(problem)->slug);
        writer_text(w, NULL, urn);
    }
    writer_close_list(w);
    writer_close_object(w);
    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
        writer_open_object(w, members[i].name);
        writer_text(w, "type", members[i].type);
        writer_close_object(w);
    }
    writer_close_object(w);
    writer_close_object(w);
}

static void write_components(struct writer *w)
{
    static const char *const schemes[] = {"bearer", "basic"};

    writer_open_object(w, "components");
    writer_open_object(w, "securitySchemes");
    for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
        writer_open_object(w, schemes[i]);
        writer_text(w, "type", "http");
        writer_text(w, "scheme", schemes[i]);
        writer_close_object(w);
    }
    writer_close_object(w);
    writer_open_object(w, "schemas");
    write_problem_schema(w);
    writer_close_object(w);
    writer_close_object(w);
}

void openapi_show(struct request *r)
{
    struct buf body = BUF_INIT(0);
    struct writer w = WRITER_INIT(&body);

    writer_open_object(&w, NULL);
    writer_text(&w, "openapi", "3.1.0");
    writer_open_object(&w, "info");
    writer_text(&w, "title", "schemagate");
    writer_text(&w, "version", SCHEMAGATE_VERSION);
    writer_close_object(&w);
    write_paths(&w);
    write_components(&w);
    writer_close_object(&w);
    request_answer(r, 200, NULL, &body);
}
