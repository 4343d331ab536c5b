#include "template.h"
#include <assert.h>
#include <inttypes.h>
#include <string.h>

static const char mark[] = ";; section ";

/* The line after a section's mark; NULL: there is none of that name. */
static const char *section_find(const char *text, const char *section)
{
    size_t length = strlen(section);
    while ((text = strstr(text, mark))) {
        text += strlen(mark);
        if (!strncmp(text, section, length) && text[length] == '\n')
            return text + length + 1;
    }
    return NULL;
}

static const char *put_hole(FILE *file, const char *name, const struct hole *hole)
{
    const char *end = strchr(name, '}');
    size_t length = (size_t)(end - name);
    while (hole->name && (strncmp(hole->name, name, length) || hole->name[length]))
        hole++;
    assert(hole->name);
    if (hole->text)
        fputs(hole->text, file);
    else
        fprintf(file, "%" PRId64, hole->number);
    return end + 1;
}

static void put_line(FILE *file, const char *line, const char *end, const struct hole *holes)
{
    while (line < end)
        if (line[0] == '$' && line[1] == '{')
            line = put_hole(file, line + 2, holes);
        else
            fputc(*line++, file);
}

void template_put(FILE *file, const char *text, const char *section, const struct hole *holes)
{
    const char *line = section_find(text, section);
    assert(line);
    while (*line && strncmp(line, mark, strlen(mark))) {
        const char *end = strchr(line, '\n') + 1;
        if (*line != ';')
            put_line(file, line, end, holes);
        line = end;
    }
}
