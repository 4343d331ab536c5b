/* From IR text to LLVM: a text that parses and verifies as a dump goes through the remaining passes
 * and is emitted. Wrong inputs get errors. Code that LLVM's verifier refuses and passes that break
 * the module are defects. */
#include "backend.h"
#include "fuzz.h"
#include "passes.h"
#include "source.h"
#include <string.h>

/* An input takes milliseconds and megabytes, since larger ones are left out. */
enum {
    MOST_ELEMENTS_HERE = 1 << 14,
    MOST_INSTS = 300,
    MOST_WRITTEN_OUT = 2000,
    MOST_FOOTPRINT = 15
};

static bool small_graph(const struct module *module)
{
    int insts = 0;
    for (const struct inst *inst = module->first; inst; inst = inst->next, insts++)
        if (insts > MOST_INSTS || shape_elements(&inst->shape) > MOST_ELEMENTS_HERE ||
            (inst->op == OP_relation &&
             inst->attr[SLOT_relation_footprint].integer > MOST_FOOTPRINT) ||
            (inst->op == OP_aggregate &&
             inst->attr[SLOT_aggregate_footprint].integer > MOST_FOOTPRINT))
            return false;
    return true;
}

static bool small_buffers(const struct buffer *buffer)
{
    for (; buffer; buffer = buffer->next)
        if (shape_elements(&buffer->shape) > MOST_ELEMENTS_HERE)
            return false;
    return true;
}

/* The number of stores once unrolled loops are written out. */
static int64_t written_out(const struct stmt *stmt)
{
    int64_t count = 0;
    for (; stmt && count <= MOST_WRITTEN_OUT; stmt = stmt->next)
        if (stmt->kind == STMT_STORE) {
            count++;
        } else {
            int64_t times = stmt->loop == LOOP_UNROLL ? stmt->var->extent : 1;
            int64_t inside = written_out(stmt->body);
            count += times > MOST_WRITTEN_OUT ? MOST_WRITTEN_OUT : times * inside;
        }
    return count;
}

static bool is_small(const struct module *module)
{
    if (!small_graph(module) || !small_buffers(module->buffers))
        return false;
    int64_t count = 0;
    for (const struct kernel *kernel = module->kernels; kernel; kernel = kernel->next) {
        count += written_out(kernel->body);
        if (count > MOST_WRITTEN_OUT || !small_buffers(kernel->locals))
            return false;
    }
    return true;
}

static void emit(const struct module *module)
{
    static const uint8_t no_weights[32];
    struct backend_file file;
    struct error error = {0};
    const struct backend_request request = {.kind = BACKEND_LLVM, .target = module->target[0]};
    if (backend_emit(module, NULL, no_weights, &request, &file, &error))
        free(file.data);
    else
        fuzz_expect(strncmp(error.text, "LLVM", 4) != 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error error;
    struct module *module = module_parse((const char *)data, size, &error);
    if (!module)
        return 0;
    module->file = "fuzz"; /* read from a file: a pass that cannot continue from it is no defect */
    if (module_verify(module, &error) && is_small(module) &&
        module_check_dump(module, "fuzz") == STATUS_DONE) {
        enum status status = passes_run(module, NULL, NULL);
        fuzz_expect(status != STATUS_DEFECT);
        if (status == STATUS_DONE && is_small(module))
            emit(module);
    }
    module_free(module);
    return 0;
}
