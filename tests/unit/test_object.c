/* An object's promises: its checks, its symbols and sections, the same bytes every time. */
#include "loaded.h"
#include <elf.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

/* Two kernels that hand 60 numbers on through the workspace; a third that only some targets run. */
static const char chain[] =
    "sanir 1\nmodel \"t\"\ninput f32[1, 1, 1, 60]\nclasses 60\n"
    "targets \"x86-64-v4\" \"x86-64-v3\"\nthreads 4\nworkspace 240 scratch 240\n"
    "graph {\n  %1 = parameter { name = \"w\", shape = [60] } : f32[60]\n"
    "  %2 = parameter { name = \"w\", shape = [4, 15] } : f32[4, 15]\n}\n"
    "image : input f32[60]\na : weights f32[60] = %1\nb : weights f32[4, 15] = %2\n"
    "mid : workspace f32[60] at 0\nout : output f32[60]\n"
    "kernel first {\n  tile : stack f32[60] at 0\n  for i in 60 parallel {\n"
    "    tile[i] = image[i] * a[i]\n    mid[i] = tile[i] + 1\n  }\n}\n"
    "kernel second target \"x86-64-v3\" {\n  for j in 60\n    out[j] = mid[j] + b[j div 15, j mod "
    "15]\n}\n"
    "kernel second target \"x86-64-v4\" {\n"
    "  for k in 15, v in 4 vector\n    out[4*k + v] = mid[4*k + v] + a[4*k + v]\n}\n";

static float expected(const struct loaded *l, int i)
{
    float w = (float)((i % 60 * 7 + 3) % 17 - 8);
    return l->input[i] * w + 1 + w;
}

static void assert_right(const struct loaded *l)
{
    for (int i = 0; i < 60; i++)
        assert_true(l->output[i] == expected(l, i));
}

static void model_says_what_it_is(void **state)
{
    (void)state;
    struct loaded l = load(parse(chain));
    const struct san_model *m = l.model;
    assert_int_equal(m->abi_version, SAN_ABI_VERSION);
    assert_string_equal(m->name, "t");
    assert_string_equal(m->targets, "x86-64-v4,x86-64-v3");
    assert_non_null(strstr(m->compiler, backend_llvm_version()));
    assert_int_equal(m->kernel_count, 2);
    assert_string_equal(m->kernel_names[0], "first");
    assert_string_equal(m->kernel_names[1], "second");
    assert_int_equal(m->batch * m->channels * m->height * m->width, 60);
    assert_int_equal(m->classes, 60);
    assert_int_equal(m->batch_count, 1);
    assert_int_equal(m->batches[0], m->batch);
    assert_int_equal(m->threads, 4);
    assert_int_equal(m->workspace_bytes, 256 + 4 * 256);
    assert_int_equal(m->workspace_alignment, 64);
    assert_int_equal(m->weights_bytes, 240); /* equal contents once */
    assert_memory_equal(m->weights_sha256, sha256, 32);
    assert_int_equal(run(&l, NULL), SAN_OK);
    assert_right(&l);
    unload(&l);
}

/* Kernels made for a target that is no longer asked for do not count. */
static void one_target_of_two(void **state)
{
    (void)state;
    struct module *module = parse(chain);
    module->targets = 1;
    struct loaded l = load(module);
    assert_string_equal(l.model->targets, "x86-64-v4");
    assert_int_equal(l.model->kernel_count, 2);
    assert_string_equal(l.model->kernel_names[1], "second");
    int status = run(&l, NULL);
    if (runs_here(module))
        assert_int_equal(status, SAN_OK);
    else
        assert_int_equal(status, SAN_ECPU);
    unload(&l);
}

/* Two kernels for GPUs and none for an x86, or one for an x86 too. */
static const char on_gpus[] =
    "sanir 1\nmodel \"t\"\ninput f32[1, 1, 1, 60]\nclasses 60\n"
    "targets %s\"nvptx:sm_90a\" \"nvptx:sm_90\" \"nvptx:sm_80\"\n"
    "threads 1\nworkspace 240 scratch 0\n"
    "graph {\n  %%1 = parameter { name = \"w\", shape = [60] } : f32[60]\n}\n"
    "image : input f32[60]\na : weights f32[60] = %%1%s\nb : weights f32[60] = %%1 at 256\n"
    "mid : workspace f32[60] at 0\nout : output f32[60]\n"
    "kernel first target \"nvptx:sm_80\" {\n  for i in 2 block, j in 30 thread\n"
    "    mid[30*i + j] = image[30*i + j] * b[30*i + j]\n}\n"
    "kernel second target \"nvptx:sm_80\" {\n  for k in 60 thread\n    out[k] = mid[k]\n}\n"
    "kernel other target \"nvptx:sm_90\" {\n  for k in 60 thread\n    out[k] = image[k] * b[k]\n}\n"
    "kernel third target \"nvptx:sm_90a\" {\n  for k in 60 thread\n    out[k] = b[k]\n}\n%s";

