/* Completion for zsh, by _arguments: see zshcompsys(1). */
#include "help.h"
#include "page_words.h"
#include "pages.h"
#include <string.h>

/* Text inside of single quotes, and of brackets where _arguments has them. */
static void print_quoted(const char *text, FILE *file)
{
    for (; *text; text++) {
        if (*text == '\'')
            fputs("'\\''", file);
        else
            fprintf(file, strchr("[]:\\", *text) ? "\\%c" : "%c", *text);
    }
}

static void print_action(const struct option_info *info, FILE *file)
{
    if (info->kind == VALUE_FILE || info->kind == VALUE_FILES) {
        fputs("_files", file);
    } else if (page_word(info, 0)) {
        fputs(option_takes_list(info) ? "_sequence compadd - " : "(", file);
        page_words_print(info, file);
        fputs(option_takes_list(info) ? "" : ")", file);
    }
}

static void print_option(const struct option_info *info, const struct command_info *command,
                         FILE *file)
{
    char text[HELP_TEXT];
    fputs("            ", file);
    if (info->letter)
        fprintf(file, "'(-%c --%s)'{-%c,--%s}'[", info->letter, info->name, info->letter,
                info->name);
    else
        fprintf(file, "'--%s[", info->name);
    help_option_text(info, command, text);
    print_quoted(text, file);
    fputc(']', file);
    if (info->value) {
        fprintf(file, ":%s:", info->value);
        print_action(info, file);
    }
    fputs("' \\\n", file);
}

static void print_command(const struct command_info *command, FILE *file)
{
    fprintf(file, "        %s)\n            _arguments \\\n", command->name);
    for (int i = 0; i < OPTION_COUNT; i++)
        if (option_is_for(&option_table[i], command))
            print_option(&option_table[i], command, file);
    fputs("            ':MODEL:_files -g \"*.(json|sanir)\"' ;;\n", file);
}

void page_zsh(FILE *file)
{
    fputs("#compdef sanc\n"
          "# Completion of sanc for zsh, made from its tables of commands and options.\n"
          "_sanc() {\n"
          "    local -a commands=(\n",
          file);
    for (int i = 0; i < command_count; i++) {
        fprintf(file, "        '%s:", command_table[i].name);
        print_quoted(command_table[i].summary, file);
        fputs("'\n", file);
    }
    fputs("    )\n"
          "    if (( CURRENT == 2 )); then\n"
          "        _describe command commands\n"
          "        return\n"
          "    fi\n"
          "    shift words\n"
          "    (( CURRENT-- ))\n"
          "    case $words[1] in\n",
          file);
    for (int i = 0; i < command_count; i++)
        if (takes_model(&command_table[i]))
            print_command(&command_table[i], file);
    fputs("        help) _describe command commands ;;\n"
          "    esac\n"
          "}\n"
          "_sanc \"$@\"\n",
          file);
}
