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

#include <dirent.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define FILE_MAX 65536 // a description of control characters is six times as long in JSON
#define SUFFIX   ".key"

static const char *const states[] = { "Enabled", "Disabled", "PendingDeletion" };
// Two requests at once must not write one file at once; across processes renaming decides.
static pthread_mutex_t cmk_lock = PTHREAD_MUTEX_INITIALIZER;

static FALLIBLE cmk_path(char path[static DISK_PATH_MAX], const char *dir, struct bytes id,
                         const char *suffix);
static FALLIBLE cmk_parse(struct cmk *cmk, uint8_t *text, size_t n);

void cmk_wipe(struct cmk *cmk)
{
    seckey_wipe(&cmk->secret);
}

const char *cmk_state_name(enum cmk_state state)
{
    return states[state];
}

struct bytes cmk_id(const struct cmk *cmk)
{
    struct bytes arn = bytes_str(cmk->arn);

    return bytes_skip(arn, arn.n - CMK_ID_BYTES);
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
    cmk->state = CMK_ENABLED;
    cmk->created_s = (uint64_t)time(NULL);
    cmk->deletion_s = cmk->window_days = 0;
    cmk->description[0] = 0;
    libcrypto_random(cmk->secret.b, sizeof(cmk->secret.b));
    TRY(disk_make_dir(dir));
    TRY(disk_path(keys, sizeof(keys), dir, "keys"));
    TRY(disk_make_dir(keys));
    return cmk_save(dir, cmk);
}

// The id in a full ARN, or the id itself.
static FALLIBLE find_id(struct bytes *id, struct bytes arn_or_id)
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

    TRY(find_id(&id, arn_or_id));
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
    ENSURE(cmk.state != CMK_PENDING_DELETION, ERR_DENIED, "the key waits for its deletion");
    cmk.state = enabled ? CMK_ENABLED : CMK_DISABLED;
    return cmk_save(dir, &cmk);
}

static FALLIBLE cmk_policy_path(char path[static DISK_PATH_MAX], const char *dir,
                                const struct cmk *cmk)
{
    struct bytes id;

    TRY(find_id(&id, bytes_str(cmk->arn)));
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

static void cmk_write(struct jw *jw, const struct cmk *cmk)
{
    jw_object(jw);
    jw_key(jw, "arn");
    jw_cstring(jw, cmk->arn);
    jw_key(jw, "state");
    jw_cstring(jw, states[cmk->state]);
    jw_key(jw, "created");
    jw_u64(jw, cmk->created_s);
    jw_key(jw, "deletion");
    jw_u64(jw, cmk->deletion_s);
    jw_key(jw, "window_days");
    jw_u64(jw, cmk->window_days);
    jw_key(jw, "description");
    jw_cstring(jw, cmk->description);
    jw_key(jw, "secret");
    jw_base64(jw, BYTES_OF(cmk->secret.b));
    jw_object_end(jw);
}

struct err cmk_save(const char *dir, const struct cmk *cmk)
{
    char path[DISK_PATH_MAX];
    uint8_t text[FILE_MAX];
    struct wr wr = WR_OF(text);
    struct jw jw = jw_of(&wr);
    struct bytes id;
    struct err e;

    TRY(find_id(&id, bytes_str(cmk->arn)));
    TRY(cmk_path(path, dir, id, "key"));
    cmk_write(&jw, cmk);
    wr_u8(&wr, '\n');
    e = wr_end(&wr);
    (void)pthread_mutex_lock(&cmk_lock);
    if (!e.code)
        e = disk_write(path, wr_done(&wr), 0600);
    (void)pthread_mutex_unlock(&cmk_lock);
    ct_wipe(text, sizeof(text));
    return e;
}

static FALLIBLE read_state(enum cmk_state *out, struct bytes name)
{
    for (unsigned i = 0; i < ARRAY_LEN(states); i++) {
        if (bytes_equal_str(name, states[i])) {
            *out = (enum cmk_state)i;
            return OK;
        }
    }
    return FAIL(ERR_CORRUPT, "key file: state: expected Enabled, Disabled or PendingDeletion");
}

static struct err cmk_parse(struct cmk *cmk, uint8_t *text, size_t n)
{
    struct json nodes[10];
    const struct json *root;
    struct bytes secret;
    size_t secret_n = 0;

    ENSURE(!json_parse(&root, nodes, ARRAY_LEN(nodes), text, n).code, ERR_CORRUPT,
           "key file: expected JSON");
    ENSURE(bytes_to_str(json_string(json_get(root, "arn")), cmk->arn, sizeof(cmk->arn)) &&
               bytes_to_str(json_string(json_get(root, "description")), cmk->description,
                            sizeof(cmk->description)),
           ERR_CORRUPT, "key file: arn or description is missing");
    TRY(read_state(&cmk->state, json_string(json_get(root, "state"))));
    ENSURE(!json_u64(&cmk->created_s, json_get(root, "created")).code &&
               !json_u64(&cmk->deletion_s, json_get(root, "deletion")).code &&
               !json_u64(&cmk->window_days, json_get(root, "window_days")).code,
           ERR_CORRUPT, "key file: created, deletion, window_days: expected numbers");
    secret = json_string(json_get(root, "secret"));
    ENSURE(secret.p &&
               !base64_decode(cmk->secret.b, sizeof(cmk->secret.b), &secret_n, secret).code &&
               secret_n == sizeof(cmk->secret.b),
           ERR_CORRUPT, "key file: secret: expected 32 bytes");
    return OK;
}

static int compare_ids(const void *a, const void *b)
{
    return memcmp(a, b, CMK_ID_BYTES);
}

static void close_dir(DIR **dir)
{
    if (*dir)
        (void)closedir(*dir);
}

struct err cmk_list(struct cmk_list *out, const char *dir)
{
    char path[DISK_PATH_MAX];
    AUTO(close_dir) DIR *keys = NULL;
    const struct dirent *entry;

    out->n = 0;
    TRY(disk_path(path, sizeof(path), dir, "keys"));
    keys = opendir(path);
    ENSURE(keys, ERR_IO, "keys: directory cannot be read");
    while ((entry = readdir(keys))) {
        struct bytes name = bytes_str(entry->d_name);

        if (name.n != CMK_ID_BYTES + sizeof(SUFFIX) - 1 ||
            !bytes_equal_str(bytes_skip(name, CMK_ID_BYTES), SUFFIX))
            continue;
        ENSURE(out->n < CMK_LIST_MAX, ERR_FULL, "keys: more than 1024");
        memcpy(out->id[out->n], name.p, CMK_ID_BYTES);
        out->id[out->n++][CMK_ID_BYTES] = 0;
    }
    qsort(out->id, out->n, sizeof(out->id[0]), compare_ids);
    return OK;
}
