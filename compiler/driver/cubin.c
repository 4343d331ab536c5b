#include "cubin.h"
#include "file.h"
#include <errno.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static const size_t MOST_CUBIN_BYTES = (size_t)1 << 31;
enum { VERSION_TEXT = 64 };

/* Starts ptxas and waits for it. Returns its exit status, or -1 with errno where it cannot be run.
 * What it prints, on either stream, goes to `said`, as far as it fits. */
static int run_ptxas(char *const *argument, char *said, size_t size)
{
    static const char *const place[] = {"ptxas", "/usr/local/cuda/bin/ptxas"};
    int status = 0, error = ENOENT, ends[2];
    size_t used = 0;
    pid_t child;
    posix_spawn_file_actions_t actions;
    if (pipe(ends) < 0)
        return -1;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDERR_FILENO);
    posix_spawn_file_actions_addclose(&actions, ends[0]);
    for (size_t i = 0; i < sizeof place / sizeof *place && error == ENOENT; i++)
        error = posix_spawnp(&child, place[i], &actions, NULL, argument, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    for (;;) {
        char rest[512];
        bool fits = used < size - 1;
        ssize_t count =
            read(ends[0], fits ? said + used : rest, fits ? size - 1 - used : sizeof rest);
        if (count == 0 || (count < 0 && errno != EINTR))
            break;
        used += fits && count > 0 ? (size_t)count : 0;
    }
    said[used] = 0;
    close(ends[0]);
    errno = error;
    if (error)
        return -1;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

/* "13.0", of "Cuda compilation tools, release 13.0, V13.0.88". */
static const char *ptxas_version(char text[VERSION_TEXT])
{
    char said[1024] = "";
    char *argument[] = {"ptxas", "--version", NULL};
    run_ptxas(argument, said, sizeof said);
    const char *release = strstr(said, "release ");
    if (!release)
        return "of an unknown version";
    release += strlen("release ");
    snprintf(text, VERSION_TEXT, "%.*s", (int)strcspn(release, ", \n"), release);
    return text;
}

/* False with a message. */
static bool assemble(const char *gpu, const char *from, const char *to)
{
    char option[64], version[VERSION_TEXT], said[512] = "";
    snprintf(option, sizeof option, "--gpu-name=%s", gpu);
    char *argument[] = {"ptxas", option, "-o", (char *)to, (char *)from, NULL};
    int ended = run_ptxas(argument, said, sizeof said);
    if (ended < 0) {
        diag_error(NULL, 0, 0,
                   "a cubin needs ptxas of NVIDIA's CUDA toolkit, on the PATH or in "
                   "/usr/local/cuda/bin: %s",
                   strerror(errno));
        return false;
    }
    if (ended == 0)
        return true;
    said[strcspn(said, "\n")] = 0;
    diag_error(NULL, 0, 0, "ptxas %s does not assemble for nvptx:%s: %s", ptxas_version(version),
               gpu, said);
    return false;
}

enum status cubin_assemble(const struct backend_file *ptx, const char *gpu,
                           struct backend_file *cubin)
{
    char folder[4096], from[4128], to[4128];
    const char *base = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/sanc-XXXXXX", base && *base ? base : "/tmp");
    if (!mkdtemp(folder)) {
        diag_error(folder, 0, 0, "cannot be made: %s", strerror(errno));
        return STATUS_SYSTEM;
    }
    file_begin(folder);
    snprintf(from, sizeof from, "%s/kernels.ptx", folder);
    snprintf(to, sizeof to, "%s/kernels.cubin", folder);
    file_begin(from);
    file_begin(to);
    enum status status = file_write(from, ptx->data, ptx->size);
    if (status == STATUS_DONE && !assemble(gpu, from, to))
        status = STATUS_SYSTEM;
    if (status == STATUS_DONE)
        status = file_read(to, MOST_CUBIN_BYTES, &cubin->data, &cubin->size);
    unlink(from);
    unlink(to);
    rmdir(folder);
    file_end(to);
    file_end(from);
    file_end(folder);
    return status;
}
