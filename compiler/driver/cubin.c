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

/* ptxas ends with 0. False with a message. */
static bool run_ptxas(const char *gpu, const char *from, const char *to)
{
    static const char *const place[] = {"ptxas", "/usr/local/cuda/bin/ptxas"};
    char option[64];
    snprintf(option, sizeof option, "--gpu-name=%s", gpu);
    char *argument[] = {"ptxas", option, "-o", (char *)to, (char *)from, NULL};
    int status = 0, error = ENOENT;
    pid_t child;
    for (size_t i = 0; i < sizeof place / sizeof *place && error == ENOENT; i++)
        error = posix_spawnp(&child, place[i], NULL, NULL, argument, environ);
    if (error) {
        diag_error(NULL, 0, 0,
                   "a cubin needs ptxas of NVIDIA's CUDA toolkit, on the PATH or in "
                   "/usr/local/cuda/bin: %s",
                   strerror(error));
        return false;
    }
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return true;
    diag_error(NULL, 0, 0, "ptxas failed for %s", gpu);
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
    snprintf(from, sizeof from, "%s/kernels.ptx", folder);
    snprintf(to, sizeof to, "%s/kernels.cubin", folder);
    enum status status = file_write(from, ptx->data, ptx->size);
    if (status == STATUS_DONE && !run_ptxas(gpu, from, to))
        status = STATUS_SYSTEM;
    if (status == STATUS_DONE)
        status = file_read(to, MOST_CUBIN_BYTES, &cubin->data, &cubin->size);
    unlink(from);
    unlink(to);
    rmdir(folder);
    return status;
}
