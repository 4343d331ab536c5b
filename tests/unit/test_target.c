/* Targets: names, what they promise, what this machine runs. */
#include "cpu.h"
#include "ir.h"
#include "target.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const struct target *find(const char *name)
{
    struct error error = {0};
    const struct target *target = target_find(name, &error);
    if (!target)
        print_error("%s: %s\n", name, error.text);
    return target;
}

static void levels_have_their_registers(void **state)
{
    (void)state;
    const struct target *v3 = find("x86-64-v3"), *v4 = find("x86-64-v4");
    assert_non_null(v3);
    assert_non_null(v4);
    assert_int_equal(v3->lanes, 8);
    assert_int_equal(v3->registers, 16);
    assert_string_equal(v3->symbol, "avx2");
    assert_int_equal(v4->lanes, 16);
    assert_int_equal(v4->registers, 32);
    assert_string_equal(v4->symbol, "avx512");
    assert_int_equal(v3->l1_bytes, 32 * 1024);
    assert_int_equal(v4->l2_bytes, 512 * 1024);
}

static void names_of_processors_are_known(void **state)
{
    (void)state;
    static const char *const avx2[] = {"haswell", "znver3", "alderlake", "core-avx2"};
    static const char *const avx512[] = {"skylake-avx512", "icelake-server", "znver4", "znver5"};
    for (int i = 0; i < 4; i++) {
        const struct target *a = find(avx2[i]), *b = find(avx512[i]);
        assert_non_null(a);
        assert_non_null(b);
        assert_string_equal(a->cpu, avx2[i]);
        assert_int_equal(a->lanes, 8);
        assert_int_equal(b->lanes, 16);
        assert_null(strchr(b->symbol, '-'));
    }
}

/* In whatever order the rows stand. */
static void rows_are_found_by_name(void **state)
{
    (void)state;
    static const struct {
        const char *name, *symbol;
        int lanes;
    } row[] = {
#define AVX2 8
#define AVX512 16
#define BF16 16
#define AMX 16
#define LEVEL(level, name, cpu, symbol, core, fma, latency, l1, l2) {name, symbol, level},
#include "targets.def"
    };
    enum { ROWS = sizeof row / sizeof *row };
    for (int i = 0; i < ROWS; i++) {
        const struct target *target = find(row[i].name);
        assert_non_null(target);
        assert_string_equal(target->symbol, row[i].symbol);
        assert_int_equal(target->lanes, row[i].lanes);
        assert_int_equal(strspn(target->symbol, "abcdefghijklmnopqrstuvwxyz0123456789_"),
                         strlen(target->symbol));
        for (int k = 0; k < i; k++)
            assert_string_not_equal(row[k].symbol, row[i].symbol);
    }
}

static void unknown_names_are_refused(void **state)
{
    (void)state;
    struct error error;
    assert_null(target_find("nehalem", &error));
    assert_non_null(strstr(error.text, "no target \"nehalem\""));
    assert_non_null(strstr(error.text, "x86-64-v3"));
    assert_null(target_find("", &error));
}

static void features_are_always_said(void **state)
{
    (void)state;
    static const char *const name[] = {"x86-64-v3", "x86-64-v4", "znver4", "haswell"};
    for (int i = 0; i < 4; i++) {
        const struct target *target = find(name[i]);
        assert_non_null(strstr(target->features, "+avx2"));
        assert_non_null(strstr(target->features, "+fma"));
        assert_int_equal(strstr(target->features, "+avx512f") != NULL, target->lanes == 16);
    }
}

/* The unit for bf16 where it is faster than FMAs: not on Intel's processors from Sapphire Rapids on,
 * so the level for many processors is for one vendor's. */
static void pairs_are_for_some(void **state)
{
    (void)state;
    static const char *const with[] = {"x86-64-v4+bf16", "znver4", "znver5", "cooperlake"};
    static const char *const without[] = {"x86-64-v4", "sapphirerapids", "graniterapids", "znver3"};
    for (int i = 0; i < 4; i++) {
        const struct target *a = find(with[i]), *b = find(without[i]);
        struct cpu_need need = cpu_need(a, precision_kind_bf16);
        assert_true(a->pairs && !a->amx && strstr(a->features, "+avx512bf16"));
        assert_false(b->pairs);
        assert_int_equal(need.leaf7_1_eax, 1u << 5);
        assert_int_equal(need.leaf7_edx, 0);
        assert_int_equal(need.leaf0_ecx != 0, i == 0);
        assert_string_equal(target_level_of(a, precision_kind_bf16)->name, with[0]);
    }
    const struct target *gpu = find("nvptx:sm_80");
    assert_ptr_equal(target_level_of(gpu, precision_kind_f32), gpu);
}

