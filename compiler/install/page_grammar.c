/* Highlighting of .sanir, made from grammar.def and the tables of the language. */
#include "commands.h"
#include "pages.h"
#include <string.h>

enum row_kind { ROW_RULE, ROW_WORDS, ROW_WORD, ROW_SCHEDULES, ROW_TABLE };

static const struct row {
    enum row_kind kind;
    const char *vim, *textmate, *text;
    const char *const *table;
    int count;
} row[] = {
#define RULE(vim, textmate, pattern) {ROW_RULE, vim, textmate, pattern, NULL, 0},
#define WORDS(vim, textmate) {ROW_WORDS, vim, textmate, NULL, NULL, 0},
#define WORD(word) {ROW_WORD, NULL, NULL, word, NULL, 0},
#define SCHEDULES() {ROW_SCHEDULES, NULL, NULL, NULL, NULL, 0},
#define TABLE(names, count) {ROW_TABLE, NULL, NULL, NULL, names, count},
#include "grammar.def"
};
enum { ROWS = sizeof row / sizeof *row };

struct word_printer {
    const char *separator;
    bool more; /* this is not the first */
    FILE *file;
};

static void print_word(struct word_printer *to, const char *word, int length)
{
    fprintf(to->file, "%s%.*s", to->more ? to->separator : "", length, word);
    to->more = true;
}

/* The words in small letters of all commands of schedules. */
static void print_schedules(struct word_printer *to)
{
    struct syntax_word word;
    for (int id = 0; id < COMMAND_COUNT; id++)
        for (int i = 0; (word = syntax_word(command_rows[id].syntax, i)).length; i++)
            if (word.literal)
                print_word(to, word.text, word.length);
}

/* The words that follow a row of kind ROW_WORDS. */
static void print_group(const struct row *words, const char *separator, FILE *file)
{
    struct word_printer to = {.separator = separator, .file = file};
    for (const struct row *r = words + 1; r < row + ROWS && r->kind > ROW_WORDS; r++) {
        if (r->kind == ROW_SCHEDULES)
            print_schedules(&to);
        else if (r->kind == ROW_WORD)
            print_word(&to, r->text, (int)strlen(r->text));
        for (int i = 0; i < r->count; i++)
            print_word(&to, r->table[i], (int)strlen(r->table[i]));
    }
}

void page_vim(FILE *file)
{
    fputs("\" Highlighting of .sanir, made from the tables of sanc.\n"
          "if exists('b:current_syntax')\n"
          "  finish\n"
          "endif\n",
          file);
    for (const struct row *r = row; r < row + ROWS; r++) {
        if (r->kind == ROW_RULE) {
            fprintf(file, "syntax match sanir%s /\\v%s/\n", *r->vim ? r->vim : "Name", r->text);
        } else if (r->kind == ROW_WORDS) {
            fprintf(file, "syntax keyword sanir%s ", r->vim);
            print_group(r, " ", file);
            fputc('\n', file);
        }
    }
    for (const struct row *r = row; r < row + ROWS; r++)
        if (r->kind <= ROW_WORDS && *r->vim)
            fprintf(file, "highlight default link sanir%s %s\n", r->vim, r->vim);
    fputs("let b:current_syntax = 'sanir'\n", file);
}

static void print_json_text(const char *text, FILE *file)
{
    for (; *text; text++)
        fprintf(file, *text == '"' || *text == '\\' ? "\\%c" : "%c", *text);
}

/* Words go before rules, since the first that fits counts. */
static void print_patterns(bool rules, const char *before, FILE *file)
{
    for (const struct row *r = row; r < row + ROWS; r++) {
        if (r->kind != (rules ? ROW_RULE : ROW_WORDS))
            continue;
        fprintf(file, "%s\n    { ", before);
        if (*r->textmate)
            fprintf(file, "\"name\": \"%s.sanir\", ", r->textmate);
        fputs("\"match\": \"", file);
        if (rules) {
            print_json_text(r->text, file);
        } else {
            fputs("\\\\b(?:", file);
            print_group(r, "|", file);
            fputs(")\\\\b", file);
        }
        fputs("\" }", file);
        before = ",";
    }
}

void page_textmate(FILE *file)
{
    fputs("{\n  \"name\": \"SAN IR\",\n  \"scopeName\": \"source.sanir\",\n"
          "  \"fileTypes\": [\"sanir\"],\n  \"patterns\": [",
          file);
    print_patterns(false, "", file);
    print_patterns(true, ",", file);
    fputs("\n  ]\n}\n", file);
}
