// SPDX-License-Identifier: Apache-2.0
// Sealing under a customer master key. As in KMS, the encryption context is not stored: who opens
// must know it. The key id inside is only a hint for finding the key; it is authenticated too.
#include "emu/kms_blob.h"

#include "base/must.h"
#include "base/rd.h"
#include "crypto/openssl/aead.h"
#include "crypto/openssl/libcrypto.h"

#include <string.h>

#define PREFIX      "\x01\x02\x02\x00\x78"
#define PREFIX_LEN  5
#define SALT_LEN    83
#define HEAD_LEN    (PREFIX_LEN + CMK_ID_BYTES + SALT_LEN)
#define NAMES_MAX   64
#define CONTEXT_MAX 8192
#define AAD_MAX     (HEAD_LEN + 2 + CMK_ARN_MAX + 2 + CONTEXT_MAX + 4 * NAMES_MAX)
#define PLAIN_MAX   4096

_Static_assert(HEAD_LEN + AEAD_NONCE_BYTES + AEAD_TAG_BYTES == KMS_BLOB_OVERHEAD,
               "a blob is as long as KMS's");

static FALLIBLE write_aad(struct wr *wr, struct bytes head, const struct cmk *cmk,
                          const struct json *context);

struct err kms_blob_seal(struct wr *out, const struct cmk *cmk, const struct json *context,
                         struct bytes plaintext)
{
    uint8_t head[HEAD_LEN], aad[AAD_MAX], nonce[AEAD_NONCE_BYTES];
    uint8_t sealed[PLAIN_MAX + AEAD_TAG_BYTES];
    struct wr head_wr = WR_OF(head), aad_wr = WR_OF(aad);
    struct bytes arn = bytes_str(cmk->arn);
    uint8_t *salt;

    ENSURE(plaintext.n <= PLAIN_MAX, ERR_TOO_LARGE, "plaintext is larger than 4096 bytes");
    wr_bytes(&head_wr, bytes_of(PREFIX, PREFIX_LEN));
    wr_bytes(&head_wr, bytes_skip(arn, arn.n - CMK_ID_BYTES));
    salt = wr_room(&head_wr, SALT_LEN);
    must(salt != NULL);
    libcrypto_random(salt, SALT_LEN);
    libcrypto_random(nonce, sizeof(nonce));
    TRY(write_aad(&aad_wr, BYTES_OF(head), cmk, context));
    TRY(aead_seal(sealed, &cmk->secret, nonce, wr_done(&aad_wr), plaintext));
    wr_bytes(out, BYTES_OF(head));
    wr_bytes(out, BYTES_OF(nonce));
    wr_bytes(out, bytes_of(sealed, plaintext.n + AEAD_TAG_BYTES));
    return wr_end(out);
}

struct err kms_blob_open(struct wr *out, const struct cmk *cmk, const struct json *context,
                         struct bytes blob)
{
    struct bytes sealed = bytes_skip(blob, HEAD_LEN + AEAD_NONCE_BYTES);
    uint8_t aad[AAD_MAX], *room;
    struct wr aad_wr = WR_OF(aad);
    struct bytes id;

    TRY(kms_blob_key_id(&id, blob));
    TRY(write_aad(&aad_wr, bytes_take(blob, HEAD_LEN), cmk, context));
    room = wr_room(out, sealed.n - AEAD_TAG_BYTES);
    TRY(wr_end(out));
    return aead_open(room, &cmk->secret, blob.p + HEAD_LEN, wr_done(&aad_wr), sealed);
}

struct err kms_blob_key_id(struct bytes *id, struct bytes blob)
{
    ENSURE(blob.n > KMS_BLOB_OVERHEAD && blob.n <= KMS_BLOB_OVERHEAD + PLAIN_MAX &&
               memcmp(blob.p, PREFIX, PREFIX_LEN) == 0,
           ERR_CORRUPT, "ciphertext blob: not of this service");
    *id = bytes_of(blob.p + PREFIX_LEN, CMK_ID_BYTES);
    return OK;
}

// The members in the order of their names: JSON objects have none, and the same context must seal
// and open whatever order a client writes.
static FALLIBLE sort_context(const struct json *sorted[static NAMES_MAX], size_t *count,
                             const struct json *context)
{
    *count = 0;
    for (const struct json *m = context ? context->child : NULL; m; m = m->next) {
        size_t at = *count;

        ENSURE(*count < NAMES_MAX, ERR_TOO_LARGE, "encryption context: more than 64 names");
        for (; at > 0 && bytes_compare(m->key, sorted[at - 1]->key) < 0; at--)
            sorted[at] = sorted[at - 1];
        sorted[at] = m;
        *count += 1;
    }
    return OK;
}

static struct err write_aad(struct wr *wr, struct bytes head, const struct cmk *cmk,
                            const struct json *context)
{
    const struct json *sorted[NAMES_MAX];
    size_t count;

    TRY(sort_context(sorted, &count, context));
    wr_bytes(wr, head);
    wr_var16(wr, bytes_str(cmk->arn));
    wr_u16(wr, (uint16_t)count);
    for (size_t i = 0; i < count; i++) {
        wr_var16(wr, sorted[i]->key);
        wr_var16(wr, json_string(sorted[i]));
    }
    ENSURE(!wr->bad, ERR_TOO_LARGE, "encryption context: more than 8192 bytes");
    return OK;
}
