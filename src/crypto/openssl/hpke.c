// SPDX-License-Identifier: Apache-2.0
// RFC 9180 over X25519 by EVP, mac.h and aead.h. Private keys live in libcrypto's memory (the
// vault's pool); what is derived from them is on the stack, and wiped. Trusts libcrypto for an
// X25519 in constant time; refuses shared secrets of zeros itself (RFC 7748 6.1), which is what
// public keys of small order lead to.
#include "crypto/openssl/hpke.h"

#include "base/must.h"
#include "crypto/openssl/aead.h"
#include "crypto/openssl/libcrypto.h"
#include "crypto/openssl/mac.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <string.h>

_Static_assert(HPKE_TAG_BYTES == AEAD_TAG_BYTES, "the tag is AES-GCM's");

#define MODE_BASE         0
#define SUITE_KEM         BYTES_LIT("KEM\x00\x20")
#define SUITE_HPKE        BYTES_LIT("HPKE\x00\x20\x00\x01\x00\x02")
#define LABELLED_MAX      128 // of everything but `info`: at most 97
#define KEM_CONTEXT_BYTES (HPKE_ENC_BYTES + HPKE_PUBLIC_BYTES)
#define CONTEXT_BYTES     65 // mode and two hashes

struct hpke_key {
    EVP_PKEY *pkey;
};

// What one message is sealed with.
struct schedule {
    struct seckey key;
    uint8_t nonce[AEAD_NONCE_BYTES];
};

static void pkey_free(EVP_PKEY **pkey)
{
    EVP_PKEY_free(*pkey);
    ERR_clear_error();
}

static void ctx_free(EVP_PKEY_CTX **ctx)
{
    EVP_PKEY_CTX_free(*ctx);
    ERR_clear_error();
}

static void schedule_wipe(struct schedule *schedule)
{
    ct_wipe(schedule, sizeof(*schedule));
}

struct err hpke_key_new(struct hpke_key **out)
{
    AUTO(seckey_wipe) struct seckey scalar = { 0 };

    libcrypto_random(scalar.b, sizeof(scalar.b));
    return hpke_key_of(out, &scalar);
}

struct err hpke_key_of(struct hpke_key **out, const struct seckey *scalar)
{
    struct hpke_key *key = OPENSSL_zalloc(sizeof(*key));

    *out = key;
    ENSURE(key, ERR_INTERNAL, "hpke: no memory for a key");
    key->pkey = EVP_PKEY_new_raw_private_key_ex(NULL, "X25519", NULL, scalar->b, sizeof(scalar->b));
    if (key->pkey)
        return OK;
    hpke_key_free(out);
    return FAIL(ERR_INTERNAL, "hpke: no memory for a key");
}

void hpke_key_free(struct hpke_key **key)
{
    if (!*key)
        return;
    pkey_free(&(*key)->pkey);
    OPENSSL_free(*key);
    *key = NULL;
}

struct err hpke_key_public(const struct hpke_key *key, uint8_t out[static HPKE_PUBLIC_BYTES])
{
    size_t n = HPKE_PUBLIC_BYTES;

    ENSURE(EVP_PKEY_get_raw_public_key(key->pkey, out, &n) == 1 && n == HPKE_PUBLIC_BYTES,
           ERR_INTERNAL, "hpke: no public key");
    return OK;
}

static FALLIBLE schedule_of(struct schedule *out, const struct hpke_key *mine,
                            const uint8_t theirs[static HPKE_PUBLIC_BYTES],
                            const uint8_t kem_context[static KEM_CONTEXT_BYTES], struct bytes info);

struct err hpke_open(struct wr *out, const struct hpke_key *key,
                     const uint8_t enc[static HPKE_ENC_BYTES], const struct hpke_bound *bound,
                     struct bytes ciphertext)
{
    AUTO(schedule_wipe) struct schedule schedule = { 0 };
    uint8_t kem_context[KEM_CONTEXT_BYTES]; // enc and the recipient's public key
    uint8_t *text;

    memcpy(kem_context, enc, HPKE_ENC_BYTES);
    TRY(hpke_key_public(key, kem_context + HPKE_ENC_BYTES));
    ENSURE(ciphertext.n >= HPKE_TAG_BYTES, ERR_CORRUPT, "sealed message does not open");
    text = wr_room(out, ciphertext.n - HPKE_TAG_BYTES);
    ENSURE(text, ERR_TOO_LARGE, "sealed message: longer than expected");
    if (!schedule_of(&schedule, key, enc, kem_context, bound->info).code &&
        !aead_open(text, &schedule.key, schedule.nonce, bound->aad, ciphertext).code)
        return OK;
    wr_refuse(out);
    return FAIL(ERR_CORRUPT, "sealed message does not open");
}

struct err hpke_seal(struct wr *out, uint8_t enc[static HPKE_ENC_BYTES],
                     const uint8_t public_key[static HPKE_PUBLIC_BYTES],
                     const struct hpke_bound *bound, struct bytes plaintext)
{
    AUTO(hpke_key_free) struct hpke_key *ephemeral = NULL;

    TRY(hpke_key_new(&ephemeral));
    TRY(hpke_key_public(ephemeral, enc));
    return hpke_seal_with(out, ephemeral, public_key, bound, plaintext);
}

