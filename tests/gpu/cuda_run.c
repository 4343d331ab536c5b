/* Runs compiled models on a GPU in every way that san/cuda.h offers, in the end all models at once.
 *
 *     cuda_run DEVICE (MODEL.so SYMBOL INPUT OUTPUT)...
 *
 * INPUT holds float32 of whole batches, OUTPUT gets the results. Status 1: two ways give different
 * bits; 2: the command line is wrong; 4: there is no GPU, or a call failed, with its message. */
#include "cuda_driver.h"
#include <dlfcn.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DIFFERENT = 1, USAGE = 2, SYSTEM = 4, STREAMS = 3, SHARERS = 2, MOST_MODELS = 32 };

struct job {
    const struct san_model *model;
    struct san_cuda *cuda;
    const char *output_path;
    float *input, *output;
    size_t input_floats, output_floats; /* of a batch */
    size_t batches;
};

/* A thread that runs all batches of a job. */
struct caller {
    pthread_t thread;
    const struct job *job;
    struct san_cuda *cuda; /* the job's, or its own */
    int device, status;
};

static const struct driver *driver;

static int complain(const char *what, const char *why)
{
    fprintf(stderr, "cuda_run: %s: %s\n", what, why);
    return SYSTEM;
}

static int check(const struct san_cuda_error *error)
{
    return error->status ? complain("san_cuda", error->text) : 0;
}

static int same(const struct job *job, const float *output, size_t batch, const char *way)
{
    if (memcmp(output, job->output + batch * job->output_floats,
               job->output_floats * sizeof(float)) == 0)
        return 0;
    fprintf(stderr, "cuda_run: %s: batch %zu differs %s\n", job->model->name, batch, way);
    return DIFFERENT;
}

/* ---- ways to run ----------------------------------------------------------------------------- */

static int run_host(const struct job *job, struct san_cuda *cuda, size_t batch, float *output)
{
    struct san_cuda_error error;
    san_cuda_run_host(cuda, job->input + batch * job->input_floats, output, &error);
    return check(&error);
}

static int run_twice(const struct job *job)
{
    float *again = malloc(job->output_floats * sizeof(float));
    int status = again ? 0 : SYSTEM;
    for (size_t i = 0; i < job->batches && !status; i++)
        status = run_host(job, job->cuda, i, job->output + i * job->output_floats);
    for (size_t i = 0; i < job->batches && !status; i++) {
        status = run_host(job, job->cuda, i, again);
        status = status ? status : same(job, again, i, "the second time");
    }
    free(again);
    return status;
}

/* A stream with memory for one batch. */
struct lane {
    CUstream stream;
    CUdeviceptr input, output;
    float *result;
};

static int open_lane(struct lane *lane, const struct job *job)
{
    struct san_cuda_error error = {.status = 0};
    lane->result = malloc(job->output_floats * sizeof(float));
    if (!lane->result || CALL(driver, &error, cuStreamCreate, &lane->stream, 0) ||
        CALL(driver, &error, cuMemAlloc, &lane->input, job->input_floats * sizeof(float)) ||
        CALL(driver, &error, cuMemAlloc, &lane->output, job->output_floats * sizeof(float)))
        return complain("lane", error.text);
    return 0;
}

static void close_lane(struct lane *lane)
{
    driver->cuStreamDestroy(lane->stream);
    driver->cuMemFree(lane->input);
    driver->cuMemFree(lane->output);
    free(lane->result);
}

static int enqueue(const struct caller *caller, const struct lane *lane, size_t batch)
{
    const struct job *job = caller->job;
    struct san_cuda_error error = {.status = 0};
    if (!CALL(driver, &error, cuMemcpyHtoDAsync, lane->input,
              job->input + batch * job->input_floats, job->input_floats * sizeof(float),
              lane->stream) &&
        !san_cuda_run(caller->cuda, (const float *)(uintptr_t)lane->input,
                      (float *)(uintptr_t)lane->output, lane->stream, &error))
        CALL(driver, &error, cuMemcpyDtoHAsync, lane->result, lane->output,
             job->output_floats * sizeof(float), lane->stream);
    return check(&error);
}

/* As many batches as there are streams at once, from `first` on. */
static int run_lanes(const struct caller *caller, struct lane *lane, size_t first)
{
    const struct job *job = caller->job;
    struct san_cuda_error error = {.status = 0};
    int status = 0;
    for (size_t i = 0; i < STREAMS && !status; i++)
        status = enqueue(caller, &lane[i], (first + i) % job->batches);
    for (size_t i = STREAMS; i-- > 0 && !status;) {
        CALL(driver, &error, cuStreamSynchronize, lane[i].stream);
        status = check(&error);
        if (!status)
            status = same(job, lane[i].result, (first + i) % job->batches, "on streams");
    }
    return status;
}

