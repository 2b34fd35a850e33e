// SPDX-License-Identifier: Apache-2.0
#include "vault/account.h"

#include "base/must.h"
#include "crypto/ecdsa.h"
#include "crypto/openssl/p256.h"
#include "crypto/openssl/sha2.h"
#include "proto/policy.h"
#include "proto/receipt.h"
#include "vault/admin.h"
#include "vault/deployment.h"
#include "vault/entropy.h"
#include "vault/seal.h"

#include <string.h>

#define PUBLIC_BYTES 33 // a compressed point on either curve

_Static_assert(ECDSA_PUBLIC_BYTES == PUBLIC_BYTES && P256_PUBLIC_BYTES == PUBLIC_BYTES,
               "both kinds of keys have compressed points of 33 bytes");

static const struct account_kind kinds[] = {
    { CONFIG_ACCOUNTS, RECORD_ACCOUNT, RECORD_SECP256K1, RECORD_IMPORTED, ecdsa_check,
      ecdsa_public },
    // One that came from outside is taken for known: it was a file, with a password beside it.
    { CONFIG_TLS, RECORD_TLS, RECORD_P256, RECORD_EXPOSED, p256_check, p256_public },
};

static const struct account_kind *kind_of(enum config_purpose purpose)
{
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (kinds[i].keyset == purpose)
            return &kinds[i];
    return NULL;
}

// A new key below the group order: the first draw, but for one in 2^32 (P-256) or fewer.
static struct err key_draw(const struct nsm *nsm, const struct account_kind *kind,
                           struct seckey *key)
{
    TRY(entropy_key(nsm, key));
    while (kind->check(key).code)
        TRY(entropy_key(nsm, key));
    return OK;
}

struct err account_find_keyset(const struct state *state, const struct id *keyset,
                               struct account_new *out)
{
    out->keyset = keyring_find(&state->secret->keyring, keyset);
    ENSURE(out->keyset, ERR_NOT_FOUND, "keyset: not open");
    out->kind = kind_of(out->keyset->purpose);
    ENSURE(out->kind, ERR_MISMATCH, "keyset: not one for accounts or TLS keys");
    return OK;
}

struct err account_check_new(const struct state *state, const struct msg_account_create *m,
                             struct account_new *out)
{
    struct policy policy;

    TRY(account_find_keyset(state, &m->keyset, out));
    TRY(policy_read(&policy, m->policy));
    ENSURE(out->kind->purpose == RECORD_ACCOUNT || policy.kind == POLICY_NOTHING, ERR_MISMATCH,
           "policy: a TLS key signs no transactions; expected the kind nothing");
    TRY(policy_check_authorisers(m->authorisers));
    out->policy = m->policy;
    out->authorisers = m->authorisers;
    out->nonce = m->nonce;
    return OK;
}

static struct err make_receipt(struct turn *turn, const struct record *record, struct bytes nonce,
                               struct wr *out)
{
    uint8_t user_data[64];
    struct wr wr = WR_OF(user_data);

    receipt_write_record(&wr, record->public_bytes);
    TRY(wr_end(&wr));
    return deployment_receipt(turn->state, wr_done(&wr), nonce, out);
}

// Seals the key into a record whose other fields are those of `record`.
static struct err make_record(struct state *state, const struct account_new *fresh,
                              struct record *record, const struct seckey *key, struct wr *out)
{
    uint8_t public_key[PUBLIC_BYTES], public_bytes[512], sealed[SEAL_BYTES];
    struct wr wr = WR_OF(public_bytes);
    struct record whole = *record;

    TRY(fresh->kind->public(public_key, key));
    whole.public_key = BYTES_OF(public_key);
    record_write_public(&wr, &whole);
    TRY(wr_end(&wr));
    whole.public_bytes = wr_done(&wr);
    TRY(seal_record(&state->nsm, sealed, &fresh->keyset->key, &whole, key));
    whole.sealed = BYTES_OF(sealed);
    record_write(out, &whole);
    TRY(wr_end(out));
    return record_read(record, wr_done(out)); // views into `out`, not into this frame
}

