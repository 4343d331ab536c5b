#include "option_table.h"
#include <stdlib.h>
#include <string.h>

struct cursor {
    int count, next;
    char *const *argument;
    char *room; /* in options->text */
};

static const struct option_info *option_find(const char *name, size_t length, char letter)
{
    for (int i = 0; i < option_count; i++) {
        const struct option_info *info = &option_table[i];
        if (name ? strlen(info->name) == length && memcmp(info->name, name, length) == 0
                 : info->letter == letter)
            return info;
    }
    return NULL;
}

static bool refuse_option(const struct command_info *command, const char *argument,
                          const struct option_info *known)
{
    char allowed[1024] = "";
    size_t used = 0;
    for (int i = 0; i < option_count && used < sizeof allowed; i++)
        if (option_table[i].commands & command_bit(command))
            used += (size_t)snprintf(allowed + used, sizeof allowed - used, "%s--%s",
                                     used ? ", " : "", option_table[i].name);
    int length = (int)strcspn(argument, "=");
    if (known)
        diag_error(NULL, 0, 0, "'sanc %s' takes no option --%s; it takes %s", command->name,
                   known->name, allowed);
    else
        diag_error(NULL, 0, 0, "unknown option %.*s; 'sanc %s' takes %s", length, argument,
                   command->name, allowed);
    return false;
}

/* Finds the value: behind '=', behind the letter, or in the next argument. */
static bool find_value(const struct option_info *info, const char *argument, struct cursor *cursor,
                       const char **value)
{
    bool is_long = argument[1] == '-';
    const char *rest = is_long ? argument + 2 + strlen(info->name) : argument + 2;
    *value = *rest == 0 ? NULL : is_long ? rest + 1 : rest;
    if (info->kind == VALUE_NONE && *value) {
        diag_error(NULL, 0, 0, "--%s takes no value, found '%s'", info->name, *value);
        return false;
    }
    if (info->kind == VALUE_NONE || *value)
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
    if (!info)
        return refuse_option(options->command, argument, NULL);
    const char *value = NULL;
    if (!find_value(info, argument, cursor, &value))
        return false;
    if (!(info->commands & command_bit(options->command)))
        return refuse_option(options->command, argument, info);
    unsigned long long bit = 1ull << (info - option_table);
    if ((options->given & bit) && !option_takes_list(info)) {
        diag_error(NULL, 0, 0, "--%s is given twice", info->name);
        return false;
    }
    options->given |= bit;
    return option_read_value(info, value, options, &cursor->room);
}

static bool read_operand(const char *argument, struct options *options)
{
    if (options->operand) {
        diag_error(NULL, 0, 0, "'sanc %s' takes one %s, found '%s' besides '%s'",
                   options->command->name, options->command->operand, argument, options->operand);
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
    for (int i = 0; i < option_count; i++) {
        const struct option_info *info = &option_table[i];
        if ((info->required & command_bit(command)) && !(options->given >> i & 1)) {
            diag_error(NULL, 0, 0, "'sanc %s' needs --%s %s: %s", command->name, info->name,
                       info->value, info->help);
            good = false;
        }
    }
    return good;
}

static enum status refuse_command(const char *name)
{
    const char *names[16];
    for (int i = 0; i < command_count; i++)
        names[i] = command_table[i].name;
    char allowed[256];
    list_choices(allowed, sizeof allowed, names, command_count);
    if (name)
        diag_error(NULL, 0, 0, "unknown command '%s': use %s", name, allowed);
    else
        diag_error(NULL, 0, 0, "no command: use %s", allowed);
    return STATUS_USAGE;
}

static char *text_new(int count, char *const *argument)
{
    size_t size = 1;
    for (int i = 0; i < count; i++)
        size += strlen(argument[i]) + 1;
    return malloc(size);
}

enum status options_parse(int count, char *const *argument, struct options *options)
{
    *options = (struct options){.precision = -1};
    if (count == 0 || !command_find(argument[0]))
        return refuse_command(count ? argument[0] : NULL);
    options->command = command_find(argument[0]);
    options->text = text_new(count, argument);
    if (!options->text) {
        diag_error(NULL, 0, 0, "out of memory");
        return STATUS_SYSTEM;
    }
    struct cursor cursor = {count, 1, argument, options->text};
    bool good = true, only_operands = false;
    while (cursor.next < count) {
        const char *word = argument[cursor.next++];
        if (!only_operands && strcmp(word, "--") == 0)
            only_operands = true;
        else if (!only_operands && word[0] == '-' && word[1])
            good &= read_option(word, &cursor, options);
        else
            good &= read_operand(word, options);
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
