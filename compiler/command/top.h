/* The likeliest classes of images, for people. */
#ifndef COMPILER_TOP_H
#define COMPILER_TOP_H
#include "images.h"

/* Names of the classes: the lines of a file. */
struct labels {
    char *text;
    const char **name; /* NULL: there are none */
};

/* Reads as many labels as there are classes. path NULL: none. Errors are printed; labels_free in
 * any case. */
enum status labels_read(const char *path, int64_t classes, struct labels *labels);
void labels_free(struct labels *labels);

/* Prints, for each image, its file and the `top` classes with their probabilities: those of
 * `output` (images, classes), which are logits, or probabilities already. */
void top_print(const struct image_files *files, const float *output, int64_t classes, int64_t top,
               bool probabilities, const struct labels *labels);

#endif
