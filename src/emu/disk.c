// SPDX-License-Identifier: Apache-2.0
// Whole-file writes: a new file beside the old one, fsync, rename, fsync of the directory. Readers
// in other processes so see the old or the new content, never a part. It never follows a link.
#include "emu/disk.h"

#include "base/fd.h"
#include "base/must.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define WRITE_MS 10000

static FALLIBLE disk_write_new(const char *path, struct bytes content, unsigned mode);
static FALLIBLE disk_flush_parent(const char *path);

struct err disk_path(char *out, size_t cap, const char *dir, const char *name)
{
    int n = snprintf(out, cap, "%s/%s", dir, name);

    ENSURE(n > 0 && (size_t)n < cap, ERR_TOO_LARGE, "path is longer than 511 bytes");
    return OK;
}

struct err disk_make_dir(const char *path)
{
    struct stat st;

    if (mkdir(path, 0700) == 0)
        return OK;
    ENSURE(errno == EEXIST && stat(path, &st) == 0 && S_ISDIR(st.st_mode), ERR_IO,
           "directory cannot be made");
    return OK;
}

struct err disk_write(const char *path, struct bytes content, unsigned mode)
{
    char beside[DISK_PATH_MAX];
    // The process id keeps two programs that write the same file from sharing a temporary one.
    int n = snprintf(beside, sizeof(beside), "%s.%d.new", path, (int)getpid());
    struct err e;

    ENSURE(n > 0 && (size_t)n < sizeof(beside), ERR_TOO_LARGE, "path is longer than 511 bytes");
    (void)unlink(beside);
    e = disk_write_new(beside, content, mode);
    if (!e.code && rename(beside, path) != 0)
        e = FAIL(ERR_IO, "file cannot be renamed into place");
    if (e.code) {
        (void)unlink(beside);
        return e;
    }
    return disk_flush_parent(path);
}

bool disk_exists(const char *path)
{
    struct stat st;

    return lstat(path, &st) == 0;
}

struct err disk_lock(int *fd, const char *dir, const char *name)
{
    struct deadline until = deadline_in(WRITE_MS);
    char path[DISK_PATH_MAX];

    TRY(disk_path(path, sizeof(path), dir, name));
    *fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    ENSURE(*fd >= 0, ERR_IO, "lock file cannot be opened");
    while (flock(*fd, LOCK_EX | LOCK_NB) != 0) {
        ENSURE(errno == EWOULDBLOCK && deadline_left_ms(until) > 0, ERR_TIMEOUT,
               "lock file is held by another process");
        (void)poll(NULL, 0, 2);
    }
    return OK;
}

static struct err disk_write_new(const char *path, struct bytes content, unsigned mode)
{
    AUTO(fd_close)
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, (mode_t)mode);

    ENSURE(fd >= 0, ERR_IO, "file cannot be created");
    TRY(fd_write_all(fd, content, deadline_in(WRITE_MS)));
    ENSURE(fsync(fd) == 0, ERR_IO, "file cannot be flushed");
    return OK;
}

static struct err disk_flush_parent(const char *path)
{
    char dir[DISK_PATH_MAX] = ".";
    const char *slash = strrchr(path, '/');

    if (slash && !bytes_to_str(bytes_of(path, (size_t)(slash - path) + 1), dir, sizeof(dir)))
        return FAIL(ERR_TOO_LARGE, "path is longer than 511 bytes");
    AUTO(fd_close) int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    ENSURE(fd >= 0 && fsync(fd) == 0, ERR_IO, "directory cannot be flushed");
    return OK;
}
