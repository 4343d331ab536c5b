/* Runs of a model that is on a GPU. */
#include "cuda_handle.h"

/* The handle refuses work from now on; what made it so first is remembered. */
static void lose(struct san_cuda *cuda, const struct san_cuda_error *error)
{
    if (!cuda->lost.status)
        cuda->lost = *error;
}

static int refuse(const struct san_cuda *cuda, struct san_cuda_error *error)
{
    san_cuda_fail(error, SAN_CUDA_ELOST, "the handle is lost since %s", cuda->lost.text);
    error->driver = cuda->lost.driver;
    return error->status;
}

/* What is left to read and write, one of each pair: in device memory, or in the host's. */
struct job {
    const char *host_input;
    char *host_output;
    CUdeviceptr input, output;
    size_t images;
    CUstream stream;
    bool captured; /* the stream is: the run becomes part of the caller's graph */
};

/* A job whose kernels are timed. */
struct timing {
    struct job job;
    float *milliseconds;
};

static int copy_input(const struct san_cuda *cuda, const struct job *job, size_t bytes,
                      struct san_cuda_error *error)
{
    if (job->host_input)
        return CALL(cuda->driver, error, cuMemcpyHtoDAsync, cuda->input, job->host_input, bytes,
                    job->stream);
    return CALL(cuda->driver, error, cuMemcpyDtoDAsync, cuda->input, job->input, bytes,
                job->stream);
}

static int copy_output(const struct san_cuda *cuda, const struct job *job, size_t bytes,
                       struct san_cuda_error *error)
{
    if (job->host_output)
        return CALL(cuda->driver, error, cuMemcpyDtoHAsync, job->host_output, cuda->output, bytes,
                    job->stream);
    return CALL(cuda->driver, error, cuMemcpyDtoDAsync, job->output, cuda->output, bytes,
                job->stream);
}

/* A graph cannot be launched into a capture, so there each kernel is. */
static int enqueue_kernels(const struct san_cuda *cuda, const struct job *job,
                           struct san_cuda_error *error)
{
    if (!job->captured)
        return CALL(cuda->driver, error, cuGraphLaunch, cuda->executable, job->stream);
    int status = 0;
    for (uint32_t i = 0; i < cuda->gpu->kernel_count && !status; i++)
        status = san_cuda_launch(cuda, i, job->stream, error);
    return status;
}

/* A batch, or what is left. Then the memory after these images holds older ones; what the kernels
 * make of them goes nowhere. */
static int enqueue_batch(const struct san_cuda *cuda, struct job *job, struct san_cuda_error *error)
{
    size_t batch = cuda->model->batch, images = job->images < batch ? job->images : batch;
    size_t input_bytes = cuda->input_bytes / batch * images;
    size_t output_bytes = cuda->output_bytes / batch * images;
    int status = copy_input(cuda, job, input_bytes, error);
    if (!status)
        status = enqueue_kernels(cuda, job, error);
    if (!status)
        status = copy_output(cuda, job, output_bytes, error);
    if (job->host_input) {
        job->host_input += input_bytes;
        job->host_output += output_bytes;
    } else {
        job->input += input_bytes;
        job->output += output_bytes;
    }
    job->images -= images;
    return status;
}

static int check_stream(const struct san_cuda *cuda, struct job *job, struct san_cuda_error *error)
{
    int capturing = CU_CAPTURE_NONE;
    int status = CALL(cuda->driver, error, cuStreamIsCapturing, job->stream, &capturing);
    if (!status && capturing != CU_CAPTURE_NONE && capturing != CU_CAPTURE_ACTIVE)
        status = san_cuda_fail(error, SAN_CUDA_EARGUMENT, "the stream's capture has failed");
    job->captured = capturing == CU_CAPTURE_ACTIVE;
    return status;
}

/* Waits on the device for the run before; in a graph, for the one before each launch of it. */
static int enqueue_begin(const struct san_cuda *cuda, const struct job *job,
                         struct san_cuda_error *error)
{
    if (!cuda->ran && !job->captured)
        return 0;
    return CALL(cuda->driver, error, cuStreamWaitEvent, job->stream, cuda->done,
                job->captured ? CU_EVENT_WAIT_EXTERNAL : 0);
}

static int end_captured(struct san_cuda *cuda, const struct job *job, int status,
                        struct san_cuda_error *error)
{
    if (!status)
        status = CALL(cuda->driver, error, cuEventRecordWithFlags, cuda->done, job->stream,
                      CU_EVENT_RECORD_EXTERNAL);
    cuda->ran = true; /* as soon as the graph has been launched */
    return status;
}

/* Ends a run with the event that the next run waits for. Where recording it fails, this waits
 * instead; where that fails too, later runs could overlap this one, so the handle is lost. */
static int enqueue_end(struct san_cuda *cuda, const struct job *job, int status,
                       struct san_cuda_error *error)
{
    CUresult result = cuda->driver->cuEventRecord(cuda->done, job->stream);
    cuda->ran |= !result;
    if (!result)
        return status;
    struct san_cuda_error failure;
    san_cuda_check(cuda->driver, &failure, "cuEventRecord", result);
    if (cuda->driver->cuStreamSynchronize(job->stream))
        failure.status = SAN_CUDA_ELOST;
    if (!status)
        *error = failure;
    if (error->status != SAN_CUDA_ELOST && failure.status == SAN_CUDA_ELOST)
        lose(cuda, &failure);
    return error->status;
}

/* In the handle's context, under its mutex. Every run waits, even one on the stream of the run
 * before: one stream handle may mean a stream for each thread, or a different stream than before.
 */
