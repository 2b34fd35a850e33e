// SPDX-License-Identifier: Apache-2.0
#include "vault/import.h"

#include "base/must.h"
#include "proto/offer.h"
#include "proto/policy.h"
#include "vault/account.h"
#include "vault/deployment.h"
#include "vault/entropy.h"

#include <string.h>

struct plaintext {
    uint8_t b[MSG_IMPORT_PLAIN_BYTES];
};

static void plaintext_wipe(struct plaintext *plaintext)
{
    ct_wipe(plaintext->b, sizeof(plaintext->b));
}

// A free place, or that of the import that began first.
static struct state_import *import_take(struct state *state)
{
    struct state_import *best = &state->import[0];

    for (size_t i = 0; i < ARRAY_LEN(state->import); i++) {
        struct state_import *import = &state->import[i];

        if (!import->used)
            return import;
        if (import->until.at_ms < best->until.at_ms)
            best = import;
    }
    return best;
}

static struct state_import *import_find(struct state *state, const struct id *account)
{
    for (size_t i = 0; i < ARRAY_LEN(state->import); i++) {
        struct state_import *import = &state->import[i];

        if (import->used && id_equal(&import->account, account))
            return deadline_left_ms(import->until) > 0 ? import : NULL;
    }
    return NULL;
}

static void terms_of(const struct state *state, const struct state_import *import,
                     struct offer_terms *out)
{
    *out = (struct offer_terms) { .deployment = state->config.deployment,
                                  .keyset = import->keyset,
                                  .account = import->account };
    policy_hash(out->policy_hash, bytes_of(import->policy, import->policy_len));
    policy_authoriser_hash(out->authoriser_hash,
                           bytes_of(import->authorisers, import->authorisers_len));
}

static struct err offer_write(struct turn *turn, const struct state_import *import,
                              struct bytes nonce)
{
    static uint8_t document[ATTEST_BYTES_MAX];
    struct state *state = turn->state;
    struct wr document_wr = WR_OF(document);
    struct msg_import_ready answer = { .account = import->account };
    struct offer_terms terms;
    uint8_t digest[32], user_data[64];
    struct wr wr = WR_OF(user_data);

    terms_of(state, import, &terms);
    offer_digest(digest, state->import_public, &terms);
    offer_write_user_data(&wr, digest);
    TRY(wr_end(&wr));
    TRY(deployment_receipt(state, wr_done(&wr), nonce, &document_wr));
    memcpy(answer.public_key, state->import_public, sizeof(answer.public_key));
    answer.document = wr_done(&document_wr);
    msg_write_import_ready(turn->out, &answer);
    return OK;
}

struct err import_begin(struct turn *turn)
{
    struct state *state = turn->state;
    struct rd rd = rd_of(turn->body);
    struct account_new fresh = { 0 };
    struct msg_account_create m;
    struct state_import *import;
    struct id account;

    TRY(msg_read_account_create(&m, &rd));
    TRY(account_check_new(state, &m, &fresh));
    TRY(deployment_admit(state));
    TRY(entropy_id(&state->nsm, &account));
    turn->account = account;
    import = import_take(state);
    *import = (struct state_import) { .used = true,
                                      .until = deadline_in(VAULT_IMPORT_MS),
                                      .account = account,
                                      .keyset = m.keyset,
                                      .policy_len = m.policy.n,
                                      .authorisers_len = m.authorisers.n };
    must(m.policy.n <= sizeof(import->policy) && m.authorisers.n <= sizeof(import->authorisers));
    memcpy(import->policy, m.policy.p, m.policy.n);
    memcpy(import->authorisers, m.authorisers.p, m.authorisers.n);
    return offer_write(turn, import, m.nonce);
}

// Opens the envelope and compares every term with what the vault offered.
static struct err envelope_open(const struct state *state, const struct state_import *import,
                                const struct msg_import_finish *m, struct seckey *key)
{
    AUTO(plaintext_wipe) struct plaintext plain = { 0 };
    uint8_t digest[32], expected[MSG_IMPORT_PLAIN_BYTES];
    struct wr plain_wr = WR_OF(plain.b), expected_wr = WR_OF(expected);
    struct hpke_bound bound = { .info = offer_info(), .aad = BYTES_OF(digest) };
    struct offer_terms terms;
    struct err err;

    terms_of(state, import, &terms);
    offer_digest(digest, state->import_public, &terms);
    err = hpke_open(&plain_wr, state->import_key, m->enc, &bound, m->ciphertext);
    ENSURE(err.code != ERR_CORRUPT, ERR_MISMATCH,
           "enc, ciphertext_b64: do not open; expected a key sealed as this offer's document says");
    TRY(err);
    offer_write_terms(&expected_wr, &terms);
    TRY(wr_end(&expected_wr));
    ENSURE(plain_wr.len == sizeof(plain.b) && expected_wr.len == sizeof(plain.b) - sizeof(key->b),
           ERR_MALFORMED, "ciphertext_b64: expected 144 sealed bytes");
    ENSURE(ct_equal(bytes_of(plain.b + sizeof(key->b), expected_wr.len), wr_done(&expected_wr)),
           ERR_MISMATCH,
           "ciphertext_b64: sealed for another deployment, keyset, account, policy or authorisers");
    memcpy(key->b, plain.b, sizeof(key->b));
    return OK;
}

struct err import_finish(struct turn *turn)
{
    AUTO(seckey_wipe) struct seckey key = { 0 };
    struct state *state = turn->state;
    struct rd rd = rd_of(turn->body);
    struct account_new fresh = { 0 };
    struct msg_import_finish m;
    struct state_import *import;

    TRY(msg_read_import_finish(&m, &rd));
    turn->account = m.account;
    import = import_find(state, &m.account);
    ENSURE(import, ERR_NOT_FOUND, "account: no import of this id is waiting (or it is done)");
    TRY(account_find_keyset(state, &import->keyset, &fresh));
    TRY(envelope_open(state, import, &m, &key));
    TRY(fresh.kind->check(&key));
    fresh.provenance = fresh.kind->imported;
    fresh.id = import->account;
    fresh.policy = bytes_of(import->policy, import->policy_len);
    fresh.authorisers = bytes_of(import->authorisers, import->authorisers_len);
    fresh.nonce = m.nonce;
    TRY(account_make(turn, &fresh, &key));
    *import = (struct state_import) { 0 }; // the same envelope again finds nothing
    return OK;
}
