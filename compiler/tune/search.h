/* The search for the best schedule of one kernel. */
#ifndef COMPILER_SEARCH_H
#define COMPILER_SEARCH_H
#include "bed.h"
#include "tunings.h"

/* Asked between measurements, and told how far the search is; false stops it. */
typedef bool search_goes_on(void *context, int tried, double us, double chosen_us);

struct search {
    struct alone *alone;
    struct quiet *quiet;
    int64_t weights_bytes;    /* of the whole network */
    double seconds;           /* how long it may take */
    const struct plan *start; /* to begin with, besides the chosen one; or NULL */
    search_goes_on *goes_on;
    void *context;

    /* what was found */
    struct plan best;
    struct measured measured; /* unfinished: the core was not quiet when the best was confirmed */
};

/* Errors are printed. */
enum status search_run(struct search *search);

#endif
