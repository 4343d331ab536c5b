/* Shared by the files of the stand-in driver. One lock protects all of it. */
#ifndef MOCK_INTERNAL_H
#define MOCK_INTERNAL_H
#include "mock.h"
#include <stdbool.h>
#include <stdint.h>

enum {
    OK = 0,
    INVALID_VALUE = 1,
    NO_BINARY = 209,
    INVALID_PTX = 218,
    UNSUPPORTED_PTX = 222,
    INVALID_HANDLE = 400,
    NOT_FOUND = 500,
    NOT_READY = 600,
    ILLEGAL_ADDRESS = 700,
    LAUNCH_FAILED = 719,
    CAPTURE_UNSUPPORTED = 900,
    CAPTURE_INVALIDATED = 901,
    CAPTURE_UNMATCHED = 903,
    CAPTURE_ISOLATION = 905,
    MOST_DEVICES = 4,
};

enum kind { MEMORY, MODULE, STREAM, EVENT, GRAPH, EXECUTABLE, KINDS };

/* The beginning of each object with a handle. Destroyed objects stay in the list, so that later
 * uses of their handles are recognised. */
struct object {
    struct object *next;
    enum kind kind;
    CUcontext context;
    bool alive, given_back; /* given_back: a call to free it was made, even if that failed */
};

struct launch {
    CUfunction function;
    unsigned blocks, threads, shared_bytes;
    void *argument[4]; /* input, output, workspace, weights: see san/abi.h */
};

/* What a stream has to do, in order. */
struct work {
    enum { COPY, LAUNCH, RECORD, WAIT } kind;
    struct work *next;
    uint64_t number; /* in its stream, from 1 */
    void *to;
    const void *from;
    size_t bytes;
    bool to_device, from_device;
    CUevent event; /* of a RECORD or a WAIT */
    bool external; /* in a graph: of the event as it is when the graph runs */
    struct launch launch;
    CUstream awaited; /* until its work up to this number is done */
    uint64_t awaited_number;
};

struct CUstream_st {
    struct object object;
    struct work *first, *last;
    uint64_t enqueued, done;
    enum { NOT_CAPTURING, CAPTURING, INVALIDATED } capture;
    bool end_tried; /* of the capture */
    CUgraph captured;
};

struct CUctx_st {
    CUdevice device;
    int retained, releases_failed;
    CUresult lost;
    struct CUstream_st default_stream;
};

/* LOCK holds the lock until the function returns; `current` is the thread's context. FAULT counts
 * the call and ends it where it is to fail; ENTER is both, for what needs a context that is not
 * lost. */
#define LOCK __attribute__((cleanup(mock_unlock))) CUcontext current = mock_lock()
#define FAULT(function, needs_context)                                                             \
    do {                                                                                           \
        CUresult fault = mock_enter(function, current, needs_context);                             \
        if (fault)                                                                                 \
            return fault;                                                                          \
    } while (0)
#define ENTER(function)                                                                            \
    LOCK;                                                                                          \
    FAULT(function, true)
CUcontext mock_lock(void);
void mock_unlock(CUcontext *current);
CUresult mock_enter(const char *function, CUcontext current, bool needs_context);

__attribute__((format(printf, 1, 2))) void mock_violation(const char *format, ...);

/* Appends a new object of the current context to the list; ends the program without memory. */
void *mock_new(enum kind kind, size_t bytes, CUcontext context);
/* The handle's object, if it is alive and of this context; else NULL. */
void *mock_find(enum kind kind, const void *handle, CUcontext context);
/* For calls that free it, whether they fail or not; NULL as above, which counts as a violation. */
void *mock_give_back(enum kind kind, const void *handle, CUcontext context);
void mock_destroy(struct object *object);
struct object *mock_objects(void);

uint64_t mock_random(void);
/* version: 63 for 6.3 */
bool mock_takes_ptx(int version);
int mock_capability(void); /* of the devices, 80 for 8.0 */

/* kernels.c: the kernels, and memory that they work on. */
CUresult mock_copy(const struct work *work);
CUresult mock_check_launch(const struct launch *launch, CUcontext context);
CUresult mock_launch(const struct launch *launch);
void mock_free_memory(struct object *object);
void mock_free_module(struct object *object);

/* streams.c */
void mock_free_stream(struct object *object);
void mock_free_graph(struct object *object);
#endif