static void kernels_of_gpus_are_in_the_object(void **state)
{
    (void)state;
    static const char *const head[2] = {"", "\"x86-64-v3\" "}, *const place[2] = {" at 0", ""};
    static const char *const tail[2] = {
        "", "kernel here target \"x86-64-v3\" {\n  for k in 60\n    out[k] = image[k] * a[k]\n}\n"};
    static const char *const target[3] = {"nvptx:sm_80", "nvptx:sm_90", "nvptx:sm_90a"};
    for (int x86 = 0; x86 < 2; x86++) {
        char text[2048];
        snprintf(text, sizeof text, on_gpus, head[x86], place[x86], tail[x86]);
        struct loaded l = load(parse(text));
        const struct san_gpu *gpu = l.model->gpus;
        assert_int_equal(l.model->gpu_count, 3);
        assert_int_equal(l.model->run != NULL, x86);
        for (int i = 0; i < 3; i++) {
            assert_string_equal(gpu[i].target, target[i]);
            assert_int_equal(gpu[i].capability, i ? 90 : 80);
            assert_int_equal(gpu[i].exact, i == 2);
            assert_int_equal(gpu[i].kernel_count, i ? 1 : 2);
            assert_non_null(strstr(gpu[i].ptx, strchr(target[i], 's')));
            for (uint32_t k = 0; k < gpu[i].kernel_count; k++)
                assert_non_null(strstr(gpu[i].ptx, gpu[i].kernels[k].name));
            assert_int_equal(gpu[i].workspace_bytes, 240);
            assert_int_equal(gpu[i].weights_bytes, 256 + 240);
            float w = 4; /* of (i * 7 + 3) % 17 - 8 at 11 */
            assert_memory_equal((const char *)gpu[i].weights + 256 + 11 * sizeof w, &w, sizeof w);
        }
        assert_string_equal(gpu[0].kernels[0].name, "t_first__sm_80");
        assert_int_equal(gpu[0].kernels[0].blocks, 2);
        assert_int_equal(gpu[0].kernels[0].threads, 30);
        assert_int_equal(gpu[0].kernels[0].shared_bytes, 0);
        assert_string_equal(gpu[0].kernels[1].name, "t_second__sm_80");
        if (x86)
            assert_int_equal(run(&l, NULL), SAN_OK);
        unload(&l);
    }
}

static void nothing(void *context, uint32_t count, void (*task)(void *, uint32_t), void *argument)
{
    (void)context, (void)count, (void)task, (void)argument;
}

static uint64_t tick(void *context)
{
    return *(uint64_t *)context += 10;
}

static void wrong_arguments_have_codes(void **state)
{
    (void)state;
    struct loaded l = load(parse(chain));
    int (*f)(const void *, float *, void *, const struct san_exec *) = l.model->run;
    unsigned char *in = (unsigned char *)l.input, *out = (unsigned char *)l.output;
    unsigned char *work = l.workspace;
    uint64_t clock = 0, ticks[2] = {0}, calls[2] = {0};
    struct san_profile profile = {tick, &clock, ticks, NULL};
    struct san_exec exec = {.abi_version = SAN_ABI_VERSION, .threads = 1};
    assert_int_equal(f(NULL, l.output, work, NULL), SAN_EPOINTER);
    assert_int_equal(f(l.input, NULL, work, NULL), SAN_EPOINTER);
    assert_int_equal(f(l.input, l.output, NULL, NULL), SAN_EPOINTER);
    assert_int_equal(f((void *)(in + 2), l.output, work, NULL), SAN_EALIGN);
    assert_int_equal(f(l.input, (void *)(out + 1), work, NULL), SAN_EALIGN);
    assert_int_equal(f(l.input, l.output, work + 32, NULL), SAN_EALIGN);
    assert_int_equal(f(l.input, l.output, work, &exec), SAN_OK);
    exec.threads = 2;
    assert_int_equal(f(l.input, l.output, work, &exec), SAN_EEXEC);
    exec.parallel = nothing;
    assert_int_equal(f(l.input, l.output, work, &exec), SAN_OK);
    exec.profile = &profile;
    assert_int_equal(f(l.input, l.output, work, &exec), SAN_EEXEC);
    profile.calls = calls;
    profile.clock = NULL;
    assert_int_equal(f(l.input, l.output, work, &exec), SAN_EEXEC);
    exec.abi_version++;
    assert_int_equal(f(l.input, l.output, work, &exec), SAN_EABI);
    unload(&l);
}