static int run_in_context(const struct caller *caller)
{
    const struct job *job = caller->job;
    struct lane lane[STREAMS] = {{.stream = NULL}};
    float *output = malloc(job->output_floats * sizeof(float));
    int status = output ? 0 : SYSTEM;
    for (int i = 0; i < STREAMS && !status; i++)
        status = open_lane(&lane[i], job);
    for (size_t i = 0; i < job->batches && !status; i++) {
        status = run_lanes(caller, lane, i);
        if (!status)
            status = run_host(job, caller->cuda, i, output);
        if (!status)
            status = same(job, output, i, "beside other threads");
    }
    for (int i = 0; i < STREAMS; i++)
        close_lane(&lane[i]);
    free(output);
    return status;
}

static void *run_all(void *context)
{
    struct caller *caller = context;
    struct san_cuda_error error = {.status = 0};
    CUcontext primary, popped;
    if (CALL(driver, &error, cuDevicePrimaryCtxRetain, &primary, caller->device) ||
        CALL(driver, &error, cuCtxPushCurrent, primary)) {
        caller->status = check(&error);
        return NULL;
    }
    caller->status = run_in_context(caller);
    driver->cuCtxPopCurrent(&popped);
    driver->cuDevicePrimaryCtxRelease(caller->device);
    return NULL;
}

/* Two threads share each job's handle, a third has one of its own; all jobs at once. */
static int run_threads(struct job *job, int jobs, int device)
{
    static struct caller caller[MOST_MODELS * (SHARERS + 1)];
    int count = 0, status = 0;
    for (int i = 0; i < jobs * (SHARERS + 1) && !status; i++) {
        struct san_cuda_error error = {.status = 0};
        struct job *its = &job[i / (SHARERS + 1)];
        caller[i] = (struct caller){.job = its, .cuda = its->cuda, .device = device};
        if (i % (SHARERS + 1) == SHARERS)
            san_cuda_open(its->model, device, &caller[i].cuda, &error);
        status = check(&error);
        if (!status && pthread_create(&caller[i].thread, NULL, run_all, &caller[i]))
            status = complain("pthread_create", "no thread");
        count += !status;
    }
    for (int i = 0; i < count; i++) {
        pthread_join(caller[i].thread, NULL);
        status = status ? status : caller[i].status;
        if (caller[i].cuda != caller[i].job->cuda)
            san_cuda_close(caller[i].cuda);
    }
    return status;
}

/* ---- models and files ------------------------------------------------------------------------ */

static int read_input(struct job *job, const char *path)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        return complain(path, "cannot be read");
    fseek(file, 0, SEEK_END);
    size_t floats = (size_t)ftell(file) / sizeof(float);
    rewind(file);
    job->batches = floats / job->input_floats;
    job->input = malloc(floats * sizeof(float) + 1);
    job->output = calloc(job->batches * job->output_floats + 1, sizeof(float));
    bool whole = job->input && job->output && job->batches * job->input_floats == floats &&
                 floats && fread(job->input, sizeof(float), floats, file) == floats;
    fclose(file);
    return whole ? 0 : complain(path, "holds no whole batches");
}

static int open_job(struct job *job, char **words, int device)
{
    struct san_cuda_error error;
    void *library = dlopen(words[0], RTLD_NOW);
    job->model = library ? dlsym(library, words[1]) : NULL;
    if (!job->model)
        return complain(words[0], dlerror());
    const struct san_model *m = job->model;
    job->input_floats = (size_t)m->batch * m->channels * m->height * m->width;
    job->output_floats = (size_t)m->batch * m->classes;
    job->output_path = words[3];
    san_cuda_open(m, device, &job->cuda, &error);
    if (!error.status)
        printf("%s: %s on %s\n", m->name, san_cuda_target(job->cuda), san_cuda_device(job->cuda));
    return error.status ? check(&error) : read_input(job, words[2]);
}

static int write_output(const struct job *job)
{
    size_t floats = job->batches * job->output_floats;
    FILE *file = fopen(job->output_path, "wb");
    bool written = file && fwrite(job->output, sizeof(float), floats, file) == floats;
    if (file && fclose(file))
        written = false;
    return written ? 0 : complain(job->output_path, "cannot be written");
}

int main(int argc, char **argv)
{
    static struct job job[MOST_MODELS];
    struct san_cuda_error error;
    int jobs = (argc - 2) / 4, status = 0;
    if (argc < 6 || (argc - 2) % 4 || jobs > MOST_MODELS)
        return USAGE;
    driver = san_cuda_driver(&error);
    if (!driver)
        return check(&error);
    for (int i = 0; i < jobs && !status; i++)
        status = open_job(&job[i], argv + 2 + 4 * i, atoi(argv[1]));
    for (int i = 0; i < jobs && !status; i++)
        status = run_twice(&job[i]);
    if (!status)
        status = run_threads(job, jobs, atoi(argv[1]));
    for (int i = 0; i < jobs && !status; i++)
        status = write_output(&job[i]);
    for (int i = 0; i < jobs; i++) {
        san_cuda_close(job[i].cuda);
        free(job[i].input);
        free(job[i].output);
    }
    return status;
}
