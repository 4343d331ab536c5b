/* Whole files.
 *
 *   file_read    open -> regular? small enough? -> read to the end
 *   file_open    open -> regular? small enough?; parts of it are read later
 *   file_write   existing and no regular file -> write in place
 *                else temporary beside it -> write -> fsync -> rename -> fsync of the folder */
#define _XOPEN_SOURCE 700 /* realpath */
#include "file.h"
#include "memory.h"
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- what is not finished -------------------------------------------------------------------- */

enum { MOST_UNFINISHED = 4 };
static char unfinished[MOST_UNFINISHED][PATH_MAX]; /* "": none */

void file_begin(const char *path)
{
    int i = 0;
    while (i < MOST_UNFINISHED - 1 && unfinished[i][0])
        i++;
    if (strlen(path) < PATH_MAX)
        strcpy(unfinished[i], path);
}

void file_end(const char *path)
{
    for (int i = 0; i < MOST_UNFINISHED; i++)
        if (strcmp(unfinished[i], path) == 0)
            unfinished[i][0] = 0;
}

void file_remove_unfinished(void)
{
    for (int i = MOST_UNFINISHED; i-- > 0;)
        if (unfinished[i][0] && unlink(unfinished[i]) != 0)
            rmdir(unfinished[i]); /* a folder, begun before the files in it */
}

/* ---- reading --------------------------------------------------------------------------------- */

static bool is_standard(const char *path)
{
    return strcmp(path, "-") == 0;
}

/* A file that is not there is a wrong input, anything else the system's failure. */
static enum status system_error(const char *path, const char *what)
{
    enum status status = errno == ENOENT || errno == ENOTDIR ? STATUS_INPUT : STATUS_SYSTEM;
    diag_error(path, 0, 0, "%s: %s", what, strerror(errno));
    return status;
}

static enum status too_large(const char *path, size_t most, intmax_t found)
{
    diag_error(path, 0, 0, "must have at most %zu bytes, found %jd", most, found);
    return STATUS_INPUT;
}

static enum status read_part(const char *path, int file, size_t begin, size_t size, char *data)
{
    for (size_t done = 0; done < size;) {
        ssize_t count = pread(file, data + done, size - done, (off_t)(begin + done));
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return system_error(path, "cannot be read");
        if (count == 0) {
            diag_error(path, 0, 0, "became shorter while it was read");
            return STATUS_SYSTEM;
        }
        done += (size_t)count;
    }
    return STATUS_DONE;
}

static enum status check_regular(const char *path, int file, size_t most, size_t *size)
{
    struct stat found;
    if (fstat(file, &found) < 0)
        return system_error(path, "cannot be read");
    if (!S_ISREG(found.st_mode)) {
        diag_error(path, 0, 0, "must be a regular file, found %s",
                   S_ISDIR(found.st_mode) ? "a folder" : "a device, pipe or socket");
        return STATUS_INPUT;
    }
    if (found.st_size < 0 || (uintmax_t)found.st_size > most)
        return too_large(path, most, (intmax_t)found.st_size);
    *size = (size_t)found.st_size;
    return STATUS_DONE;
}

/* Standard input, which may be a pipe: to its end. */
static enum status read_stream(const char *path, size_t most, char **data, size_t *size)
{
    size_t room = 1 << 16, used = 0;
    char *memory = allocate((int64_t)room, 1);
    for (;;) {
        ssize_t count = read(STDIN_FILENO, memory + used, room - used - 1);
        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0 || (used += (size_t)count) > most) {
            memory[used] = 0;
            *data = memory;
            *size = used;
            if (count == 0)
                return STATUS_DONE;
            free(memory);
            return count < 0 ? system_error(path, "cannot be read")
                             : too_large(path, most, (intmax_t)used);
        }
        if (room - used < room / 2)
            memory = allocate_again(memory, (int64_t)(room *= 2), 1);
    }
}

enum status file_open(const char *path, size_t most, struct file_parts *parts)
{
    *parts = (struct file_parts){.path = path, .file = -1};
    if (is_standard(path))
        return read_stream(path, most, &parts->data, &parts->size);
    /* Without O_NONBLOCK a pipe that nobody writes to would hang here. */
    parts->file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (parts->file < 0)
        return system_error(path, "cannot be read");
    return check_regular(path, parts->file, most, &parts->size);
}

enum status file_part(const struct file_parts *parts, size_t begin, size_t count, void *to)
{
    assert(begin <= parts->size && count <= parts->size - begin);
    if (!parts->data)
        return read_part(parts->path, parts->file, begin, count, to);
    memcpy(to, parts->data + begin, count);
    return STATUS_DONE;
}

void file_close(struct file_parts *parts)
{
    if (parts->file >= 0)
        close(parts->file);
    free(parts->data);
    *parts = (struct file_parts){.file = -1};
}

