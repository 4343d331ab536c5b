/* Runs command lines of sanc that it reads from standard input: tests that start sanc hundreds of
 * times would spend most of their time loading LLVM. Each runs in a fork of this process, so that
 * none affects another one, even by a crash.
 *
 * A request: the number of words after `sanc` as a line, then the folder to run in and the words,
 * each with a zero after it. The answer: the exit status (less than 0: a signal) and the bytes of
 * standard output and standard error as a line, then these bytes. */
#define _POSIX_C_SOURCE 200809L
#define main sanc_main
int sanc_main(int argc, char **argv);
#include "main.c"
#undef main
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MOST_WORDS = 64 };

static const unsigned MOST_SECONDS = 600;

static void must(bool good, const char *what)
{
    if (good)
        return;
    perror(what);
    exit(1);
}

static char *read_word(void)
{
    char *word = NULL;
    size_t room = 0;
    must(getdelim(&word, &room, '\0', stdin) > 0, "a word");
    return word;
}

/* In the child: does not return. */
static void run(const char *folder, int count, char **word, FILE *out, FILE *err)
{
    must(chdir(folder) == 0, folder);
    must(freopen("/dev/null", "r", stdin) != NULL, "/dev/null");
    must(dup2(fileno(out), STDOUT_FILENO) >= 0 && dup2(fileno(err), STDERR_FILENO) >= 0, "dup2");
    alarm(MOST_SECONDS);
    exit(sanc_main(count, word));
}

/* Sends what a child has written to a file, and empties the file. */
static void send_file(FILE *file, long size)
{
    char block[4096];
    rewind(file);
    while (size > 0) {
        size_t count = fread(block, 1, sizeof block, file);
        must(count > 0 && fwrite(block, 1, count, stdout) == count, "an answer");
        size -= (long)count;
    }
    must(ftruncate(fileno(file), 0) == 0 && fseek(file, 0, SEEK_SET) == 0, "a file");
}

static long size_of(FILE *file)
{
    must(fseek(file, 0, SEEK_END) == 0, "a file");
    return ftell(file);
}

static void answer(int count, FILE *out, FILE *err)
{
    char name[] = "sanc", *folder = read_word(), *word[MOST_WORDS + 2] = {name};
    int status;
    must(count <= MOST_WORDS, "too many words");
    for (int i = 1; i <= count; i++)
        word[i] = read_word();
    pid_t child = fork();
    must(child >= 0, "fork");
    if (child == 0)
        run(folder, count + 1, word, out, err);
    must(waitpid(child, &status, 0) == child, "waitpid");
    long outs = size_of(out), errs = size_of(err);
    printf("%d %ld %ld\n", WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status), outs, errs);
    send_file(out, outs);
    send_file(err, errs);
    must(fflush(stdout) == 0, "an answer");
    free(folder);
    for (int i = 1; i <= count; i++)
        free(word[i]);
}

int main(void)
{
    FILE *out = tmpfile(), *err = tmpfile();
    int count;
    must(out && err, "a file");
    while (scanf("%d", &count) == 1 && getchar() == '\n')
        answer(count, out, err);
    fclose(out);
    fclose(err);
    return 0;
}
