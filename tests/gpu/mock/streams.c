/* Streams, events, captures and graphs. Work is done only when somebody waits for it, a piece at a
 * time from alternating streams, so that nothing happens in order unless the program asked for it.
 */
#include "internal.h"
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MOST_STREAMS = 256 };

struct CUevent_st {
    struct object object;
    CUstream stream; /* recorded in; NULL: never */
    uint64_t number;
    bool timed;
    struct timespec when; /* it was reached last */
};

/* Also what CUgraphExec stands for. */
struct CUgraph_st {
    struct object object;
    struct work *works;
    int count;
};

static CUstream find_stream(CUstream stream, CUcontext context)
{
    if (stream)
        return mock_find(STREAM, stream, context);
    context->default_stream.object.context = context;
    return &context->default_stream;
}

void mock_free_stream(struct object *object)
{
    CUstream stream = (CUstream)object;
    while (stream->first) {
        struct work *work = stream->first;
        stream->first = work->next;
        free(work);
    }
    stream->last = NULL;
    stream->done = stream->enqueued; /* so that nobody waits for it any more */
}

void mock_free_graph(struct object *object)
{
    free(((CUgraph)object)->works);
}

/* ---- doing ----------------------------------------------------------------------------------- */

static bool may_run(const struct CUstream_st *stream)
{
    const struct work *work = stream->first;
    return work && (work->kind != WAIT || work->awaited->done >= work->awaited_number);
}

/* One of the context's streams that can do something; NULL: none can. */
static CUstream pick_stream(CUcontext context)
{
    CUstream ready[MOST_STREAMS];
    unsigned count = 0;
    if (may_run(&context->default_stream))
        ready[count++] = &context->default_stream;
    for (struct object *o = mock_objects(); o && count < MOST_STREAMS; o = o->next)
        if (o->kind == STREAM && o->alive && o->context == context && may_run((CUstream)o))
            ready[count++] = (CUstream)o;
    return count ? ready[mock_random() % count] : NULL;
}

static CUresult do_first(CUstream stream)
{
    struct work *work = stream->first;
    CUresult result = OK;
    if (work->kind == COPY)
        result = mock_copy(work);
    else if (work->kind == LAUNCH)
        result = mock_launch(&work->launch);
    else if (work->kind == RECORD && work->event->object.alive)
        clock_gettime(CLOCK_MONOTONIC, &work->event->when);
    stream->first = work->next;
    if (!stream->first)
        stream->last = NULL;
    stream->done = work->number;
    free(work);
    return result;
}

static CUresult run_until(CUstream stream, uint64_t number, CUcontext context)
{
    while (stream->done < number && !context->lost) {
        CUstream next = pick_stream(context);
        if (!next) {
            mock_violation("streams wait for each other");
            return LAUNCH_FAILED;
        }
        context->lost = do_first(next);
    }
    return context->lost;
}

static void append_work(CUgraph graph, const struct work *work)
{
    graph->works = realloc(graph->works, ((size_t)graph->count + 1) * sizeof *graph->works);
    if (!graph->works)
        abort();
    graph->works[graph->count++] = *work;
}

/* Into the graph that a stream is captured in. Events there must be said to be those outside. */
static CUresult capture_work(CUstream stream, const struct work *work)
{
    bool event = work->kind == WAIT || work->kind == RECORD;
    if (stream->capture == CAPTURING && event && !work->external)
        stream->capture = INVALIDATED;
    append_work(stream->captured, work);
    return stream->capture == CAPTURING ? OK : event ? CAPTURE_ISOLATION : CAPTURE_INVALIDATED;
}

/* Appends to a stream, or to the graph it is captured in. */
static CUresult enqueue(CUstream stream, const struct work *work)
{
    if (stream->capture)
        return capture_work(stream, work);
    struct work *copy = malloc(sizeof *copy);
    if (!copy)
        abort();
    *copy = *work;
    copy->number = ++stream->enqueued;
    copy->next = NULL;
    if (stream->last)
        stream->last->next = copy;
    else
        stream->first = copy;
    stream->last = copy;
    return OK;
}

/* ---- streams --------------------------------------------------------------------------------- */

CUresult cuStreamCreate(CUstream *stream, unsigned flags)
{
    ENTER("cuStreamCreate");
    if (flags & ~(unsigned)CU_STREAM_NON_BLOCKING)
        return INVALID_VALUE;
    *stream = mock_new(STREAM, sizeof **stream, current);
    return OK;
}

CUresult cuStreamDestroy_v2(CUstream stream)
{
    LOCK;
    bool known = current && mock_give_back(STREAM, stream, current);
    FAULT("cuStreamDestroy", true);
    if (!known)
        return INVALID_HANDLE;
    if (stream->first)
        mock_violation("a stream with work to do is destroyed");
    if (stream->capture && !stream->end_tried)
        mock_violation("a stream that is being captured is destroyed");
    mock_destroy(&stream->object);
    return OK;
}

