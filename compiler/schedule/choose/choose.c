#include "choose.h"
#include "choose_gpu.h"
#include "choose_linear.h"
#include "choose_processor.h"

void plan_choose(const struct subject *subject, struct plan *plan)
{
    if (subject->target->gpu)
        gpu_choose(subject, plan);
    else
        processor_choose(subject, plan);
}

void plan_enumerate(const struct subject *subject, plan_visitor *visit, void *context)
{
    struct plan chosen;
    processor_enumerate(subject, visit, context);
    plan_choose(subject, &chosen);
    linear_enumerate(subject, &chosen, visit, context);
}
