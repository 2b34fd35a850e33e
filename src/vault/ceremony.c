// SPDX-License-Identifier: Apache-2.0
#include "vault/ceremony.h"

#include "base/must.h"
#include "crypto/cms.h"
#include "crypto/shamir.h"
#include "proto/receipt.h"
#include "vault/admin.h"
#include "vault/anchor.h"
#include "vault/deployment.h"
#include "vault/entropy.h"
#include "vault/pending.h"
#include "vault/seal.h"

#include <string.h>

// Asks the front for a KMS call, with a fresh document: one for each call.
static struct err step_ask(struct turn *turn, struct state_pending *pending,
                           enum msg_step_kind kind, struct bytes blob)
{
    static uint8_t document[ATTEST_BYTES_MAX];
    struct wr wr = WR_OF(document);
    struct msg_step step = {
        .kind = kind,
        .operation = pending->operation,
        .cmk = pending->keyset->cmk[pending->at],
        .name = pending->keyset->name,
        .blob = blob,
    };

    TRY(deployment_kms_document(turn->state, &wr));
    step.document = wr_done(&wr);
    pending->until = deadline_in(VAULT_PENDING_MS);
    pending->waits_for = kind;
    pending->waits_for_more = true;
    msg_write_step(turn->out, &step);
    return OK;
}

// Asks the front to read the item of the operation's keyset, or to write it.
static struct err step_anchor(struct turn *turn, struct state_pending *pending,
                              enum msg_step_kind kind)
{
    pending->until = deadline_in(VAULT_PENDING_MS);
    pending->waits_for = kind;
    pending->waits_for_more = true;
    anchor_ask(turn, kind, pending->operation, &pending->item);
    return OK;
}

// The operation that waits for an answer of KMS, or of the anchor.
static struct err step_waiting(struct state *state, uint64_t operation, bool anchor,
                               struct state_pending **out)
{
    *out = pending_find(state, operation);
    ENSURE(*out && ((*out)->waits_for >= MSG_STEP_ANCHOR_READ) == anchor, ERR_NOT_FOUND,
           "operation: not waiting for this answer");
    (*out)->waits_for_more = false;
    return OK;
}

// After an answer: the operation stays only to wait for the next one.
static struct err step_end(struct state *state, struct state_pending *pending, struct err err)
{
    if (err.code || !pending->waits_for_more)
        pending_drop(state, pending);
    return err;
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
    ENSURE(keyset, ERR_NOT_FOUND, "name: no such keyset in the configuration");
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
    ENSURE(configured, ERR_NOT_FOUND, "name: no such keyset in the configuration");
    ENSURE(keyset->purpose == configured->purpose, ERR_MISMATCH,
           "keyset: its purpose is not the configured one");
    ENSURE(keyset->k == configured->k && keyset->n == configured->n, ERR_MISMATCH,
           "keyset: its wrappings are not the configured ones");
    for (size_t i = 0; i < keyset->n; i++)
        ENSURE(bytes_equal(keyset->wrap[i].cmk, configured->cmk[i]), ERR_MISMATCH,
               "keyset: wrapped under another CMK than the configured one");
    return admin_admits(state, keyset);
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
    must(turn->body.n <= sizeof(pending->record));
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

// Where the blob of wrapping `at` stands.
static struct bytes create_blob(const struct state_pending *pending, size_t at)
{
    const uint8_t *from = pending->record;

