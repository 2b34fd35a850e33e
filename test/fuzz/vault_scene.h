// SPDX-License-Identifier: Apache-2.0
// What test/fuzz/vault.c sends: the vault's state, one way to send a message with all that must
// hold of its answer, and valid messages of each kind, made with real keys. Who may include it:
// vault.c.
#pragma once

#include "fuzz.h"

#include "base/ct.h"
#include "cli/openssl/pemkey.h"
#include "crypto/cms.h"
#include "crypto/ecdsa.h"
#include "crypto/keccak.h"
#include "crypto/openssl/hpke.h"
#include "crypto/openssl/libcrypto.h"
#include "emu/envelope.h"
#include "eth/tx.h"
#include "proto/approval.h"
#include "proto/manifest.h"
#include "proto/offer.h"
#include "proto/policy.h"
#include "vault/pending.h"
#include "vault/routes.h"
#include "vault/seal.h"
#include "vault/tls.h"
#include "vault_tls.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#define ARN_(last) "arn:aws:kms:eu-west-1:111122223333:key/11111111-2222-3333-4444-55555555555" last
#define ARN        ARN_("5")
#define CHAIN      31337U

enum kind {
    KIND_STATUS,
    KIND_CONFIGURE,
    KIND_CONFIG,
    KIND_CREATE,
    KIND_OPEN,
    KIND_GENERATED, // KMS's answer to GenerateDataKey
    KIND_DECRYPTED, // and to Decrypt
    KIND_ACCOUNT,
    KIND_ACCOUNT_OPEN,
    KIND_SIGN_RECORD,
    KIND_SIGN_ACCOUNT,
    KIND_ATTESTATION,
    KIND_FAILED, // KMS did not answer
    KIND_MANIFEST,
    KIND_SEAL,
    KIND_UNSEAL,
    KIND_IMPORT,
    KIND_IMPORTED,
    KIND_OPEN_SHARES, // a keyset under two of three CMKs
    KIND_TLS_CREATE,
    KIND_TLS_OPEN,
    KIND_TLS_VERIFY,
    KIND_TLS_EXCHANGE,
    KIND_TLS_CERTIFY,
    KIND_TLS_ATTESTATION,
    KIND_CLIENTS,
    KIND_DENIAL,
    KIND_MANIFEST_2, // of serial 2
    KIND_MANIFEST_3, // of serial 3, which leaves the keyset out
    KIND_ANCHOR,     // what the front says of the anchor: as many kinds as outcomes
    KIND_OTHER_ENCLAVE = KIND_ANCHOR + MSG_ANCHOR_CONFLICT + 1, // no message (vault_anchored.h)
    KINDS,
};

// A valid message of each kind.
static struct {
    uint16_t type;
    size_t n;
    uint8_t body[4096];
} valid[KINDS];

static struct state state;
static struct seckey data_key, keyset_key, shares_key, account_key, imported_key;
static struct seckey tls_keyset_key, tls_key;
static struct seckey item_key;
static uint8_t admin_pem[256];
static size_t admin_pem_len;
static unsigned long long served;

static void check_no_secret(struct bytes answer)
{
    const struct seckey *const secrets[] = { &data_key,    &keyset_key,   &shares_key,
                                             &account_key, &imported_key, &tls_keyset_key,
                                             &tls_key,     &item_key };

    for (size_t i = 0; i < ARRAY_LEN(secrets); i++)
        must(ct_is_zero(BYTES_OF(secrets[i]->b)) || // not made yet
             (!memmem(answer.p, answer.n, secrets[i]->b, 16) &&
              !memmem(answer.p, answer.n, secrets[i]->b + 16, 16)));
}

