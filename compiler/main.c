/* sanc: an ahead-of-time compiler for SAN networks. The commands are in command_*.c. */
#include "command.h"
#include <string.h>

/* What was printed counts only once it is out. */
static enum status flushed(enum status status)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return status;
    diag_error(NULL, 0, 0, "cannot write to standard output");
    return status == STATUS_DONE ? STATUS_SYSTEM : status;
}

static enum status command_line(int count, char **argument)
{
    if (count == 1 && strcmp(argument[0], "--version") == 0) {
        version_print(stdout);
        return STATUS_DONE;
    }
    if (count == 1 && (strcmp(argument[0], "--help") == 0 || strcmp(argument[0], "-h") == 0)) {
        options_help(NULL, stdout);
        return STATUS_DONE;
    }
    struct options options;
    enum status status = options_parse(count, argument, &options);
    if (status == STATUS_DONE && options.help)
        options_help(options.command, stdout);
    else if (status == STATUS_DONE)
        status = options.command->run(&options);
    options_free(&options);
    return status;
}

int main(int argc, char **argv)
{
    return (int)flushed(command_line(argc - 1, argv + 1));
}
