// SPDX-License-Identifier: Apache-2.0
#include "vault/ceremony.h"

#include "base/must.h"
#include "crypto/cms.h"
#include "proto/receipt.h"
#include "vault/deployment.h"
#include "vault/entropy.h"
#include "vault/seal.h"

#include <string.h>

static void pending_drop(struct state *state, struct state_pending *pending)
{
    seckey_wipe(&state->secret->data_key[pending - state->pending]);
    *pending = (struct state_pending) { 0 };
}

static struct seckey *pending_data_key(struct state *state, const struct state_pending *pending)
{
    return &state->secret->data_key[pending - state->pending];
}

// A free place, or that of an operation whose time is over, or the one that began first.
static struct state_pending *pending_take(struct state *state, const struct config_keyset *keyset)
{
    struct state_pending *best = &state->pending[0];

    for (size_t i = 1; i < ARRAY_LEN(state->pending); i++)
        if (state->pending[i].operation < best->operation)
            best = &state->pending[i];
    pending_drop(state, best);
    best->operation = ++state->last_operation;
    best->until = deadline_in(VAULT_PENDING_MS);
    best->keyset = keyset;
    return best;
}

static struct state_pending *pending_find(struct state *state, uint64_t operation)
{
    for (size_t i = 0; i < ARRAY_LEN(state->pending); i++) {
        struct state_pending *pending = &state->pending[i];

        if (pending->operation == operation && operation != 0)
            return deadline_left_ms(pending->until) > 0 ? pending : NULL;
    }
    return NULL;
}

void ceremony_forget(struct state *state)
{
    for (size_t i = 0; i < ARRAY_LEN(state->pending); i++)
        pending_drop(state, &state->pending[i]);
}

// Asks the front for a KMS call, with a fresh document: one for each call.
static struct err step_ask(struct turn *turn, struct state_pending *pending,
                           enum msg_step_kind kind, struct bytes blob)
{
    static uint8_t document[ATTEST_BYTES_MAX];
    struct wr wr = WR_OF(document);
    struct msg_step step = {
        .kind = kind,
        .operation = pending->operation,
        .cmk = pending->keyset->cmk[0],
        .name = pending->keyset->name,
        .blob = blob,
    };

    TRY(deployment_kms_document(turn->state, &wr));
    step.document = wr_done(&wr);
    pending->waits_for = kind;
    msg_write_step(turn->out, &step);
    return OK;
}

static struct err keyset_supported(const struct config_keyset *keyset)
{
    ENSURE(keyset, ERR_NOT_FOUND, "name: no such keyset in the configuration");
    ENSURE(keyset->k == 1 && keyset->n == 1 && keyset->recovery.n == 0, ERR_UNSUPPORTED,
           "keyset: this release wraps under exactly one CMK, without recovery keys");
    return OK;
}

struct err ceremony_create(struct turn *turn)
{
    struct state *state = turn->state;
    struct rd rd = rd_of(turn->body);
    struct msg_keyset_create m;
    const struct config_keyset *keyset;
    struct state_pending *pending;

    TRY(msg_read_keyset_create(&m, &rd));
    keyset = config_find_keyset(&state->config, m.name);
    TRY(keyset_supported(keyset));
    pending = pending_take(state, keyset);
    pending->create = true;
    pending->nonce_len = m.nonce.n;
    if (m.nonce.n)
        memcpy(pending->nonce, m.nonce.p, m.nonce.n);
    return step_ask(turn, pending, MSG_STEP_GENERATE, BYTES_NONE);
}

// The record must be of this deployment and as the configuration has the keyset of its name.
static struct err keyset_belongs(const struct state *state, const struct keyset *keyset,
                                 const struct config_keyset *configured)
{
    ENSURE(id_equal(&keyset->deployment, &state->config.deployment), ERR_MISMATCH,
           "keyset: made for another deployment");
    TRY(keyset_supported(configured));
    ENSURE(keyset->purpose == configured->purpose, ERR_MISMATCH,
           "keyset: its purpose is not the configured one");
    ENSURE(keyset->k == configured->k && keyset->n == configured->n, ERR_MISMATCH,
           "keyset: its wrappings are not the configured ones");
    ENSURE(bytes_equal(keyset->wrap[0].cmk, configured->cmk[0]), ERR_MISMATCH,
           "keyset: wrapped under another CMK than the configured one");
    return OK;
}

