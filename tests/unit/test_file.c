#include "file.h"
#include "scratch.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <sys/stat.h>

#include <cmocka.h>

static void assert_holds(const char *name, const char *text)
{
    char *data;
    size_t size;
    assert_int_equal(file_read(scratch(name), 1000, &data, &size), STATUS_DONE);
    assert_int_equal(size, strlen(text));
    assert_string_equal(data, text);
    free(data);
}

static mode_t permissions(const char *name)
{
    struct stat found;
    assert_int_equal(stat(scratch(name), &found), 0);
    return found.st_mode & 0777;
}

static void test_write_and_read(void **state)
{
    (void)state;
    mode_t mask = umask(026);
    assert_int_equal(file_write(scratch("new"), "one", 3), STATUS_DONE);
    umask(mask);
    assert_holds("new", "one");
    assert_int_equal(permissions("new"), 0640);
    assert_int_equal(file_write(scratch("new"), "", 0), STATUS_DONE);
    assert_holds("new", "");
    assert_int_equal(scratch_files(1), 1);
}

static void test_replaced(void **state)
{
    (void)state;
    scratch_write("old", "old", 3);
    assert_int_equal(chmod(scratch("old"), 0604), 0);
    FILE *reader = fopen(scratch("old"), "rb");
    assert_non_null(reader);
    assert_int_equal(file_write(scratch("old"), "new text", 8), STATUS_DONE);
    assert_holds("old", "new text");
    assert_int_equal(permissions("old"), 0604);
    /* A reader that opened the file before still reads all of the old one. */
    char text[16] = "";
    assert_int_equal(fread(text, 1, sizeof text, reader), 3);
    assert_string_equal(text, "old");
    fclose(reader);
    assert_int_equal(scratch_files(1), 1);
}

static void test_links(void **state)
{
    (void)state;
    struct stat found;
    scratch_write("target", "old", 3);
    assert_int_equal(symlink("target", scratch("link")), 0);
    assert_int_equal(file_write(scratch("link"), "new", 3), STATUS_DONE);
    assert_holds("target", "new");
    assert_int_equal(lstat(scratch("link"), &found), 0);
    assert_true(S_ISLNK(found.st_mode));
    assert_int_equal(symlink("nowhere", scratch("dangling")), 0);
    assert_int_equal(file_write(scratch("dangling"), "new", 3), STATUS_DONE);
    assert_holds("dangling", "new");
    assert_int_equal(scratch_files(1), 3);
}

static void test_devices(void **state)
{
    (void)state;
    struct stat found;
    assert_int_equal(file_write("/dev/null", "text", 4), STATUS_DONE);
    assert_int_equal(file_write("/dev/full", "text", 4), STATUS_SYSTEM);
    assert_int_equal(stat("/dev/full", &found), 0);
    assert_true(S_ISCHR(found.st_mode));
}

static void test_failures_leave_nothing(void **state)
{
    (void)state;
    assert_int_equal(mkdir(scratch("folder"), 0755), 0);
    assert_int_equal(file_write(scratch("folder"), "text", 4), STATUS_SYSTEM);
    assert_int_equal(file_write(scratch("none/file"), "text", 4), STATUS_SYSTEM);
    assert_int_equal(file_write("", "text", 4), STATUS_SYSTEM);
    char name[300];
    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = 0;
    assert_int_equal(file_write(scratch(name), "text", 4), STATUS_SYSTEM);
    assert_int_equal(scratch_files(1), 1);
}

/* The longest name there can be: the temporary beside it has one of its own. */
static void test_long_name(void **state)
{
    (void)state;
    char name[256];
    memset(name, 'x', 255);
    name[255] = 0;
    assert_int_equal(file_write(scratch(name), "text", 4), STATUS_DONE);
    assert_holds(name, "text");
    assert_int_equal(scratch_files(1), 1);
}

static void test_unreadable(void **state)
{
    (void)state;
    char *data;
    size_t size;
    scratch_write("four", "text", 4);
    assert_int_equal(file_read(scratch("four"), 4, &data, &size), STATUS_DONE);
    free(data);
    assert_int_equal(file_read(scratch("four"), 3, &data, &size), STATUS_INPUT);
    assert_int_equal(file_read(scratch("none"), 4, &data, &size), STATUS_INPUT);
    assert_int_equal(file_read(scratch_folder, SIZE_MAX, &data, &size), STATUS_INPUT);
    assert_int_equal(file_read("/dev/zero", SIZE_MAX, &data, &size), STATUS_INPUT);
    assert_int_equal(mkfifo(scratch("pipe"), 0600), 0);
    assert_int_equal(file_read(scratch("pipe"), SIZE_MAX, &data, &size), STATUS_INPUT);
    assert_int_equal(scratch_files(1), 2);
}

static void test_same(void **state)
{
    (void)state;
    char first[sizeof scratch_folder + 256];
    scratch_write("a", "x", 1);
    scratch_write("b", "x", 1);
    assert_int_equal(symlink("a", scratch("c")), 0);
    strcpy(first, scratch("a"));
    assert_true(file_same(first, scratch("./a")));
    assert_true(file_same(first, scratch("c")));
    assert_false(file_same(first, scratch("b")));
    assert_false(file_same(first, scratch("none")));
    assert_false(file_same(scratch("none"), scratch("none")));
    assert_int_equal(scratch_files(1), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_write_and_read),
        cmocka_unit_test(test_replaced),
        cmocka_unit_test(test_links),
        cmocka_unit_test(test_devices),
        cmocka_unit_test(test_failures_leave_nothing),
        cmocka_unit_test(test_long_name),
        cmocka_unit_test(test_unreadable),
        cmocka_unit_test(test_same),
    };
    return cmocka_run_group_tests_name("file", tests, scratch_make, scratch_remove);
}
