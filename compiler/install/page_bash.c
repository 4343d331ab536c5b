/* Completion for bash, which needs nothing but bash: two cases, of the word before the one that is
 * completed, and of the command. */
#include "page_words.h"
#include "pages.h"

static void print_pattern(const struct option_info *info, FILE *file)
{
    fputs("        ", file);
    if (info->letter)
        fprintf(file, "-%c | ", info->letter);
    fprintf(file, "--%s) ", info->name);
}

static void print_value(const struct option_info *info, FILE *file)
{
    print_pattern(info, file);
    if (info->kind == VALUE_FILE || info->kind == VALUE_FILES) {
        fputs("_sanc_files; return ;;\n", file);
        return;
    }
    fputs(option_takes_list(info) ? "_sanc_list '" : "_sanc_words '", file);
    page_words_print(info, file);
    fputs("'; return ;;\n", file);
}

static void print_command(const struct command_info *command, FILE *file)
{
    fprintf(file, "        %s) options='", command->name);
    const char *blank = "";
    for (int i = 0; i < OPTION_COUNT; i++) {
        const struct option_info *info = &option_table[i];
        if (!option_is_for(info, command))
            continue;
        fprintf(file, "%s--%s", blank, info->name);
        if (info->letter)
            fprintf(file, " -%c", info->letter);
        blank = " ";
    }
    fputs("' ;;\n", file);
}

static void print_names(FILE *file)
{
    for (int i = 0; i < command_count; i++)
        fprintf(file, "%s ", command_table[i].name);
}

static const char functions[] =
    "# Completion of sanc for bash, made from its tables of commands and options.\n"
    "_sanc_words() { COMPREPLY=($(compgen -W \"$1\" -- \"$word\")); }\n"
    "_sanc_list() { # of words with commas between\n"
    "    local done=\n"
    "    [[ $word != *,* ]] || done=${word%,*},\n"
    "    COMPREPLY=($(compgen -P \"$done\" -W \"$1\" -- \"${word##*,}\"))\n"
    "    compopt -o nospace 2>/dev/null\n"
    "}\n"
    "_sanc_files() {\n"
    "    local IFS=$'\\n'\n"
    "    COMPREPLY=($(compgen -f -- \"$word\"))\n"
    "    compopt -o filenames 2>/dev/null\n"
    "}\n"
    "_sanc() {\n"
    "    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} options=\n"
    "    COMPREPLY=()\n";

void page_bash(FILE *file)
{
    fputs(functions, file);
    fputs("    if [ \"$COMP_CWORD\" -eq 1 ]; then\n        _sanc_words '", file);
    print_names(file);
    fputs("--version --help'\n        return\n    fi\n    case $before in\n", file);
    for (int i = 0; i < OPTION_COUNT; i++)
        if (option_table[i].value)
            print_value(&option_table[i], file);
    fputs("    esac\n    case ${COMP_WORDS[1]} in\n        help) _sanc_words '", file);
    print_names(file);
    fputs("schedules'; return ;;\n", file);
    for (int i = 0; i < command_count; i++)
        if (takes_model(&command_table[i]))
            print_command(&command_table[i], file);
    fputs("    esac\n"
          "    if [[ $word == -* ]]; then _sanc_words \"$options\"; else _sanc_files; fi\n"
          "}\n"
          "complete -F _sanc sanc\n",
          file);
}
