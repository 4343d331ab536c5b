#include "weights.h"
#include "file.h"
#include "memory.h"
#include "safetensors.h"
#include "sha256.h"
#include "weights_names.h"
#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Of a file, far more than a model has. */
static const size_t MOST_BYTES = (size_t)64 << 30;
enum { MOST_ERRORS = 20, MOST_PREFIXES = 32 };

enum { PART = 4096 }; /* elements, or eight bytes each, that are read at once */

/* From here on a float64 number rounds to infinity in float32. */
static const double FLOAT_OVERFLOW = 0x1.ffffffp127;

struct weights {
    const char *path;
    struct file_parts file;
    struct arena *arena;
    struct tensor *tensors; /* sorted by name */
    double **values;        /* as many, NULL unless converted */
    size_t count;
    size_t prefix; /* how much of every name is left out */
    uint8_t digest[SHA256_BYTES];
};

/* ---- reading --------------------------------------------------------------------------------- */

static enum status read_tensors(struct weights *weights)
{
    char start[SAFETENSORS_START] = {0};
    const struct file_parts *file = &weights->file;
    enum status status =
        file_part(file, 0, file->size < sizeof start ? file->size : sizeof start, start);
    if (status != STATUS_DONE)
        return status;
    size_t size = safetensors_head(start, file->size);
    char *head = allocate((int64_t)size, 1);
    status = file_part(file, 0, size, head);
    if (status == STATUS_DONE)
        status = safetensors_parse(weights->path, head, file->size, weights->arena,
                                   &weights->tensors, &weights->count);
    free(head);
    return status;
}

static enum status read_digest(struct weights *weights)
{
    unsigned char part[8 * PART];
    const struct file_parts *file = &weights->file;
    enum status status = STATUS_DONE;
    struct san_sha256 hash;
    san_sha256_begin(&hash);
    for (size_t at = 0; at < file->size && status == STATUS_DONE; at += sizeof part) {
        size_t count = file->size - at < sizeof part ? file->size - at : sizeof part;
        status = file_part(file, at, count, part);
        san_sha256_add(&hash, part, count);
    }
    san_sha256_end(&hash, weights->digest);
    return status;
}

/* Elements [begin, begin + count) of a tensor, of which there are no more than PART. */
static enum status read_elements(const struct weights *weights, const struct tensor *tensor,
                                 int64_t begin, int64_t count, double to[PART])
{
    unsigned char bytes[8 * PART];
    size_t each = (size_t)tensor_dtype_info[tensor->dtype].bytes;
    enum status status =
        file_part(&weights->file, tensor->at + (size_t)begin * each, (size_t)count * each, bytes);
    if (status == STATUS_DONE)
        tensor_convert(tensor->dtype, bytes, count, to);
    return status;
}

static int64_t elements_of_part(const struct tensor *tensor, int64_t begin)
{
    return tensor->elements - begin < PART ? tensor->elements - begin : PART;
}

enum status weights_read(const char *path, struct weights **weights)
{
    struct arena *arena = arena_new();
    struct weights *read = ARENA_NEW(arena, struct weights);
    read->arena = arena;
    read->path = arena_printf(arena, "%s", path);
    enum status status = file_open(read->path, MOST_BYTES, &read->file);
    if (status == STATUS_DONE)
        status = read_tensors(read);
    if (status == STATUS_DONE)
        status = read_digest(read);
    if (status != STATUS_DONE) {
        weights_free(read);
        return status;
    }
    read->values = arena_alloc(arena, (read->count + 1) * sizeof *read->values);
    *weights = read;
    return STATUS_DONE;
}

void weights_free(struct weights *weights)
{
    if (!weights)
        return;
    for (size_t i = 0; weights->values && i < weights->count; i++)
        free(weights->values[i]);
    file_close(&weights->file);
    arena_free(weights->arena);
}

const uint8_t *weights_sha256(const struct weights *weights)
{
    return weights->digest;
}

/* ---- finding --------------------------------------------------------------------------------- */

/* Its index; weights->count: there is none. */
static size_t find(const struct weights *weights, const char *name)
{
    size_t low = 0, high = weights->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(weights->tensors[middle].name + weights->prefix, name);
        if (order == 0)
            return middle;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return weights->count;
}

/* How many bytes every name begins with. */
static size_t common_start(const struct weights *weights)
{
    size_t common = weights->count ? strlen(weights->tensors[0].name) : 0;
    for (size_t i = 1; i < weights->count; i++) {
        size_t same = 0;
        while (same < common && weights->tensors[i].name[same] == weights->tensors[0].name[same])
            same++;
        common = same;
    }
    return common;
}

static size_t count_found(const struct weights *weights, const char *const *names, size_t count)
{
    size_t found = 0;
    for (size_t i = 0; i < count; i++)
        found += find(weights, names[i]) < weights->count;
    return found;
}