static void step_done(struct turn *turn, const struct keyset *keyset, struct bytes record,
                      struct bytes receipt)
{
    struct msg_step step = {
        .kind = MSG_STEP_DONE,
        .name = keyset->name,
        .keyset = keyset->id,
        .record = record,
        .document = receipt,
    };

    msg_write_step(turn->out, &step);
}

// KMS's answers carry no signature: who plays KMS for a record of his own knows its keyset key. The
// id commits to the key, so such a keyset cannot stand in the place of one that people know.
static struct err opened_check(const struct keyset *keyset, const struct seckey *keyset_key)
{
    struct id id;
    uint8_t check[32];

    seal_keyset_id(&id, keyset_key, &keyset->deployment);
    ENSURE(id_equal(&id, &keyset->id), ERR_CORRUPT, "keyset: its id does not fit its key");
    TRY(seal_keyset_check(check, keyset_key, keyset));
    ENSURE(ct_equal(BYTES_OF(check), keyset->check), ERR_CORRUPT,
           "keyset: its check value does not fit its key");
    return OK;
}

struct err ceremony_open(struct turn *turn)
{
    struct state *state = turn->state;
    struct keyset keyset;
    const struct config_keyset *configured;
    const struct keyring_entry *opened;
    struct state_pending *pending;

    TRY(keyset_read(&keyset, turn->body));
    configured = config_find_keyset(&state->config, keyset.name);
    TRY(keyset_belongs(state, &keyset, configured));
    opened = keyring_find(&state->secret->keyring, &keyset.id);
    if (opened) {
        TRY(opened_check(&keyset, &opened->key));
        step_done(turn, &keyset, BYTES_NONE, BYTES_NONE);
        return OK;
    }
    pending = pending_take(state, configured);
    memcpy(pending->record, turn->body.p, turn->body.n);
    pending->record_len = turn->body.n;
    return step_ask(turn, pending, MSG_STEP_DECRYPT, keyset.wrap[0].blob);
}

// The data key out of KMS's envelope: 32 bytes, not all zero.
static struct err data_key_open(const struct state *state, struct seckey *out, struct bytes cms)
{
    TRY(cms_open(out->b, sizeof(out->b), state->recipient, cms));
    ENSURE(!ct_is_zero(BYTES_OF(out->b)), ERR_CORRUPT, "KMS: the data key is zero");
    return OK;
}

// GenerateDataKey was answered: keep key and blob, ask for the blob's Decrypt at once.
static struct err create_generated(struct turn *turn, struct state_pending *pending,
                                   const struct msg_kms_answer *m)
{
    ENSURE(m->blob.n > 0 && m->blob.n <= KMS_BLOB_MAX, ERR_MALFORMED,
           "KMS: CiphertextBlob must have 1 to 6144 bytes");
    TRY(data_key_open(turn->state, pending_data_key(turn->state, pending), m->cms));
    memcpy(pending->record, m->blob.p, m->blob.n);
    pending->record_len = m->blob.n;
    return step_ask(turn, pending, MSG_STEP_DECRYPT,
                    bytes_of(pending->record, pending->record_len));
}

// The new keyset's fields; `sealed` and `check` are filled in by the caller.
static void create_fields(const struct state *state, const struct state_pending *pending,
                          const struct seckey *keyset_key, struct keyset *keyset)
{
    *keyset = (struct keyset) {
        .deployment = state->config.deployment,
        .name = pending->keyset->name,
        .purpose = pending->keyset->purpose,
        .created_ms = clock_now_ms(&state->clock),
        .k = 1,
        .n = 1,
        .wrap[0] = { .kind = KEYSET_WRAP_DATA_KEY,
                     .x = 1,
                     .cmk = pending->keyset->cmk[0],
                     .blob = bytes_of(pending->record, pending->record_len) },
    };
    seal_keyset_id(&keyset->id, keyset_key, &keyset->deployment);
}

static struct err keyset_receipt(struct state *state, const struct keyset *keyset,
                                 struct bytes nonce, struct wr *out)
{
    static uint8_t public_fields[KEYSET_BYTES_MAX];
    uint8_t user_data[64];
    struct wr fields = WR_OF(public_fields);
    struct wr wr = WR_OF(user_data);

