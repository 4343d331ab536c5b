/* Runs command lines of sanc one after the other: tests that start sanc hundreds of times would
 * spend most of their time loading LLVM. common.Sanc starts it anew now and then, and after a crash.
 *
 *   sanc_many REQUESTS ANSWERS     file descriptors; commands write to this process's own output
 *
 * A request: the number of words after `sanc` as a line, then the folder to run in and the words,
 * each with a zero after it. The answer: the exit status and the milliseconds of processor time as
 * a line. */
#define _POSIX_C_SOURCE 200809L
#define main sanc_main
int sanc_main(int argc, char **argv);
#include "main.c"
#undef main
#include "keep_memory.h"
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

enum { MOST_WORDS = 64 };

static const unsigned MOST_SECONDS = 600; /* then a signal ends the process */

static void must(bool good, const char *what)
{
    if (good)
        return;
    perror(what);
    exit(1);
}

static FILE *open_descriptor(const char *number, const char *mode)
{
    FILE *file = fdopen(atoi(number), mode);
    must(file != NULL, number);
    return file;
}

static char *read_word(FILE *requests)
{
    char *word = NULL;
    size_t room = 0;
    must(getdelim(&word, &room, '\0', requests) > 0, "a word");
    return word;
}

/* Of this process, without the system's. */
static long milliseconds(void)
{
    struct rusage usage;
    must(getrusage(RUSAGE_SELF, &usage) == 0, "getrusage");
    return 1000 * usage.ru_utime.tv_sec + usage.ru_utime.tv_usec / 1000;
}

static void carry_out(int count, FILE *requests, FILE *answers)
{
    char name[] = "sanc", *folder = read_word(requests), *word[MOST_WORDS + 2] = {name};
    must(count <= MOST_WORDS, "too many words");
    for (int i = 1; i <= count; i++)
        word[i] = read_word(requests);
    must(chdir(folder) == 0, folder);
    long before = milliseconds();
    alarm(MOST_SECONDS);
    int status = sanc_main(count + 1, word);
    alarm(0);
    fflush(stdout);
    fprintf(answers, "%d %ld\n", status, milliseconds() - before);
    must(fflush(answers) == 0, "an answer");
    free(folder);
    for (int i = 1; i <= count; i++)
        free(word[i]);
}

int main(int argc, char **argv)
{
    int count;
    must(argc == 3, "usage: sanc_many REQUESTS ANSWERS");
    keep_memory();
    FILE *requests = open_descriptor(argv[1], "r"), *answers = open_descriptor(argv[2], "w");
    while (fscanf(requests, "%d", &count) == 1 && fgetc(requests) == '\n')
        carry_out(count, requests, answers);
    fclose(requests);
    fclose(answers);
    return 0;
}
