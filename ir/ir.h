/* The two forms of a network between model and machine code, in one module.
 *
 *   graph form    SSA values that are tensors                   struct inst, in a list
 *   loop form     kernels: loop nests over named buffers        struct kernel -> struct stmt
 *
 * Everything a module points to lives in its arena. Expressions and indices are immutable and may
 * be shared; statements, instructions and buffers are owned by the place they are linked into. */
#ifndef IR_IR_H
#define IR_IR_H
#include "arena.h"
#include "error.h"
#include "input.h"
#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum { MAX_RANK = 8, MAX_INPUTS = 16, MAX_TARGETS = 8, MAX_BATCHES = 16, IR_VERSION = 1 };

struct shape {
    int rank;
    int64_t dim[MAX_RANK];
};

/* ---- graph form ------------------------------------------------------------------------------ */

enum op {
#define OP(name, least, most, traits) OP_##name,
#include "ops.def"
    OP_COUNT
};

/* The ENUM rows of every type in one enum: type_value. A type's values are neighbours. */
enum {
#define ENUM(type, value) type##_##value,
#include "ops.def"
    ENUM_COUNT
};

/* Kinds of relation: rows of relations.def. */
enum {
    RELATIONS = 0
#define RELATION(name, traits, scalar) +1
#include "relations.def"
};
enum relation_trait { PATCHWISE = 1, ALL_PAIRS = 2, SUMMED = 4 };

enum trait { ELEMENTWISE = 1, VIEW = 2, CONSTANT = 4, PRODUCT = 8 /* rows by a matrix */ };

/* Attributes live in one array of slots per instruction, in the order of the op's ATTR rows:
 * inst->attr[SLOT_<op>_<name>]. */
enum {
#define OP(name, least, most, traits) ROW_OP_##name,
#define ATTR(op, type, name, init, least, most) ROW_ATTR_##op##_##name,
#include "ops.def"
#define OP(name, least, most, traits)
#define ATTR(op, type, name, init, least, most)                                                    \
    SLOT_##op##_##name = ROW_ATTR_##op##_##name - ROW_OP_##op - 1,
#include "ops.def"
};
enum attr_type {
    ATTR_TYPE_int,
    ATTR_TYPE_real,
    ATTR_TYPE_string,
    ATTR_TYPE_shape,
    ATTR_TYPE_relation_kind,
    ATTR_TYPE_padding_kind,
    ATTR_TYPE_precision_kind
};
enum { MAX_ATTRS = 4 };

union attr {
    int64_t integer; /* int and the ENUM types */
    double real;
    const char *string;
    struct shape shape;
};

struct attr_info {
    enum op op;
    enum attr_type type;
    const char *name;
    double initial, least, most;
};

struct op_info {
    const char *name;
    int least_inputs, most_inputs;
    unsigned traits;
    int attrs; /* their number */
    struct attr_info attr[MAX_ATTRS];
};

/* One use of a value: as an input of an instruction, or as the recipe of a buffer. The uses of a
 * value are a list. */
struct use {
    struct inst *of;       /* NULL: in no list */
    struct inst *user;     /* the instruction; or NULL and */
    struct buffer *buffer; /* the buffer */
    struct use *prev, *next;
};

struct inst {
    enum op op;
    int id; /* printed as %id; unique in the module */
    int inputs;
    struct inst *in[MAX_INPUTS]; /* changed by inst_set_input and its like only */
    struct use *use;             /* of each input */
    struct use *users;           /* in no order */
    int uses;                    /* how many users there are */
    union attr attr[MAX_ATTRS];
    struct shape shape; /* of the result; float32 */
    bool constant;      /* depends on parameters alone; known from inst_finish on */
    const char *label;  /* the model's layer, for people; or NULL */
    struct location at; /* of its %id */
    struct inst *prev, *next;
};

/* ---- loop form ------------------------------------------------------------------------------- */

/* A loop variable, or a variable of a reduction: 0 to extent - 1 in steps of one. Tiles are said in
 * the indices: row 14 t + i. */
