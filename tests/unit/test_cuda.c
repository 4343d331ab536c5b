/* Models on GPUs, with a stand-in for the driver: what is chosen, what is refused, and the order of
 * runs on streams and threads. */
#include "cuda_user.h"
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void test_host_memory(void **state)
{
    (void)state;
    struct san_cuda *cuda = open_model(0);
    assert_string_equal(san_cuda_target(cuda), "nvptx:sm_80");
    assert_string_equal(san_cuda_device(cuda), "Mock GPU 0");
    for (int i = 0; i < 3; i++) {
        float input[MODEL_FLOATS], output[MODEL_FLOATS];
        fill(input, 10.0f * (float)i);
        assert_int_equal(san_cuda_run_host(cuda, input, output, NULL), 0);
        assert_int_equal(wrong(output, 10.0f * (float)i), 0);
    }
    san_cuda_close(cuda);
    san_cuda_close(NULL);
    assert_clean();
}

/* The model takes two images of four floats: a rest of one leaves alone what is after it. */
static void test_any_number(void **state)
{
    (void)state;
    enum { EACH = MODEL_FLOATS / 2, MOST = 5 };
    struct san_cuda *cuda = open_model(0);
    struct user user;
    CUdeviceptr in, out;
    assert_int_equal(start_user(&user, 0), 0);
    assert_int_equal(cuMemAlloc_v2(&in, MOST * EACH * 4) | cuMemAlloc_v2(&out, MOST * EACH * 4), 0);
    float input[MOST * EACH], output[2][MOST * EACH];
    for (int i = 0; i < MOST * EACH; i++)
        input[i] = (float)i;
    assert_int_equal(cuMemcpyHtoDAsync_v2(in, input, sizeof input, NULL), 0);
    for (size_t images = 0; images <= MOST; images++) {
        memset(output, 0xff, sizeof output);
        assert_int_equal(cuMemcpyHtoDAsync_v2(out, output[0], sizeof output[0], NULL), 0);
        assert_int_equal(san_cuda_run_images_host(cuda, input, output[0], images, NULL), 0);
        assert_int_equal(san_cuda_run_images(cuda, (const float *)(uintptr_t)in,
                                             (float *)(uintptr_t)out, images, NULL, NULL),
                         0);
        assert_int_equal(cuMemcpyDtoHAsync_v2(output[1], out, sizeof output[1], NULL), 0);
        assert_int_equal(cuStreamSynchronize(NULL), 0);
        for (int k = 0; k < 2; k++)
            for (size_t i = 0; i < MOST * EACH; i++)
                assert_true(i < images * EACH ? output[k][i] == input[i] + MODEL_WEIGHT
                                              : output[k][i] != output[k][i]);
    }
    assert_int_equal(cuMemFree_v2(in) | cuMemFree_v2(out), 0);
    san_cuda_close(cuda);
    assert_int_equal(end_user(&user, 0), 0);
    assert_clean();
}

/* Runs are enqueued on streams in turn, none waited for, then waited for in any order. */
static void run_streams(int seed, bool default_stream)
{
    char text[16];
    snprintf(text, sizeof text, "%d", seed);
    setenv("MOCK_SEED", text, 1);
    mock_reset();
    struct san_cuda *cuda = open_model(0);
    struct user user;
    float input[MOST_STREAMS][MODEL_FLOATS], output[MOST_STREAMS][MODEL_FLOATS];
    assert_int_equal(start_user(&user, 0), 0);
    for (int i = 0; i < MOST_STREAMS; i++) {
        CUstream stream = i || !default_stream ? user.stream[i] : NULL;
        fill(input[i], 100.0f * (float)i);
        assert_int_equal(cuMemcpyHtoDAsync_v2(user.input[i], input[i], BYTES, stream), 0);
        assert_int_equal(run_on(cuda, &user, i, stream), 0);
        assert_int_equal(cuMemcpyDtoHAsync_v2(output[i], user.output[i], BYTES, stream), 0);
    }
    for (int i = MOST_STREAMS - 1; i >= 0; i--) {
        assert_int_equal(cuStreamSynchronize(i || !default_stream ? user.stream[i] : NULL), 0);
        assert_int_equal(wrong(output[i], 100.0f * (float)i), 0);
    }
    san_cuda_close(cuda);
    assert_int_equal(end_user(&user, 0), 0);
    assert_clean();
}