static void profile_adds_up(void **state)
{
    (void)state;
    struct loaded l = load(parse(chain));
    uint64_t clock = 0, ticks[2] = {0}, calls[2] = {0};
    struct san_profile profile = {tick, &clock, ticks, calls};
    struct san_exec exec = {.abi_version = SAN_ABI_VERSION, .threads = 1, .profile = &profile};
    for (int i = 1; i <= 3; i++) {
        assert_int_equal(run(&l, &exec), SAN_OK);
        assert_right(&l);
        for (int k = 0; k < 2; k++) {
            assert_int_equal(ticks[k], 10 * i);
            assert_int_equal(calls[k], i);
        }
    }
    assert_int_equal(clock, 120);
    unload(&l);
}

struct chunks {
    uint32_t count, calls;
};

static void note(void *context, uint32_t count, void (*task)(void *, uint32_t), void *argument)
{
    struct chunks *chunks = context;
    chunks->count = count;
    chunks->calls++;
    for (uint32_t i = 0; i < count; i++)
        task(argument, (i + 1) % count);
}

static void chunks_are_as_many_as_asked_for(void **state)
{
    (void)state;
    struct loaded l = load(parse(chain));
    for (uint32_t threads = 0; threads < 100; threads = threads * 2 + 1) {
        struct chunks chunks = {0};
        struct san_exec exec = {SAN_ABI_VERSION, threads, note, &chunks, NULL, NULL};
        assert_int_equal(run(&l, &exec), SAN_OK);
        assert_right(&l);
        assert_int_equal(chunks.count, threads < 2 ? 0 : threads < 4 ? threads : 4);
        assert_int_equal(chunks.calls, threads < 2 ? 0 : 1);
    }
    unload(&l);
}

enum { COUNTED = 20000 };
/* Counts how often each iteration runs. */
static const char counting[] =
    "sanir 1\nmodel \"t\"\ninput f32[1, 1, 1, 4]\nclasses 4\ntargets \"x86-64-v3\"\n"
    "threads 4\nworkspace 80000 scratch 0\ngraph {\n}\nimage : input f32[4]\n"
    "times : workspace f32[20000] at 0\nout : output f32[4]\n"
    "kernel count {\n  for i in 20000 parallel\n    times[i] = times[i] + 1\n}\n"
    "kernel copy {\n  for i in 4\n    out[i] = image[i]\n}\n";

/* What one call of the hook does for the test below. */
struct crew {
    pthread_barrier_t start;
    void (*task)(void *, uint32_t);
    void *argument;
    atomic_uint next;
};

static void *help(void *context)
{
    struct crew *crew = context;
    uint32_t index = atomic_fetch_add(&crew->next, 1);
    pthread_barrier_wait(&crew->start);
    crew->task(crew->argument, index);
    return NULL;
}

static void all_at_once(void *context, uint32_t count, void (*task)(void *, uint32_t),
                        void *argument)
{
    (void)context;
    struct crew crew = {.task = task, .argument = argument};
    pthread_t thread[4];
    assert_int_equal(pthread_barrier_init(&crew.start, NULL, count), 0);
    for (uint32_t i = 0; i < count; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, help, &crew), 0);
    for (uint32_t i = 0; i < count; i++)
        pthread_join(thread[i], NULL);
    pthread_barrier_destroy(&crew.start);
}

/* Threads take iterations from each other, but none twice, however they meet. */
static void each_iteration_runs_once(void **state)
{
    (void)state;
    struct loaded l = load(parse_unverified(counting));
    float *times = l.workspace;
    struct san_exec exec = {SAN_ABI_VERSION, 4, all_at_once, NULL, NULL, NULL};
    for (int i = 0; i < 200; i++) {
        memset(times, 0, COUNTED * sizeof *times);
        assert_int_equal(run(&l, &exec), SAN_OK);
        for (int j = 0; j < COUNTED; j++)
            assert_true(times[j] == 1);
    }
    unload(&l);
}

