/* The page of a GPU's kernels: a table of how each is started, what it takes of a multiprocessor,
 * and what binds it; below, its loops and its PTX. No script.
 *
 * Registers are ptxas', where it is installed. Cycles are floors: what arithmetic, exponentials or
 * memory would take alone on the multiprocessors that have a block. */
#include "report_gpu.h"
#include "cost.h"
#include "cubin.h"
#include "memory.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Of a multiprocessor. */
enum {
    REGISTERS = 65536,
    REGISTERS_OF_WARP = 256 /* they are given out in multiples of */
};

/* Each cycle, on a multiprocessor: multiply-adds of matrix units, exponentials, bytes from memory;
 * as an A100 and an H100 have them. */
static const double MATRIX_FMAS = 512, EXPS = 16, MEMORY_BYTES = 12;

/* What a kernel takes, and what that allows. */
struct residence {
    int registers; /* of a thread; 0: not known */
    int64_t blocks, warps;
    const char *limit;
};

struct floors {
    double arithmetic, exps, memory, most;
    const char *binds;
};

static void put_html(const char *text, size_t size, FILE *out)
{
    for (const char *end = text + size; text < end; text++) {
        if (*text == '<')
            fputs("&lt;", out);
        else if (*text == '&')
            fputs("&amp;", out);
        else
            fputc(*text, out);
    }
}

/* The registers of a function in what `ptxas -v` says; 0: it does not say. */
static int registers_of(const char *said, const char *function)
{
    int found = 0;
    struct arena *arena = arena_new();
    const char *at = said ? strstr(said, arena_printf(arena, "'%s'", function)) : NULL;
    const char *used = at ? strstr(at, "Used ") : NULL;
    if (used)
        found = atoi(used + strlen("Used "));
    arena_free(arena);
    return found;
}

static void allow(struct residence *r, int64_t blocks, const char *limit)
{
    if (blocks < r->blocks) {
        r->blocks = blocks;
        r->limit = limit;
    }
}

static struct residence reside(const struct gpu *gpu, const struct launch *launch, int registers)
{
    int64_t warps = (launch->threads + WARP_THREADS - 1) / WARP_THREADS;
    struct residence r = {registers, gpu->blocks, 0, "blocks"};
    allow(&r, gpu->warps / warps, "threads");
    allow(&r, gpu_blocks_in_shared(gpu, launch->shared_bytes), "shared memory");
    int64_t each = ((int64_t)registers * WARP_THREADS + REGISTERS_OF_WARP - 1) / REGISTERS_OF_WARP *
                   REGISTERS_OF_WARP;
    if (registers)
        allow(&r, REGISTERS / (each * warps), "registers");
    allow(&r, (launch->blocks + gpu->processors - 1) / gpu->processors, "grid");
    r.warps = r.blocks * warps;
    return r;
}

static bool has_products(const struct stmt *stmt)
{
    for (; stmt; stmt = stmt->next)
        if (stmt->kind == STMT_FOR && (stmt->loop == LOOP_MATRIX || has_products(stmt->body)))
            return true;
    return false;
}

static struct floors floors_of(const struct gpu *gpu, const struct kernel *kernel,
                               const struct cost *cost, int64_t blocks)
{
    double each = has_products(kernel->body) ? MATRIX_FMAS : gpu->fmas;
    double used = (double)(blocks < gpu->processors ? blocks : gpu->processors);
    struct floors f = {(double)cost->flops / 2 / each / used, (double)cost->exps / EXPS / used,
                       (double)cost->bytes / MEMORY_BYTES / gpu->processors, 0, NULL};
    f.most = f.arithmetic;
    f.binds = has_products(kernel->body) ? "matrix units" : "FMA";
    if (f.exps > f.most) {
        f.most = f.exps;
        f.binds = "exponentials";
    }
    if (f.memory > f.most) {
        f.most = f.memory;
        f.binds = "memory";
    }
    return f;
}

