// SPDX-License-Identifier: Apache-2.0
#include "vault/seal.h"

#include "base/must.h"
#include "crypto/openssl/aead.h"
#include "crypto/openssl/mac.h"
#include "proto/tag.h"
#include "vault/entropy.h"

#include <string.h>

#define SHARE_AAD_MAX 8192 // one wrapping's ARN and blob, and the fields around them

_Static_assert(SEAL_BYTES == AEAD_NONCE_BYTES + 32 + AEAD_TAG_BYTES, "sealed form of a key");

// nonce || AES-256-GCM(key) || tag under a fresh random nonce.
static struct err seal_key(const struct nsm *nsm, uint8_t out[static SEAL_BYTES],
                           const struct seckey *under, struct bytes aad, const struct seckey *key)
{
    TRY(entropy_bytes(nsm, out, AEAD_NONCE_BYTES));
    return aead_seal(out + AEAD_NONCE_BYTES, under, out, aad, BYTES_OF(key->b));
}

static struct err seal_open_key(struct seckey *key, const struct seckey *under, struct bytes aad,
                                struct bytes sealed)
{
    ENSURE(sealed.n == SEAL_BYTES, ERR_CORRUPT, "record: the sealed key has the wrong length");
    return aead_open(key->b, under, sealed.p, aad, bytes_skip(sealed, AEAD_NONCE_BYTES));
}

static struct err record_key(struct seckey *out, const struct seckey *keyset_key,
                             const struct record *record)
{
    uint8_t info[128];
    struct wr wr = WR_OF(info);

    record_write_key_info(&wr, record);
    TRY(wr_end(&wr));
    return mac_hkdf256(out, keyset_key, wr_done(&wr));
}

struct err seal_record(const struct nsm *nsm, uint8_t out[static SEAL_BYTES],
                       const struct seckey *keyset_key, const struct record *record,
                       const struct seckey *key)
{
    AUTO(seckey_wipe) struct seckey under = { 0 };

    TRY(record_key(&under, keyset_key, record));
    return seal_key(nsm, out, &under, record->public_bytes, key);
}

struct err seal_open_record(struct seckey *key, const struct seckey *keyset_key,
                            const struct record *record)
{
    AUTO(seckey_wipe) struct seckey under = { 0 };

    TRY(record_key(&under, keyset_key, record));
    return seal_open_key(key, &under, record->public_bytes, record->sealed);
}

struct err seal_share(const struct nsm *nsm, uint8_t out[static SEAL_BYTES],
                      const struct seckey *data_key, const struct seal_wrap *wrap,
                      const struct seckey *share)
{
    uint8_t aad[SHARE_AAD_MAX];
    struct wr wr = WR_OF(aad);

    keyset_write_share_aad(&wr, wrap->keyset, &wrap->keyset->wrap[wrap->at]);
    TRY(wr_end(&wr));
    return seal_key(nsm, out, data_key, wr_done(&wr), share);
}

struct err seal_open_share(struct seckey *share, const struct seckey *data_key,
                           const struct seal_wrap *wrap)
{
    const struct keyset_wrap *wrapping = &wrap->keyset->wrap[wrap->at];
    uint8_t aad[SHARE_AAD_MAX];
    struct wr wr = WR_OF(aad);

    keyset_write_share_aad(&wr, wrap->keyset, wrapping);
    TRY(wr_end(&wr));
    return seal_open_key(share, data_key, wr_done(&wr), wrapping->sealed);
}

void seal_keyset_id(struct id *out, const struct seckey *keyset_key, const struct id *deployment)
{
    struct bytes field = BYTES_OF(deployment->b);
    uint8_t digest[32], mac[32];

    tag_hash(digest, TAG_KEYSET_ID, &field, 1);
    mac_hmac256_key(mac, keyset_key, BYTES_OF(digest));
    memcpy(out->b, mac, sizeof(out->b));
}

struct err seal_keyset_check(uint8_t out[static 32], const struct seckey *keyset_key,
                             const struct keyset *keyset)
{
    static uint8_t public_fields[KEYSET_BYTES_MAX];
    uint8_t digest[32];
    struct wr wr = WR_OF(public_fields);
    struct bytes field;

    keyset_write_public(&wr, keyset);
    TRY(wr_end(&wr));
    field = wr_done(&wr);
    tag_hash(digest, TAG_KEYSET_CHECK, &field, 1);
    mac_hmac256_key(out, keyset_key, BYTES_OF(digest));
    return OK;
}
