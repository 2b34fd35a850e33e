// SPDX-License-Identifier: Apache-2.0
// Valid messages about a TLS key for test/fuzz/vault.c, made with a real one. Who may include it:
// vault.c.
#pragma once

#include "vault_scene.h"

// A keyset for TLS keys is open beside the other one.
static struct id put_tls_keyset(void)
{
    const struct config_keyset configured = { .name = BYTES_LIT("tls"), .purpose = CONFIG_TLS };
    struct id id;

    if (ct_is_zero(BYTES_OF(tls_keyset_key.b)))
        libcrypto_random(tls_keyset_key.b, sizeof(tls_keyset_key.b));
    seal_keyset_id(&id, &tls_keyset_key, &state.config.deployment);
    fuzz_ok(keyring_put(&state.secret->keyring, &id, &configured, &tls_keyset_key));
    return id;
}

static struct record make_tls_key(void)
{
    struct wr wr = valid_wr(KIND_TLS_CREATE, MSG_ACCOUNT_CREATE);
    struct p256_key *ready;
    struct msg_created created;
    struct record record;
    struct rd rd;

    msg_write_account_create(&wr,
                             &(struct msg_account_create) { .keyset = put_tls_keyset(),
                                                            .policy = BYTES_LIT("\0\1\0"),
                                                            .authorisers = BYTES_LIT("\0\1\0") });
    valid_end(KIND_TLS_CREATE, &wr);
    rd = serve_valid(KIND_TLS_CREATE);
    fuzz_ok(msg_read_created(&created, &rd));
    wr = valid_wr(KIND_TLS_OPEN, MSG_TLS_OPEN);
    wr_bytes(&wr, created.record);
    valid_end(KIND_TLS_OPEN, &wr);
    fuzz_ok(record_read(&record, wr_done(&wr)));
    fuzz_ok(seal_open_record(&tls_key, &tls_keyset_key, &record));
    fuzz_ok(p256_key_of(&ready, &tls_key));
    p256_key_spki(ready, tls_spki);
    p256_key_free(&ready);
    (void)serve_valid(KIND_TLS_OPEN);
    return record;
}

static void make_tls_sign(enum kind kind, const struct id *key, struct bytes input)
{
    struct wr wr = valid_wr(kind, MSG_TLS_SIGN);
    struct msg_tls_sign m = { .key = *key, .input = input };

    m.kind = kind == KIND_TLS_VERIFY ? MSG_TLS_VERIFY13 : MSG_TLS_EXCHANGE12;
    msg_write_tls_sign(&wr, &m);
    valid_end(kind, &wr);
    (void)serve_valid(kind);
}

static void make_tls(void)
{
    const struct id key = make_tls_key().id;
    struct msg_tls_certify certify = {
        .key = key,
        .kind = MSG_TLS_SELF_SIGNED,
        .days = 397,
        .names = 2,
        .name = { { MSG_TLS_DNS, BYTES_LIT("*.signer.example") },
                  { MSG_TLS_IP, BYTES_LIT("\x0a\0\0\1") } },
    };
    uint8_t input[64 + 4 + 65] = { [64] = 3, [66] = 23, [67] = 65 };
    struct wr wr;

    make_tls_sign(KIND_TLS_VERIFY, &key, bytes_of(input, 32));
    memcpy(input + 68, tls_spki + 26, 65); // any point on the curve
    make_tls_sign(KIND_TLS_EXCHANGE, &key, BYTES_OF(input));
    wr = valid_wr(KIND_TLS_CERTIFY, MSG_TLS_CERTIFY);
    msg_write_tls_certify(&wr, &certify);
    valid_end(KIND_TLS_CERTIFY, &wr);
    (void)serve_valid(KIND_TLS_CERTIFY);
    wr = valid_wr(KIND_TLS_ATTESTATION, MSG_ATTESTATION);
    msg_write_attestation(&wr, &(struct msg_attestation) { .key = BYTES_OF(key.b) });
    valid_end(KIND_TLS_ATTESTATION, &wr);
    (void)serve_valid(KIND_TLS_ATTESTATION);
    valid[KIND_CLIENTS].type = MSG_CLIENTS;
    wr = valid_wr(KIND_DENIAL, MSG_DENIAL);
    msg_write_denial(&wr, &(struct msg_denial) { .operation = 2, .source = BYTES_LIT("::1") });
    valid_end(KIND_DENIAL, &wr);
    (void)serve_valid(KIND_DENIAL);
    tls_close_all(&state);
}
