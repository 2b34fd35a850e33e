// SPDX-License-Identifier: Apache-2.0
// The trust file, checked by one table. An unknown key, a key given twice or a value that does not
// parse is an error with its line: a misspelled pin must not silently pin nothing.
#include "cli/trust.h"

#include "base/fd.h"
#include "base/hex.h"
#include "base/must.h"
#include "crypto/anchors.h"

#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

// One line: where its value goes, and whether the key may come again.
static FALLIBLE set_url(struct trust *out, struct bytes value, const char *folder);
static FALLIBLE set_token_file(struct trust *out, struct bytes value, const char *folder);
static FALLIBLE set_pcr0(struct trust *out, struct bytes value, const char *folder);
static FALLIBLE set_keyset(struct trust *out, struct bytes value, const char *folder);
static FALLIBLE set_configuration(struct trust *out, struct bytes value, const char *folder);

static const struct key {
    const char *name;
    bool repeatable;
    struct err (*set)(struct trust *out, struct bytes value, const char *folder);
} keys[] = {
    { "url", false, set_url },
    { "token_file", false, set_token_file },
    { "pcr0", true, set_pcr0 },
    { "keyset", true, set_keyset },
    { "configuration", false, set_configuration },
};

static struct bytes trim(struct bytes text)
{
    while (text.n > 0 && (text.p[0] == ' ' || text.p[0] == '\t'))
        text = bytes_skip(text, 1);
    while (text.n > 0 && strchr(" \t\r", text.p[text.n - 1]) && text.p[text.n - 1] != 0)
        text.n--;
    return text;
}

static FALLIBLE read_line(struct trust *out, struct bytes line, const char *folder, unsigned *seen)
{
    const uint8_t *equals = line.n ? memchr(line.p, '=', line.n) : NULL;
    struct bytes name;
    struct bytes value;

    if (line.n == 0 || line.p[0] == '#')
        return OK;
    ENSURE(equals, ERR_MALFORMED, "expected: key = value");
    name = trim(bytes_take(line, (size_t)(equals - line.p)));
    value = trim(bytes_skip(line, (size_t)(equals - line.p) + 1));
    ENSURE(value.n > 0, ERR_MALFORMED, "expected a value after =");
    for (unsigned i = 0; i < ARRAY_LEN(keys); i++) {
        if (!bytes_equal_str(name, keys[i].name))
            continue;
        ENSURE(keys[i].repeatable || !(*seen & 1U << i), ERR_MALFORMED, "this key stands twice");
        *seen |= 1U << i;
        return keys[i].set(out, value, folder);
    }
    return FAIL(ERR_MALFORMED,
                "unknown key: expected url, token_file, pcr0, keyset or configuration");
}

struct err trust_parse(struct trust *out, struct bytes text, const char *folder, unsigned *line)
{
    unsigned seen = 0;

    memset(out, 0, sizeof(*out));
    for (*line = 1; text.n > 0; (*line)++) {
        const uint8_t *end = memchr(text.p, '\n', text.n);
        size_t n = end ? (size_t)(end - text.p) : text.n;

        TRY(read_line(out, trim(bytes_take(text, n)), folder, &seen));
        text = bytes_skip(text, n + 1);
    }
    *line = 0;
    return OK;
}

struct err trust_load(struct trust *out, const char *path, unsigned *line)
{
    static uint8_t text[TRUST_FILE_MAX];
    const char *slash = strrchr(path, '/');
    char folder[TRUST_PATH_MAX];
    struct err err;
    size_t n;

    *line = 0;
    ENSURE(bytes_to_str(bytes_of(path, slash ? (size_t)(slash - path) + 1 : 0), folder,
                        sizeof(folder)),
           ERR_TOO_LARGE, "path is too long");
    TRY(fd_read_file(path, text, sizeof(text), &n));
    TRY(trust_parse(out, bytes_of(text, n), folder, line));
    if (!out->configuration[0])
        return OK;
    err = trust_load_config(out, out->configuration);
    ENSURE(err.code != ERR_NOT_FOUND && err.code != ERR_IO, ERR_NOT_FOUND,
           "configuration: the file that it names cannot be read");
    return err;
}

