/* The images of a command line: photographs, arrays of NumPy, safetensors files. */
#ifndef COMPILER_IMAGES_H
#define COMPILER_IMAGES_H
#include "execute.h"

struct image_files {
    struct images images;
    const struct file_names *file;
    int64_t *end; /* of each file: the number of images up to its last one */
    /* what holds the values */
    double *memory;
    struct weights *weights; /* of a single safetensors file */
};

/* Reads all of --input for a module:
 *
 *   .png .jpg .jpeg   one image: resized, its centre cut out, where the model says how
 *                     photographs come
 *   .npy              (n, ...) of the shape that the module's input has, or a single image
 *   others            `input` of a safetensors file, (n, ...) of that shape
 *
 * Tensors are floats, or bytes where the input is of bytes. Errors are printed; images_free in any
 * case. */
enum status images_read(const struct source *source, const struct module *module,
                        struct image_files *files);
void images_free(struct image_files *files);

#endif
