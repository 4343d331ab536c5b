/* sanc: an ahead-of-time compiler for SAN networks. The commands are in command/. */
#include "file.h"
#include "help.h"
#include "memory.h"
#include "option_parse.h"
#include <signal.h>
#include <string.h>
#include <unistd.h>

/* Printing succeeded only if standard output can be flushed. */
static enum status flushed(enum status status)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return status;
    diag_error(NULL, 0, 0, "cannot write to standard output");
    return status == STATUS_DONE ? STATUS_SYSTEM : status;
}

/* What memory_fail ends with: no memory is needed here, and none has to be freed. */
static void out_of_memory(void)
{
    static const char text[] = "sanc: error: out of memory\n";
    file_remove_unfinished();
    ssize_t written = write(STDERR_FILENO, text, sizeof text - 1);
    (void)written; /* nothing more can be done */
    _exit(STATUS_SYSTEM);
}

/* Removes unfinished files before a signal ends the program. */
static void stopped(int number)
{
    file_remove_unfinished();
    signal(number, SIG_DFL);
    raise(number);
}

static void watch_signals(void)
{
    static const int numbers[] = {SIGHUP, SIGINT, SIGTERM};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (signal(numbers[i], stopped) == SIG_IGN) /* nohup: it stays ignored */
            signal(numbers[i], SIG_IGN);
}

static enum status command_line(int count, char **argument)
{
    if (count == 1 && strcmp(argument[0], "--version") == 0) {
        version_print(stdout);
        return STATUS_DONE;
    }
    if (count == 1 && (strcmp(argument[0], "--help") == 0 || strcmp(argument[0], "-h") == 0)) {
        help_print(NULL, stdout);
        return STATUS_DONE;
    }
    struct options options;
    enum status status = options_parse(count, argument, &options);
    if (status == STATUS_DONE && options.help)
        help_print(options.command, stdout);
    else if (status == STATUS_DONE)
        status = options.command->run(&options);
    options_free(&options);
    return status;
}

int main(int argc, char **argv)
{
    memory_on_failure(out_of_memory);
    watch_signals();
    return (int)flushed(command_line(argc - 1, argv + 1));
}
