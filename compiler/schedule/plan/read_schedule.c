/* Reads a schedule, which a person may have written: what its commands ask for, or, at the place of
 * the word that asks for what cannot be, what is allowed there. */
#include "gpu.h"
#include <assert.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_TILE = 4096, MOST_COLUMNS = 1024, MOST_VECTORS = 64 };

struct reading {
    struct module *m;
    const struct kernel *kernel;
    const struct kernel_stage *stage;
    const struct target *target;
    const struct rounding *rounding;
    int64_t pixels; /* 0: no loops over pixels */
    struct var *pixel[3];
    const struct command *command;
    struct plan *plan;
    bool tile_read, threads_read, nest_read[MAX_STAGES_OF_KERNEL];
    const struct command *split, *lanes, *depth[MAX_STAGES_OF_KERNEL],
        *halves[MAX_STAGES_OF_KERNEL], *pad[MAX_STAGES_OF_KERNEL],
        *matrix; /* checked when all is read */
};

enum { WORD = -1 }; /* for the number of an operand */

__attribute__((format(printf, 3, 4))) static bool fail(struct reading *r, int operand,
                                                       const char *format, ...)
{
    char text[512];
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    r->m->error = arena_printf(r->m->arena, "kernel %s: %s", r->kernel->name, text);
    r->m->error_at = r->command->at;
    if (operand >= 0)
        r->m->error_at.column = r->command->operand_column[operand];
    return false;
}

/* what: "pixels of a tile" */
static bool read_number(struct reading *r, int operand, const char *what, int64_t least,
                        int64_t most, int64_t *value)
{
    char *end;
    const char *text = r->command->operand[operand];
    long long read = strtoll(text, &end, 10);
    *value = read;
    if (!*end && *text >= '0' && *text <= '9' && read >= least && read <= most)
        return true;
    return fail(r, operand, "found '%s', must be %s: an integer from %lld to %lld", text, what,
                (long long)least, (long long)most);
}

static bool read_word(struct reading *r, int operand, const char *word)
{
    return strcmp(r->command->operand[operand], word) == 0 ||
           fail(r, operand, "found '%s', must be '%s'", r->command->operand[operand], word);
}

static int64_t bytes_of_tile(const struct kernel *kernel)
{
    int64_t bytes = 0;
    for (const struct buffer *local = kernel->locals; local; local = local->next)
        bytes += shape_elements(&local->shape) * 4;
    return bytes;
}

/* tile T */
static bool read_tile(struct reading *r)
{
    if (r->tile_read)
        return fail(r, WORD, "a second 'tile'");
    r->tile_read = true;
    int64_t most = r->pixels ? r->pixels : 1, bytes = bytes_of_tile(r->kernel);
    const char *what = r->pixels ? "pixels of a tile" : "1, since no loops here run over pixels";
    if (!read_number(r, 0, what, 1, most < MOST_TILE ? most : MOST_TILE, &r->plan->tile))
        return false;
    if (r->plan->tile == 1 || bytes * r->plan->tile <= MOST_TILE_BYTES)
        return true;
    return fail(r, 0, "%lld pixels of %lld bytes each are a tile of more than %d bytes",
                (long long)r->plan->tile, (long long)bytes, (int)MOST_TILE_BYTES);
}

/* The nest that the first operand names. */
static bool read_nest_number(struct reading *r, int64_t *nest)
{
    return read_number(r, 0, "the number of a nest of this kernel", 0, r->plan->nests - 1, nest);
}

/* The columns of a nest; of those without any it is one that counts. */
static int64_t columns_of(const struct reading *r, int64_t nest)
{
    if (lanes_has(r->plan, nest))
        return r->plan->tile;
    return stage_size(&r->stage[nest], 1).columns;
}

/* Sums stay in registers, a vector each, while their reduction runs. */
static bool check_registers(struct reading *r, const struct kernel_stage *stage,
                            const struct nest_plan *plan)
{
    int64_t vectors = plan->rows * (plan->columns / plan->lanes);
    if (stage->reduce && vectors > r->target->registers)
        return fail(r, 2, "%lld rows of %lld vectors need %lld registers, %s has %d",
                    (long long)plan->rows, (long long)(plan->columns / plan->lanes),
                    (long long)vectors, r->target->name, r->target->registers);
    return vectors <= MOST_VECTORS ||
           fail(r, 2, "%lld rows of %lld vectors, at most %d vectors are written out",
                (long long)plan->rows, (long long)(plan->columns / plan->lanes), MOST_VECTORS);
}

