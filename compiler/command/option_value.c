#include "option_table.h"
#include "passes.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* What is given to an option, as in messages: "--emit". */
static bool refuse(const struct option_info *info, const char *value, const char *allowed)
{
    diag_error(NULL, 0, 0, "--%s must be %s, found '%s'", info->name, allowed, value);
    return false;
}

void list_choices(char *text, size_t size, const char *const *name, int count)
{
    size_t used = 0;
    text[0] = 0;
    for (int i = 0; i < count && used < size; i++)
        used += (size_t)snprintf(text + used, size - used, "%s%s",
                                 i == 0           ? ""
                                 : i == count - 1 ? " or "
                                                  : ", ",
                                 name[i]);
}

static bool read_integer(const struct option_info *info, const char *value, int64_t *result)
{
    int64_t number = 0;
    bool good = *value != 0;
    for (const char *p = value; *p && good; p++) {
        good = *p >= '0' && *p <= '9' && number <= INT32_MAX;
        if (good)
            number = 10 * number + (*p - '0');
    }
    if (good && number >= (int64_t)info->least && number <= (int64_t)info->most) {
        *result = number;
        return true;
    }
    char allowed[64];
    snprintf(allowed, sizeof allowed, "an integer from %.0f to %.0f", info->least, info->most);
    return refuse(info, value, allowed);
}

static bool read_real(const struct option_info *info, const char *value, double *result)
{
    char *end;
    double number = strtod(value, &end);
    if (end != value && *end == 0 && number >= info->least && number <= info->most) {
        *result = number;
        return true;
    }
    char allowed[64];
    snprintf(allowed, sizeof allowed, "a number from %g to %g", info->least, info->most);
    return refuse(info, value, allowed);
}

static bool read_choice(const struct option_info *info, const char *value, int *result)
{
    int count = 0;
    for (; info->choices[count]; count++) {
        if (strcmp(info->choices[count], value) == 0) {
            *result = count;
            return true;
        }
    }
    char allowed[128];
    list_choices(allowed, sizeof allowed, info->choices, count);
    return refuse(info, value, allowed);
}

static bool read_pass(const struct option_info *info, const char *value, const char **result)
{
    char allowed[1024] = "the name of a pass: ";
    size_t used = strlen(allowed);
    for (int i = 0; i < pass_count; i++) {
        if (strcmp(pass_table[i].name, value) == 0) {
            *result = pass_table[i].name;
            return true;
        }
        if (used < sizeof allowed)
            used += (size_t)snprintf(allowed + used, sizeof allowed - used, "%s%s", i ? ", " : "",
                                     pass_table[i].name);
    }
    return refuse(info, value, allowed);
}

static bool read_emit(const struct option_info *info, const char *value, unsigned *result)
{
    for (int i = 0; i < EMIT_COUNT; i++) {
        if (strcmp(emit_name[i], value) == 0) {
            *result |= 1u << i;
            return true;
        }
    }
    char allowed[128];
    list_choices(allowed, sizeof allowed, emit_name, EMIT_COUNT);
    return refuse(info, value, allowed);
}

static bool read_target(const struct option_info *info, const char *value,
                        struct target_names *names)
{
    for (int i = 0; i < names->count; i++) {
        if (strcmp(names->name[i], value) == 0) {
            diag_error(NULL, 0, 0, "--%s names '%s' twice", info->name, value);
            return false;
        }
    }
    if (*value == 0)
        return refuse(info, value, "names with commas between them");
    if (names->count == MAX_TARGETS) {
        diag_error(NULL, 0, 0, "--%s names more than %d targets", info->name, MAX_TARGETS);
        return false;
    }
    names->name[names->count++] = value;
    return true;
}

static bool read_pass_names(const struct option_info *info, const char *value,
                            struct pass_names *names)
{
    if (names->count == MAX_PASS_NAMES) {
        diag_error(NULL, 0, 0, "--%s names more than %d passes", info->name, MAX_PASS_NAMES);
        return false;
    }
    return read_pass(info, value, &names->name[names->count++]);
}

static bool read_value(const struct option_info *info, const char *value, struct options *options)
{
    void *field = (char *)options + info->field;
    switch (info->kind) {
    case VALUE_NONE:
        *(bool *)field = true;
        return true;
    case VALUE_TEXT:
        *(const char **)field = value;
        return *value ? true : refuse(info, value, "a file's name");
    case VALUE_INTEGER:
        return read_integer(info, value, field);
    case VALUE_REAL:
        return read_real(info, value, field);
    case VALUE_CHOICE:
        return read_choice(info, value, field);
    case VALUE_PASS:
        return read_pass(info, value, field);
    case VALUE_PASSES:
        return read_pass_names(info, value, field);
    case VALUE_TARGETS:
        return read_target(info, value, field);
    case VALUE_EMIT:
        return read_emit(info, value, field);
    }
    assert(!"a kind of value without a reader");
    return false;
}

bool option_takes_list(const struct option_info *info)
{
    return info->kind == VALUE_PASSES || info->kind == VALUE_TARGETS || info->kind == VALUE_EMIT;
}

/* Reads the value of a list in its pieces; they are cut out in place in options->text, which has
 * room for all arguments. */
static bool read_list(const struct option_info *info, const char *value, struct options *options,
                      char **room)
{
    bool good = true;
    char *piece = *room;
    size_t size = strlen(value) + 1;
    memcpy(piece, value, size);
    *room += size;
    while (piece) {
        char *comma = strchr(piece, ',');
        if (comma)
            *comma++ = 0;
        good &= read_value(info, piece, options);
        piece = comma;
    }
    return good;
}

bool option_read_value(const struct option_info *info, const char *value, struct options *options,
                       char **room)
{
    return option_takes_list(info) ? read_list(info, value, options, room)
                                   : read_value(info, value, options);
}
