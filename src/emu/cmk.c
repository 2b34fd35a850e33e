// SPDX-License-Identifier: Apache-2.0
// Keys as files. Trusts the files' owner, who is the developer; checks their form anyway, because
// a half-edited file must be an error and not another key. Secrets go into their file and nowhere
// else.
#include "emu/cmk.h"

#include "base/base64.h"
#include "base/fd.h"
#include "base/hex.h"
#include "base/must.h"
#include "crypto/openssl/libcrypto.h"
#include "emu/disk.h"
#include "emu/kms_policy.h"
#include "net/json.h"

#include <stdio.h>
#include <string.h>

#define FILE_MAX 1024

static FALLIBLE cmk_path(char path[static DISK_PATH_MAX], const char *dir, struct bytes id,
                         const char *suffix);
static FALLIBLE cmk_save(const char *dir, const struct cmk *cmk);
static FALLIBLE cmk_parse(struct cmk *cmk, uint8_t *text, size_t n);

void cmk_wipe(struct cmk *cmk)
{
    seckey_wipe(&cmk->secret);
}

// A random UUID (RFC 9562 5.4).
static void cmk_new_id(char out[static CMK_ID_BYTES + 1])
{
    uint8_t random[16];
    char hex[2 * sizeof(random) + 1];

    libcrypto_random(random, sizeof(random));
    random[6] = (uint8_t)((random[6] & 0x0f) | 0x40);
    random[8] = (uint8_t)((random[8] & 0x3f) | 0x80);
    hex_encode(hex, BYTES_OF(random));
    (void)snprintf(out, CMK_ID_BYTES + 1, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12,
                   hex + 16, hex + 20);
}

struct err cmk_create(struct cmk *cmk, const char *dir, const char *region, const char *account)
{
    char keys[DISK_PATH_MAX], id[CMK_ID_BYTES + 1];
    struct arn arn;
    int n;

    cmk_new_id(id);
    n = snprintf(cmk->arn, sizeof(cmk->arn), "arn:aws:kms:%s:%s:key/%s", region, account, id);
    ENSURE(n > 0 && (size_t)n < sizeof(cmk->arn), ERR_MALFORMED,
           "region and account: expected a region's name and 12 digits");
    TRY(arn_parse(&arn, bytes_str(cmk->arn)));
    cmk->enabled = true;
    libcrypto_random(cmk->secret.b, sizeof(cmk->secret.b));
    TRY(disk_make_dir(dir));
    TRY(disk_path(keys, sizeof(keys), dir, "keys"));
    TRY(disk_make_dir(keys));
    return cmk_save(dir, cmk);
}

// The id in a full ARN, or the id itself.
static FALLIBLE cmk_id(struct bytes *id, struct bytes arn_or_id)
{
    struct arn arn;

    *id = arn_or_id;
    if (arn_or_id.n != CMK_ID_BYTES) {
        TRY(arn_parse(&arn, arn_or_id));
        *id = arn.key;
    }
    ENSURE(id->n == CMK_ID_BYTES, ERR_NOT_FOUND, "no such key");
    // It becomes a file name.
    for (size_t i = 0; i < id->n; i++)
        ENSURE(hex_digit(id->p[i]) >= 0 || id->p[i] == '-' || id->p[i] == 'm' || id->p[i] == 'r' ||
                   id->p[i] == 'k',
               ERR_NOT_FOUND, "no such key");
    return OK;
}

struct err cmk_load(struct cmk *cmk, const char *dir, struct bytes arn_or_id)
{
    char path[DISK_PATH_MAX];
    uint8_t text[FILE_MAX];
    struct bytes id;
    struct err e;
    size_t n;

    TRY(cmk_id(&id, arn_or_id));
    TRY(cmk_path(path, dir, id, "key"));
    TRY(fd_read_file(path, text, sizeof(text), &n));
    e = cmk_parse(cmk, text, n);
    ct_wipe(text, sizeof(text));
    TRY(e);
    // The same id in another region or account is another name, not this key.
    ENSURE(arn_or_id.n == CMK_ID_BYTES || bytes_equal_str(arn_or_id, cmk->arn), ERR_NOT_FOUND,
           "no such key");
    return OK;
}

