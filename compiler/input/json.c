/*   json_scan:  scan_value  ->  scan_array, scan_object, scan_string, scan_number, scan_word
 *               then check_keys of every object */
#include "json.h"
#include "escape.h"
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NUMBER_CHARACTERS = 63 };

struct scanner {
    struct json *json;
    const struct json_limits *limits;
    struct error *error;
    const unsigned char *text;
    size_t size, at;
    uint32_t capacity; /* of json->node */
    int depth;
};

__attribute__((format(printf, 3, 4))) static bool fail(struct scanner *s, size_t offset,
                                                       const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(s->error->text, sizeof s->error->text, format, arguments);
    va_end(arguments);
    s->error->at = json_place(s->json->text, offset);
    s->json->wrong = offset;
    return false;
}

/* Something unexpected stands at s->at. */
static bool unexpected(struct scanner *s, const char *expected)
{
    if (s->at >= s->size)
        return fail(s, s->at, "expected %s, found the end of the text", expected);
    unsigned char byte = s->text[s->at];
    if (byte > 0x20 && byte < 0x7f)
        return fail(s, s->at, "expected %s, found '%c'", expected, byte);
    return fail(s, s->at, "expected %s, found the byte 0x%02x", expected, byte);
}

static int peek(const struct scanner *s)
{
    return s->at < s->size ? s->text[s->at] : -1;
}

static void skip_space(struct scanner *s)
{
    while (s->at < s->size && memchr(" \t\n\r", s->text[s->at], 4))
        s->at++;
}

/* ---- strings --------------------------------------------------------------------------------- */

/* At a backslash. Adds to *size what it decodes to. */
static bool scan_escape(struct scanner *s, size_t *size)
{
    size_t start = s->at++;
    int letter = peek(s);
    if (letter > 0 && strchr("\"\\/bfnrt", letter)) {
        s->at++;
        ++*size;
        return true;
    }
    if (letter != 'u')
        return fail(s, start,
                    "expected one of \\\" \\\\ \\/ \\b \\f \\n \\r \\t \\u after a backslash");
    s->at++;
    size_t used;
    int code = escape_code(s->text + s->at, s->size - s->at, &used);
    if (code < 0)
        return fail(s, start, "expected four hexadecimal digits after \\u, whole surrogate pairs");
    if (code == 0)
        return fail(s, start, "a string must not hold \\u0000");
    s->at += used;
    char buffer[4];
    *size += utf8_write(code, buffer);
    return true;
}

/* At the opening quote. size: of the decoded string. */
static bool scan_string(struct scanner *s, size_t *size)
{
    size_t start = s->at++;
    *size = 0;
    for (int byte; (byte = peek(s)) != '"';) {
        if (byte < 0)
            return fail(s, start, "a string has no closing quote");
        if (byte < 0x20)
            return fail(s, s->at, "a string must not hold the control character 0x%02x", byte);
        if (byte == '\\') {
            if (!scan_escape(s, size))
                return false;
        } else {
            size_t length = utf8_length(s->text + s->at, s->size - s->at);
            if (!length)
                return fail(s, s->at, "text must be UTF-8, found the byte 0x%02x", byte);
            s->at += length;
            *size += length;
        }
        if (*size > s->limits->string_bytes)
            return fail(s, start, "a string must have at most %zu bytes", s->limits->string_bytes);
    }
    s->at++;
    return true;
}

/* ---- values ---------------------------------------------------------------------------------- */

static bool scan_value(struct scanner *s);

static bool add_node(struct scanner *s, enum json_kind kind)
{
    struct json *json = s->json;
    if (json->count == s->limits->values)
        return fail(s, s->at, "there must be at most %u values", s->limits->values);
    if (json->count == s->capacity) {
        s->capacity = s->capacity ? s->capacity * 2 : 64;
        struct json_node *grown = arena_alloc(json->arena, s->capacity * sizeof *grown);
        if (json->count)
            memcpy(grown, json->node, json->count * sizeof *grown);
        json->node = grown;
    }
    json->node[json->count++] = (struct json_node){.kind = kind, .begin = (uint32_t)s->at};
    return true;
}

static bool scan_digits(struct scanner *s)
{
    size_t start = s->at;
    while (peek(s) >= '0' && peek(s) <= '9')
        s->at++;
    return s->at > start || unexpected(s, "a digit");
}

static bool scan_number(struct scanner *s)
{
    size_t start = s->at;
    if (peek(s) == '-')
        s->at++;
    size_t digits = s->at;
    if (!scan_digits(s))
        return false;
    if (s->text[digits] == '0' && s->at > digits + 1)
        return fail(s, digits, "a number must not begin with a needless zero");
    if (peek(s) == '.') {
        s->at++;
        if (!scan_digits(s))
            return false;
    }
    if (peek(s) == 'e' || peek(s) == 'E') {
        s->at++;
        if (peek(s) == '+' || peek(s) == '-')
            s->at++;
        if (!scan_digits(s))
            return false;
    }
    if (s->at - start > NUMBER_CHARACTERS)
        return fail(s, start, "a number must have at most %d characters", NUMBER_CHARACTERS);
    return true;
}

