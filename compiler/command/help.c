#include "help.h"
#include "backend.h"
#include "commands.h"
#include "nearest.h"
#include "option_value.h"
#include "word_list.h"
#include <string.h>

const char help_of_program[] = "Compiles self-attention networks for image recognition (SAN).";
const char help_of_model[] =
    "MODEL is a model's JSON file, or a .sanir dump, which says its targets, batch and threads "
    "itself; sanc continues from there. - is standard input.";
const char help_of_status[] =
    "Exit status: 0 done, 1 the check failed, 2 wrong command line, 3 wrong input, 4 the system "
    "failed, 5 a defect in sanc.";

enum { WIDTH = 80, TEXT_COLUMN = 28, SUMMARY_COLUMN = 12 };

/* Words of a text, from `column` on, where the line is already; lines begin at `indent`. An
 * empty line is a paragraph's end. */
static void print_wrapped(const char *text, int column, int indent, FILE *file)
{
    while (*text) {
        int length = (int)strcspn(text, " \n");
        if (column > indent && column + 1 + length > WIDTH) {
            fputc('\n', file);
            column = 0;
        }
        int space = column < indent ? indent - column : column > indent;
        fprintf(file, "%*s%.*s", space, "", length, text);
        column += space + length;
        text += length;
        if (*text == '\n') {
            fputc('\n', file);
            column = 0;
        }
        text += *text != 0;
    }
    fputc('\n', file);
}

void help_option_text(const struct option_info *info, const struct command_info *command,
                      char text[HELP_TEXT])
{
    int used = snprintf(text, HELP_TEXT, "%s%s",
                        option_is_required(info, command) ? "required: " : "", info->help);
    struct word_list words = {0};
    const char *word;
    for (int i = 0; info->kind == VALUE_KINDS && (word = option_word(info, i)); i++)
        word_list_add(&words, word, !option_word(info, i + 1));
    if (words.used)
        snprintf(text + used, HELP_TEXT - (size_t)used, ": %s", words.text);
}

static void print_option(const struct option_info *info, const struct command_info *command,
                         FILE *file)
{
    char text[HELP_TEXT];
    int column = info->letter ? fprintf(file, "  -%c, --%s", info->letter, info->name)
                              : fprintf(file, "      --%s", info->name);
    if (info->value)
        column += fprintf(file, " %s", info->value);
    if (column > TEXT_COLUMN - 2) {
        fputc('\n', file);
        column = 0;
    }
    help_option_text(info, command, text);
    print_wrapped(text, column, TEXT_COLUMN, file);
}

void help_usage(const struct command_info *command, FILE *file)
{
    const char *operand = command->operand;
    fprintf(file, "sanc %s%s%s", command->name, *operand ? " " : "", operand);
    bool more = false;
    for (int i = 0; i < OPTION_COUNT; i++) {
        const struct option_info *info = &option_table[i];
        if (!option_is_required(info, command))
            more |= option_is_for(info, command) && i != OPTION_help;
        else if (info->letter)
            fprintf(file, " -%c %s", info->letter, info->value);
        else
            fprintf(file, " --%s %s", info->name, info->value);
    }
    fputs(more ? " [OPTIONS]" : "", file);
}

static void print_commands(FILE *file)
{
    fprintf(file, "usage: sanc COMMAND ...\n\n%s\n\n", help_of_program);
    for (int i = 0; i < command_count; i++)
        fprintf(file, "  %-10s%s\n", command_table[i].name, command_table[i].summary);
    fputc('\n', file);
    print_wrapped(
        "`sanc help COMMAND` explains a command, `sanc help schedules` what a schedule in a "
        "dump may say, `sanc --version` names versions.",
        0, 0, file);
    print_wrapped(help_of_status, 0, 0, file);
}

void help_print(const struct command_info *command, FILE *file)
{
    if (!command) {
        print_commands(file);
        return;
    }
    fputs("usage: ", file);
    help_usage(command, file);
    fprintf(file, "\n\nsanc %s %s.\n\n", command->name, command->summary);
    if (*command->details)
        print_wrapped(command->details, 0, 0, file);
    if (takes_model(command)) {
        fputc('\n', file);
        print_wrapped(help_of_model, 0, 0, file);
        fputc('\n', file);
    }
    for (int i = 0; i < OPTION_COUNT; i++)
        if (option_is_for(&option_table[i], command))
            print_option(&option_table[i], command, file);
}

enum status command_help(const struct options *options)
{
    if (options->operand && strcmp(options->operand, "schedules") == 0) {
        commands_help(stdout);
        return STATUS_DONE;
    }
    struct nearest nearest = {.word = options->operand ? options->operand : ""};
    const struct command_info *command = options->operand ? command_find(options->operand) : NULL;
    if (options->operand && !command) {
        char hint[NEAREST_TEXT];
        for (int i = 0; i < command_count; i++)
            nearest_try(&nearest, command_table[i].name);
        diag_error(NULL, 0, 0, "there is no command '%s'%s", options->operand,
                   nearest.name ? nearest_hint(&nearest, hint) : "; see `sanc help`");
        return STATUS_USAGE;
    }
    help_print(command, stdout);
    return STATUS_DONE;
}

void version_print(FILE *file)
{
    fprintf(file, "sanc %s\nLLVM %s\nIR %d\nABI %d\n", SANC_VERSION, backend_llvm_version(),
            IR_VERSION, SAN_ABI_VERSION);
}
