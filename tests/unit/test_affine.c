/* Index arithmetic: the canonical form always has the value of the expression it was made from, and
 * lies within its range. */
#include "affine.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

enum { VARS = 4, DEPTH = 4, TABLE = 5 };

/* An index both as canonical form and as a tree that is computed plainly. */
struct tree {
    enum { NUMBER, VARIABLE, ADD, SCALE, DIV, MOD, LOOKUP } kind;
    int64_t number;
    const struct tree *a, *b;
    const struct affine *affine;
};

static uint64_t random_state = 7;

static int random_below(int most)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (int)((random_state >> 33) % (uint64_t)most);
}

static int64_t random_number(void)
{
    static const int64_t number[] = {1, 2, 3, 4, 5, 6, 7, 8, 12, 14, 16, 28, 49, 56};
    return number[random_below((int)(sizeof number / sizeof *number))];
}

static int64_t table_at(int64_t index)
{
    return (3 * index + 1) % TABLE;
}

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

static int64_t tree_value(const struct tree *tree, const int64_t *value)
{
    int64_t a = tree->a ? tree_value(tree->a, value) : 0;
    switch (tree->kind) {
    case NUMBER:
        return tree->number;
    case VARIABLE:
        return value[tree->number];
    case ADD:
        return a + tree_value(tree->b, value);
    case SCALE:
        return a * tree->number;
    case DIV:
        return floor_div(a, tree->number);
    case MOD:
        return a - floor_div(a, tree->number) * tree->number;
    case LOOKUP:
        return table_at(a);
    }
    return 0;
}

static int64_t affine_value(const struct affine *a, struct var *const *var, const int64_t *value)
{
    int64_t sum = a->constant;
    for (int i = 0; i < a->count; i++) {
        const struct term *term = &a->term[i];
        int64_t inner = term->inner ? affine_value(term->inner, var, value) : 0;
        int at = 0;
        while (term->kind == TERM_VAR && var[at] != term->var)
            at++;
        if (term->kind == TERM_DIV || term->kind == TERM_MOD)
            assert_true(inner >= 0);
        sum += term->factor * (term->kind == TERM_VAR   ? value[at]
                               : term->kind == TERM_DIV ? inner / term->divisor
                               : term->kind == TERM_MOD ? inner % term->divisor
                                                        : table_at(inner));
    }
    return sum;
}

static struct tree *tree_new(struct arena *arena, int kind, int64_t number, const struct tree *a)
{
    struct tree *tree = ARENA_NEW(arena, struct tree);
    tree->kind = kind;
    tree->number = number;
    tree->a = a;
    return tree;
}

/* Operands of div, mod and look-ups must not be negative: where one may be, its least value is
 * subtracted. */
static const struct tree *not_negative(struct arena *arena, const struct tree *a)
{
    int64_t least, most;
    affine_range(a->affine, &least, &most);
    if (least >= 0)
        return a;
    struct tree *number = tree_new(arena, NUMBER, -least, NULL);
    struct tree *sum = tree_new(arena, ADD, 0, a);
    sum->b = number;
    sum->affine = affine_offset(arena, a->affine, -least);
    return sum;
}

static const struct tree *random_tree(struct arena *arena, struct var *const *var,
                                      struct buffer *table, int depth)
{
    int kind = depth ? random_below(LOOKUP + 1) : random_below(ADD);
    if (kind <= VARIABLE) {
        struct tree *leaf =
            tree_new(arena, kind, kind == NUMBER ? random_number() : random_below(VARS), NULL);
        leaf->affine = kind == NUMBER ? affine_constant(arena, leaf->number)
                                      : affine_var(arena, var[leaf->number]);
        return leaf;
    }
    const struct tree *a = random_tree(arena, var, table, depth - 1);
    int64_t number = kind == SCALE ? random_number() * (random_below(5) ? 1 : -1) : random_number();
    if (kind >= DIV)
        a = not_negative(arena, a);
    struct tree *tree = tree_new(arena, kind, number, a);
    if (kind == ADD) {
        tree->b = random_tree(arena, var, table, depth - 1);
        tree->affine = affine_add(arena, a->affine, tree->b->affine);
    } else {
        tree->affine = kind == SCALE ? affine_scale(arena, a->affine, number)
                       : kind == DIV ? affine_div(arena, a->affine, number)
                       : kind == MOD ? affine_mod(arena, a->affine, number)
                                     : affine_lookup(arena, table, a->affine, TABLE);
    }
    return tree;
}

static void check(const struct tree *tree, struct var *const *var)
{
    int64_t least, most;
    affine_range(tree->affine, &least, &most);
    for (int i = 0; i < 30; i++) {
        int64_t value[VARS];
        for (int j = 0; j < VARS; j++)
            value[j] = random_below((int)var[j]->extent);
        int64_t found = affine_value(tree->affine, var, value);
        assert_int_equal(found, tree_value(tree, value));
        assert_true(found >= least && found <= most);
    }
}

/* The same with one variable replaced by an index of the others. */
static void check_substituted(struct arena *arena, const struct tree *tree, struct var *const *var)
{
    const struct affine *with =
        affine_mod(arena,
                   affine_add(arena, affine_scale(arena, affine_var(arena, var[1]), 3),
                              affine_var(arena, var[2])),
                   var[0]->extent);
    const struct affine *replaced = affine_substitute(arena, tree->affine, var[0], with);
    for (int i = 0; i < 10; i++) {
        int64_t value[VARS];
        for (int j = 0; j < VARS; j++)
            value[j] = random_below((int)var[j]->extent);
        int64_t found = affine_value(replaced, var, value);
        value[0] = (3 * value[1] + value[2]) % var[0]->extent;
        assert_int_equal(found, tree_value(tree, value));
    }
}

static void test_values(void **state)
{
    (void)state;
    for (int i = 0; i < 20000; i++) {
        struct module *module = module_new();
        struct buffer table = {.name = "t", .dtype = DTYPE_I32};
        struct var *var[VARS];
        for (int j = 0; j < VARS; j++)
            var[j] = var_new(module, (const char *[]){"a", "b", "c", "d"}[j], random_number());
        const struct tree *tree = random_tree(module->arena, var, &table, DEPTH);
        check(tree, var);
        check_substituted(module->arena, tree, var);
        module_free(module);
    }
}

/* Examples of the simplifications. */
static void test_simplified(void **state)
{
    (void)state;
    struct module *module = module_new();
    struct arena *arena = module->arena;
    struct var *t = var_new(module, "t", 16), *i = var_new(module, "i", 14);
    const struct affine *at = affine_var(arena, t), *ai = affine_var(arena, i);
    const struct affine *row = affine_add(arena, affine_scale(arena, at, 14), ai);
    assert_true(affine_equal(affine_div(arena, row, 14), at));
    assert_true(affine_equal(affine_mod(arena, row, 14), ai));
    assert_true(affine_equal(affine_div(arena, row, 56), affine_div(arena, at, 4)));
    assert_true(
        affine_equal(affine_mod(arena, row, 56),
                     affine_add(arena, affine_scale(arena, affine_mod(arena, at, 4), 14), ai)));
    assert_true(affine_equal(affine_add(arena, affine_scale(arena, affine_div(arena, at, 5), 5),
                                        affine_mod(arena, at, 5)),
                             at));
    assert_true(affine_is_constant(affine_add(arena, row, affine_scale(arena, row, -1))));
    assert_true(affine_uses(row, t));
    module_free(module);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_values),
                                       cmocka_unit_test(test_simplified)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
