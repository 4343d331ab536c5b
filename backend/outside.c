/* Weights outside of the object: the file that san/weights.h opens. Each constant begins at a
 * multiple of 64 bytes. */
#include "backend.h"
#include "emit.h"
#include "globals.h"
#include "memory.h"
#include "sha256.h"
#include "weights_file.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void grow(struct constants *c, size_t size)
{
    struct backend_file *file = c->outside;
    if (size > c->outside_room) {
        c->outside_room = size > 2 * c->outside_room ? size : 2 * c->outside_room;
        file->data = allocate_again(file->data, (int64_t)c->outside_room, 1);
    }
    memset(file->data + file->size, 0, size - file->size);
    file->size = size;
}

void outside_begin(struct constants *c)
{
    *c->outside = (struct backend_file){0};
    grow(c, sizeof(struct weights_head));
}

int64_t outside_add(struct constants *c, const void *data, size_t size)
{
    size_t at = c->outside->size;
    grow(c, at + (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT);
    memcpy(c->outside->data + at, data, size);
    return (int64_t)(at - sizeof(struct weights_head));
}

const void *outside_at(const struct constants *c, int64_t offset)
{
    return c->outside->data + sizeof(struct weights_head) + offset;
}

/* What NAME_run compares with the hash that exec brings; dispatch.ll declares it. */
static void define_hash(const struct constants *c, const uint8_t hash[SHA256_BYTES])
{
    char name[128];
    snprintf(name, sizeof name, "%s__outside_sha256", c->module->name);
    LLVMValueRef global = LLVMGetNamedGlobal(c->out, name);
    LLVMSetInitializer(global, LLVMConstStringInContext2(LLVMGetModuleContext(c->out),
                                                         (const char *)hash, SHA256_BYTES, 1));
    LLVMSetLinkage(global, LLVMPrivateLinkage);
}

void outside_end(struct constants *c)
{
    struct weights_head *head = (void *)c->outside->data;
    *head = (struct weights_head){.magic = WEIGHTS_MAGIC,
                                  .version = WEIGHTS_VERSION,
                                  .abi_version = SAN_ABI_VERSION,
                                  .file_bytes = c->outside->size,
                                  .bytes = c->outside->size - sizeof *head};
    snprintf(head->name, sizeof head->name, "%s", c->module->name);
    san_sha256(head + 1, head->bytes, head->sha256);
    c->bytes = (int64_t)head->bytes;
    define_hash(c, head->sha256);
}

const struct weights_head *outside_head(const struct constants *c)
{
    return c->outside ? (const void *)c->outside->data : NULL;
}
