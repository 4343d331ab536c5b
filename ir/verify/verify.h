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
    struct location at; /* of what is looked at */
    struct error *error;

    /* the kernel at hand */
    const struct kernel *kernel;
    struct names locals, vars;
    int scope; /* the loops around, and their kinds; a reduction's variable has LOOP_KIND_COUNT */
    const struct var *var[MOST_SCOPE];
    enum loop_kind loop[MOST_SCOPE];
    int depth;
    const struct rounding *rounding; /* of the module; NULL: not asked for yet */

    struct effort effort;       /* left in this kernel for looking at indices one by one */
    const struct stmt *changed; /* a loop whose races have to be seen in any case; or NULL */
};

/* Always false, for `return wrong(...)`; names the kernel at hand, if any. */
bool wrong(struct verifier *verifier, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

bool verify_buffers(struct verifier *verifier, const struct buffer *list, bool local);
bool verify_target(struct verifier *verifier, const char *target);

#endif
