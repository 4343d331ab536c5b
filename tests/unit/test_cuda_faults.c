/* Every driver call of a model on a GPU fails in turn, with every kind of result: the message is
 * right, nothing is left behind, and the caller's context is unchanged. */
#include "cuda_model.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { BYTES = MODEL_FLOATS * sizeof(float) };

static const struct {
    int result, status;
    const char *name; /* "error": the driver has none */
} kinds[] = {
    {1, SAN_CUDA_EDRIVER, "CUDA_ERROR_INVALID_VALUE"},
    {2, SAN_CUDA_EMEMORY, "CUDA_ERROR_OUT_OF_MEMORY"},
    {101, SAN_CUDA_EDEVICE, "CUDA_ERROR_INVALID_DEVICE"},
    {214, SAN_CUDA_ELOST, "CUDA_ERROR_ECC_UNCORRECTABLE"},
    {209, SAN_CUDA_EDRIVER, "CUDA_ERROR_NO_BINARY_FOR_GPU"},
    {218, SAN_CUDA_EDRIVER, "CUDA_ERROR_INVALID_PTX"},
    {222, SAN_CUDA_EDRIVER, "CUDA_ERROR_UNSUPPORTED_PTX_VERSION"},
    {500, SAN_CUDA_EDRIVER, "CUDA_ERROR_NOT_FOUND"},
    {700, SAN_CUDA_ELOST, "CUDA_ERROR_ILLEGAL_ADDRESS"},
    {719, SAN_CUDA_ELOST, "CUDA_ERROR_LAUNCH_FAILED"},
    {9999, SAN_CUDA_EDRIVER, "error"},
};
enum { KINDS_OF_FAILURE = sizeof kinds / sizeof *kinds };

/* The program around the model: its memory and stream on device 0, a context of device 1 that is
 * current when it calls. */
struct program {
    CUcontext context, other;
    CUstream stream;
    CUdeviceptr input, output;
};

/* One scenario: a failure, and where it happened. */
struct scenario {
    int kind;         /* of kinds */
    const char *step; /* for messages */
    const char *call; /* that failed; NULL: none yet */
    bool lost;        /* the handle is */
};

static void start(struct program *program)
{
    mock_reset();
    mock_devices(2, 80);
    assert_int_equal(cuInit(0), 0);
    assert_int_equal(cuDevicePrimaryCtxRetain(&program->context, 0), 0);
    assert_int_equal(cuDevicePrimaryCtxRetain(&program->other, 1), 0);
    assert_int_equal(cuCtxPushCurrent_v2(program->context), 0);
    assert_int_equal(cuStreamCreate(&program->stream, 0), 0);
    assert_int_equal(cuMemAlloc_v2(&program->input, BYTES), 0);
    assert_int_equal(cuMemAlloc_v2(&program->output, BYTES), 0);
    assert_int_equal(cuCtxSetCurrent(program->other), 0);
}

/* Waits for the program's stream and ignores errors: a lost context has no work left. */
static void settle(const struct program *program)
{
    CUcontext popped;
    mock_hold(1);
    assert_int_equal(cuCtxPushCurrent_v2(program->context), 0);
    cuStreamSynchronize(program->stream);
    assert_int_equal(cuCtxPopCurrent_v2(&popped), 0);
    mock_hold(0);
}

static void fail_at(const struct scenario *s, const char *what, const char *text)
{
    fail_msg("%s, %s fails with %s: %s: %s", s->step, s->call ? s->call : "nothing",
             kinds[s->kind].name, what, text);
}

/* A driver that is too old for one target runs the next. */
static bool is_made_up_for(int result, const char *call)
{
    return strcmp(call, "cuModuleLoadDataEx") == 0 &&
           (result == 209 || result == 218 || result == 222);
}

