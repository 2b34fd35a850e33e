// SPDX-License-Identifier: Apache-2.0
// The table of issued credentials, in one small file that is read for every use. They are worth
// nothing outside this emulator; they are handled as secrets so that no log or error shows what
// would be one on AWS.
#include "emu/creds.h"

#include "base/base64.h"
#include "base/fd.h"
#include "base/must.h"
#include "crypto/openssl/libcrypto.h"
#include "emu/disk.h"
#include "emu/kms_policy.h"
#include "net/json.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#define KEPT     16
#define FILE_MAX 32768

struct table {
    struct creds entry[KEPT]; // oldest first
    size_t count;
};

// Two requests at once must not both append; the file's lock keeps other processes away.
static pthread_mutex_t creds_lock = PTHREAD_MUTEX_INITIALIZER;

static FALLIBLE table_load(struct table *table, const char *dir);
static FALLIBLE table_save(const struct table *table, const char *dir);
static FALLIBLE creds_issue(struct creds *out, const char *role, uint64_t now_s, uint64_t life_s);

void creds_wipe(struct creds *creds)
{
    ct_wipe(creds, sizeof(*creds));
}

static void table_wipe(struct table *table)
{
    ct_wipe(table, sizeof(*table));
}

static FALLIBLE creds_renew(struct creds *out, const char *dir, const char *role, uint64_t now_s,
                            uint64_t life_s)
{
    AUTO(table_wipe) struct table table = { 0 };

    TRY(table_load(&table, dir));
    for (size_t i = table.count; i-- > 0;) {
        const struct creds *c = &table.entry[i];
        uint64_t half_s = (c->expires_s - c->issued_s) / 2;

        if (strcmp(c->role, role) == 0 && now_s + half_s < c->expires_s) {
            *out = *c;
            return OK;
        }
    }
    TRY(creds_issue(out, role, now_s, life_s));
    if (table.count == KEPT) {
        memmove(&table.entry[0], &table.entry[1], (KEPT - 1) * sizeof(table.entry[0]));
        table.count--;
    }
    table.entry[table.count++] = *out;
    return table_save(&table, dir);
}

static FALLIBLE creds_renew_alone(struct creds *out, const char *dir, const char *role,
                                  uint64_t now_s, uint64_t life_s)
{
    AUTO(fd_close) int lock = -1;

    TRY(disk_lock(&lock, dir, "credentials.lock"));
    return creds_renew(out, dir, role, now_s, life_s);
}

struct err creds_current(struct creds *out, const char *dir, const char *role, uint64_t now_s,
                         uint64_t life_s)
{
    struct err e;

    (void)pthread_mutex_lock(&creds_lock);
    e = creds_renew_alone(out, dir, role, now_s, life_s);
    (void)pthread_mutex_unlock(&creds_lock);
    return e;
}

struct err creds_find(struct creds *out, const char *dir, struct bytes access_key)
{
    AUTO(table_wipe) struct table table = { 0 };

    TRY(table_load(&table, dir));
    for (size_t i = 0; i < table.count; i++) {
        if (bytes_equal_str(access_key, table.entry[i].access_key)) {
            *out = table.entry[i];
            return OK;
        }
    }
    return FAIL(ERR_NOT_FOUND, "access key is not known");
}

void creds_session(char out[static CREDS_ROLE_MAX], const struct creds *creds)
{
    struct bytes account = kms_policy_account(bytes_str(creds->role));
    const char *slash = strrchr(creds->role, '/');
    int n = -1;

    if (account.n > 0 && slash)
        n = snprintf(out, CREDS_ROLE_MAX, "arn:aws:sts::%.12s:assumed-role/%s/i-development",
                     (const char *)account.p, slash + 1);
    if (n < 0 || n >= CREDS_ROLE_MAX)
        out[0] = 0;
}

static void random_letters(char *out, size_t n, const char alphabet[static 33])
{
    libcrypto_random((uint8_t *)out, n);
    for (size_t i = 0; i < n; i++)
        out[i] = alphabet[(uint8_t)out[i] % 32];
    out[n] = 0;
}

