// SPDX-License-Identifier: Apache-2.0
#include "vault/anchor.h"

#include "base/must.h"
#include "crypto/openssl/mac.h"
#include "proto/tag.h"
#include "vault/admin.h"

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

struct err anchor_set_mac(struct anchor_item *item, const struct seckey *keyset_key)
{
    AUTO(seckey_wipe) struct seckey key = { 0 };
    uint8_t message[32];

    TRY(mac_hkdf256(&key, keyset_key, bytes_of(TAG_ANCHOR_KEY, sizeof(TAG_ANCHOR_KEY))));
    anchor_message(message, item);
    mac_hmac256_key(item->mac, &key, BYTES_OF(message));
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

// The item in the list of sealed ones, or a place for one: a free one, else the first.
static struct state_sealed *sealed_place(struct state *state, const struct id *keyset)
{
    struct state_sealed *place = &state->sealed[0];

    for (size_t i = 0; i < ARRAY_LEN(state->sealed); i++) {
        if (id_equal(&state->sealed[i].item.keyset, keyset))
            return &state->sealed[i];
        if (place->item.counter > 0 && state->sealed[i].item.counter == 0)
            place = &state->sealed[i];
    }
    return place;
}

void anchor_note_sealed(struct state *state, const struct anchor_item *item, bool written)
{
    *sealed_place(state, &item->keyset) = (struct state_sealed) { written, *item };
}

void anchor_forget_sealed(struct state *state, const struct id *keyset)
{
    struct state_sealed *place = sealed_place(state, keyset);

    if (id_equal(&place->item.keyset, keyset))
        *place = (struct state_sealed) { 0 };
}

// Sealed, and no approval of this boot can have meant it: then it holds at once.
static struct err sealed_obey(struct state *state, const struct anchor_item *found)
{
    if (!found->sealed ||
        bytes_equal(BYTES_OF(sealed_place(state, &found->keyset)->item.mac), BYTES_OF(found->mac)))
        return OK;
    anchor_note_sealed(state, found, true);
    admin_lock(state);
    state->anchored = true;
    return FAIL(ERR_PHASE, "keyset: sealed in the anchor; administrators have to unseal");
}

// Form, keyset, MAC and version of what was read.
static struct err item_check(const struct state *state, struct anchor_item *found,
                             const struct id *keyset, const struct seckey *keyset_key,
                             const struct msg_anchor_answer *m)
{
    struct anchor_item ours;

    TRY(anchor_expect(m, MSG_ANCHOR_FOUND));
    TRY(anchor_read(found, m->item));
    ENSURE(id_equal(&found->deployment, &state->config.deployment) &&
               id_equal(&found->keyset, keyset),
           ERR_MISMATCH, "anchor: the item is of another deployment or keyset");
    ours = *found;
    TRY(anchor_set_mac(&ours, keyset_key));
    ENSURE(ct_equal(BYTES_OF(ours.mac), BYTES_OF(found->mac)), ERR_UNTRUSTED,
           "anchor: the item's MAC is not that of this keyset's key");
    ENSURE(found->counter == m->version && found->counter < UINT64_MAX, ERR_UNTRUSTED,
           "anchor: the item's counter is not its version");
    return OK;
}

struct err anchor_judge(struct state *state, struct anchor_item *item, bool *current,
                        const struct seckey *keyset_key, const struct msg_anchor_answer *m)
{
    struct anchor_item found;

    TRY(item_check(state, &found, &item->keyset, keyset_key, m));
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
    return anchor_set_mac(item, keyset_key);
}
