// SPDX-License-Identifier: Apache-2.0
#include "vault/anchor.h"

#include "base/must.h"
#include "crypto/openssl/mac.h"
#include "proto/tag.h"
#include "vault/admin.h"
#include "vault/pending.h"

#include <string.h>

bool anchor_used(const struct state *state)
{
    return state->config.anchor != CONFIG_ANCHOR_NONE;
}

void anchor_ask(struct turn *turn, enum msg_step_kind kind, uint64_t operation,
                const struct anchor_item *item)
{
    uint8_t bytes[ANCHOR_ITEM_BYTES];
    struct wr wr = WR_OF(bytes);
    struct msg_step step = { .kind = kind, .operation = operation, .keyset = item->keyset };

    if (kind == MSG_STEP_ANCHOR_WRITE)
        anchor_write(&wr, item);
    step.blob = wr_done(&wr);
    msg_write_step(turn->out, &step);
}

void anchor_set_manifest(struct anchor_item *item, uint64_t serial, const uint8_t digest[static 32])
{
    item->serial = serial;
    memcpy(item->digest, digest, sizeof(item->digest));
}

static FALLIBLE item_key(struct seckey *out, const struct seckey *keyset_key)
{
    return mac_hkdf256(out, keyset_key, bytes_of(TAG_ANCHOR_KEY, sizeof(TAG_ANCHOR_KEY)));
}

static void item_mac(struct anchor_item *item, const struct seckey *key)
{
    uint8_t message[32];

    anchor_message(message, item);
    mac_hmac256_key(item->mac, key, BYTES_OF(message));
}

struct err anchor_set_mac(struct anchor_item *item, const struct seckey *keyset_key)
{
    AUTO(seckey_wipe) struct seckey key = { 0 };

    TRY(item_key(&key, keyset_key));
    item_mac(item, &key);
    return OK;
}

struct err anchor_expect(const struct msg_anchor_answer *m, enum msg_anchor_outcome wanted)
{
    if (m->outcome == wanted)
        return OK;
    ENSURE(m->outcome != MSG_ANCHOR_ABSENT, ERR_NOT_FOUND,
           "anchor: it holds nothing for this keyset");
    ENSURE(m->outcome != MSG_ANCHOR_CONFLICT, ERR_EXISTS,
           "anchor: another enclave has changed this keyset's item; try again");
    return FAIL(ERR_UNREACHABLE, "anchor: no answer of use; try again");
}

// The item in the list of sealed ones; NULL when there is none.
static struct state_sealed *sealed_find(struct state *state, const struct id *keyset)
{
    for (size_t i = 0; i < ARRAY_LEN(state->sealed); i++)
        if (state->sealed[i].item.counter > 0 && id_equal(&state->sealed[i].item.keyset, keyset))
            return &state->sealed[i];
    return NULL;
}

// Its place, or one for it: free, else of one that is written, whose loss costs another unsealing.
static struct state_sealed *sealed_place(struct state *state, const struct id *keyset)
{
    struct state_sealed *place = sealed_find(state, keyset);

    for (size_t i = 0; !place && i < ARRAY_LEN(state->sealed); i++)
        if (state->sealed[i].item.counter == 0)
            place = &state->sealed[i];
    for (size_t i = 0; !place && i < ARRAY_LEN(state->sealed); i++)
        if (state->sealed[i].written)
            place = &state->sealed[i];
    return place ? place : &state->sealed[0];
}

static struct seckey *sealed_key(struct state *state, const struct state_sealed *sealed)
{
    return &state->secret->sealed_key[sealed - state->sealed];
}

// Administrators who unseal from now on mean this one, too.
static void sealed_stands(struct state *state, struct state_sealed *sealed,
                          const struct anchor_item *item)
{
    *sealed = (struct state_sealed) { true, *item };
    seckey_wipe(sealed_key(state, sealed));
}

void anchor_forget_sealed(struct state *state, const struct id *keyset)
{
    struct state_sealed *sealed = sealed_find(state, keyset);

    if (sealed)
        *sealed = (struct state_sealed) { 0 };
}

// `item`, but sealed, has to be written.
static void sealed_due(struct state *state, const struct anchor_item *item,
                       const struct seckey *keyset_key)
{
    struct state_sealed *sealed = sealed_place(state, &item->keyset);
    struct seckey *key = sealed_key(state, sealed);

    *sealed = (struct state_sealed) { false, *item };
    sealed->item.sealed = true;
    must(!item_key(key, keyset_key).code); // the end of the vault wipes every key, too
    item_mac(&sealed->item, key);
}