/* Checks a step's status and message against what failed in it, or before it. */
static void check_step(struct scenario *s, const struct program *program, int status,
                       const struct san_cuda_error *error)
{
    const char *failed = mock_failed();
    bool now = failed && !s->call;
    bool made_up = now && is_made_up_for(kinds[s->kind].result, failed);
    int expected = now && !made_up ? kinds[s->kind].status : s->lost ? SAN_CUDA_ELOST : SAN_CUDA_OK;
    char text[128];
    s->call = failed;
    if (status != error->status || status != expected)
        fail_at(s, "status", error->text);
    if (mock_current() != program->other)
        fail_at(s, "the caller's context", error->text);
    s->lost |= status == SAN_CUDA_ELOST;
    if (!status) {
        assert_string_equal(error->text, "");
        assert_int_equal(error->driver, 0);
        return;
    }
    snprintf(text, sizeof text, "%s: %s (%d): ", failed, kinds[s->kind].name,
             kinds[s->kind].result);
    if (error->driver != kinds[s->kind].result)
        fail_at(s, "the driver's result", error->text);
    static const char since[] = "the handle is lost since ";
    const char *begin = now ? error->text : error->text + strlen(since);
    if (strncmp(begin, text, strlen(text)) != 0 ||
        (!now && strstr(error->text, since) != error->text))
        fail_at(s, "what the text begins with", error->text);
}

/* Checks that the program's own objects are left, and nothing else. */
static void check_counts(const struct scenario *s, bool unreachable)
{
    struct mock_counts c = mock_count();
    int left = c.modules + c.events + c.graphs + c.executables + c.memory + c.streams - 3;
    if (c.violations)
        fail_at(s, "a rule is broken", c.violation);
    if (c.contexts != 2 || c.dropped || (left && !unreachable))
        fail_at(s, "something is left", "");
    if (mock_depth() != 1 && strcmp(s->call, "cuCtxPopCurrent") != 0)
        fail_at(s, "the stack of contexts", "");
}

/* A run in a capture of the program's stream, and the times of kernels. */
static void run_rare_steps(struct scenario *s, const struct program *program, struct san_cuda *cuda)
{
    struct san_cuda_error error;
    CUcontext popped;
    CUgraph graph = NULL;
    static float host[MODEL_FLOATS]; /* a call that fails may leave copies from it */
    float ms[3];
    s->step = "captured run";
    mock_hold(1);
    assert_int_equal(cuCtxPushCurrent_v2(program->context), 0);
    cuStreamBeginCapture_v2(program->stream, CU_CAPTURE_RELAXED);
    assert_int_equal(cuCtxPopCurrent_v2(&popped), 0);
    mock_hold(0);
    int status = san_cuda_run(cuda, (const float *)(uintptr_t)program->input,
                              (float *)(uintptr_t)program->output, program->stream, &error);
    check_step(s, program, status, &error);
    mock_hold(1);
    assert_int_equal(cuCtxPushCurrent_v2(program->context), 0);
    if (!cuStreamEndCapture(program->stream, &graph))
        cuGraphDestroy(graph);
    assert_int_equal(cuCtxPopCurrent_v2(&popped), 0);
    mock_hold(0);
    s->step = "times";
    status = san_cuda_time_kernels(cuda, host, ms, &error);
    check_step(s, program, status, &error);
}

static void run_steps(struct scenario *s, const struct program *program, struct san_cuda *cuda)
{
    struct san_cuda_error error;
    const float *input = (const float *)(uintptr_t)program->input;
    float *output = (float *)(uintptr_t)program->output, host[MODEL_FLOATS] = {0};
    for (int i = 0; i < 2; i++) {
        s->step = i ? "second run" : "run";
        int status = san_cuda_run(cuda, input, output, program->stream, &error);
        check_step(s, program, status, &error);
    }
    s->step = "run_host";
    int status = san_cuda_run_host(cuda, host, host, &error);
    check_step(s, program, status, &error);
    settle(program);
    run_rare_steps(s, program, cuda);
    s->step = "last run";
    status = san_cuda_run(cuda, input, output, program->stream, &error);
    check_step(s, program, status, &error);
    settle(program);
}

/* The nth call fails; false: there are not so many. */
static bool run_scenario(int kind, int nth, int *opens)
{
    struct program program;
    struct scenario s = {.kind = kind, .step = "open"};
    struct san_cuda_error error;
    struct san_cuda *cuda;
    start(&program);
    mock_fail(NULL, nth, kinds[kind].result);
    int status = san_cuda_open(&cuda_model, 0, &cuda, &error);
    check_step(&s, &program, status, &error);
    assert_int_equal(cuda == NULL, status != 0);
    *opens += status != 0;
    if (cuda)
        run_steps(&s, &program, cuda);
    s.step = "close";
    bool in_close = !s.call;
    san_cuda_close(cuda);
    s.call = mock_failed();
    assert_ptr_equal(mock_current(), program.other);
    /* Nothing in a context can be freed where the context cannot be made current. */
    check_counts(&s, in_close && s.call && strcmp(s.call, "cuCtxPushCurrent") == 0);
    return s.call;
}

