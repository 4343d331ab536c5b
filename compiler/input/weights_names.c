/* A name is components with dots between. Two names of tensors of the same shape are alike where
 * their first or last components are the same; what lies between them is a pattern:
 *
 *   layer0.0.sam.mapping.2.weight    "mapping" where the model has "conv_w"
 *   layer0.0.sam.conv_w.2.weight
 *
 * Each pattern is tried on all other names, so that one line explains all names that follow it. */
#include "weights_names.h"
#include "memory.h"
#include "nearest.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_PATTERNS = 5, MOST_TRIES = 50, MOST_SINGLE = 4, NAME_TEXT = 1100 };
enum { MOST_SPELT = 500 }; /* among more names, looking for misspelt ones takes too long */

const char *dims_text(int rank, const int64_t *dim, char text[DIMS_TEXT])
{
    int used = snprintf(text, DIMS_TEXT, "(");
    for (int i = 0; i < rank; i++)
        used +=
            snprintf(text + used, DIMS_TEXT - (size_t)used, "%s%" PRId64, i ? ", " : "", dim[i]);
    snprintf(text + used, DIMS_TEXT - (size_t)used, ")");
    return text;
}

/* ---- two names ------------------------------------------------------------------------------- */

/* Bytes at the start of both that are whole components, with their dots. */
static size_t same_start(const char *a, const char *b)
{
    size_t same = 0;
    for (size_t i = 0; a[i] && a[i] == b[i]; i++)
        if (a[i] == '.')
            same = i + 1;
    return same;
}

/* Likewise at the end, of names of these lengths. */
static size_t same_end(const char *a, size_t length_a, const char *b, size_t length_b)
{
    size_t same = 0;
    for (size_t i = 1; i <= length_a && i <= length_b; i++) {
        if (a[length_a - i] != b[length_b - i])
            break;
        if (a[length_a - i] == '.')
            same = i;
        if (i == length_a || i == length_b) /* all of one, if the other has a dot before it */
            same = (i == length_a || a[length_a - i - 1] == '.') &&
                           (i == length_b || b[length_b - i - 1] == '.')
                       ? i
                       : same;
    }
    return same;
}

/* A part of names, in whole components, that differs between the model and the file. */
struct pattern {
    char model[NAME_TEXT], file[NAME_TEXT]; /* either may be "" where names begin */
};

static void pattern_of(const char *model, const char *file, struct pattern *pattern)
{
    size_t start = same_start(model, file), a = strlen(model), b = strlen(file);
    size_t end = same_end(model + start, a - start, file + start, b - start);
    a -= end;
    b -= end;
    while (start &&
           (a <= start || b <= start)) { /* one part is empty: take the component before, too */
        start--;
        while (start && model[start - 1] != '.')
            start--;
    }
    a -= a > start && model[a - 1] == '.'; /* where the other name begins after it */
    b -= b > start && file[b - 1] == '.';
    snprintf(pattern->model, NAME_TEXT, "%.*s", (int)(a - start), model + start);
    snprintf(pattern->file, NAME_TEXT, "%.*s", (int)(b - start), file + start);
}

/* Where the pattern first stands in a name of the model, at whole components; NULL: nowhere. */
static const char *pattern_find(const struct pattern *pattern, const char *name)
{
    size_t length = strlen(pattern->model);
    for (const char *at = name; at; at = strchr(at, '.'), at += at != NULL)
        if (strncmp(at, pattern->model, length) == 0 &&
            (length == 0 || at[length] == '.' || at[length] == 0))
            return at;
    return NULL;
}

/* The name that the file would have. False: the pattern is nowhere in it. */
static bool pattern_apply(const struct pattern *pattern, const char *name, char file[NAME_TEXT])
{
    const char *at = pattern_find(pattern, name);
    if (!at)
        return false;
    const char *rest = at + strlen(pattern->model);
    if (!*pattern->file && *rest == '.')
        rest++; /* the dot goes, too */
    bool before_all = !*pattern->model;
    int size = snprintf(file, NAME_TEXT, "%.*s%s%s%s", (int)(at - name), name, pattern->file,
                        before_all ? "." : "", rest);
    return size < NAME_TEXT;
}

/* ---- all names ------------------------------------------------------------------------------- */

static bool same_shape(const struct tensor *tensor, const struct tensor_need *need)
{
    return tensor->rank == need->rank &&
           memcmp(tensor->dim, need->dim, (size_t)need->rank * sizeof *need->dim) == 0;
}

/* How similar two names are: by bytes in common components, then by common bytes at start and end.
 */
static size_t alikeness(const char *a, const char *b)
{
    size_t start = same_start(a, b), length_a = strlen(a), length_b = strlen(b);
    size_t whole = start + same_end(a + start, length_a - start, b + start, length_b - start);
    size_t letters = 0, at = 0;
    while (a[letters] && a[letters] == b[letters])
        letters++;
    while (at < length_a && at < length_b && a[length_a - at - 1] == b[length_b - at - 1])
        at++;
    return whole ? whole * NAME_TEXT + letters + at : 0;
}

/* The tensor of the same shape with one letter wrong, or with the most similar name. NULL: none, or
 * several that are equally similar. */