void anchor_seal(struct state *state)
{
    const struct keyring *ring = &state->secret->keyring;

    for (size_t i = 0; i < ARRAY_LEN(ring->entry); i++) {
        struct anchor_item item = ring->entry[i].item;

        item.counter++;
        if (ring->entry[i].used)
            sealed_due(state, &item, &ring->entry[i].key);
    }
    for (size_t i = 0; i < ARRAY_LEN(state->pending); i++) {
        const struct state_pending *pending = &state->pending[i];

        if (pending->operation && !pending->create && pending->waits_for == MSG_STEP_ANCHOR_WRITE)
            sealed_due(state, &pending->item, pending_keys(state, pending));
    }
}

void anchor_seal_stands(struct state *state, size_t at)
{
    sealed_stands(state, &state->sealed[at], &state->sealed[at].item);
}

bool anchor_seals_stand(const struct state *state)
{
    size_t due = 0, written = 0;

    for (size_t i = 0; i < ARRAY_LEN(state->sealed); i++) {
        due += state->sealed[i].item.counter > 0;
        written += state->sealed[i].written;
    }
    return due > 0 && written == due;
}

// Sealed, and no approval of this boot can have meant it: then it holds at once.
static struct err sealed_obey(struct state *state, const struct anchor_item *found)
{
    struct state_sealed *known = sealed_find(state, &found->keyset);

    if (!found->sealed || (known && bytes_equal(BYTES_OF(known->item.mac), BYTES_OF(found->mac)))) {
        if (known) // undone, or about to be
            known->written = false;
        return OK;
    }
    sealed_stands(state, sealed_place(state, &found->keyset), found);
    admin_lock(state);
    return FAIL(ERR_PHASE, "keyset: sealed in the anchor; administrators have to unseal");
}

// Form, keyset, MAC (under `key`) and version of what was read.
static struct err item_check(const struct state *state, struct anchor_item *found,
                             const struct id *keyset, const struct seckey *key,
                             const struct msg_anchor_answer *m)
{
    struct anchor_item ours;

    TRY(anchor_expect(m, MSG_ANCHOR_FOUND));
    TRY(anchor_read(found, m->item));
    ENSURE(id_equal(&found->deployment, &state->config.deployment) &&
               id_equal(&found->keyset, keyset),
           ERR_MISMATCH, "anchor: the item is of another deployment or keyset");
    ours = *found;
    item_mac(&ours, key);
    ENSURE(ct_equal(BYTES_OF(ours.mac), BYTES_OF(found->mac)), ERR_UNTRUSTED,
           "anchor: the item's MAC is not that of this keyset's key");
    ENSURE(found->counter == m->version && found->counter < UINT64_MAX, ERR_UNTRUSTED,
           "anchor: the item's counter is not its version");
    return OK;
}

struct err anchor_judge(struct state *state, struct anchor_item *item, bool *current,
                        const struct seckey *keyset_key, const struct msg_anchor_answer *m)
{
    AUTO(seckey_wipe) struct seckey key = { 0 };
    struct anchor_item found;

    TRY(item_key(&key, keyset_key));
    TRY(item_check(state, &found, &item->keyset, &key, m));
    TRY(sealed_obey(state, &found));
    *item = found;
    anchor_set_manifest(item, state->manifest.serial, state->manifest_digest);
    ENSURE(found.serial <= item->serial, ERR_DENIED,
           "manifest: the anchor knows a newer one than is in force; apply that one first");
    ENSURE(found.serial < item->serial ||
               bytes_equal(BYTES_OF(found.digest), BYTES_OF(item->digest)),
           ERR_DENIED, "manifest: the anchor knows another one of this serial; apply a newer one");
    *current = found.serial == item->serial && !found.sealed;
    if (*current)
        return OK;
    item->sealed = false;
    item->counter++;
    item_mac(item, &key);
    return OK;
}

// Whose write came first does not matter (a manifest's of this enclave, another enclave): what a
// seal is put over is genuine and not older than what this enclave has seen.
bool anchor_seal_over(struct state *state, size_t at, const struct msg_anchor_answer *m)
{
    struct state_sealed *sealed = &state->sealed[at];
    struct anchor_item found, *ours = &sealed->item;
    const struct seckey *key = sealed_key(state, sealed);
    struct bytes mac = bytes_skip(m->item, ANCHOR_ITEM_BYTES - sizeof(ours->mac));

    if (bytes_equal(mac, BYTES_OF(ours->mac))) { // a write whose answer was lost
        sealed_stands(state, sealed, ours);
        return false;
    }
    if (ct_is_zero(BYTES_OF(key->b)) || item_check(state, &found, &ours->keyset, key, m).code ||
        found.counter < ours->counter || found.serial < ours->serial)
        return false;
    if (found.sealed) {
        sealed_stands(state, sealed, &found);
        return false;
    }
    *ours = found;
    ours->sealed = true;
    ours->counter++;
    item_mac(ours, key);
    return true;
}

void anchor_unseal(struct state *state)
{
    ct_wipe(state->secret->sealed_key, sizeof(state->secret->sealed_key));
}