struct err cmk_set_enabled(const char *dir, struct bytes arn_or_id, bool enabled)
{
    AUTO(cmk_wipe) struct cmk cmk = { 0 };

    TRY(cmk_load(&cmk, dir, arn_or_id));
    cmk.enabled = enabled;
    return cmk_save(dir, &cmk);
}

static FALLIBLE cmk_policy_path(char path[static DISK_PATH_MAX], const char *dir,
                                const struct cmk *cmk)
{
    struct bytes id;

    TRY(cmk_id(&id, bytes_str(cmk->arn)));
    return cmk_path(path, dir, id, "policy");
}

struct err cmk_set_policy(const char *dir, const struct cmk *cmk, struct bytes policy)
{
    char path[DISK_PATH_MAX];

    ENSURE(policy.n <= CMK_POLICY_MAX, ERR_TOO_LARGE, "policy is larger than 32768 bytes");
    TRY(kms_policy_check(policy));
    TRY(cmk_policy_path(path, dir, cmk));
    return disk_write(path, policy, 0600);
}

struct err cmk_policy(const char *dir, const struct cmk *cmk, uint8_t *out, size_t cap, size_t *n)
{
    char path[DISK_PATH_MAX];
    struct err e;

    TRY(cmk_policy_path(path, dir, cmk));
    e = fd_read_file(path, out, cap, n);
    if (e.code != ERR_NOT_FOUND)
        return e;
    *n = 0;
    return OK;
}

static struct err cmk_path(char path[static DISK_PATH_MAX], const char *dir, struct bytes id,
                           const char *suffix)
{
    char name[64];
    int n = snprintf(name, sizeof(name), "keys/%.*s.%s", (int)id.n, (const char *)id.p, suffix);

    ENSURE(n > 0 && (size_t)n < sizeof(name), ERR_TOO_LARGE, "key id is too long");
    return disk_path(path, DISK_PATH_MAX, dir, name);
}

static struct err cmk_save(const char *dir, const struct cmk *cmk)
{
    char path[DISK_PATH_MAX];
    uint8_t text[FILE_MAX];
    struct wr wr = WR_OF(text);
    struct jw jw = jw_of(&wr);
    struct bytes id;
    struct err e;

    TRY(cmk_id(&id, bytes_str(cmk->arn)));
    TRY(cmk_path(path, dir, id, "key"));
    jw_object(&jw);
    jw_key(&jw, "arn");
    jw_cstring(&jw, cmk->arn);
    jw_key(&jw, "enabled");
    jw_bool(&jw, cmk->enabled);
    jw_key(&jw, "secret");
    jw_base64(&jw, BYTES_OF(cmk->secret.b));
    jw_object_end(&jw);
    wr_u8(&wr, '\n');
    e = wr_end(&wr);
    if (!e.code)
        e = disk_write(path, wr_done(&wr), 0600);
    ct_wipe(text, sizeof(text));
    return e;
}

static struct err cmk_parse(struct cmk *cmk, uint8_t *text, size_t n)
{
    struct json nodes[8];
    const struct json *root;
    struct bytes secret;
    size_t secret_n = 0;

    ENSURE(!json_parse(&root, nodes, ARRAY_LEN(nodes), text, n).code, ERR_CORRUPT,
           "key file: expected JSON");
    ENSURE(bytes_to_str(json_string(json_get(root, "arn")), cmk->arn, sizeof(cmk->arn)),
           ERR_CORRUPT, "key file: arn is missing");
    cmk->enabled = json_is_true(json_get(root, "enabled"));
    secret = json_string(json_get(root, "secret"));
    ENSURE(secret.p &&
               !base64_decode(cmk->secret.b, sizeof(cmk->secret.b), &secret_n, secret).code &&
               secret_n == sizeof(cmk->secret.b),
           ERR_CORRUPT, "key file: secret: expected 32 bytes");
    return OK;
}