// A signature is one over the payload of this very message, by the account that is named.
static void check_signed(struct bytes request, struct rd result)
{
    uint8_t digest[32], key[ECDSA_PUBLIC_BYTES], address[20];
    struct rd rd = rd_of(request);
    struct msg_sign_tx sent;
    struct msg_signed got;
    struct tx tx;

    fuzz_ok(msg_read_sign_tx(&sent, &rd));
    fuzz_ok(msg_read_signed(&got, &result));
    fuzz_ok(tx_read_unsigned(&tx, sent.payload));
    must(tx.chain_id == CHAIN);
    keccak_256(digest, sent.payload);
    fuzz_ok(ecdsa_recover(key, digest, got.signature));
    fuzz_ok(ecdsa_address(address, key));
    must(memcmp(address, got.address, sizeof(address)) == 0);
}

// Sends one message; the result when it was carried out. *code is the vault's.
static struct rd serve(uint16_t type, struct bytes body, uint16_t *code)
{
    static uint8_t answer[VAULT_ANSWER_MAX + WHAT_BYTES_MAX + MSG_HEAD_BYTES];
    struct msg msg = { .type = type, .id = ++served, .body = body }, back;
    struct wr wr = WR_OF(answer);
    struct msg_verdict verdict;
    size_t whole;
    struct rd rd;

    routes_serve(&state, &msg, &wr);
    fuzz_ok(msg_next(wr_done(&wr), &whole, &back));
    must(whole == wr.len && back.id == msg.id && back.type == (type | MSG_ANSWER));
    rd = rd_of(back.body);
    verdict = msg_read_verdict(&rd);
    must(!rd.bad && verdict.code < ERR_CODES && verdict.code != ERR_INTERNAL);
    must(!verdict.audited || verdict.sequence == state.sequence);
    if (verdict.code) {
        must(rd_var8(&rd, WHAT_BYTES_MAX).n > 0);
        fuzz_ok(rd_end(&rd));
    }
    check_no_secret(back.body);
    if (type == MSG_SIGN_TX && !verdict.code)
        check_signed(body, rd);
    if (type == MSG_TLS_SIGN && !verdict.code)
        check_handshake(body, rd.left);
    if (type == MSG_TLS_CERTIFY && !verdict.code)
        check_certified(body, rd.left);
    *code = verdict.code;
    return rd;
}

static struct rd serve_valid(enum kind kind)
{
    uint16_t code;
    struct rd result = serve(valid[kind].type, bytes_of(valid[kind].body, valid[kind].n), &code);

    must(code == ERR_NONE);
    return result;
}

static struct wr valid_wr(enum kind kind, uint16_t type)
{
    valid[kind].type = type;
    return WR_OF(valid[kind].body);
}

static void valid_end(enum kind kind, const struct wr *wr)
{
    fuzz_ok(wr_end(wr));
    valid[kind].n = wr->len;
}

// With an administrator or without, with an anchor or without, the keyset under the first of
// `shares` CMKs or k = 2 of them; otherwise the same deployment.
static void make_config(const struct config_key *admin, enum config_anchor anchor, uint8_t shares)
{
    static const char *const arns[] = { ARN, ARN_("6"), ARN_("7") };
    struct wr wr = valid_wr(KIND_CONFIGURE, MSG_CONFIGURE);
    struct config config = { .deployment.b = { 0xd1 },
                             .mode = CONFIG_PARENT_TRUSTED,
                             .slashing = CONFIG_PARENT_TRUSTED,
                             .keysets = 1,
                             .networks = 1,
                             .hosts = 1 };

    config.keyset[0] =
        (struct config_keyset) { .name = BYTES_LIT("main"), .purpose = CONFIG_ACCOUNTS };
    config.keyset[0].k = shares > 1 ? 2 : 1;
    config.keyset[0].n = shares;
    for (size_t i = 0; i < shares; i++)
        config.keyset[0].cmk[i] = bytes_str(arns[i]);
    config.network[0] = (struct config_network) { BYTES_LIT("dev"), CHAIN };
    config.host[0] = BYTES_LIT("kms.eu-west-1.amazonaws.com");
    if (admin) {
        config.admin_threshold = config.admins = 1;
        config.admin[0] = *admin;
    }
    if (anchor) {
        config.anchor = anchor;
        config.host[config.hosts++] = BYTES_LIT(ANCHOR_HOST);
    }
    config_write(&wr, &config);
    valid_end(KIND_CONFIGURE, &wr);
}

