/* A folder of a test's own for the files it writes. */
#ifndef TESTS_SCRATCH_H
#define TESTS_SCRATCH_H
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifndef P_tmpdir
#define P_tmpdir "/var/tmp"
#endif

static char scratch_folder[4096];

/* For cmocka's groups: 0 where it worked. */
static inline int scratch_make(void **state)
{
    (void)state;
    const char *where = getenv("TMPDIR");
    snprintf(scratch_folder, sizeof scratch_folder, "%s/sanc-test-XXXXXX",
             where ? where : P_tmpdir);
    return mkdtemp(scratch_folder) ? 0 : -1;
}

/* The path of a file in it, good until the next call but one. */
static inline const char *scratch(const char *name)
{
    static char path[2][sizeof scratch_folder + 512];
    static int turn;
    turn = !turn;
    snprintf(path[turn], sizeof path[turn], "%s/%s", scratch_folder, name);
    return path[turn];
}

/* How many files it holds, and removes them where asked to. */
static inline int scratch_files(int and_remove)
{
    int count = 0;
    DIR *folder = opendir(scratch_folder);
    if (!folder)
        return -1;
    for (struct dirent *entry; (entry = readdir(folder));) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        count++;
        if (and_remove)
            remove(scratch(entry->d_name));
    }
    closedir(folder);
    return count;
}

static inline int scratch_remove(void **state)
{
    (void)state;
    scratch_files(1);
    return rmdir(scratch_folder);
}

static inline void scratch_write(const char *name, const void *data, size_t size)
{
    FILE *file = fopen(scratch(name), "wb");
    if (!file || fwrite(data, 1, size, file) != size || fclose(file) != 0)
        abort();
}

#endif