void weights_drop_prefix(struct weights *weights, const char *const *names, size_t count)
{
    size_t common = common_start(weights), best = 0, tried = 0;
    size_t most = count_found(weights, names, count);
    for (size_t length = 1; length <= common && tried < MOST_PREFIXES; length++) {
        if (length < common && weights->tensors[0].name[length - 1] != '.')
            continue;
        weights->prefix = length;
        size_t found = count_found(weights, names, count);
        best = found > most ? length : best;
        most = found > most ? found : most;
        tried++;
    }
    weights->prefix = best;
}

/* All elements in float64; NULL where the file cannot be read. */
static double *convert(const struct weights *weights, const struct tensor *tensor)
{
    double *values = allocate(tensor->elements, sizeof *values);
    for (int64_t i = 0; i < tensor->elements; i += PART)
        if (read_elements(weights, tensor, i, elements_of_part(tensor, i), values + i) !=
            STATUS_DONE) {
            free(values);
            return NULL;
        }
    return values;
}

/* What weights_find and weights_find_bytes share. */
static const double *find_values(struct weights *weights, const char *name, int64_t elements,
                                 bool bytes)
{
    size_t index = find(weights, name);
    if (index == weights->count)
        return NULL;
    const struct tensor *tensor = &weights->tensors[index];
    if ((bytes ? tensor->dtype != TENSOR_U8 : !tensor_dtype_info[tensor->dtype].real) ||
        tensor->elements != elements)
        return NULL;
    if (!weights->values[index])
        weights->values[index] = convert(weights, tensor);
    return weights->values[index];
}

const double *weights_find(struct weights *weights, const char *name, int64_t elements)
{
    return find_values(weights, name, elements, false);
}

const double *weights_find_bytes(struct weights *weights, const char *name, int64_t elements)
{
    return find_values(weights, name, elements, true);
}

void weights_forget(struct weights *weights, const char *name)
{
    size_t index = find(weights, name);
    if (index == weights->count)
        return;
    free(weights->values[index]);
    weights->values[index] = NULL;
}

bool weights_shape(const struct weights *weights, const char *name, int *rank, int64_t *dim)
{
    size_t index = find(weights, name);
    if (index == weights->count)
        return false;
    *rank = weights->tensors[index].rank;
    memcpy(dim, weights->tensors[index].dim, (size_t)*rank * sizeof *dim);
    return true;
}

/* ---- checking -------------------------------------------------------------------------------- */

struct check {
    const struct weights *weights;
    size_t errors;
    enum status status; /* of reading */
};