static const struct tensor *most_alike(const struct unpaired *names, const struct tensor_need *need)
{
    const struct tensor *best = NULL, *spelt = NULL;
    struct nearest nearest = {.word = need->name};
    size_t most = 0, with_most = 0;
    for (size_t i = 0; i < names->tensors; i++) {
        const struct tensor *tensor = names->tensor[i];
        if (!tensor || !same_shape(tensor, need))
            continue;
        const char *name = tensor->name + names->prefix;
        size_t alike = alikeness(need->name, name);
        with_most = alike > most ? 1 : with_most + (alike == most);
        best = alike > most ? tensor : best;
        most = alike > most ? alike : most;
        if (names->tensors <= MOST_SPELT)
            nearest_try(&nearest, name);
        spelt = nearest.name == name ? tensor : spelt;
    }
    if (spelt && (nearest.distance == 1 || most == 0))
        return spelt;
    return with_most == 1 ? best : NULL;
}

static int compare_name(const void *key, const void *element)
{
    const struct unpaired *names = key;
    return strcmp(names->path, (*(const struct tensor *const *)element)->name + names->prefix);
}

/* Removes the pairs that follow the pattern and returns their number. `all`: the tensors before any
 * was removed. */
static size_t take_pairs(struct unpaired *names, const struct pattern *pattern,
                         const struct tensor *const *all)
{
    char wanted[NAME_TEXT];
    size_t pairs = 0;
    for (size_t i = 0; i < names->needs; i++) {
        if (!names->needed[i] || !pattern_apply(pattern, names->needed[i]->name, wanted))
            continue;
        const struct unpaired key = {.path = wanted, .prefix = names->prefix};
        const struct tensor *const *found =
            bsearch(&key, all, names->tensors, sizeof *all, compare_name);
        if (!found || !names->tensor[found - all] || !same_shape(*found, names->needed[i]))
            continue;
        names->needed[i] = NULL;
        names->tensor[found - all] = NULL;
        pairs++;
    }
    return pairs;
}

static void report_pattern(const char *path, const struct pattern *pattern, size_t pairs,
                           const struct tensor_need *need, const struct tensor *tensor)
{
    char shape[DIMS_TEXT];
    if (pairs < 2)
        diag_error(path, 0, 0,
                   "tensor \"%s\" of shape %s must be there, found none of that name; the nearest "
                   "is \"%s\"",
                   need->name, dims_text(need->rank, need->dim, shape), tensor->name);
    else if (!*pattern->model || !*pattern->file)
        diag_error(path, 0, 0, "%zu tensors %s \"%s.\" before their names: \"%s\" must be \"%s\"",
                   pairs, *pattern->file ? "have" : "lack",
                   *pattern->file ? pattern->file : pattern->model, tensor->name, need->name);
    else
        diag_error(path, 0, 0,
                   "%zu tensors have \"%s\" where the model has \"%s\": \"%s\" must be \"%s\"",
                   pairs, pattern->file, pattern->model, tensor->name, need->name);
}

static void report_patterns(struct unpaired *names)
{
    const struct tensor **all = allocate((int64_t)names->tensors, sizeof *all);
    memcpy(all, names->tensor, names->tensors * sizeof *all);
    int patterns = 0, tries = 0;
    for (size_t i = 0; i < names->needs && patterns < MOST_PATTERNS && tries < MOST_TRIES; i++) {
        const struct tensor_need *need = names->needed[i];
        const struct tensor *tensor = need ? most_alike(names, need) : NULL;
        tries += need != NULL;
        if (!tensor)
            continue;
        struct pattern pattern;
        pattern_of(need->name, tensor->name + names->prefix, &pattern);
        size_t pairs = take_pairs(names, &pattern, all);
        if (pairs)
            report_pattern(names->path, &pattern, pairs, need, tensor);
        patterns += pairs > 0;
    }
    free(all);
}

static void report_needs(const struct unpaired *names)
{
    size_t count = 0;
    const struct tensor_need *first = NULL;
    char shape[DIMS_TEXT];
    for (size_t i = 0; i < names->needs; i++) {
        count += names->needed[i] != NULL;
        first = first ? first : names->needed[i];
    }
    if (count > MOST_SINGLE) {
        diag_error(names->path, 0, 0,
                   "%zu tensors must be there, found none of their names; the first is \"%s\" of "
                   "shape %s",
                   count, first->name, dims_text(first->rank, first->dim, shape));
        return;
    }
    for (size_t i = 0; i < names->needs; i++)
        if (names->needed[i])
            diag_error(names->path, 0, 0,
                       "tensor \"%s\" of shape %s must be there, found none of that name",
                       names->needed[i]->name,
                       dims_text(names->needed[i]->rank, names->needed[i]->dim, shape));
}

static void report_tensors(const struct unpaired *names)
{
    size_t count = 0;
    const struct tensor *first = NULL;
    for (size_t i = 0; i < names->tensors; i++) {
        count += names->tensor[i] != NULL;
        first = first ? first : names->tensor[i];
    }
    if (count > MOST_SINGLE) {
        diag_error(names->path, 0, 0,
                   "%zu tensors are not the model's, and a weight file must hold no others; "
                   "the first is \"%s\"",
                   count, first->name);
        return;
    }
    for (size_t i = 0; i < names->tensors; i++)
        if (names->tensor[i])
            diag_error(names->path, 0, 0,
                       "the model has no tensor \"%s\", and a weight file must hold no others",
                       names->tensor[i]->name);
}

void unpaired_report(struct unpaired *names)
{
    report_patterns(names);
    report_needs(names);
    report_tensors(names);
}