/* nest I rows R columns C vector V */
static bool read_nest(struct reading *r)
{
    int64_t index;
    if (!read_nest_number(r, &index))
        return false;
    if (r->nest_read[index])
        return fail(r, 0, "a second 'nest %lld'", (long long)index);
    r->nest_read[index] = true;
    struct nest_plan *nest = &r->plan->nest[index];
    int64_t columns = columns_of(r, index);
    if (!read_word(r, 1, "rows") || !read_word(r, 3, "columns") || !read_word(r, 5, "vector") ||
        !read_number(r, 2, "rows", 1, MOST_VECTORS, &nest->rows) ||
        !read_number(r, 4, "columns of the nest", 1,
                     columns < MOST_COLUMNS ? columns : MOST_COLUMNS, &nest->columns) ||
        !read_number(r, 6, "lanes of a vector of the target", 1, r->target->lanes, &nest->lanes))
        return false;
    if (nest->lanes & (nest->lanes - 1))
        return fail(r, 6, "a vector of %lld lanes, must be a power of two", (long long)nest->lanes);
    if (nest->columns % nest->lanes)
        return fail(r, 4, "%lld columns, must be whole vectors of %lld", (long long)nest->columns,
                    (long long)nest->lanes);
    return check_registers(r, &r->stage[index], nest);
}

/* matrix I rows R columns C */
static bool read_matrix(struct reading *r)
{
    int64_t index;
    if (!read_nest_number(r, &index))
        return false;
    struct matrix_plan *matrix = &r->plan->matrix[index];
    if (matrix->rows)
        return fail(r, 0, "a second 'matrix %lld'", (long long)index);
    const char *why = matrix_error(r->m, r->kernel, &r->stage[index], r->pixels ? 3 : 0, r->pixel,
                                   r->target, r->rounding);
    if (why)
        return fail(r, 0, "%s", why);
    if (!read_word(r, 1, "rows") || !read_word(r, 3, "columns") ||
        !read_number(r, 2, "rows", MATRIX_ROWS, MOST_COLUMNS, &matrix->rows) ||
        !read_number(r, 4, "columns", MATRIX_COLUMNS, MOST_COLUMNS, &matrix->columns))
        return false;
    if (matrix->rows % MATRIX_ROWS)
        return fail(r, 2, "%lld rows, must be a multiple of %d", (long long)matrix->rows,
                    MATRIX_ROWS);
    if (matrix->columns % MATRIX_COLUMNS)
        return fail(r, 4, "%lld columns, must be a multiple of %d", (long long)matrix->columns,
                    MATRIX_COLUMNS);
    int64_t sums = matrix->rows * matrix->columns / WARP_THREADS;
    r->matrix = r->command;
    return sums <= MOST_MATRIX_SUMS ||
           fail(r, 2, "%lld rows of %lld columns are %lld sums of a thread, at most %d are allowed",
                (long long)matrix->rows, (long long)matrix->columns, (long long)sums,
                MOST_MATRIX_SUMS);
}

/* pad I */
static bool read_pad(struct reading *r)
{
    int64_t index;
    if (!read_nest_number(r, &index))
        return false;
    r->pad[index] = r->command;
    r->plan->matrix[index].pad = true;
    return true;
}

/* stage I */
static bool read_stage(struct reading *r)
{
    int64_t index;
    if (!read_nest_number(r, &index))
        return false;
    if (r->plan->staged[index])
        return fail(r, 0, "a second 'stage %lld'", (long long)index);
    const char *why =
        stage_error(r->kernel, r->stage, r->plan->nests, (int)index, r->pixels ? 3 : 0, r->pixel);
    r->plan->staged[index] = true;
    return !why || fail(r, 0, "%s", why);
}

/* threads T */
static bool read_threads(struct reading *r)
{
    if (r->threads_read)
        return fail(r, WORD, "a second 'threads'");
    r->threads_read = true;
    return read_number(r, 0, "threads of a block", 1, MOST_THREADS, &r->plan->threads);
}

