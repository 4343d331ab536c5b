/* Manual pages, in the macros of man(7). */
#include "help.h"
#include "pages.h"
#include <ctype.h>
#include <string.h>

/* A text with what roff would understand otherwise made harmless; an empty line ends a
 * paragraph. */
static void print_text(const char *text, FILE *file)
{
    bool start = true;
    for (; *text; text++) {
        if (text[0] == '\n' && text[1] == '\n') {
            fputs("\n.PP\n", file);
            start = true;
            text++;
            continue;
        }
        if (start && (*text == '.' || *text == '\''))
            fputs("\\&", file);
        if (*text == '-')
            fputs("\\-", file);
        else if (*text == '\\')
            fputs("\\e", file);
        else
            fputc(*text, file);
        start = *text == '\n';
    }
    fputc('\n', file);
}

static void print_title(const char *command, const char *summary, FILE *file)
{
    fputs(".TH SANC", file);
    for (const char *p = command; p && *p; p++)
        fprintf(file, "%s%c", p == command ? "\\-" : "", toupper((unsigned char)*p));
    fprintf(file, " 1 \"\" \"sanc %s\" \"User Commands\"\n.SH NAME\nsanc%s%s \\- ", SANC_VERSION,
            command ? "\\-" : "", command ? command : "");
    print_text(summary, file);
}

static void print_option(const struct option_info *info, const struct command_info *command,
                         FILE *file)
{
    char text[HELP_TEXT];
    fputs(".TP\n", file);
    if (info->letter)
        fprintf(file, "\\fB\\-%c\\fR, ", info->letter);
    fputs("\\fB\\-\\-", file);
    for (const char *p = info->name; *p; p++)
        fprintf(file, *p == '-' ? "\\-" : "%c", *p);
    fputs("\\fR", file);
    if (info->value)
        fprintf(file, " \\fI%s\\fR", info->value);
    fputc('\n', file);
    help_option_text(info, command, text);
    print_text(text, file);
}

static void print_end(FILE *file)
{
    fputs(".SH EXIT STATUS\n", file);
    print_text(help_of_status + strlen("Exit status: "), file);
    fputs(".SH SEE ALSO\n", file);
    fputs(".BR sanc (1)", file);
    for (int i = 0; i < command_count; i++)
        if (takes_model(&command_table[i]))
            fprintf(file, ",\n.BR sanc\\-%s (1)", command_table[i].name);
    fputc('\n', file);
}

static void print_program(FILE *file)
{
    print_title(NULL, "ahead-of-time compiler for self-attention networks", file);
    fputs(".SH SYNOPSIS\n.B sanc\n.I COMMAND\n\\&...\n.br\n.B sanc \\-\\-version\n"
          ".SH DESCRIPTION\n",
          file);
    print_text(help_of_program, file);
    fputs(".SH COMMANDS\n", file);
    for (int i = 0; i < command_count; i++) {
        fprintf(file, ".TP\n\\fBsanc %s\\fR \\fI%s\\fR\n", command_table[i].name,
                command_table[i].operand);
        print_text(command_table[i].summary, file);
    }
    fputs(".TP\n.B sanc help schedules\n", file);
    print_text("lists what a schedule in a dump may say", file);
    print_end(file);
}

void page_man(const struct command_info *command, FILE *file)
{
    if (!command) {
        print_program(file);
        return;
    }
    print_title(command->name, command->summary, file);
    fputs(".SH SYNOPSIS\n.nf\n", file);
    help_usage(command, file);
    fputs("\n.fi\n.SH DESCRIPTION\n", file);
    print_text(command->details, file);
    if (takes_model(command)) {
        fputs(".PP\n", file);
        print_text(help_of_model, file);
    }
    fputs(".SH OPTIONS\n", file);
    for (int i = 0; i < OPTION_COUNT; i++)
        if (option_is_for(&option_table[i], command))
            print_option(&option_table[i], command, file);
    print_end(file);
}
