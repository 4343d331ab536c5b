#include "command.h"
#include <string.h>

const struct command_info command_table[] = {
#define COMMAND(name, bit, operand, summary, details)                                              \
    {#name, operand, summary, details, command_##name},
#include "commands.def"
#undef COMMAND
};
const int command_count = sizeof command_table / sizeof *command_table;

const struct command_info *command_find(const char *name)
{
    for (int i = 0; i < command_count; i++)
        if (strcmp(command_table[i].name, name) == 0)
            return &command_table[i];
    return NULL;
}

bool takes_model(const struct command_info *command)
{
    return strcmp(command->operand, "MODEL") == 0;
}
