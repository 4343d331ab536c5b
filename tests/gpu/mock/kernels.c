/* Device memory, modules, and kernels that run on the host with host.c's checks. */
#define _GNU_SOURCE
#include "internal.h"
#include <dlfcn.h>
#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ALIGNMENT = 256, MOST_LIBRARIES = 128, MOST_FUNCTIONS = 256 };
enum {
    USUAL_SHARED = 48 << 10,
    MOST_SHARED = 163 << 10,
    MOST_SHARED_90 = 227 << 10,
    MOST_THREADS = 1024
};

enum { UNIT = 2 };
/* host.c's record of UNIT bytes. write_run: the launch that wrote it; 0: none. */
struct word {
    int32_t write_run, rest[7];
};

struct memory {
    struct object object;
    void *at;
    size_t bytes;
    struct word *words;
};

struct CUfunc_st {
    CUmodule module;
    char name[256];
    unsigned most_shared;
    void *code; /* NULL: there are no kernels for the host */
    void *library;
};

struct CUmod_st {
    struct object object;
    char *text;   /* PTX */
    char *image;  /* or a cubin, */
    size_t bytes; /* this long */
    struct CUfunc_st function[MOST_FUNCTIONS];
    int count;
};

static struct {
    bool opened;
    void *library[MOST_LIBRARIES];
    int count;
    int32_t launches;
} host;

static void open_libraries(void)
{
    const char *paths = getenv("MOCK_KERNELS");
    host.opened = true;
    while (paths && *paths) {
        char path[4096];
        size_t length = strcspn(paths, ":");
        snprintf(path, sizeof path, "%.*s", (int)length, paths);
        paths += length + (paths[length] == ':');
        if (host.count == MOST_LIBRARIES ||
            !(host.library[host.count++] = dlopen(path, RTLD_NOW))) {
            fprintf(stderr, "mock driver: %s\n", dlerror());
            abort();
        }
    }
}

static bool has_kernels(void)
{
    if (!host.opened)
        open_libraries();
    return host.count > 0;
}

/* A function of host.c's. */
static void find(void *library, const char *name, void *function)
{
    void *found = dlsym(library, name);
    if (!found)
        abort();
    memcpy(function, &found, sizeof found);
}

/* ---- memory ---------------------------------------------------------------------------------- */

