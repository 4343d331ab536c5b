/* What is installed beside sanc and made from its tables. Each prints one file. */
#ifndef COMPILER_PAGES_H
#define COMPILER_PAGES_H
#include <stdio.h>

struct command_info;

void page_man(const struct command_info *command, FILE *file); /* NULL: of sanc itself */
void page_bash(FILE *file);                                    /* completion */
void page_zsh(FILE *file);
void page_vim(FILE *file);      /* highlighting of .sanir, for Vim */
void page_textmate(FILE *file); /* the same as a TextMate grammar, for VS Code */

#endif
