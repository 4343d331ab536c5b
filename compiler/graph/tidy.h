/* The last step of every graph pass. */
#ifndef COMPILER_TIDY_H
#define COMPILER_TIDY_H
#include "ir.h"

/* Removes what no output depends on, and moves constants before everything else. So a pass may put
 * a new reader of constants anywhere, and a dump shows the recipes first and then the network. */
void graph_tidy(struct module *m);

#endif
