/* AMX, a processor's unit for tiles of bf16: registers of up to 16 rows of 64 bytes.
 *
 *   for m in 14 matrix, n in 16 matrix, d in 32 matrix
 *     acc[i, g, m, n] = fma(a[14*i + m, 32*k + d], b[16*k + d div 2, 16*g + n, d mod 2], acc[..])
 * =>
 *   tileloadd tmm4, 14 rows of 64 bytes, from a[14*i, 32*k] on, as far apart as in memory
 *   tileloadd tmm6, 16 rows of 64 bytes, from b[16*k, 16*g, 0] on: each has a pair for each column
 *   tdpbf16ps tmm0, tmm4, tmm6
 *
 * Products next to each other share what they load. LLVM could allot the registers itself, but gives
 * each a single shape in a function; kernels with several nests need more (tile_plan.c). */
#include "index.h"
#include "matrix.h"
#include "tile_plan.h"
#include <string.h>

/* ---- intrinsics ------------------------------------------------------------------------------ */

static void call(struct emitter *e, const char *name, LLVMValueRef *in, unsigned count)
{
    unsigned id = LLVMLookupIntrinsicID(name, strlen(name));
    LLVMTypeRef type = LLVMIntrinsicGetType(e->context, id, NULL, 0);
    LLVMBuildCall2(e->builder, type, LLVMGetIntrinsicDeclaration(e->out, id, NULL, 0), in, count,
                   "");
}

static LLVMValueRef number(struct emitter *e, int tile)
{
    return LLVMConstInt(e->i8, (unsigned long long)tile, 0);
}

/* Where a tile lies in memory: from an element on, its rows `stride` elements apart. */
struct place_of {
    const struct buffer *buffer;
    const struct affine *origin;
    int64_t stride;
};

static void move_memory(struct emitter *e, const char *name, int tile, const struct place_of *at)
{
    const struct base *base = base_find(e, at->buffer);
    if (!base)
        return;
    int64_t stride = at->stride * dtype_bytes[at->buffer->dtype];
    LLVMValueRef in[3] = {number(e, tile), index_address(e, base, at->origin, 0),
                          LLVMConstInt(e->i64, (unsigned long long)stride, 0)};
    call(e, name, in, 3);
}

/* ---- where tiles are ------------------------------------------------------------------------- */

/* The variables of a tile's loops; depth is NULL but for a product. */
struct tile_vars {
    const struct var *row, *column, *depth;
};

/* What the index is where a variable is 0. */
static const struct affine *at_zero(struct emitter *e, const struct affine *flat,
                                    const struct var *var)
{
    return affine_substitute(e->arena, flat, var, affine_constant(e->arena, 0));
}

/* What is known of unrolled loops goes in, so that equal places are equal indices. */
static const struct affine *settle(struct emitter *e, const struct affine *flat)
{
    for (int i = 0; i < e->depth; i++)
        if (e->binding[i].known)
            flat = affine_substitute(e->arena, flat, e->binding[i].var,
                                     affine_constant(e->arena, e->binding[i].constant));
    return flat;
}

/* Rows by one variable, as the verifier has made sure: the others are 0. */
static struct place_of place_rows(struct emitter *e, const struct buffer *buffer,
                                  const struct affine *flat, const struct var *row,
                                  const struct var *inside)
{
    struct place_of at = {buffer, NULL, 0};
    flat = settle(e, flat);
    if (!affine_step(flat, row, &at.stride))
        emit_fail(e, "rows of %s lie at different distances", buffer->name);
    at.origin = at_zero(e, at_zero(e, flat, row), inside);
    return at;
}

static struct place_of place_of(struct emitter *e, const struct buffer *buffer,
                                const struct affine *const *index, const struct var *row,
                                const struct var *inside)
{
    return place_rows(e, buffer, affine_linearize(e->arena, &buffer->shape, index), row, inside);
}

/* Rows of pairs of terms: one for each column. */
static struct place_of place_pairs(struct emitter *e, const struct expr *load,
                                   const struct tile_vars *vars)
{
    struct tile_terms terms = tile_terms_new(e->arena, vars->depth);
    const struct affine *flat = tile_terms_flat(e->arena, load, &terms);
    return place_rows(e, load->buffer, at_zero(e, flat, terms.inside), terms.pair, vars->column);
}

/* ---- registers ------------------------------------------------------------------------------- */

/* Sets up the registers for a group, or for all. */
static void set_up(struct emitter *e, const struct tile_group *group)
{
    uint8_t bytes[TILE_CONFIG_BYTES];
    tile_config(e->tiles, group, bytes);
    LLVMValueRef text =
        LLVMConstStringInContext(e->context, (const char *)bytes, TILE_CONFIG_BYTES, 1);
    LLVMValueRef global = LLVMAddGlobal(e->out, LLVMTypeOf(text), "tiles");
    LLVMSetInitializer(global, text);
    LLVMSetGlobalConstant(global, 1);
    LLVMSetLinkage(global, LLVMPrivateLinkage);
    LLVMSetAlignment(global, ALIGNMENT);
    call(e, "llvm.x86.ldtilecfg", &global, 1);
}

