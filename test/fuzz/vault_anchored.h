// SPDX-License-Identifier: Apache-2.0
// The scene of test/fuzz/vault.c with an anchor: an honest store of the keyset's item, another
// enclave that writes there as well, a front that says of both what the input wants, and what must
// hold whatever it says. Who may include it: vault.c.
#pragma once

#include "vault_scene.h"

#include "crypto/openssl/mac.h"
#include "proto/tag.h"
#include "vault/anchor.h"

#define ASKED 16U // more than can wait at once

static struct id anchored_keyset;
static struct anchor_item first_item; // of the moments
static struct anchor_item store;      // what stands there; counter 0: nothing
static struct anchor_item told;       // what the vault has last heard to stand there
static struct {
    uint64_t operation;
    struct anchor_item item;
} asked[ASKED];                // writes
static bool unsealed;          // by administrators, since the input began
static uint8_t digests[4][32]; // of the manifests, by serial

// As PROTOCOL.md has it.
static void item_sign(struct anchor_item *item)
{
    uint8_t message[32];

    anchor_message(message, item);
    mac_hmac256_key(item->mac, &item_key, BYTES_OF(message));
}

static bool item_genuine(const struct anchor_item *item)
{
    struct anchor_item again = *item;

    item_sign(&again);
    return id_equal(&item->keyset, &anchored_keyset) &&
           id_equal(&item->deployment, &state.config.deployment) &&
           memcmp(again.mac, item->mac, sizeof(again.mac)) == 0;
}

static bool item_of_manifest(const struct anchor_item *item, const struct manifest *manifest)
{
    return item->serial == manifest->serial && item->serial < ARRAY_LEN(digests) &&
           memcmp(item->digest, digests[item->serial], sizeof(item->digest)) == 0;
}

// One message for each outcome, in answer to what was asked last; FOUND shows what stands there.
static void fill_anchor(void)
{
    for (unsigned outcome = 0; outcome <= MSG_ANCHOR_CONFLICT; outcome++) {
        struct wr wr = valid_wr(KIND_ANCHOR + outcome, MSG_ANCHOR_ANSWER);
        struct msg_anchor_answer m = { state.last_operation, outcome, 0, BYTES_NONE };
        uint8_t bytes[ANCHOR_ITEM_BYTES];
        struct wr item_wr = WR_OF(bytes);

        if (outcome == MSG_ANCHOR_FOUND) {
            anchor_write(&item_wr, &store);
            m.version = store.counter;
            m.item = wr_done(&item_wr);
        }
        msg_write_anchor_answer(&wr, &m);
        valid_end(KIND_ANCHOR + outcome, &wr);
    }
}

// Another enclave of the deployment writes. Bit 0: sealed, bits 1 and 2: serial, bit 3: with
// another manifest of it, bits 4 to 7: how many times before.
static void other_enclave(struct bytes data)
{
    unsigned how = data.n ? data.p[0] : 0;

    store.counter += 1 + (how >> 4);
    store.sealed = how & 1;
    store.serial = how >> 1 & 3;
    memcpy(store.digest, digests[store.serial], sizeof(store.digest));
    if (how & 8 && store.serial > 0)
        store.digest[0] ^= 1;
    item_sign(&store);
}

struct before {
    enum receipt_phase phase;
    uint64_t serial;
    bool open;
    enum msg_step_kind waits; // what the message answers; DONE: nothing
    bool opening;             // for a keyset that is being opened
    bool answer;
    struct msg_anchor_answer m;
    struct anchor_item item; // that the answer speaks of; counter 0: none
};

static const struct anchor_item *asked_item(uint64_t operation)
{
    static const struct anchor_item none;
    unsigned at = operation % ASKED;

    return asked[at].operation == operation ? &asked[at].item : &none;
}

