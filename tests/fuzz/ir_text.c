/* The IR's parser, verifier and printer on any bytes. What parses prints to a text that parses
 * again and prints to the same bytes. */
#include "fuzz.h"
#include "ir.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *print(const struct module *module, size_t *size)
{
    char *text = NULL;
    FILE *file = open_memstream(&text, size);
    if (!file)
        abort();
    module_print(module, file);
    if (fclose(file))
        abort();
    return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error error = {0};
    struct module *module = module_parse((const char *)data, size, &error);
    if (!module) {
        fuzz_expect(error.at.line >= 1 && error.at.column >= 1 && error.text[0]);
        return 0;
    }
    bool right = module_verify(module, &error);
    size_t once, twice;
    char *text = print(module, &once);
    module_free(module);
    module = module_parse(text, once, &error);
    fuzz_expect(module != NULL);
    fuzz_expect(module_verify(module, &error) == right);
    char *again = print(module, &twice);
    fuzz_expect(once == twice && memcmp(text, again, once) == 0);
    module_free(module);
    free(text);
    free(again);
    return 0;
}
