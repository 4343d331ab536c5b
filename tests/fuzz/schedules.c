/* The reader and the printer of .sched files on any bytes. What parses prints to a text that parses
 * again and prints to the same bytes. */
#include "fuzz.h"
#include "tunings.h"
#include <stdio.h>
#include <string.h>

static char *print(const struct tunings *tunings, size_t *size)
{
    char *text = NULL;
    FILE *file = open_memstream(&text, size);
    if (!file)
        abort();
    tunings_print(tunings, file);
    if (fclose(file))
        abort();
    return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error error = {0};
    struct tunings *tunings = tunings_parse((const char *)data, size, "fuzz", &error);
    if (!tunings) {
        fuzz_expect(error.at.line >= 1 && error.at.column >= 1 && error.text[0]);
        return 0;
    }
    for (const struct tuning *t = tunings->first; t; t = t->next)
        fuzz_expect(tunings_find(tunings, t->signature, t->schedule->target) != NULL);
    size_t once, twice;
    char *text = print(tunings, &once);
    tunings_free(tunings);
    tunings = tunings_parse(text, once, NULL, &error);
    fuzz_expect(tunings != NULL);
    char *again = print(tunings, &twice);
    fuzz_expect(once == twice && memcmp(text, again, once) == 0);
    tunings_free(tunings);
    free(text);
    free(again);
    return 0;
}