static bool scan_word(struct scanner *s, const char *word)
{
    size_t length = strlen(word);
    if (s->size - s->at < length || memcmp(s->text + s->at, word, length) != 0)
        return unexpected(s, "a value");
    s->at += length;
    return true;
}

/* The key of the value to come, with its colon: into the fields of *member. */
static bool scan_key(struct scanner *s, struct json_node *member)
{
    if (peek(s) != '"')
        return unexpected(s, "a key in quotes");
    size_t begin = s->at, size;
    if (!scan_string(s, &size))
        return false;
    size_t raw = s->at - begin - 2;
    member->key_begin = (uint32_t)begin;
    member->key_end = (uint32_t)s->at;
    member->key_size = (uint32_t)size;
    member->key = (const char *)s->text + begin + 1;
    if (size != raw) {
        char *decoded = arena_alloc(s->json->arena, size + 1);
        escape_decode(s->text + begin + 1, raw, decoded);
        member->key = decoded;
    }
    skip_space(s);
    if (peek(s) != ':')
        return unexpected(s, "':' after a key");
    s->at++;
    skip_space(s);
    return true;
}

static bool scan_member(struct scanner *s)
{
    struct json_node key = {0};
    uint32_t index = s->json->count;
    if (!scan_key(s, &key) || !scan_value(s))
        return false;
    struct json_node *node = &s->json->node[index];
    node->key = key.key;
    node->key_size = key.key_size;
    node->key_begin = key.key_begin;
    node->key_end = key.key_end;
    return true;
}

/* At the opening bracket, whose node is the last one. */
static bool scan_container(struct scanner *s, bool object)
{
    uint32_t index = s->json->count - 1;
    int closing = object ? '}' : ']';
    if (++s->depth > s->limits->depth)
        return fail(s, s->at, "values must be nested at most %d deep", s->limits->depth);
    s->at++;
    skip_space(s);
    if (peek(s) != closing) {
        for (;;) {
            if (!(object ? scan_member(s) : scan_value(s)))
                return false;
            s->json->node[index].children++;
            skip_space(s);
            if (peek(s) != ',')
                break;
            s->at++;
            skip_space(s);
        }
        if (peek(s) != closing)
            return unexpected(s, object ? "',' or '}'" : "',' or ']'");
    }
    s->at++;
    s->depth--;
    return true;
}

static bool scan_kind(struct scanner *s, int first, enum json_kind *kind)
{
    switch (first) {
    case '{':
        *kind = JSON_OBJECT;
        return true;
    case '[':
        *kind = JSON_ARRAY;
        return true;
    case '"':
        *kind = JSON_STRING;
        return true;
    case 'n':
        *kind = JSON_NULL;
        return true;
    case 't':
        *kind = JSON_TRUE;
        return true;
    case 'f':
        *kind = JSON_FALSE;
        return true;
    default:
        *kind = JSON_NUMBER;
        return first == '-' || (first >= '0' && first <= '9') || unexpected(s, "a value");
    }
}

static bool scan_content(struct scanner *s, enum json_kind kind)
{
    size_t size;
    switch (kind) {
    case JSON_NULL:
        return scan_word(s, "null");
    case JSON_FALSE:
        return scan_word(s, "false");
    case JSON_TRUE:
        return scan_word(s, "true");
    case JSON_NUMBER:
        return scan_number(s);
    case JSON_STRING:
        return scan_string(s, &size);
    case JSON_ARRAY:
        return scan_container(s, false);
    case JSON_OBJECT:
        return scan_container(s, true);
    }
    return false;
}

static bool scan_value(struct scanner *s)
{
    enum json_kind kind;
    uint32_t index = s->json->count;
    if (!scan_kind(s, peek(s), &kind) || !add_node(s, kind) || !scan_content(s, kind))
        return false;
    s->json->node[index].end = (uint32_t)s->at;
    s->json->node[index].next = s->json->count;
    return true;
}

/* ---- keys ------------------------------------------------------------------------------------ */

static bool same_key(const struct json_node *a, const struct json_node *b)
{
    return a->key_size == b->key_size && memcmp(a->key, b->key, a->key_size) == 0;
}

/* Equal keys become neighbours, in the order of the text. */
static int compare_keys(const void *left, const void *right)
{
    const struct json_node *a = *(struct json_node *const *)left;
    const struct json_node *b = *(struct json_node *const *)right;
    if (a->key_size != b->key_size)
        return a->key_size < b->key_size ? -1 : 1;
    int order = memcmp(a->key, b->key, a->key_size);
    if (order)
        return order;
    return a->key_begin < b->key_begin ? -1 : 1;
}