CUresult cuMemAlloc_v2(CUdeviceptr *memory, size_t bytes)
{
    ENTER("cuMemAlloc");
    if (!bytes)
        return INVALID_VALUE;
    struct memory *m = mock_new(MEMORY, sizeof *m, current);
    m->at = aligned_alloc(ALIGNMENT, (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT);
    m->words = calloc(bytes / UNIT + 1, sizeof *m->words);
    if (!m->at || !m->words)
        abort();
    m->bytes = bytes;
    memset(m->at, 0xff, bytes); /* NaN */
    *memory = (uintptr_t)m->at;
    return OK;
}

void mock_free_memory(struct object *object)
{
    struct memory *m = (struct memory *)object;
    free(m->at);
    free(m->words);
}

/* The allocation that the bytes lie in; NULL: none. */
static struct memory *find_memory(const void *at, size_t bytes)
{
    for (struct object *o = mock_objects(); o; o = o->next) {
        struct memory *m = (struct memory *)o;
        if (o->kind == MEMORY && o->alive && (uintptr_t)at >= (uintptr_t)m->at &&
            (uintptr_t)at - (uintptr_t)m->at <= m->bytes &&
            bytes <= m->bytes - ((uintptr_t)at - (uintptr_t)m->at))
            return m;
    }
    return NULL;
}

CUresult cuMemFree_v2(CUdeviceptr memory)
{
    LOCK;
    struct memory *m = find_memory((void *)(uintptr_t)memory, 0);
    bool known = m && (uintptr_t)m->at == memory && mock_give_back(MEMORY, m, current);
    if (!known)
        mock_violation("freed twice, or never allocated: %llx", memory);
    FAULT("cuMemFree", true);
    if (!known)
        return INVALID_VALUE;
    mock_destroy(&m->object);
    return OK;
}

static CUresult refuse_copy(const char *why, const void *at, size_t bytes)
{
    mock_violation("a copy %s: %zu bytes at %p", why, bytes, at);
    return ILLEGAL_ADDRESS;
}

CUresult mock_copy(const struct work *work)
{
    struct memory *to = find_memory(work->to, work->bytes);
    struct memory *from = find_memory(work->from, work->bytes);
    if (!to != !work->to_device)
        return refuse_copy(to ? "to the device as if to the host" : "to no device memory", work->to,
                           work->bytes);
    if (!from != !work->from_device)
        return refuse_copy(from ? "from the device as if from the host" : "from no device memory",
                           work->from, work->bytes);
    if (from && has_kernels()) {
        size_t first = (size_t)((const char *)work->from - (const char *)from->at) / UNIT;
        for (size_t i = first; i < first + work->bytes / UNIT; i++)
            if (!from->words[i].write_run)
                return refuse_copy("of memory that was never written", work->from, work->bytes);
    }
    memcpy(work->to, work->from, work->bytes);
    if (to) {
        size_t first = (size_t)((char *)work->to - (char *)to->at) / UNIT;
        for (size_t i = first; i < first + work->bytes / UNIT; i++)
            to->words[i] = (struct word){.write_run = -1}; /* see host_written */
    }
    return OK;
}

/* ---- modules --------------------------------------------------------------------------------- */

static bool is_cubin(const void *image)
{
    return memcmp(image, ELFMAG, SELFMAG) == 0;
}

/* How long a cubin is: its sections and tables end last. */
static size_t cubin_bytes(const char *image)
{
    Elf64_Ehdr head;
    memcpy(&head, image, sizeof head);
    size_t bytes = head.e_shoff + (size_t)head.e_shnum * head.e_shentsize;
    size_t segments = head.e_phoff + (size_t)head.e_phnum * head.e_phentsize;
    bytes = segments > bytes ? segments : bytes;
    for (int i = 0; i < head.e_shnum; i++) {
        Elf64_Shdr section;
        memcpy(&section, image + head.e_shoff + (size_t)i * head.e_shentsize, sizeof section);
        size_t end = section.sh_offset + (section.sh_type == SHT_NOBITS ? 0 : section.sh_size);
        bytes = end > bytes ? end : bytes;
    }
    return bytes;
}

/* A cubin is for devices of its major capability, its minor one or later. */
static bool runs_cubin(const char *image)
{
    Elf64_Ehdr head;
    memcpy(&head, image, sizeof head);
    int made_for = (int)(head.e_flags >> 8 & 0xff), own = mock_capability();
    return made_for / 10 == own / 10 && made_for <= own;
}

static CUresult load_cubin(CUmodule *module, const char *image, CUcontext context)
{
    if (!runs_cubin(image))
        return NO_BINARY;
    CUmodule loaded = mock_new(MODULE, sizeof *loaded, context);
    loaded->bytes = cubin_bytes(image);
    loaded->image = malloc(loaded->bytes);
    if (!loaded->image)
        abort();
    memcpy(loaded->image, image, loaded->bytes);
    *module = loaded;
    return OK;
}

/* The compiler's log where the caller wants one. */
static void write_log(unsigned count, const int *options, void **values, const char *text)
{
    for (unsigned i = 0; i + 1 < count; i++)
        if (options[i] == CU_JIT_ERROR_LOG && options[i + 1] == CU_JIT_ERROR_LOG_BYTES)
            snprintf(values[i], (size_t)(uintptr_t)values[i + 1], "%s", text);
}

CUresult cuModuleLoadDataEx(CUmodule *module, const void *image, unsigned count, int *options,
                            void **values)
{
    LOCK;
    write_log(count, options, values, "ptxas fatal: refused by the mock driver");
    FAULT("cuModuleLoadDataEx", true);
    if (is_cubin(image))
        return load_cubin(module, image, current);
    const char *text = image, *version = strstr(text, ".version");
    int major, minor;
    if (!version || sscanf(version, ".version %d.%d", &major, &minor) != 2 ||
        !strstr(text, ".target sm_")) {
        write_log(count, options, values, "ptxas fatal: no .version or no .target");
        return INVALID_PTX;
    }
    if (!mock_takes_ptx(10 * major + minor)) {
        write_log(count, options, values, "ptxas fatal: a later .version");
        return UNSUPPORTED_PTX;
    }
    write_log(count, options, values, "");
    CUmodule loaded = mock_new(MODULE, sizeof *loaded, current);
    loaded->text = strdup(text);
    *module = loaded;
    return OK;
}

void mock_free_module(struct object *object)
{
    free(((CUmodule)object)->text);
    free(((CUmodule)object)->image);
}

CUresult cuModuleUnload(CUmodule module)
{
    LOCK;
    bool known = current && mock_give_back(MODULE, module, current);
    FAULT("cuModuleUnload", true);
    if (!known)
        return INVALID_HANDLE;
    mock_destroy(&module->object);
    return OK;
}

/* Whether a module has an entry: PTX by its text, a cubin by the name of a section. */
static bool has_entry(const struct CUmod_st *module, const char *name)
{
    char entry[300];
    if (module->text) {
        snprintf(entry, sizeof entry, ".entry %s(", name);
        return strstr(module->text, entry);
    }
    size_t length = (size_t)snprintf(entry, sizeof entry, ".text.%s", name) + 1;
    return memmem(module->image, module->bytes, entry, length);
}

/* With MOCK_MISSING, kernels that no library has do nothing. */
static bool find_code(CUfunction function)
{
    if (!has_kernels())
        return true;
    for (int i = 0; i < host.count && !function->code; i++) {
        function->library = host.library[i];
        function->code = dlsym(function->library, function->name);
    }
    return function->code || getenv("MOCK_MISSING");
}

CUresult cuModuleGetFunction(CUfunction *function, CUmodule module, const char *name)
{
    ENTER("cuModuleGetFunction");
    if (!mock_find(MODULE, module, current))
        return INVALID_HANDLE;
    if (!has_entry(module, name))
        return NOT_FOUND;
    if (module->count == MOST_FUNCTIONS)
        abort();
    CUfunction found = &module->function[module->count++];
    *found = (struct CUfunc_st){.module = module, .most_shared = USUAL_SHARED};
    snprintf(found->name, sizeof found->name, "%s", name);
    *function = found;
    return find_code(found) ? OK : NOT_FOUND;
}

CUresult cuFuncSetAttribute(CUfunction function, int attribute, int value)
{
    ENTER("cuFuncSetAttribute");
    int most = mock_capability() >= 90 ? MOST_SHARED_90 : MOST_SHARED;
    if (attribute == CU_FUNCTION_CARVEOUT)
        return value >= -1 && value <= 100 ? OK : INVALID_VALUE;
    if (attribute != CU_FUNCTION_MAX_DYNAMIC_SHARED || value < 0 || value > most)
        return INVALID_VALUE;
    function->most_shared = (unsigned)value;
    return OK;
}

CUresult cuFuncGetAttribute(int *value, int attribute, CUfunction function)
{
    ENTER("cuFuncGetAttribute");
    if (!mock_find(MODULE, function->module, current) || attribute < 0)
        return INVALID_VALUE;
    *value = attribute == CU_FUNCTION_REGISTERS ? 32 : 0;
    return OK;
}

/* ---- launches -------------------------------------------------------------------------------- */

CUresult mock_check_launch(const struct launch *launch, CUcontext context)
{
    bool known = mock_find(MODULE, launch->function->module, context);
    return known && launch->blocks > 0 && launch->threads > 0 && launch->threads <= MOST_THREADS &&
                   launch->shared_bytes <= launch->function->most_shared
               ? OK
               : INVALID_VALUE;
}

/* Each argument lies in an allocation, which host.c lets the kernel read or write. */
static bool show_buffers(void *library, const struct launch *launch)
{
    static const struct {
        const char *name;
        int writable;
    } places[] = {{"input", 0}, {"output", 1}, {"workspace", 1}, {"weights", 0}};
    void (*clear)(void), (*buffer)(const char *, char *, int64_t, struct word *, int, int);
    find(library, "host_clear", &clear);
    find(library, "host_buffer", &buffer);
    clear();
    for (int i = 0; i < 4; i++) {
        struct memory *m = find_memory(launch->argument[i], 1);
        if (!m) {
            mock_violation("%s: the %s is in no allocation", launch->function->name,
                           places[i].name);
            return false;
        }
        buffer(places[i].name, m->at, (int64_t)m->bytes, m->words, 1, places[i].writable);
    }
    return true;
}

/* For models that have no kernels for the host. */
static CUresult launch_own(const struct launch *launch)
{
    struct memory *m[4];
    for (int i = 0; i < 4; i++)
        if (!(m[i] = find_memory(launch->argument[i], 1)))
            return ILLEGAL_ADDRESS;
    enum { INPUT, OUTPUT, WORKSPACE, WEIGHTS };
    const char *name = launch->function->name;
    if (has_kernels()) { /* MOCK_MISSING: zeros */
        memset(m[OUTPUT]->at, 0, m[OUTPUT]->bytes);
        for (size_t i = 0; i < m[OUTPUT]->bytes / UNIT; i++)
            m[OUTPUT]->words[i] = (struct word){.write_run = -1};
        return OK;
    }
    if (strcmp(name, "mock_load") == 0 && m[WORKSPACE]->bytes >= m[INPUT]->bytes)
        memcpy(m[WORKSPACE]->at, m[INPUT]->at, m[INPUT]->bytes);
    else if (strcmp(name, "mock_add") == 0 && m[WORKSPACE]->bytes >= m[OUTPUT]->bytes)
        for (size_t i = 0; i < m[OUTPUT]->bytes / sizeof(float); i++)
            ((float *)m[OUTPUT]->at)[i] =
                ((const float *)m[WORKSPACE]->at)[i] + *(const float *)m[WEIGHTS]->at;
    return OK;
}

CUresult mock_launch(const struct launch *launch)
{
    const struct CUfunc_st *function = launch->function;
    if (!function->code)
        return launch_own(launch);
    void *arguments[4];
    memcpy(arguments, launch->argument, sizeof arguments);
    int (*run)(void *, void **, int32_t, int32_t, int64_t);
    const char *(*why)(void);
    int32_t *launches;
    find(function->library, "host_launches", &launches);
    *launches = host.launches++; /* of all libraries: they share notes of who wrote what */
    find(function->library, "host_launch", &run);
    find(function->library, "host_error", &why);
    if (!show_buffers(function->library, launch))
        return LAUNCH_FAILED;
    if (run(function->code, arguments, (int32_t)launch->blocks, (int32_t)launch->threads,
            launch->shared_bytes))
        return OK;
    mock_violation("%s: %s", function->name, why());
    return LAUNCH_FAILED;
}