static void test_each_call(void **state)
{
    (void)state;
    for (int kind = 0; kind < KINDS_OF_FAILURE; kind++) {
        int calls = 0, opens = 0;
        while (run_scenario(kind, calls + 1, &opens))
            calls++;
        assert_true(opens > 25);
        assert_true(calls > opens + 40);
    }
}

/* Finds calls that no scenario reaches. */
static void test_all_functions_are_called(void **state)
{
    (void)state;
    static const char *const functions[] = {
#define DRIVER(function, suffix, parameters) #function,
#include "cuda_driver.def"
#undef DRIVER
    };
    struct program program;
    struct scenario s = {.step = "open"};
    struct san_cuda_error error;
    struct san_cuda *cuda;
    start(&program);
    mock_fail(NULL, 0, 0);
    assert_int_equal(san_cuda_open(&cuda_model, 0, &cuda, &error), 0);
    run_steps(&s, &program, cuda);
    san_cuda_close(cuda);
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
        bool after_failures =
            strstr(functions[i], "cuGetError") || strstr(functions[i], "SetCurrent");
        if (!mock_calls(functions[i]) && !after_failures)
            fail_msg("%s is never called", functions[i]);
    }
}

/* A driver that does not describe its results. */
static void test_names_fail(void **state)
{
    (void)state;
    struct san_cuda *cuda;
    struct san_cuda_error error;
    struct san_model model = cuda_model;
    struct san_gpu gpu = model_gpus[0];
    mock_reset();
    gpu.ptx = "";
    model.gpus = &gpu;
    model.gpu_count = 1;
    mock_fail("cuGetErrorName", 1, 1);
    assert_int_equal(san_cuda_open(&model, 0, &cuda, &error), SAN_CUDA_EDRIVER);
    assert_non_null(strstr(error.text, "cuModuleLoadDataEx: error (218): a PTX JIT"));
    mock_fail("cuGetErrorString", 1, 1);
    assert_int_equal(san_cuda_open(&model, 0, &cuda, &error), SAN_CUDA_EDRIVER);
    assert_non_null(strstr(error.text, "cuModuleLoadDataEx: CUDA_ERROR_INVALID_PTX (218): the "
                                       "driver gives no description"));
}

/* Details for the caller come after the driver's text. */
static void test_details(void **state)
{
    (void)state;
    static const struct {
        const char *call, *detail;
        int nth;
    } rows[] = {
        {"cuMemAlloc", "; 32 bytes for the input", 1},
        {"cuMemAlloc", "; 8 bytes for the weights", 4},
        {"cuModuleLoadDataEx", "; target nvptx:sm_75\nptxas fatal: refused by the mock driver", 1},
        {"cuModuleGetFunction", "; kernel mock_load", 1},
        {"cuFuncSetAttribute", "; kernel mock_rest", 1},
        {"cuLaunchKernel", "; kernel mock_add", 3},
    };
    mock_reset();
    mock_devices(1, 75);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct san_cuda *cuda;
        struct san_cuda_error error;
        mock_fail(rows[i].call, rows[i].nth, 2);
        assert_int_equal(san_cuda_open(&cuda_model, 0, &cuda, &error), SAN_CUDA_EMEMORY);
        assert_non_null(strstr(error.text, rows[i].detail));
    }
}

/* Without an event runs cannot be kept apart, except by waiting. */
static void test_no_event(void **state)
{
    (void)state;
    struct san_cuda *cuda;
    struct san_cuda_error error;
    float host[MODEL_FLOATS] = {0};
    mock_reset();
    assert_int_equal(san_cuda_open(&cuda_model, 0, &cuda, &error), 0);
    mock_fail("cuEventRecord", 1, 2);
    assert_int_equal(san_cuda_run_host(cuda, host, host, &error), SAN_CUDA_EMEMORY);
    assert_int_equal(san_cuda_run_host(cuda, host, host, &error), 0);
    assert_int_equal(host[0], MODEL_WEIGHT * 2); /* the first one ran, too */
    san_cuda_close(cuda);
    assert_int_equal(mock_count().violations, 0);
}

/* The linker puts this in calloc's place for the runtime; the call with this number fails. */
static int failing_calloc;
void *__real_calloc(size_t count, size_t bytes);
void *__wrap_calloc(size_t count, size_t bytes);
void *__wrap_calloc(size_t count, size_t bytes)
{
    return failing_calloc && --failing_calloc == 0 ? NULL : __real_calloc(count, bytes);
}