/* room: for as many pointers as the largest object has members. */
static bool check_keys(struct scanner *s, const struct json_node *object, struct json_node **room)
{
    size_t count = 0;
    struct json *json = s->json;
    uint32_t end = object->next;
    for (uint32_t i = (uint32_t)(object - json->node) + 1; i < end; i = json->node[i].next)
        room[count++] = &json->node[i];
    qsort(room, count, sizeof *room, compare_keys);
    const struct json_node *again = NULL, *first = NULL;
    for (size_t i = 1; i < count; i++) {
        if (same_key(room[i - 1], room[i]) && (!again || room[i]->key_begin < again->key_begin)) {
            first = room[i - 1];
            again = room[i];
        }
    }
    if (!again)
        return true;
    char excerpt[JSON_EXCERPT];
    struct location at = json_place(json->text, first->key_begin);
    return fail(s, again->key_begin,
                "an object must have a key once, found %s a second time "
                "(first in line %d, column %d)",
                json_key_excerpt(json, again, excerpt), at.line, at.column);
}

static bool check_objects(struct scanner *s)
{
    struct json *json = s->json;
    uint32_t most = 0;
    for (uint32_t i = 0; i < json->count; i++)
        if (json->node[i].kind == JSON_OBJECT && json->node[i].children > most)
            most = json->node[i].children;
    struct json_node **room = arena_alloc(json->arena, (most + 1) * sizeof *room);
    for (uint32_t i = 0; i < json->count; i++)
        if (json->node[i].kind == JSON_OBJECT && !check_keys(s, &json->node[i], room))
            return false;
    return true;
}

/* ---- public ---------------------------------------------------------------------------------- */

static bool scan_text(struct scanner *s)
{
    if (s->size >= 3 && memcmp(s->text, "\xef\xbb\xbf", 3) == 0)
        return fail(s, 0, "the text must not begin with a byte order mark");
    skip_space(s);
    if (!scan_value(s))
        return false;
    skip_space(s);
    return (s->at == s->size || unexpected(s, "the end of the text")) && check_objects(s);
}

bool json_scan(struct json *json, const char *text, size_t size, const struct json_limits *limits,
               struct error *error)
{
    assert(size < UINT32_MAX);
    *json = (struct json){.text = text, .arena = arena_new()};
    struct scanner scanner = {.json = json,
                              .limits = limits,
                              .error = error,
                              .text = (const unsigned char *)text,
                              .size = size};
    if (scan_text(&scanner))
        return true;
    size_t wrong = json->wrong;
    json_free(json);
    json->wrong = wrong;
    return false;
}

void json_free(struct json *json)
{
    arena_free(json->arena);
    *json = (struct json){0};
}

struct location json_place(const char *text, size_t offset)
{
    struct location at = {.line = 1};
    size_t start = 0;
    for (size_t i = 0; i < offset; i++) {
        if (text[i] == '\n') {
            at.line++;
            start = i + 1;
        }
    }
    at.column = (int)(offset - start) + 1;
    return at;
}

bool json_integer(const struct json *json, const struct json_node *node, int64_t *value)
{
    if (node->kind != JSON_NUMBER)
        return false;
    const char *at = json->text + node->begin, *end = json->text + node->end;
    bool negative = *at == '-';
    int64_t sum = 0; /* negative, since that range has one more value */
    for (at += negative; at < end; at++) {
        if (*at < '0' || *at > '9')
            return false;
        int digit = *at - '0';
        if (sum < (INT64_MIN + digit) / 10)
            return false;
        sum = sum * 10 - digit;
    }
    if (!negative && sum == INT64_MIN)
        return false;
    *value = negative ? sum : -sum;
    return true;
}

const char *json_string(const struct json *json, const struct json_node *node, size_t *size)
{
    assert(node->kind == JSON_STRING);
    size_t raw = node->end - node->begin - 2;
    char *decoded = arena_alloc(json->arena, raw + 1); /* decoding never makes it longer */
    escape_decode((const unsigned char *)json->text + node->begin + 1, raw, decoded);
    *size = strlen(decoded);
    return decoded;
}

static const char *cut(const char *text, size_t size, char excerpt[JSON_EXCERPT])
{
    if (size < JSON_EXCERPT) {
        memcpy(excerpt, text, size);
        excerpt[size] = 0;
        return excerpt;
    }
    size = JSON_EXCERPT - 4;
    while (((unsigned char)text[size] & 0xc0) == 0x80)
        size--; /* not within a character */
    memcpy(excerpt, text, size);
    memcpy(excerpt + size, "...", 4);
    return excerpt;
}

const char *json_excerpt(const struct json *json, const struct json_node *node,
                         char excerpt[JSON_EXCERPT])
{
    if (node->kind == JSON_OBJECT)
        return "an object";
    if (node->kind == JSON_ARRAY)
        return "an array";
    return cut(json->text + node->begin, node->end - node->begin, excerpt);
}

const char *json_key_excerpt(const struct json *json, const struct json_node *node,
                             char excerpt[JSON_EXCERPT])
{
    return cut(json->text + node->key_begin, node->key_end - node->key_begin, excerpt);
}
