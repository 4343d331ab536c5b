/* A CUDA driver without a GPU: devices, contexts, lists of objects, and calls that fail on request.
 *
 * It is stricter than the real one: it keeps no order that was not asked for (streams.c), and
 * records violations that a real driver need not detect. */
#include "internal.h"
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MOST_DEPTH = 16, MOST_NAMES = 64, REPORTED = 99 };

static const struct {
    CUresult result;
    const char *name, *meaning;
    bool loses; /* the context */
} results[] = {
    {1, "CUDA_ERROR_INVALID_VALUE", "invalid argument", false},
    {2, "CUDA_ERROR_OUT_OF_MEMORY", "out of memory", false},
    {3, "CUDA_ERROR_NOT_INITIALIZED", "initialization error", false},
    {100, "CUDA_ERROR_NO_DEVICE", "no CUDA-capable device is detected", false},
    {101, "CUDA_ERROR_INVALID_DEVICE", "invalid device ordinal", false},
    {201, "CUDA_ERROR_INVALID_CONTEXT", "invalid device context", false},
    {209, "CUDA_ERROR_NO_BINARY_FOR_GPU",
     "no kernel image is available for execution on the device", false},
    {214, "CUDA_ERROR_ECC_UNCORRECTABLE", "uncorrectable ECC error encountered", true},
    {218, "CUDA_ERROR_INVALID_PTX", "a PTX JIT compilation failed", false},
    {222, "CUDA_ERROR_UNSUPPORTED_PTX_VERSION",
     "the provided PTX was compiled with an "
     "unsupported toolchain.",
     false},
    {400, "CUDA_ERROR_INVALID_HANDLE", "invalid resource handle", false},
    {500, "CUDA_ERROR_NOT_FOUND", "named symbol not found", false},
    {700, "CUDA_ERROR_ILLEGAL_ADDRESS", "an illegal memory access was encountered", true},
    {709, "CUDA_ERROR_CONTEXT_IS_DESTROYED", "context is destroyed", true},
    {719, "CUDA_ERROR_LAUNCH_FAILED", "unspecified launch failure", true},
    {900, "CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED",
     "operation not permitted when stream is capturing", false},
    {901, "CUDA_ERROR_STREAM_CAPTURE_INVALIDATED",
     "operation failed due to a previous error during capture", false},
};

static struct {
    pthread_mutex_t lock;
    bool configured, initialised, held;
    int devices, capability, newest_ptx;
    uint64_t random;
    struct CUctx_st primary[MOST_DEVICES];
    struct object *objects; /* the newest first */
    int dropped, violations;
    char violation[400];
    /* the call that is to fail */
    char failing[64];
    int failing_at, failing_result;
    const char *failed;
    int calls;
    struct {
        const char *name;
        int calls;
    } called[MOST_NAMES];
} mock = {.lock = PTHREAD_MUTEX_INITIALIZER};

static _Thread_local struct {
    CUcontext context[MOST_DEPTH];
    int depth;
} stack;

/* ---- calls ----------------------------------------------------------------------------------- */

static int setting(const char *name, int otherwise)
{
    const char *text = getenv(name);
    return text ? atoi(text) : otherwise;
}

static void configure(void)
{
    mock.configured = true;
    mock.devices = setting("MOCK_DEVICES", 1);
    mock.capability = setting("MOCK_CAPABILITY", 80);
    mock.newest_ptx = setting("MOCK_PTX", 99);
    mock.random = (uint64_t)setting("MOCK_SEED", 1) * 2 + 1;
    const char *fail = getenv("MOCK_FAIL");
    if (fail &&
        sscanf(fail, "%63[^:]:%d:%d", mock.failing, &mock.failing_at, &mock.failing_result) != 3)
        abort();
}

CUcontext mock_lock(void)
{
    pthread_mutex_lock(&mock.lock);
    if (!mock.configured)
        configure();
    return stack.depth ? stack.context[stack.depth - 1] : NULL;
}