struct err hpke_seal_with(struct wr *out, const struct hpke_key *ephemeral,
                          const uint8_t public_key[static HPKE_PUBLIC_BYTES],
                          const struct hpke_bound *bound, struct bytes plaintext)
{
    AUTO(schedule_wipe) struct schedule schedule = { 0 };
    uint8_t kem_context[KEM_CONTEXT_BYTES];
    uint8_t *sealed;

    TRY(hpke_key_public(ephemeral, kem_context));
    memcpy(kem_context + HPKE_ENC_BYTES, public_key, HPKE_PUBLIC_BYTES);
    ENSURE(plaintext.n <= SIZE_MAX - HPKE_TAG_BYTES, ERR_TOO_LARGE, "message to seal: too long");
    TRY(schedule_of(&schedule, ephemeral, public_key, kem_context, bound->info));
    sealed = wr_room(out, plaintext.n + HPKE_TAG_BYTES);
    ENSURE(sealed, ERR_TOO_LARGE, "message to seal: no room for the ciphertext");
    return aead_seal(sealed, &schedule.key, schedule.nonce, bound->aad, plaintext);
}

// X25519 of my private and their public key.
static FALLIBLE agree(struct seckey *out, const struct hpke_key *mine, const uint8_t *theirs)
{
    AUTO(pkey_free)
    EVP_PKEY *peer =
        EVP_PKEY_new_raw_public_key_ex(NULL, "X25519", NULL, theirs, HPKE_PUBLIC_BYTES);
    AUTO(ctx_free) EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, mine->pkey, NULL);
    size_t n = sizeof(out->b);

    ENSURE(peer && ctx && EVP_PKEY_derive_init(ctx) == 1 &&
               EVP_PKEY_derive_set_peer_ex(ctx, peer, 0) == 1,
           ERR_INTERNAL, "x25519: no memory");
    // libcrypto refuses zeros too; this does not depend on it.
    ENSURE(EVP_PKEY_derive(ctx, out->b, &n) == 1 && n == sizeof(out->b) &&
               !ct_is_zero(BYTES_OF(out->b)),
           ERR_MALFORMED, "x25519 public key: expected a point of large order");
    return OK;
}

static void put_labelled(struct wr *wr, struct bytes suite, const char *label, struct bytes rest)
{
    wr_str(wr, "HPKE-v1");
    wr_bytes(wr, suite);
    wr_str(wr, label);
    wr_bytes(wr, rest);
}

// LabeledExtract of public bytes, without salt (RFC 9180 4).
static FALLIBLE hash_of(uint8_t out[static 32], const char *label, struct bytes rest)
{
    uint8_t b[LABELLED_MAX + HPKE_INFO_MAX];
    struct wr wr = WR_OF(b);

    ENSURE(rest.n <= HPKE_INFO_MAX, ERR_TOO_LARGE, "hpke info: expected at most 1024 bytes");
    put_labelled(&wr, SUITE_HPKE, label, rest);
    mac_hmac256(out, BYTES_NONE, wr_done(&wr));
    return OK;
}

// LabeledExtract, and LabeledExpand of what it gave (RFC 9180 4).
struct derivation {
    struct bytes suite;
    struct bytes salt;
    const char *extract_label;
    struct bytes ikm;
    const char *expand_label;
    struct bytes info;
};

static FALLIBLE derive(uint8_t *out, size_t n, const struct derivation *from)
{
    uint8_t ikm[LABELLED_MAX];
    uint8_t info[LABELLED_MAX];
    struct wr ikm_wr = WR_OF(ikm);
    struct wr info_wr = WR_OF(info);
    struct err err;

    put_labelled(&ikm_wr, from->suite, from->extract_label, from->ikm);
    wr_u16(&info_wr, (uint16_t)n);
    put_labelled(&info_wr, from->suite, from->expand_label, from->info);
    must(!ikm_wr.bad && !info_wr.bad);
    err = mac_hkdf256_raw(out, n, wr_done(&ikm_wr), from->salt, wr_done(&info_wr));
    ct_wipe(ikm, sizeof(ikm));
    return err;
}

// ExtractAndExpand of DHKEM (RFC 9180 4.1).
static FALLIBLE decapsulate(struct seckey *shared, const struct hpke_key *mine,
                            const uint8_t *theirs, const uint8_t *kem_context)
{
    AUTO(seckey_wipe) struct seckey dh = { 0 };

    TRY(agree(&dh, mine, theirs));
    return derive(shared->b, sizeof(shared->b),
                  &(struct derivation) {
                      .suite = SUITE_KEM,
                      .extract_label = "eae_prk",
                      .ikm = BYTES_OF(dh.b),
                      .expand_label = "shared_secret",
                      .info = bytes_of(kem_context, KEM_CONTEXT_BYTES),
                  });
}

// KeySchedule with an empty psk and psk_id (RFC 9180 5.1). Sequence 0: the base nonce is the nonce.
static FALLIBLE schedule_of(struct schedule *out, const struct hpke_key *mine,
                            const uint8_t theirs[static HPKE_PUBLIC_BYTES],
                            const uint8_t kem_context[static KEM_CONTEXT_BYTES], struct bytes info)
{
    AUTO(seckey_wipe) struct seckey shared = { 0 };
    uint8_t context[CONTEXT_BYTES] = { MODE_BASE };
    struct derivation from = {
        .suite = SUITE_HPKE,
        .salt = BYTES_OF(shared.b),
        .extract_label = "secret",
        .info = BYTES_OF(context),
    };

    TRY(decapsulate(&shared, mine, theirs, kem_context));
    TRY(hash_of(context + 1, "psk_id_hash", BYTES_NONE));
    TRY(hash_of(context + 33, "info_hash", info));
    from.expand_label = "key";
    TRY(derive(out->key.b, sizeof(out->key.b), &from));
    from.expand_label = "base_nonce";
    return derive(out->nonce, sizeof(out->nonce), &from);
}