// The operation's number and its CMK are filled in when the message is sent.
static void make_kms_answer(enum kind kind, struct bytes blob)
{
    static uint8_t cms[CMS_BYTES_MAX];
    struct wr cms_wr = WR_OF(cms), wr = valid_wr(kind, MSG_KMS_ANSWER);
    struct msg_kms_answer m = { .cmk = BYTES_LIT(ARN), .blob = blob };

    fuzz_ok(envelope_seal(&cms_wr, BYTES_OF(state.recipient_spki), BYTES_OF(data_key.b), true));
    m.cms = wr_done(&cms_wr);
    msg_write_kms_answer(&wr, &m);
    valid_end(kind, &wr);
}

static void fill_operation(void)
{
    static const enum kind kinds[] = { KIND_GENERATED, KIND_DECRYPTED, KIND_FAILED };
    const struct state_pending *pending = pending_find(&state, state.last_operation);
    struct bytes cmk = BYTES_LIT(ARN);

    if (pending && pending->at < pending->keyset->n)
        cmk = pending->keyset->cmk[pending->at];
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        struct wr wr = wr_of(valid[kinds[i]].body, sizeof(uint64_t) + 2 + cmk.n);

        wr_u64(&wr, state.last_operation);
        if (kinds[i] != KIND_FAILED)
            wr_var16(&wr, cmk);
    }
}

static void make_keyset(void)
{
    struct wr wr = valid_wr(KIND_CREATE, MSG_KEYSET_CREATE);
    struct keyring_entry *entry;
    struct msg_step step;
    struct rd rd;

    msg_write_keyset_create(&wr, &(struct msg_keyset_create) { BYTES_LIT("main"), BYTES_NONE });
    valid_end(KIND_CREATE, &wr);
    libcrypto_random(data_key.b, sizeof(data_key.b));
    make_kms_answer(KIND_GENERATED, BYTES_LIT("blob"));
    make_kms_answer(KIND_DECRYPTED, BYTES_NONE);
    (void)serve_valid(KIND_CREATE);
    fill_operation();
    (void)serve_valid(KIND_GENERATED);
    rd = serve_valid(KIND_DECRYPTED);
    fuzz_ok(msg_read_step(&step, &rd));
    wr = valid_wr(KIND_OPEN, MSG_KEYSET_OPEN);
    wr_bytes(&wr, step.record);
    valid_end(KIND_OPEN, &wr);
    (void)serve_valid(KIND_OPEN);
    fill_operation();
    (void)serve_valid(KIND_DECRYPTED);
    must(state.phase == PHASE_READY);
    entry = keyring_entry_of(&state.secret->keyring, &step.keyset);
    must(entry != NULL);
    keyset_key = entry->key;
}

// The same under two of three CMKs, in a configuration that says so.
static void make_shares(void)
{
    struct wr wr = valid_wr(KIND_OPEN_SHARES, MSG_KEYSET_OPEN);
    const struct keyring_entry *entry;
    struct msg_step step;
    struct rd rd = serve_valid(KIND_CREATE);

    for (unsigned i = 0; i < 3; i++) {
        fill_operation();
        (void)serve_valid(KIND_GENERATED);
        rd = serve_valid(KIND_DECRYPTED);
        fuzz_ok(msg_read_step(&step, &rd));
    }
    wr_bytes(&wr, step.record);
    valid_end(KIND_OPEN_SHARES, &wr);
    (void)serve_valid(KIND_OPEN_SHARES);
    for (unsigned i = 0; i < 2; i++) {
        fill_operation();
        (void)serve_valid(i == 0 ? KIND_FAILED : KIND_DECRYPTED);
    }
    must(state.phase == PHASE_CONFIGURED);
    fill_operation();
    (void)serve_valid(KIND_DECRYPTED);
    must(state.phase == PHASE_READY);
    entry = keyring_entry_of(&state.secret->keyring, &step.keyset);
    must(entry != NULL);
    shares_key = entry->key;
}

