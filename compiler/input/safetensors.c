/* length -> header by the strict scan -> each tensor alone -> the offsets of all */
#include "safetensors.h"
#include "file_kind.h"
#include "json.h"
#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    LENGTH_BYTES = SAFETENSORS_START,
    MAX_HEADER = 100000000,
    MAX_TENSORS = 100000,
    MAX_NAME_BYTES = 512
};
enum { MOST_ERRORS = 20 };

/* What file_kind may look at. */
static const size_t KIND_BYTES = 1 << 17;

/* A tensor with 8 dimensions is 14 values. */
static const struct json_limits header_limits = {
    .depth = 64, .values = 20 * MAX_TENSORS, .string_bytes = MAX_HEADER};

const struct tensor_dtype_info tensor_dtype_info[TENSOR_DTYPE_COUNT] = {
#define DTYPE(name, bytes, real) {#name, bytes, real},
    SAFETENSORS_DTYPES
#undef DTYPE
        [TENSOR_OTHER] = {"", 0, false},
};

struct reader {
    const char *path;
    const struct json *json;
    struct arena *arena;
    int errors;
};

/* ---- length ---------------------------------------------------------------------------------- */

static uint64_t little_endian(const void *from, int bytes)
{
    const unsigned char *byte = from;
    uint64_t value = 0;
    for (int i = bytes; i-- > 0;)
        value = value << 8 | byte[i];
    return value;
}

size_t safetensors_head(const char *start, size_t size)
{
    uint64_t length = size < LENGTH_BYTES ? 0 : little_endian(start, LENGTH_BYTES);
    size_t head = length > MAX_HEADER ? 0 : LENGTH_BYTES + (size_t)length;
    head = head < KIND_BYTES ? KIND_BYTES : head;
    return head < size ? head : size;
}

static bool read_length(const char *path, const char *file, size_t size, size_t *length)
{
    if (size < LENGTH_BYTES) {
        diag_error(path, 0, 0, "a safetensors file must have at least %d bytes, found %zu",
                   LENGTH_BYTES, size);
        return false;
    }
    uint64_t found = little_endian(file, LENGTH_BYTES);
    size_t left = size - LENGTH_BYTES;
    const char *kind = file_kind(file, safetensors_head(file, size));
    if (found <= left && found <= MAX_HEADER && found > 0 && file[LENGTH_BYTES] == '{') {
        *length = (size_t)found;
        return true;
    }
    if (kind)
        diag_error(path, 0, 0, "must be a safetensors file, found %s", kind);
    else if (found > MAX_HEADER)
        diag_error(
            path, 0, 0,
            "must be a safetensors file, whose first %d bytes say how long its header is, at "
            "most %d; found %" PRIu64,
            LENGTH_BYTES, MAX_HEADER, found);
    else if (found > left)
        diag_error(path, 0, 0,
                   "the file is cut short: its header has %" PRIu64 " bytes, and %zu are there",
                   found, left);
    else
        diag_error(path, 0, 0, "the header must begin with '{'");
    return false;
}

/* ---- one tensor ------------------------------------------------------------------------------ */

/* tensor "NAME" ...; `what` stands after the name. */
__attribute__((format(printf, 3, 4))) static bool
tensor_error(struct reader *reader, const struct json_node *node, const char *format, ...)
{
    char message[512], name[JSON_EXCERPT];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    if (reader->errors++ < MOST_ERRORS)
        diag_error(reader->path, 0, 0, "tensor %s: %s", json_key_excerpt(reader->json, node, name),
                   message);
    return false;
}

static bool key_is(const struct json_node *node, const char *name)
{
    return node->key_size == strlen(name) && memcmp(node->key, name, node->key_size) == 0;
}

