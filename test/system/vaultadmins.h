// SPDX-License-Identifier: Apache-2.0
// Administrators of a vault under test: two of three must sign. Who may include it: tests that hold
// a vaulthost and sign as they do.
#pragma once

#include "vaulthost.h"

#include "base/must.h"
#include "cli/openssl/pemkey.h"
#include "proto/approval.h"
#include "proto/keyset.h"
#include "proto/manifest.h"
#include "proto/tag.h"

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <string.h>

#define ADMINS 3 // two Ed25519 and one P-256; two of them must sign

struct admin {
    uint8_t pem[1024], public_key[APPROVE_KEY_MAX];
    size_t pem_len, public_len;
    enum approve_type type;
};

static struct admin admin[ADMINS];
static struct vaulthost_options options = { .deployment = 1 };

static void admin_make(struct admin *a, bool p256)
{
    EVP_PKEY *key = p256 ? EVP_EC_gen("P-256") : EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    BIO *bio = BIO_new(BIO_s_mem());
    int n;

    must(key && bio && PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) == 1);
    n = BIO_read(bio, a->pem, sizeof(a->pem));
    must(n > 0);
    a->pem_len = (size_t)n;
    must(
        !pemkey_public(&a->type, a->public_key, &a->public_len, bytes_of(a->pem, a->pem_len)).code);
    BIO_free(bio);
    EVP_PKEY_free(key);
}

// Makes them and puts them into the options.
static void admins_make(void)
{
    options =
        (struct vaulthost_options) { .deployment = 1, .admin_threshold = 2, .admins = ADMINS };
    for (size_t a = 0; a < ADMINS; a++) {
        admin_make(&admin[a], a == 2);
        options.admin[a] =
            (struct config_key) { (enum config_admin)admin[a].type,
                                  bytes_of(admin[a].public_key, admin[a].public_len) };
    }
}

static struct bytes approvals(uint8_t *space, const uint8_t message[static 32], unsigned who)
{
    size_t n = 0;

    for (uint8_t i = 0; i < ADMINS; i++) {
        if (!(who & 1U << i))
            continue;
        space[n] = i;
        must(!pemkey_sign(space + n + 1, bytes_of(admin[i].pem, admin[i].pem_len), message).code);
        n += APPROVAL_BYTES;
    }
    return bytes_of(space, n);
}

// The body of a signed manifest; valid until the next call.
static struct bytes signed_body(const struct manifest *manifest, unsigned who)
{
    static uint8_t bytes[8192], body[16384];
    uint8_t signatures[ADMINS * APPROVAL_BYTES], message[32];
    struct wr wr = WR_OF(bytes), body_wr = WR_OF(body);
    struct manifest_signed m;

    manifest_write(&wr, manifest);
    m.manifest = wr_done(&wr);
    manifest_message(message, m.manifest);
    m.signatures = approvals(signatures, message, who);
    manifest_signed_write(&body_wr, &m);
    must(!body_wr.bad);
    return wr_done(&body_wr);
}

static struct manifest manifest_of(uint64_t serial)
{
    struct manifest m = { .serial = serial, .created_ms = 1 };

    memset(m.deployment.b, 1, sizeof(m.deployment.b));
    return m;
}

// The manifest's entry for the keyset of this record.
static inline void admit(uint8_t entry[static MANIFEST_KEYSET_BYTES], struct bytes record)
{
    static uint8_t fields[KEYSET_BYTES_MAX];
    struct wr wr = WR_OF(fields);
    struct keyset keyset;
    struct bytes field;

    must(!keyset_read(&keyset, record).code);
    keyset_write_public(&wr, &keyset);
    field = wr_done(&wr);
    memcpy(entry, keyset.id.b, sizeof(keyset.id.b));
    tag_hash(entry + sizeof(keyset.id.b), TAG_KEYSET, &field, 1);
}