static void before_answer(struct before *b, struct bytes body)
{
    struct rd rd = rd_of(body);

    b->answer = !msg_read_anchor_answer(&b->m, &rd).code && b->m.operation != 0;
    if (!b->answer)
        return;
    if (b->m.operation == state.anchoring.operation)
        b->waits = state.anchoring.waits_for;
    for (size_t i = 0; b->waits == MSG_STEP_DONE && i < ARRAY_LEN(state.pending); i++) {
        if (state.pending[i].operation != b->m.operation)
            continue;
        b->waits = state.pending[i].waits_for;
        b->opening = !state.pending[i].create;
    }
    if (b->m.outcome == MSG_ANCHOR_WRITTEN && b->waits == MSG_STEP_ANCHOR_WRITE)
        b->item = *asked_item(b->m.operation);
    if (b->m.outcome == MSG_ANCHOR_FOUND && b->waits == MSG_STEP_ANCHOR_READ &&
        (anchor_read(&b->item, b->m.item).code || !item_genuine(&b->item) ||
         b->item.counter != b->m.version))
        b->item.counter = 0;
}

static struct before anchored_before(uint16_t type, struct bytes body)
{
    struct before b = { .phase = state.phase, .serial = state.manifest.serial };

    b.open = keyring_find(&state.secret->keyring, &anchored_keyset) != NULL;
    if (type == MSG_ANCHOR_ANSWER)
        before_answer(&b, body);
    return b;
}

// The honest store takes what the vault says was written, when it fits.
static void store_follow(const struct before *b)
{
    if (b->item.counter == 0 || !id_equal(&b->item.keyset, &anchored_keyset))
        return;
    told = b->item;
    if (b->m.outcome == MSG_ANCHOR_WRITTEN && b->item.counter == store.counter + 1)
        store = b->item;
}

static bool gives_steps(uint16_t type)
{
    return type == MSG_KEYSET_CREATE || type == MSG_KEYSET_OPEN || type == MSG_KMS_ANSWER ||
           type == MSG_KMS_FAILED || type == MSG_MANIFEST || type == MSG_SEAL ||
           type == MSG_ANCHOR_ANSWER;
}

static void note_asked(struct rd result)
{
    struct anchor_item item;
    struct msg_step step;

    if (msg_read_step(&step, &result).code || step.kind != MSG_STEP_ANCHOR_WRITE)
        return;
    fuzz_ok(anchor_read(&item, step.blob));
    asked[step.operation % ASKED].operation = step.operation;
    asked[step.operation % ASKED].item = item;
}

// Every open keyset stands under the manifest in force, or has just been written under the next.
static void check_open(void)
{
    const struct keyring_entry *entry = keyring_find(&state.secret->keyring, &anchored_keyset);

    if (!entry)
        return;
    must(state.phase == PHASE_READY && !entry->item.sealed && item_genuine(&entry->item));
    must(item_of_manifest(&entry->item, &state.manifest) ||
         (state.anchoring.operation && item_of_manifest(&entry->item, &state.next)));
    must(!state.anchored || item_of_manifest(&entry->item, &state.manifest));
}

// It was opened by an item that the vault has heard of, unsealed and of the manifest in force.
static void check_opened(const struct before *b)
{
    must(b->answer && b->opening && b->item.counter > 0 && !b->item.sealed);
    must(id_equal(&b->item.keyset, &anchored_keyset));
    must(item_of_manifest(&b->item, &state.manifest));
}

static void check_sealed(const struct before *b, uint16_t type, uint16_t code)
{
    if (b->phase == PHASE_SEALED && state.phase != PHASE_SEALED) {
        must(type == MSG_UNSEAL && code == ERR_NONE && state.phase == PHASE_CONFIGURED);
        unsealed = true;
    }
    if (b->opening && b->m.outcome == MSG_ANCHOR_FOUND && b->item.counter > 0 && b->item.sealed)
        must(state.phase == PHASE_SEALED || unsealed);
    if (state.phase != PHASE_SEALED)
        return;
    must(keyring_count(&state.secret->keyring) == 0 && state.secret->accounts.used == 0);
    must(!state.recipient && !state.import_key);
    must(!state.anchored || told.sealed); // nothing is claimed that was not heard
}

static void anchored_after(const struct before *b, uint16_t type, uint16_t code, struct rd result)
{
    if (code == ERR_NONE && gives_steps(type))
        note_asked(result);
    store_follow(b);
    must(state.manifest.serial >= b->serial);
    check_sealed(b, type, code);
    check_open();
    if (!b->open && keyring_find(&state.secret->keyring, &anchored_keyset))
        check_opened(b);
}

// With an input's first message.
static void anchored_recall(void)
{
    store = told = first_item;
    memset(asked, 0, sizeof(asked));
    unsealed = false;
}
