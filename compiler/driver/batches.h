/* Several sizes of --batch in one object. */
#ifndef COMPILER_BATCHES_H
#define COMPILER_BATCHES_H
#include "source.h"

/* Adds the sizes of --batch that are smaller than the module's own to it (module->smaller). All
 * passes have run on it, with this `only` (source_module); here they run on the others. The kernels
 * of a size get names of their own. */
enum status batches_join(const struct source *source, const char *only, struct module *module);

/* For commands that take one size: STATUS_USAGE with a message where --batch names several. */
enum status batches_single(const struct options *options);

#endif
