/* Where values come from and go to: input, parameter, fill, coordinates, output. */
#include "lowering.h"
#include "op.h"

bool input_shape(struct inst *inst, struct error *error)
{
    inst->shape = inst->attr[SLOT_input_shape].shape;
    return inst->shape.rank == 4 || error_set(error,
                                              "shape has %d dimensions, must have the 4 "
                                              "of the module's input",
                                              inst->shape.rank);
}

bool input_eval(const struct eval *e)
{
    for (int64_t i = 0; i < eval_elements(e); i++)
        e->out[i] = eval_round(e, e->image[i]);
    return true;
}

void input_lower(struct lowering *l, struct inst *inst)
{
    struct buffer *image = lowering_buffer_new(l, "image", PLACE_INPUT, inst->shape);
    image->dtype = l->m->input_type;
    l->of[inst->id] = image;
}

bool parameter_shape(struct inst *inst, struct error *error)
{
    (void)error;
    inst->shape = inst->attr[SLOT_parameter_shape].shape;
    return true;
}

bool parameter_eval(const struct eval *e)
{
    const struct parameters *from = e->parameters;
    const char *name = e->inst->attr[SLOT_parameter_name].string;
    const double *data = from->find(from->context, name, &e->inst->shape);
    if (!data)
        return false;
    eval_copy(e, data);
    if (from->forget)
        from->forget(from->context, name);
    return true;
}

bool fill_shape(struct inst *inst, struct error *error)
{
    (void)error;
    inst->shape = inst->attr[SLOT_fill_shape].shape;
    return true;
}

bool fill_eval(const struct eval *e)
{
    for (int64_t i = 0; i < eval_elements(e); i++)
        e->out[i] = e->inst->attr[SLOT_fill_value].real;
    return true;
}

bool coordinates_shape(struct inst *inst, struct error *error)
{
    (void)error;
    inst->shape = shape_of(4, 1, inst->attr[SLOT_coordinates_height].integer,
                           inst->attr[SLOT_coordinates_width].integer, 2, 0);
    return true;
}

/* Counted from the nearer end, so that the points lie symmetrically; a single point is -1. */
static double linspace(int64_t i, int64_t count)
{
    if (count == 1)
        return -1;
    double step = 2.0 / (double)(count - 1);
    return i < count / 2 ? -1 + step * (double)i : 1 - step * (double)(count - 1 - i);
}

bool coordinates_eval(const struct eval *e)
{
    int64_t height = e->inst->attr[SLOT_coordinates_height].integer;
    int64_t width = e->inst->attr[SLOT_coordinates_width].integer;
    double *out = e->out;
    for (int64_t y = 0; y < height; y++)
        for (int64_t x = 0; x < width; x++) {
            *out++ = linspace(x, width);
            *out++ = linspace(y, height);
        }
    return true;
}

bool output_shape(struct inst *inst, struct error *error)
{
    inst->shape = inst->in[0]->shape;
    return want_rank(inst, 0, 2, error);
}

bool output_eval(const struct eval *e)
{
    return eval_copy(e, e->in[0]);
}

void output_lower(struct lowering *l, struct inst *inst)
{
    l->of[inst->id] = lowering_buffer_new(l, "logits", PLACE_OUTPUT, inst->shape);
    struct kernel *kernel = lowering_kernel(l, inst);
    struct loops loops = loops_over(l, &inst->shape);
    finish_nest(l, kernel, &loops, lowering_buffer(l, inst),
                lowering_load(l, inst->in[0], loops.index));
}
