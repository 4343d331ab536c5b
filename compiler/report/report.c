/* The data of the page, as JSON. page.css and page.js say how it looks.
 *
 *   predictions, loops, assembly, buffers     of this module
 *   the profile                               as `sanc bench --kernels --json` wrote it
 *
 * The page finds a loop of the text and of the assembly by the name of its variable. */
#include "report.h"
#include "bench.h"
#include "cost.h"
#include "cubin.h"
#include "escape.h"
#include "file.h"
#include "json.h"
#include "memory.h"
#include "report_css.h"
#include "report_gpu.h"
#include "report_html.h"
#include "report_js.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct page {
    FILE *out;
    const struct module *module;
    const struct target *target;
    struct predictions predictions;
    const char *assembly; /* of the kernels still to come */
};

/* ---- kernels --------------------------------------------------------------------------------- */

/* Cycles and runs of a loop's own statements, by the loop's variable ("": the kernel's body). */
static void put_loops(const struct page *page, const struct prediction *prediction)
{
    fprintf(page->out, "\"loops\":[");
    for (int i = 0; i < prediction->loops; i++) {
        const struct loop_cost *loop = &prediction->loop[i];
        const char *parent = loop->parent > 0 ? prediction->loop[loop->parent].loop->var->name : "";
        fprintf(page->out, "%s{\"var\":", i ? "," : "");
        escape_print(loop->loop ? loop->loop->var->name : "", page->out);
        fprintf(page->out, ",\"parent\":");
        escape_print(parent, page->out);
        fprintf(page->out, ",\"runs\":%.0f,\"cycles\":%.1f,\"bound\":\"%s\"}", loop->runs,
                loop->cycles, bound_name[loop->bound]);
    }
    fprintf(page->out, "],");
}

static void put_loop_text(const struct page *page, const struct kernel *kernel)
{
    char *text = NULL;
    size_t size;
    FILE *file = memory_stream(&text, &size);
    kernel_print(kernel, file);
    memory_stream_end(file);
    fprintf(page->out, "\"text\":");
    escape_print(text, page->out);
    free(text);
}

/* The function of a kernel, without directives and lines of comments. They stand in the kernels'
 * order. */
static void put_assembly(struct page *page, const struct kernel *kernel)
{
    struct arena *arena = arena_new();
    const char *symbol =
        arena_printf(arena, "\n%s_%s__%s:", page->module->name, kernel->name, page->target->symbol);
    const char *at = strstr(page->assembly, symbol);
    const char *end = at ? strstr(at, "\n.Lfunc_end") : NULL;
    page->assembly = end ? end : page->assembly;
    char *kept = arena_alloc(arena, end ? (size_t)(end - at) + 1 : 1), *to = kept;
    for (at = end ? at + 1 : NULL; at && at < end;) {
        const char *line_end = strchr(at, '\n');
        const char *word = at + strspn(at, " \t");
        bool label = word == at; /* ".LBB0_1: # %for.k", "# %bb.5: # %end.k" */
        if (label || (*word != '#' && *word != '.')) {
            memcpy(to, at, (size_t)(line_end - at) + 1);
            to += line_end - at + 1;
        }
        at = line_end + 1;
    }
    fprintf(page->out, ",\"assembly\":");
    escape_print(kept, page->out);
    arena_free(arena);
}

/* Names of the module's tensors that a kernel reads or writes. */
static void put_tensors(const struct page *page, const struct work *work, enum access_kind kind)
{
    const char *between = "";
    fprintf(page->out, "\"%s\":[", kind == ACCESS_WRITE ? "writes" : "reads");
    for (int i = 0; i < work->buffers; i++) {
        const struct buffer *buffer = work->buffer[i];
        bool touched = false;
        for (int j = 0; j < work->accesses && !touched; j++)
            touched =
                work->access[j].number == i && work->access[j].store == (kind == ACCESS_WRITE);
        if (!touched || buffer->place == PLACE_WEIGHTS || buffer->place >= PLACE_STACK)
            continue;
        fputs(between, page->out);
        escape_print(buffer->name, page->out);
        between = ",";
    }
    fprintf(page->out, "],");
}

