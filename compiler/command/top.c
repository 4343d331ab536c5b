#include "top.h"
#include "file.h"
#include "memory.h"
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const size_t MOST_BYTES = 64u << 20;

enum status labels_read(const char *path, int64_t classes, struct labels *labels)
{
    size_t size;
    int64_t lines = 0;
    *labels = (struct labels){0};
    if (!path)
        return STATUS_DONE;
    enum status status = file_read(path, MOST_BYTES, &labels->text, &size);
    if (status != STATUS_DONE)
        return status;
    labels->name = allocate(classes, sizeof *labels->name);
    for (char *at = labels->text, *end = at + size; at < end; lines++) {
        char *line = at + strcspn(at, "\n");
        if (lines < classes)
            labels->name[lines] = at;
        if (line > at && line[-1] == '\r')
            line[-1] = 0;
        *line = 0;
        at = line + 1;
    }
    if (lines == classes)
        return STATUS_DONE;
    diag_error(path, 0, 0,
               "must have a line for each of the model's %" PRId64 " classes, found %" PRId64,
               classes, lines);
    return STATUS_INPUT;
}

void labels_free(struct labels *labels)
{
    free(labels->text);
    free(labels->name);
    *labels = (struct labels){0};
}

struct ranked {
    int64_t class;
    double value;
};

/* The largest first, NaN last; equal ones by their number. */
static int compare(const void *a, const void *b)
{
    const struct ranked *p = a, *q = b;
    if (p->value > q->value || (isnan(q->value) && !isnan(p->value)))
        return -1;
    if (p->value < q->value || (isnan(p->value) && !isnan(q->value)))
        return 1;
    return p->class < q->class ? -1 : 1;
}

/* In the place of logits their softmax. */
static void make_probabilities(struct ranked *ranked, int64_t classes)
{
    double sum = 0, largest = ranked[0].value;
    for (int64_t i = 0; i < classes; i++)
        largest = isnan(ranked[i].value) || ranked[i].value > largest ? ranked[i].value : largest;
    for (int64_t i = 0; i < classes; i++)
        sum += ranked[i].value = exp(ranked[i].value - largest);
    for (int64_t i = 0; i < classes; i++)
        ranked[i].value /= sum;
}

/* Which of a file's images it is, where it may have several. */
static void print_name(const struct image_files *files, int file, int64_t image)
{
    int64_t first = file ? files->end[file - 1] : 0;
    if (files->end[file] - first > 1)
        printf("%s[%" PRId64 "]\n", files->file->name[file], image - first);
    else
        printf("%s\n", files->file->name[file]);
}

void top_print(const struct image_files *files, const float *output, int64_t classes, int64_t top,
               bool probabilities, const struct labels *labels)
{
    struct ranked *ranked = allocate(classes, sizeof *ranked);
    for (int64_t image = 0, file = 0; image < files->images.count; image++) {
        while (files->end[file] <= image)
            file++;
        for (int64_t i = 0; i < classes; i++)
            ranked[i] = (struct ranked){i, output[image * classes + i]};
        if (!probabilities)
            make_probabilities(ranked, classes);
        qsort(ranked, (size_t)classes, sizeof *ranked, compare);
        print_name(files, (int)file, image);
        for (int64_t i = 0; i < top && i < classes; i++)
            printf("%8.2f%% %6" PRId64 "%s%s\n", 100 * ranked[i].value, ranked[i].class,
                   labels->name ? "  " : "", labels->name ? labels->name[ranked[i].class] : "");
    }
    free(ranked);
}