static void make_account(void)
{
    struct wr wr = valid_wr(KIND_ACCOUNT, MSG_ACCOUNT_CREATE);
    uint8_t policy[8], authorisers[8];
    struct wr policy_wr = WR_OF(policy), authorisers_wr = WR_OF(authorisers);
    struct msg_account_create m = { 0 };
    struct msg_created created;
    struct record record;
    struct rd rd;

    seal_keyset_id(&m.keyset, &keyset_key, &state.config.deployment);
    policy_write(&policy_wr, &(struct policy) { POLICY_UNRESTRICTED });
    policy_write_no_authorisers(&authorisers_wr);
    m.policy = wr_done(&policy_wr);
    m.authorisers = wr_done(&authorisers_wr);
    msg_write_account_create(&wr, &m);
    valid_end(KIND_ACCOUNT, &wr);
    rd = serve_valid(KIND_ACCOUNT);
    fuzz_ok(msg_read_created(&created, &rd));
    wr = valid_wr(KIND_ACCOUNT_OPEN, MSG_ACCOUNT_OPEN);
    wr_bytes(&wr, created.record);
    valid_end(KIND_ACCOUNT_OPEN, &wr);
    fuzz_ok(record_read(&record, wr_done(&wr)));
    fuzz_ok(seal_open_record(&account_key, &keyset_key, &record));
    (void)serve_valid(KIND_ACCOUNT_OPEN);
}

static void make_sign(enum kind kind, enum tx_kind tx_kind)
{
    struct bytes stored = bytes_of(valid[KIND_ACCOUNT_OPEN].body, valid[KIND_ACCOUNT_OPEN].n);
    struct tx tx = { .kind = tx_kind, .chain_id = CHAIN, .gas = 21000, .has_to = true };
    struct wr wr = valid_wr(kind, MSG_SIGN_TX);
    uint8_t payload[256];
    struct wr payload_wr = WR_OF(payload);
    struct msg_sign_tx m = { 0 };
    struct record record;

    tx.gas_price = tx.max_fee = u256_of(tx_kind == TX_LEGACY ? 7 : 9);
    tx.data = BYTES_LIT("data");
    tx.access_list = tx_kind == TX_LEGACY ? BYTES_NONE : BYTES_LIT("\xc0");
    fuzz_ok(tx_write_unsigned(&payload_wr, &tx));
    fuzz_ok(record_read(&record, stored));
    if (kind == KIND_SIGN_RECORD)
        m.record = stored;
    else
        m.account = record.id;
    m.payload = wr_done(&payload_wr);
    msg_write_sign_tx(&wr, &m);
    valid_end(kind, &wr);
    (void)serve_valid(kind);
}

