/* The strict JSON scan on any bytes, and the reader of models after it. */
#define _GNU_SOURCE /* memfd_create */
#include "json.h"
#include "fuzz.h"
#include "ir.h"
#include "model_graph.h"
#include "passes.h"
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static void look_at(const struct json *json, const struct json_node *node, size_t size)
{
    char excerpt[JSON_EXCERPT];
    size_t length;
    int64_t value;
    fuzz_expect(node->begin < node->end && node->end <= size && node->next <= json->count);
    struct location at = json_place(json->text, node->begin);
    fuzz_expect(at.line >= 1 && at.column >= 1);
    fuzz_expect(strlen(json_excerpt(json, node, excerpt)) < JSON_EXCERPT);
    if (node->key)
        fuzz_expect(strlen(json_key_excerpt(json, node, excerpt)) < JSON_EXCERPT);
    if (node->kind == JSON_STRING) {
        const char *text = json_string(json, node, &length);
        fuzz_expect(text[length] == 0 && strlen(text) == length);
    }
    if (node->kind == JSON_NUMBER)
        json_integer(json, node, &value);
}

static void scan(const char *text, size_t size)
{
    static const struct json_limits limits = {16, 1000, 200};
    struct json json;
    struct error error = {0};
    if (!json_scan(&json, text, size, &limits, &error)) {
        fuzz_expect(json.wrong <= size && error.text[0]);
        return;
    }
    fuzz_expect(json.count >= 1 && json.node[0].next == json.count);
    for (uint32_t i = 0; i < json.count; i++)
        look_at(&json, &json.node[i], size);
    json_free(&json);
}

/* A valid model must have a valid graph. */
static void read_model(const char *path)
{
    static const char *const target[] = {"x86-64-v3"};
    struct model model;
    struct error error;
    if (model_read(path, &model) != STATUS_DONE)
        return;
    int blocks = 0;
    for (int i = 0; i < model.stages; i++)
        blocks += model.stage[i].blocks;
    if (blocks > 20)
        return; /* takes long */
    struct module *module = graph_from_model(&model, 1, 1, 1, target);
    fuzz_expect(module_verify(module, &error));
    module_free(module);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[40];
    scan((const char *)data, size);
    int file = memfd_create("model.json", 0);
    fuzz_expect(file >= 0 && write(file, data, size) == (ssize_t)size);
    snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    read_model(path);
    close(file);
    return 0;
}
