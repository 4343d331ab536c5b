#include "option_parse.h"
#include "memory.h"
#include "nearest.h"
#include "option_value.h"
#include "word_list.h"
#include <stdlib.h>
#include <string.h>

struct cursor {
    int count, next;
    char *const *argument;
    char *room; /* in options->text */
    bool lost;  /* after an unknown option: the next argument may be its value */
};

static const struct option_info *option_find(const char *name, size_t length, char letter)
{
    for (int i = 0; i < OPTION_COUNT; i++) {
        const struct option_info *info = &option_table[i];
        if (name ? strlen(info->name) == length && memcmp(info->name, name, length) == 0
                 : info->letter == letter)
            return info;
    }
    return NULL;
}

/* An unknown option (known: NULL), or one of another command. */
static bool refuse_option(const struct command_info *command, const char *argument,
                          const struct option_info *known)
{
    struct word_list allowed = {0};
    char word[64];
    int length = (int)strcspn(argument, "=");
    snprintf(word, sizeof word, "%.*s", length - (length > 2) * 2, argument + (length > 2) * 2);
    struct nearest nearest = {.word = word};
    for (int i = 0; i < OPTION_COUNT; i++) {
        if (!option_is_for(&option_table[i], command))
            continue;
        char name[64];
        snprintf(name, sizeof name, "--%s", option_table[i].name);
        word_list_add(&allowed, name, false);
        nearest_try(&nearest, option_table[i].name);
    }
    if (known)
        diag_error(NULL, 0, 0, "'sanc %s' takes no option --%s; it takes %s", command->name,
                   known->name, allowed.text);
    else if (nearest.name)
        diag_error(NULL, 0, 0, "unknown option %.*s; did you mean --%s? `sanc help %s` lists all",
                   length, argument, nearest.name, command->name);
    else
        diag_error(NULL, 0, 0, "unknown option %.*s; 'sanc %s' takes %s", length, argument,
                   command->name, allowed.text);
    return false;
}

/* Finds the value: after '=', after the letter, or in the next argument. */
static bool find_value(const struct option_info *info, const char *argument, struct cursor *cursor,
                       const char **value)
{
    bool is_long = argument[1] == '-';
    const char *rest = is_long ? argument + 2 + strlen(info->name) : argument + 2;
    *value = *rest == 0 ? NULL : is_long ? rest + 1 : rest;
    if (info->kind == VALUE_SWITCH && *value) {
        diag_error(NULL, 0, 0, "--%s takes no value, found '%s'", info->name, *value);
        return false;
    }
    if (info->kind == VALUE_SWITCH || *value)
        return true;
    if (cursor->next < cursor->count) {
        *value = cursor->argument[cursor->next++];
        return true;
    }
    diag_error(NULL, 0, 0, "--%s needs a value: %s", info->name, info->value);
    return false;
}

static bool read_option(const char *argument, struct cursor *cursor, struct options *options)
{
    bool is_long = argument[1] == '-';
    const struct option_info *info = is_long
                                         ? option_find(argument + 2, strcspn(argument + 2, "="), 0)
                                         : option_find(NULL, 0, argument[1]);
    if (!info) {
        cursor->lost = true;
        return refuse_option(options->command, argument, NULL);
    }
    const char *value = NULL;
    if (!find_value(info, argument, cursor, &value))
        return false;
    if (!option_is_for(info, options->command))
        return refuse_option(options->command, argument, info);
    unsigned long long bit = 1ull << (info - option_table);
    if ((options->given & bit) && !option_repeats(info)) {
        diag_error(NULL, 0, 0, "--%s is given twice", info->name);
        return false;
    }
    options->given |= bit;
    return option_read_value(info, value, options, &cursor->room);
}

/* The model; then, where --input is given, more images, as the shell writes *.png out. */
static bool read_operand(const char *argument, struct cursor *cursor, struct options *options)
{
    if (options->operand && options->input.count)
        return option_read_value(&option_table[OPTION_input], argument, options, &cursor->room);
    if (options->operand) {
        if (!cursor->lost)
            diag_error(NULL, 0, 0, "'sanc %s' takes one %s, found '%s' besides '%s'",
                       options->command->name, options->command->operand, argument,
                       options->operand);
        return false;
    }
    options->operand = argument;
    return true;
}

static bool check_required(const struct options *options)
{
    bool good = true;
    const struct command_info *command = options->command;
    if (takes_model(command) && !options->operand && !options->list_passes) {
        diag_error(NULL, 0, 0, "'sanc %s' needs a model: MODEL.json or a .sanir dump",
                   command->name);
        good = false;
    }
    for (int i = 0; i < OPTION_COUNT; i++) {
        const struct option_info *info = &option_table[i];
        if (option_is_required(info, command) && !(options->given >> i & 1)) {
            diag_error(NULL, 0, 0, "'sanc %s' needs --%s %s: %s", command->name, info->name,
                       info->value, info->help);
            good = false;
        }
    }
    return good;
}

static enum status refuse_command(const char *name)
{
    struct word_list allowed = {0};
    char hint[NEAREST_TEXT];
    struct nearest nearest = {.word = name ? name : ""};
    for (int i = 0; i < command_count; i++) {
        word_list_add(&allowed, command_table[i].name, i == command_count - 1);
        nearest_try(&nearest, command_table[i].name);
    }
    if (name)
        diag_error(NULL, 0, 0, "unknown command '%s': use %s%s", name, allowed.text,
                   nearest_hint(&nearest, hint));
    else
        diag_error(NULL, 0, 0, "no command: use %s", allowed.text);
    return STATUS_USAGE;
}

static char *text_new(int count, char *const *argument)
{
    size_t size = 1;
    for (int i = 0; i < count; i++)
        size += strlen(argument[i]) + 1;
    return allocate((int64_t)size, 1);
}

enum status options_parse(int count, char *const *argument, struct options *options)
{
    *options = (struct options){0};
    if (count == 0 || !command_find(argument[0]))
        return refuse_command(count ? argument[0] : NULL);
    options->command = command_find(argument[0]);
    options->text = text_new(count, argument);
    struct cursor cursor = {count, 1, argument, options->text, false};
    bool good = true, only_operands = false;
    while (cursor.next < count) {
        const char *word = argument[cursor.next++];
        if (!only_operands && strcmp(word, "--") == 0)
            only_operands = true;
        else if (!only_operands && word[0] == '-' && word[1])
            good &= read_option(word, &cursor, options);
        else
            good &= read_operand(word, &cursor, options);
    }
    if (good && !options->help)
        good = check_required(options);
    return good ? STATUS_DONE : STATUS_USAGE;
}

void options_free(struct options *options)
{
    free(options->text);
    options->text = NULL;
}