static void one_then_check(void *context, uint32_t count, void (*task)(void *, uint32_t),
                           void *argument)
{
    const float *times = context;
    task(argument, 2);
    for (int i = 0; i < COUNTED; i++)
        assert_true(times[i] == 1);
    for (uint32_t i = 0; i < count; i++)
        if (i != 2)
            task(argument, i);
}

/* A thread that is alone at first does not leave the others' share to them. */
static void nobody_waits_for_the_late(void **state)
{
    (void)state;
    struct loaded l = load(parse_unverified(counting));
    struct san_exec exec = {SAN_ABI_VERSION, 4, one_then_check, l.workspace, NULL, NULL};
    memset(l.workspace, 0, COUNTED * sizeof(float));
    assert_int_equal(run(&l, &exec), SAN_OK);
    unload(&l);
}

/* Each turn takes the next images, through the same workspace. */
static void turns_follow_each_other(void **state)
{
    (void)state;
    struct module *module = parse(chain);
    module->turns = 5;
    struct loaded l = load(module);
    uint64_t clock = 0, ticks[2] = {0}, calls[2] = {0};
    struct san_profile profile = {tick, &clock, ticks, calls};
    struct san_exec exec = {.abi_version = SAN_ABI_VERSION, .threads = 1, .profile = &profile};
    assert_int_equal(l.model->batch, 5);
    assert_int_equal(l.model->workspace_bytes, 256 + 4 * 256);
    assert_int_equal(run(&l, &exec), SAN_OK);
    for (int i = 0; i < 5 * 60; i++)
        assert_true(l.output[i] == expected(&l, i));
    assert_int_equal(calls[0], 5);
    assert_int_equal(calls[1], 5);
    unload(&l);
}

static void same_bytes_every_time(void **state)
{
    (void)state;
    struct module *one = parse(chain), *two = parse(chain);
    struct backend_file a = emit(one, BACKEND_OBJECT, NULL), b = emit(two, BACKEND_OBJECT, NULL);
    assert_int_equal(a.size, b.size);
    assert_memory_equal(a.data, b.data, a.size);
    free(a.data);
    free(b.data);
    module_free(one);
    module_free(two);
}

/* ---- the file -------------------------------------------------------------------------------- */

static const Elf64_Shdr *sections_of(const struct backend_file *file, int *count)
{
    const Elf64_Ehdr *head = (const void *)file->data;
    assert_memory_equal(head->e_ident, ELFMAG, SELFMAG);
    assert_int_equal(head->e_machine, EM_X86_64);
    *count = head->e_shnum;
    return (const void *)(file->data + head->e_shoff);
}

static const char *section_name(const struct backend_file *file, const Elf64_Shdr *section)
{
    const Elf64_Ehdr *head = (const void *)file->data;
    const Elf64_Shdr *all = (const void *)(file->data + head->e_shoff);
    return file->data + all[head->e_shstrndx].sh_offset + section->sh_name;
}

static void check_symbols(const struct backend_file *file, const Elf64_Shdr *all,
                          const Elf64_Shdr *table)
{
    const Elf64_Sym *symbol = (const void *)(file->data + table->sh_offset);
    const char *names = file->data + all[table->sh_link].sh_offset;
    int globals = 0;
    for (size_t i = 1; i < table->sh_size / sizeof *symbol; i++) {
        const char *name = names + symbol[i].st_name;
        if (ELF64_ST_BIND(symbol[i].st_info) == STB_LOCAL)
            continue;
        globals++;
        assert_true(!strcmp(name, "t_run") || !strcmp(name, "t_run_images") ||
                    !strcmp(name, "t_model") || !strncmp(name, "t_header_", 9));
        assert_true(symbol[i].st_shndx != SHN_UNDEF);
    }
    assert_int_equal(globals, 4);
}

/* Relocations of executable code are relative to itself. Only .data.rel.ro and the word that
 * remembers the processor are ever written. */
