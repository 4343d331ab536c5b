#include "backend.h"
#include "command.h"
#include "commands.h"
#include <string.h>

enum status command_help(const struct options *options)
{
    const struct command_info *command = NULL;
    if (options->operand && strcmp(options->operand, "schedules") == 0) {
        commands_help(stdout);
        return STATUS_DONE;
    }
    if (options->operand && !(command = command_find(options->operand))) {
        diag_error(NULL, 0, 0, "there is no command '%s'; see `sanc help`", options->operand);
        return STATUS_USAGE;
    }
    options_help(command, stdout);
    return STATUS_DONE;
}

void version_print(FILE *file)
{
    fprintf(file, "sanc %s\nLLVM %s\nIR %d\nABI %d\n", SANC_VERSION, backend_llvm_version(),
            IR_VERSION, SAN_ABI_VERSION);
}
