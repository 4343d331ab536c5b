#include "images.h"
#include "npy.h"
#include "picture.h"
#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* What one file is read into: room for all of its images, after those of the files before. */
struct reading {
    const struct source *source;
    const struct module *module;
    struct image_files *files;
    const char *path;
};

static void add_images(struct reading *r, const double *value, int64_t count)
{
    struct image_files *files = r->files;
    int64_t each = files->images.each, before = files->images.count;
    files->memory = allocate_again(files->memory, (before + count + 1) * each, sizeof(double));
    memcpy(files->memory + before * each, value, (size_t)(count * each) * sizeof *value);
    files->images.value = files->memory;
    files->images.count += count;
}

/* ---- tensors --------------------------------------------------------------------------------- */

/* Whether this is the shape of images: (n, ...), or a single one where `single` allows that. */
static bool check_shape(const struct reading *r, const char *what, int rank, const int64_t *dim,
                        bool single)
{
    const struct shape input = module_input_shape(r->module);
    const int64_t *want = input.dim + 1;
    if ((rank == 4 && memcmp(dim + 1, want, 3 * sizeof *want) == 0) ||
        (single && rank == 3 && memcmp(dim, want, 3 * sizeof *want) == 0))
        return true;
    char found[256] = "";
    for (int i = 0; i < rank; i++)
        snprintf(found + strlen(found), sizeof found - strlen(found), "%s%" PRId64, i ? ", " : "",
                 dim[i]);
    diag_error(r->path, 0, 0,
               "%s must be of shape (n, %" PRId64 ", %" PRId64 ", %" PRId64 "), found (%s)", what,
               want[0], want[1], want[2], found);
    return false;
}

static enum status read_safetensors(struct reading *r)
{
    struct image_files *files = r->files;
    struct weights *file = NULL;
    bool bytes = r->module->input_type == DTYPE_U8;
    enum status status = weights_read(r->path, &file);
    if (status != STATUS_DONE)
        return status;
    int rank;
    int64_t dim[MAX_TENSOR_RANK];
    const double *value = NULL;
    if (!weights_shape(file, "input", &rank, dim))
        diag_error(r->path, 0, 0, "there is no tensor 'input'");
    else if (check_shape(r, "tensor 'input'", rank, dim, false)) {
        int64_t elements = dim[0] * files->images.each;
        value = (bytes ? weights_find_bytes : weights_find)(file, "input", elements);
        if (!value)
            diag_error(r->path, 0, 0, "tensor 'input' must be of type %s",
                       bytes ? "U8, as the model's input" : "F64, F32, F16 or BF16");
    }
    if (value && files->file->count == 1) {
        files->images.value = value;
        files->images.count = dim[0];
        files->weights = file;
        return STATUS_DONE;
    }
    if (value)
        add_images(r, value, dim[0]);
    weights_free(file);
    return value ? STATUS_DONE : STATUS_INPUT;
}

static enum status read_npy(struct reading *r)
{
    struct npy npy;
    bool bytes = r->module->input_type == DTYPE_U8;
    enum status status = npy_read(r->path, &npy);
    if (status == STATUS_DONE && npy.bytes != bytes) {
        diag_error(r->path, 0, 0, "must be of type %s, as the model's input",
                   bytes ? "u1" : "f2, f4 or f8");
        status = STATUS_INPUT;
    }
    if (status == STATUS_DONE && !check_shape(r, "the array", npy.rank, npy.dim, true))
        status = STATUS_INPUT;
    if (status == STATUS_DONE)
        add_images(r, npy.value, npy.elements / r->files->images.each);
    npy_free(&npy);
    return status;
}

/* ---- photographs ----------------------------------------------------------------------------- */

/* Whether the model says how photographs become its input. */
static enum status check_photographs(const struct reading *r)
{
    const struct module *m = r->module;
    const struct model *model = r->source->is_dump ? NULL : &r->source->model;
    bool known = m->input_type == DTYPE_U8 || (model && (model->mean.count || model->std.count));
    if (!known)
        diag_error(r->path, 0, 0,
                   "an image file needs a model that says how images come: \"type\": \"u8\" in its "
                   "\"input\", or \"mean\" and \"std\"");
    else if (m->channels != 1 && m->channels != 3)
        diag_error(r->path, 0, 0, "an image file has 1 or 3 channels, the model's input %" PRId64,
                   m->channels);
    else
        return STATUS_DONE;
    return STATUS_INPUT;
}

/* To the shorter side that is asked for; or to that by which the published networks are evaluated,
 * 256 for an input of 224. */
static enum status resize(const struct reading *r, struct picture *picture)
{
    static const double MOST_PIXELS = 64e6;
    const struct module *m = r->module;
    int64_t least = m->height > m->width ? m->height : m->width;
    int64_t size = r->source->options->resize;
    if (!size)
        size = least * 256 / 224;
    if (size < least) {
        diag_error(NULL, 0, 0,
                   "--resize must be at least %" PRId64 ", the model's input, found %" PRId64,
                   least, size);
        return STATUS_USAGE;
    }
    double width = picture->width, height = picture->height;
    double ratio = width < height ? height / width : width / height;
    if ((double)(size * size) * ratio > MOST_PIXELS) {
        diag_error(r->path, 0, 0,
                   "is too narrow: %d x %d pixels, more than 64 million with a shorter side of "
                   "%" PRId64,
                   picture->width, picture->height, size);
        return STATUS_INPUT;
    }
    picture_resize(picture, (int)size);
    return STATUS_DONE;
}

static void add_picture(struct reading *r, const struct picture *picture)
{
    const struct module *m = r->module;
    int64_t each = r->files->images.each;
    uint8_t *byte = allocate(each, 1);
    double *value = allocate(each, sizeof *value);
    picture_cut(picture, (int)m->height, (int)m->width, m->layout == LAYOUT_NCHW, byte);
    for (int64_t i = 0; i < each; i++)
        value[i] = m->input_type == DTYPE_U8 ? byte[i] : (double)(byte[i] / 255.0f);
    add_images(r, value, 1);
    free(byte);
    free(value);
}

static enum status read_picture(struct reading *r)
{
    struct picture picture = {0};
    enum status status = check_photographs(r);
    if (status == STATUS_DONE)
        status = picture_read(r->path, (int)r->module->channels, &picture);
    if (status == STATUS_DONE)
        status = resize(r, &picture);
    if (status == STATUS_DONE)
        add_picture(r, &picture);
    picture_free(&picture);
    return status;
}

/* ---- all files ------------------------------------------------------------------------------- */

enum status images_read(const struct source *source, const struct module *module,
                        struct image_files *files)
{
    const struct file_names *names = &source->options->input;
    *files = (struct image_files){.file = names};
    files->images.each = module->channels * module->height * module->width;
    files->end = allocate(names->count, sizeof *files->end);
    for (int i = 0; i < names->count; i++) {
        struct reading r = {source, module, files, names->name[i]};
        enum status status = picture_is(r.path) ? read_picture(&r)
                             : npy_is(r.path)   ? read_npy(&r)
                                                : read_safetensors(&r);
        if (status != STATUS_DONE)
            return status;
        files->end[i] = files->images.count;
    }
    return STATUS_DONE;
}

void images_free(struct image_files *files)
{
    free(files->end);
    free(files->memory);
    weights_free(files->weights);
    *files = (struct image_files){0};
}
