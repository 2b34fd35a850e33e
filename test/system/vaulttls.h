// SPDX-License-Identifier: Apache-2.0
// A vault with a keyset for accounts and one for TLS keys, and what its TLS keys are asked for.
// Include it after cmocka.h.
#pragma once

#include "vaultkept.h"

#include "crypto/openssl/libcrypto.h"

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdlib.h>

static struct vaulthost host;
static struct id accounts_id, tls_id; // the keysets
static struct kept accounts_keyset, tls_keyset;

static inline void start_as(const struct vaulthost_options *how)
{
    const char *pki = getenv("CLOISTER_PKI");

    must(pki);
    vaulthost_start(&host, pki);
    must(!vaulthost_call(&host, MSG_CONFIGURE, vaulthost_config_of(how)).verdict.code);
}

static inline int start(void **context)
{
    (void)context;
    start_as(&(struct vaulthost_options) { .deployment = 7, .tls = true });
    accounts_keyset.n = vaulthost_keyset_of(&host, "main", accounts_keyset.b, &accounts_id);
    tls_keyset.n = vaulthost_keyset_of(&host, "tls", tls_keyset.b, &tls_id);
    return 0;
}

static inline int stop(void **context)
{
    (void)context;
    vaulthost_stop(&host);
    return 0;
}

// A new key, not opened.
static inline void make_key(struct kept *record)
{
    record->n = vaulthost_tls_key(&host, &tls_id, record->b);
}

static inline enum err_code try_open(struct bytes record)
{
    return (enum err_code)vaulthost_call(&host, MSG_TLS_OPEN, record).verdict.code;
}

static inline struct msg_tls_key open_key(struct bytes record)
{
    struct vaulthost_answer answer = vaulthost_call(&host, MSG_TLS_OPEN, record);
    struct rd rd = rd_of(answer.result);
    struct msg_tls_key key;

    must(answer.verdict.code == 0 && answer.verdict.audited);
    must(!msg_read_tls_key(&key, &rd).code);
    return key;
}

static inline struct vaulthost_answer ask_signature(const struct id *key, uint8_t kind,
                                                    struct bytes input)
{
    uint8_t body[512];
    struct wr wr = WR_OF(body);

    msg_write_tls_sign(&wr, &(struct msg_tls_sign) { .key = *key, .kind = kind, .input = input });
    return vaulthost_call(&host, MSG_TLS_SIGN, wr_done(&wr));
}

// Whether the key signs a handshake: what became of it.
static inline enum err_code try_sign(const struct id *key)
{
    static const uint8_t transcript[32] = { 5 };

    return (enum err_code)ask_signature(key, MSG_TLS_VERIFY13, BYTES_OF(transcript)).verdict.code;
}

// By libcrypto's verifier, under the compressed public key.
static inline bool is_signed(const struct msg_tls_key *key, struct bytes message,
                             struct bytes signature)
{
    static const uint8_t head[] = "\x30\x39\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08"
                                  "\x2a\x86\x48\xce\x3d\x03\x01\x07\x03\x22";
    uint8_t spki[64];
    struct wr wr = WR_OF(spki);
    const uint8_t *p = spki;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    EVP_PKEY *pkey;
    bool is;

    wr_bytes(&wr, BYTES_OF(head)); // with its closing zero: no unused bits
    wr_bytes(&wr, BYTES_OF(key->public_key));
    pkey = d2i_PUBKEY(NULL, &p, (long)wr.len);
    must(ctx && pkey && EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL, pkey) == 1);
    is = EVP_DigestVerify(ctx, signature.p, signature.n, message.p, message.n) == 1;
    EVP_PKEY_free(pkey);
    EVP_MD_CTX_free(ctx);
    return is;
}
