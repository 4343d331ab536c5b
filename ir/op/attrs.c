/* The limits on inputs and attributes, from the rows of ops.def. */
#include "op.h"
#include <string.h>

static bool check_shape_attr(const struct attr_info *info, const struct shape *shape,
                             struct error *error)
{
    if (shape->rank < 1 || shape->rank > MAX_RANK)
        return error_set(error, "%s has %d dimensions, must have 1 to %d", info->name, shape->rank,
                         MAX_RANK);
    for (int i = 0; i < shape->rank; i++)
        if ((double)shape->dim[i] < info->least || (double)shape->dim[i] > info->most)
            return error_set(error, "%s[%d] is %lld, must be from %.0f to %.0f", info->name, i,
                             (long long)shape->dim[i], info->least, info->most);
    return true;
}

static bool check_attr(const struct attr_info *info, const union attr *attr, struct error *error)
{
    switch (info->type) {
    case ATTR_TYPE_string:
        if (!attr->string || !attr->string[0] || strlen(attr->string) > MOST_NAME)
            return error_set(error, "%s must have 1 to %d bytes", info->name, MOST_NAME);
        return true;
    case ATTR_TYPE_shape:
        return check_shape_attr(info, &attr->shape, error);
    case ATTR_TYPE_real:
        if (!(attr->real >= info->least && attr->real <= info->most))
            return error_set(error, "%s is %.9g, must be from %.9g to %.9g", info->name, attr->real,
                             info->least, info->most);
        return true;
    case ATTR_TYPE_int:
        if ((double)attr->integer < info->least || (double)attr->integer > info->most)
            return error_set(error, "%s is %lld, must be from %.0f to %.0f", info->name,
                             (long long)attr->integer, info->least, info->most);
        return true;
    default:
        if ((double)attr->integer >= info->least && (double)attr->integer <= info->most)
            return true;
        const char *name = attr_enum_name(info->type, attr->integer);
        return error_set(error, "%s is %s, must be from %s to %s", info->name,
                         name ? name : "no value", attr_enum_name(info->type, (int64_t)info->least),
                         attr_enum_name(info->type, (int64_t)info->most));
    }
}

bool inst_check_rows(const struct inst *inst, struct error *error)
{
    const struct op_info *info = &op_info[inst->op];
    if (inst->inputs < info->least_inputs || inst->inputs > info->most_inputs) {
        if (info->least_inputs == info->most_inputs)
            return error_set(error, "%d inputs, must be %d", inst->inputs, info->least_inputs);
        return error_set(error, "%d inputs, must be %d to %d", inst->inputs, info->least_inputs,
                         info->most_inputs);
    }
    for (int i = 0; i < info->attrs; i++)
        if (!check_attr(&info->attr[i], &inst->attr[i], error))
            return false;
    return true;
}