static void test_streams(void **state)
{
    (void)state;
    for (int seed = 1; seed <= 50; seed++)
        run_streams(seed, seed % 2);
    unsetenv("MOCK_SEED");
}

/* Memory must not be freed while kernels use it. */
static void test_close_waits(void **state)
{
    (void)state;
    struct san_cuda *cuda = open_model(0);
    struct user user;
    float input[MODEL_FLOATS], output[MODEL_FLOATS];
    fill(input, 7);
    assert_int_equal(start_user(&user, 0), 0);
    assert_int_equal(cuMemcpyHtoDAsync_v2(user.input[0], input, BYTES, user.stream[0]), 0);
    assert_int_equal(run_on(cuda, &user, 0, user.stream[0]), 0);
    san_cuda_close(cuda);
    assert_int_equal(cuMemcpyDtoHAsync_v2(output, user.output[0], BYTES, user.stream[0]), 0);
    assert_int_equal(cuStreamSynchronize(user.stream[0]), 0);
    assert_int_equal(wrong(output, 7), 0);
    assert_int_equal(end_user(&user, 0), 0);
    assert_clean();
}

/* One of several threads with a handle of its own or a shared one. */
struct caller {
    pthread_t thread;
    struct san_cuda *cuda;
    int number, bad;
};

static void *run_often(void *context)
{
    struct caller *caller = context;
    struct user user;
    int bad = start_user(&user, 0);
    for (int i = 0; i < 40; i++) {
        float input[MODEL_FLOATS], output[MODEL_FLOATS], value = (float)(caller->number * 100 + i);
        CUstream stream = user.stream[i % MOST_STREAMS];
        fill(input, value);
        if (i % 3 == 0) {
            bad |= san_cuda_run_host(caller->cuda, input, output, NULL);
        } else {
            int at = i % MOST_STREAMS;
            bad |= cuMemcpyHtoDAsync_v2(user.input[at], input, BYTES, stream);
            bad |= run_on(caller->cuda, &user, at, stream);
            bad |= cuMemcpyDtoHAsync_v2(output, user.output[at], BYTES, stream);
            bad |= cuStreamSynchronize(stream);
        }
        bad |= wrong(output, value);
        bad |= mock_current() != user.context;
    }
    caller->bad = bad | end_user(&user, 0);
    return NULL;
}

static void run_callers(struct caller *caller, int count)
{
    for (int i = 0; i < count; i++)
        assert_int_equal(pthread_create(&caller[i].thread, NULL, run_often, &caller[i]), 0);
    for (int i = 0; i < count; i++) {
        assert_int_equal(pthread_join(caller[i].thread, NULL), 0);
        assert_int_equal(caller[i].bad, 0);
    }
}

static void test_threads(void **state)
{
    (void)state;
    struct san_cuda *shared = open_model(0), *other = open_model(0);
    struct caller caller[] = {{.cuda = shared, .number = 0},
                              {.cuda = shared, .number = 1},
                              {.cuda = shared, .number = 2},
                              {.cuda = other, .number = 3}};
    run_callers(caller, 4);
    san_cuda_close(other);
    san_cuda_close(shared);
    assert_clean();
}

/* Opening is for many threads too: the library is loaded once. */
static void *open_often(void *context)
{
    struct caller *caller = context;
    for (int i = 0; i < 20; i++) {
        struct san_cuda *cuda;
        caller->bad |= san_cuda_open(&cuda_model, 0, &cuda, NULL);
        san_cuda_close(cuda);
    }
    return NULL;
}

static void test_threads_open(void **state)
{
    (void)state;
    struct caller caller[4] = {{.bad = 0}};
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&caller[i].thread, NULL, open_often, &caller[i]), 0);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(pthread_join(caller[i].thread, NULL), 0);
        assert_int_equal(caller[i].bad, 0);
    }
    assert_clean();
}

