/* What the files of the parser and the printer share. Private to this folder. */
#ifndef IR_TEXT_H
#define IR_TEXT_H
#include "index.h"
#include "names.h"
#include "rules.h"
#include "words.h"
#include <setjmp.h>

/* ---- tokens (lex.c) -------------------------------------------------------------------------- */

enum token_kind { /* or the character itself */
                  TOKEN_END = 256,
                  TOKEN_NAME,
                  TOKEN_NUMBER, /* without a sign */
                  TOKEN_STRING, /* text: what stands between the quotes */
                  TOKEN_VALUE   /* %12; text: the digits */
};

struct token {
    int kind;
    const char *text;
    size_t length;
    int line, column;
};

/* Limits of a text; beyond each it is refused with a message. */
enum { MOST_TEXT = 1 << 24, MOST_DEPTH = 200, MOST_STRING = 4096 };

struct parser {
    const char *at, *end, *line_start;
    int line;
    struct token token; /* the next one */
    int depth;
    struct module *module;
    struct kernel **last_kernel;
    struct names values, buffers; /* of the module */
    struct names locals, vars;    /* of the current kernel; a var out of scope is NULL */
    struct error *error;
    jmp_buf failed;
};

void lex(struct parser *parser); /* takes the next token */
/* In a schedule, where lines count: the next word of the line; length 0 at its end. */
struct token lex_word(struct parser *parser);
void lex_skip_lines(struct parser *parser); /* to the first character of the next line with one */

/* Both leave the parser at `failed`. The second: "found TOKEN, must be ALLOWED". */
_Noreturn void parse_fail(struct parser *parser, const struct token *token, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
_Noreturn void parse_expected(struct parser *parser, const char *allowed);

struct location token_location(const struct token *token);
bool token_is(const struct token *token, const char *text); /* this name */
bool accept(struct parser *parser, int kind);
bool accept_word(struct parser *parser, const char *word);
void expect(struct parser *parser, int kind);
void expect_word(struct parser *parser, const char *word);
const char *expect_string(struct parser *parser, size_t most);
struct token expect_name(struct parser *parser, const char *what); /* not a reserved one */
int64_t expect_integer(struct parser *parser, const char *what, int64_t least, int64_t most);
double expect_real(struct parser *parser);
char *token_copy(struct parser *parser, const struct token *token);
void parse_enter(struct parser *parser); /* one level deeper; fails beyond MOST_DEPTH */
void parse_leave(struct parser *parser);

/* ---- parts of the grammar -------------------------------------------------------------------- */

struct shape parse_shape(struct parser *parser, int64_t least); /* parse.c */
struct buffer *parse_buffer(struct parser *parser, const struct token *name, bool local);
void parse_kernel(struct parser *parser);                          /* parse_loops.c */
struct schedule *parse_schedule(struct parser *parser);            /* after the word schedule */
const struct expr *parse_expr(struct parser *parser, int *height); /* parse_expr.c */
void parse_indices(struct parser *parser, const struct buffer *buffer, const struct affine **index);
struct var *parse_var(struct parser *parser, struct token *name);
void parse_var_end(struct parser *parser, const struct token *name);
struct buffer *parse_buffer_use(struct parser *parser, const struct token *name);

/* ---- printing (print_expr.c) ----------------------------------------------------------------- */

enum { NUMBER_TEXT = 32 };
const char *number_text(double value, char text[NUMBER_TEXT]); /* reads back exactly */
void print_string(const char *string, FILE *file);
void print_schedule(const struct schedule *schedule, FILE *file); /* print.c */
void print_indices(const struct buffer *buffer, const struct affine *const *index, FILE *file);
void print_expr(const struct expr *expr, FILE *file);

#endif