static void check_section(const struct backend_file *file, const Elf64_Shdr *all,
                          const Elf64_Shdr *section)
{
    const char *name = section_name(file, section);
    if (section->sh_flags & SHF_WRITE && section->sh_type == SHT_NOBITS)
        assert_int_equal(section->sh_size, 4);
    else if (section->sh_flags & SHF_WRITE)
        assert_string_equal(name, ".data.rel.ro");
    if (section->sh_type == SHT_SYMTAB)
        check_symbols(file, all, section);
    assert_int_equal(strcmp(name, ".eh_frame") == 0 || strcmp(name, ".comment") == 0, 0);
    if (section->sh_type != SHT_RELA || !(all[section->sh_info].sh_flags & SHF_EXECINSTR))
        return;
    const Elf64_Rela *rela = (const void *)(file->data + section->sh_offset);
    for (size_t i = 0; i < section->sh_size / sizeof *rela; i++) {
        uint64_t type = ELF64_R_TYPE(rela[i].r_info);
        assert_true(type == R_X86_64_PC32 || type == R_X86_64_PLT32);
    }
}

static void file_is_as_linkers_like_it(void **state)
{
    (void)state;
    struct module *module = parse(chain);
    struct backend_file file = emit(module, BACKEND_OBJECT, NULL);
    int sections, notes = 0;
    const Elf64_Shdr *all = sections_of(&file, &sections);
    for (int i = 0; i < sections; i++) {
        const char *name = section_name(&file, &all[i]);
        check_section(&file, all, &all[i]);
        if (!strcmp(name, ".note.GNU-stack"))
            notes += !(all[i].sh_flags & SHF_EXECINSTR);
        if (!strcmp(name, ".note.gnu.property")) {
            const uint32_t *word = (const void *)(file.data + all[i].sh_offset);
            assert_int_equal(word[4], 0xc0000002); /* features that all of the code has */
            assert_int_equal(word[6] & 3, 3);      /* IBT, SHSTK */
            notes++;
        }
    }
    assert_int_equal(notes, 2);
    free(file.data);
    module_free(module);
}

/* ---- what cannot be compiled ----------------------------------------------------------------- */

static void refuses(const char *text, const char *reason)
{
    struct error error = {0};
    struct backend_file file;
    const struct backend_request request = {.kind = BACKEND_OBJECT};
    struct module *module = parse_unverified(text);
    assert_false(backend_emit(module, &parameters, sha256, &request, &file, &error));
    if (!strstr(error.text, reason))
        fail_msg("\"%s\" should say \"%s\"", error.text, reason);
    module_free(module);
}

static void reasons_are_given(void **state)
{
    (void)state;
    refuses(
        HEAD("8", "8") "graph {\n  %1 = parameter { name = \"missing\", shape = [8] } : f32[8]\n}\n"
                       "image : input f32[8]\nw : weights f32[8] = %1\nout : output f32[8]\nkernel "
                       "k {\n  for i in 8\n   "
                       " out[i] = w[i]\n}\n",
        "a constant is refused");
    refuses(
        HEAD("8",
             "8") "graph {\n  %1 = parameter { name = \"w\", shape = [30000, 30000] } : "
                  "f32[30000, 30000]\n}\n"
                  "image : input f32[8]\nw : weights f32[30000, 30000] = %1\nout : output f32[8]\n"
                  "kernel k {\n  for i in 8\n    out[i] = w[i, i]\n}\n",
        "weights over 2 GiB: --weights-in FILE keeps them out of the object");
    refuses(HEAD("8", "8") "graph {\n}\nimage : input f32[8]\nout : output f32[8]\n"
                           "kernel k {\n  for i in 8\n    out[i] = sum j in 8 (image[j])\n}\n",
            "sum is left");
    refuses(
        HEAD("8",
             "8") "graph {\n}\nimage : input f32[8]\nmid : workspace f32[8]\nout : output f32[8]\n"
                  "kernel k {\n  for i in 8\n    out[i] = mid[i]\n}\n",
        "mid has no place yet");
    refuses(HEAD("8", "8") "graph {\n}\nimage : input f32[8]\nout : output f32[8]\n"
                           "kernel k {\n  for v in 8 vector\n    out[0] = image[v]\n}\n",
            "all lanes of v");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(model_says_what_it_is),
        cmocka_unit_test(one_target_of_two),
        cmocka_unit_test(kernels_of_gpus_are_in_the_object),
        cmocka_unit_test(wrong_arguments_have_codes),
        cmocka_unit_test(profile_adds_up),
        cmocka_unit_test(chunks_are_as_many_as_asked_for),
        cmocka_unit_test(each_iteration_runs_once),
        cmocka_unit_test(nobody_waits_for_the_late),
        cmocka_unit_test(turns_follow_each_other),
        cmocka_unit_test(same_bytes_every_time),
        cmocka_unit_test(file_is_as_linkers_like_it),
        cmocka_unit_test(reasons_are_given),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
