/* Planted mistakes: what a pass does, and then one thing wrong. Used by ../test_planted.c. */
#pragma once
#include "ir.h"
#include <stdbool.h>

/* Networks that have what a mistake needs, see graph_of(). */
enum kind { IN_PAIRS, ZERO_PADDING, IN_PATCHES, IN_WINDOWS, WITH_WINOGRAD, KINDS };

struct plant {
    const char *pass, *what;
    enum kind model;
    bool (*damage)(struct module *m); /* after the pass; false: there is nothing to damage */
};

/* Each ends with an entry whose pass is NULL. */
extern const struct plant planted_graph[], planted_lower[], planted_loops[], planted_schedules[];

/* The first one of a module; NULL: there is none. The compiler never changes expressions; here they
 * are changed as if a wrong pass had made them. */
typedef bool store_test(const struct stmt *store);
typedef bool expr_test(const struct expr *expr);
struct inst *find_inst(struct module *m, enum op op, bool constant);
struct stmt *find_store(struct module *m, store_test *fits);
struct expr *find_expr(struct module *m, expr_test *fits);