struct var {
    const char *name; /* unique in its kernel */
    int64_t extent;
    int serial; /* from 1, in the order of creation in the module; 0: not of a module */
};

/* An index: constant + sum of factor * term. Immutable, kept canonical by affine.h. */
enum term_kind {
    TERM_VAR,   /* var */
    TERM_DIV,   /* inner div divisor, floor; inner >= 0 */
    TERM_MOD,   /* inner mod divisor */
    TERM_LOOKUP /* table[inner], an i32 weights buffer of rank 1 with values in [0, divisor) */
};

struct affine;
struct term {
    int64_t factor;
    enum term_kind kind;
    struct var *var;
    const struct affine *inner;
    int64_t divisor;
    struct buffer *table;
};

struct affine {
    int64_t constant;
    int count;
    struct term term[];
};

enum place {
    PLACE_INPUT,     /* the caller's images, one per module */
    PLACE_OUTPUT,    /* the caller's results, one per module */
    PLACE_WEIGHTS,   /* constant data in the object: `value` is its recipe */
    PLACE_WORKSPACE, /* whole tensors, at `offset` bytes into the caller's workspace */
    PLACE_STACK,     /* a tile, private to one worker, at `offset` bytes into its scratch */
    PLACE_REGISTERS, /* every index constant once loops are unrolled; vectors along the last dim.
                      * The first may be a thread's variable: each thread has its own */
    PLACE_SHARED,    /* a tile that the threads of a block share, at `offset` bytes */
    PLACE_COUNT
};

struct buffer {
    const char *name; /* unique in the module, or, for locals, in their kernel */
    enum place place;
    enum dtype dtype;
    struct shape shape; /* row-major, as allocated */
    int64_t offset;     /* bytes; -1 until planned */
    /* of weights: a constant graph value of as many elements; else NULL. See buffer_set_value */
    struct inst *value;
    struct use use;        /* of the value */
    struct location at;    /* of its name */
    struct touch *touches; /* by kernels: an index that a pass may keep; else NULL */
    struct buffer *next;
};

enum scalar_op {
#define SCALAR(name, inputs, infix) SCALAR_##name,
#include "ops.def"
    SCALAR_COUNT
};

struct scalar_info {
    const char *name;
    int inputs;
    const char *infix;
};

struct expr {
    enum scalar_op op;
    double value;                         /* constant */
    struct buffer *buffer;                /* load */
    const struct affine *index[MAX_RANK]; /* load: one per dimension */
    const struct expr *in[3];
    int vars; /* sum, maximum: loops of the reduction, outermost first */
    struct var *var[MAX_RANK];
};

enum loop_kind {
    LOOP_SERIAL,   /* in order; but lowered nests carry no dependence except in reductions */
    LOOP_PARALLEL, /* iterations may run at once on several workers; outermost of a kernel only */
    LOOP_UNROLL,   /* written out */
    LOOP_VECTOR,   /* one vector operation: the innermost loop; `extent` lanes */
    LOOP_BLOCK,    /* a block of threads for each iteration, in any order; outermost */
    LOOP_THREAD,   /* iteration i is thread i of its block; further threads wait */
    LOOP_WARP,     /* iteration i is warp i of its block: 32 threads that work together */
    LOOP_MATRIX,   /* divided among a warp's threads; a processor takes all of it at once */
    LOOP_KIND_COUNT
};

enum stmt_kind {
    STMT_FOR,
    STMT_STORE,
    STMT_PREFETCH, /* asks for an element's cache line; changes no value */
    STMT_BARRIER   /* a block's threads wait for each other, and see what was stored before */
};

struct stmt {
    enum stmt_kind kind;
    struct stmt *next;  /* what runs after it, in the same body */
    struct location at; /* of a loop its variable */
    /* for */
    struct var *var;
    enum loop_kind loop;
    struct stmt *body;
    /* store */
    struct buffer *buffer;
    const struct affine *index[MAX_RANK];
    const struct expr *value; /* of a prefetch: the load whose element is fetched; no buffer */
    bool async;               /* a copy from memory, complete after the next barrier */
};