static void put_kernel(struct page *page, const struct kernel *kernel,
                       const struct prediction *prediction)
{
    const struct cost *cost = &prediction->cost;
    enum bound limit;
    double limit_cycles = prediction_limit(prediction, &limit);
    fprintf(page->out, "{\"name\":");
    escape_print(kernel->name, page->out);
    fprintf(page->out, ",\"layers\":");
    escape_print(kernel->label ? kernel->label : "", page->out);
    fprintf(
        page->out,
        ",\"flops\":%" PRId64 ",\"exps\":%" PRId64 ",\"bytes\":%" PRId64 ",\"l1_bytes\":%" PRId64
        ",\"l2_bytes\":%" PRId64 ",\"memory_bytes\":%" PRId64 ",\"cycles\":%" PRId64
        ",\"bound\":\"%s\",\"limit_cycles\":%.0f,\"limit\":\"%s\",\"cycles_by\":{",
        cost->flops, cost->exps, cost->bytes, cost->l1_bytes, cost->l2_bytes, cost->memory_bytes,
        cost->cycles, bound_name[cost->bound], limit_cycles, bound_name[limit]);
    for (int b = 0; b < BOUND_COUNT; b++)
        fprintf(page->out, "%s\"%s\":%.0f", b ? "," : "", bound_name[b], prediction->cycles_of[b]);
    fprintf(page->out, "},");
    struct work *work = work_new(kernel);
    put_tensors(page, work, ACCESS_READ);
    put_tensors(page, work, ACCESS_WRITE);
    work_free(work);
    put_loops(page, prediction);
    put_loop_text(page, kernel);
    put_assembly(page, kernel);
    fprintf(page->out, "}");
}

/* ---- buffers --------------------------------------------------------------------------------- */

static void put_buffers(const struct page *page)
{
    const char *between = "";
    for (const struct buffer *b = page->module->buffers; b; b = b->next) {
        if (b->place == PLACE_WEIGHTS)
            continue;
        fprintf(page->out, "%s{\"name\":", between);
        escape_print(b->name, page->out);
        fprintf(page->out, ",\"place\":\"%s\",\"offset\":%" PRId64 ",\"bytes\":%" PRId64 "}",
                place_name[b->place], b->offset, buffer_bytes(b));
        between = ",";
    }
}

/* ---- the page -------------------------------------------------------------------------------- */

static void put_data(struct page *page)
{
    const struct module *m = page->module;
    const struct target *t = page->target;
    fprintf(page->out, "{\"model\":");
    escape_print(m->name, page->out);
    fprintf(page->out, ",\"target\":");
    escape_print(t->name, page->out);
    fprintf(page->out,
            ",\"core\":\"%s\",\"batch\":%" PRId64 ",\"turns\":%" PRId64 ",\"threads\":%" PRId64
            ",\"input\":[%" PRId64 ",%" PRId64 ",%" PRId64 "],\"classes\":%" PRId64
            ",\"tensor_bytes\":%" PRId64 ",\"stack_bytes\":%" PRId64 ",",
            t->core->name, module_images(m), m->turns, m->threads, m->channels, m->height, m->width,
            m->classes, m->workspace_bytes, m->scratch_bytes);
    rates_print(t, page->out);
    fprintf(page->out, ",\"kernels\":[");
    for (int i = 0; i < page->predictions.count; i++) {
        fprintf(page->out, i ? ",\n" : "\n");
        put_kernel(page, page->predictions.kernel[i], &page->predictions.of[i]);
    }
    fprintf(page->out, "],\n\"buffers\":[");
    put_buffers(page);
    fprintf(page->out, "]}");
}

/* A "<" can be in strings only. It is escaped, so that it cannot end the script. */
static void put_profile(FILE *out, const char *profile)
{
    for (; *profile; profile++)
        if (*profile == '<')
            fputs("\\u003c", out);
        else
            fputc(*profile, out);
}

static void put_page(struct page *page, const char *profile)
{
    fputs("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
          "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>",
          page->out);
    fputs(page->module->name, page->out); /* a C identifier */
    fprintf(page->out, "</title>\n<style>\n%s</style>\n</head>\n%s", (const char *)report_css,
            (const char *)report_html);
    fputs("<script type=\"application/json\" id=\"data\">", page->out);
    put_data(page);
    fputs("</script>\n<script type=\"application/json\" id=\"profile\">", page->out);
    put_profile(page->out, profile);
    fprintf(page->out, "</script>\n<script>\n%s</script>\n</body>\n</html>\n",
            (const char *)report_js);
}

