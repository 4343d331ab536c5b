#include "option_value.h"
#include "identifier.h"
#include "nearest.h"
#include "outputs.h"
#include "passes.h"
#include "word_list.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

const char *option_word(const struct option_info *info, int number)
{
    switch (info->kind) {
    case VALUE_CHOICE:
        for (int i = CHOICE_NONE + 1; i < CHOICE_COUNT; i++)
            if (choice_table[i].option == (enum option)(info - option_table) && number-- == 0)
                return choice_table[i].word;
        return NULL;
    case VALUE_PASS:
    case VALUE_PASSES:
        return number < pass_count ? pass_table[number].name : NULL;
    case VALUE_KINDS:
        return number < EMIT_none ? emit_table[number].name : NULL;
    default:
        return NULL;
    }
}

static bool refuse(const struct option_info *info, const char *value, const char *allowed)
{
    diag_error(NULL, 0, 0, "--%s must be %s, found '%s'", info->name, allowed, value);
    return false;
}

/* The number of a word, as option_word has it; -1 with an error. */
static int read_word(const struct option_info *info, const char *value)
{
    struct nearest nearest = {.word = value};
    struct word_list allowed = {0};
    const char *word;
    for (int i = 0; (word = option_word(info, i)); i++) {
        if (strcmp(word, value) == 0)
            return i;
        nearest_try(&nearest, word);
        word_list_add(&allowed, word, !option_word(info, i + 1));
    }
    char hint[NEAREST_TEXT];
    diag_error(NULL, 0, 0, "--%s must be %s, found '%s'%s", info->name, allowed.text, value,
               nearest_hint(&nearest, hint));
    return -1;
}

static bool read_name(const struct option_info *info, const char *value, const char **result)
{
    *result = value;
    return identifier_valid(value) || refuse(info, value, IDENTIFIER_RULE);
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

static bool read_choice(const struct option_info *info, const char *value, enum choice *result)
{
    int number = read_word(info, value);
    for (int i = CHOICE_NONE + 1; i < CHOICE_COUNT; i++)
        if (number >= 0 && choice_table[i].option == (enum option)(info - option_table) &&
            strcmp(choice_table[i].word, value) == 0)
            *result = (enum choice)i;
    return number >= 0;
}

static bool read_pass(const struct option_info *info, const char *value, const char **result)
{
    int number = read_word(info, value);
    if (number >= 0)
        *result = pass_table[number].name;
    return number >= 0;
}

static bool read_kind(const struct option_info *info, const char *value, unsigned *result)
{
    int number = read_word(info, value);
    if (number >= 0)
        *result |= 1u << number;
    return number >= 0;
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

/* Keeps the largest first. */
static bool read_batch(const struct option_info *info, const char *value,
                       struct batch_sizes *batches)
{
    int64_t size;
    if (!read_integer(info, value, &size))
        return false;
    int place = 0;
    while (place < batches->count && batches->size[place] > size)
        place++;
    if (place < batches->count && batches->size[place] == size) {
        diag_error(NULL, 0, 0, "--%s names %s twice", info->name, value);
        return false;
    }
    if (batches->count == MAX_BATCHES) {
        diag_error(NULL, 0, 0, "--%s names more than %d sizes", info->name, MAX_BATCHES);
        return false;
    }
    memmove(batches->size + place + 1, batches->size + place,
            (size_t)(batches->count - place) * sizeof *batches->size);
    batches->size[place] = size;
    batches->count++;
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

static bool read_file(const struct option_info *info, const char *value, struct file_names *names)
{
    if (!*value)
        return refuse(info, value, "a file's name");
    if (names->count == MAX_FILES) {
        diag_error(NULL, 0, 0, "--%s names more than %d files", info->name, MAX_FILES);
        return false;
    }
    names->name[names->count++] = value;
    return true;
}

static bool read_value(const struct option_info *info, const char *value, struct options *options)
{
    void *field = (char *)options + info->field;
    switch (info->kind) {
    case VALUE_SWITCH:
        *(bool *)field = true;
        return true;
    case VALUE_FILE:
        *(const char **)field = value;
        return *value ? true : refuse(info, value, "a file's name");
    case VALUE_FILES:
        return read_file(info, value, field);
    case VALUE_NAME:
        return read_name(info, value, field);
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
    case VALUE_BATCHES:
        return read_batch(info, value, field);
    case VALUE_KINDS:
        return read_kind(info, value, field);
    }
    assert(!"a kind of value without a reader");
    return false;
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