static bool read_dtype(struct reader *reader, const struct json_node *node,
                       const struct json_node *value, struct tensor *tensor)
{
    size_t size;
    char excerpt[JSON_EXCERPT];
    if (value->kind != JSON_STRING)
        return tensor_error(reader, node, "dtype must be a string, found %s",
                            json_excerpt(reader->json, value, excerpt));
    const char *text = json_string(reader->json, value, &size);
    tensor->dtype = 0;
    while (tensor->dtype < TENSOR_OTHER && strcmp(text, tensor_dtype_info[tensor->dtype].name) != 0)
        tensor->dtype++;
    tensor->dtype_name = arena_printf(reader->arena, "%.60s", text);
    return true;
}

/* An array of `least` to `most` integers from 0. */
static bool read_integers(struct reader *reader, const struct json_node *node, const char *what,
                          const struct json_node *value, uint32_t least, uint32_t most,
                          int64_t *integers)
{
    char excerpt[JSON_EXCERPT];
    if (value->kind != JSON_ARRAY)
        return tensor_error(reader, node, "%s must be an array, found %s", what,
                            json_excerpt(reader->json, value, excerpt));
    if (value->children < least || value->children > most) {
        char range[64];
        snprintf(range, sizeof range, least == most ? "%u" : "%u to %u", least, most);
        return tensor_error(reader, node, "%s must have %s values, found %u", what, range,
                            value->children);
    }
    for (uint32_t i = 0; i < value->children; i++) {
        const struct json_node *at = value + 1; /* neighbours, as long as they are scalars */
        if (at[i].kind == JSON_ARRAY || at[i].kind == JSON_OBJECT ||
            !json_integer(reader->json, &at[i], &integers[i]) ||
            reader->json->text[at[i].begin] == '-')
            return tensor_error(reader, node,
                                "%s must hold integers from 0 to %" PRId64 ", found %s", what,
                                INT64_MAX, json_excerpt(reader->json, &at[i], excerpt));
    }
    return true;
}

/* The shape's product; its bytes have to fit in 63 bits too. */
static bool count_elements(struct reader *reader, const struct json_node *node,
                           struct tensor *tensor)
{
    int bytes = tensor_dtype_info[tensor->dtype].bytes;
    int64_t most = INT64_MAX / (bytes ? bytes : 1);
    tensor->elements = 1;
    for (int i = 0; i < tensor->rank; i++) {
        if (tensor->dim[i] > 0 && tensor->elements > most / tensor->dim[i])
            return tensor_error(reader, node,
                                "shape must have a product of at most %" PRId64
                                " elements, found a larger one",
                                most);
        tensor->elements *= tensor->dim[i];
    }
    return true;
}

static bool check_extent(struct reader *reader, const struct json_node *node,
                         const struct tensor *tensor)
{
    if (tensor->begin > tensor->end)
        return tensor_error(reader, node,
                            "data_offsets must be in order, found %" PRIu64 " and %" PRIu64,
                            tensor->begin, tensor->end);
    if (tensor->dtype == TENSOR_OTHER)
        return true;
    uint64_t bytes = (uint64_t)tensor->elements * (uint64_t)tensor_dtype_info[tensor->dtype].bytes;
    if (tensor->end - tensor->begin != bytes)
        return tensor_error(reader, node,
                            "data_offsets must span the %" PRIu64 " bytes of its shape and dtype, "
                            "found %" PRIu64,
                            bytes, tensor->end - tensor->begin);
    return true;
}

struct entry {
    const struct json_node *dtype, *shape, *offsets;
};

static bool find_entry(struct reader *reader, const struct json_node *node, struct entry *entry)
{
    const struct json_node *nodes = reader->json->node, *unknown = NULL;
    char excerpt[JSON_EXCERPT];
    *entry = (struct entry){0};
    if (node->kind != JSON_OBJECT) {
        tensor_error(reader, node, "must be an object, found %s",
                     json_excerpt(reader->json, node, excerpt));
        return false;
    }
    for (const struct json_node *at = node + 1; at < nodes + node->next; at = nodes + at->next) {
        if (key_is(at, "dtype"))
            entry->dtype = at;
        else if (key_is(at, "shape"))
            entry->shape = at;
        else if (key_is(at, "data_offsets"))
            entry->offsets = at;
        else
            unknown = at;
    }
    if (unknown)
        tensor_error(reader, node, "must have no fields but dtype, shape, data_offsets, found %s",
                     json_key_excerpt(reader->json, unknown, excerpt));
    else if (!entry->dtype || !entry->shape || !entry->offsets)
        tensor_error(reader, node, "must have the field %s",
                     !entry->dtype   ? "dtype"
                     : !entry->shape ? "shape"
                                     : "data_offsets");
    return !unknown && entry->dtype && entry->shape && entry->offsets;
}

