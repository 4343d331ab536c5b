/* Weights: recipes evaluated in float64, rounded once, equal contents stored once. The bytes are
 * one string constant per buffer, which LLVM writes without looking at them. */
#include "emit.h"
#include "memory.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* FNV-1a over words: contents that differ in it differ. */
static uint64_t hash_words(const uint32_t *word, size_t count)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (size_t i = 0; i < count; i++)
        hash = (hash ^ word[i]) * 0x100000001b3u;
    return hash;
}

void *constants_contents(const struct module *module, const struct parameters *parameters,
                         const struct buffer *buffer, size_t count)
{
    double *value = buffer_contents(module, parameters, buffer, NULL);
    if (!value)
        return NULL;
    uint32_t *word = allocate((int64_t)count, sizeof *word);
    for (size_t i = 0; i < count; i++) {
        float number = (float)single_of(value[i]);
        int32_t integer = (int32_t)value[i];
        memcpy(&word[i], buffer->dtype == DTYPE_F32 ? (void *)&number : (void *)&integer,
               sizeof word[i]);
    }
    free(value);
    return word;
}

static LLVMValueRef declare(struct constants *c, const struct buffer *buffer, size_t size)
{
    char name[192];
    LLVMContextRef context = LLVMGetModuleContext(c->out);
    LLVMTypeRef type = LLVMArrayType2(LLVMInt8TypeInContext(context), size);
    snprintf(name, sizeof name, "%s__%s", c->module->name, buffer->name);
    LLVMValueRef global = LLVMAddGlobal(c->out, type, name);
    LLVMSetGlobalConstant(global, 1);
    LLVMSetAlignment(global, ALIGNMENT);
    LLVMSetVisibility(global, LLVMHiddenVisibility);
    return global;
}

static LLVMValueRef define(struct constants *c, const struct buffer *buffer, const void *data,
                           size_t size)
{
    LLVMContextRef context = LLVMGetModuleContext(c->out);
    LLVMValueRef global = declare(c, buffer, size);
    LLVMSetInitializer(global, LLVMConstStringInContext2(context, data, size, 1));
    LLVMSetVisibility(global, LLVMDefaultVisibility);
    LLVMSetLinkage(global, LLVMInternalLinkage);
    c->bytes += (int64_t)size;
    return global;
}

static LLVMValueRef find_equal(const struct constants *c, uint64_t hash, const void *data,
                               size_t size)
{
    for (int i = 0; i < c->count; i++) {
        const struct constant *entry = &c->entry[i];
        if (entry->data && entry->hash == hash && entry->size == size &&
            !memcmp(entry->data, data, size))
            return entry->global;
    }
    return NULL;
}

static void add(struct constants *c, struct constant entry)
{
    if (c->count == c->room) {
        c->room = c->room ? 2 * c->room : 64;
        c->entry = allocate_again(c->entry, c->room, sizeof *c->entry);
    }
    c->entry[c->count++] = entry;
}

LLVMValueRef constants_find(struct constants *c, const struct buffer *buffer, struct error *error)
{
    for (int i = 0; i < c->count; i++)
        if (c->entry[i].buffer == buffer)
            return c->entry[i].global;
    int64_t elements = shape_elements(&buffer->shape);
    size_t size = 4 * (size_t)elements;
    struct constant entry = {.buffer = buffer, .size = size};
    if (!c->parameters) {
        entry.global = declare(c, buffer, size);
        add(c, entry);
        return entry.global;
    }
    if (elements > (INT32_MAX - c->bytes) / 4) {
        error_set(error, "weights over 2 GiB");
        return NULL;
    }
    entry.data = constants_contents(c->module, c->parameters, buffer, (size_t)elements);
    if (!entry.data) {
        error_set(error, "a constant is refused");
        return NULL;
    }
    entry.hash = hash_words(entry.data, (size_t)elements);
    entry.global = find_equal(c, entry.hash, entry.data, size);
    if (entry.global) {
        free(entry.data);
        entry.data = NULL;
    } else {
        entry.global = define(c, buffer, entry.data, size);
    }
    add(c, entry);
    return entry.global;
}

void constants_free(struct constants *c)
{
    for (int i = 0; i < c->count; i++)
        free(c->entry[i].data);
    free(c->entry);
}