enum status file_read(const char *path, size_t most, char **data, size_t *size)
{
    struct file_parts parts;
    char *memory = NULL;
    enum status status = file_open(path, most, &parts);
    if (status == STATUS_DONE && parts.data) {
        memory = parts.data;
        parts.data = NULL;
    } else if (status == STATUS_DONE) {
        memory = allocate((int64_t)parts.size + 1, 1);
        status = file_part(&parts, 0, parts.size, memory);
    }
    if (status == STATUS_DONE) {
        *data = memory;
        *size = parts.size;
    } else {
        free(memory);
    }
    file_close(&parts);
    return status;
}

/* ---- writing --------------------------------------------------------------------------------- */

static bool write_all(int file, const char *data, size_t size)
{
    while (size) {
        ssize_t count = write(file, data, size);
        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0)
            return false;
        data += count;
        size -= (size_t)count;
    }
    return true;
}

/* False with errno. */
static bool write_in_place(const char *path, const void *data, size_t size)
{
    int file = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
    if (file < 0)
        return false;
    bool written = write_all(file, data, size);
    int reason = errno;
    if (close(file) < 0 && written)
        return false;
    errno = reason;
    return written;
}

/* A new file of its own name in the folder of `path`, open for writing; -1 with errno. The kernel
 * applies the umask, so mkstemp's 0600 will not do. */
static int open_temporary(const char *path, char name[PATH_MAX])
{
    const char *slash = strrchr(path, '/');
    int folder = slash ? (int)(slash - path) + 1 : 0;
    for (int attempt = 0; attempt < 1000; attempt++) {
        int length =
            snprintf(name, PATH_MAX, "%.*s.sanc-%ld-%d", folder, path, (long)getpid(), attempt);
        if (length < 0 || length >= PATH_MAX) {
            errno = ENAMETOOLONG;
            return -1;
        }
        file_begin(name);
        int file = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (file >= 0)
            return file;
        file_end(name);
        if (errno != EEXIST)
            return -1;
    }
    return -1;
}

/* Makes the rename last. A folder that cannot be synced is no reason to fail: the file is there. */
static void sync_folder(const char *path)
{
    char name[PATH_MAX] = ".";
    const char *slash = strrchr(path, '/');
    if (slash)
        snprintf(name, sizeof name, "%.*s", (int)(slash - path) + 1, path);
    int folder = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder >= 0) {
        fsync(folder);
        close(folder);
    }
}

static bool sync_file(int file)
{
    int result;
    do
        result = fsync(file);
    while (result < 0 && errno == EINTR);
    return result == 0;
}

/* Writes, flushes and closes; mode: the permissions it gets, or -1. False with errno. */
static bool fill_temporary(int file, int mode, const void *data, size_t size)
{
    bool done = write_all(file, data, size) && (mode < 0 || fchmod(file, (mode_t)mode) == 0) &&
                sync_file(file);
    int reason = errno;
    if (close(file) < 0 && done &&
        errno != EINTR) /* after EINTR it is closed, and its bytes are safe */
        return false;
    errno = reason;
    return done;
}

/* Puts a new file in the place of `path`. False with errno, and nothing left behind. */
static bool replace(const char *path, int mode, const void *data, size_t size)
{
    char name[PATH_MAX];
    int file = open_temporary(path, name);
    if (file < 0)
        return false;
    bool done = fill_temporary(file, mode, data, size) && rename(name, path) == 0;
    int reason = errno;
    if (done)
        sync_folder(path);
    else
        unlink(name);
    file_end(name);
    errno = reason;
    return done;
}

/* A link stays a link: what it leads to is replaced. */
static bool replace_target(const char *path, int mode, const void *data, size_t size)
{
    char target[PATH_MAX];
    return realpath(path, target) && replace(target, mode, data, size);
}

enum status file_write(const char *path, const void *data, size_t size)
{
    struct stat found;
    bool done;
    if (is_standard(path))
        done = fflush(stdout) == 0 && write_all(STDOUT_FILENO, data, size);
    else if (stat(path, &found) < 0) /* a link to nowhere is replaced, like what is not there */
        done = errno == ENOENT && replace(path, -1, data, size);
    else if (!S_ISREG(found.st_mode))
        done = write_in_place(path, data, size);
    else /* rename needs permission for the folder only; a write-protected file is kept */
        done = access(path, W_OK) == 0 &&
               replace_target(path, (int)(found.st_mode & 0777), data, size);
    if (done)
        return STATUS_DONE;
    diag_error(is_standard(path) ? "<stdout>" : path, 0, 0, "cannot be written: %s",
               strerror(errno));
    return STATUS_SYSTEM;
}

bool file_same(const char *a, const char *b)
{
    struct stat one, other;
    return stat(a, &one) == 0 && stat(b, &other) == 0 && one.st_dev == other.st_dev &&
           one.st_ino == other.st_ino;
}
