// SPDX-License-Identifier: Apache-2.0
#include "vault/account.h"

#include "base/must.h"
#include "crypto/ecdsa.h"
#include "crypto/openssl/sha2.h"
#include "proto/policy.h"
#include "proto/receipt.h"
#include "vault/admin.h"
#include "vault/deployment.h"
#include "vault/entropy.h"
#include "vault/seal.h"

#include <string.h>

// A new key below the group order: the first draw, but for one in 2^128.
static struct err key_draw(const struct nsm *nsm, struct seckey *key)
{
    TRY(entropy_key(nsm, key));
    while (ecdsa_check(key).code)
        TRY(entropy_key(nsm, key));
    return OK;
}

struct err account_check_new(const struct state *state, const struct msg_account_create *m,
                             struct account_new *out)
{
    struct policy policy;

    out->keyset = keyring_find(&state->secret->keyring, &m->keyset);
    ENSURE(out->keyset, ERR_NOT_FOUND, "keyset: not open");
    ENSURE(out->keyset->purpose == CONFIG_ACCOUNTS, ERR_MISMATCH, "keyset: not one for accounts");
    TRY(policy_read(&policy, m->policy));
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
    uint8_t public_key[ECDSA_PUBLIC_BYTES], public_bytes[512], sealed[SEAL_BYTES];
    struct wr wr = WR_OF(public_bytes);
    struct record whole = *record;

    TRY(ecdsa_public(public_key, key));
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
        .key_type = RECORD_SECP256K1,
        .purpose = RECORD_ACCOUNT,
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
    TRY(key_draw(&state->nsm, &key));
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

static struct err record_belongs(const struct state *state, const struct record *record,
                                 const struct keyring_entry **keyset)
{
    ENSURE(id_equal(&record->deployment, &state->config.deployment), ERR_MISMATCH,
           "record: made for another deployment");
    *keyset = keyring_find(&state->secret->keyring, &record->keyset);
    ENSURE(*keyset, ERR_NOT_FOUND, "record: its keyset is not open");
    ENSURE(record->purpose == RECORD_ACCOUNT && (*keyset)->purpose == CONFIG_ACCOUNTS, ERR_MISMATCH,
           "record: not that of an account");
    ENSURE(record->key_type == RECORD_SECP256K1, ERR_UNSUPPORTED, "record: not a secp256k1 key");
    TRY(admin_allows(state, record));
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
    TRY(record_belongs(state, &record, &keyset));
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