/* split C */
static bool read_split(struct reading *r)
{
    r->split = r->command;
    return read_number(r, 0, "columns", 1, INT32_MAX, &r->plan->split);
}

/* depth I D */
static bool read_depth(struct reading *r)
{
    int64_t index;
    if (!read_nest_number(r, &index))
        return false;
    r->depth[index] = r->command;
    return read_number(r, 1, "steps of a reduction", 1, INT32_MAX, &r->plan->nest[index].depth);
}

/* ahead I */
static bool read_ahead(struct reading *r)
{
    int64_t index;
    if (!read_nest_number(r, &index))
        return false;
    r->plan->nest[index].ahead = true;
    return true;
}

/* halves I */
static bool read_halves(struct reading *r)
{
    int64_t index;
    if (!read_nest_number(r, &index))
        return false;
    r->halves[index] = r->command;
    r->plan->nest[index].halves = true;
    return true;
}

/* together I J */
static bool read_together(struct reading *r)
{
    int64_t *together = r->plan->together;
    if (!read_nest_number(r, &together[0]) ||
        !read_number(r, 1, "the number of a later nest", together[0] + 1, r->plan->nests - 1,
                     &together[1]))
        return false;
    return stages_together(r->stage, r->plan->nests, r->pixels > 0, together) ||
           fail(r, WORD, "together is for nests that take the pixels of a tile one by one");
}

/* blocks B */
static bool read_blocks(struct reading *r)
{
    if (r->plan->blocks)
        return fail(r, WORD, "a second 'blocks'");
    if (gpu_kernel_is_list(r->kernel))
        return fail(r, WORD, "blocks is for kernels that have pixels or tiles");
    return read_number(r, 0, "blocks", 1, INT32_MAX, &r->plan->blocks);
}

/* place LOCAL workspace; other places are for the loops that the other commands make: apply_edits.c */
static bool read_place(struct reading *r)
{
    const struct command *command = r->command;
    const struct buffer *local = r->kernel->locals;
    const char *names = NULL;
    if (!gpu_places_in_workspace(r->target, command))
        return true;
    for (int i = 0; local; local = local->next, i++) {
        names = names ? arena_printf(r->m->arena, "%s, %s", names, local->name) : local->name;
        if (strcmp(local->name, command->operand[0]) != 0)
            continue;
        r->plan->memory[i] = true;
        return true;
    }
    return fail(r, 0, "found '%s', must be one of the buffers %s", command->operand[0],
                names ? names : "(there are none)");
}

/* lanes I J */
static bool read_lanes(struct reading *r)
{
    int64_t *lanes = r->plan->lanes, last;
    if (r->lanes)
        return fail(r, WORD, "a second 'lanes'");
    r->lanes = r->command;
    if (!read_nest_number(r, &lanes[0]) || !read_number(r, 1, "the number of this or a later nest",
                                                        lanes[0], r->plan->nests - 1, &last))
        return false;
    lanes[1] = last + 1;
    return true;
}

/* What changes the loops that the other commands make is read when they are there: apply_edits.c. */
static bool read_edit(struct reading *r)
{
    (void)r;
    return true;
}

static const struct {
    const char *word, *usage;
    int operands; /* -N: N or more */
    enum { FOR_ALL, FOR_GPUS, FOR_PROCESSORS } whose;
    bool (*read)(struct reading *r);
} commands[] = {
    {"threads", "threads T", 1, FOR_GPUS, read_threads},
    {"tile", "tile T", 1, FOR_ALL, read_tile},
    {"nest", "nest I rows R columns C vector V", 7, FOR_ALL, read_nest},
    {"matrix", "matrix I rows R columns C", 5, FOR_GPUS, read_matrix},
    {"pad", "pad I", 1, FOR_GPUS, read_pad},
    {"stage", "stage I", 1, FOR_GPUS, read_stage},
    {"split", "split C", 1, FOR_ALL, read_split},
    {"blocks", "blocks B", 1, FOR_GPUS, read_blocks},
    {"depth", "depth I D", 2, FOR_PROCESSORS, read_depth},
    {"ahead", "ahead I", 1, FOR_PROCESSORS, read_ahead},
    {"halves", "halves I", 1, FOR_PROCESSORS, read_halves},
    {"together", "together I J", 2, FOR_PROCESSORS, read_together},
    {"lanes", "lanes I J", 2, FOR_PROCESSORS, read_lanes},
    {"kind", "kind LOOP KIND", 2, FOR_ALL, read_edit},
    {"order", "order LOOP LOOP ...", -2, FOR_ALL, read_edit},
    {"place", "place BUFFER PLACE", 2, FOR_ALL, read_place},
};
enum { COMMANDS = sizeof commands / sizeof *commands };