static void test_two_devices(void **state)
{
    (void)state;
    mock_devices(2, 80);
    struct san_cuda *one = open_model(0), *other = open_model(1);
    float input[MODEL_FLOATS], output[MODEL_FLOATS];
    assert_string_equal(san_cuda_device(other), "Mock GPU 1");
    fill(input, 1);
    assert_int_equal(san_cuda_run_host(other, input, output, NULL), 0);
    assert_int_equal(wrong(output, 1), 0);
    san_cuda_close(other);
    memset(output, 0, sizeof output);
    assert_int_equal(san_cuda_run_host(one, input, output, NULL), 0);
    assert_int_equal(wrong(output, 1), 0);
    san_cuda_close(one);
    assert_clean();
}

static void test_choice_of_target(void **state)
{
    (void)state;
    static const struct {
        int capability;
        const char *target;
    } rows[] = {{75, "nvptx:sm_75"}, {80, "nvptx:sm_80"},  {86, "nvptx:sm_80"},
                {89, "nvptx:sm_80"}, {90, "nvptx:sm_90a"}, {100, "nvptx:sm_90"},
                {120, "nvptx:sm_90"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        mock_devices(1, rows[i].capability);
        struct san_cuda *cuda = open_model(0);
        assert_string_equal(san_cuda_target(cuda), rows[i].target);
        san_cuda_close(cuda);
    }
    assert_clean();
}

/* A driver older than the strongest target takes a weaker one. */
static void test_old_drivers(void **state)
{
    (void)state;
    static const struct {
        int newest;
        const char *target;
    } rows[] = {
        {80, "nvptx:sm_90a"}, {78, "nvptx:sm_90"}, {77, "nvptx:sm_80"}, {63, "nvptx:sm_75"}};
    mock_devices(1, 90);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        float input[MODEL_FLOATS], output[MODEL_FLOATS];
        mock_ptx(rows[i].newest);
        struct san_cuda *cuda = open_model(0);
        assert_string_equal(san_cuda_target(cuda), rows[i].target);
        fill(input, 1);
        assert_int_equal(san_cuda_run_host(cuda, input, output, NULL), 0);
        assert_int_equal(wrong(output, 1), 0);
        san_cuda_close(cuda);
    }
    assert_clean();
}

/* Opening has to fail with this status and text, and leave nothing behind. */
static void refuses(const struct san_model *model, int device, int status, const char *text)
{
    struct san_cuda *cuda = (struct san_cuda *)&status;
    struct san_cuda_error error;
    assert_int_equal(san_cuda_open(model, device, &cuda, &error), status);
    assert_int_equal(error.status, status);
    assert_string_equal(error.text, text);
    assert_null(cuda);
    assert_int_equal(san_cuda_open(model, device, &cuda, NULL), status);
    assert_clean();
}

static void test_devices_refused(void **state)
{
    (void)state;
    refuses(&cuda_model, 1, SAN_CUDA_EDEVICE, "no device 1: the driver has 1");
    refuses(&cuda_model, -1, SAN_CUDA_EDEVICE, "no device -1: the driver has 1");
    mock_devices(1, 70);
    refuses(&cuda_model, 0, SAN_CUDA_EDEVICE,
            "Mock GPU 0 has compute capability 7.0, and model twice has code for nvptx:sm_75, "
            "nvptx:sm_80, nvptx:sm_90, nvptx:sm_90a alone");
    unsigned capability = 0;
    assert_int_equal(san_cuda_capability(0, &capability, NULL), 0);
    assert_int_equal(capability, 70);
    assert_int_equal(san_cuda_capability(1, &capability, NULL), SAN_CUDA_EDEVICE);
    assert_int_equal(san_cuda_capability(0, NULL, NULL), SAN_CUDA_EARGUMENT);
    mock_devices(0, 80);
    assert_int_equal(san_cuda_capability(0, &capability, NULL), SAN_CUDA_EDEVICE);
    refuses(&cuda_model, 0, SAN_CUDA_EDEVICE,
            "cuInit: CUDA_ERROR_NO_DEVICE (100): no CUDA-capable device is detected");
}

