/* Prints a file of what is installed beside sanc:
 *
 *     sanc_pages KIND [COMMAND]
 *
 * KIND: a row of the table below; COMMAND: of a manual page. */
#include "pages.h"
#include "command.h"
#include <string.h>

static const struct {
    const char *name;
    void (*print)(FILE *file);
} page[] = {{"bash", page_bash}, {"zsh", page_zsh}, {"vim", page_vim}, {"textmate", page_textmate}};

int main(int count, char **argument)
{
    if (count >= 2 && strcmp(argument[1], "man") == 0) {
        page_man(count > 2 ? command_find(argument[2]) : NULL, stdout);
        return fflush(stdout) == 0 ? 0 : 1;
    }
    for (size_t i = 0; count == 2 && i < sizeof page / sizeof *page; i++) {
        if (strcmp(argument[1], page[i].name) == 0) {
            page[i].print(stdout);
            return fflush(stdout) == 0 ? 0 : 1;
        }
    }
    fprintf(stderr, "usage: sanc_pages man [COMMAND] | bash | zsh | vim | textmate\n");
    return 2;
}
