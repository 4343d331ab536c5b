/* The endpoints: GET / and /health, POST /classify.
 *
 * libmicrohttpd calls http_handle in one thread: once with a request's header, once for each piece
 * of its body, then until there is an answer. A picture goes to the queue and its connection sleeps
 * (is suspended) until a worker has the answer. */
#include "server.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const unsigned char page[] = {
#include "page.inc"
};

/* The page is one file: it loads nothing, and sends pictures to where it came from. */
#define PAGE_POLICY                                                                                \
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "                  \
    "connect-src 'self'; img-src blob:"

void request_fail(struct request *request, unsigned status, const char *format, ...)
{
    char text[ANSWER_BYTES / 2];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    for (char *c = text; *c; c++)
        if (*c == '"' || *c == '\\' || *c < ' ' || *c > '~')
            *c = '?';
    snprintf(request->answer, sizeof request->answer, "{\"error\": \"%s\"}\n", text);
    request->status = status;
}

static const char *header_of(struct MHD_Connection *connection, const char *name)
{
    return MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name);
}

/* Parameters after the type ("; charset=...") do not matter. */
static bool is_type(const char *type, const char *wanted)
{
    size_t length = strlen(wanted);
    return type && strncasecmp(type, wanted, length) == 0 && strchr("; ", type[length]);
}

static void judge_classify(struct request *request, const struct server *server, const char *method)
{
    const char *type = header_of(request->connection, MHD_HTTP_HEADER_CONTENT_TYPE);
    request->png = is_type(type, "image/png");
    if (strcmp(method, MHD_HTTP_METHOD_POST) != 0) {
        request->allow = "POST";
        request_fail(request, MHD_HTTP_METHOD_NOT_ALLOWED, "/classify takes POST");
    } else if (request->early == TOO_LARGE) {
        request_fail(request, MHD_HTTP_CONTENT_TOO_LARGE, "the body may have at most %lu bytes",
                     server->max_bytes);
    } else if (request->early || !header_of(request->connection, MHD_HTTP_HEADER_CONTENT_LENGTH)) {
        request_fail(request, MHD_HTTP_LENGTH_REQUIRED, "/classify needs a Content-Length");
    } else if (!request->png && !is_type(type, "application/octet-stream")) {
        request_fail(request, MHD_HTTP_UNSUPPORTED_MEDIA_TYPE,
                     "/classify takes image/png and application/octet-stream");
    }
}

static void answer_health(struct request *request, struct server *server)
{
    bool ok = !atomic_load(&server->ending);
    snprintf(request->answer, sizeof request->answer,
             "{\"ok\": %s, \"model\": \"%s\", \"queue\": %u, \"queue_limit\": %u, "
             "\"requests\": %lu}\n",
             ok ? "true" : "false", network_name(), queue_length(server->queue),
             queue_limit(server->queue), atomic_load(&server->answered));
    request->status = ok ? MHD_HTTP_OK : MHD_HTTP_SERVICE_UNAVAILABLE;
}

/* What the header alone decides: all but pictures. */
static void judge(struct request *request, struct server *server, const char *url,
                  const char *method)
{
    request->page = strcmp(url, "/") == 0;
    if (strcmp(url, "/classify") == 0) {
        judge_classify(request, server, method);
    } else if (!request->page && strcmp(url, "/health") != 0) {
        request_fail(request, MHD_HTTP_NOT_FOUND, "there are /, /health and /classify");
    } else if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 &&
               strcmp(method, MHD_HTTP_METHOD_HEAD) != 0) {
        request->page = false;
        request->allow = "GET, HEAD";
        request_fail(request, MHD_HTTP_METHOD_NOT_ALLOWED, "%s takes GET", url);
    } else if (request->page) {
        request->status = MHD_HTTP_OK;
    } else {
        answer_health(request, server);
    }
}

