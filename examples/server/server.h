/* What the files of the server share: server.c starts and ends it, http.c speaks HTTP, queue.c has
 * the workers, network.c knows the network. */
#ifndef SERVER_H
#define SERVER_H
#include <microhttpd.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

enum {
    ANSWER_BYTES = 2048,
    MOST_CONNECTIONS = 256 /* more wait until one of these ends */
};

/* Answered before the body is read, which ends the connection. */
enum early { NOT_EARLY, TOO_LARGE, NO_LENGTH };

/* From its header to the last byte of its answer. The thread of libmicrohttpd owns it, except while
 * it is in the queue or with a worker: then its connection is suspended. */
struct request {
    struct request *next; /* of the unused ones */
    struct MHD_Connection *connection;
    unsigned status; /* of the answer; 0: there is none yet */
    bool page;       /* the answer is the page, not answer[] */
    bool png;        /* what the body is; otherwise bytes */
    enum early early;
    const char *allow;
    char answer[ANSWER_BYTES]; /* JSON */
    size_t received, bytes;    /* of the body */
    unsigned char body[];
};

struct server {
    struct queue *queue;
    struct request *requests; /* [MOST_CONNECTIONS], each with room for max_bytes */
    struct request *unused;   /* for the thread of libmicrohttpd alone */
    unsigned long max_bytes;  /* of a body */
    atomic_ulong answered;    /* since the start */
    atomic_uint open;         /* requests that have begun and not ended */
    atomic_bool ending;       /* connections end with the next answer */
};

/* network.c. What is specific to the network: its name, a workspace for one thread (NULL: no
 * memory), and the answer to a picture. */
const char *network_name(void);
void *network_workspace(void);
void network_answer(struct request *request, void *workspace);

/* The request gets {"error": ...} with the text as printf makes it. */
void request_fail(struct request *request, unsigned status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* queue.c. Workers, each with a workspace, and at most `limit` requests that wait for one. NULL: no
 * memory. A worker answers a request and resumes its connection. */
struct queue *queue_new(unsigned limit, unsigned workers);
bool queue_begin(struct queue *queue);                         /* false: no threads */
bool queue_push(struct queue *queue, struct request *request); /* false: full, or ended */
unsigned queue_length(struct queue *queue);
unsigned queue_limit(const struct queue *queue);
void queue_end(struct queue *queue); /* after what waits in it has its answer */
void queue_free(struct queue *queue);

/* http.c. The server's memory for requests; they are NULL where there is too little. */
void http_begin(struct server *server);
void http_end(struct server *server);

/* Callbacks of libmicrohttpd; context is the server. */
enum MHD_Result http_handle(void *context, struct MHD_Connection *connection, const char *url,
                            const char *method, const char *version, const char *upload,
                            size_t *upload_bytes, void **state);
void http_completed(void *context, struct MHD_Connection *connection, void **state,
                    enum MHD_RequestTerminationCode code);
#endif
