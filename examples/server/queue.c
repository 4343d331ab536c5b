/* A queue of fixed length between the thread that speaks HTTP and a fixed number of workers. */
#include "server.h"
#include <pthread.h>
#include <stdlib.h>

struct worker {
    pthread_t thread;
    struct queue *queue;
    void *workspace; /* of its own: workers share nothing but the queue */
};

struct queue {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool ending;
    unsigned first, length, limit;
    unsigned workers, begun;
    struct request **ring; /* [limit] */
    struct worker *worker; /* [workers] */
};

bool queue_push(struct queue *queue, struct request *request)
{
    pthread_mutex_lock(&queue->mutex);
    bool fits = queue->length < queue->limit && !queue->ending;
    if (fits)
        queue->ring[(queue->first + queue->length++) % queue->limit] = request;
    pthread_mutex_unlock(&queue->mutex);
    if (fits)
        pthread_cond_signal(&queue->changed);
    return fits;
}

/* Waits for a request; NULL: the queue has ended and is empty. */
static struct request *queue_pop(struct queue *queue)
{
    struct request *request = NULL;
    pthread_mutex_lock(&queue->mutex);
    while (!queue->length && !queue->ending)
        pthread_cond_wait(&queue->changed, &queue->mutex);
    if (queue->length) {
        request = queue->ring[queue->first];
        queue->first = (queue->first + 1) % queue->limit;
        queue->length--;
    }
    pthread_mutex_unlock(&queue->mutex);
    return request;
}

unsigned queue_length(struct queue *queue)
{
    pthread_mutex_lock(&queue->mutex);
    unsigned length = queue->length;
    pthread_mutex_unlock(&queue->mutex);
    return length;
}

unsigned queue_limit(const struct queue *queue)
{
    return queue->limit;
}

/* Once resumed, a request may be gone at any moment. */
static void *work(void *argument)
{
    struct worker *worker = argument;
    struct request *request;
    while ((request = queue_pop(worker->queue))) {
        network_answer(request, worker->workspace);
        MHD_resume_connection(request->connection);
    }
    return NULL;
}

bool queue_begin(struct queue *queue)
{
    for (; queue->begun < queue->workers; queue->begun++) {
        struct worker *worker = &queue->worker[queue->begun];
        if (pthread_create(&worker->thread, NULL, work, worker) != 0) {
            queue_end(queue);
            return false;
        }
    }
    return true;
}

void queue_end(struct queue *queue)
{
    pthread_mutex_lock(&queue->mutex);
    queue->ending = true;
    pthread_mutex_unlock(&queue->mutex);
    pthread_cond_broadcast(&queue->changed);
    for (unsigned i = 0; i < queue->begun; i++)
        pthread_join(queue->worker[i].thread, NULL);
    queue->begun = 0;
}

struct queue *queue_new(unsigned limit, unsigned workers)
{
    struct queue *queue = calloc(1, sizeof *queue);
    if (!queue)
        return NULL;
    pthread_mutex_init(&queue->mutex, NULL);
    pthread_cond_init(&queue->changed, NULL);
    queue->limit = limit;
    queue->workers = workers;
    queue->ring = calloc(limit, sizeof(struct request *));
    queue->worker = calloc(workers, sizeof *queue->worker);
    bool whole = queue->ring && queue->worker;
    for (unsigned i = 0; whole && i < workers; i++) {
        queue->worker[i] = (struct worker){.queue = queue, .workspace = network_workspace()};
        whole = queue->worker[i].workspace != NULL;
    }
    if (whole)
        return queue;
    queue_free(queue);
    return NULL;
}

void queue_free(struct queue *queue)
{
    if (!queue)
        return;
    for (unsigned i = 0; queue->worker && i < queue->workers; i++)
        free(queue->worker[i].workspace);
    pthread_cond_destroy(&queue->changed);
    pthread_mutex_destroy(&queue->mutex);
    free(queue->ring);
    free(queue->worker);
    free(queue);
}
