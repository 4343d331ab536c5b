/* The command line: what is read, what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "help.h"
#include "option_parse.h"
#include "outputs.h"
#include <stdlib.h>
#include <string.h>

enum { MOST_WORDS = 32 };

/* Parses words that spaces separate; "''" stands for an empty one. */
static enum status parse(const char *line, struct options *options)
{
    static char words[512];
    char *argument[MOST_WORDS];
    int count = 0;
    snprintf(words, sizeof words, "%s", line);
    for (char *word = strtok(words, " "); word; word = strtok(NULL, " ")) {
        assert_in_range(count, 0, MOST_WORDS - 1);
        argument[count++] = strcmp(word, "''") == 0 ? word + 2 : word;
    }
    return options_parse(count, argument, options);
}

static void assert_status(enum status expected, const char *line)
{
    struct options options;
    enum status found = parse(line, &options);
    if (found != expected)
        print_message("%s\n", line);
    assert_int_equal(expected, found);
    options_free(&options);
}

static void reads_all_fields(void **state)
{
    (void)state;
    struct options o;
    assert_int_equal(STATUS_DONE,
                     parse("compile net.json -w net.safetensors -o stem --emit obj,asm --emit=ir "
                           "--target x86-64-v3,native --batch 8 --threads=3 --precision bf16 -v",
                           &o));
    assert_ptr_equal(command_find("compile"), o.command);
    assert_string_equal("net.json", o.operand);
    assert_string_equal("net.safetensors", o.weights);
    assert_string_equal("stem", o.output);
    assert_int_equal(1u << EMIT_obj | 1u << EMIT_asm | 1u << EMIT_ir, o.emit);
    assert_int_equal(2, o.target.count);
    assert_string_equal("x86-64-v3", o.target.name[0]);
    assert_string_equal("native", o.target.name[1]);
    assert_int_equal(1, o.batch.count);
    assert_int_equal(8, o.batch.size[0]);
    assert_int_equal(3, o.threads);
    assert_int_equal(CHOICE_precision_bf16, o.precision);
    assert_true(o.verbose);
    options_free(&o);
}

static void leaves_what_is_not_given(void **state)
{
    (void)state;
    struct options o;
    assert_int_equal(STATUS_DONE, parse("stats net.json", &o));
    assert_null(o.weights);
    assert_int_equal(0, o.batch.count);
    assert_int_equal(0, o.target.count);
    assert_false(o.json);
    options_free(&o);
}

static void reads_short_and_joined_values(void **state)
{
    (void)state;
    struct options o;
    assert_int_equal(STATUS_DONE, parse("run -wW --input=I -oO --engine eval32 -- -m.json", &o));
    assert_string_equal("W", o.weights);
    assert_int_equal(o.input.count, 1);
    assert_string_equal("I", o.input.name[0]);
    assert_string_equal("O", o.output);
    assert_string_equal("-m.json", o.operand);
    assert_int_equal(CHOICE_engine_eval32, o.engine);
    options_free(&o);
}

static void sorts_batches(void **state)
{
    (void)state;
    static const int64_t sorted[] = {65536, 13, 8, 1};
    struct options o;
    assert_int_equal(STATUS_DONE, parse("compile a.json -o x --batch 8,1,65536 --batch 13", &o));
    assert_int_equal(4, o.batch.count);
    assert_memory_equal(sorted, o.batch.size, sizeof sorted);
    options_free(&o);
}

static void help_needs_nothing_else(void **state)
{
    (void)state;
    struct options o;
    assert_int_equal(STATUS_DONE, parse("compile --help", &o));
    assert_true(o.help);
    options_free(&o);
}

static const char *const refused[] = {
    "",
    "frobnicate",
    "compile",
    "compile a.json",
    "compile a.json b.json -o x",
    "compile a.json -o",
    "compile a.json -o x -o y",
    "compile a.json -o ''",
    "compile a.json -o x --frobnicate",
    "compile a.json -o x -q",
    "compile a.json -o x --input i",
    "compile a.json -o x --emit",
    "compile a.json -o x --emit exe",
    "compile a.json -o x --emit obj,",
    "compile a.json -o x --batch 0",
    "compile a.json -o x --batch 65537",
    "compile a.json -o x --batch 1x",
    "compile a.json -o x --batch +1",
    "compile a.json -o x --batch -1",
    "compile a.json -o x --batch ''",
    "compile a.json -o x --batch 1,",
    "compile a.json -o x --batch 1,8,1",
    "compile a.json -o x --batch 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17",
    "compile a.json -o x --batch 99999999999999999999999",
    "compile a.json -o x --threads 1025",
    "compile a.json -o x --precision f16",
    "compile a.json -o x --target a,a",
    "compile a.json -o x --target a,,b",
    "compile a.json -o x --target a,b,c,d,e,f,g,h,i",
    "compile a.json -o x --time-passes=yes",
    "compile a.json -o x --stop-after no_such_pass",
    "compile a.json -o x --print-after no_such_pass",
    "run a.json -w w --output o",
    "run a.json --input i --output o",
    "run a.json -w w --input i --output o --engine gpu",
    "verify a.json",
    "verify a.json -w w --tolerance 0",
    "verify a.json -w w --tolerance nan",
    "verify a.json -w w --tolerance 1e-5x",
    "stats",
    "stats a.json -o x",
    "stats a.json --count flops",
    "ir",
    "ir a.json --after",
    "help a b",
};

static void refuses(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        assert_status(STATUS_USAGE, refused[i]);
}

static void lists_need_no_model(void **state)
{
    (void)state;
    assert_status(STATUS_DONE, "ir --list-passes");
    assert_status(STATUS_DONE, "help");
    assert_status(STATUS_DONE, "help compile");
}

/* Every command's help names it and its options. */
static void help_is_complete(void **state)
{
    (void)state;
    for (int i = 0; i < command_count; i++) {
        char text[8192] = "";
        FILE *file = fmemopen(text, sizeof text - 1, "w");
        assert_non_null(file);
        help_print(&command_table[i], file);
        fclose(file);
        assert_non_null(strstr(text, command_table[i].name));
        assert_non_null(strstr(text, command_table[i].summary));
        if (strcmp(command_table[i].name, "help") != 0)
            assert_non_null(strstr(text, "--weights"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_all_fields),
        cmocka_unit_test(leaves_what_is_not_given),
        cmocka_unit_test(reads_short_and_joined_values),
        cmocka_unit_test(sorts_batches),
        cmocka_unit_test(help_needs_nothing_else),
        cmocka_unit_test(refuses),
        cmocka_unit_test(lists_need_no_model),
        cmocka_unit_test(help_is_complete),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
