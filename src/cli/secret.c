// SPDX-License-Identifier: Apache-2.0
// The terminal's echo is off while a line is read, and on again afterwards whatever happens in
// between: signals of the keyboard become the end of the line meanwhile. Hex is decoded without a
// table or a branch on its digits.
#include "cli/secret.h"

#include "base/ct.h"
#include "base/fd.h"
#include "base/must.h"
#include "base/u256.h"

#include <fcntl.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <termios.h>
#include <unistd.h>

#define INTERRUPT 3 // Ctrl-C

void secret_wipe(struct secret *secret)
{
    ct_wipe(secret, sizeof(*secret));
}

void secret_protect_process(void)
{
    const struct rlimit none = { 0, 0 };

    (void)prctl(PR_SET_DUMPABLE, 0);
    (void)setrlimit(RLIMIT_CORE, &none);
}

static FALLIBLE ask_on(int fd, struct secret *out, const char *prompt)
{
    struct err err;
    ssize_t got;

    TRY(fd_write_all(fd, bytes_str(prompt), deadline_in(5000)));
    got = read(fd, out->b, sizeof(out->b));
    err = fd_write_all(fd, BYTES_LIT("\n"), deadline_in(5000));
    ENSURE(got > 0 && out->b[got - 1] != INTERRUPT, ERR_CLOSED, "password: nothing was typed");
    ENSURE(out->b[got - 1] == '\n', ERR_TOO_LARGE, "password: too long");
    out->n = (size_t)got - 1;
    return err;
}

struct err secret_ask(struct secret *out, const char *prompt)
{
    AUTO(fd_close) int fd = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
    struct termios before, quiet;
    struct err err;

    ENSURE(fd >= 0 && tcgetattr(fd, &before) == 0, ERR_UNSUPPORTED,
           "password: there is no terminal to ask on; give --password-fd FD");
    quiet = before;
    quiet.c_lflag &= ~(tcflag_t)(ECHO | ISIG);
    quiet.c_cc[VEOL] = INTERRUPT;
    ENSURE(tcsetattr(fd, TCSAFLUSH, &quiet) == 0, ERR_IO, "password: echo cannot be turned off");
    err = ask_on(fd, out, prompt);
    (void)tcsetattr(fd, TCSAFLUSH, &before);
    return err;
}

struct err secret_read(struct secret *out, const char *number)
{
    struct u256 wide;
    uint64_t fd = 0;

    ENSURE(!u256_parse_decimal(&wide, bytes_str(number)).code && !u256_to_u64(&fd, wide).code &&
               fd < 1024 && fcntl((int)fd, F_GETFD) >= 0,
           ERR_MALFORMED, "expected the number of an open descriptor");
    while (out->n < sizeof(out->b)) {
        ssize_t got = read((int)fd, out->b + out->n, sizeof(out->b) - out->n);

        ENSURE(got >= 0, ERR_IO, "the descriptor cannot be read");
        if (got == 0)
            break;
        out->n += (size_t)got;
    }
    ENSURE(out->n < sizeof(out->b), ERR_TOO_LARGE, "the descriptor gives more than expected");
    return OK;
}

// The digit's value, or a number with bit 8 set. Every digit takes the same way.
static unsigned digit(uint8_t c)
{
    unsigned lower = c | 0x20U;
    // A difference that wraps has its highest bit set.
    unsigned number_ok = (((c - 0x30U) >> 31) | ((0x39U - c) >> 31)) ^ 1U;
    unsigned letter_ok = (((lower - 0x61U) >> 31) | ((0x66U - lower) >> 31)) ^ 1U;

    return (number_ok * (c - 0x30U)) | (letter_ok * (lower - 0x57U)) |
           ((number_ok | letter_ok) ^ 1U) << 8;
}

static FALLIBLE from_hex(struct seckey *out, struct bytes digits)
{
    unsigned bad = 0;

    for (size_t i = 0; i < sizeof(out->b); i++) {
        unsigned high = digit(digits.p[2 * i]), low = digit(digits.p[2 * i + 1]);

        bad |= (high | low) >> 8;
        out->b[i] = (uint8_t)((high & 15U) << 4 | (low & 15U));
    }
    ENSURE(bad == 0, ERR_MALFORMED, "key: expected 32 bytes, or 64 hex digits");
    return OK;
}

struct err secret_to_key(struct seckey *out, const struct secret *secret)
{
    struct bytes b = bytes_of(secret->b, secret->n);

    if (b.n == sizeof(out->b)) {
        memcpy(out->b, b.p, b.n);
        return OK;
    }
    if (b.n > 0 && b.p[b.n - 1] == '\n')
        b.n--;
    if (b.n == 66 && b.p[0] == '0' && b.p[1] == 'x')
        b = bytes_skip(b, 2);
    ENSURE(b.n == 64, ERR_MALFORMED, "key: expected 32 bytes, or 64 hex digits");
    return from_hex(out, b);
}