/* What the cost model (or a person) decides about a kernel for one target: lines of commands, each
 * of a word and operands, carried out in order by the pass apply_schedules. */
struct command {
    const char *word;
    int operands;
    const char *operand[MAX_RANK]; /* names and numbers as written */
    struct location at;            /* of the word */
    int operand_column[MAX_RANK];
    struct command *next;
};

struct schedule {
    const char *target;
    struct location at;
    struct command *commands;
    struct schedule *next;
};

/* Threads of a block and of a warp, and bytes of shared memory that a block may ask for. */
enum { MOST_THREADS = 1024, WARP_THREADS = 32, MOST_SHARED = 1 << 20 };

/* A GPU's matrix unit computes rows by columns of matrix_depth products. See matrix.h. */
enum { MATRIX_ROWS = 16, MATRIX_COLUMNS = 8, PAIR = 2 };

/* What limits a kernel. */
enum bound {
    BOUND_FMA,     /* FMAs */
    BOUND_VECTOR,  /* other vector operations: exp, max, division, shuffles */
    BOUND_LATENCY, /* chains of operations, beginnings and ends of loops, index arithmetic */
    BOUND_L1,      /* loads and stores */
    BOUND_L2,      /* bytes from L2 to L1 */
    BOUND_MEMORY,  /* bytes from beyond L2 */
    BOUND_COUNT
};

/* What one run of a kernel costs, for people. It is computed again whenever passes run, so nothing
 * depends on what a text says. */
struct cost {
    int64_t flops, exps; /* an FMA is 2 flops */
    int64_t bytes;       /* distinct ones, of tensors and weights; flops / bytes is the intensity */
    /* of kernels that have been scheduled for their target, on one core; else 0 */
    int64_t l1_bytes, l2_bytes,
        memory_bytes; /* moved between registers, L1, L2 and what is beyond */
    int64_t cycles;   /* at least 1 */
    enum bound bound;
};

struct kernel {
    const char *name;
    const char *label;     /* the model's layers it computes, for people; or NULL */
    const char *target;    /* NULL: any */
    struct buffer *locals; /* stack, registers and shared */
    struct stmt *body;
    struct schedule *schedules;
    struct location at; /* of its name */
    struct cost *cost;  /* NULL: not known */
    struct kernel *next;
    /* what a pass's index of touches keeps */
    struct touch *touches;
    int number;   /* among all kernels */
    bool removed; /* swept out at the end of the pass */
};

/* ---- module ---------------------------------------------------------------------------------- */

struct module {
    struct arena *arena;
    const char *name; /* the model's, prefix of every symbol */
    int64_t batch, channels, height, width;
    int64_t classes;       /* numbers of an image's result */
    int64_t map[3];        /* it is a map of these channels, height, width; 0: it is none */
    enum dtype input_type; /* f32 or u8 */
    enum layout layout;    /* of the input */
    int64_t turns;         /* how often it runs, for `batch` other images each time */
    int64_t threads;       /* workers the workspace has scratch for */
    int precision;         /* of the products of linears: a precision_kind */
    const char *after;     /* the last pass done: a dump continues after it; NULL: none */
    struct location name_at, targets_at, target_at[MAX_TARGETS], turns_at, after_at; /* of a text */
    const char *file;          /* the file it was read from, for messages; or NULL */
    const struct error *error; /* what a pass found wrong in a person's text; or NULL */
    int targets;
    const char *target[MAX_TARGETS];
    struct inst *first, *last; /* graph form, operands before users */
    int next_id, vars;         /* vars: made so far */
    struct buffer *buffers;    /* input, output, weights, workspace */
    struct kernel *kernels;    /* in the order they run */
    int64_t workspace_bytes;   /* of the tensors, once planned; else 0 */
    int64_t scratch_bytes;     /* of one worker's stack tiles, once planned; else 0 */
    struct tunings *tunings;   /* schedules to take where they fit (tunings.h); or NULL */
    struct module *smaller;    /* for fewer images, with code in the same object; or NULL */
};

/* Images that one call of the compiled model takes. */
static inline int64_t module_images(const struct module *module)
{
    return module->batch * module->turns;
}

