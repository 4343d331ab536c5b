#include "cubin.h"
#include "memory.h"
#include "tool.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { VERSION_TEXT = 64 };

/* As tool_run. */
static int run_ptxas(char *const *argument, char *said, size_t size)
{
    int ended = tool_run("ptxas", argument, said, size);
    if (ended < 0 && errno == ENOENT)
        ended = tool_run("/usr/local/cuda/bin/ptxas", argument, said, size);
    return ended;
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

/* A tool_make, of the GPU's name. */
static bool assemble(const void *context, const char *from, const char *to)
{
    const char *gpu = context;
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
    return tool_convert("kernels.ptx", ptx, "kernels.cubin", cubin, assemble, gpu);
}

enum { MOST_SAID = 1 << 20 };

struct reporting {
    const char *gpu;
    char *said;
};

/* A tool_make, of a reporting. */
static bool report(const void *context, const char *from, const char *to)
{
    const struct reporting *reporting = context;
    char option[64];
    snprintf(option, sizeof option, "--gpu-name=%s", reporting->gpu);
    char *argument[] = {"ptxas", option, "-v", "-o", (char *)to, (char *)from, NULL};
    return run_ptxas(argument, reporting->said, MOST_SAID) == 0;
}

char *cubin_report(const struct backend_file *ptx, const char *gpu)
{
    struct backend_file cubin = {0};
    struct reporting reporting = {gpu, allocate(MOST_SAID, 1)};
    reporting.said[0] = 0;
    enum status status =
        tool_convert("kernels.ptx", ptx, "kernels.cubin", &cubin, report, &reporting);
    free(cubin.data);
    if (status == STATUS_DONE)
        return reporting.said;
    free(reporting.said);
    return NULL;
}