struct err account_make(struct turn *turn, const struct account_new *fresh,
                        const struct seckey *key)
{
    static uint8_t stored[RECORD_BYTES_MAX], document[ATTEST_BYTES_MAX];
    struct state *state = turn->state;
    struct wr record_wr = WR_OF(stored), document_wr = WR_OF(document);
    struct record record = {
        .deployment = state->config.deployment,
        .keyset = fresh->keyset->id,
        .id = fresh->id,
        .key_type = fresh->kind->key_type,
        .purpose = fresh->kind->purpose,
        .provenance = fresh->provenance,
        .generation = 1,
        .created_ms = clock_now_ms(&state->clock),
        .policy = fresh->policy,
        .authorisers = fresh->authorisers,
    };

    policy_hash(record.policy_hash, fresh->policy);
    policy_authoriser_hash(record.authoriser_hash, fresh->authorisers);
    TRY(make_record(state, fresh, &record, key, &record_wr));
    TRY(make_receipt(turn, &record, fresh->nonce, &document_wr));
    msg_write_created(turn->out, &(struct msg_created) { .record = wr_done(&record_wr),
                                                         .document = wr_done(&document_wr) });
    return OK;
}

struct err account_create(struct turn *turn)
{
    AUTO(seckey_wipe) struct seckey key = { 0 };
    struct state *state = turn->state;
    struct rd rd = rd_of(turn->body);
    struct account_new fresh = { .provenance = RECORD_GENERATED };
    struct msg_account_create m;

    TRY(msg_read_account_create(&m, &rd));
    TRY(account_check_new(state, &m, &fresh));
    TRY(deployment_admit(state));
    TRY(entropy_id(&state->nsm, &fresh.id));
    turn->account = fresh.id;
    TRY(key_draw(&state->nsm, fresh.kind, &key));
    return account_make(turn, &fresh, &key);
}

// Unseals into the slot. A slot that fails half-way must not stay: the caller drops it.
static struct err slot_open(const struct keyring_entry *keyset, const struct record *record,
                            struct seckey *key)
{
    uint8_t public_key[ECDSA_PUBLIC_BYTES];

    TRY(seal_open_record(key, &keyset->key, record));
    TRY(ecdsa_public(public_key, key));
    ENSURE(bytes_equal(record->public_key, BYTES_OF(public_key)), ERR_CORRUPT,
           "record: its key does not fit its public key");
    return OK;
}

struct err account_belongs(const struct state *state, const struct record *record,
                           enum config_purpose purpose, const struct keyring_entry **keyset)
{
    const struct account_kind *kind = kind_of(purpose);

    must(kind);
    ENSURE(id_equal(&record->deployment, &state->config.deployment), ERR_MISMATCH,
           "record: made for another deployment");
    *keyset = keyring_find(&state->secret->keyring, &record->keyset);
    ENSURE(*keyset, ERR_NOT_FOUND, "record: its keyset is not open");
    ENSURE(record->purpose == kind->purpose && (*keyset)->purpose == purpose, ERR_MISMATCH,
           "record: made for another purpose (account or TLS)");
    ENSURE(record->key_type == kind->key_type, ERR_UNSUPPORTED,
           "record: expected a secp256k1 key of an account, or a P-256 key for TLS");
    TRY(admin_allows(state, &record->id, record->generation));
    return policy_check_authorisers(record->authorisers);
}

struct err account_slot_of_record(struct state *state, struct bytes bytes,
                                  struct accounts_slot **out)
{
    AUTO(seckey_wipe) struct seckey key = { 0 };
    const struct keyring_entry *keyset;
    struct record record;
    struct policy policy;
    uint8_t hash[32], address[20];

    TRY(record_read(&record, bytes));
    TRY(account_belongs(state, &record, CONFIG_ACCOUNTS, &keyset));
    sha2_256(hash, bytes);
    *out = accounts_find(&state->secret->accounts, &record.id);
    if (*out && ct_equal(BYTES_OF((*out)->record_hash), BYTES_OF(hash)))
        return OK;
    TRY(policy_read(&policy, record.policy));
    TRY(slot_open(keyset, &record, &key));
    TRY(ecdsa_address(address, record.public_key.p));
    *out = accounts_place(&state->secret->accounts, &record.id);
    (*out)->policy = policy.kind;
    memcpy((*out)->record_hash, hash, sizeof(hash));
    memcpy((*out)->address, address, sizeof(address));
    memcpy((*out)->key.b, key.b, sizeof(key.b));
    return OK;
}

struct err account_open(struct turn *turn)
{
    struct accounts_slot *slot;
    struct msg_account answer;

    TRY(account_slot_of_record(turn->state, turn->body, &slot));
    turn->account = answer.id = slot->id;
    memcpy(answer.address, slot->address, sizeof(answer.address));
    msg_write_account(turn->out, &answer);
    return OK;
}
