// SPDX-License-Identifier: Apache-2.0
// What several commands do: load the trust file, read files and standard input, read hex.
#include "cli/cli.h"

#include "base/fd.h"
#include "base/hex.h"
#include "crypto/openssl/libcrypto.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct err cli_load_trust(struct cli *cli, bool is_required)
{
    const char *given = args_get(&cli->args, "trust");
    char fallback[TRUST_PATH_MAX];
    const char *path = given;
    unsigned line = 0;
    struct err err;

    if (!given) {
        TRY(trust_default_path(fallback));
        path = fallback;
    }
    err = trust_load(&cli->trust, path, &line);
    if (err.code == ERR_NOT_FOUND && !given && !cli->trust.configuration[0]) {
        if (!is_required)
            return OK;
        (void)snprintf(cli->where, sizeof(cli->where), "trust file %.150s: ", path);
        return FAIL(ERR_NOT_FOUND, "there is none: give --trust FILE; cloister --help says what "
                                   "stands in it");
    }
    if (err.code && line)
        (void)snprintf(cli->where, sizeof(cli->where), "%.150s:%u: ", path, line);
    else if (err.code)
        (void)snprintf(cli->where, sizeof(cli->where), "trust file %.150s: ", path);
    return err;
}

struct err cli_read_pcr0(struct cli *cli)
{
    struct trust *trust = &cli->trust;
    const char *value;
    size_t at = 0;

    if (!args_has(&cli->args, "pcr0"))
        return OK;
    trust->pcr0_len = 0;
    trust->has_config = false;
    while ((value = args_next(&cli->args, "pcr0", &at))) {
        size_t n = 0;

        if (trust->pcr0_len == TRUST_PCR0_MAX)
            return CLI_USAGE_ERROR(cli, "--pcr0: expected at most 16 values");
        if (cli_hex(trust->pcr0[trust->pcr0_len++], 48, &n, value).code || n != 48)
            return CLI_USAGE_ERROR(cli, "--pcr0: expected 96 hex digits");
    }
    return OK;
}

struct err cli_open_service(struct cli *cli)
{
    TRY(cli_load_trust(cli, true));
    return cli_open_rest(cli);
}

struct err cli_open_rest(struct cli *cli)
{
    struct err err = rest_open(&cli->rest, &cli->trust);

    if (err.code == ERR_NOT_FOUND || err.code == ERR_IO || err.code == ERR_TOO_LARGE)
        (void)snprintf(cli->where, sizeof(cli->where),
                       "token_file %.150s: ", cli->trust.token_file);
    return err;
}

static FALLIBLE read_stdin(struct wr *out)
{
    while (out->len < out->cap) {
        ssize_t got = read(STDIN_FILENO, out->p + out->len, out->cap - out->len);

        ENSURE(got >= 0, ERR_IO, "standard input cannot be read");
        if (got == 0)
            return OK;
        out->len += (size_t)got;
    }
    return FAIL(ERR_TOO_LARGE, "standard input is larger than expected");
}

struct err cli_read(struct cli *cli, const char *path, struct wr *out)
{
    struct err err;
    size_t n = 0;

    if (strcmp(path, "-") == 0)
        return read_stdin(out);
    err = fd_read_file(path, out->p, out->cap, &n);
    if (err.code)
        (void)snprintf(cli->where, sizeof(cli->where), "%.150s: ", path);
    out->len = n;
    return err;
}

struct err cli_word(struct cli *cli, const char **out)
{
    *out = cli->args.word;
    return *out ? OK : CLI_USAGE_ERROR(cli, "an argument is missing; try --help");
}

struct err cli_need(struct cli *cli, const char *name, const char **out)
{
    *out = args_get(&cli->args, name);
    if (*out)
        return OK;
    (void)snprintf(cli->where, sizeof(cli->where), "--%s: ", name);
    return CLI_USAGE_ERROR(cli, "is missing; try --help");
}

struct err cli_hex(uint8_t *out, size_t cap, size_t *n, const char *text)
{
    struct bytes digits = bytes_str(text);

    if (digits.n >= 2 && digits.p[0] == '0' && digits.p[1] == 'x')
        digits = bytes_skip(digits, 2);
    *n = digits.n / 2;
    ENSURE(*n <= cap, ERR_TOO_LARGE, "hex: longer than expected");
    return hex_decode(out, *n, digits);
}

void cli_nonce(uint8_t out[static CLI_NONCE_BYTES])
{
    libcrypto_random(out, CLI_NONCE_BYTES);
}

uint64_t cli_now_ms(void)
{
    struct timespec now = { 0 };

    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}
