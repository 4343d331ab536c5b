/* Prints compiler/model/model.schema.json, the JSON Schema of a model file, from the reader's own
 * table; with --page the table of fields in compiler/model/README.md.
 *
 * Names, ranges, choices, defaults and meanings are those of model_field. Written here: the rules
 * between fields, as far as a schema can say them. It cannot say that one number
 * divides or equals another, nor compute with the size of a map. */
#include "identifier.h"
#include "json_text.h"
#include "model.h"
#include "model_fields.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { TYPES = 2, ANY_TYPE = -1 };

static const char *const object_name[] = {"model", "input", "stage", "attention"};

/* ---- fields ---------------------------------------------------------------------------------- */

static void say_choices(FILE *to, enum field_id id, struct field_range range)
{
    json_say(to, "'enum':[");
    for (int i = range.least; i <= range.most; i++)
        json_say(to, "%s'%s'", i > range.least ? "," : "", model_field[id].choice[i]);
    json_say(to, "]");
}

static void say_name(FILE *to, struct field_range range)
{
    json_say(to,
             "'type':'string','pattern':'^(?!san(_|$))[A-Za-z_][A-Za-z0-9_]*$','maxLength':%d,"
             "'not':{'enum':[",
             range.most);
    for (int i = 0; identifier_keyword[i]; i++)
        json_say(to, "%s'%s'", i ? "," : "", identifier_keyword[i]);
    json_say(to, "]}");
}

static void say_list(FILE *to, struct field_range range)
{
    json_say(to, "'type':'array','minItems':%d,'maxItems':%d,'items':{'$ref':'#/$defs/stage'}",
             range.least, range.most);
}

/* The keywords for the values of a field, for one type of attention or for any. */
static void say_values(FILE *to, enum field_id id, int type)
{
    const struct field *field = &model_field[id];
    struct field_range range = type == ANY_TYPE ? field_hull(id) : field->range[type];
    switch (field->kind) {
    case FIELD_INTEGER:
    case FIELD_ODD:
        if (range.least == range.most)
            json_say(to, "'const':%d", range.least);
        else
            json_say(to, "'type':'integer','minimum':%d,'maximum':%d", range.least, range.most);
        if (field->kind == FIELD_ODD)
            json_say(to, ",'not':{'multipleOf':2}");
        break;
    case FIELD_BOOLEAN:
        json_say(to, "'type':'boolean'");
        break;
    case FIELD_CHOICE:
        say_choices(to, id, range);
        break;
    case FIELD_NAME:
        say_name(to, range);
        break;
    case FIELD_TEXT:
        json_say(to, "'type':'string'");
        break;
    case FIELD_OBJECT:
        json_say(to, "'$ref':'#/$defs/%s'", field->name);
        break;
    case FIELD_LIST:
        say_list(to, range);
        break;
    case FIELD_NUMBERS:
    case FIELD_POSITIVES:
        json_say(to, "'type':'array','minItems':%d,'maxItems':%d,'items':{'type':'number'%s}",
                 range.least, range.most,
                 field->kind == FIELD_POSITIVES ? ",'exclusiveMinimum':0" : "");
        break;
    }
}

static void say_value(FILE *to, enum field_id id, int value)
{
    char text[FIELD_WRITTEN];
    json_say(to, "%s", field_written(id, value, text));
}

static bool has_default(enum field_id id)
{
    enum field_kind kind = model_field[id].kind;
    return model_field[id].range[0].initial >= 0 && kind != FIELD_OBJECT && kind != FIELD_LIST;
}

/* Two defaults, one for each type, have no keyword: they become part of the description. */
static void say_field(FILE *to, enum field_id id)
{
    const struct field *field = &model_field[id];
    char text[512];
    char *twice;
    size_t size;
    FILE *defaults = open_memstream(&twice, &size);
    bool alike = field->range[0].initial == field->range[1].initial;
    assert(defaults);
    if (field->derived)
        fprintf(defaults, ". By default %s", field->derived);
    if (has_default(id) && !alike) {
        fprintf(defaults, ". By default ");
        say_value(defaults, id, field->range[0].initial);
        fprintf(defaults, " for pairwise and ");
        say_value(defaults, id, field->range[1].initial);
        fprintf(defaults, " for patchwise attention");
    }
    fclose(defaults);
    snprintf(text, sizeof text, "%s%s.", field->meaning, twice);
    free(twice);
    json_say(to, "'%s':{'description':", field->name);
    json_say_string(to, text);
    json_say(to, ",");
    say_values(to, id, ANY_TYPE);
    if (has_default(id) && alike) {
        json_say(to, ",'default':");
        say_value(to, id, field->range[0].initial);
    }
    json_say(to, "}");
}