static void test_too_old_a_driver(void **state)
{
    (void)state;
    static const char refusal[] = "cuModuleLoadDataEx: CUDA_ERROR_UNSUPPORTED_PTX_VERSION (222): "
                                  "the provided PTX was compiled "
                                  "with an unsupported toolchain.; target nvptx:sm_";
    char text[1024];
    snprintf(text, sizeof text, "%s80\n%s75\nptxas fatal: a later .version", refusal, refusal);
    mock_ptx(62);
    refuses(&cuda_model, 0, SAN_CUDA_EDRIVER, text);
    /* errors that do not mean an old driver are no reason to try another target */
    mock_ptx(99);
    mock_fail("cuModuleLoadDataEx", 1, 2);
    struct san_cuda *cuda;
    assert_int_equal(san_cuda_open(&cuda_model, 0, &cuda, NULL), SAN_CUDA_EMEMORY);
    assert_int_equal(mock_calls("cuModuleLoadDataEx"), 1);
    assert_clean();
}

static void test_models_refused(void **state)
{
    (void)state;
    struct san_model model = cuda_model;
    struct san_gpu gpu = model_gpus[1];
    refuses(NULL, 0, SAN_CUDA_EARGUMENT, "model is null");
    assert_int_equal(san_cuda_open(&cuda_model, 0, NULL, NULL), SAN_CUDA_EARGUMENT);
    model.gpu_count = 0;
    refuses(&model, 0, SAN_CUDA_EDEVICE,
            "model twice has no code for GPUs: it has nvptx:sm_75,nvptx:sm_80");
    model.abi_version = 1;
    refuses(&model, 0, SAN_CUDA_EABI, "the model has ABI version 1, this runtime has 3");
    model = cuda_model;
    model.gpus = &gpu;
    model.gpu_count = 1;
    gpu.alignment = 512;
    refuses(&model, 0, SAN_CUDA_EABI,
            "model twice wants memory aligned to 512 bytes, the driver gives 256");
    gpu = model_gpus[1];
    gpu.ptx = "nonsense";
    refuses(&model, 0, SAN_CUDA_EDRIVER,
            "cuModuleLoadDataEx: CUDA_ERROR_INVALID_PTX (218): a PTX JIT compilation failed; "
            "target nvptx:sm_80\nptxas fatal: no .version or no .target");
    struct san_gpu_kernel kernel = {"mock_missing", 1, 1, 0};
    gpu = model_gpus[1];
    gpu.kernels = &kernel;
    gpu.kernel_count = 1;
    refuses(&model, 0, SAN_CUDA_EDRIVER,
            "cuModuleGetFunction: CUDA_ERROR_NOT_FOUND (500): named symbol not found; kernel "
            "mock_missing");
}

static void test_arguments_refused(void **state)
{
    (void)state;
    struct san_cuda *cuda = open_model(0);
    struct user user;
    struct san_cuda_error error;
    float there[MODEL_FLOATS];
    float *odd = (float *)((uintptr_t)there + 1);
    assert_int_equal(start_user(&user, 0), 0);
    assert_int_equal(san_cuda_run(NULL, there, there, NULL, &error), SAN_CUDA_EARGUMENT);
    assert_string_equal(error.text, "cuda is null");
    assert_int_equal(san_cuda_run(cuda, NULL, there, NULL, &error), SAN_CUDA_EARGUMENT);
    assert_string_equal(error.text, "input is null");
    assert_int_equal(san_cuda_run_host(cuda, there, NULL, &error), SAN_CUDA_EARGUMENT);
    assert_string_equal(error.text, "output is null");
    assert_int_equal(san_cuda_run_host(cuda, odd, there, &error), SAN_CUDA_EARGUMENT);
    assert_int_equal(san_cuda_run(cuda, there, odd, NULL, &error), SAN_CUDA_EARGUMENT);
    assert_string_equal(error.text, "input or output is not aligned as floats are");
    san_cuda_close(cuda);
    assert_int_equal(end_user(&user, 0), 0);
    assert_clean();
}