static int enqueue(struct san_cuda *cuda, void *what, struct san_cuda_error *error)
{
    struct job *job = what;
    int status = check_stream(cuda, job, error);
    if (!status)
        status = enqueue_begin(cuda, job, error);
    if (status)
        return status;
    while (!status && job->images)
        status = enqueue_batch(cuda, job, error);
    return job->captured ? end_captured(cuda, job, status, error)
                         : enqueue_end(cuda, job, status, error);
}

/* After failures too: copies of the caller's memory may be on their way. */
static int wait_for_host(const struct san_cuda *cuda, const struct job *job, int status,
                         struct san_cuda_error *error)
{
    if (!job->host_input)
        return status;
    CUresult result = cuda->driver->cuStreamSynchronize(job->stream);
    return status ? status : san_cuda_check(cuda->driver, error, "cuStreamSynchronize", result);
}

/* In the handle's context: enqueues a job, or times the kernels. */
typedef int doing(struct san_cuda *cuda, void *what, struct san_cuda_error *error);

/* Under the mutex. */
static int enter_and(struct san_cuda *cuda, doing *act, void *what, bool *entered,
                     CUcontext *before, struct san_cuda_error *error)
{
    pthread_mutex_lock(&cuda->mutex);
    int status = cuda->lost.status ? refuse(cuda, error) : san_cuda_enter(cuda, before, error);
    *entered = !status;
    if (*entered)
        status = act(cuda, what, error);
    pthread_mutex_unlock(&cuda->mutex);
    return status;
}

static int end(struct san_cuda *cuda, int status, const struct san_cuda_error *error)
{
    if (status == SAN_CUDA_ELOST) {
        pthread_mutex_lock(&cuda->mutex);
        lose(cuda, error);
        pthread_mutex_unlock(&cuda->mutex);
    }
    return status;
}

static int run(struct san_cuda *cuda, struct job *job, struct san_cuda_error *error)
{
    CUcontext before;
    bool entered;
    int status = enter_and(cuda, enqueue, job, &entered, &before, error);
    if (entered)
        status = san_cuda_leave(cuda, before, wait_for_host(cuda, job, status, error), error);
    return end(cuda, status, error);
}

static int check_pointers(const struct san_cuda *cuda, const void *input, const float *output,
                          struct san_cuda_error *error)
{
    const char *null = !cuda ? "cuda" : !input ? "input" : !output ? "output" : NULL;
    if (null)
        return san_cuda_fail(error, SAN_CUDA_EARGUMENT, "%s is null", null);
    uintptr_t input_alignment = cuda->model->input_type == SAN_U8 ? 1 : sizeof(float);
    if ((uintptr_t)input % input_alignment || (uintptr_t)output % sizeof(float))
        return san_cuda_fail(error, SAN_CUDA_EARGUMENT,
                             "input or output is not aligned as floats are");
    return 0;
}

int san_cuda_run_images(struct san_cuda *cuda, const void *input, float *output, size_t images,
                        void *stream, struct san_cuda_error *error)
{
    struct san_cuda_error unused;
    error = san_cuda_begin(error, &unused);
    if (!images || check_pointers(cuda, input, output, error))
        return error->status;
    struct job job = {
        .input = (uintptr_t)input, .output = (uintptr_t)output, .images = images, .stream = stream};
    return run(cuda, &job, error);
}

int san_cuda_run_images_host(struct san_cuda *cuda, const void *input, float *output, size_t images,
                             struct san_cuda_error *error)
{
    struct san_cuda_error unused;
    error = san_cuda_begin(error, &unused);
    if (!images || check_pointers(cuda, input, output, error))
        return error->status;
    struct job job = {.host_input = input,
                      .host_output = (char *)output,
                      .images = images,
                      .stream = cuda->stream};
    return run(cuda, &job, error);
}

int san_cuda_run(struct san_cuda *cuda, const void *input, float *output, void *stream,
                 struct san_cuda_error *error)
{
    return san_cuda_run_images(cuda, input, output, cuda ? cuda->model->batch : 1, stream, error);
}

int san_cuda_run_host(struct san_cuda *cuda, const void *input, float *output,
                      struct san_cuda_error *error)
{
    return san_cuda_run_images_host(cuda, input, output, cuda ? cuda->model->batch : 1, error);
}

/* Of what the input holds. */
static int time_job(struct san_cuda *cuda, void *what, struct san_cuda_error *error)
{
    struct timing *timing = what;
    int status = enqueue_begin(cuda, &timing->job, error);
    if (!status)
        status = copy_input(cuda, &timing->job, cuda->input_bytes, error);
    if (!status)
        status = san_cuda_time(cuda, timing->milliseconds, error);
    return enqueue_end(cuda, &timing->job, status, error);
}

int san_cuda_time_kernels(struct san_cuda *cuda, const void *input, float *milliseconds,
                          struct san_cuda_error *error)
{
    struct san_cuda_error unused;
    CUcontext before;
    bool entered;
    error = san_cuda_begin(error, &unused);
    if (check_pointers(cuda, input, milliseconds, error))
        return error->status;
    struct timing timing = {{.host_input = input, .stream = cuda->stream}, milliseconds};
    int status = enter_and(cuda, time_job, &timing, &entered, &before, error);
    if (entered)
        status = san_cuda_leave(cuda, before, status, error);
    return end(cuda, status, error);
}

const char *san_cuda_target(const struct san_cuda *cuda)
{
    return cuda->gpu->target;
}

const char *san_cuda_device(const struct san_cuda *cuda)
{
    return cuda->name;
}