void mock_unlock(CUcontext *current)
{
    (void)current;
    bool yields = mock_random() % 2;
    pthread_mutex_unlock(&mock.lock);
    if (yields)
        sched_yield(); /* so that threads interleave their calls */
}

static int count_call(const char *function)
{
    mock.calls++;
    int i = 0;
    while (i < MOST_NAMES - 1 && mock.called[i].name && strcmp(mock.called[i].name, function) != 0)
        i++;
    mock.called[i].name = function;
    return ++mock.called[i].calls;
}

static bool loses_context(CUresult result)
{
    for (size_t i = 0; i < sizeof results / sizeof *results; i++)
        if (results[i].result == result)
            return results[i].loses;
    return false;
}

CUresult mock_enter(const char *function, CUcontext current, bool needs_context)
{
    int nth = mock.held ? 0 : count_call(function);
    bool any = !mock.failing[0];
    if (!mock.held && mock.failing_at && !mock.failed &&
        (any || strcmp(mock.failing, function) == 0) &&
        (any ? mock.calls : nth) == mock.failing_at) {
        mock.failed = function;
        if (current && loses_context(mock.failing_result))
            current->lost = mock.failing_result;
        return mock.failing_result;
    }
    if (!mock.initialised && strcmp(function, "cuInit") != 0)
        return 3;
    if (!needs_context)
        return OK;
    return current ? current->lost : CU_INVALID_CONTEXT;
}

void mock_violation(const char *format, ...)
{
    if (mock.violations++)
        return; /* the first error says most */
    va_list args;
    va_start(args, format);
    vsnprintf(mock.violation, sizeof mock.violation, format, args);
    va_end(args);
}

uint64_t mock_random(void)
{
    mock.random ^= mock.random << 13;
    mock.random ^= mock.random >> 7;
    mock.random ^= mock.random << 17;
    return mock.random;
}

/* ---- objects --------------------------------------------------------------------------------- */

void *mock_new(enum kind kind, size_t bytes, CUcontext context)
{
    struct object *object = calloc(1, bytes);
    if (!object)
        abort();
    *object = (struct object){mock.objects, kind, context, true, false};
    mock.objects = object;
    return object;
}

void *mock_find(enum kind kind, const void *handle, CUcontext context)
{
    for (struct object *object = mock.objects; object; object = object->next)
        if (object == handle)
            return object->alive && object->kind == kind && object->context == context ? object
                                                                                       : NULL;
    return NULL;
}

void *mock_give_back(enum kind kind, const void *handle, CUcontext context)
{
    struct object *object = mock_find(kind, handle, context);
    if (object)
        object->given_back = true;
    else
        mock_violation("%p is freed, but is not (or no longer) an object of kind %d", handle, kind);
    return object;
}

void mock_destroy(struct object *object)
{
    static void (*const free_contents[KINDS])(struct object *) = {[MEMORY] = mock_free_memory,
                                                                  [MODULE] = mock_free_module,
                                                                  [STREAM] = mock_free_stream,
                                                                  [GRAPH] = mock_free_graph,
                                                                  [EXECUTABLE] = mock_free_graph};
    if (object->alive && free_contents[object->kind])
        free_contents[object->kind](object);
    object->alive = false;
}

struct object *mock_objects(void)
{
    return mock.objects;
}

/* ---- for tests ------------------------------------------------------------------------------- */

struct mock_counts mock_count(void)
{
    LOCK;
    (void)current;
    int counts[KINDS] = {0}, contexts = 0;
    for (const struct object *object = mock.objects; object; object = object->next)
        counts[object->kind] += object->alive && !object->given_back;
    for (int i = 0; i < MOST_DEVICES; i++)
        contexts += mock.primary[i].retained - mock.primary[i].releases_failed;
    return (struct mock_counts){.contexts = contexts,
                                .memory = counts[MEMORY],
                                .modules = counts[MODULE],
                                .streams = counts[STREAM],
                                .events = counts[EVENT],
                                .graphs = counts[GRAPH],
                                .executables = counts[EXECUTABLE],
                                .dropped = mock.dropped,
                                .violations = mock.violations,
                                .violation = mock.violation};
}