static bool read_command(struct reading *r)
{
    char allowed[512] = "";
    for (int i = 0; i < COMMANDS; i++) {
        if (commands[i].whose == (r->target->gpu ? FOR_PROCESSORS : FOR_GPUS))
            continue;
        int found = r->command->operands, needed = commands[i].operands;
        if (strcmp(r->command->word, commands[i].word) == 0)
            return found == needed || (needed < 0 && found >= -needed)
                       ? commands[i].read(r)
                       : fail(r, WORD, "found %d operands, must be '%s'", found, commands[i].usage);
        size_t used = strlen(allowed);
        snprintf(allowed + used, sizeof allowed - used, "%s'%s'", used ? " or " : "",
                 commands[i].usage);
    }
    return fail(r, WORD, "found '%s', must be %s", r->command->word, allowed);
}

static bool check_halves(struct reading *r, int nest)
{
    const struct nest_plan *plan = &r->plan->nest[nest];
    if (!stage_halves(r->m, &r->stage[nest], r->target))
        return fail(r, 0,
                    "halves is for sums of an even number of x[.., k] * w[k, column], with at most "
                    "half as many columns as lanes");
    return (plan->lanes == columns_of(r, nest) && !plan->depth && !plan->ahead) ||
           fail(r, 0, "halves needs all columns in one vector, and neither depth nor ahead");
}

/* What depends on several commands. */
static bool check_plan(struct reading *r)
{
    const char *why = !r->split        ? NULL
                      : r->target->gpu ? gpu_split_error(r->m, r->kernel, r->plan)
                                       : plan_split_error(r->m, r->kernel, r->plan);
    r->command = r->split;
    if (why)
        return fail(r, 0, "%s", why);
    why = r->lanes ? plan_lanes_error(r->m, r->kernel, r->plan) : NULL;
    r->command = r->lanes;
    if (why)
        return fail(r, WORD, "%s", why);
    r->command = r->matrix;
    if (r->matrix && r->plan->threads < WARP_THREADS)
        return fail(r, WORD, "matrix is for blocks of at least %d threads, found %lld",
                    WARP_THREADS, (long long)r->plan->threads);
    for (int i = 0; i < r->plan->nests; i++) {
        r->command = r->depth[i];
        why = r->command ? plan_depth_error(r->m, r->kernel, r->plan, i) : NULL;
        if (why)
            return fail(r, 1, "%s", why);
        r->command = r->pad[i];
        if (r->command && !r->plan->matrix[i].rows)
            return fail(r, 0, "pad is for nests that have matrix");
        r->command = r->halves[i];
        if (r->command && !check_halves(r, i))
            return false;
    }
    return true;
}

bool schedule_read(struct module *m, const struct kernel *kernel, const struct schedule *schedule,
                   const struct rounding *rounding, struct plan *plan)
{
    static struct kernel_stage stage[MAX_STAGES_OF_KERNEL];
    char why[256];
    struct reading r = {
        .m = m, .kernel = kernel, .stage = stage, .plan = plan, .rounding = rounding};
    int pixels, nests = kernel_list_stages(m, kernel, &pixels, r.pixel, stage);
    r.target = target_find(schedule->target, why, sizeof why);
    assert(r.target); /* of the module, which was checked */
    r.pixels = pixels > 0;
    for (int i = 0; i < pixels; i++)
        r.pixels *= r.pixel[i]->extent;
    *plan = (struct plan){.tile = 1, .threads = r.target->gpu ? 128 : 0, .nests = nests};
    for (int i = 0; i < nests; i++)
        plan->nest[i] = (struct nest_plan){1, 1, 1, 0, false, false};
    /* nests last: what columns they have depends on others */
    for (int second = 0; second < 2; second++)
        for (r.command = schedule->commands; r.command; r.command = r.command->next)
            if ((strcmp(r.command->word, "nest") == 0) == second && !read_command(&r))
                return false;
    return check_plan(&r);
}
