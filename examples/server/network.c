/* The network that the server runs. For another one, change this file and build.sh. */
#include "digits_pairwise.h"
#include "server.h"
#include <math.h>
#include <png.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    HEIGHT = DIGITS_PAIRWISE_HEIGHT,
    WIDTH = DIGITS_PAIRWISE_WIDTH,
    PIXELS = HEIGHT * WIDTH,
    CLASSES = DIGITS_PAIRWISE_CLASSES
};

static const char *const class_name[CLASSES] = {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"};

const char *network_name(void)
{
    return digits_pairwise_model.name;
}

void *network_workspace(void)
{
    size_t unit = digits_pairwise_model.workspace_alignment; /* what aligned_alloc wants */
    return aligned_alloc(unit, (DIGITS_PAIRWISE_WORKSPACE_BYTES / unit + 1) * unit);
}

/* The size is checked before anything is unpacked, so no picture takes more memory than another. */
static bool read_png(struct request *request, unsigned char *pixels)
{
    png_image image = {.version = PNG_IMAGE_VERSION};
    if (!png_image_begin_read_from_memory(&image, request->body, request->bytes)) {
        request_fail(request, MHD_HTTP_BAD_REQUEST, "the body is no PNG: %s", image.message);
        return false;
    }
    if (image.width != WIDTH || image.height != HEIGHT) {
        request_fail(request, MHD_HTTP_BAD_REQUEST, "the picture has %u x %u pixels, not %d x %d",
                     (unsigned)image.width, (unsigned)image.height, WIDTH, HEIGHT);
        png_image_free(&image);
        return false;
    }
    image.format = PNG_FORMAT_GRAY;
    png_color black = {0, 0, 0}; /* what shows through where the picture is transparent */
    if (!png_image_finish_read(&image, &black, pixels, WIDTH, NULL)) {
        request_fail(request, MHD_HTTP_BAD_REQUEST, "the PNG is damaged: %s", image.message);
        return false;
    }
    return true;
}

static bool read_picture(struct request *request, unsigned char *pixels)
{
    if (request->bytes == 0)
        request_fail(request, MHD_HTTP_BAD_REQUEST, "the body is empty");
    else if (request->png)
        return read_png(request, pixels);
    else if (request->bytes != PIXELS)
        request_fail(request, MHD_HTTP_BAD_REQUEST, "the body has %zu bytes, not %d: one a pixel",
                     request->bytes, PIXELS);
    else
        memcpy(pixels, request->body, PIXELS);
    return request->status == 0;
}

/* The softmax of the logits as {"class": the most likely, "classes": all of them}. */
static void put_classes(struct request *request, const float *logits)
{
    int best = 0;
    float probability[CLASSES], sum = 0;
    for (int i = 1; i < CLASSES; i++)
        best = logits[i] > logits[best] ? i : best;
    for (int i = 0; i < CLASSES; i++)
        sum += probability[i] = expf(logits[i] - logits[best]);
    char *end = request->answer;
    end += sprintf(end, "{\"class\": \"%s\", \"classes\": [", class_name[best]);
    for (int i = 0; i < CLASSES; i++) /* 40 characters each */
        end += sprintf(end, "%s{\"class\": \"%s\", \"probability\": %.6f}", i ? ", " : "",
                       class_name[i], (double)(probability[i] / sum));
    sprintf(end, "]}\n");
    request->status = MHD_HTTP_OK;
}

void network_answer(struct request *request, void *workspace)
{
    unsigned char pixels[PIXELS];
    float input[PIXELS], logits[CLASSES];
    if (!read_picture(request, pixels))
        return;
    for (int i = 0; i < PIXELS; i++) /* as the network was trained */
        input[i] = ((float)pixels[i] / 255.0f - 0.1307f) / 0.3081f;
    int status = digits_pairwise_run(input, logits, workspace, NULL);
    if (status == SAN_OK)
        put_classes(request, logits);
    else
        request_fail(request, MHD_HTTP_INTERNAL_SERVER_ERROR,
                     "digits_pairwise_run returned %d, see enum san_status", status);
}
