// SPDX-License-Identifier: Apache-2.0
// What is checked is checked of the descriptor that is read, never of the path again.
#include "cli/files.h"

#include "base/fd.h"
#include "base/must.h"
#include "cli/trust.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static struct err write_failed(void)
{
    ENSURE(errno != ENOSPC && errno != EDQUOT && errno != EFBIG, ERR_FULL,
           "--output: there is no room for the file");
    return FAIL(ERR_IO, "--output: cannot be written");
}

static FALLIBLE write_all(int fd, struct bytes bytes)
{
    for (size_t done = 0; done < bytes.n;) {
        ssize_t wrote = write(fd, bytes.p + done, bytes.n - done);

        if (wrote <= 0)
            return write_failed();
        done += (size_t)wrote;
    }
    return OK;
}

static FALLIBLE write_new(const char *fresh, struct bytes bytes)
{
    AUTO(fd_close) int fd = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);

    if (fd < 0)
        return write_failed();
    TRY(write_all(fd, bytes));
    return fsync(fd) == 0 ? OK : write_failed();
}

struct err files_save(const char *path, struct bytes bytes)
{
    char fresh[TRUST_PATH_MAX];
    struct stat old;
    int n = snprintf(fresh, sizeof(fresh), "%s.new", path);
    struct err err;

    ENSURE(n > 0 && (size_t)n < sizeof(fresh), ERR_TOO_LARGE, "--output: path is too long");
    ENSURE(lstat(path, &old) != 0 || S_ISREG(old.st_mode), ERR_EXISTS,
           "--output: is there already, and is no regular file");
    ENSURE(unlink(fresh) == 0 || errno == ENOENT, ERR_IO, "--output: cannot be written");
    err = write_new(fresh, bytes);
    if (!err.code && rename(fresh, path) != 0)
        err = FAIL(ERR_IO, "--output: cannot be written");
    if (err.code)
        (void)unlink(fresh);
    return err;
}

struct err files_save_secret(const char *path, struct bytes secret)
{
    AUTO(fd_close) int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    struct err err;

    ENSURE(fd >= 0 || errno != EEXIST, ERR_EXISTS, "--output: is there already");
    if (fd < 0)
        return write_failed();
    err = write_all(fd, secret);
    if (!err.code)
        err = write_all(fd, BYTES_LIT("\n"));
    if (!err.code && fsync(fd) != 0)
        err = write_failed();
    if (err.code)
        (void)unlink(path);
    return err;
}

struct err files_read_secret(const char *path, uint8_t *out, size_t cap, size_t *n)
{
    AUTO(fd_close) int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    struct stat st;

    *n = 0;
    ENSURE(fd >= 0 || errno != ELOOP, ERR_DENIED, "is a symbolic link: name the file itself");
    ENSURE(fd >= 0, ERR_NOT_FOUND, "cannot be opened");
    ENSURE(fstat(fd, &st) == 0 && S_ISREG(st.st_mode), ERR_DENIED, "expected a regular file");
    ENSURE(st.st_uid == getuid() || st.st_uid == 0, ERR_DENIED, "expected a file of your own");
    ENSURE((st.st_mode & 077) == 0, ERR_DENIED,
           "is open to others: expected mode 0600 or 0400 (chmod 600)");
    while (*n < cap) {
        ssize_t got = read(fd, out + *n, cap - *n);

        ENSURE(got >= 0, ERR_IO, "cannot be read");
        if (got == 0)
            return OK;
        *n += (size_t)got;
    }
    return FAIL(ERR_TOO_LARGE, "is larger than expected");
}