static bool read_tensor(struct reader *reader, const struct json_node *node, struct tensor *tensor)
{
    struct entry entry;
    int64_t offset[2] = {0};
    if (node->key_size > MAX_NAME_BYTES)
        return tensor_error(reader, node, "a name must have at most %d bytes, found %u",
                            MAX_NAME_BYTES, node->key_size);
    if (!find_entry(reader, node, &entry) || !read_dtype(reader, node, entry.dtype, tensor) ||
        !read_integers(reader, node, "shape", entry.shape, 0, MAX_TENSOR_RANK, tensor->dim) ||
        !read_integers(reader, node, "data_offsets", entry.offsets, 2, 2, offset))
        return false;
    char *name = arena_alloc(reader->arena, node->key_size + 1);
    memcpy(name, node->key, node->key_size);
    tensor->name = name;
    tensor->rank = (int)entry.shape->children;
    tensor->begin = (uint64_t)offset[0];
    tensor->end = (uint64_t)offset[1];
    return count_elements(reader, node, tensor) && check_extent(reader, node, tensor);
}

/* ---- the header ------------------------------------------------------------------------------ */

static void check_metadata(struct reader *reader, const struct json_node *node)
{
    const struct json_node *nodes = reader->json->node;
    char excerpt[JSON_EXCERPT], key[JSON_EXCERPT];
    if (node->kind == JSON_NULL) /* as the format's own reader does */
        return;
    if (node->kind != JSON_OBJECT) {
        reader->errors++;
        diag_error(reader->path, 0, 0, "__metadata__ must be an object, found %s",
                   json_excerpt(reader->json, node, excerpt));
        return;
    }
    for (const struct json_node *at = node + 1; at < nodes + node->next; at = nodes + at->next)
        if (at->kind != JSON_STRING && reader->errors++ < MOST_ERRORS)
            diag_error(reader->path, 0, 0, "__metadata__ must hold strings, found %s at %s",
                       json_excerpt(reader->json, at, excerpt),
                       json_key_excerpt(reader->json, at, key));
}

static void read_tensors(struct reader *reader, struct tensor *tensors, size_t *count)
{
    const struct json_node *nodes = reader->json->node;
    for (const struct json_node *at = nodes + 1; at < nodes + nodes->next; at = nodes + at->next) {
        if (key_is(at, "__metadata__"))
            check_metadata(reader, at);
        else if (*count == MAX_TENSORS) {
            reader->errors++;
            diag_error(reader->path, 0, 0, "there must be at most %d tensors, found more",
                       MAX_TENSORS);
            return;
        } else {
            read_tensor(reader, at, &tensors[(*count)++]);
        }
    }
}

static int compare_offsets(const void *left, const void *right)
{
    const struct tensor *a = left, *b = right;
    if (a->begin != b->begin)
        return a->begin < b->begin ? -1 : 1;
    if (a->end != b->end)
        return a->end < b->end ? -1 : 1;
    return strcmp(a->name, b->name);
}

static int compare_names(const void *left, const void *right)
{
    const struct tensor *a = left, *b = right;
    return strcmp(a->name, b->name);
}