static void forget_calls(void)
{
    memset(mock.called, 0, sizeof mock.called);
    mock.calls = 0;
    mock.failing_at = 0;
    mock.failed = NULL;
}

void mock_reset(void)
{
    LOCK;
    (void)current;
    while (mock.objects) {
        struct object *object = mock.objects;
        mock.objects = object->next;
        mock_destroy(object);
        free(object);
    }
    memset(mock.primary, 0, sizeof mock.primary);
    stack.depth = 0;
    mock.dropped = mock.violations = 0;
    mock.initialised = false;
    mock.violation[0] = 0;
    forget_calls();
    configure();
}

void mock_devices(int count, int capability)
{
    LOCK;
    (void)current;
    mock.devices = count;
    mock.capability = capability;
}

void mock_ptx(int newest)
{
    LOCK;
    (void)current;
    mock.newest_ptx = newest;
}

int mock_capability(void)
{
    return mock.capability;
}

bool mock_takes_ptx(int version)
{
    return version <= mock.newest_ptx;
}

void mock_fail(const char *function, int nth, int result)
{
    LOCK;
    (void)current;
    forget_calls();
    snprintf(mock.failing, sizeof mock.failing, "%s", function ? function : "");
    mock.failing_at = nth;
    mock.failing_result = result;
}

const char *mock_failed(void)
{
    LOCK;
    (void)current;
    return mock.failed;
}

int mock_calls(const char *function)
{
    LOCK;
    (void)current;
    if (!function)
        return mock.calls;
    for (int i = 0; i < MOST_NAMES && mock.called[i].name; i++)
        if (strcmp(mock.called[i].name, function) == 0)
            return mock.called[i].calls;
    return 0;
}

void mock_hold(int held)
{
    LOCK;
    (void)current;
    mock.held = held;
}

void *mock_current(void)
{
    LOCK;
    return current;
}

int mock_depth(void)
{
    return stack.depth;
}

__attribute__((destructor)) static void report(void)
{
    if (!setting("MOCK_REPORT", 0))
        return;
    struct mock_counts c = mock_count();
    int left = c.contexts + c.memory + c.modules + c.streams + c.events + c.graphs + c.executables;
    if (!left && !c.dropped && !c.violations)
        return;
    fprintf(stderr,
            "mock driver: left: %d contexts, %d memory, %d modules, %d streams, %d events, %d "
            "graphs, %d executables; %d dropped, %d violations %s\n",
            c.contexts, c.memory, c.modules, c.streams, c.events, c.graphs, c.executables,
            c.dropped, c.violations, c.violation);
    _exit(REPORTED);
}

/* ---- errors and devices ---------------------------------------------------------------------- */

/* Names are asked for after something has failed, so "any" does not include these calls. */
static CUresult describe(const char *function, CUresult result, const char **text, bool name)
{
    LOCK;
    (void)current;
    *text = NULL;
    if (mock.failing_at && strcmp(mock.failing, function) == 0)
        return mock.failing_result;
    for (size_t i = 0; i < sizeof results / sizeof *results && !*text; i++)
        if (results[i].result == result)
            *text = name ? results[i].name : results[i].meaning;
    return *text ? OK : INVALID_VALUE;
}

CUresult cuGetErrorName(CUresult result, const char **text)
{
    return describe("cuGetErrorName", result, text, true);
}

CUresult cuGetErrorString(CUresult result, const char **text)
{
    return describe("cuGetErrorString", result, text, false);
}

CUresult cuInit(unsigned flags)
{
    LOCK;
    FAULT("cuInit", false);
    if (!mock.devices)
        return CU_NO_DEVICE;
    mock.initialised = true;
    return flags ? INVALID_VALUE : OK;
}

CUresult cuDeviceGetCount(int *count)
{
    LOCK;
    FAULT("cuDeviceGetCount", false);
    *count = mock.devices;
    return OK;
}