// What an owner does: asks for an offer, and seals a key to it.
static void make_import(void)
{
    uint8_t plain[MSG_IMPORT_PLAIN_BYTES], cipher[MSG_IMPORT_CIPHER_BYTES], digest[32];
    struct wr plain_wr = WR_OF(plain), cipher_wr = WR_OF(cipher);
    struct wr wr = valid_wr(KIND_IMPORTED, MSG_IMPORT_FINISH);
    struct hpke_bound bound = { .info = offer_info(), .aad = BYTES_OF(digest) };
    struct offer_terms terms = { .deployment = state.config.deployment };
    struct msg_account_create begin;
    struct msg_import_finish m = { 0 };
    struct msg_import_ready ready;
    struct rd rd;

    valid[KIND_IMPORT] = valid[KIND_ACCOUNT]; // the same body
    valid[KIND_IMPORT].type = MSG_IMPORT_BEGIN;
    rd = rd_of(bytes_of(valid[KIND_IMPORT].body, valid[KIND_IMPORT].n));
    fuzz_ok(msg_read_account_create(&begin, &rd));
    rd = serve_valid(KIND_IMPORT);
    fuzz_ok(msg_read_import_ready(&ready, &rd));
    m.account = terms.account = ready.account;
    terms.keyset = begin.keyset;
    policy_hash(terms.policy_hash, begin.policy);
    policy_authoriser_hash(terms.authoriser_hash, begin.authorisers);
    offer_digest(digest, state.import_public, &terms);
    libcrypto_random(imported_key.b, sizeof(imported_key.b));
    wr_bytes(&plain_wr, BYTES_OF(imported_key.b));
    offer_write_terms(&plain_wr, &terms);
    fuzz_ok(hpke_seal(&cipher_wr, m.enc, state.import_public, &bound, wr_done(&plain_wr)));
    m.ciphertext = wr_done(&cipher_wr);
    msg_write_import_finish(&wr, &m);
    valid_end(KIND_IMPORTED, &wr);
}

static size_t pem_of(EVP_PKEY *key, uint8_t *out, size_t cap)
{
    BIO *bio = BIO_new(BIO_s_mem());
    int n;

    must(key && bio && PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) == 1);
    n = BIO_read(bio, out, (int)cap);
    must(n > 0);
    BIO_free(bio);
    EVP_PKEY_free(key);
    return (size_t)n;
}

static size_t make_rsa_pem(uint8_t *out, size_t cap)
{
    return pem_of(EVP_RSA_gen(2048), out, cap);
}

static struct config_key make_admin(void)
{
    static uint8_t public_key[APPROVE_KEY_MAX];
    enum approve_type type;
    size_t n = 0;

    admin_pem_len = pem_of(EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"), admin_pem, sizeof(admin_pem));
    fuzz_ok(pemkey_public(&type, public_key, &n, bytes_of(admin_pem, admin_pem_len)));
    return (struct config_key) { (enum config_admin)type, bytes_of(public_key, n) };
}

// One entry of the administrator with index 0.
static struct bytes approve(uint8_t (*entry)[APPROVAL_BYTES], const uint8_t message[static 32])
{
    (*entry)[0] = 0;
    fuzz_ok(pemkey_sign(*entry + 1, bytes_of(admin_pem, admin_pem_len), message));
    return BYTES_OF(*entry);
}

// Admits the keyset, or leaves it out (NULL).
static void make_manifest(enum kind kind, uint64_t serial, const struct keyring_entry *entry)
{
    uint8_t admitted[MANIFEST_KEYSET_BYTES], bytes[512], message[32], approval[APPROVAL_BYTES];
    struct wr admitted_wr = WR_OF(admitted), bytes_wr = WR_OF(bytes);
    struct wr wr = valid_wr(kind, MSG_MANIFEST);
    struct manifest manifest = { .deployment = state.config.deployment, .serial = serial };
    struct manifest_signed m;

    if (entry) {
        id_write(&admitted_wr, &entry->id);
        wr_bytes(&admitted_wr, BYTES_OF(entry->digest));
        manifest.keysets = wr_done(&admitted_wr);
    }
    manifest_write(&bytes_wr, &manifest);
    m.manifest = wr_done(&bytes_wr);
    manifest_message(message, m.manifest);
    m.signatures = approve(&approval, message);
    manifest_signed_write(&wr, &m);
    valid_end(kind, &wr);
}

// For the first unsealing of this boot.
static void make_unseal(void)
{
    struct wr wr = valid_wr(KIND_UNSEAL, MSG_UNSEAL);
    uint8_t message[32], approval[APPROVAL_BYTES];

    approval_unseal_message(message, &state.config.deployment, &state.boot, 1);
    approval_write_list(&wr, approve(&approval, message));
    valid_end(KIND_UNSEAL, &wr);
}
