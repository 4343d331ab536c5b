/* An object to a shared library, by the system's compiler or linker. */
#ifndef COMPILER_SHARED_H
#define COMPILER_SHARED_H
#include "backend.h"
#include "diag.h"

/* Links `object`. The library needs libc at most, and exports what the object does. STATUS_SYSTEM
 * with a message where nothing on the PATH can link. */
enum status shared_link(const struct backend_file *object, struct backend_file *library);

#endif
