#include "nearest.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_LETTERS = 64 };

static int least(int a, int b)
{
    return a < b ? a : b;
}

/* Optimal string alignment: rows of Levenshtein's table; swapped neighbours look two rows back. */
static int distance(const char *a, const char *b)
{
    int rows = (int)strlen(a), columns = (int)strlen(b);
    int row[3][MOST_LETTERS + 1];
    for (int j = 0; j <= columns; j++)
        row[0][j] = j;
    for (int i = 1; i <= rows; i++) {
        int *now = row[i % 3], *last = row[(i + 2) % 3], *before = row[(i + 1) % 3];
        now[0] = i;
        for (int j = 1; j <= columns; j++) {
            now[j] = least(last[j], now[j - 1]) + 1;
            now[j] = least(now[j], last[j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                now[j] = least(now[j], before[j - 2] + 1);
        }
    }
    return row[rows % 3][columns];
}

void nearest_try(struct nearest *nearest, const char *name)
{
    size_t length = strlen(name), written = strlen(nearest->word);
    if (length > MOST_LETTERS || written > MOST_LETTERS || written == 0)
        return;
    int apart = distance(nearest->word, name);
    if (written > 2 && strncmp(nearest->word, name, written) == 0)
        apart = 1; /* cut short */
    if (apart > (int)(length + 1) / 3 || (nearest->name && apart >= nearest->distance))
        return;
    nearest->name = name;
    nearest->distance = apart;
}

const char *nearest_hint(const struct nearest *nearest, char text[NEAREST_TEXT])
{
    text[0] = 0;
    if (nearest->name)
        snprintf(text, NEAREST_TEXT, "; did you mean '%s'?", nearest->name);
    return text;
}
