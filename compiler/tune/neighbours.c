/* By the table of commands, so that a new command is searched, too. */
#include "neighbours.h"
#include "commands.h"

enum { MOST_VALUES = 24 };

struct visiting {
    const struct subject *subject;
    const struct plan *from;
    neighbour_visitor *visit;
    void *context;
};

/* Other values of an operand. */
struct values {
    int count;
    int64_t value[MOST_VALUES];
};

static void add_value(struct values *values, struct limits limits, int64_t now, int64_t value)
{
    bool known = value == now || (value && (value < limits.least || value > limits.most));
    for (int i = 0; i < values->count; i++)
        known |= values->value[i] == value;
    if (!known && values->count < MOST_VALUES)
        values->value[values->count++] = value;
}

/* The next smaller (step -1) or larger divisor of `of`. */
static int64_t next_divisor(int64_t of, int64_t from, int64_t step)
{
    int64_t divisor = from + step;
    while (divisor > 1 && divisor < of && of % divisor)
        divisor += step;
    return divisor;
}

/* A little less and more, halves and doubles, the divisors beside it; of what is not asked for yet,
 * a few sizes; and 0, which leaves the command out. */
static struct values values_of(const struct visiting *v, const struct operand_row *row,
                               int64_t nest, int64_t now)
{
    const struct subject *s = v->subject;
    struct limits limits = operand_limits(row, s, v->from, nest);
    const int64_t lanes = s->target->lanes;
    const int64_t near[] = {now - 1, now + 1, now - 2,     now + 2,
                            now / 2, now * 2, now - lanes, now + lanes};
    struct values values = {0};
    for (int i = 0; now && i < (int)(sizeof near / sizeof *near); i++)
        add_value(&values, limits, now, near[i]);
    enum { MOST_DIVIDED = 1 << 16 };
    if (now && limits.most < MOST_DIVIDED) {
        add_value(&values, limits, now, next_divisor(limits.most, now, -1));
        add_value(&values, limits, now, next_divisor(limits.most, now, 1));
    }
    for (int64_t size = 32; !now && size <= 512; size *= 2)
        add_value(&values, limits, now, size);
    add_value(&values, limits, now, 0);
    return values;
}

/* Sets one operand, then, where `second` is not NULL, another one to each of its values. */
static void visit_values(const struct visiting *v, const struct operand_row *first,
                         const struct operand_row *second, int64_t nest)
{
    struct plan plan = *v->from;
    int64_t *field = operand_field(first, &plan, nest), now = *field;
    struct values values = values_of(v, first, nest, now);
    for (int i = 0; i < values.count; i++) {
        *field = values.value[i];
        if (!second) {
            v->visit(v->context, &plan);
            continue;
        }
        int64_t *other = operand_field(second, &plan, nest), before = *other;
        struct values others = values_of(v, second, nest, before);
        for (int j = 0; j < others.count; j++) {
            *other = others.value[j];
            v->visit(v->context, &plan);
        }
        *other = before;
    }
}

/* All ranges of nests, and none. */
static void visit_ranges(const struct visiting *v, const struct operand_row *begin,
                         const struct operand_row *last)
{
    struct plan plan = *v->from;
    int64_t *from = operand_field(begin, &plan, 0), *to = operand_field(last, &plan, 0);
    *from = *to = 0;
    v->visit(v->context, &plan);
    for (*from = 0; *from < plan.nests; ++*from)
        for (*to = *from + 1; *to <= plan.nests; ++*to)
            v->visit(v->context, &plan);
}

static void visit_flag(const struct visiting *v, const struct operand_row *row, int64_t nest)
{
    struct plan plan = *v->from;
    bool *field = operand_field(row, &plan, nest);
    *field = !*field;
    v->visit(v->context, &plan);
}

static void visit_command(const struct visiting *v, enum command_id id, int64_t nest)
{
    const struct operand_row *row[3] = {0}, *last = operand_last(id);
    int rows = 0;
    if (!last)
        return;
    if (last->kind == OPERAND_FLAG) {
        visit_flag(v, last, nest);
        return;
    }
    struct syntax_word word;
    for (int i = 1; (word = syntax_word(command_rows[id].syntax, i)).length; i++) {
        const struct operand_row *found = word.literal ? NULL : operand_find(id, word.text[0]);
        if (found && rows < 3)
            row[rows++] = found;
    }
    if (last->kind == OPERAND_LAST) {
        visit_ranges(v, row[0], last);
        return;
    }
    for (int i = 0; i < rows; i++) {
        visit_values(v, row[i], NULL, nest);
        for (int j = 0; j < i; j++)
            visit_values(v, row[j], row[i], nest);
    }
}

void neighbours_visit(const struct subject *subject, const struct plan *plan,
                      neighbour_visitor *visit, void *context)
{
    struct visiting v = {subject, plan, visit, context};
    for (enum command_id id = 0; id < COMMAND_COUNT; id++) {
        enum command_scope scope = command_rows[id].scope;
        if (!command_is_for(id, subject->target) || scope >= SCOPE_LOCAL)
            continue;
        for (int nest = 0; nest < (scope == SCOPE_NEST ? plan->nests : 1); nest++)
            visit_command(&v, id, nest);
    }
}