/* A run in the caller's capture happens whenever the graph is launched, between other runs. */
static void test_captured(void **state)
{
    (void)state;
    struct san_cuda *cuda = open_model(0);
    struct user user;
    struct san_cuda_error error;
    CUgraph graph;
    CUgraphExec executable;
    assert_int_equal(start_user(&user, 0), 0);
    const float *input = (const float *)(uintptr_t)user.input[0];
    float *output = (float *)(uintptr_t)user.output[0];
    assert_int_equal(cuStreamBeginCapture_v2(user.stream[0], CU_CAPTURE_RELAXED), 0);
    assert_int_equal(san_cuda_run(cuda, input, output, user.stream[0], &error), 0);
    assert_int_equal(cuStreamEndCapture(user.stream[0], &graph), 0);
    assert_int_equal(cuGraphInstantiateWithFlags(&executable, graph, 0), 0);
    for (int i = 0; i < 20; i++) {
        float host[MODEL_FLOATS] = {(float)i}, there[MODEL_FLOATS] = {(float)(100 + i)}, out[8];
        assert_int_equal(cuMemcpyHtoDAsync_v2(user.input[0], there, sizeof there, user.stream[0]),
                         0);
        assert_int_equal(cuGraphLaunch(executable, user.stream[0]), 0);
        assert_int_equal(san_cuda_run_host(cuda, host, host, &error), 0);
        assert_true(host[0] == (float)(i + MODEL_WEIGHT));
        assert_int_equal(cuGraphLaunch(executable, user.stream[0]), 0);
        assert_int_equal(cuMemcpyDtoHAsync_v2(out, user.output[0], sizeof out, user.stream[0]), 0);
        assert_int_equal(cuStreamSynchronize(user.stream[0]), 0);
        assert_true(out[0] == (float)(100 + i + MODEL_WEIGHT));
    }
    assert_int_equal(cuGraphExecDestroy(executable), 0);
    assert_int_equal(cuGraphDestroy(graph), 0);
    san_cuda_close(cuda);
    assert_int_equal(end_user(&user, 0), 0);
    assert_clean();
}

static void test_times(void **state)
{
    (void)state;
    struct san_cuda *cuda = open_model(0);
    struct san_cuda_error error;
    float host[MODEL_FLOATS] = {1}, ms[3] = {-1, -1, -1};
    assert_int_equal(san_cuda_kernels(cuda), 3);
    assert_string_equal(san_cuda_kernel_name(cuda, 2), "mock_add");
    assert_int_equal(san_cuda_time_kernels(cuda, NULL, ms, &error), SAN_CUDA_EARGUMENT);
    assert_int_equal(san_cuda_time_kernels(cuda, host, ms, &error), 0);
    for (int i = 0; i < 3; i++)
        assert_true(ms[i] >= 0 && ms[i] < 1e4F);
    san_cuda_close(cuda);
    assert_clean();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_captured, reset),
        cmocka_unit_test_setup(test_times, reset),
        cmocka_unit_test_setup(test_host_memory, reset),
        cmocka_unit_test_setup(test_any_number, reset),
        cmocka_unit_test_setup(test_streams, reset),
        cmocka_unit_test_setup(test_close_waits, reset),
        cmocka_unit_test_setup(test_threads, reset),
        cmocka_unit_test_setup(test_threads_open, reset),
        cmocka_unit_test_setup(test_two_devices, reset),
        cmocka_unit_test_setup(test_choice_of_target, reset),
        cmocka_unit_test_setup(test_devices_refused, reset),
        cmocka_unit_test_setup(test_models_refused, reset),
        cmocka_unit_test_setup(test_old_drivers, reset),
        cmocka_unit_test_setup(test_too_old_a_driver, reset),
        cmocka_unit_test_setup(test_arguments_refused, reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