static void put_row(const struct gpu_page *page, const struct kernel *kernel)
{
    const struct gpu *gpu = page->target->gpu;
    const struct launch launch = kernel_launch(kernel);
    struct cost cost = kernel->cost ? *kernel->cost : (struct cost){0};
    char *function = backend_gpu_function(page->module, kernel, page->target->name);
    struct residence r = reside(gpu, &launch, registers_of(page->said, function));
    struct floors f = floors_of(gpu, kernel, &cost, launch.blocks);
    fprintf(page->out, "<tr><td><a href=\"#%s\">%s</a><td>", kernel->name, kernel->name);
    put_html(kernel->label ? kernel->label : "", kernel->label ? strlen(kernel->label) : 0,
             page->out);
    fprintf(page->out, "<td>%" PRId64 "<td>%" PRId64 "<td>", launch.blocks, launch.threads);
    fprintf(page->out, r.registers ? "%d" : "–", r.registers);
    fprintf(page->out,
            "<td>%" PRId64 "<td>%" PRId64 "<td>%" PRId64 "%%<td>%s<td>%" PRId64 "<td>%" PRId64
            "<td>%.0f<td>%s%s\n",
            launch.shared_bytes, r.blocks, 100 * r.warps / gpu->warps, r.limit, cost.flops,
            cost.bytes, f.most, f.binds, launch.blocks < gpu->processors ? ", few blocks" : "");
    free(function);
}

/* The PTX of a function: from its name to the brace that ends it. */
static void put_code(const struct gpu_page *page, const struct kernel *kernel)
{
    char *function = backend_gpu_function(page->module, kernel, page->target->name);
    struct arena *arena = arena_new();
    char *text = NULL;
    size_t size;
    FILE *file = memory_stream(&text, &size);
    kernel_print(kernel, file);
    memory_stream_end(file);
    fprintf(page->out, "<h2 id=\"%s\">%s</h2>\n<details><summary>Loops</summary><pre>",
            kernel->name, kernel->name);
    put_html(text, size, page->out);
    fprintf(page->out, "</pre></details>\n<details><summary>PTX of %s</summary><pre>", function);
    const char *at = strstr(page->ptx, arena_printf(arena, ".entry %s(", function));
    const char *end = at ? strstr(at, "\n}") : NULL;
    if (end)
        put_html(at, (size_t)(end + 2 - at), page->out);
    fputs("</pre></details>\n", page->out);
    arena_free(arena);
    free(function);
    free(text);
}

static bool runs(const struct gpu_page *page, const struct kernel *kernel)
{
    return !kernel->target || strcmp(kernel->target, page->target->name) == 0;
}

static void put_head(const struct gpu_page *page)
{
    const struct module *m = page->module;
    fprintf(
        page->out,
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>%s</title>\n"
        "<style>\nbody { font: 14px sans-serif; margin: 1.5em; }\ntable { border-collapse: "
        "collapse; }\nth, td { padding: 2px 8px; text-align: right; border-bottom: 1px solid "
        "#ccc; }\nth:first-child, td:first-child, td:nth-child(2) { text-align: left; }\n"
        "</style>\n</head>\n<body>\n<h1>%s on %s</h1>\n",
        m->name, m->name, page->target->name);
    fprintf(page->out,
            "<p>Batches of %" PRId64 "; %" PRId64 " bytes of tensors. A floor is the cycles that "
            "arithmetic, exponentials or memory take alone, on %d multiprocessors or as many as "
            "there are blocks; what takes most of them binds. Blocks and occupancy are those of a "
            "multiprocessor, and what limits them.%s</p>\n",
            module_images(m), m->workspace_bytes, page->target->gpu->processors,
            page->said ? "" : " Registers are not known: there is no ptxas.");
    fputs("<table>\n<tr><th>kernel<th>layers<th>grid<th>block<th>registers<th>shared bytes"
          "<th>blocks<th>occupancy<th>limited by<th>FLOPs<th>bytes<th>floor, cycles<th>bound by\n",
          page->out);
}

void gpu_page_put(const struct gpu_page *page)
{
    put_head(page);
    for (const struct kernel *k = page->module->kernels; k; k = k->next)
        if (runs(page, k))
            put_row(page, k);
    fputs("</table>\n", page->out);
    for (const struct kernel *k = page->module->kernels; k; k = k->next)
        if (runs(page, k))
            put_code(page, k);
    fputs("</body>\n</html>\n", page->out);
}
