#include "tool.h"
#include "file.h"
#include <errno.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static const size_t MOST_MADE_BYTES = (size_t)1 << 32;

/* Reads to the end, so that the program never waits for a reader. */
static void read_said(int from, char *said, size_t size)
{
    size_t used = 0;
    for (;;) {
        char rest[512];
        bool fits = used < size - 1;
        ssize_t count = read(from, fits ? said + used : rest, fits ? size - 1 - used : sizeof rest);
        if (count == 0 || (count < 0 && errno != EINTR))
            break;
        used += fits && count > 0 ? (size_t)count : 0;
    }
    said[used] = 0;
}

int tool_run(const char *program, char *const *argument, char *said, size_t size)
{
    int status = 0, ends[2];
    pid_t child;
    posix_spawn_file_actions_t actions;
    if (pipe(ends) < 0)
        return -1;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDERR_FILENO);
    posix_spawn_file_actions_addclose(&actions, ends[0]);
    int error = posix_spawnp(&child, program, &actions, NULL, argument, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    read_said(ends[0], said, size);
    close(ends[0]);
    errno = error;
    if (error)
        return -1;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

enum status tool_convert(const char *from_name, const struct backend_file *from,
                         const char *to_name, struct backend_file *to, tool_make *make,
                         const void *context)
{
    char folder[4096], from_path[4128], to_path[4128];
    const char *base = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/sanc-XXXXXX", base && *base ? base : "/tmp");
    if (!mkdtemp(folder)) {
        diag_error(folder, 0, 0, "cannot be made: %s", strerror(errno));
        return STATUS_SYSTEM;
    }
    file_begin(folder);
    snprintf(from_path, sizeof from_path, "%s/%s", folder, from_name);
    snprintf(to_path, sizeof to_path, "%s/%s", folder, to_name);
    file_begin(from_path);
    file_begin(to_path);
    enum status status = file_write(from_path, from->data, from->size);
    if (status == STATUS_DONE && !make(context, from_path, to_path))
        status = STATUS_SYSTEM;
    if (status == STATUS_DONE)
        status = file_read(to_path, MOST_MADE_BYTES, &to->data, &to->size);
    unlink(from_path);
    unlink(to_path);
    rmdir(folder);
    file_end(to_path);
    file_end(from_path);
    file_end(folder);
    return status;
}
