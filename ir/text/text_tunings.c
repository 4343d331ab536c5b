/* Reads and prints schedules for kernels that are known by their signatures:
 *
 *   sansched 1
 *
 *   kernel "1x56x56 pixels: 256, 96 sum 256 #31ab2fe5a1f0c394" {
 *     measured { us = 1812.3, chosen = 1900.1, noise = 0.40, tried = 83 }
 *     schedule "x86-64-v3" {
 *       tile 28
 *       ...
 *     }
 *   }
 *
 * The first line may come again before any kernel, so that texts may be joined. */
#include "text.h"
#include "tunings.h"

/* ---- reading --------------------------------------------------------------------------------- */

static double parse_amount(struct parser *parser, const char *name)
{
    expect_word(parser, name);
    expect(parser, '=');
    struct token token = parser->token;
    double value = expect_real(parser);
    if (!(value >= 0 && value < HUGE_VAL))
        parse_fail(parser, &token, "found '%.*s', must be %s: a number of at least 0",
                   (int)(token.length > 40 ? 40 : token.length), token.text, name);
    return value;
}

static struct measured parse_measured(struct parser *parser)
{
    struct measured measured = {0};
    expect(parser, '{');
    measured.us = parse_amount(parser, "us");
    expect(parser, ',');
    measured.chosen_us = parse_amount(parser, "chosen");
    expect(parser, ',');
    measured.noise = parse_amount(parser, "noise");
    expect(parser, ',');
    expect_word(parser, "tried");
    expect(parser, '=');
    measured.tried = expect_integer(parser, "schedules tried", 1, INT32_MAX);
    if (accept(parser, ',')) {
        expect_word(parser, "unfinished");
        measured.unfinished = true;
    }
    expect(parser, '}');
    return measured;
}

/* After the word kernel. */
static void parse_tuning(struct parser *parser, struct tunings *tunings)
{
    struct measured measured = {0};
    const char *signature = expect_string(parser, MOST_STRING);
    expect(parser, '{');
    if (accept_word(parser, "measured"))
        measured = parse_measured(parser);
    if (!accept_word(parser, "schedule"))
        parse_expected(parser, measured.tried ? "'schedule'" : "'measured' or 'schedule'");
    struct schedule *schedule = parse_schedule(parser);
    expect(parser, '}');
    tunings_add(tunings, signature, schedule)->measured = measured;
}

static void parse_version(struct parser *parser)
{
    expect_word(parser, "sansched");
    struct token token = parser->token;
    if (expect_integer(parser, "the version", 0, INT32_MAX) != SCHEDULES_VERSION)
        parse_fail(parser, &token, "found version '%.*s', must be %d",
                   (int)(token.length > 40 ? 40 : token.length), token.text, SCHEDULES_VERSION);
}

static void parse_all(struct parser *parser, struct tunings *tunings)
{
    lex(parser);
    parse_version(parser);
    while (parser->token.kind != TOKEN_END)
        if (accept_word(parser, "kernel"))
            parse_tuning(parser, tunings);
        else if (token_is(&parser->token, "sansched"))
            parse_version(parser);
        else
            parse_expected(parser, "a kernel, 'sansched', or the end of the text");
}

struct tunings *tunings_parse(const char *text, size_t size, const char *file, struct error *error)
{
    struct parser parser = {.at = text, .end = text + size, .line_start = text, .line = 1};
    struct tunings *volatile tunings = tunings_new(file); /* lives across the jump */
    parser.module = tunings->memory;
    parser.error = error;
    if (setjmp(parser.failed)) {
        error->file = file;
        tunings_free(tunings);
        return NULL;
    }
    if (size > MOST_TEXT) {
        struct token begin = {.line = 1, .column = 1};
        parse_fail(&parser, &begin, "a text of %zu bytes, at most %d are allowed", size, MOST_TEXT);
    }
    parse_all(&parser, tunings);
    return tunings;
}

/* ---- printing -------------------------------------------------------------------------------- */

static void print_measured(const struct measured *measured, FILE *file)
{
    fprintf(file, "  measured { us = %.1f, chosen = %.1f, noise = %.2f, tried = %lld%s }\n",
            measured->us, measured->chosen_us, measured->noise, (long long)measured->tried,
            measured->unfinished ? ", unfinished" : "");
}

void tunings_print(const struct tunings *tunings, FILE *file)
{
    fprintf(file, "sansched %d\n", SCHEDULES_VERSION);
    for (const struct tuning *tuning = tunings->first; tuning; tuning = tuning->next) {
        fputs("\nkernel ", file);
        print_string(tuning->signature, file);
        fputs(" {\n", file);
        if (tuning->measured.tried)
            print_measured(&tuning->measured, file);
        print_schedule(tuning->schedule, file);
        fputs("}\n", file);
    }
}
