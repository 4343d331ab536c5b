/* How far numbers are from what they should be. */
#ifndef COMPILER_DIFFERENCE_H
#define COMPILER_DIFFERENCE_H
#include <stdint.h>

/* |out - ref|: 0 also where both are NaN, or the same infinity; infinite where only one is
 * finite. */
double off_by(double out, double ref);

/* ||out - ref|| / ||ref||, by off_by; the norm is that of what is finite. 0 where nothing is
 * off. */
double relative_error(const double *out, const double *ref, int64_t count);

#endif