static FALLIBLE random_base64(char *out, size_t cap, size_t n)
{
    uint8_t random[384];
    struct wr wr = wr_of(out, cap);

    must(n <= sizeof(random));
    libcrypto_random(random, n);
    base64_write(&wr, bytes_of(random, n));
    wr_u8(&wr, 0);
    ct_wipe(random, sizeof(random));
    return wr_end(&wr);
}

// The outward form of AWS's: ASIA and 16 letters, 40 characters, and a token.
static struct err creds_issue(struct creds *out, const char *role, uint64_t now_s, uint64_t life_s)
{
    memset(out, 0, sizeof(*out));
    memcpy(out->access_key, "ASIA", 4);
    random_letters(out->access_key + 4, 16, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567");
    TRY(random_base64(out->secret_key, sizeof(out->secret_key), 30));
    TRY(random_base64(out->token, sizeof(out->token), 240));
    ENSURE(bytes_to_str(bytes_str(role), out->role, sizeof(out->role)), ERR_TOO_LARGE,
           "role: longer than 255 bytes");
    out->issued_s = now_s;
    out->expires_s = now_s + life_s;
    return OK;
}

static FALLIBLE creds_parse(struct creds *out, const struct json *entry)
{
    bool fits =
        bytes_to_str(json_string(json_get(entry, "access_key")), out->access_key,
                     sizeof(out->access_key)) &&
        bytes_to_str(json_string(json_get(entry, "secret_key")), out->secret_key,
                     sizeof(out->secret_key)) &&
        bytes_to_str(json_string(json_get(entry, "token")), out->token, sizeof(out->token)) &&
        bytes_to_str(json_string(json_get(entry, "role")), out->role, sizeof(out->role));

    ENSURE(fits && out->access_key[0] &&
               !json_u64(&out->issued_s, json_get(entry, "issued")).code &&
               !json_u64(&out->expires_s, json_get(entry, "expires")).code &&
               out->issued_s <= out->expires_s,
           ERR_CORRUPT, "credentials file: not as the emulator writes it");
    return OK;
}

static FALLIBLE table_parse(struct table *table, uint8_t *text, size_t n)
{
    struct json nodes[1 + KEPT * 7];
    const struct json *root;

    ENSURE(!json_parse(&root, nodes, ARRAY_LEN(nodes), text, n).code && root->type == JSON_ARRAY &&
               root->count <= KEPT,
           ERR_CORRUPT, "credentials file: not as the emulator writes it");
    for (const struct json *entry = root->child; entry; entry = entry->next)
        TRY(creds_parse(&table->entry[table->count++], entry));
    return OK;
}

static struct err table_load(struct table *table, const char *dir)
{
    char path[DISK_PATH_MAX];
    uint8_t text[FILE_MAX];
    struct err e;
    size_t n;

    TRY(disk_path(path, sizeof(path), dir, "credentials"));
    e = fd_read_file(path, text, sizeof(text), &n);
    if (e.code == ERR_NOT_FOUND)
        return OK;
    if (!e.code)
        e = table_parse(table, text, n);
    ct_wipe(text, sizeof(text));
    return e;
}

static void creds_write(struct jw *jw, const struct creds *c)
{
    jw_object(jw);
    jw_key(jw, "access_key");
    jw_cstring(jw, c->access_key);
    jw_key(jw, "secret_key");
    jw_cstring(jw, c->secret_key);
    jw_key(jw, "token");
    jw_cstring(jw, c->token);
    jw_key(jw, "role");
    jw_cstring(jw, c->role);
    jw_key(jw, "issued");
    jw_u64(jw, c->issued_s);
    jw_key(jw, "expires");
    jw_u64(jw, c->expires_s);
    jw_object_end(jw);
}

static struct err table_save(const struct table *table, const char *dir)
{
    char path[DISK_PATH_MAX];
    uint8_t text[FILE_MAX];
    struct wr wr = WR_OF(text);
    struct jw jw = jw_of(&wr);
    struct err e;

    TRY(disk_path(path, sizeof(path), dir, "credentials"));
    jw_array(&jw);
    for (size_t i = 0; i < table->count; i++)
        creds_write(&jw, &table->entry[i]);
    jw_array_end(&jw);
    wr_u8(&wr, '\n');
    e = wr_end(&wr);
    if (!e.code)
        e = disk_write(path, wr_done(&wr), 0600);
    ct_wipe(text, sizeof(text));
    return e;
}