extern const struct op_info op_info[OP_COUNT];
extern const struct scalar_info scalar_info[SCALAR_COUNT];

struct relation_info {
    unsigned traits;       /* of enum relation_trait */
    enum scalar_op scalar; /* load: phi and psi are both kept */
};
extern const struct relation_info relation_info[RELATIONS]; /* by relation_kind */
/* Channels of a relation's rows: of each neighbour's, or of the one that PATCHWISE has. */
int64_t relation_width(int kind, int64_t neighbours, int64_t channels);

/* The nearest float32, subnormal numbers being zeros: as compiled code computes, and constants are
 * stored. */
static inline double single_of(double value)
{
    float single = (float)value;
    return (double)(single * (float)(fabsf(single) >= FLT_MIN)); /* -0, infinities and NaN stay */
}

/* What max, maximum, relu and max_pool mean: NaN where an operand is NaN, as in PyTorch. Of 0 and
 * -0 either may be the result. */
static inline double scalar_max(double a, double b)
{
    return a > b || isnan(a) ? a : b;
}
extern const char *const place_name[PLACE_COUNT];
extern const char *const loop_kind_name[LOOP_KIND_COUNT];
extern const char *const bound_name[BOUND_COUNT];
const char *attr_enum_name(enum attr_type type, int64_t value); /* NULL: no such value */

/* ---- builder (build.c) ----------------------------------------------------------------------- */