struct err trust_load_config(struct trust *trust, const char *path)
{
    struct bytes canonical = { trust->config_bytes, 0 };

    trust->has_config = false;
    TRY(fd_read_file(path, trust->config_bytes, sizeof(trust->config_bytes), &canonical.n));
    ENSURE(canonical.n == 0 || canonical.p[0] != '{', ERR_MALFORMED,
           "configuration: this is its JSON form: expected what `cloister config build` wrote");
    TRY(config_read(&trust->config, canonical));
    config_pcr16(trust->pcr16, canonical);
    trust->has_config = true;
    return OK;
}

struct err trust_default_path(char out[static TRUST_PATH_MAX])
{
    char buf[4096];
    struct passwd entry;
    struct passwd *found = NULL;
    int n;

    ENSURE(getpwuid_r(getuid(), &entry, buf, sizeof(buf), &found) == 0 && found && entry.pw_dir[0],
           ERR_NOT_FOUND, "this user has no home directory: give --trust FILE");
    n = snprintf(out, TRUST_PATH_MAX, "%s/.config/cloister/trust", entry.pw_dir);
    ENSURE(n > 0 && (size_t)n < TRUST_PATH_MAX, ERR_TOO_LARGE, "path is too long");
    return OK;
}

struct err trust_receipts(struct proof_trust *out, const struct trust *trust)
{
    ENSURE(trust->pcr0_len > 0, ERR_UNTRUSTED, "the trust file names no pcr0");
    ENSURE(trust->has_config, ERR_UNTRUSTED, "the trust file names no configuration");
    *out = (struct proof_trust) {
        .root_der = anchors_this.nsm_root,
        .pcr0 = trust->pcr0,
        .pcr0_len = trust->pcr0_len,
        .pcr16 = trust->pcr16,
    };
    return OK;
}

static FALLIBLE set_url(struct trust *out, struct bytes value, const char *folder)
{
    (void)folder;
    ENSURE(bytes_to_str(value, out->url, sizeof(out->url)), ERR_TOO_LARGE,
           "url: expected at most 255 bytes");
    ENSURE(strncmp(out->url, "unix:///", 8) == 0 || strncmp(out->url, "http://", 7) == 0,
           ERR_MALFORMED, "url: expected unix:///PATH or http://127.0.0.1:PORT");
    return OK;
}

static FALLIBLE set_path(char out[static TRUST_PATH_MAX], struct bytes value, const char *folder)
{
    const char *before = value.p[0] == '/' ? "" : folder;
    int n = snprintf(out, TRUST_PATH_MAX, "%s%.*s", before, (int)value.n, (const char *)value.p);

    ENSURE(n > 0 && (size_t)n < TRUST_PATH_MAX, ERR_TOO_LARGE, "path is too long");
    return OK;
}

static FALLIBLE set_token_file(struct trust *out, struct bytes value, const char *folder)
{
    return set_path(out->token_file, value, folder);
}

static FALLIBLE set_pcr0(struct trust *out, struct bytes value, const char *folder)
{
    (void)folder;
    ENSURE(out->pcr0_len < TRUST_PCR0_MAX, ERR_TOO_LARGE, "pcr0: expected at most 16 values");
    ENSURE(hex_decode(out->pcr0[out->pcr0_len], 48, value).code == 0, ERR_MALFORMED,
           "pcr0: expected 96 hex digits");
    out->pcr0_len++;
    return OK;
}

static FALLIBLE set_keyset(struct trust *out, struct bytes value, const char *folder)
{
    (void)folder;
    ENSURE(out->keyset_len < CONFIG_KEYSETS, ERR_TOO_LARGE, "keyset: expected at most 16 ids");
    ENSURE(id_parse(&out->keyset[out->keyset_len], value).code == 0, ERR_MALFORMED,
           "keyset: expected an id of 32 lower-case hex digits");
    out->keyset_len++;
    return OK;
}

static FALLIBLE set_configuration(struct trust *out, struct bytes value, const char *folder)
{
    return set_path(out->configuration, value, folder);
}
