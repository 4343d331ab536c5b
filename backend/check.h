/* Whether loops can be emitted. An edited dump may hold what no pass makes. */
#ifndef BACKEND_CHECK_H
#define BACKEND_CHECK_H
#include "ir.h"

/* Statements of a kernel, written out. */
enum { MOST_WRITTEN_OUT = 16384 };

/* Counts the statements once loops are unrolled; exact up to MOST_WRITTEN_OUT. */
int64_t written_out(const struct stmt *stmt);

/* False: *error says where and why not. The module is verified (module_verify) and planned. */
bool backend_check(const struct module *module, struct error *error);

#endif
