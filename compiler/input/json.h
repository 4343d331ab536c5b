/* JSON text, scanned strictly: RFC 8259 in UTF-8, no key twice in an object, within limits.
 *
 * The scan remembers where each value stands, so that errors found later can say it, and the digits
 * of each number. It is stricter than RFC 8259: it refuses strings with \u0000 or half a surrogate
 * pair, and numbers of more than 63 characters, since later readers would change them silently. */
#ifndef COMPILER_JSON_H
#define COMPILER_JSON_H
#include "arena.h"
#include "error.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum json_kind {
    JSON_NULL,
    JSON_FALSE,
    JSON_TRUE,
    JSON_NUMBER,
    JSON_STRING,
    JSON_ARRAY,
    JSON_OBJECT
};

/* A value. Values stand in the order of the text, each followed by what it holds. */
struct json_node {
    enum json_kind kind;
    uint32_t begin, end; /* bytes of the text, quotes and brackets included */
    uint32_t next;       /* the first value after it and all that it holds */
    uint32_t children;
    uint32_t key_begin, key_end; /* of a member of an object, quotes included; else 0, 0 */
    uint32_t key_size;
    const char *key; /* decoded, no zero byte after it; NULL: no member of an object */
};

struct json {
    const char *text; /* the caller's, to be kept as long as this */
    struct arena *arena;
    struct json_node *node; /* 0 is the whole */
    uint32_t count;
    size_t wrong; /* of a text that is not JSON: the byte where that shows */
};

struct json_limits {
    int depth;           /* of arrays and objects within each other */
    uint32_t values;     /* containers counted too */
    size_t string_bytes; /* of a string or key, decoded */
};

/* Scans the whole text, less than 4 GiB; else json_free. False with the error's text and place
 * filled in, the place as a byte of the text in json->wrong too, and nothing to free. */
bool json_scan(struct json *json, const char *text, size_t size, const struct json_limits *limits,
               struct error *error);
void json_free(struct json *json);

/* The line and column of a byte; lines end with \n. */
struct location json_place(const char *text, size_t offset);

/* The value of a number that is written as an integer, without fraction or exponent. False: it is
 * something else, or does not fit. */
bool json_integer(const struct json *json, const struct json_node *node, int64_t *value);

/* A string's decoded bytes, with a zero byte after them. */
const char *json_string(const struct json *json, const struct json_node *node, size_t *size);

/* A value as an error shows it: scalars as they are written, cut off where they are long. */
enum { JSON_EXCERPT = 64 };
const char *json_excerpt(const struct json *json, const struct json_node *node,
                         char excerpt[JSON_EXCERPT]);
/* A key in quotes as it is written, likewise. */
const char *json_key_excerpt(const struct json *json, const struct json_node *node,
                             char excerpt[JSON_EXCERPT]);

#endif
