/* What ops that look at the neighbours of pixels share: relation, aggregate and pad. */
#ifndef IR_FOOTPRINT_H
#define IR_FOOTPRINT_H
#include "lowering.h"
#include "op.h"

/* ---- shapes ---------------------------------------------------------------------------------- */

/* Checks the operand of relation and aggregate that is read at neighbours: (n, h, w, channels),
 * with a border of dilation (footprint - 1) / 2 where padding is valid. */
bool want_neighbours(const struct inst *inst, int input, struct shape map, int64_t footprint,
                     int64_t dilation, int64_t padding, struct error *error);

/* ---- values ---------------------------------------------------------------------------------- */

/* A map of one image, read at pixels that may lie outside of it. */
struct map {
    const double *data;
    int64_t height, width, channels;
    int64_t padding;      /* of padding_kind */
    const double *around; /* the channels of what is not mirrored */
};

double *zeros_new(int64_t count); /* free() them */
struct map map_of(const struct eval *e, int input, int64_t padding, const double *around);
void map_next_image(struct map *map);
/* The channels of a pixel. */
const double *map_at(const struct map *map, int64_t y, int64_t x);

/* One pixel and its neighbours. */
struct footprint {
    int64_t size, dilation;
    int64_t border; /* already part of the operand that is read at neighbours */
    int64_t y, x;
};

struct footprint footprint_new(int64_t size, int64_t dilation, int64_t padding);
int64_t footprint_count(const struct footprint *f);
/* The channels of neighbour j. */
const double *footprint_at(const struct footprint *f, const struct map *map, int64_t j);

/* ---- loops ----------------------------------------------------------------------------------- */

/* Loops over (n, y, x, dy, dx), with the index of a neighbour's pixel in a padded map. */
struct near {
    struct loops loops; /* index: n, y, x */
    affine_ref neighbour;
    affine_ref pixel[3];
};

struct near near_loops(struct lowering *l, const struct inst *inst, int64_t k, int64_t dilation);
/* Sets the neighbour's number and pixel, at offsets dy, dx of the footprint. */
void near_at(struct lowering *l, struct near *near, struct var *dy, struct var *dx,
             int64_t dilation);
const struct expr *load_pixel(struct lowering *l, struct inst *inst, const affine_ref *pixel,
                              affine_ref channel);

#endif