/* ---- the profile ----------------------------------------------------------------------------- */

static const struct json_node *member(const struct json *json, const char *key)
{
    uint32_t at = 1;
    for (uint32_t i = 0; json->node[0].kind == JSON_OBJECT && i < json->node[0].children; i++) {
        const struct json_node *node = &json->node[at];
        if (node->key_size == strlen(key) && memcmp(node->key, key, node->key_size) == 0)
            return node;
        at = node->next;
    }
    return NULL;
}

static enum status check_member(const char *path, const struct json *json, const char *key,
                                const char *must_be)
{
    struct location at = {1, 1};
    size_t size;
    char excerpt[JSON_EXCERPT] = "nothing";
    const struct json_node *node = member(json, key);
    if (node && node->kind == JSON_STRING && strcmp(json_string(json, node, &size), must_be) == 0)
        return STATUS_DONE;
    if (node)
        at = json_place(json->text, node->begin);
    diag_error(path, at.line, at.column, "the profile's %s must be %s, found %s", key, must_be,
               node ? json_excerpt(json, node, excerpt) : excerpt);
    return STATUS_INPUT;
}

/* The text of --profile, or "null". free() it. */
static enum status read_profile(const struct page *page, const char *path, char **text)
{
    static const struct json_limits limits = {16, 1000000, 4096};
    size_t size;
    struct json json;
    struct error error = {.file = path};
    if (!path) {
        *text = strdup("null");
        return *text ? STATUS_DONE : STATUS_SYSTEM;
    }
    enum status status = file_read(path, 16u << 20, text, &size);
    if (status != STATUS_DONE)
        return status;
    if (!json_scan(&json, *text, size, &limits, &error)) {
        diag_report(&error);
        return STATUS_INPUT;
    }
    status = check_member(path, &json, "model", page->module->name);
    if (status == STATUS_DONE)
        status = check_member(path, &json, "target", page->target->name);
    const struct json_node *kernels = member(&json, "kernels");
    if (status == STATUS_DONE && (!kernels || kernels->kind != JSON_ARRAY)) {
        diag_error(path, 1, 1,
                   "the profile has no kernels: sanc bench --kernels --json writes them");
        status = STATUS_INPUT;
    }
    json_free(&json);
    return status;
}

static enum status make_for_gpu(const struct source *source, const struct module *module,
                                const struct target *target, struct backend_file *file)
{
    struct backend_file ptx = {0};
    if (source->options->profile) {
        diag_error(NULL, 0, 0, "--profile FILE is for reports of processors, not of %s",
                   target->name);
        return STATUS_USAGE;
    }
    enum status status = module_emit(
        source, module, (struct backend_request){.kind = BACKEND_ASSEMBLY, .target = target->name},
        &ptx);
    if (status != STATUS_DONE)
        return status;
    char *said = cubin_report(&ptx, target->cpu);
    FILE *out = memory_stream(&file->data, &file->size);
    gpu_page_put(&(struct gpu_page){out, module, target, ptx.data, said});
    memory_stream_end(out);
    free(said);
    free(ptx.data);
    return STATUS_DONE;
}

enum status report_make(const struct source *source, const struct module *module,
                        const char *target, struct backend_file *file)
{
    struct error error = {0};
    char *profile = NULL;
    struct backend_file assembly = {0};
    struct page page = {.module = module, .target = target_find(target, &error)};
    if (!page.target)
        return emit_failed(source, module, &error);
    if (page.target->gpu)
        return make_for_gpu(source, module, page.target, file);
    enum status status = read_profile(&page, source->options->profile, &profile);
    if (status == STATUS_DONE)
        status = module_emit(source, module,
                             (struct backend_request){.kind = BACKEND_ASSEMBLY, .target = target},
                             &assembly);
    if (status == STATUS_DONE) {
        page.assembly = assembly.data;
        module_predict(module, target, page.target, &page.predictions);
        page.out = memory_stream(&file->data, &file->size);
        put_page(&page, profile);
        memory_stream_end(page.out);
    }
    predictions_free(&page.predictions);
    free(assembly.data);
    free(profile);
    return status;
}
