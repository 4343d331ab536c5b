#include "file_kind.h"
#include <stdbool.h>
#include <string.h>
#include <strings.h>

#define CONVERT "; examples/convert/convert.py makes a safetensors file of it"
#define MAGIC(bytes, kind)                                                                         \
    {                                                                                              \
        bytes, sizeof bytes - 1, kind                                                              \
    }

static const struct {
    const char *bytes; /* at the start of the file */
    size_t size;
    const char *kind;
} magic[] = {
    MAGIC("version https://git-lfs.github.com/",
          "a pointer of git-LFS, which stands for a file that was not fetched: git lfs pull"),
    MAGIC("\x80\x02\x8a\x0al\xfc\x9c\x46\xf9 j\xa8P\x19", "an old PyTorch checkpoint" CONVERT),
    MAGIC("\x80\x02", "a pickle of Python"),
    MAGIC("\x80\x03", "a pickle of Python"),
    MAGIC("\x80\x04", "a pickle of Python"),
    MAGIC("\x80\x05", "a pickle of Python"),
    MAGIC("\x93NUMPY", "an array of NumPy (.npy)"),
    MAGIC("\x89HDF\r\n", "an HDF5 file"),
    MAGIC("GGUF", "a GGUF file"),
    MAGIC("\xff\xd8\xff", "a JPEG image"),
    MAGIC("\x89PNG\r\n", "a PNG image"),
    MAGIC("GIF8", "a GIF image"),
    MAGIC("\x1f\x8b", "compressed with gzip"),
    MAGIC("\x28\xb5\x2f\xfd", "compressed with zstd"),
    MAGIC("\xfd"
          "7zXZ",
          "compressed with xz"),
    MAGIC("\x7f"
          "ELF",
          "an ELF file"),
};

static bool ends_with(const char *text, size_t size, const char *end)
{
    size_t tail = strlen(end);
    return size >= tail && memcmp(text + size - tail, end, tail) == 0;
}

/* A ZIP archive, by the name of its first file: 26 bytes after its start stands the name's length,
 * at byte 30 the name. */
static const char *zip_kind(const char *data, size_t size)
{
    if (size < 30)
        return "a ZIP archive";
    const unsigned char *length = (const unsigned char *)data + 26;
    size_t name = length[0] + 256u * length[1];
    if (name > size - 30)
        return "a ZIP archive";
    if (ends_with(data + 30, name, ".npy"))
        return "an archive of NumPy (.npz)";
    if (ends_with(data + 30, name, "/data.pkl") || ends_with(data + 30, name, "/.format_version"))
        return "a PyTorch checkpoint" CONVERT;
    return "a ZIP archive";
}

/* Text, by its first word. */
static const char *text_kind(const char *data, size_t size)
{
    size_t at = 0;
    while (at < size && data[at] && strchr(" \t\r\n", data[at]))
        at++;
    if (size - at >= 5 &&
        (strncasecmp(data + at, "<!doc", 5) == 0 || strncasecmp(data + at, "<html", 5) == 0))
        return "a web page (HTML), perhaps of a download that asked for a login";
    if (at < size && data[at] == '{')
        return "JSON text";
    return NULL;
}

const char *file_kind(const char *data, size_t size)
{
    for (size_t i = 0; i < sizeof magic / sizeof *magic; i++)
        if (size >= magic[i].size && memcmp(data, magic[i].bytes, magic[i].size) == 0)
            return magic[i].kind;
    if (size >= 4 && memcmp(data, "PK\3\4", 4) == 0)
        return zip_kind(data, size);
    if (size >= 12 && memcmp(data, "RIFF", 4) == 0 && memcmp(data + 8, "WEBP", 4) == 0)
        return "a WebP image";
    return text_kind(data, size);
}
