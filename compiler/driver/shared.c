#include "shared.h"
#include "tool.h"
#include <errno.h>
#include <string.h>

enum { MOST_OPTIONS = 12, MOST_SAID = 1024 };

/* No code of C's startup, nothing that depends on when or where it is linked, nothing undefined
 * that libc does not have. Symbols are bound inside, so that another library of the same model does
 * not get in between. */
static const char *const compiler_options[MOST_OPTIONS] = {
    "-shared", "-nostdlib", "-Wl,-z,defs,-z,text,-z,relro,-z,now",
    "-Wl,-Bsymbolic,--build-id=none,--as-needed", "-lc"};

/* A linker alone does not know where libc is: memcpy and the like are those of the program that
 * loads the library. */
static const char *const linker_options[MOST_OPTIONS] = {
    "-shared",         "-Bsymbolic",    "-z", "text", "-z", "relro", "-z", "now",
    "--build-id=none", "--eh-frame-hdr"};

/* What can link, in the order it is tried. */
static const struct linker {
    const char *name;
    const char *const *options;
} linkers[] = {{"cc", compiler_options},
               {"gcc", compiler_options},
               {"clang", compiler_options},
               {"ld", linker_options},
               {"ld.lld", linker_options}};

static int run_linker(const struct linker *linker, const char *from, const char *to, char *said)
{
    const char *argument[4 + MOST_OPTIONS + 1] = {linker->name, "-o", to, from};
    memcpy(argument + 4, linker->options, MOST_OPTIONS * sizeof *argument);
    return tool_run(linker->name, (char *const *)argument, said, MOST_SAID);
}

static bool linked(const struct linker *linker, int ended, char *said)
{
    if (ended == 0)
        return true;
    if (ended < 0) {
        diag_error(NULL, 0, 0, "%s does not start: %s", linker->name, strerror(errno));
        return false;
    }
    said[strcspn(said, "\n")] = 0;
    diag_error(NULL, 0, 0, "%s does not link the shared library: %s", linker->name,
               *said ? said : "it does not say why");
    return false;
}

/* A tool_make. */
static bool make_library(const void *context, const char *from, const char *to)
{
    (void)context;
    char said[MOST_SAID] = "";
    for (size_t i = 0; i < sizeof linkers / sizeof *linkers; i++) {
        int ended = run_linker(&linkers[i], from, to, said);
        if (ended >= 0 || errno != ENOENT)
            return linked(&linkers[i], ended, said);
    }
    diag_error(
        NULL, 0, 0,
        "a shared library needs a C compiler or a linker on the PATH, one of cc, gcc, clang, "
        "ld and ld.lld (Debian: gcc, or binutils); obj needs none");
    return false;
}

enum status shared_link(const struct backend_file *object, struct backend_file *library)
{
    return tool_convert("model.o", object, "model.so", library, make_library, NULL);
}