struct module *module_new(void);
void module_free(struct module *module); /* and the smaller ones; NULL is none */
/* Sets module->error; false, for `return module_fail(...)`. */
bool module_fail(struct module *module, struct location at, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* A new instruction after `after` (NULL: at the end), attributes at their defaults, no shape yet.
 * inst_finish infers the shape from operands and attributes; false if they do not fit. */
struct inst *inst_new(struct module *module, struct inst *after, enum op op, int inputs,
                      struct inst *const *in);
bool inst_finish(struct inst *inst, struct error *error);
void inst_remove(struct module *module, struct inst *inst); /* must be unused */
void inst_replace_uses(struct module *module, struct inst *old, struct inst *with);
void inst_set_input(struct inst *inst, int i, struct inst *to);
int inst_count_uses(const struct module *module, const struct inst *inst); /* buffers included */
void inst_drop_inputs(struct inst *inst, int inputs); /* keeps the first ones */
static inline bool inst_is_constant(const struct inst *inst)
{
    return inst->constant;
}
static inline bool has(const struct inst *inst, enum trait trait)
{
    return op_info[inst->op].traits & trait;
}

struct buffer *buffer_new(struct module *module, struct buffer **list, const char *name,
                          enum place place, struct shape shape);  /* appended; f32, unplanned */
void buffer_set_value(struct buffer *buffer, struct inst *value); /* NULL: none */
struct kernel *kernel_new(struct module *module, struct kernel **list, const char *name); /* same */
struct var *var_new(struct module *module, const char *name, int64_t extent);
struct stmt *stmt_for(struct module *module, struct var *var, enum loop_kind loop,
                      struct stmt *body);
struct stmt *stmt_store(struct module *module, struct buffer *buffer,
                        const struct affine *const *index, const struct expr *value);
struct stmt *stmt_barrier(struct module *module);
struct stmt *stmt_prefetch(struct module *module, const struct expr *load);
const struct expr *expr_constant(struct module *module, double value);
const struct expr *expr_load(struct module *module, struct buffer *buffer,
                             const struct affine *const *index);
const struct expr *expr_op(struct module *module, enum scalar_op op, const struct expr *a,
                           const struct expr *b, const struct expr *c);
const struct expr *expr_reduce(struct module *module, enum scalar_op op, int vars,
                               struct var *const *var, const struct expr *body,
                               const struct expr *init);

/* Pixels of a line of `size` are of one class if they have the same distance to either end, counted
 * up to `border`. The class of a pixel; the number of classes. */
int64_t border_class(int64_t at, int64_t size, int64_t border);
int64_t border_class_count(int64_t size, int64_t border);

/* How a kernel is started: its blocks, the threads of one, the bytes that they share (once
 * planned). */
struct launch {
    int64_t blocks, threads, shared_bytes;
};
struct launch kernel_launch(const struct kernel *kernel);

int64_t shape_elements(const struct shape *shape);
bool shape_equal(const struct shape *a, const struct shape *b);

/* ---- text (print.c, parse.c) ----------------------------------------------------------------- */

void module_print(const struct module *module, FILE *file);
void kernel_print(const struct kernel *kernel, FILE *file);

/* NULL with *error filled in: not this language. What it returns still has to pass the verifier. */
struct module *module_parse(const char *text, size_t size, struct error *error);

/* ---- verifier (verify.c) --------------------------------------------------------------------- */

/* Checks what every module has to keep: operands before users, shapes that follow from the ops,
 * attributes in range, loops and buffers well formed, every access within its buffer. The error
 * names the instruction or the kernel, and where it stands in the text that the module was read
 * from; line 0: a pass made it. */
bool module_verify(const struct module *module, struct error *error);

/* A person's change to a kernel: the kind of a loop of threads or blocks, or the place of a buffer;
 * both NULL where it is something else. */
struct edit {
    const struct stmt *loop;
    const struct buffer *buffer;
};

/* Whether a kernel is still right after a change (kinds_and_order.c): all that module_verify checks
 * in a single kernel; and, where it was changed, that it is seen to have no race, and has a barrier
 * where threads read what others wrote. */
bool kernel_verify_kinds(const struct module *module, const struct kernel *kernel,
                         const struct edit *edit, struct error *error);

/* Whether the loops of a nest, each the whole body of the one before, may be put in another order:
 * loop[order[0]] outermost. All kinds count as serial: kernel_verify_kinds sees to what runs at
 * once. */
bool kernel_verify_order(const struct module *module, const struct kernel *kernel, int loops,
                         const struct stmt *const *loop, const int *order, struct error *error);

/* ---- evaluator (eval_graph.c, eval_loops.c) -------------------------------------------------- */

/* Where parameters come from: the tensor of a name in float64, row-major, or NULL. */
struct parameters {
    const double *(*find)(void *context, const char *name, const struct shape *shape);
    void *context;
    void (*forget)(void *context, const char *name); /* it is not needed for now; or NULL */
};

enum precision { PRECISION_F64, PRECISION_F32 };

/* Runs one turn: the graph form, or the loop form of `target` (NULL: kernels of any target). input
 * is of module_input_shape (whole numbers for u8), output (batch, classes). In PRECISION_F32 every
 * operation rounds to float. Constants are always computed in float64 and rounded once. False: a
 * parameter is missing, or module_check_constants says what is wrong. */
bool module_eval_graph(const struct module *module, const struct parameters *parameters,
                       enum precision precision, const double *input, double *output);
bool module_eval_loops(const struct module *module, const struct parameters *parameters,
                       enum precision precision, const char *target, const double *input,
                       double *output);
/* Runs the graph form in float64 and shows each value that is not constant, in order. `data` is
 * freed when the visitor returns. */
typedef void value_visitor(void *context, const struct inst *inst, const double *data);
bool module_visit_values(const struct module *module, const struct parameters *parameters,
                         const double *input, value_visitor *visit, void *context);
/* The value of a constant instruction, in float64; free() it. NULL: a parameter is missing. */
double *inst_eval_constant(const struct module *module, const struct parameters *parameters,
                           const struct inst *inst);

/* What a buffer of weights holds, in float64; free() it. The entries of an i32 table are rounded to
 * the nearest whole number, at a half to the even one. NULL, with *error (or NULL) filled in: a
 * parameter is missing, an entry is beyond the limit of a lookup, or float32 does not hold a
 * number. */
double *buffer_contents(const struct module *module, const struct parameters *parameters,
                        const struct buffer *buffer, struct error *error);
/* Whether all buffers of weights have contents. */
bool module_check_constants(const struct module *module, const struct parameters *parameters,
                            struct error *error);

#endif