/* A unit that multiplies tiles, whose registers the operating system has to know. */
static void tiles_are_intels(void **state)
{
    (void)state;
    static const char *const with[] = {"x86-64-v4+amx", "sapphirerapids", "emeraldrapids",
                                       "graniterapids", "graniterapids-d"};
    for (int i = 0; i < 5; i++) {
        const struct target *target = find(with[i]);
        struct cpu_need need = cpu_need(target, precision_kind_bf16);
        assert_true(target->amx && !target->pairs && strstr(target->features, "+amx-bf16"));
        assert_int_equal(need.leaf7_edx, 1u << 22 | 1u << 24);
        assert_int_equal(need.xcr0, 0x600e6);
        assert_int_equal(need.leaf0_ecx, 0);
        assert_string_equal(target_level_of(target, precision_kind_bf16)->name, with[0]);
    }
    assert_false(find("icelake-server")->amx || find("znver5")->amx);
}

/* In other precisions the code has none of their instructions, so a virtual machine may hide them. */
static void units_count_in_bf16_only(void **state)
{
    (void)state;
    struct cpu_need wide = cpu_need(find("x86-64-v4"), precision_kind_f32);
    static const char *const with[] = {"x86-64-v4+bf16", "x86-64-v4+amx", "znver4",
                                       "sapphirerapids"};
    for (int i = 0; i < 4; i++) {
        struct cpu_need need = cpu_need(find(with[i]), precision_kind_f32);
        assert_memory_equal(&need, &wide, sizeof need);
        assert_ptr_equal(target_level_of(find(with[i]), precision_kind_f32), find("x86-64-v4"));
        assert_null(strstr(cpu_features(find(with[i]), precision_kind_f32), "bf16"));
        assert_non_null(strstr(cpu_features(find(with[i]), precision_kind_bf16), "bf16"));
    }
}

static void gpus_are_known(void **state)
{
    (void)state;
    struct error error;
    const struct target *target = find("nvptx:sm_80");
    assert_non_null(target);
    assert_string_equal(target->cpu, "sm_80");
    assert_string_equal(target->features, "+ptx70");
    assert_int_equal(target->gpu->shared_bytes, 163 * 1024);
    assert_non_null(find("nvptx:sm_70"));
    assert_non_null(find("nvptx:sm_90"));
    assert_true(target_is_gpu("nvptx:sm_80") && !target_is_gpu("x86-64-v3"));
    assert_null(find("x86-64-v3")->gpu);
    assert_false(target_runs_here(target, precision_kind_f32, &error));
    assert_null(target_find("nvptx:sm_60", &error));
    assert_non_null(strstr(error.text, "sm_70"));
}

/* 228 KiB, of which each block takes one more than it asks for. */
static void shared_memory_limits_blocks(void **state)
{
    (void)state;
    const struct gpu *gpu = find("nvptx:sm_90")->gpu;
    assert_true(gpu_blocks_in_shared(gpu, 0) == INT64_MAX);
    assert_int_equal(gpu_blocks_in_shared(gpu, 56 * 1024), 4);
    assert_int_equal(gpu_blocks_in_shared(gpu, 113 * 1024), 2);
    assert_int_equal(gpu_blocks_in_shared(gpu, 113 * 1024 + 1), 1);
}

static void native_is_this_machine(void **state)
{
    (void)state;
    struct error error = {0};
    const struct target *native = target_find("native", &error);
    if (!native) { /* a machine without AVX2: it has to say so */
        assert_non_null(strstr(error.text, "avx2"));
        return;
    }
    assert_ptr_equal(native, target_find("native", &error));
    assert_true(target_runs_here(native, precision_kind_bf16, &error));
    assert_true(target_runs_here(find("x86-64-v3"), precision_kind_bf16, &error));
    bool wide = target_runs_here(find("x86-64-v4"), precision_kind_f32, &error);
    assert_int_equal(native->lanes, wide ? 16 : 8);
    const struct target *level = target_level_of(native, precision_kind_bf16);
    assert_true(target_runs_here(level, precision_kind_bf16, &error) || native->pairs);
    if (!wide)
        assert_non_null(strstr(error.text, "avx512"));
    assert_true(native->l1_bytes >= 8 * 1024 && native->l2_bytes >= native->l1_bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(levels_have_their_registers),
        cmocka_unit_test(names_of_processors_are_known),
        cmocka_unit_test(rows_are_found_by_name),
        cmocka_unit_test(unknown_names_are_refused),
        cmocka_unit_test(features_are_always_said),
        cmocka_unit_test(pairs_are_for_some),
        cmocka_unit_test(tiles_are_intels),
        cmocka_unit_test(units_count_in_bf16_only),
        cmocka_unit_test(gpus_are_known),
        cmocka_unit_test(shared_memory_limits_blocks),
        cmocka_unit_test(native_is_this_machine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