CUresult cuStreamSynchronize(CUstream stream)
{
    ENTER("cuStreamSynchronize");
    stream = find_stream(stream, current);
    if (!stream)
        return INVALID_HANDLE;
    if (stream->capture) {
        stream->capture = INVALIDATED;
        return CAPTURE_UNSUPPORTED;
    }
    return run_until(stream, stream->enqueued, current);
}

static CUresult enqueue_wait(CUstream stream, CUevent event, bool external)
{
    if (!event->stream && !stream->capture)
        return OK;
    return enqueue(stream, &(struct work){.kind = WAIT,
                                          .event = event,
                                          .external = external,
                                          .awaited = event->stream,
                                          .awaited_number = event->number});
}

CUresult cuStreamWaitEvent(CUstream stream, CUevent event, unsigned flags)
{
    ENTER("cuStreamWaitEvent");
    stream = find_stream(stream, current);
    bool external = flags == CU_EVENT_WAIT_EXTERNAL;
    if (!stream || !mock_find(EVENT, event, current) || (flags && !external))
        return INVALID_HANDLE;
    if (external && !stream->capture)
        return INVALID_VALUE;
    return enqueue_wait(stream, event, external);
}

static CUresult enqueue_copy(CUstream stream, CUcontext context, const struct work *work)
{
    stream = find_stream(stream, context);
    return stream ? enqueue(stream, work) : INVALID_HANDLE;
}

CUresult cuMemcpyHtoDAsync_v2(CUdeviceptr to, const void *from, size_t bytes, CUstream stream)
{
    ENTER("cuMemcpyHtoDAsync");
    struct work work = {
        .kind = COPY, .to = (void *)(uintptr_t)to, .from = from, .bytes = bytes, .to_device = true};
    return enqueue_copy(stream, current, &work);
}

CUresult cuMemcpyDtoHAsync_v2(void *to, CUdeviceptr from, size_t bytes, CUstream stream)
{
    ENTER("cuMemcpyDtoHAsync");
    struct work work = {.kind = COPY,
                        .to = to,
                        .from = (const void *)(uintptr_t)from,
                        .bytes = bytes,
                        .from_device = true};
    return enqueue_copy(stream, current, &work);
}

CUresult cuMemcpyDtoDAsync_v2(CUdeviceptr to, CUdeviceptr from, size_t bytes, CUstream stream)
{
    ENTER("cuMemcpyDtoDAsync");
    struct work work = {.kind = COPY,
                        .to = (void *)(uintptr_t)to,
                        .from = (const void *)(uintptr_t)from,
                        .bytes = bytes,
                        .to_device = true,
                        .from_device = true};
    return enqueue_copy(stream, current, &work);
}

/* ---- events ---------------------------------------------------------------------------------- */

CUresult cuEventCreate(CUevent *event, unsigned flags)
{
    ENTER("cuEventCreate");
    if (flags & ~(unsigned)CU_EVENT_DISABLE_TIMING)
        return INVALID_VALUE;
    *event = mock_new(EVENT, sizeof **event, current);
    (*event)->timed = !(flags & CU_EVENT_DISABLE_TIMING);
    return OK;
}

CUresult cuEventDestroy_v2(CUevent event)
{
    LOCK;
    bool known = current && mock_give_back(EVENT, event, current);
    FAULT("cuEventDestroy", true);
    if (!known)
        return INVALID_HANDLE;
    mock_destroy(&event->object);
    return OK;
}

static CUresult record(CUevent event, CUstream stream, CUcontext context, bool external)
{
    stream = find_stream(stream, context);
    if (!stream || !mock_find(EVENT, event, context))
        return INVALID_HANDLE;
    CUresult result =
        enqueue(stream, &(struct work){.kind = RECORD, .event = event, .external = external});
    if (result || stream->capture)
        return result;
    event->stream = stream;
    event->number = stream->enqueued;
    return OK;
}

CUresult cuEventRecord(CUevent event, CUstream stream)
{
    ENTER("cuEventRecord");
    return record(event, stream, current, false);
}

CUresult cuEventRecordWithFlags(CUevent event, CUstream stream, unsigned flags)
{
    ENTER("cuEventRecordWithFlags");
    return flags == CU_EVENT_RECORD_EXTERNAL ? record(event, stream, current, true) : INVALID_VALUE;
}

CUresult cuEventSynchronize(CUevent event)
{
    ENTER("cuEventSynchronize");
    if (!mock_find(EVENT, event, current))
        return INVALID_HANDLE;
    return event->stream ? run_until(event->stream, event->number, current) : OK;
}

CUresult cuEventElapsedTime(float *milliseconds, CUevent begin, CUevent end)
{
    ENTER("cuEventElapsedTime");
    const CUevent event[] = {begin, end};
    for (int i = 0; i < 2; i++) {
        if (!mock_find(EVENT, event[i], current) || !event[i]->timed || !event[i]->stream)
            return INVALID_HANDLE;
        if (event[i]->stream->done < event[i]->number)
            return NOT_READY;
    }
    *milliseconds = (float)((double)(end->when.tv_sec - begin->when.tv_sec) * 1e3 +
                            (double)(end->when.tv_nsec - begin->when.tv_nsec) * 1e-6);
    return OK;
}

