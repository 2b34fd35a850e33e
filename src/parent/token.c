// SPDX-License-Identifier: Apache-2.0
// The file is opened once and looked at through its descriptor, never again by name. A new one is
// written whole and flushed before its name is used. Hex digits are made without branching on the
// random bytes.
#include "parent/token.h"

#include "base/ct.h"
#include "base/fd.h"
#include "base/must.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define TOKEN_RANDOM 32
#define TOKEN_MIN    32U

static struct err token_make(const char *path)
{
    AUTO(fd_close) int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    uint8_t random[TOKEN_RANDOM], text[2 * TOKEN_RANDOM + 1];
    struct err err;

    ENSURE(fd >= 0 || errno != EEXIST, ERR_EXISTS, "token_file: was just made");
    ENSURE(fd >= 0, ERR_IO, "token_file: cannot be made");
    ENSURE(getrandom(random, sizeof(random), 0) == (ssize_t)sizeof(random), ERR_IO,
           "token_file: no random bytes");
    for (size_t i = 0; i < sizeof(random); i++) {
        unsigned high = random[i] >> 4, low = random[i] & 15U;

        // 39 more from '9' + 1 to 'a', by a mask that is set for 10 to 15.
        text[2 * i] = (uint8_t)('0' + high + (((9U - high) >> 8) & 39U));
        text[2 * i + 1] = (uint8_t)('0' + low + (((9U - low) >> 8) & 39U));
    }
    text[2 * TOKEN_RANDOM] = '\n';
    err = fd_write_all(fd, BYTES_OF(text), deadline_in(5000));
    ct_wipe(random, sizeof(random));
    ct_wipe(text, sizeof(text));
    TRY(err);
    ENSURE(fsync(fd) == 0, ERR_IO, "token_file: cannot be written");
    return OK;
}

static struct err token_check(const struct token *token)
{
    ENSURE(token->n >= TOKEN_MIN, ERR_MALFORMED, "token_file: expected at least 32 characters");
    for (size_t i = 0; i < token->n; i++)
        ENSURE(token->b[i] > 0x20 && token->b[i] < 0x7f, ERR_MALFORMED,
               "token_file: expected one line of printable ASCII without blanks");
    return OK;
}

static struct err token_read(struct token *out, int fd)
{
    struct stat st;
    ssize_t got;

    ENSURE(fstat(fd, &st) == 0 && S_ISREG(st.st_mode), ERR_IO, "token_file: expected a file");
    ENSURE((st.st_mode & 077) == 0 && st.st_uid == geteuid(), ERR_DENIED,
           "token_file: expected mode 0600 and this user as owner");
    ENSURE(st.st_size <= TOKEN_MAX, ERR_MALFORMED, "token_file: expected at most 256 bytes");
    got = read(fd, out->b, sizeof(out->b));
    ENSURE(got >= 0, ERR_IO, "token_file: cannot be read");
    out->n = (size_t)got;
    if (out->n > 0 && out->b[out->n - 1] == '\n')
        out->n--;
    return token_check(out);
}

struct err token_load(struct token *out, const char *path)
{
    AUTO(fd_close) int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

    *out = (struct token) { 0 };
    if (fd < 0 && errno == ENOENT) {
        TRY(token_make(path));
        fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    }
    ENSURE(fd >= 0, ERR_IO, "token_file: cannot be opened");
    return token_read(out, fd);
}

void token_wipe(struct token *token)
{
    ct_wipe(token, sizeof(*token));
}
