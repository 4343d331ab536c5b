/* Replaces libFuzzer where that is missing, with the options that run.py uses: runs the target on
 * every file of the given folders, then on randomly changed files until the time is over. */
#define _POSIX_C_SOURCE 200809L
#include "fuzz.h"
#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { MOST_FILES = 4000, MOST_BYTES = 1 << 20 };

static struct seed {
    uint8_t *data;
    size_t size;
} seed[MOST_FILES];
static int seeds;
static uint64_t state = 1;

static size_t random_below(size_t most)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return most ? (size_t)(state >> 33) % most : 0;
}

static void read_seed(const char *folder, const char *name)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "rb");
    if (!file || name[0] == '.' || seeds == MOST_FILES) {
        if (file)
            fclose(file);
        return;
    }
    struct seed *to = &seed[seeds++];
    to->data = malloc(MOST_BYTES);
    if (!to->data)
        abort();
    to->size = fread(to->data, 1, MOST_BYTES, file);
    fclose(file);
}

static void read_folder(const char *path)
{
    DIR *folder = opendir(path);
    if (!folder)
        abort();
    for (struct dirent *entry = readdir(folder); entry; entry = readdir(folder))
        read_seed(path, entry->d_name);
    closedir(folder);
}

/* In memory of exactly its size, so that a sanitizer sees what is read after it. */
static void run(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size ? size : 1);
    if (!copy)
        abort();
    memcpy(copy, data, size);
    LLVMFuzzerTestOneInput(copy, size);
    free(copy);
}

/* Some bytes changed, a piece taken out, or a piece of another file put in. */
static void run_changed(const struct seed *from, const struct seed *other)
{
    size_t at = random_below(from->size), most = from->size - at < 40 ? from->size - at : 40;
    size_t out = random_below(most + 1), begin = random_below(other->size);
    size_t in =
        random_below(2) ? random_below(other->size - begin < 40 ? other->size - begin : 40) : 0;
    size_t size = from->size - out + in;
    uint8_t *data = malloc(size + 1);
    if (!data)
        abort();
    memcpy(data, from->data, at);
    memcpy(data + at, other->data + begin, in);
    memcpy(data + at + in, from->data + at + out, from->size - at - out);
    for (size_t i = random_below(3); i > 0 && size; i--)
        data[random_below(size)] = (uint8_t)random_below(256);
    run(data, size);
    free(data);
}

int main(int count, char **argument)
{
    time_t start = time(NULL);
    long seconds = 5, runs = 0;
    for (int i = 1; i < count; i++)
        if (strncmp(argument[i], "-max_total_time=", 16) == 0)
            seconds = strtol(argument[i] + 16, NULL, 10);
        else if (strncmp(argument[i], "-seed=", 6) == 0)
            state = strtoull(argument[i] + 6, NULL, 10);
        else if (argument[i][0] != '-')
            read_folder(argument[i]);
    if (!freopen("/dev/null", "w", stderr) || !seeds)
        return 1;
    for (int i = 0; i < seeds; i++, runs++)
        run(seed[i].data, seed[i].size);
    for (; time(NULL) - start < seconds; runs++)
        run_changed(&seed[random_below((size_t)seeds)], &seed[random_below((size_t)seeds)]);
    printf("%ld runs, from %d files, without libFuzzer\n", runs, seeds);
    for (int i = 0; i < seeds; i++)
        free(seed[i].data);
    return 0;
}
