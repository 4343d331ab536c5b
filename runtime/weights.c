/* Weights in a file:
 *
 *   open -> size -> map -> magic, version, sizes -> the model's? -> hash */
#define _GNU_SOURCE
#include "san/weights.h"
#include "sha256.h"
#include "weights_file.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct opening {
    const char *path;
    const struct san_model *model;
    const struct weights_head *head; /* where the file is mapped */
    size_t size;
    struct san_weights_error *error;
};

__attribute__((format(printf, 3, 4))) static int fail(const struct opening *o, int status,
                                                      const char *format, ...)
{
    va_list arguments;
    if (!o->error)
        return status;
    o->error->status = status;
    int used = snprintf(o->error->text, sizeof o->error->text, "%.300s: ", o->path);
    va_start(arguments, format);
    vsnprintf(o->error->text + used, sizeof o->error->text - (size_t)used, format, arguments);
    va_end(arguments);
    return status;
}

static int check_arguments(const struct opening *o)
{
    if (o->model->abi_version != SAN_ABI_VERSION)
        return fail(o, SAN_WEIGHTS_EABI, "the model must be of ABI version %d, found %" PRIu32,
                    SAN_ABI_VERSION, o->model->abi_version);
    if (!o->model->outside)
        return fail(o, SAN_WEIGHTS_EARGUMENT, "model %s has its weights in the object",
                    o->model->name);
    return SAN_WEIGHTS_OK;
}

static int map_open(struct opening *o, int file)
{
    struct stat info;
    if (fstat(file, &info) < 0)
        return fail(o, SAN_WEIGHTS_EFILE, "cannot be read: %s", strerror(errno));
    if (!S_ISREG(info.st_mode))
        return fail(o, SAN_WEIGHTS_EFILE, "must be a regular file");
    if ((uint64_t)info.st_size < sizeof *o->head)
        return fail(o, SAN_WEIGHTS_EFORMAT,
                    "must be a file of weights, which has at least %zu bytes, found %jd",
                    sizeof *o->head, (intmax_t)info.st_size);
    o->size = (size_t)info.st_size;
    void *at = mmap(NULL, o->size, PROT_READ, MAP_SHARED, file, 0);
    if (at == MAP_FAILED)
        return fail(o, errno == ENOMEM ? SAN_WEIGHTS_EMEMORY : SAN_WEIGHTS_EFILE,
                    "cannot be mapped: %s", strerror(errno));
    o->head = at;
    return SAN_WEIGHTS_OK;
}

static int map(struct opening *o)
{
    int file = open(o->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (file < 0)
        return fail(o, SAN_WEIGHTS_EFILE, "cannot be opened: %s", strerror(errno));
    int status = map_open(o, file);
    close(file);
    return status;
}

static int check_format(const struct opening *o)
{
    const struct weights_head *head = o->head;
    if (memcmp(head->magic, WEIGHTS_MAGIC, sizeof head->magic) != 0)
        return fail(o, SAN_WEIGHTS_EFORMAT,
                    "must be a file of weights by sanc compile --weights-in");
    if (head->version != WEIGHTS_VERSION || head->abi_version != SAN_ABI_VERSION)
        return fail(o, SAN_WEIGHTS_EVERSION,
                    "must be of version %d for ABI version %d, found %" PRIu32 " for %" PRIu32,
                    WEIGHTS_VERSION, SAN_ABI_VERSION, head->version, head->abi_version);
    if (head->file_bytes != o->size || head->bytes != o->size - sizeof *head)
        return fail(o, SAN_WEIGHTS_ESIZE, "must have %" PRIu64 " bytes, found %zu",
                    head->file_bytes, o->size);
    return SAN_WEIGHTS_OK;
}

static int check_model(const struct opening *o)
{
    const struct weights_head *head = o->head;
    const struct san_model *model = o->model;
    if (head->name[sizeof head->name - 1] || strcmp(head->name, model->name) != 0)
        return fail(o, SAN_WEIGHTS_EMODEL,
                    "must have the weights of model %s, found those of %.63s", model->name,
                    head->name);
    if (head->bytes != model->weights_bytes ||
        memcmp(head->sha256, model->outside_sha256, sizeof head->sha256) != 0)
        return fail(o, SAN_WEIGHTS_EMODEL,
                    "belongs to another compilation of model %s: write the object and the file of "
                    "weights by one sanc compile",
                    model->name);
    return SAN_WEIGHTS_OK;
}

static int check_hash(const struct opening *o)
{
    uint8_t digest[SHA256_BYTES];
    const struct weights_head *head = o->head;
    static const char zero[sizeof head->zero];
    san_sha256(head + 1, head->bytes, digest);
    if (memcmp(digest, head->sha256, sizeof digest) != 0 ||
        memcmp(head->zero, zero, sizeof zero) != 0)
        return fail(o, SAN_WEIGHTS_EHASH, "its contents have changed since sanc wrote it");
    return SAN_WEIGHTS_OK;
}

static int check(const struct opening *o)
{
    int status = check_format(o);
    if (status == SAN_WEIGHTS_OK)
        status = check_model(o);
    return status == SAN_WEIGHTS_OK ? check_hash(o) : status;
}

static int give(const struct opening *o, const struct san_weights **weights)
{
    struct san_weights *given = malloc(sizeof *given);
    if (!given)
        return fail(o, SAN_WEIGHTS_EMEMORY, "no memory");
    given->data = o->head + 1;
    given->bytes = o->head->bytes;
    memcpy(given->sha256, o->head->sha256, sizeof given->sha256);
    *weights = given;
    return SAN_WEIGHTS_OK;
}

int san_weights_open(const char *path, const struct san_model *model,
                     const struct san_weights **weights, struct san_weights_error *error)
{
    struct opening o = {.path = path ? path : "(null)", .model = model, .error = error};
    if (error)
        *error = (struct san_weights_error){0};
    if (weights)
        *weights = NULL;
    if (!path || !model || !weights)
        return fail(&o, SAN_WEIGHTS_EARGUMENT, "a pointer is null");
    int status = check_arguments(&o);
    if (status == SAN_WEIGHTS_OK)
        status = map(&o);
    if (status != SAN_WEIGHTS_OK)
        return status;
    status = check(&o);
    if (status == SAN_WEIGHTS_OK)
        status = give(&o, weights);
    if (status != SAN_WEIGHTS_OK)
        munmap((void *)o.head, o.size);
    return status;
}

void san_weights_close(const struct san_weights *weights)
{
    if (!weights)
        return;
    const struct weights_head *head = (const struct weights_head *)weights->data - 1;
    munmap((void *)head, sizeof *head + weights->bytes);
    free((void *)weights);
}
