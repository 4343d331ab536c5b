/* What graph passes end with. */
#ifndef COMPILER_TIDY_H
#define COMPILER_TIDY_H
#include "ir.h"

/* Removes what no output depends on, and moves what depends on parameters alone before everything
 * else: so a pass may put a new reader of constants wherever it likes, and a dump shows the recipes
 * first and then the network. */
void graph_tidy(struct module *m);

#endif
