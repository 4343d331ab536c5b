#include "page_words.h"
#include "option_value.h"

static const char *const target_word[] = {
    "native",
#define LEVEL(level, name, ...) name,
#define GPU(capability, suffix, ...) "nvptx:sm_" #capability suffix,
#include "targets.def"
};
enum { TARGET_WORDS = sizeof target_word / sizeof *target_word };

const char *page_word(const struct option_info *info, int number)
{
    if (info->kind != VALUE_TARGETS)
        return option_word(info, number);
    return number < TARGET_WORDS ? target_word[number] : NULL;
}

void page_words_print(const struct option_info *info, FILE *file)
{
    const char *word;
    for (int i = 0; (word = page_word(info, i)); i++)
        fprintf(file, i ? " %s" : "%s", word);
}
