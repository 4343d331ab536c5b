/* The header that goes with an object: its text, and that it compiles alone in C11 and C++11. */
#define _GNU_SOURCE
#include "backend.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static struct backend_file header_for(const char *target, const char *name, int64_t batch,
                                      int64_t workspace, int64_t scratch)
{
    struct backend_file file;
    struct module *module = module_new();
    module->name = name;
    module->target[module->targets++] = target;
    module->batch = batch;
    module->channels = 3;
    module->height = 5;
    module->width = 7;
    module->classes = 11;
    module->threads = 4;
    module->workspace_bytes = workspace;
    module->scratch_bytes = scratch;
    backend_header(module, false, &file);
    module_free(module);
    return file;
}

static struct backend_file header_of(const char *name, int64_t workspace, int64_t scratch)
{
    return header_for("x86-64-v3", name, 2, workspace, scratch);
}

static void says_sizes(void **state)
{
    (void)state;
    struct backend_file file = header_of("some_Net", 100, 65);
    assert_non_null(strstr(file.data, "#ifndef SAN_ABI_H"));
    assert_non_null(strstr(file.data, "#define some_Net_BATCH 2\n"));
    assert_non_null(strstr(file.data, "#define some_Net_CLASSES 11\n"));
    assert_non_null(
        strstr(file.data, "#define some_Net_WORKSPACE_BYTES 1664\n")); /* 128 + 4 * 128, rest */
    assert_non_null(strstr(file.data, "int some_Net_run(const float *input"));
    assert_non_null(strstr(file.data, "int some_Net_run_images(const float *input"));
    assert_non_null(strstr(file.data, "extern const struct san_model some_Net_model;"));
    assert_null(strchr(file.data, '\t'));
    free(file.data);
}

static void empty_workspace_is_an_array_still(void **state)
{
    (void)state;
    struct backend_file file = header_for("x86-64-v3", "net", 1, 0, 0);
    assert_non_null(strstr(file.data, "#define NET_WORKSPACE_BYTES 64\n"));
    free(file.data);
}

static void write_text(const char *folder, const char *name, const char *text)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, strlen(text), file), strlen(text));
    assert_int_equal(fclose(file), 0);
}

static void compiles(const char *folder, const char *compiler, const char *source)
{
    char command[512];
    snprintf(command, sizeof command, "command -v %.*s >/dev/null 2>&1",
             (int)strcspn(compiler, " "), compiler);
    if (system(command)) {
        print_message("[  SKIPPED ] no %s here\n", compiler);
        return;
    }
    snprintf(command, sizeof command,
             "cd %s && %s -Wall -Wextra -Wpedantic -Werror -c %s -o /dev/null", folder, compiler,
             source);
    assert_int_equal(system(command), 0);
}

static void for_gpus_there_is_nothing_to_call(void **state)
{
    (void)state;
    struct backend_file file = header_for("nvptx:sm_80", "net", 2, 640, 0);
    assert_null(strstr(file.data, "net_run"));
    assert_null(strstr(file.data, "NET_WORKSPACE_BYTES"));
    assert_non_null(strstr(file.data, "#define NET_CLASSES 11\n"));
    assert_non_null(strstr(file.data, "extern const struct san_model net_model;\n"));
    free(file.data);
}

static void compiles_alone_and_with_others(void **state)
{
    (void)state;
    static const char program[] =
        "#include \"one.h\"\n#include \"two.h\"\n#include \"one.h\"\n"
        "ONE_ALIGNED static unsigned char workspace[ONE_WORKSPACE_BYTES];\n"
        "int use(const float *in, float *out);\n"
        "int use(const float *in, float *out)\n{\n"
        "    return one_run(in, out, workspace, NULL) + (two_model.abi_version == "
        "SAN_ABI_VERSION);\n"
        "}\n";
    char folder[] = P_tmpdir "/sanc-header-XXXXXX";
    assert_non_null(mkdtemp(folder));
    struct backend_file one = header_of("one", 64, 0), two = header_of("two", 0, 0);
    write_text(folder, "one.h", one.data);
    write_text(folder, "two.h", two.data);
    write_text(folder, "use.c", program);
    write_text(folder, "use.cpp", program);
    compiles(folder, "cc -std=c11", "use.c");
    compiles(folder, "c++ -std=c++11", "use.cpp");
    compiles(folder, "cc -std=c11 -x c", "one.h");
    char path[64];
    const char *name[] = {"one.h", "two.h", "use.c", "use.cpp"};
    for (int i = 0; i < 4; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, name[i]);
        unlink(path);
    }
    rmdir(folder);
    free(one.data);
    free(two.data);
}

/* Preprocesses a file that includes both headers: its status, and whether it says `says`. */
static int preprocesses(const char *first, const char *second, const char *says)
{
    char folder[] = P_tmpdir "/sanc-header-XXXXXX", command[512];
    assert_non_null(mkdtemp(folder));
    write_text(folder, "first.h", first);
    write_text(folder, "second.h", second);
    write_text(folder, "use.c", "#include \"first.h\"\n#include \"second.h\"\nint used;\n");
    snprintf(command, sizeof command,
             "cd %s && cc -std=c11 -Wall -Werror -fsyntax-only use.c 2>said; s=$?; echo . >>said; "
             "grep -q '%s' said "
             "|| s=77; rm -r %s; exit $s",
             folder, says, folder);
    return WEXITSTATUS(system(command));
}

static void names_that_differ_by_capitals(void **state)
{
    (void)state;
    struct backend_file small = header_of("net", 64, 0), mixed = header_of("Net", 64, 0);
    struct backend_file large = header_of("NET", 64, 0);
    assert_int_equal(0, preprocesses(small.data, mixed.data, ""));
    assert_int_equal(1, preprocesses(small.data, large.data, "differ by capitals alone"));
    free(small.data);
    free(mixed.data);
    free(large.data);
}

static void versions_of_the_abi_do_not_mix(void **state)
{
    (void)state;
    struct backend_file one = header_of("one", 64, 0), two = header_of("two", 64, 0);
    char *version = strstr(one.data, "#define SAN_ABI_VERSION ");
    version[strlen("#define SAN_ABI_VERSION ")] = '1';
    assert_int_equal(1, preprocesses(one.data, two.data, "different versions of the ABI"));
    free(one.data);
    free(two.data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(says_sizes),
        cmocka_unit_test(empty_workspace_is_an_array_still),
        cmocka_unit_test(for_gpus_there_is_nothing_to_call),
        cmocka_unit_test(compiles_alone_and_with_others),
        cmocka_unit_test(names_that_differ_by_capitals),
        cmocka_unit_test(versions_of_the_abi_do_not_mix),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
