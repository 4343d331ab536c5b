/* Text to tokens, and what the parser asks of them. */
#include "text.h"
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static void describe(const struct token *token, char *text, size_t size)
{
    int length = token->length > 40 ? 40 : (int)token->length;
    if (token->kind == TOKEN_END)
        snprintf(text, size, "the end of the text");
    else if (token->kind == TOKEN_STRING)
        snprintf(text, size, "the string \"%.*s\"", length, token->text);
    else if (token->kind == TOKEN_VALUE)
        snprintf(text, size, "%%%.*s", length, token->text);
    else
        snprintf(text, size, "'%.*s'", length, token->text);
    for (; *text; text++) /* a string may hold any byte but a newline */
        if ((unsigned char)*text < 0x20 || *text == 0x7f)
            *text = '?';
}

_Noreturn void parse_fail(struct parser *parser, const struct token *token, const char *format, ...)
{
    struct error *error = parser->error;
    va_list list;
    va_start(list, format);
    *error = (struct error){.at = token_location(token)};
    vsnprintf(error->text, sizeof error->text, format, list);
    va_end(list);
    longjmp(parser->failed, 1);
}

_Noreturn void parse_expected(struct parser *parser, const char *allowed)
{
    char found[80];
    describe(&parser->token, found, sizeof found);
    parse_fail(parser, &parser->token, "found %s, must be %s", found, allowed);
}

/* ---- characters to tokens -------------------------------------------------------------------- */

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static struct token token_here(const struct parser *parser, int kind)
{
    return (struct token){kind, parser->at, 0, parser->line,
                          (int)(parser->at - parser->line_start) + 1};
}

static void skip_blanks(struct parser *parser, bool lines)
{
    for (; parser->at < parser->end; parser->at++) {
        char c = *parser->at;
        if (c == ';') {
            while (parser->at < parser->end && *parser->at != '\n')
                parser->at++;
            if (parser->at == parser->end)
                return;
            c = '\n';
        }
        if (c == '\n' && lines) {
            parser->line++;
            parser->line_start = parser->at + 1;
        } else if (c != ' ' && c != '\t' && c != '\r') {
            return;
        }
    }
}

/* Letters after the digits are taken too, so that 12x is one wrong number. */
static void lex_number(struct parser *parser)
{
    const char *begin = parser->at;
    while (parser->at < parser->end) {
        char c = *parser->at, before = parser->at > begin ? parser->at[-1] : '0';
        bool sign = (c == '+' || c == '-') && (before == 'e' || before == 'E');
        if (!is_letter(c) && !is_digit(c) && c != '.' && !sign)
            break;
        parser->at++;
    }
}

static void lex_string(struct parser *parser)
{
    struct token *token = &parser->token;
    const char *begin = ++parser->at;
    for (; parser->at < parser->end && *parser->at != '"' && *parser->at != '\n'; parser->at++)
        if (*parser->at == '\\' && parser->end - parser->at > 1 && parser->at[1] != '\n')
            parser->at++;
    if (parser->at == parser->end || *parser->at == '\n')
        parse_fail(parser, token, "a string that does not end on its line");
    token->text = begin;
    token->length = (size_t)(parser->at++ - begin);
}

void lex(struct parser *parser)
{
    skip_blanks(parser, true);
    struct token *token = &parser->token;
    *token = token_here(parser, TOKEN_END);
    if (parser->at == parser->end)
        return;
    char c = *parser->at;
    if (is_letter(c)) {
        token->kind = TOKEN_NAME;
        while (parser->at < parser->end && (is_letter(*parser->at) || is_digit(*parser->at)))
            parser->at++;
    } else if (is_digit(c)) {
        token->kind = TOKEN_NUMBER;
        lex_number(parser);
    } else if (c == '"') {
        token->kind = TOKEN_STRING;
        lex_string(parser);
        return;
    } else if (c == '%') {
        token->kind = TOKEN_VALUE;
        token->text = ++parser->at;
        while (parser->at < parser->end && is_digit(*parser->at))
            parser->at++;
    } else if (memchr("[]{}()=:,+-*/", c, 13)) {
        token->kind = (unsigned char)c;
        parser->at++;
    } else {
        parse_fail(parser, token, "found the byte 0x%02x, which begins nothing", (unsigned char)c);
    }
    token->length = (size_t)(parser->at - token->text);
}

struct token lex_word(struct parser *parser)
{
    skip_blanks(parser, false);
    struct token word = token_here(parser, TOKEN_NAME);
    while (parser->at < parser->end && is_word_character(*parser->at))
        parser->at++;
    word.length = (size_t)(parser->at - word.text);
    return word;
}

void lex_skip_lines(struct parser *parser)
{
    skip_blanks(parser, true);
}

/* ---- what the parser asks -------------------------------------------------------------------- */

