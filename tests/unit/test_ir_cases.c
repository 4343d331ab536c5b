/* Errors of the parser and the verifier in the texts in tests/unit/ir. A file there has comments
 * with marks at the beginning of their lines:
 *
 *     ; head                   the text up to the next mark stands before the cases that follow
 *     ; right                  a case, up to the next mark: nothing is wrong
 *     ; wrong MESSAGE          the verifier says this
 *     ; wrong 2:7 MESSAGE      the parser says this in line 2 of the case, column 7
 */
#include "ir.h"
#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct part {
    const char *mark; /* its line, after "; " */
    const char *text, *end;
    int line;
};

static bool begins_with(const char *text, const char *word)
{
    return strncmp(text, word, strlen(word)) == 0;
}

static bool is_mark(const char *line)
{
    return begins_with(line, "; head\n") || begins_with(line, "; right\n") ||
           begins_with(line, "; wrong ");
}

static int count_lines(const char *text)
{
    int lines = 0;
    for (; *text; text++)
        lines += *text == '\n';
    return lines;
}

/* What the mark of a text has to be; `before`: lines of its head. */
static void judge(const char *text, int before, char *mark, size_t room)
{
    struct error error = {0};
    struct module *module = module_parse(text, strlen(text), &error);
    if (!module)
        snprintf(mark, room, "wrong %d:%d %s\n", error.at.line - before, error.at.column,
                 error.text);
    else if (!module_verify(module, &error))
        snprintf(mark, room, "wrong %s\n", error.text);
    else
        snprintf(mark, room, "right\n");
    module_free(module);
}

static bool check(const char *path, const struct part *head, const struct part *part)
{
    char mark[1100],
        *text = calloc(1, (size_t)(head->end - head->text + part->end - part->text) + 1);
    strncat(text, head->text, (size_t)(head->end - head->text));
    size_t least = strlen(text);
    int before = count_lines(text);
    strncat(text, part->text, (size_t)(part->end - part->text));
    for (size_t size = strlen(text); size > least && text[size - 1] == '\n';)
        text[--size] = 0;
    judge(text, before, mark, sizeof mark);
    free(text);
    if (begins_with(part->mark, mark))
        return true;
    printf("%s:%d:\n  found:    %s  expected: %.*s\n", path, part->line, mark,
           (int)strcspn(part->mark, "\n"), part->mark);
    return false;
}

/* A file with a zero at its end. */
static char *read_file(const char *path)
{
    FILE *file = fopen(path, "r");
    char *text = NULL;
    size_t room = 0;
    assert_non_null(file);
    assert_true(getdelim(&text, &room, '\0', file) > 0);
    fclose(file);
    return text;
}

/* How many cases of a file fail. */
static int check_file(const char *path, int *cases)
{
    char *data = read_file(path);
    struct part head = {"", data, data, 0}, part = {NULL, data, data, 0};
    int failed = 0, number = 1;
    for (const char *line = data;; line = strchr(line, '\n') + 1, number++) {
        if (*line && !is_mark(line))
            continue;
        part.end = line;
        if (part.mark && begins_with(part.mark, "head"))
            head = part;
        else if (part.mark)
            failed += !check(path, &head, &part);
        *cases += part.mark && part.mark != head.mark;
        if (!*line)
            break;
        part = (struct part){line + 2, strchr(line, '\n') + 1, NULL, number};
    }
    free(data);
    return failed;
}

static void test_files(void **state)
{
    glob_t found;
    int failed = 0, cases = 0;
    (void)state;
    assert_int_equal(glob("tests/unit/ir/*.sanir", 0, NULL, &found), 0);
    for (size_t i = 0; i < found.gl_pathc; i++)
        failed += check_file(found.gl_pathv[i], &cases);
    printf("%d cases in %zu files\n", cases, found.gl_pathc);
    globfree(&found);
    assert_int_equal(failed, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_files)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
