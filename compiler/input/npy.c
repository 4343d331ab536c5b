/* magic, version, length of the header, header, elements. The header is a Python dictionary:
 *
 *   {'descr': '<f4', 'fortran_order': False, 'shape': (2, 10), }
 */
#define _GNU_SOURCE
#include "npy.h"
#include "arena.h"
#include "file.h"
#include "memory.h"
#include "safetensors.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const size_t MOST_BYTES = (size_t)1 << 40;
enum { MAGIC_BYTES = 6, MOST_HEADER = 1 << 16, ALIGNED = 64 };
static const char magic[] = "\x93NUMPY";

bool npy_is(const char *path)
{
    size_t length = strlen(path);
    return length > 4 && strcmp(path + length - 4, ".npy") == 0;
}

static enum status refuse(const char *path, const char *must, const char *found)
{
    diag_error(path, 0, 0, "must be %s, found %.60s", must, found);
    return STATUS_INPUT;
}

/* What follows `key` and a colon in the header; NULL: it is not there. */
static const char *value_of(const char *header, const char *key)
{
    const char *at = strstr(header, key);
    if (!at)
        return NULL;
    at += strlen(key);
    at += strspn(at, " ");
    return *at == ':' ? at + 1 + strspn(at + 1, " ") : NULL;
}

static bool read_type(const char *text, struct npy *npy, enum tensor_dtype *type)
{
    static const struct {
        const char *text;
        enum tensor_dtype type;
    } types[] = {
        {"'|u1'", TENSOR_U8}, {"'<f2'", TENSOR_F16}, {"'<f4'", TENSOR_F32}, {"'<f8'", TENSOR_F64}};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (strncmp(text, types[i].text, 5) == 0) {
            *type = types[i].type;
            npy->bytes = *type == TENSOR_U8;
            return true;
        }
    return false;
}

/* "(2, 10)", "(2,)" or "()" */
static bool read_shape(const char *text, struct npy *npy)
{
    static const int64_t MOST_ELEMENTS = INT64_C(1) << 40;
    npy->elements = 1;
    if (*text++ != '(')
        return false;
    while (*text != ')') {
        char *end;
        if (npy->rank == MAX_TENSOR_RANK || *text < '0' || *text > '9')
            return false;
        long long dim = strtoll(text, &end, 10);
        if (dim > MOST_ELEMENTS || (dim && npy->elements > MOST_ELEMENTS / dim))
            return false;
        npy->dim[npy->rank++] = dim;
        npy->elements *= dim;
        text = end + strspn(end, ", ");
    }
    return true;
}

static enum status read_header(const char *path, const char *header, struct npy *npy,
                               enum tensor_dtype *type)
{
    const char *descr = value_of(header, "'descr'"), *order = value_of(header, "'fortran_order'"),
               *shape = value_of(header, "'shape'");
    if (!descr || !order || !shape)
        return refuse(path, "an array of NumPy with descr, fortran_order and shape", header);
    if (!read_type(descr, npy, type))
        return refuse(path, "of type '|u1', '<f2', '<f4' or '<f8'", descr);
    if (strncmp(order, "False", 5) != 0)
        return refuse(path, "in C order (numpy.ascontiguousarray)", "'fortran_order': True");
    if (!read_shape(shape, npy))
        return refuse(path, "of a shape of at most 8 dimensions and 2^40 elements", shape);
    return STATUS_DONE;
}

/* The length of the header and where it begins; 0: there is none. */
static size_t find_header(const char *data, size_t size, size_t *begin)
{
    const unsigned char *byte = (const unsigned char *)data;
    size_t fields = size > MAGIC_BYTES && byte[MAGIC_BYTES] == 1 ? 2 : 4;
    *begin = MAGIC_BYTES + 2 + fields;
    if (size < *begin || memcmp(data, magic, MAGIC_BYTES) != 0 || byte[MAGIC_BYTES] < 1 ||
        byte[MAGIC_BYTES] > 3)
        return 0;
    size_t length = 0;
    for (size_t i = fields; i-- > 0;)
        length = length << 8 | byte[MAGIC_BYTES + 2 + i];
    return length <= size - *begin && length <= MOST_HEADER ? length : 0;
}

static enum status read_elements(const char *path, const char *data, size_t size,
                                 enum tensor_dtype type, struct npy *npy)
{
    size_t each = (size_t)tensor_dtype_info[type].bytes;
    if (size != each * (size_t)npy->elements) {
        diag_error(path, 0, 0, "must have %zu bytes of elements, as its header says, found %zu",
                   each * (size_t)npy->elements, size);
        return STATUS_INPUT;
    }
    npy->value = allocate(npy->elements + 1, sizeof *npy->value);
    tensor_convert(type, (const unsigned char *)data, npy->elements, npy->value);
    return STATUS_DONE;
}

enum status npy_read(const char *path, struct npy *npy)
{
    char *data;
    size_t size, begin;
    enum tensor_dtype type = TENSOR_F32;
    *npy = (struct npy){0};
    enum status status = file_read(path, MOST_BYTES, &data, &size);
    if (status != STATUS_DONE)
        return status;
    size_t length = find_header(data, size, &begin);
    if (!length) {
        diag_error(path, 0, 0, "must be an array of NumPy of version 1, 2 or 3, found none");
        free(data);
        return STATUS_INPUT;
    }
    struct arena *arena = arena_new();
    char *header = arena_alloc(arena, length + 1);
    memcpy(header, data + begin, length);
    status = read_header(path, header, npy, &type);
    arena_free(arena);
    if (status == STATUS_DONE)
        status = read_elements(path, data + begin + length, size - begin - length, type, npy);
    free(data);
    return status;
}

void npy_free(struct npy *npy)
{
    free(npy->value);
    *npy = (struct npy){0};
}

enum status npy_write(const char *path, const float *data, int rank, const int64_t *dim)
{
    char *text = NULL;
    size_t size, elements = 1;
    FILE *memory = memory_stream(&text, &size);
    fprintf(memory, "{'descr': '<f4', 'fortran_order': False, 'shape': (");
    for (int i = 0; i < rank; i++) {
        fprintf(memory, "%s%" PRId64, i ? ", " : "", dim[i]);
        elements *= (size_t)dim[i];
    }
    fprintf(memory, rank == 1 ? ",), }" : "), }");
    memory_stream_end(memory);
    size_t begin = MAGIC_BYTES + 4, whole = (begin + size + 1 + ALIGNED - 1) / ALIGNED * ALIGNED;
    char *file = allocate((int64_t)(whole + elements * sizeof *data), 1);
    memcpy(file, magic, MAGIC_BYTES);
    file[MAGIC_BYTES] = 1;
    file[MAGIC_BYTES + 2] = (char)((whole - begin) & 0xff);
    file[MAGIC_BYTES + 3] = (char)((whole - begin) >> 8);
    memset(file + begin, ' ', whole - begin);
    memcpy(file + begin, text, size);
    file[whole - 1] = '\n';
    memcpy(file + whole, data, elements * sizeof *data); /* little-endian, as sanc's targets are */
    enum status status = file_write(path, file, whole + elements * sizeof *data);
    free(text);
    free(file);
    return status;
}