static bool is_device(CUdevice device)
{
    return device >= 0 && device < mock.devices && device < MOST_DEVICES;
}

CUresult cuDeviceGet(CUdevice *device, int ordinal)
{
    LOCK;
    FAULT("cuDeviceGet", false);
    *device = ordinal;
    return is_device(ordinal) ? OK : CU_INVALID_DEVICE;
}

CUresult cuDeviceGetName(char *name, int size, CUdevice device)
{
    LOCK;
    FAULT("cuDeviceGetName", false);
    snprintf(name, (size_t)size, "Mock GPU %d", device);
    return is_device(device) ? OK : CU_INVALID_DEVICE;
}

CUresult cuDriverGetVersion(int *version)
{
    LOCK;
    FAULT("cuDriverGetVersion", false);
    *version = 13000;
    return OK;
}

CUresult cuDeviceGetAttribute(int *value, int attribute, CUdevice device)
{
    LOCK;
    FAULT("cuDeviceGetAttribute", false);
    if (attribute == CU_ATTRIBUTE_MULTIPROCESSORS)
        *value = 2;
    else if (attribute == CU_ATTRIBUTE_CAPABILITY_MAJOR)
        *value = mock.capability / 10;
    else if (attribute == CU_ATTRIBUTE_CAPABILITY_MINOR)
        *value = mock.capability % 10;
    else
        return INVALID_VALUE;
    return is_device(device) ? OK : CU_INVALID_DEVICE;
}

/* ---- contexts -------------------------------------------------------------------------------- */

CUresult cuDevicePrimaryCtxRetain(CUcontext *context, CUdevice device)
{
    LOCK;
    FAULT("cuDevicePrimaryCtxRetain", false);
    if (!is_device(device))
        return CU_INVALID_DEVICE;
    *context = &mock.primary[device];
    (*context)->device = device;
    (*context)->retained++;
    return OK;
}

/* Objects left in a context are destroyed with it. */
static void drop_objects(CUcontext context)
{
    for (struct object *object = mock.objects; object; object = object->next)
        if (object->alive && object->context == context) {
            mock.dropped += !object->given_back;
            mock_destroy(object);
        }
    mock_free_stream(&context->default_stream.object);
    context->lost = 0;
}

CUresult cuDevicePrimaryCtxRelease_v2(CUdevice device)
{
    LOCK;
    if (is_device(device))
        mock.primary[device].releases_failed++;
    FAULT("cuDevicePrimaryCtxRelease", false);
    if (!is_device(device))
        return CU_INVALID_DEVICE;
    CUcontext context = &mock.primary[device];
    context->releases_failed--;
    if (!context->retained) {
        mock_violation("the context of device %d is released too often", device);
        return CU_INVALID_CONTEXT;
    }
    if (--context->retained == 0)
        drop_objects(context);
    return OK;
}

CUresult cuCtxGetCurrent(CUcontext *context)
{
    LOCK;
    FAULT("cuCtxGetCurrent", false);
    *context = current;
    return OK;
}

CUresult cuCtxSetCurrent(CUcontext context)
{
    LOCK;
    (void)current;
    FAULT("cuCtxSetCurrent", false);
    stack.depth -= stack.depth > 0;
    if (context)
        stack.context[stack.depth++] = context;
    return OK;
}

CUresult cuCtxPushCurrent_v2(CUcontext context)
{
    LOCK;
    FAULT("cuCtxPushCurrent", false);
    if (!context || !context->retained)
        return CU_INVALID_CONTEXT;
    if (stack.depth == MOST_DEPTH)
        abort();
    stack.context[stack.depth++] = context;
    return OK;
}

CUresult cuCtxPopCurrent_v2(CUcontext *context)
{
    LOCK;
    /* A failure of earlier work may come from here too, and the context is popped all the same. */
    CUresult fault = mock_enter("cuCtxPopCurrent", current, false);
    if (fault && !loses_context(fault))
        return fault;
    if (!stack.depth)
        return CU_INVALID_CONTEXT;
    *context = current;
    stack.depth--;
    return fault;
}
