/* An HTTP server on this machine that says which digit a picture shows.
 *
 *   server [--port N] [--threads N] [--queue N] [--max-bytes N]
 *
 * SIGTERM and SIGINT end it, after every request that it has begun to read has its answer. */
#include "server.h"
#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    CONNECTION_BYTES = 16 << 10, /* memory for headers and what goes in and out */
    IDLE_SECONDS = 10,           /* a connection without a byte for so long is closed */
    ENDING_SECONDS = 20
};

struct options {
    unsigned long port, threads, queue, max_bytes;
};

struct option {
    const char *name;
    unsigned long *value, least, most;
};

static bool option_read(const struct option *option, const char *text)
{
    char *end = NULL;
    errno = 0;
    *option->value = text && *text >= '0' && *text <= '9' ? strtoul(text, &end, 10) : 0;
    if (end && !*end && !errno && *option->value >= option->least && *option->value <= option->most)
        return true;
    fprintf(stderr, "server: %s must be a number from %lu to %lu\n", option->name, option->least,
            option->most);
    return false;
}

static bool options_read(struct options *options, char **argv)
{
    const struct option known[] = {{"--port", &options->port, 0, 65535},
                                   {"--threads", &options->threads, 1, 1024},
                                   {"--queue", &options->queue, 1, 65536},
                                   {"--max-bytes", &options->max_bytes, 1, 1ul << 30}};
    for (char **word = argv + 1; *word; word += 2) {
        const struct option *option = NULL;
        for (size_t i = 0; i < sizeof known / sizeof *known; i++)
            option = strcmp(*word, known[i].name) == 0 ? &known[i] : option;
        if (!option) {
            fprintf(stderr,
                    "server: unknown option %s\nusage: server [--port N] [--threads N] "
                    "[--queue N] [--max-bytes N]\n",
                    *word);
            return false;
        }
        if (!option_read(option, word[1]))
            return false;
    }
    return true;
}

/* With poll, not epoll: there libmicrohttpd 0.9.75 does not see that a client is gone whose last
 * bytes came together with the end of its connection. */
static struct MHD_Daemon *listen_on(unsigned port, struct server *server)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return MHD_start_daemon(MHD_USE_POLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL,
                            http_handle, server, MHD_OPTION_SOCK_ADDR, &address,
                            MHD_OPTION_NOTIFY_COMPLETED, http_completed, server,
                            MHD_OPTION_CONNECTION_LIMIT, (unsigned)MOST_CONNECTIONS,
                            MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_BYTES,
                            MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_SECONDS, MHD_OPTION_END);
}

static void pause_milliseconds(long milliseconds)
{
    const struct timespec pause = {.tv_nsec = milliseconds * 1000000};
    nanosleep(&pause, NULL);
}

/* For a moment requests are still taken, so that what was sent before the signal is read. Then those
 * that have begun get their answers. One that takes too long to arrive is given up. */
static void end(struct server *server, struct MHD_Daemon *daemon)
{
    atomic_store(&server->ending, true);
    pause_milliseconds(200);
    close(MHD_quiesce_daemon(daemon));
    printf("ending: %u requests are not answered yet\n", atomic_load(&server->open));
    fflush(stdout);
    for (int i = 0; i < ENDING_SECONDS * 100 && atomic_load(&server->open); i++)
        pause_milliseconds(10);
    queue_end(server->queue);
    MHD_stop_daemon(daemon);
}

/* Blocked in every thread, so that sigwait alone sees them. */
static void block_signals(sigset_t *signals)
{
    sigemptyset(signals);
    sigaddset(signals, SIGTERM);
    sigaddset(signals, SIGINT);
    pthread_sigmask(SIG_BLOCK, signals, NULL);
    signal(SIGPIPE, SIG_IGN);
}

static bool serve(struct server *server, unsigned port)
{
    sigset_t signals;
    block_signals(&signals);
    if (!server->queue || !server->requests || !queue_begin(server->queue)) {
        fprintf(stderr, "server: not enough memory or threads\n");
        return false;
    }
    struct MHD_Daemon *daemon = listen_on(port, server);
    if (!daemon) {
        fprintf(stderr, "server: cannot listen on 127.0.0.1:%u: %s\n", port, strerror(errno));
        queue_end(server->queue);
        return false;
    }
    const union MHD_DaemonInfo *bound = MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT);
    printf("%s on http://127.0.0.1:%u\n", network_name(), (unsigned)bound->port);
    fflush(stdout);
    int received;
    sigwait(&signals, &received);
    end(server, daemon);
    return true;
}

int main(int argc, char **argv)
{
    (void)argc;
    struct options options = {.port = 8080, .threads = 2, .queue = 64, .max_bytes = 64 << 10};
    if (!options_read(&options, argv))
        return 2;
    struct server server = {.max_bytes = options.max_bytes};
    server.queue = queue_new((unsigned)options.queue, (unsigned)options.threads);
    http_begin(&server);
    bool served = serve(&server, (unsigned)options.port);
    http_end(&server);
    queue_free(server.queue);
    return served ? 0 : 1;
}
