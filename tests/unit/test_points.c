/* Sets of elements against looking at each point: random accesses, small enough for that. */
#include "points_collide.h"
#include "points_covered.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { VARS = 4, RANK = 3, MOST_SIZE = 4096 };

static struct arena *arena;
static struct var vars[VARS];
static uint32_t seed = 1;

static int64_t draw(int64_t count)
{
    seed = seed * 1664525 + 1013904223;
    return (int64_t)(seed >> 8) % count;
}

static const struct affine *draw_sum(int terms)
{
    const struct affine *sum = affine_constant(arena, draw(3) ? 0 : draw(6));
    for (int i = 0; i < terms; i++) {
        const struct affine *var = affine_var(arena, &vars[draw(VARS)]);
        sum = affine_add(arena, sum, affine_scale(arena, var, 1 + draw(9)));
    }
    return sum;
}

/* A sum, or its quotient or remainder, plus a variable at times. */
static const struct affine *draw_index(void)
{
    const struct affine *sum = draw_sum(1 + (int)draw(3));
    int64_t divisor = 2 + draw(9), kind = draw(4);
    if (kind > 0)
        sum = affine_div(arena, sum, divisor);
    if (kind > 1)
        sum = affine_mod(arena, sum, 2 + draw(5));
    return draw(3) ? sum : affine_add(arena, sum, draw_sum(1));
}

/* Tiles of pixels, as schedules have them. */
static void draw_tiles(struct points *points)
{
    int64_t tile = vars[1].extent + (draw(4) ? 0 : draw(3)), width = 2 + draw(6);
    const struct affine *pixel = affine_scale(arena, affine_var(arena, &vars[0]), tile);
    pixel = affine_add(arena, pixel, affine_var(arena, &vars[1]));
    pixel = affine_offset(arena, pixel, draw(3) ? 0 : draw(9));
    points->at[0] = affine_div(arena, pixel, width * 3);
    points->at[1] =
        affine_offset(arena, affine_mod(arena, affine_div(arena, pixel, width), 3), draw(2));
    points->at[2] = affine_add(arena, affine_mod(arena, pixel, width), draw_sum((int)draw(2)));
}

static void draw_points(struct space *space, struct points *points)
{
    if (draw(2))
        draw_tiles(points);
    else
        for (int i = 0; i < RANK; i++)
            points->at[i] = draw_index();
    for (int i = 0; i < RANK; i++) {
        int64_t least, most;
        affine_range(points->at[i], &least, &most);
        space->size[i] = most >= space->size[i] ? most + 1 : space->size[i];
    }
}

static int64_t value_of(const struct affine *a, const int64_t *value)
{
    int64_t sum = a->constant;
    for (int i = 0; i < a->count; i++) {
        const struct term *t = &a->term[i];
        if (t->kind == TERM_VAR) {
            sum += t->factor * value[t->var - vars];
            continue;
        }
        int64_t inner = value_of(t->inner, value);
        sum += t->factor * (t->kind == TERM_DIV ? inner / t->divisor : inner % t->divisor);
    }
    return sum;
}

static bool next_values(int64_t *value)
{
    for (int i = 0; i < VARS; i++) {
        if (++value[i] < vars[i].extent)
            return true;
        value[i] = 0;
    }
    return false;
}

/* For each element a bit for each value of the first variable at which it is touched. */
static void mark(const struct space *space, const struct points *points, uint64_t *by)
{
    int64_t value[VARS] = {0};
    do {
        int64_t at = 0;
        for (int i = 0; i < RANK; i++)
            at = at * space->size[i] + value_of(points->at[i], value);
        by[at] |= UINT64_C(1) << value[0];
    } while (next_values(value));
}

static void draw_vars(void)
{
    const char *const name[VARS] = {"a", "b", "c", "d"};
    for (int i = 0; i < VARS; i++)
        vars[i] = (struct var){.name = name[i], .extent = 1 + draw(i < 2 ? 9 : 4)};
}

static bool draw_accesses(struct space *space, struct points *points, int count)
{
    *space = (struct space){RANK, {1, 1, 1}};
    draw_vars();
    for (int i = 0; i < count; i++)
        draw_points(space, &points[i]);
    return space->size[0] * space->size[1] * space->size[2] <= MOST_SIZE;
}

static void test_covered(void **state)
{
    (void)state;
    int answers[3] = {0};
    for (int round = 0; round < 20000; round++) {
        struct space space;
        struct points points[4];
        struct effort effort = {1 << 24};
        int64_t missing[MOST_COORDINATES], at = 0, first = -1;
        uint64_t what[MOST_SIZE] = {0}, by[MOST_SIZE] = {0};
        arena = arena_new();
        if (draw_accesses(&space, points, 4)) {
            if (draw(3) == 0) /* the same, but for one dimension */
                memcpy(points[1].at, points[0].at, (RANK - 1) * sizeof *points[0].at);
            mark(&space, &points[0], what);
            for (int i = 1; i < 4; i++)
                mark(&space, &points[i], by);
            for (int i = MOST_SIZE - 1; i >= 0; i--)
                first = what[i] && !by[i] ? i : first;
            enum answer answer = points_covered(&effort, &space, points, points + 1, 3, missing);
            answers[answer]++;
            assert_int_equal(answer, first < 0 ? ANSWER_YES : ANSWER_NO);
            for (int i = 0; i < RANK && answer == ANSWER_NO; i++)
                at = at * space.size[i] + missing[i];
            assert_true(answer == ANSWER_YES || (what[at] && !by[at]));
        }
        arena_free(arena);
    }
    assert_true(answers[ANSWER_YES] > 500 && answers[ANSWER_NO] > 500);
}

static void test_collide(void **state)
{
    (void)state;
    int answers[3] = {0};
    for (int round = 0; round < 20000; round++) {
        struct space space;
        struct points points[2];
        struct effort effort = {1 << 24};
        uint64_t a[MOST_SIZE] = {0}, b[MOST_SIZE] = {0};
        arena = arena_new();
        if (draw_accesses(&space, points, 2)) {
            if (draw(2))
                points[1] = points[0];
            bool meet = false;
            mark(&space, &points[0], a);
            mark(&space, &points[1], b);
            for (int i = 0; i < MOST_SIZE; i++) /* at values that are not one and the same */
                meet |= a[i] && b[i] && (a[i] != b[i] || (a[i] & (a[i] - 1)));
            enum answer answer =
                points_collide(&effort, &space, 0, &points[0], &points[1], &vars[0]);
            answers[answer]++;
            if (answer == ANSWER_NO)
                assert_false(meet);
            /* dimensions that do not move with the variable are looked at one by one */
            else if (meet)
                assert_int_equal(answer, ANSWER_YES);
        }
        arena_free(arena);
    }
    assert_true(answers[ANSWER_YES] > 500 && answers[ANSWER_NO] > 500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_covered),
                                       cmocka_unit_test(test_collide)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