static void test_no_host_memory(void **state)
{
    (void)state;
    static const char *const texts[] = {"no memory for a handle",
                                        "no memory for the PTX compiler's log",
                                        "no memory for 3 kernels"};
    mock_reset();
    for (int i = 0; i < 3; i++) {
        struct san_cuda *cuda;
        struct san_cuda_error error;
        failing_calloc = i + 1;
        assert_int_equal(san_cuda_open(&cuda_model, 0, &cuda, &error), SAN_CUDA_EMEMORY);
        assert_string_equal(error.text, texts[i]);
        assert_int_equal(failing_calloc, 0);
        assert_null(cuda);
        assert_int_equal(mock_count().contexts + mock_count().dropped, 0);
    }
}

/* Errors of kernels and copies are found after san_cuda_run has returned. */
static void test_late_failure(void **state)
{
    (void)state;
    struct san_cuda *cuda, *other;
    struct san_cuda_error error;
    float host[MODEL_FLOATS] = {0};
    mock_reset();
    assert_int_equal(san_cuda_open(&cuda_model, 0, &cuda, &error), 0);
    assert_int_equal(san_cuda_open(&cuda_model, 0, &other, &error), 0);
    assert_int_equal(san_cuda_run(cuda, host, host, NULL, &error), 0); /* not the device's memory */
    struct san_cuda *handles[] = {other, cuda};
    for (int i = 0; i < 2; i++) {
        const char *call = i ? "cuStreamIsCapturing" : "cuStreamSynchronize";
        int first = i ? san_cuda_run(cuda, host, host, NULL, &error)
                      : san_cuda_run_host(other, host, host, &error);
        assert_int_equal(first, SAN_CUDA_ELOST);
        assert_ptr_equal(strstr(error.text, call), error.text);
        assert_int_equal(san_cuda_run_host(handles[i], host, host, &error), SAN_CUDA_ELOST);
        assert_non_null(strstr(error.text, "CUDA_ERROR_ILLEGAL_ADDRESS (700)"));
    }
    san_cuda_close(cuda);
    san_cuda_close(other);
    assert_int_equal(mock_count().contexts + mock_count().dropped, 0);
    assert_int_equal(san_cuda_open(&cuda_model, 0, &cuda, &error), 0); /* in a new context */
    assert_int_equal(san_cuda_run_host(cuda, host, host, &error), 0);
    san_cuda_close(cuda);
}

/* Somebody has reset the device under the handle. */
static void test_reset_device(void **state)
{
    (void)state;
    struct san_cuda *cuda;
    struct san_cuda_error error;
    float host[MODEL_FLOATS] = {0};
    mock_reset();
    assert_int_equal(san_cuda_open(&cuda_model, 0, &cuda, &error), 0);
    assert_int_equal(cuDevicePrimaryCtxRelease_v2(0), 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(san_cuda_run_host(cuda, host, host, &error), SAN_CUDA_ELOST);
        assert_non_null(strstr(error.text, "cuCtxPushCurrent: CUDA_ERROR_INVALID_CONTEXT (201): "));
    }
    san_cuda_close(cuda);
}

/* After that nothing that was in the context is touched any more. */
static void test_destroyed_context(void **state)
{
    (void)state;
    struct san_cuda *cuda;
    struct san_cuda_error error;
    float host[MODEL_FLOATS] = {0};
    mock_reset();
    assert_int_equal(san_cuda_open(&cuda_model, 0, &cuda, &error), 0);
    mock_fail("cuGraphLaunch", 1, 709);
    assert_int_equal(san_cuda_run_host(cuda, host, host, &error), SAN_CUDA_ELOST);
    int calls = mock_calls(NULL);
    san_cuda_close(cuda);
    assert_int_equal(mock_calls(NULL), calls + 1);
    assert_int_equal(mock_calls("cuDevicePrimaryCtxRelease"), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_call),         cmocka_unit_test(test_all_functions_are_called),
        cmocka_unit_test(test_names_fail),        cmocka_unit_test(test_details),
        cmocka_unit_test(test_no_event),          cmocka_unit_test(test_no_host_memory),
        cmocka_unit_test(test_late_failure),      cmocka_unit_test(test_reset_device),
        cmocka_unit_test(test_destroyed_context),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