    keyset_write_public(&fields, keyset);
    TRY(wr_end(&fields));
    receipt_write_keyset(&wr, wr_done(&fields));
    TRY(wr_end(&wr));
    return deployment_receipt(state, wr_done(&wr), nonce, out);
}

// Decrypt gave the same data key: make the keyset key, wrap it, and forget it again. It is used
// only after its stored record was opened.
static struct err create_finish(struct turn *turn, const struct state_pending *pending)
{
    static uint8_t record[KEYSET_BYTES_MAX], receipt[ATTEST_BYTES_MAX];
    AUTO(seckey_wipe) struct seckey keyset_key = { 0 };
    struct state *state = turn->state;
    struct wr record_wr = WR_OF(record), receipt_wr = WR_OF(receipt);
    uint8_t sealed[SEAL_BYTES], check[32];
    struct keyset keyset;

    TRY(entropy_key(&state->nsm, &keyset_key));
    create_fields(state, pending, &keyset_key, &keyset);
    TRY(seal_share(&state->nsm, sealed, pending_data_key(state, pending), &keyset, &keyset_key));
    TRY(seal_keyset_check(check, &keyset_key, &keyset));
    keyset.wrap[0].sealed = BYTES_OF(sealed);
    keyset.check = BYTES_OF(check);
    keyset_write(&record_wr, &keyset);
    TRY(wr_end(&record_wr));
    TRY(keyset_receipt(state, &keyset, bytes_of(pending->nonce, pending->nonce_len), &receipt_wr));
    step_done(turn, &keyset, wr_done(&record_wr), wr_done(&receipt_wr));
    return OK;
}

static struct err create_decrypted(struct turn *turn, struct state_pending *pending,
                                   const struct msg_kms_answer *m)
{
    AUTO(seckey_wipe) struct seckey again = { 0 };

    TRY(data_key_open(turn->state, &again, m->cms));
    ENSURE(seckey_equal(&again, pending_data_key(turn->state, pending)), ERR_UNTRUSTED,
           "KMS: Decrypt of the new blob gave another data key");
    return create_finish(turn, pending);
}

// The stored keyset's data key: open the share, check the key, and have it from now on.
static struct err open_decrypted(struct turn *turn, struct state_pending *pending,
                                 const struct msg_kms_answer *m)
{
    AUTO(seckey_wipe) struct seckey data_key = { 0 };
    AUTO(seckey_wipe) struct seckey keyset_key = { 0 };
    struct state *state = turn->state;
    struct keyset keyset;

    TRY(keyset_read(&keyset, bytes_of(pending->record, pending->record_len)));
    TRY(data_key_open(state, &data_key, m->cms));
    TRY(seal_open_share(&keyset_key, &data_key, &keyset));
    TRY(opened_check(&keyset, &keyset_key));
    TRY(keyring_put(&state->secret->keyring, &keyset.id, pending->keyset, &keyset_key));
    state->phase = PHASE_READY;
    step_done(turn, &keyset, BYTES_NONE, BYTES_NONE);
    return OK;
}

static struct err answer_take(struct turn *turn, struct state_pending *pending,
                              const struct msg_kms_answer *m)
{
    ENSURE(bytes_equal(m->cmk, pending->keyset->cmk[0]), ERR_UNTRUSTED,
           "KMS: KeyId of the answer is not the configured CMK");
    if (pending->waits_for == MSG_STEP_GENERATE)
        return create_generated(turn, pending, m);
    return pending->create ? create_decrypted(turn, pending, m) : open_decrypted(turn, pending, m);
}

struct err ceremony_answer(struct turn *turn)
{
    struct rd rd = rd_of(turn->body);
    struct msg_kms_answer m;
    struct state_pending *pending;
    enum msg_step_kind waited_for;
    struct err err;

    TRY(msg_read_kms_answer(&m, &rd));
    pending = pending_find(turn->state, m.operation);
    ENSURE(pending, ERR_NOT_FOUND, "operation: not waiting for an answer of KMS");
    waited_for = pending->waits_for;
    err = answer_take(turn, pending, &m);
    // Only a creation that moved on to its Decrypt goes on; all else is over, done or refused.
    if (err.code || waited_for == MSG_STEP_DECRYPT)
        pending_drop(turn->state, pending);
    return err;
}