/* The keywords of an object's own fields. */
static void say_object(FILE *to, enum model_object object)
{
    int fields = 0, required = 0;
    json_say(to, "'type':'object','additionalProperties':false,'properties':{");
    for (enum field_id id = 0; id < FIELD_COUNT; id++) {
        if (model_field[id].object == object) {
            json_say(to, "%s", fields++ ? "," : "");
            say_field(to, id);
        }
    }
    json_say(to, "}");
    for (enum field_id id = 0; id < FIELD_COUNT; id++)
        if (model_field[id].object == object && model_field[id].range[0].initial == FIELD_REQUIRED)
            json_say(to, "%s'%s'", required++ ? "," : ",'required':[", model_field[id].name);
    json_say(to, "%s", required ? "]" : "");
}

/* ---- rules ----------------------------------------------------------------------------------- */

/* Schemas of the model or of a stage, either of which may have an attention object. */
#define ATTENTION(keywords) "{'properties':{'attention':{" keywords "}}}"
#define HAS_ATTENTION(keywords)                                                                    \
    "{'required':['attention'],'properties':{'attention':{" keywords "}}}"
#define LACKS(field) ATTENTION("'not':{'required':['" field "']}")
#define TIED "'properties':{'transforms':{'const':'phi=psi=beta'}}"
#define NOT_TIED "'properties':{'transforms':{'not':{'const':'phi=psi=beta'}}}"
/* Schemas of a stage. */
#define BLOCKS "{'properties':{'blocks':{'minimum':1}}}"
#define WHOLE(channels) "{'properties':{'channels':{'multipleOf':" channels "}}}"
#define NARROW(channels) "{'properties':{'channels':{'maximum':" channels "}}}"
/* A schema of the model, from keywords about a stage. */
#define STAGES(keywords) "{'properties':{'stages':{'items':{" keywords "}}}}"

static const char *type_name(int type)
{
    return model_field[ATTENTION_TYPE].choice[type];
}

static bool narrower(enum field_id id, int type)
{
    struct field_range hull = field_hull(id), range = model_field[id].range[type];
    return model_field[id].object == OBJECT_ATTENTION && id != ATTENTION_TYPE &&
           (range.least != hull.least || range.most != hull.most);
}

/* The rules of an attention object that depend on its type. */
static void say_type(FILE *to, int type)
{
    int fields = 0;
    json_say(to, "'%s':{'properties':{", type_name(type));
    for (enum field_id id = 0; id < FIELD_COUNT; id++) {
        if (narrower(id, type)) {
            json_say(to, "%s'%s':{", fields++ ? "," : "", model_field[id].name);
            say_values(to, id, type);
            json_say(to, "}");
        }
    }
    json_say(to, "}}");
}

/* The condition that the model sets this type, for stages without one. */
static void say_model_has_type(FILE *to, int type)
{
    bool by_default = type == model_field[ATTENTION_TYPE].range[0].initial;
    json_say(to,
             by_default ? ATTENTION("'properties':{'type':{'const':'%s'}}")
                        : HAS_ATTENTION("'required':['type'],'properties':{'type':{'const':'%s'}}"),
             type_name(type));
}

/* A stage with a type of its own. */
static void say_own_type_rule(FILE *to, int type)
{
    json_say(to,
             "{'if':{'allOf':[" BLOCKS
             "," HAS_ATTENTION("'required':['type'],'properties':{'type':{'"
                               "const':'%s'}}") "]},"
                                                "'then':" ATTENTION("'$ref':'#/$defs/%s'") "}",
             type_name(type), type_name(type));
}

/* Stages that have the model's type. */
static void say_common_type_rule(FILE *to, int type)
{
    json_say(to, "{'if':");
    say_model_has_type(to, type);
    json_say(to,
             ",'then':" STAGES("'if':{'allOf':[" BLOCKS
                               "," LACKS("type") "]},"
                                                 "'then':" ATTENTION("'$ref':'#/$defs/%s'")) "}",
             type_name(type));
}