void tiles_begin(struct emitter *e)
{
    const char *why;
    const struct buffer *buffer;
    e->factors = (struct factors){0};
    e->tiles = e->target->amx ? tile_plan_new(e->arena, e->kernel, &why, &buffer) : NULL;
    if (e->tiles && why)
        emit_fail(e, "%s: %s", buffer->name, why);
    else if (e->tiles && e->tiles->shared)
        set_up(e, NULL);
}

void tiles_end(struct emitter *e)
{
    if (e->tiles)
        call(e, "llvm.x86.tilerelease", NULL, 0);
}

bool tiles_have(const struct emitter *e, const struct buffer *buffer)
{
    return e->tiles && tile_group_of(e->tiles, buffer);
}

/* The group of a registers buffer; which of its tiles an access is to, in *tile. */
static struct tile_group *group_of(struct emitter *e, const struct buffer *buffer,
                                   const struct affine *const *index, const struct tile_vars *vars,
                                   int64_t *tile)
{
    struct tile_group *group = tile_group_of(e->tiles, buffer);
    const struct affine *flat = affine_linearize(e->arena, &buffer->shape, index);
    flat = at_zero(e, at_zero(e, settle(e, flat), vars->row), vars->column);
    if (!affine_is_constant(flat))
        emit_fail(e, "which tile of %s is not known", buffer->name);
    *tile = flat->constant / (vars->row->extent * vars->column->extent);
    return group;
}

/* ---- products and moves ---------------------------------------------------------------------- */

/* The register of a factor, loaded only once for products next to each other. */
static int factor(struct emitter *e, const struct tile_group *group, enum tile_role role,
                  const struct place_of *at)
{
    struct factors *f = &e->factors;
    LLVMBasicBlockRef block = LLVMGetInsertBlock(e->builder);
    if (f->block != block || f->group != group)
        *f = (struct factors){.block = block, .group = group};
    for (int i = 0; i < group->count[role]; i++) {
        const struct factor *old = &f->at[group->at[role][i]];
        if (old->buffer == at->buffer && affine_equal(old->origin, at->origin))
            return group->at[role][i];
    }
    int tile = group->at[role][f->next[role]++ % group->count[role]];
    f->at[tile] = (struct factor){at->buffer, at->origin};
    move_memory(e, "llvm.x86.tileloadd64", tile, at);
    return tile;
}

static void product(struct emitter *e, const struct stmt *store, const struct tile_vars *vars)
{
    const struct expr *const *in = store->value->in;
    int64_t tile;
    struct place_of left = place_of(e, in[0]->buffer, in[0]->index, vars->row, vars->depth);
    struct place_of right = place_pairs(e, in[1], vars);
    const struct tile_group *group = group_of(e, store->buffer, store->index, vars, &tile);
    if (e->failed)
        return;
    int x = factor(e, group, TILE_LEFT, &left), y = factor(e, group, TILE_RIGHT, &right);
    LLVMValueRef argument[3] = {number(e, group->at[TILE_SUMS][tile]), number(e, x), number(e, y)};
    call(e, "llvm.x86.tdpbf16ps", argument, 3);
}

static void store_sums(struct emitter *e, const struct stmt *store, const struct tile_vars *vars)
{
    int64_t tile;
    const struct buffer *sums = store->value->buffer;
    struct place_of to = place_of(e, store->buffer, store->index, vars->row, vars->column);
    const struct tile_group *group = group_of(e, sums, store->value->index, vars, &tile);
    if (!e->failed)
        move_memory(e, "llvm.x86.tilestored64", group->at[TILE_SUMS][tile], &to);
    e->factors.block = NULL; /* they may have changed */
}

static void begin_sums(struct emitter *e, const struct stmt *store, const struct tile_vars *vars)
{
    int64_t tile;
    const struct expr *value = store->value;
    const struct tile_group *group = group_of(e, store->buffer, store->index, vars, &tile);
    if (e->failed)
        return;
    if (tile == 0 && !e->tiles->shared) {
        set_up(e, group);
        e->factors.block = NULL;
    }
    LLVMValueRef sums = number(e, group->at[TILE_SUMS][tile]);
    if (value->op == SCALAR_constant) {
        call(e, "llvm.x86.tilezero", &sums, 1);
        return;
    }
    struct place_of from = place_of(e, value->buffer, value->index, vars->row, vars->column);
    if (!e->failed)
        move_memory(e, "llvm.x86.tileloadd64", group->at[TILE_SUMS][tile], &from);
}

void tiles_loops(struct emitter *e, const struct stmt *rows)
{
    const struct stmt *columns = rows->body, *inner = columns->body;
    struct tile_vars vars = {.row = rows->var, .column = columns->var};
    if (inner->kind == STMT_FOR) {
        vars.depth = inner->var;
        product(e, inner->body, &vars);
    } else if (inner->buffer->place == PLACE_REGISTERS) {
        begin_sums(e, inner, &vars);
    } else {
        store_sums(e, inner, &vars);
    }
}
