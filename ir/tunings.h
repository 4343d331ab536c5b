/* Schedules that were measured, or written by a person, for kernels of any network: the contents of
 * a .sched file. A kernel is known by its signature, a text that says what it computes and its
 * sizes (compiler/schedule/plan/signature.h). */
#ifndef IR_TUNINGS_H
#define IR_TUNINGS_H
#include "ir.h"
#include "names.h"

enum { SCHEDULES_VERSION = 1 };

/* What `sanc tune` found. */
struct measured {
    double us, chosen_us; /* times of the schedule, and of the one that is chosen without it */
    double noise;         /* of their quotient, in percent */
    int64_t tried;        /* schedules that were measured; 0: none were */
    bool unfinished;      /* the search was stopped */
};

struct tuning {
    const char *signature;
    struct schedule *schedule;
    struct measured measured;
    const struct error *refused; /* why the compiler does not take the schedule; or NULL */
    struct tuning *before;       /* an earlier one for the same kernel and target */
    struct tuning *next;
};

struct tunings {
    struct module *memory; /* all is in its arena */
    const char *file;      /* for messages; or NULL */
    struct tuning *first, **end;
    struct names last;       /* by signature and target: the last that is not refused */
    struct tuning **refused; /* in the order that they were refused */
    int refusals, said;      /* how many there are, and were reported */
};

struct tunings *tunings_new(const char *file);
void tunings_free(struct tunings *tunings); /* NULL is none */

/* Adds one at the end, whose strings have to live as long as the tunings. */
struct tuning *tunings_add(struct tunings *tunings, const char *signature,
                           struct schedule *schedule);
/* The last one for a kernel and a target, but for those refused; NULL: there is none. */
struct tuning *tunings_find(const struct tunings *tunings, const char *signature,
                            const char *target);
/* Says why one is refused. */
void tunings_refuse(struct tunings *tunings, struct tuning *tuning, const struct error *why);

/* Reads a text (text/text_tunings.c). NULL with *error filled in: not this language. */
struct tunings *tunings_parse(const char *text, size_t size, const char *file, struct error *error);
void tunings_print(const struct tunings *tunings, FILE *file);

#endif
