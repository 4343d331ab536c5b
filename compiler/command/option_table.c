#include "option_table.h"

enum { /* places of commands in their table */
#define COMMAND(name, NAME, ...) PLACE_##NAME,
#include "commands.def"
#undef COMMAND
       COMMANDS
};

/* What options.def calls the commands. */
enum {
#define COMMAND(name, NAME, ...) NAME = 1u << PLACE_##NAME,
#include "commands.def"
#undef COMMAND
    MODELS = 1u << COMMANDS,
    ALL = 1u << (COMMANDS + 1)
};

const struct option_info option_table[OPTION_COUNT] = {
#define CHOICE(field, word)
#define OPTION(field, kind, name, letter, value, commands, required, least, most, help)            \
    [OPTION_##field] = {name,  letter,   VALUE_##kind, offsetof(struct options, field),            \
                        value, commands, required,     least,                                      \
                        most,  help},
#include "options.def"
#undef CHOICE
#undef OPTION
};
_Static_assert(OPTION_COUNT <= 64, "options.given has a bit for each");

const struct choice_info choice_table[CHOICE_COUNT] = {
#define OPTION(...)
#define CHOICE(field, word) [CHOICE_##field##_##word] = {OPTION_##field, #word},
#include "options.def"
#undef CHOICE
#undef OPTION
};

static bool names(unsigned commands, const struct command_info *command)
{
    return commands >> (command - command_table) & 1 || commands & ALL ||
           (commands & MODELS && takes_model(command));
}

bool option_is_for(const struct option_info *info, const struct command_info *command)
{
    return names(info->commands, command);
}

bool option_is_required(const struct option_info *info, const struct command_info *command)
{
    return names(info->required, command);
}

bool option_repeats(const struct option_info *info)
{
    return info->kind == VALUE_FILES || option_takes_list(info);
}

bool option_takes_list(const struct option_info *info)
{
    return info->kind == VALUE_PASSES || info->kind == VALUE_TARGETS ||
           info->kind == VALUE_BATCHES || info->kind == VALUE_KINDS;
}