__attribute__((format(printf, 2, 3))) static void complain(struct check *check, const char *format,
                                                           ...)
{
    if (check->errors++ >= MOST_ERRORS)
        return;
    char message[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    diag_error(check->weights->path, 0, 0, "%s", message);
}

/* Complains of the first element that cannot be used, if there is one. */
static bool check_part(struct check *check, const struct tensor *tensor, int64_t begin,
                       const double *values, bool nonnegative)
{
    for (int64_t i = 0; i < elements_of_part(tensor, begin); i++) {
        double value = values[i];
        const char *must = !isfinite(value)                ? "finite numbers"
                           : fabs(value) >= FLOAT_OVERFLOW ? "numbers that float32 can hold"
                           : nonnegative && value < 0      ? "no negative numbers, being variances"
                                                           : NULL;
        if (!must)
            continue;
        complain(check, "tensor \"%s\" must hold %s, found %.9g at index %" PRId64 " of %" PRId64,
                 tensor->name, must, value, begin + i, tensor->elements);
        return false;
    }
    return true;
}

static void check_elements(struct check *check, const struct tensor *tensor, bool nonnegative)
{
    double values[PART];
    for (int64_t i = 0; i < tensor->elements && check->status == STATUS_DONE; i += PART) {
        check->status =
            read_elements(check->weights, tensor, i, elements_of_part(tensor, i), values);
        if (check->status == STATUS_DONE && !check_part(check, tensor, i, values, nonnegative))
            return;
    }
}

static void check_tensor(struct check *check, const struct tensor *tensor,
                         const struct tensor_need *need)
{
    char found[DIMS_TEXT], needed[DIMS_TEXT];
    if (!tensor_dtype_info[tensor->dtype].real)
        complain(check, "tensor \"%s\" must be of dtype F64, F32, F16 or BF16, found %s",
                 tensor->name, tensor->dtype_name);
    else if (tensor->rank != need->rank ||
             memcmp(tensor->dim, need->dim, (size_t)need->rank * sizeof *need->dim) != 0)
        complain(check, "tensor \"%s\" must have the shape %s, found %s", tensor->name,
                 dims_text(need->rank, need->dim, needed),
                 dims_text(tensor->rank, tensor->dim, found));
    else
        check_elements(check, tensor, need->nonnegative);
}

static bool is_counter(const char *name)
{
    static const char counter[] = ".num_batches_tracked";
    size_t length = strlen(name), tail = sizeof counter - 1;
    return length > tail && strcmp(name + length - tail, counter) == 0;
}

/* Checks each tensor whose name the model has; names without a partner go to *names. */
static void check_tensors(struct check *check, const struct tensor_need *needs, size_t count,
                          struct unpaired *names)
{
    const struct weights *weights = check->weights;
    char *needed = allocate((int64_t)weights->count + 1, 1);
    for (size_t i = 0; i < count; i++) {
        size_t index = find(weights, needs[i].name);
        needed[index] = 1;
        if (index < weights->count)
            check_tensor(check, &weights->tensors[index], &needs[i]);
        else if (!needs[i].spare)
            names->needed[names->needs++] = &needs[i];
    }
    for (size_t i = 0; i < weights->count; i++)
        if (!needed[i] && !is_counter(weights->tensors[i].name))
            names->tensor[names->tensors++] = &weights->tensors[i];
    free(needed);
}

enum status weights_check(struct weights *weights, const struct tensor_need *needs, size_t count)
{
    struct check check = {.weights = weights};
    const char **name = allocate((int64_t)count, sizeof *name);
    for (size_t i = 0; i < count; i++)
        name[i] = needs[i].name;
    weights_drop_prefix(weights, name, count);
    free(name);
    struct unpaired names = {.path = weights->path, .prefix = weights->prefix};
    names.needed = allocate((int64_t)count, sizeof *names.needed);
    names.tensor = allocate((int64_t)weights->count, sizeof *names.tensor);
    check_tensors(&check, needs, count, &names);
    if (check.errors > MOST_ERRORS)
        diag_error(weights->path, 0, 0, "%zu more tensors are wrong", check.errors - MOST_ERRORS);
    bool good = !check.errors && !names.needs && !names.tensors;
    unpaired_report(&names);
    free(names.needed);
    free(names.tensor);
    return !good ? STATUS_INPUT : check.status;
}

/* ---- writing --------------------------------------------------------------------------------- */

static size_t elements_of(const struct tensor_data *tensor)
{
    size_t elements = 1;
    for (int i = 0; i < tensor->rank; i++)
        elements *= (size_t)tensor->dim[i];
    return elements;
}

static size_t bytes_of(const struct tensor_data *tensor)
{
    return (tensor->data ? sizeof(float) : sizeof(double)) * elements_of(tensor);
}

/* The header, padded with spaces so that the data is aligned; its length in *size. free() it. */
static char *header_text(const struct tensor_data *tensors, size_t count, size_t *size)
{
    char *text = NULL;
    size_t at = 0;
    FILE *memory = memory_stream(&text, size);
    for (size_t i = 0; i < count; i++) {
        const struct tensor_data *t = &tensors[i];
        size_t end = at + bytes_of(t);
        assert(!strpbrk(t->name, "\"\\"));
        fprintf(memory, "%s\"%s\":{\"dtype\":\"%s\",\"shape\":[", i ? "," : "{", t->name,
                t->data ? "F32" : "F64");
        for (int d = 0; d < t->rank; d++)
            fprintf(memory, "%s%" PRId64, d ? "," : "", t->dim[d]);
        fprintf(memory, "],\"data_offsets\":[%zu,%zu]}", at, end);
        at = end;
    }
    fprintf(memory, count ? "}" : "{}");
    fflush(memory);
    fprintf(memory, "%*s", (int)((8 - *size % 8) % 8), "");
    memory_stream_end(memory);
    return text;
}

static void store(unsigned char *to, uint64_t value, int bytes)
{
    for (int i = 0; i < bytes; i++)
        to[i] = (unsigned char)(value >> 8 * i);
}

static void store_tensor(unsigned char *to, const struct tensor_data *tensor)
{
    size_t elements = elements_of(tensor);
    for (size_t i = 0; i < elements; i++) {
        uint64_t wide;
        uint32_t bits;
        if (tensor->data) {
            memcpy(&bits, &tensor->data[i], sizeof bits);
            store(to + sizeof bits * i, bits, sizeof bits);
        } else {
            memcpy(&wide, &tensor->wide[i], sizeof wide);
            store(to + sizeof wide * i, wide, sizeof wide);
        }
    }
}

enum status weights_write(const char *path, const struct tensor_data *tensors, size_t count)
{
    size_t length = 0, bytes = 0;
    for (size_t i = 0; i < count; i++)
        bytes += bytes_of(&tensors[i]);
    char *header = header_text(tensors, count, &length);
    unsigned char *file = allocate((int64_t)(8 + length + bytes), 1);
    store(file, length, 8);
    memcpy(file + 8, header, length);
    unsigned char *to = file + 8 + length;
    for (size_t i = 0; i < count; i++) {
        store_tensor(to, &tensors[i]);
        to += bytes_of(&tensors[i]);
    }
    enum status status = file_write(path, file, 8 + length + bytes);
    free(header);
    free(file);
    return status;
}
