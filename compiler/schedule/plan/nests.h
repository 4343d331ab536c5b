/* The nests of a kernel, as schedules see them; found once for each kernel. */
#ifndef COMPILER_NESTS_H
#define COMPILER_NESTS_H
#include "loops.h"
#include "tiles.h"

/* A nest: loops around one store. The loop that stores to consecutive elements is its columns, if
 * the innermost one does; the loops around it are its rows. */
struct kernel_nest {
    struct nest loops; /* but for that over groups */
    struct var *group; /* of a grouped linear: both factors differ by it; NULL: it is none */
    const struct expr *reduce; /* the sum or the maximum in its value; NULL: there is none */
    int rows; /* the first loops are rows; the columns are the last loop, if there is one more */
    bool multiply;     /* an operand serves all rows, as in a matrix product */
    bool exponentials; /* its value has some */
    /* For a sum over one variable of products: the factor that depends on the row but not on the
     * column, where the other factor depends on the column. Else NULL. */
    const struct expr *row_factor;
};

struct nests {
    const struct kernel *kernel;
    int pixels;           /* 3: all nests are in loops over pixels; 0: in none */
    struct var *pixel[3]; /* n, y, x */
    int64_t pixel_count;  /* in all; 1 where no loops run over pixels */
    int64_t local_bytes;  /* of the kernel's buffers on the stack, which hold one pixel's */
    int count;
    struct kernel_nest nest[];
};

/* Finds the nests of a kernel; they live as long as the module. NULL: the kernel cannot have a
 * schedule, as may happen in an edited dump; m->error says why. */
struct nests *nests_find(struct module *m, const struct kernel *kernel);

/* Nests of the same kernel that may be changed. */
struct nests *nests_copy(struct module *m, const struct nests *nests);

/* Whether a kernel has neither pixels nor buffers of its own, nor is one sum of many terms, as a
 * classifier's: on a GPU its nests are kernels of their own. */
bool nests_are_list(const struct nests *nests);

/* Whether a nest has a loop over columns, and that loop's variable. */
bool nest_has_columns(const struct kernel_nest *nest);
struct var *nest_column(const struct kernel_nest *nest);

/* Whether a nest stores to a local buffer; else it stores results to memory. */
bool nest_stays(const struct kernel_nest *nest);

/* The buffer of the stack whose elements are a nest's row factor, all terms of a row in order.
 * NULL: the factor is something else. */
struct buffer *nest_row_local(const struct kernel_nest *nest);

/* A nest's work for a tile: rows x columns, `repeats` times, once for each pixel. Nests with fewer
 * than OWN_ROWS rows have the tile's pixels as rows too, and do not repeat. */
enum { OWN_ROWS = 5 };
struct nest_size {
    int64_t rows, columns, repeats;
};
struct nest_size nest_measure(const struct kernel_nest *nest, int64_t tile);
/* The same for a nest whose columns are the tile's pixels: all of its own variables are rows. */
struct nest_size nest_measure_lanes(const struct kernel_nest *nest, int64_t tile);

/* Whether blocks of rows are whole inner loops, or divide one: else each row's variables need
 * divisions. The rows are the first `vars` variables, and the tile's pixels around them or not. */
bool nest_even_rows(const struct kernel_nest *nest, int vars, bool pixels, int64_t rows);

/* Groups of a grouped linear; 1: it is none. A nest's sizes are those of one of them. */
int64_t nest_groups(const struct kernel_nest *nest);

/* The terms of a nest's sum, 1 without; the bytes of the weights that it reads. */
int64_t nest_depth(const struct kernel_nest *nest);
int64_t nest_weight_bytes(const struct kernel_nest *nest);

#endif