/* Sorted by their offsets, the tensors fill the data without holes or overlaps. */
static void check_layout(struct reader *reader, uint64_t data_size, struct tensor *tensors,
                         size_t count)
{
    uint64_t end = 0;
    qsort(tensors, count, sizeof *tensors, compare_offsets);
    for (size_t i = 0; i < count; end = tensors[i++].end) {
        if (tensors[i].begin == end)
            continue;
        reader->errors++;
        diag_error(reader->path, 0, 0,
                   "tensor \"%.60s\": data_offsets must begin at %" PRIu64
                   ", where the tensor before ends, found %" PRIu64,
                   tensors[i].name, end, tensors[i].begin);
        return;
    }
    if (end > data_size) {
        reader->errors++;
        diag_error(reader->path, 0, 0,
                   "the file is cut short: its tensors have %" PRIu64 " bytes, and %" PRIu64
                   " are there",
                   end, data_size);
    } else if (end < data_size) {
        reader->errors++;
        diag_error(reader->path, 0, 0,
                   "the tensors must fill the data of %" PRIu64 " bytes, found %" PRIu64, data_size,
                   end);
    }
}

/* The data begin at byte `data` of the file. */
static void read_header(struct reader *reader, uint64_t data, uint64_t data_size,
                        struct tensor **tensors, size_t *count)
{
    const struct json_node *root = reader->json->node;
    *count = 0;
    *tensors = arena_alloc(reader->arena, (root->children + (size_t)1) * sizeof **tensors);
    read_tensors(reader, *tensors, count);
    if (reader->errors > MOST_ERRORS)
        diag_error(reader->path, 0, 0, "more errors than %d, the rest is not shown", MOST_ERRORS);
    if (!reader->errors)
        check_layout(reader, data_size, *tensors, *count);
    if (reader->errors)
        return;
    for (size_t i = 0; i < *count; i++)
        (*tensors)[i].at = data + (*tensors)[i].begin;
    qsort(*tensors, *count, sizeof **tensors, compare_names);
}

enum status safetensors_parse(const char *path, const char *head, size_t size, struct arena *arena,
                              struct tensor **tensors, size_t *count)
{
    size_t length;
    if (!read_length(path, head, size, &length))
        return STATUS_INPUT;
    const char *header = head + LENGTH_BYTES;
    struct json json;
    struct error error;
    if (!json_scan(&json, header, length, &header_limits, &error)) {
        diag_error(path, 0, 0, "the header is no valid JSON: %s, at byte %zu of the header",
                   error.text, json.wrong);
        return STATUS_INPUT;
    }
    struct reader reader = {.path = path, .json = &json, .arena = arena};
    read_header(&reader, LENGTH_BYTES + length, size - LENGTH_BYTES - length, tensors, count);
    json_free(&json);
    return reader.errors ? STATUS_INPUT : STATUS_DONE;
}

/* ---- elements -------------------------------------------------------------------------------- */

static double half(uint16_t bits)
{
    int exponent = bits >> 10 & 0x1f, fraction = bits & 0x3ff;
    double sign = bits & 0x8000 ? -1 : 1;
    if (exponent == 0x1f)
        return fraction ? NAN : sign * INFINITY;
    return sign * (exponent ? ldexp(fraction + 0x400, exponent - 25) : ldexp(fraction, -24));
}

static double single(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static double element(enum tensor_dtype dtype, const unsigned char *from)
{
    double value;
    uint64_t bits = little_endian(from, tensor_dtype_info[dtype].bytes);
    switch (dtype) {
    case TENSOR_F64:
        memcpy(&value, &bits, sizeof value);
        return value;
    case TENSOR_F32:
        return single((uint32_t)bits);
    case TENSOR_F16:
        return half((uint16_t)bits);
    case TENSOR_BF16:
        return single((uint32_t)bits << 16);
    case TENSOR_U8:
        return (double)bits;
    default:
        assert(!"a real dtype");
        return NAN;
    }
}

void tensor_convert(enum tensor_dtype dtype, const unsigned char *from, int64_t count, double *to)
{
    int bytes = tensor_dtype_info[dtype].bytes;
    if (dtype == TENSOR_F32) /* almost all */
        for (int64_t i = 0; i < count; i++)
            to[i] = single((uint32_t)little_endian(from + 4 * i, 4));
    else
        for (int64_t i = 0; i < count; i++)
            to[i] = element(dtype, from + i * bytes);
}
