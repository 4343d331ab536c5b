#include "choose.h"
#include "choose_gpu.h"
#include "choose_processor.h"

void plan_choose(const struct subject *subject, struct plan *plan)
{
    if (subject->target->gpu)
        gpu_choose(subject, plan);
    else
        processor_choose(subject, plan);
}
