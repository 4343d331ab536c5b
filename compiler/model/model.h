/* A network as its JSON file describes it, checked and with every default filled in. */
#ifndef COMPILER_MODEL_H
#define COMPILER_MODEL_H
#include "diag.h"
#include "identifier.h"
#include "ir.h"
#include <stddef.h>
#include <stdint.h>

enum {
    MAX_STAGES = 16,
    MAX_IMAGE_CHANNELS = 1024,
    BOTTLENECK = 4 /* a stage's channels over those of its bottlenecks' 3 x 3 convolutions */
};

enum family { FAMILY_SAN, FAMILY_RESNET };
enum block { BLOCK_BOTTLENECK, BLOCK_BASIC };
enum image_type { IMAGE_F32, IMAGE_U8 };
enum model_output { OUTPUT_LOGITS, OUTPUT_PROBABILITIES };
/* What is returned instead: what fc takes, or the map of a stage. Not in files. */
enum features { FEATURES_NONE, FEATURES_POOLED, FEATURES_STAGE /* + its number */ };
enum position { POSITION_NONE, POSITION_RELATIVE, POSITION_ABSOLUTE };
enum padding { PADDING_REFLECT, PADDING_ZERO };
enum transforms { TRANSFORMS_DISTINCT, TRANSFORMS_PHI_PSI, TRANSFORMS_PHI_PSI_BETA };

/* All of them int, so that the table of fields (fields.def) can give the place of each. */
struct attention {
    int patchwise; /* 0: pairwise */
    int relation;  /* a relation_kind; concatenation is of either type */
    int mapping;   /* linears in the mapping, 0 to 3 */
    int position;  /* enum position */
    int softmax;   /* 0 or 1 */
    int footprint, dilation;
    int padding; /* enum padding */
    int share;
    int relation_channels, value_channels;
    int transforms; /* enum transforms */
};

struct stage {
    int blocks, channels;
    int block;                  /* enum block; of a residual network */
    struct attention attention; /* of a SAN, meaningful where blocks > 0 */
};

/* A number for each channel of the image. */
struct channel_numbers {
    int count; /* 0: they are not given; the mean is 0, the deviation 1 */
    double value[MAX_IMAGE_CHANNELS];
};

struct model {
    char name[MAX_NAME + 1];
    int family; /* enum family */
    int channels, height, width, classes, stem_channels;
    int input_type;                   /* enum image_type */
    int layout;                       /* enum layout */
    struct channel_numbers mean, std; /* the network sees (value - mean) / std */
    int output;                       /* enum model_output */
    int features;                     /* enum features */
    int stages;
    struct stage stage[MAX_STAGES];
};

/* Reads and checks a model file. On errors: every one of them printed with its place, and
 * STATUS_INPUT (the contents are wrong) or STATUS_SYSTEM (the file cannot be read). */
enum status model_read(const char *path, struct model *model);
/* The same for text in memory; `path` is for messages. */
enum status model_parse(const char *path, const char *text, size_t size, struct model *model);
/* Whether the model obeys the rules of a model file. */
bool model_valid(const struct model *model);

#endif
