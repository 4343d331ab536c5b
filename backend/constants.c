/* Weights: recipes evaluated in float64, rounded once, equal contents stored once.
 *
 * LLVM has up to eight copies of a constant before an object is finished, so it is given the small
 * ones only. A large one is zeros to it, of which it must not assume anything; their place in the
 * object is found by their symbol. Their contents are computed a second time then, rather than kept
 * while LLVM has two copies of the object. */
#include "backend.h"
#include "emit.h"
#include "memory.h"
#include <elf.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Bytes. LLVM may compute with elements of the small ones where a loop is unrolled over all of it.
 */
static const size_t MOST_SMALL = 1 << 16;

/* FNV-1a over words: contents that differ in it differ. */
static uint64_t hash_words(const char *data, size_t size)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (size_t i = 0; i < size; i += sizeof(uint32_t)) {
        uint32_t word = 0;
        memcpy(&word, data + i, size - i < sizeof word ? size - i : sizeof word);
        hash = (hash ^ word) * 0x100000001b3u;
    }
    return hash;
}

static uint32_t word_of(enum dtype dtype, double value)
{
    float number = (float)single_of(value);
    uint32_t bits;
    if (dtype == DTYPE_I32)
        return (uint32_t)(int32_t)value;
    memcpy(&bits, &number, sizeof bits);
    return dtype == DTYPE_BF16 ? bits >> 16 : bits;
}

void *constants_contents(const struct module *module, const struct parameters *parameters,
                         const struct buffer *buffer)
{
    double *value = buffer_contents(module, parameters, buffer, NULL);
    if (!value)
        return NULL;
    int64_t count = shape_elements(&buffer->shape), each = dtype_bytes[buffer->dtype];
    char *data = allocate(count, each);
    for (int64_t i = 0; i < count; i++) {
        uint32_t word = word_of(buffer->dtype, value[i]);
        memcpy(data + i * each, &word, (size_t)each); /* little-endian */
    }
    free(value);
    return data;
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
    bool small = size <= MOST_SMALL;
    LLVMSetInitializer(global, small ? LLVMConstStringInContext2(context, data, size, 1)
                                     : LLVMConstNull(LLVMGlobalGetValueType(global)));
    LLVMSetExternallyInitialized(global, !small);
    LLVMSetVisibility(global, LLVMDefaultVisibility);
    LLVMSetLinkage(global, LLVMInternalLinkage);
    c->bytes += (int64_t)size;
    return global;
}

/* The contents again; free() them. NULL: the file that they come from has changed. */
static void *contents_again(const struct constants *c, const struct constant *entry)
{
    return constants_contents(entry->module, c->parameters, entry->buffer);
}

static bool same(const struct constants *c, const struct constant *a, const struct constant *b,
                 const void *data)
{
    if (!a->stored || a->hash != b->hash || a->size != b->size)
        return false;
    if (c->outside)
        return !memcmp(outside_at(c, a->offset), data, a->size);
    void *again = contents_again(c, a);
    bool equal = again && !memcmp(again, data, a->size);
    free(again);
    return equal;
}

/* An earlier one with the same contents. */
static const struct constant *find_equal(const struct constants *c, const struct constant *entry,
                                         const void *data)
{
    for (int i = 0; i < c->count; i++)
        if (same(c, &c->entry[i], entry, data))
            return &c->entry[i];
    return NULL;
}

static const struct constant *add(struct constants *c, struct constant entry)
{
    if (c->count == c->room) {
        c->room = c->room ? 2 * c->room : 64;
        c->entry = allocate_again(c->entry, c->room, sizeof *c->entry);
    }
    c->entry[c->count] = entry;
    return &c->entry[c->count++];
}

static void store(struct constants *c, struct constant *entry, const void *data)
{
    entry->hash = hash_words(data, entry->size);
    const struct constant *equal = find_equal(c, entry, data);
    entry->stored = !equal;
    if (equal) {
        entry->global = equal->global;
        entry->offset = equal->offset;
    } else if (c->outside) {
        entry->offset = outside_add(c, data, entry->size);
    } else {
        entry->global = define(c, entry->buffer, data, entry->size);
    }
}

const struct constant *constants_find(struct constants *c, const struct buffer *buffer,
                                      struct error *error)
{
    for (int i = 0; i < c->count; i++)
        if (c->entry[i].buffer == buffer)
            return &c->entry[i];
    struct constant entry = {
        .module = c->module, .buffer = buffer, .size = (size_t)buffer_bytes(buffer)};
    if (!c->parameters) {
        entry.global = declare(c, buffer, entry.size);
        return add(c, entry);
    }
    if (!c->outside && (int64_t)entry.size > INT32_MAX - c->bytes) {
        error_set(error, "weights over 2 GiB: --weights-in FILE keeps them out of the object");
        return NULL;
    }
    void *data = constants_contents(c->module, c->parameters, buffer);
    if (!data) {
        error_set(error, "a constant is refused");
        return NULL;
    }
    store(c, &entry, data);
    free(data);
    return add(c, entry);
}

/* Where a symbol of an object is in its file. LLVM has just written both. */
static char *find_symbol(char *object, const char *name)
{
    const Elf64_Ehdr *head = (const void *)object;
    const Elf64_Shdr *sections = (const void *)(object + head->e_shoff), *table = sections;
    while (table->sh_type != SHT_SYMTAB)
        table++;
    const Elf64_Sym *symbol = (const void *)(object + table->sh_offset);
    const char *names = object + sections[table->sh_link].sh_offset;
    while (strcmp(names + symbol->st_name, name) != 0)
        symbol++;
    return object + sections[symbol->st_shndx].sh_offset + symbol->st_value;
}

static bool fill(const struct constants *c, const struct constant *entry, char *object)
{
    size_t length;
    void *data = contents_again(c, entry);
    if (data)
        memcpy(find_symbol(object, LLVMGetValueName2(entry->global, &length)), data, entry->size);
    free(data);
    return data;
}

bool constants_fill(const struct constants *c, char *object, struct error *error)
{
    for (int i = 0; i < c->count; i++) {
        const struct constant *entry = &c->entry[i];
        if (entry->stored && entry->global && entry->size > MOST_SMALL && !fill(c, entry, object)) {
            error_set(error, "the weights have changed");
            return false;
        }
    }
    return true;
}

void constants_free(struct constants *c)
{
    free(c->entry);
}
