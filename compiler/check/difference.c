#include "difference.h"
#include <math.h>

double off_by(double out, double ref)
{
    if (out == ref || (isnan(out) && isnan(ref)))
        return 0;
    return isfinite(out) && isfinite(ref) ? fabs(out - ref) : HUGE_VAL;
}

double relative_error(const double *out, const double *ref, int64_t count)
{
    double difference = 0, norm = 0;
    for (int64_t i = 0; i < count; i++) {
        double off = off_by(out[i], ref[i]);
        difference += off * off;
        norm += isfinite(ref[i]) ? ref[i] * ref[i] : 0;
    }
    if (difference == 0)
        return 0;
    double error = sqrt(difference / norm);
    return isfinite(error) ? error : HUGE_VAL;
}
