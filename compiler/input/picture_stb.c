/* Decoders of PNG and JPEG: stb_image, of which nothing else is built. Its warnings are its own. */
#define STB_IMAGE_IMPLEMENTATION
#define STBI_ONLY_JPEG
#define STBI_ONLY_PNG
#define STBI_NO_STDIO
#include <stb_image.h>