/* ---- captures and graphs --------------------------------------------------------------------- */

CUresult cuStreamIsCapturing(CUstream stream, int *status)
{
    ENTER("cuStreamIsCapturing");
    stream = find_stream(stream, current);
    if (!stream)
        return INVALID_HANDLE;
    *status = stream->capture;
    return OK;
}

CUresult cuStreamBeginCapture_v2(CUstream stream, int mode)
{
    ENTER("cuStreamBeginCapture");
    if (!mock_find(STREAM, stream, current)) /* the default stream cannot be captured */
        return CAPTURE_UNSUPPORTED;
    if (stream->capture || mode < 0 || mode > CU_CAPTURE_RELAXED)
        return INVALID_VALUE;
    if (mode != CU_CAPTURE_RELAXED)
        mock_violation("a capture that restricts what other code may call");
    stream->capture = CAPTURING;
    stream->end_tried = false;
    stream->captured = mock_new(GRAPH, sizeof *stream->captured, current);
    stream->captured->object.given_back = true; /* nobody else's yet */
    return OK;
}

CUresult cuStreamEndCapture(CUstream stream, CUgraph *graph)
{
    LOCK;
    bool known = mock_find(STREAM, stream, current);
    if (known)
        stream->end_tried = true;
    FAULT("cuStreamEndCapture", true);
    if (!known || !stream->capture)
        return CAPTURE_UNMATCHED;
    bool valid = stream->capture == CAPTURING;
    stream->capture = NOT_CAPTURING;
    *graph = NULL;
    if (!valid) {
        mock_destroy(&stream->captured->object);
        return CAPTURE_INVALIDATED;
    }
    *graph = stream->captured;
    (*graph)->object.given_back = false;
    return OK;
}

CUresult cuLaunchKernel(CUfunction function, unsigned grid_x, unsigned grid_y, unsigned grid_z,
                        unsigned block_x, unsigned block_y, unsigned block_z, unsigned shared_bytes,
                        CUstream stream, void **arguments, void **extra)
{
    ENTER("cuLaunchKernel");
    struct launch launch = {
        .function = function, .blocks = grid_x, .threads = block_x, .shared_bytes = shared_bytes};
    stream = find_stream(stream, current);
    if (!stream)
        return INVALID_HANDLE;
    if (grid_y != 1 || grid_z != 1 || block_y != 1 || block_z != 1 || extra)
        return INVALID_VALUE;
    for (int i = 0; i < 4; i++)
        memcpy(&launch.argument[i], arguments[i], sizeof launch.argument[i]);
    CUresult result = mock_check_launch(&launch, current);
    if (result)
        return result;
    return enqueue(stream, &(struct work){.kind = LAUNCH, .launch = launch});
}

CUresult cuGraphDestroy(CUgraph graph)
{
    LOCK;
    bool known = current && mock_give_back(GRAPH, graph, current);
    FAULT("cuGraphDestroy", true);
    if (!known)
        return INVALID_HANDLE;
    mock_destroy(&graph->object);
    return OK;
}

CUresult cuGraphInstantiateWithFlags(CUgraphExec *executable, CUgraph graph,
                                     unsigned long long flags)
{
    ENTER("cuGraphInstantiateWithFlags");
    if (!mock_find(GRAPH, graph, current) || flags)
        return INVALID_VALUE;
    CUgraph copy = mock_new(EXECUTABLE, sizeof *copy, current);
    for (int i = 0; i < graph->count; i++)
        append_work(copy, &graph->works[i]);
    *executable = (CUgraphExec)copy;
    return OK;
}

CUresult cuGraphUpload(CUgraphExec executable, CUstream stream)
{
    ENTER("cuGraphUpload");
    return mock_find(EXECUTABLE, executable, current) && find_stream(stream, current)
               ? OK
               : INVALID_HANDLE;
}

CUresult cuGraphExecDestroy(CUgraphExec executable)
{
    LOCK;
    struct object *object = current ? mock_give_back(EXECUTABLE, executable, current) : NULL;
    FAULT("cuGraphExecDestroy", true);
    if (!object)
        return INVALID_HANDLE;
    mock_destroy(object);
    return OK;
}

CUresult cuGraphLaunch(CUgraphExec executable, CUstream stream)
{
    ENTER("cuGraphLaunch");
    CUgraph graph = mock_find(EXECUTABLE, executable, current);
    stream = find_stream(stream, current);
    if (!graph || !stream)
        return INVALID_HANDLE;
    CUresult result = stream->capture ? CAPTURE_UNSUPPORTED : OK;
    for (int i = 0; i < graph->count && !result; i++) {
        const struct work *work = &graph->works[i];
        if (work->kind == WAIT)
            result = enqueue_wait(stream, work->event, false);
        else if (work->kind == RECORD)
            result = record(work->event, stream, current, false);
        else
            result = enqueue(stream, work);
    }
    return result;
}
