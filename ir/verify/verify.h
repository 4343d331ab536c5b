/* What the files of the verifier share. Private to this folder. */
#ifndef IR_VERIFY_H
#define IR_VERIFY_H
#include "index_set.h"
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

    struct effort effort;       /* left for looking at indices one by one */
    const struct stmt *changed; /* a loop whose races have to be seen in any case; or NULL */
};

/* Always false, for `return wrong(...)`; names the kernel at hand, if any. */
bool wrong(struct verifier *verifier, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

bool verify_buffers(struct verifier *verifier, const struct buffer *list, bool local);
bool verify_target(struct verifier *verifier, const char *target);
bool verify_kernels(struct verifier *verifier);                             /* verify_loops.c */
bool verify_kernel(struct verifier *verifier, const struct kernel *kernel); /* but for its name */
/* The innermost of the outer `scope` loops whose kind is one of `kinds`, a bit for each: its kind; else
 * LOOP_KIND_COUNT. */
enum loop_kind loop_around(const struct verifier *verifier, int scope, unsigned kinds);
bool verify_matrix(struct verifier *verifier, const struct stmt *stmt,
                   int scope);                                        /* verify_matrix.c */
bool verify_copy(struct verifier *verifier, const struct stmt *stmt); /* verify_async.c */
bool verify_flow(struct verifier *verifier); /* verify_flow.c; what the others let pass */

#endif
