/* What all files of the verifier share. Private to this folder. */
#ifndef IR_VERIFY_H
#define IR_VERIFY_H
#include "space.h"
#include "text.h"

enum { MOST_SCOPE = 256 };

struct verifier {
    const struct module *module;
    struct arena *scratch;
    struct names values; /* by the bytes of an id */
    struct names buffers, kernels;
    struct location at; /* of what is being checked */
    struct error *error;

    /* the current kernel */
    const struct kernel *kernel;
    struct names locals, vars;
    int scope; /* the loops around, and their kinds; a reduction's variable has LOOP_KIND_COUNT */
    const struct var *var[MOST_SCOPE];
    enum loop_kind loop[MOST_SCOPE];
    int depth;
    const struct rounding *rounding; /* of the module; NULL: not computed yet */

    struct effort effort;       /* left for this kernel */
    const struct stmt *changed; /* a loop that must be seen to have no race; or NULL */
};

/* Always false, for `return wrong(...)`; names the current kernel, if any. */
bool wrong(struct verifier *verifier, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

bool verify_buffers(struct verifier *verifier, const struct buffer *list, bool local);
bool verify_target(struct verifier *verifier, const char *target);

#endif
