/* Classifies the PNG files of a folder by a compiled network, on the processes of MPI.
 *
 *   mpirun -n N classify_mpi FOLDER > classes.csv
 *
 * Process r of n takes files r, r + n, r + 2n and so on, by name. Process 0 prints a line for each
 * file, in order: its name, and the digit or "unreadable". */
#include "digits_pairwise.h"
#include "picture.h"
#include <dirent.h>
#include <mpi.h>
#include <stdlib.h>
#include <string.h>

enum { UNREADABLE = -1, MOST_PATH = 4096 };

static int is_png(const struct dirent *entry)
{
    size_t length = strlen(entry->d_name);
    return length > 4 && strcmp(entry->d_name + length - 4, ".png") == 0;
}

static int classify(const char *folder, const char *name)
{
    DIGITS_PAIRWISE_ALIGNED static unsigned char workspace[DIGITS_PAIRWISE_WORKSPACE_BYTES];
    char path[MOST_PATH];
    float input[SIZE * SIZE], logits[DIGITS];
    if (snprintf(path, sizeof path, "%s/%s", folder, name) >= MOST_PATH ||
        !picture_read(path, input))
        return UNREADABLE;
    int status = digits_pairwise_run(input, logits, workspace, NULL);
    if (status != SAN_OK) {
        fprintf(stderr, "digits_pairwise_run returned %d, see enum san_status\n", status);
        MPI_Abort(MPI_COMM_WORLD, 2);
    }
    int best = 0;
    for (int d = 1; d < DIGITS; d++)
        best = logits[d] > logits[best] ? d : best;
    return best;
}

/* What process r has done is every n-th of the file names; of the processes one after another,
 * that is all[r * share + i] for file i * n + r. */
static void print_all(struct dirent **file, int files, int processes, const int *all, int share)
{
    for (int i = 0; i < files; i++) {
        int digit = all[i % processes * share + i / processes];
        if (digit == UNREADABLE)
            printf("%s,unreadable\n", file[i]->d_name);
        else
            printf("%s,%d\n", file[i]->d_name, digit);
    }
}

int main(int argc, char **argv)
{
    int rank, processes, files;
    struct dirent **file;
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &processes);
    if (argc != 2 || (files = scandir(argv[1], &file, is_png, alphasort)) < 0) {
        fprintf(stderr, "usage: classify_mpi FOLDER, of PNG files\n");
        MPI_Abort(MPI_COMM_WORLD, 2);
        return 2;
    }
    int share = (files + processes - 1) / processes;
    int *mine = calloc((size_t)share + 1, sizeof *mine);
    int *all = calloc((size_t)share * (size_t)processes + 1, sizeof *all);
    if (!mine || !all)
        MPI_Abort(MPI_COMM_WORLD, 1);
    for (int i = rank; mine && i < files; i += processes)
        mine[i / processes] = classify(argv[1], file[i]->d_name);
    MPI_Gather(mine, share, MPI_INT, all, share, MPI_INT, 0, MPI_COMM_WORLD);
    if (rank == 0 && all)
        print_all(file, files, processes, all, share);
    for (int i = 0; i < files; i++)
        free(file[i]);
    free(file);
    free(mine);
    free(all);
    MPI_Finalize();
    return 0;
}