/* The model has a setting that does not fit the type: no stage may have that type and inherit the
 * setting, whether the type is its own or the model's. */
static void say_inherited_rule(FILE *to, enum field_id id, int type, bool type_of_model)
{
    const char *name = model_field[id].name;
    json_say(to,
             ",{'if':{'allOf':[{'required':['attention'],'properties':{'attention':{"
             "'required':['%s'],'properties':{'%s':{'not':{",
             name, name);
    say_values(to, id, type);
    json_say(to, "}}}}}}");
    if (type_of_model) {
        json_say(to, ",");
        say_model_has_type(to, type);
        json_say(to,
                 "]},'then':" STAGES("'if':{'allOf':[" BLOCKS "," LACKS(
                     "%s") "]},"
                           "'then':" HAS_ATTENTION("'required':['type']")) "}",
                 name);
    } else {
        json_say(to,
                 "]},'then':" STAGES("'not':{'allOf':[" BLOCKS "," LACKS("%s") "," HAS_ATTENTION(
                     "'required':['type'],'properties':{'type':{'const':'%s'}}") "]}") "}",
                 name, type_name(type));
    }
}

/* Stages so narrow that a default would be 0, or less than one weight. */
static void say_narrow_rules(FILE *to)
{
    json_say(to,
             ",{'if':" LACKS("value_channels") ",'then':" STAGES(
                 "'not':{'allOf':[" BLOCKS "," LACKS("value_channels") "," NARROW("3") "]}") "}");
    json_say(to, ",{'if':{'allOf':[" LACKS("relation_channels") "," ATTENTION(
                     NOT_TIED) "]},"
                               "'then':" STAGES("'not':{'allOf':[" BLOCKS
                                                "," LACKS("relation_channels") "," NARROW(
                                                    "15") "," ATTENTION(NOT_TIED) "]}") "}");
    json_say(
        to,
        ",{'if':{'allOf':[" LACKS("relation_channels") "," HAS_ATTENTION(
            "'required':['transforms']," TIED) "]},"
                                               "'then':" STAGES(
                                                   "'not':{'allOf':[" BLOCKS
                                                   "," LACKS("relation_channels") "," NARROW(
                                                       "15") "," HAS_ATTENTION("'required':['"
                                                                               "transforms']"
                                                                               "," NOT_TIED) "]}") "}");
    json_say(to, ",{'if':{'allOf':[" LACKS("share") "," LACKS(
                     "value_channels") "]},"
                                       "'then':" STAGES(
                                           "'not':{'allOf':[" BLOCKS "," LACKS("share") "," LACKS(
                                               "value_channels") "," NARROW("31") "]}") "}");
}

/* Every stage halves the map, which must leave a pixel. */
static void say_size_rules(FILE *to)
{
    const struct field *height = &model_field[INPUT_HEIGHT];
    for (int stages = 1, least = 2; stages <= MAX_STAGES; stages++, least *= 2) {
        json_say(to,
                 ",{'if':{'properties':{'stages':{'minItems':%d}}},'then':{'properties':{"
                 "'input':{'properties':{'height':{'minimum':%d},'width':{'minimum':%d}}",
                 stages, least, least);
        if (least > height->range[0].initial)
            json_say(to, ",'required':['height','width']}},'required':['input']}}");
        else
            json_say(to, "}}}}");
        if (least > height->range[0].most)
            break; /* no map is so large, so further stages are impossible too */
    }
}

/* A SAN has no kind of block, a residual network no attention. */
static void say_only_one_family(FILE *to, const char *without)
{
    json_say(to, "{'properties':{'%s':false}}," STAGES("'properties':{'%s':false}"), without,
             without);
}

/* Stages of bottlenecks have whole bottlenecks; the kind is the stage's, or the model's. */
static void say_residual_rules(FILE *to)
{
    say_only_one_family(to, model_field[MODEL_ATTENTION].name);
    json_say(to, "," STAGES("'properties':{'blocks':{'minimum':1}}"));
    json_say(to,
             "," STAGES("'if':{'required':['block'],'properties':{'block':{'const':'"
                        "bottleneck'}}},'then':" WHOLE("%d")),
             BOTTLENECK);
    json_say(to,
             ",{'if':{'properties':{'block':{'const':'bottleneck'}}},'then':" STAGES(
                 "'if':{'not':{'required':['block']}},'then':" WHOLE("%d")) "}",
             BOTTLENECK);
}