struct location token_location(const struct token *token)
{
    return (struct location){token->line, token->column};
}

bool token_is(const struct token *token, const char *text)
{
    return token->kind == TOKEN_NAME && token->length == strlen(text) &&
           memcmp(token->text, text, token->length) == 0;
}

bool accept(struct parser *parser, int kind)
{
    if (parser->token.kind != kind)
        return false;
    lex(parser);
    return true;
}

bool accept_word(struct parser *parser, const char *word)
{
    if (!token_is(&parser->token, word))
        return false;
    lex(parser);
    return true;
}

void expect(struct parser *parser, int kind)
{
    const char allowed[] = {'\'', (char)kind, '\'', 0};
    if (!accept(parser, kind))
        parse_expected(parser, allowed);
}

void expect_word(struct parser *parser, const char *word)
{
    char allowed[40];
    snprintf(allowed, sizeof allowed, "'%s'", word);
    if (!accept_word(parser, word))
        parse_expected(parser, allowed);
}

char *token_copy(struct parser *parser, const struct token *token)
{
    char *copy = arena_alloc(parser->module->arena, token->length + 1);
    return memcpy(copy, token->text, token->length);
}

static int hex_digit(char c)
{
    if (is_digit(c))
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* \" \\ and \xHH, other than \x00. */
const char *expect_string(struct parser *parser, size_t most)
{
    struct token token = parser->token;
    if (token.kind != TOKEN_STRING)
        parse_expected(parser, "a string in double quotes");
    char *copy = token_copy(parser, &token), *to = copy;
    for (const char *from = copy; *from; from++) {
        if (*from != '\\') {
            *to++ = *from;
            continue;
        }
        from++;
        int high = *from == 'x' ? hex_digit(from[1]) : -1, low = high < 0 ? -1 : hex_digit(from[2]);
        if (*from == '"' || *from == '\\') {
            *to++ = *from;
        } else if (low >= 0 && 16 * high + low > 0) {
            *to++ = (char)(16 * high + low);
            from += 2;
        } else {
            parse_fail(parser, &token,
                       "a string with a wrong escape, must be \\\\, \\\" or \\x01 "
                       "to \\xff in small letters");
        }
    }
    *to = 0;
    if (strlen(copy) > most)
        parse_fail(parser, &token, "a string of %zu bytes, at most %zu are allowed", strlen(copy),
                   most);
    if (memchr(token.text, 0, token.length))
        parse_fail(parser, &token, "a string with a zero byte");
    lex(parser);
    return copy;
}

struct token expect_name(struct parser *parser, const char *what)
{
    struct token token = parser->token;
    if (token.kind != TOKEN_NAME || name_is_reserved(token.text, token.length))
        parse_expected(parser, what);
    if (token.length > MOST_NAME)
        parse_fail(parser, &token, "a name of %zu bytes, at most %d are allowed", token.length,
                   MOST_NAME);
    lex(parser);
    return token;
}

int64_t expect_integer(struct parser *parser, const char *what, int64_t least, int64_t most)
{
    struct token token = parser->token;
    int64_t value = 0;
    bool fits = token.kind == TOKEN_NUMBER;
    for (size_t i = 0; fits && i < token.length; i++) {
        int digit = token.text[i] - '0';
        fits = is_digit(token.text[i]) && value <= most / 10 && 10 * value <= most - digit;
        value = fits ? 10 * value + digit : 0;
    }
    char allowed[120];
    snprintf(allowed, sizeof allowed, "%s: an integer from %lld to %lld", what, (long long)least,
             (long long)most);
    if (!fits || value < least)
        parse_expected(parser, allowed);
    lex(parser);
    return value;
}

double expect_real(struct parser *parser)
{
    double sign = accept(parser, '-') ? -1 : 1;
    if (accept_word(parser, "inf"))
        return sign * HUGE_VAL;
    struct token token = parser->token;
    char text[128], *end;
    if (token.kind != TOKEN_NUMBER)
        parse_expected(parser, "a number");
    if (token.length >= sizeof text)
        parse_fail(parser, &token, "a number of %zu characters, at most %zu are allowed",
                   token.length, sizeof text - 1);
    memcpy(text, token.text, token.length);
    text[token.length] = 0;
    double value = strtod(text, &end);
    if (*end || strpbrk(text, "xXnN"))
        parse_expected(parser, "a decimal number");
    if (isinf(value))
        parse_expected(parser, "a number that fits float64, or inf");
    lex(parser);
    return sign * value;
}

void parse_enter(struct parser *parser)
{
    if (++parser->depth > MOST_DEPTH)
        parse_fail(parser, &parser->token, "nested more than %d deep", MOST_DEPTH);
}

void parse_leave(struct parser *parser)
{
    parser->depth--;
}