    for (size_t i = 0; i < at; i++)
        from += pending->blob_len[i];
    return bytes_of(from, pending->blob_len[at]);
}

// GenerateDataKey was answered: keep key and blob, ask for the blob's Decrypt at once.
static struct err create_generated(struct turn *turn, struct state_pending *pending,
                                   const struct msg_kms_answer *m)
{
    struct seckey *data_key = &pending_keys(turn->state, pending)[pending->at];

    ENSURE(m->blob.n > 0 && m->blob.n <= KMS_BLOB_MAX, ERR_MALFORMED,
           "KMS: CiphertextBlob must have 1 to 6144 bytes");
    must(m->blob.n <= sizeof(pending->record) - pending->record_len);
    TRY(data_key_open(turn->state, data_key, m->cms));
    memcpy(pending->record + pending->record_len, m->blob.p, m->blob.n);
    pending->record_len += m->blob.n;
    pending->blob_len[pending->at] = m->blob.n;
    return step_ask(turn, pending, MSG_STEP_DECRYPT, create_blob(pending, pending->at));
}

// The new keyset's fields; `sealed` and `check` are filled in by the caller.
static void create_fields(const struct state *state, const struct state_pending *pending,
                          const struct seckey *keyset_key, struct keyset *keyset)
{
    const struct config_keyset *configured = pending->keyset;

    *keyset = (struct keyset) {
        .deployment = state->config.deployment,
        .name = configured->name,
        .purpose = configured->purpose,
        .created_ms = clock_now_ms(&state->clock),
        .k = configured->k,
        .n = configured->n,
    };
    for (uint8_t i = 0; i < configured->n; i++)
        keyset->wrap[i] = (struct keyset_wrap) { .kind = KEYSET_WRAP_DATA_KEY,
                                                 .x = (uint8_t)(i + 1),
                                                 .cmk = configured->cmk[i],
                                                 .blob = create_blob(pending, i) };
    seal_keyset_id(&keyset->id, keyset_key, &keyset->deployment);
}

static void shares_wipe(struct seckey (*share)[CONFIG_CMKS])
{
    ct_wipe(*share, sizeof(*share));
}

// Splits the keyset key and seals each share under the data key of its CMK.
static struct err create_seal(struct state *state, const struct state_pending *pending,
                              const struct seckey *keyset_key, struct keyset *keyset)
{
    static uint8_t sealed[CONFIG_CMKS][SEAL_BYTES];
    AUTO(shares_wipe) struct seckey share[CONFIG_CMKS] = { 0 };
    AUTO(shares_wipe) struct seckey coefficient[CONFIG_CMKS] = { 0 };

    for (size_t i = 0; i + 1 < keyset->k; i++)
        TRY(entropy_key(&state->nsm, &coefficient[i]));
    TRY(shamir_split(share, keyset->k, keyset->n, keyset_key, coefficient));
    for (size_t i = 0; i < keyset->n; i++) {
        struct seal_wrap wrap = { keyset, i };

        TRY(seal_share(&state->nsm, sealed[i], &pending_keys(state, pending)[i], &wrap, &share[i]));
        keyset->wrap[i].sealed = BYTES_OF(sealed[i]);
    }
    return OK;
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

// The record is whole, and the anchor, if there is one, has its item.
static struct err create_done(struct turn *turn, const struct state_pending *pending,
                              struct bytes record)
{
    static uint8_t receipt[ATTEST_BYTES_MAX];
    struct wr wr = WR_OF(receipt);
    struct keyset keyset;

    TRY(keyset_read(&keyset, record));
    TRY(keyset_receipt(turn->state, &keyset, bytes_of(pending->nonce, pending->nonce_len), &wr));
    step_done(turn, &keyset, record, wr_done(&wr));
    return OK;
}

// The record must not exist without its item: the anchor is asked first. It takes the place of the
// blobs, which are in it.
static struct err create_anchor(struct turn *turn, struct state_pending *pending,
                                const struct keyset *keyset, const struct seckey *keyset_key)
{
    const struct state *state = turn->state;

    pending->item = (struct anchor_item) { keyset->deployment, keyset->id, .counter = 1 };
    anchor_set_manifest(&pending->item, state->manifest.serial, state->manifest_digest);
    TRY(anchor_set_mac(&pending->item, keyset_key));
    return step_anchor(turn, pending, MSG_STEP_ANCHOR_WRITE);
}

// Every CMK's Decrypt gave the same data key: make the keyset key, wrap it, and forget it again. It
// is used only after its stored record was opened.
static struct err create_finish(struct turn *turn, struct state_pending *pending)
{
    static uint8_t record[KEYSET_BYTES_MAX];
    AUTO(seckey_wipe) struct seckey keyset_key = { 0 };
    struct state *state = turn->state;
    struct wr wr = WR_OF(record);
    uint8_t check[32];
    struct keyset keyset;

    TRY(entropy_key(&state->nsm, &keyset_key));
    create_fields(state, pending, &keyset_key, &keyset);
    TRY(create_seal(state, pending, &keyset_key, &keyset));
    TRY(seal_keyset_check(check, &keyset_key, &keyset));
    keyset.check = BYTES_OF(check);
    keyset_write(&wr, &keyset);
    TRY(wr_end(&wr));
    if (!anchor_used(state))
        return create_done(turn, pending, wr_done(&wr));
    TRY(create_anchor(turn, pending, &keyset, &keyset_key));
    memcpy(pending->record, record, wr.len);
    pending->record_len = wr.len;
    return OK;
}

static struct err create_decrypted(struct turn *turn, struct state_pending *pending,
                                   const struct msg_kms_answer *m)
{
    AUTO(seckey_wipe) struct seckey again = { 0 };

    TRY(data_key_open(turn->state, &again, m->cms));
    ENSURE(seckey_equal(&again, &pending_keys(turn->state, pending)[pending->at]), ERR_UNTRUSTED,
           "KMS: Decrypt of the new blob gave another data key");
    if (++pending->at < pending->keyset->n)
        return step_ask(turn, pending, MSG_STEP_GENERATE, BYTES_NONE);
    return create_finish(turn, pending);
}

// The key was checked, and the anchor, if there is one, knows nothing against it: have it from now
// on.
static struct err open_enter(struct turn *turn, struct state_pending *pending,
                             const struct seckey *keyset_key)
{
    struct state *state = turn->state;
    struct keyring *ring = &state->secret->keyring;
    struct keyset keyset;

    TRY(keyset_read(&keyset, bytes_of(pending->record, pending->record_len)));
    TRY(admin_admits(state, &keyset)); // a manifest may have come in between
    TRY(keyring_put(ring, &keyset.id, pending->keyset, keyset_key));
    admin_note_keyset(state, &keyset);
    keyring_entry_of(ring, &keyset.id)->item = pending->item;
    anchor_forget_sealed(state, &keyset.id);
    state->anchored = anchor_used(state);
    state->phase = PHASE_READY;
    step_done(turn, &keyset, BYTES_NONE, BYTES_NONE);
    return OK;
}

// As many shares as it takes are there: join them and check the key.
static struct err open_finish(struct turn *turn, struct state_pending *pending,
                              const struct keyset *keyset)
{
    AUTO(seckey_wipe) struct seckey keyset_key = { 0 };
    struct seckey *keys = pending_keys(turn->state, pending);

    TRY(shamir_join(&keyset_key, keys, pending->x, keyset->k));
    TRY(opened_check(keyset, &keyset_key));
    if (!anchor_used(turn->state))
        return open_enter(turn, pending, &keyset_key);
    memcpy(keys[0].b, keyset_key.b, sizeof(keyset_key.b));
    pending->item.keyset = keyset->id;
    return step_anchor(turn, pending, MSG_STEP_ANCHOR_READ);
}

// The data key of one wrapping gives one share.
static struct err open_share(struct turn *turn, struct state_pending *pending,
                             const struct keyset *keyset, const struct msg_kms_answer *m)
{
    AUTO(seckey_wipe) struct seckey data_key = { 0 };
    struct seal_wrap wrap = { keyset, pending->at };
    struct seckey *share = &pending_keys(turn->state, pending)[pending->got];

    TRY(data_key_open(turn->state, &data_key, m->cms));
    TRY(seal_open_share(share, &data_key, &wrap));
    pending->x[pending->got++] = keyset->wrap[pending->at].x;
    return OK;
}

// Asks for the next wrapping while k shares can still come together; else `why` is the end.
static struct err open_next(struct turn *turn, struct state_pending *pending,
                            const struct keyset *keyset, struct err why)
{
    pending->at++;
    if (keyset->n - pending->at < keyset->k - pending->got)
        return why;
    return step_ask(turn, pending, MSG_STEP_DECRYPT, keyset->wrap[pending->at].blob);
}

static struct err open_decrypted(struct turn *turn, struct state_pending *pending,
                                 const struct msg_kms_answer *m)
{
    struct keyset keyset;
    struct err err;

    TRY(keyset_read(&keyset, bytes_of(pending->record, pending->record_len)));
    err = open_share(turn, pending, &keyset, m);
    if (!err.code && pending->got == keyset.k)
        return open_finish(turn, pending, &keyset);
    return open_next(turn, pending, &keyset, err);
}

static struct err answer_take(struct turn *turn, struct state_pending *pending,
                              const struct msg_kms_answer *m)
{
    ENSURE(bytes_equal(m->cmk, pending->keyset->cmk[pending->at]), ERR_UNTRUSTED,
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

    TRY(msg_read_kms_answer(&m, &rd));
    TRY(step_waiting(turn->state, m.operation, false, &pending));
    return step_end(turn->state, pending, answer_take(turn, pending, &m));
}

struct err ceremony_failed(struct turn *turn)
{
    struct rd rd = rd_of(turn->body);
    uint64_t operation = rd_u64(&rd);
    struct state_pending *pending;
    struct keyset keyset;
    struct err err = FAIL(ERR_KMS, "keyset: fewer CMKs answer than it takes");

    TRY(rd_end(&rd));
    TRY(step_waiting(turn->state, operation, false, &pending));
    if (!pending->create &&
        !keyset_read(&keyset, bytes_of(pending->record, pending->record_len)).code)
        err = open_next(turn, pending, &keyset, err);
    return step_end(turn->state, pending, err);
}

static struct err anchored_take(struct turn *turn, struct state_pending *pending,
                                const struct msg_anchor_answer *m)
{
    const struct seckey *key = pending_keys(turn->state, pending);
    bool current = false;

    if (pending->waits_for == MSG_STEP_ANCHOR_WRITE)
        TRY(anchor_expect(m, MSG_ANCHOR_WRITTEN));
    else
        TRY(anchor_judge(turn->state, &pending->item, &current, key, m));
    if (pending->waits_for == MSG_STEP_ANCHOR_READ && !current)
        return step_anchor(turn, pending, MSG_STEP_ANCHOR_WRITE);
    if (pending->create)
        return create_done(turn, pending, bytes_of(pending->record, pending->record_len));
    return open_enter(turn, pending, key);
}

struct err ceremony_anchored(struct turn *turn)
{
    struct rd rd = rd_of(turn->body);
    struct msg_anchor_answer m;
    struct state_pending *pending;

    TRY(msg_read_anchor_answer(&m, &rd));
    if (m.operation == turn->state->anchoring.operation && m.operation != 0)
        return admin_anchored(turn, &m);
    TRY(step_waiting(turn->state, m.operation, true, &pending));
    return step_end(turn->state, pending, anchored_take(turn, pending, &m));
}