static void say_attention_rules(FILE *to)
{
    say_only_one_family(to, model_field[MODEL_BLOCK].name);
    json_say(to, ",");
    for (int type = 0; type < TYPES; type++) {
        json_say(to, "%s", type ? "," : "");
        say_common_type_rule(to, type);
        for (enum field_id id = 0; id < FIELD_COUNT; id++) {
            if (narrower(id, type)) {
                say_inherited_rule(to, id, type, false);
                say_inherited_rule(to, id, type, true);
            }
        }
    }
    say_narrow_rules(to);
    say_size_rules(to);
}

static void say_model_rules(FILE *to)
{
    json_say(to, "{'if':{'required':['family'],'properties':{'family':{'const':'resnet'}}},"
                 "'then':{'allOf':[");
    say_residual_rules(to);
    json_say(to, "]},'else':{'allOf':[");
    say_attention_rules(to);
    json_say(to, "]}}");
}

static void say_model(FILE *to)
{
    json_say(to, "{'$schema':'https://json-schema.org/draft/2020-12/"
                 "schema','$id':'urn:sanc:san-model:1','title':'SAN model',"
                 "'description':'A network for images, as sanc reads it. Made by "
                 "tests/schema/generate.c from the table of fields.',");
    say_object(to, OBJECT_MODEL);
    json_say(to, ",'allOf':[");
    say_model_rules(to);
    json_say(to, "],'$defs':{");
    for (enum model_object object = OBJECT_INPUT; object <= OBJECT_ATTENTION; object++) {
        json_say(to, "'%s':{", object_name[object]);
        say_object(to, object);
        if (object == OBJECT_STAGE) {
            json_say(to, ",'allOf':[");
            for (int type = 0; type < TYPES; type++) {
                json_say(to, "%s", type ? "," : "");
                say_own_type_rule(to, type);
            }
            json_say(to, "]");
        }
        json_say(to, "},");
    }
    for (int type = 0; type < TYPES; type++) {
        json_say(to, "%s", type ? "," : "");
        say_type(to, type);
    }
    json_say(to, "}}");
}

/* ---- the page of the format ------------------------------------------------------------------ */

static void page_default(enum field_id id)
{
    const struct field *field = &model_field[id];
    char text[2][FIELD_WRITTEN];
    int initial[2] = {field->range[0].initial, field->range[1].initial};
    if (initial[0] == FIELD_REQUIRED)
        printf("required");
    else if (field->derived)
        printf("%s", field->derived);
    else if (has_default(id) && initial[0] == initial[1])
        printf("`%s`", field_written(id, initial[0], text[0]));
    else if (has_default(id))
        printf("`%s`; patchwise `%s`", field_written(id, initial[0], text[0]),
               field_written(id, initial[1], text[1]));
}

/* A row of compiler/model/README.md for each field. */
static void page_print(void)
{
    static const char *const path[] = {"", "input.", "stages[i].", "attention."};
    char allowed[2][FIELD_ALLOWED];
    for (enum field_id id = 0; id < FIELD_COUNT; id++) {
        const struct field *field = &model_field[id];
        field_allowed(id, 0, allowed[0]);
        field_allowed(id, 1, allowed[1]);
        printf("| `%s%s` | %s | %s%s%s | ", path[field->object], field->name, field->meaning,
               allowed[0], strcmp(allowed[0], allowed[1]) ? "; patchwise " : "",
               strcmp(allowed[0], allowed[1]) ? allowed[1] : "");
        page_default(id);
        printf(" |\n");
    }
}

int main(int count, char **argument)
{
    char *text;
    size_t size;
    if (count == 2 && !strcmp(argument[1], "--page")) {
        page_print();
        return 0;
    }
    FILE *to = open_memstream(&text, &size);
    if (!to)
        return 1;
    say_model(to);
    if (fclose(to) != 0)
        return 1;
    json_lay_out(stdout, text);
    free(text);
    return fflush(stdout) == 0 ? 0 : 1;
}