void http_begin(struct server *server)
{
    size_t unit = _Alignof(struct request);
    size_t bytes = (sizeof(struct request) + server->max_bytes + unit - 1) / unit * unit;
    server->requests = calloc(MOST_CONNECTIONS, bytes);
    for (size_t i = 0; server->requests && i < MOST_CONNECTIONS; i++) {
        struct request *request = (struct request *)((char *)server->requests + i * bytes);
        request->next = server->unused;
        server->unused = request;
    }
}

void http_end(struct server *server)
{
    free(server->requests);
}

/* There is one for each connection that may be open. */
static struct request *request_begin(struct server *server, struct MHD_Connection *connection,
                                     const char *url, const char *method)
{
    const char *length = header_of(connection, MHD_HTTP_HEADER_CONTENT_LENGTH);
    unsigned long long bytes = length ? strtoull(length, NULL, 10) : 0;
    enum early early = bytes > server->max_bytes                                  ? TOO_LARGE
                       : header_of(connection, MHD_HTTP_HEADER_TRANSFER_ENCODING) ? NO_LENGTH
                                                                                  : NOT_EARLY;
    if (early)
        bytes = 0;
    struct request *request = server->unused;
    server->unused = request->next;
    *request = (struct request){.connection = connection, .early = early, .bytes = bytes};
    atomic_fetch_add(&server->open, 1);
    judge(request, server, url, method);
    return request;
}

static struct MHD_Response *response_of(struct request *request)
{
    struct MHD_Response *response;
    if (request->page)
        response =
            MHD_create_response_from_buffer(sizeof page, (void *)page, MHD_RESPMEM_PERSISTENT);
    else
        response = MHD_create_response_from_buffer(strlen(request->answer), request->answer,
                                                   MHD_RESPMEM_MUST_COPY);
    return response;
}

static enum MHD_Result request_answer(struct server *server, struct request *request)
{
    struct MHD_Response *response = response_of(request);
    if (!response)
        return MHD_NO;
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE,
                            request->page ? "text/html; charset=utf-8" : "application/json");
    MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    if (request->page)
        MHD_add_response_header(response, "Content-Security-Policy", PAGE_POLICY);
    if (request->allow)
        MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, request->allow);
    if (request->status == MHD_HTTP_SERVICE_UNAVAILABLE)
        MHD_add_response_header(response, MHD_HTTP_HEADER_RETRY_AFTER, "1");
    if (request->early || atomic_load(&server->ending))
        MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
    enum MHD_Result result = MHD_queue_response(request->connection, request->status, response);
    MHD_destroy_response(response);
    atomic_fetch_add(&server->answered, 1);
    return result;
}

/* A worker resumes the connection; where the queue is full, this does. */
static void request_enqueue(struct server *server, struct request *request)
{
    MHD_suspend_connection(request->connection);
    if (queue_push(server->queue, request))
        return;
    request_fail(request, MHD_HTTP_SERVICE_UNAVAILABLE, "the queue of %u requests is full",
                 queue_limit(server->queue));
    MHD_resume_connection(request->connection);
}

enum MHD_Result http_handle(void *context, struct MHD_Connection *connection, const char *url,
                            const char *method, const char *version, const char *upload,
                            size_t *upload_bytes, void **state)
{
    (void)version;
    struct server *server = context;
    struct request *request = *state;
    if (!request) {
        *state = request = request_begin(server, connection, url, method);
        return request->early ? request_answer(server, request) : MHD_YES;
    }
    if (*upload_bytes) {
        size_t room = request->bytes - request->received;
        size_t bytes = *upload_bytes < room ? *upload_bytes : room;
        memcpy(request->body + request->received, upload, bytes);
        request->received += bytes;
        *upload_bytes = 0;
        return MHD_YES;
    }
    if (request->status)
        return request_answer(server, request);
    request_enqueue(server, request);
    return MHD_YES;
}

void http_completed(void *context, struct MHD_Connection *connection, void **state,
                    enum MHD_RequestTerminationCode code)
{
    (void)connection;
    (void)code;
    struct server *server = context;
    struct request *request = *state;
    if (!request)
        return;
    request->next = server->unused;
    server->unused = request;
    *state = NULL;
    atomic_fetch_sub(&server->open, 1);
}
