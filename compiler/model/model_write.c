/* A model as JSON: settings of the first stage with blocks stand in the model's `attention`, others
 * in their stage; what would come out without being said is left out. */
#include "model.h"
#include <string.h>

static const char *const relation_names[] = {"subtraction",   "summation", "hadamard", "dot",
                                             "concatenation", "star",      "clique"};
static const char *const position_names[] = {"none", "relative", "absolute"};
static const char *const transforms_names[] = {"distinct", "phi=psi", "phi=psi=beta"};

enum { TYPE, RELATION, MAPPING, POSITION, SOFTMAX, FOOTPRINT, DILATION, PADDING, SETTINGS = 12 };
static const char *const setting_names[SETTINGS] = {
    "type",     "relation", "mapping", "position",          "softmax",        "footprint",
    "dilation", "padding",  "share",   "relation_channels", "value_channels", "transforms"};

static int setting(const struct attention *a, int which)
{
    const int value[SETTINGS] = {a->patchwise,         a->relation,       a->mapping,
                                 a->position,          a->softmax,        a->footprint,
                                 a->dilation,          a->padding,        a->share,
                                 a->relation_channels, a->value_channels, a->transforms};
    return value[which];
}

/* The defaults of a stage of this type, with these channels and transforms. */
static struct attention defaults(bool patchwise, int channels, enum transforms transforms,
                                 int value_channels)
{
    return (struct attention){
        .patchwise = patchwise,
        .relation = patchwise ? RELATION_CONCATENATION : RELATION_SUBTRACTION,
        .mapping = 2,
        .position = patchwise ? POSITION_NONE : POSITION_RELATIVE,
        .softmax = !patchwise,
        .footprint = 7,
        .dilation = 1,
        .padding = PADDING_REFLECT,
        .share = 8,
        .value_channels = channels / 4,
        .relation_channels = transforms == TRANSFORMS_PHI_PSI_BETA ? value_channels : channels / 16,
        .transforms = TRANSFORMS_DISTINCT};
}

static void write_setting(FILE *file, int which, int value)
{
    const char *text = which == TYPE           ? (value ? "patchwise" : "pairwise")
                       : which == RELATION     ? relation_names[value]
                       : which == POSITION     ? position_names[value]
                       : which == PADDING      ? (value == PADDING_ZERO ? "zero" : "reflect")
                       : which == SETTINGS - 1 ? transforms_names[value]
                                               : NULL;
    if (text)
        fprintf(file, "\"%s\": \"%s\"", setting_names[which], text);
    else if (which == SOFTMAX)
        fprintf(file, "\"softmax\": %s", value ? "true" : "false");
    else
        fprintf(file, "\"%s\": %d", setting_names[which], value);
}

/* The settings of `a` that would not come out by themselves: `base` holds those that the model's
 * attention says, where said[]. said[] is set for what is written. */
static int write_attention(FILE *file, const struct attention *a, int channels,
                           const struct attention *base, bool *said)
{
    struct attention initial = defaults(a->patchwise, channels, a->transforms, a->value_channels);
    int written = 0;
    for (int i = 0; i < SETTINGS; i++) {
        bool inherits = base && said[i];
        int would_be = inherits ? setting(base, i) : i == TYPE ? 0 : setting(&initial, i);
        if (setting(a, i) == would_be)
            continue;
        fprintf(file, written++ ? ", " : "\"attention\": {");
        write_setting(file, i, setting(a, i));
        if (!base)
            said[i] = true;
    }
    if (written)
        fprintf(file, "}");
    return written;
}

void model_write_json(const struct model *model, FILE *file)
{
    bool said[SETTINGS] = {false};
    const struct attention *base = NULL;
    fprintf(file, "{\"format\": \"san\", \"version\": 1, \"name\": \"%s\",\n", model->name);
    fprintf(file, " \"input\": {\"channels\": %d, \"height\": %d, \"width\": %d},\n",
            model->channels, model->height, model->width);
    fprintf(file, " \"classes\": %d,", model->classes);
    if (model->stem_channels != 64)
        fprintf(file, " \"stem_channels\": %d,", model->stem_channels);
    fprintf(file, "\n");
    for (int i = 0; i < model->stages && !base; i++) {
        const struct stage *stage = &model->stage[i];
        if (!stage->blocks)
            continue;
        fprintf(file, " ");
        fprintf(file, write_attention(file, &stage->attention, stage->channels, NULL, said) ? ",\n"
                                                                                            : "\n");
        base = &stage->attention;
    }
    fprintf(file, " \"stages\": [");
    for (int i = 0; i < model->stages; i++) {
        const struct stage *stage = &model->stage[i];
        fprintf(file, "%s{\"blocks\": %d, \"channels\": %d", i ? ",\n            " : "",
                stage->blocks, stage->channels);
        if (stage->blocks) {
            char text[1024] = "";
            FILE *memory = fmemopen(text, sizeof text, "w");
            write_attention(memory, &stage->attention, stage->channels, base, said);
            fclose(memory);
            fprintf(file, "%s%s", *text ? ", " : "", text);
        }
        fprintf(file, "}");
    }
    fprintf(file, "]}\n");
}

bool model_equal(const struct model *a, const struct model *b)
{
    if (strcmp(a->name, b->name) || a->channels != b->channels || a->height != b->height ||
        a->width != b->width || a->classes != b->classes || a->stem_channels != b->stem_channels ||
        a->stages != b->stages)
        return false;
    for (int i = 0; i < a->stages; i++) {
        const struct stage *p = &a->stage[i], *q = &b->stage[i];
        if (p->blocks != q->blocks || p->channels != q->channels)
            return false;
        for (int k = 0; p->blocks && k < SETTINGS; k++)
            if (setting(&p->attention, k) != setting(&q->attention, k))
                return false;
    }
    return true;
}
