// SPDX-License-Identifier: Apache-2.0
#include "vault/admin.h"

#include "base/must.h"
#include "crypto/openssl/sha2.h"
#include "proto/approval.h"
#include "proto/tag.h"
#include "vault/access.h"
#include "vault/anchor.h"
#include "vault/deployment.h"
#include "vault/limits.h"
#include "vault/pending.h"
#include "vault/tls.h"

#include <string.h>

// As in the keyset's receipt, so that administrators can take it from there.
static struct err keyset_digest(uint8_t out[static 32], const struct keyset *keyset)
{
    static uint8_t public_fields[KEYSET_BYTES_MAX];
    struct wr wr = WR_OF(public_fields);
    struct bytes field;

    keyset_write_public(&wr, keyset);
    TRY(wr_end(&wr));
    field = wr_done(&wr);
    tag_hash(out, TAG_KEYSET, &field, 1);
    return OK;
}

struct err admin_admits(const struct state *state, const struct keyset *keyset)
{
    uint8_t digest[32];

    if (state->config.admins == 0)
        return OK;
    TRY(keyset_digest(digest, keyset));
    ENSURE(manifest_admits(&state->manifest, &keyset->id, digest), ERR_DENIED,
           "keyset: not admitted by the administrators' manifest");
    return OK;
}

void admin_note_keyset(struct state *state, const struct keyset *keyset)
{
    struct keyring_entry *entry = keyring_entry_of(&state->secret->keyring, &keyset->id);

    if (entry && keyset_digest(entry->digest, keyset).code)
        ct_wipe(entry->digest, sizeof(entry->digest));
}

struct err admin_allows(const struct state *state, const struct id *account, uint32_t generation)
{
    ENSURE(!manifest_disables(&state->manifest, account), ERR_DENIED,
           "account: disabled by the administrators' manifest");
    ENSURE(generation >= manifest_floor(&state->manifest, account), ERR_DENIED,
           "record: of an older generation than the administrators' manifest asks for");
    return OK;
}

// Asks the front to write an item, or to look whether it stands there.
static struct err anchoring_ask(struct turn *turn, enum msg_step_kind kind,
                                const struct anchor_item *item)
{
    struct state *state = turn->state;

    state->anchoring.operation = ++state->last_operation;
    state->anchoring.until = deadline_in(VAULT_PENDING_MS);
    state->anchoring.waits_for = kind;
    anchor_ask(turn, kind, state->anchoring.operation, item);
    return OK;
}

static struct err anchoring_done(struct turn *turn)
{
    turn->state->anchoring.operation = 0;
    msg_write_step(turn->out, &(struct msg_step) { .kind = MSG_STEP_DONE });
    return OK;
}

// Accounts are closed in any case: they are opened again by their records. TLS keys stay as long as
// they may, so that new clients do not interrupt the old ones.
static void keysets_closed(struct state *state)
{
    accounts_close_all(&state->secret->accounts);
    tls_enforce(state);
    if (state->phase == PHASE_READY && keyring_count(&state->secret->keyring) == 0)
        state->phase = PHASE_CONFIGURED;
}

// Closes every keyset that the manifest no longer admits.
static void manifest_enforce(struct state *state)
{
    struct keyring *ring = &state->secret->keyring;

    pending_drop_all(state);
    for (size_t i = 0; i < ARRAY_LEN(ring->entry); i++)
        if (ring->entry[i].used &&
            !manifest_admits(&state->manifest, &ring->entry[i].id, ring->entry[i].digest))
            keyring_drop(&ring->entry[i]);
    keysets_closed(state);
}

// The same manifest again is fine (a retry), another one must be newer.
static struct err manifest_newer(const struct state *state, const struct manifest *next,
                                 struct bytes bytes)
{
    if (next->serial == state->manifest.serial && bytes_equal(bytes, state->manifest_view))
        return OK;
    ENSURE(next->serial > state->manifest.serial, ERR_DENIED,
           "manifest.serial: expected a larger one than that of the manifest in force");
    return OK;
}

// Into the one of the two places that is not in force; views into our own copy.
static struct err manifest_copy(struct state *state, struct bytes manifest)
{
    uint8_t *room = state->manifest_bytes[state->manifest_view.p == state->manifest_bytes[0]];

    must(manifest.n <= MANIFEST_BYTES_MAX);
    memcpy(room, manifest.p, manifest.n);
    state->next_view = bytes_of(room, manifest.n);
    sha2_256(state->next_digest, state->next_view);
    return manifest_read(&state->next, state->next_view);
}

// An open keyset whose item has another manifest; NULL when there is none.
static struct keyring_entry *manifest_differs(struct state *state, uint64_t serial)
{
    struct keyring *ring = &state->secret->keyring;

    for (size_t i = 0; anchor_used(state) && i < ARRAY_LEN(ring->entry); i++)
        if (ring->entry[i].used && ring->entry[i].item.serial != serial)
            return &ring->entry[i];
    return NULL;
}

// Writes the next item; when all hold the manifest, it is in force.
static struct err manifest_go_on(struct turn *turn)
{
    struct state *state = turn->state;
    struct keyring_entry *entry = manifest_differs(state, state->next.serial);
    struct anchor_item *item = &state->anchoring.item;

    if (entry) {
        *item = entry->item;
        item->counter++;
        anchor_set_manifest(item, state->next.serial, state->next_digest);
        TRY(anchor_set_mac(item, &entry->key));
        state->anchored = false;
        return anchoring_ask(turn, MSG_STEP_ANCHOR_WRITE, item);
    }
    state->manifest = state->next;
    state->manifest_view = state->next_view;
    memcpy(state->manifest_digest, state->next_digest, sizeof(state->manifest_digest));
    if (state->phase != PHASE_SEALED) // then it is the seal that stands there, or does not
        state->anchored = anchor_used(state) && keyring_count(&state->secret->keyring) > 0;
    manifest_enforce(state);
    return anchoring_done(turn);
}

// The old manifest stays in force, and nothing is signed under it for a keyset whose item may have
// the new one already.
static void manifest_give_up(struct state *state)
{
    struct keyring_entry *entry =
        keyring_entry_of(&state->secret->keyring, &state->anchoring.item.keyset);

    if (entry)
        keyring_drop(entry);
    while ((entry = manifest_differs(state, state->manifest.serial)))
        keyring_drop(entry);
    keysets_closed(state);
    state->anchored = false;
    state->anchoring.operation = 0;
}

static struct err manifest_anchored(struct turn *turn, const struct msg_anchor_answer *m)
{
    struct state *state = turn->state;
    struct anchor_item *item = &state->anchoring.item;
    struct keyring_entry *entry = keyring_entry_of(&state->secret->keyring, &item->keyset);

    if (m->outcome == MSG_ANCHOR_WRITTEN) {
        if (entry)
            entry->item = *item;
        return manifest_go_on(turn);
    }
    manifest_give_up(state);
    ENSURE(m->outcome == MSG_ANCHOR_CONFLICT, ERR_UNREACHABLE,
           "manifest: not in force, keysets closed: the anchor does not answer; apply it again");
    return FAIL(ERR_EXISTS, "manifest: not in force, keysets closed: another enclave has changed "
                            "the anchor; apply it again");
}

struct err admin_manifest(struct turn *turn)
{
    struct state *state = turn->state;
    struct manifest_signed m;
    struct manifest next;
    uint8_t message[32];

    TRY(manifest_signed_read(&m, turn->body));
    TRY(manifest_read(&next, m.manifest));
    ENSURE(id_equal(&next.deployment, &state->config.deployment), ERR_MISMATCH,
           "manifest.deployment: not this deployment");
    TRY(access_admits(state, &next));
    manifest_message(message, m.manifest);
    TRY(approval_check(&state->config, message, m.signatures));
    TRY(manifest_newer(state, &next, m.manifest));
    if (state->anchoring.operation) {
        ENSURE(deadline_left_ms(state->anchoring.until) == 0, ERR_BUSY,
               "manifest: the anchor is being written; try again");
        manifest_give_up(state); // the front has not come back
    }
    TRY(manifest_copy(state, m.manifest));
    return manifest_go_on(turn);
}

// The vault's own keys go too: who kept KMS's answers of this boot could open keysets with them
// again, without asking KMS.
void admin_lock(struct state *state)
{
    struct keyring *ring = &state->secret->keyring;

    if (anchor_used(state))
        anchor_seal(state);
    accounts_close_all(&state->secret->accounts);
    pending_drop_all(state);
    for (size_t i = 0; i < ARRAY_LEN(ring->entry); i++)
        keyring_drop(&ring->entry[i]);
    tls_close_all(state);
    deployment_forget_keys(state);
    state->seals++;
    state->anchored = anchor_seals_stand(state);
    state->anchoring.operation = 0;
    state->phase = PHASE_SEALED;
}

static struct err seal_write(struct turn *turn)
{
    struct state_anchoring *anchoring = &turn->state->anchoring;

    anchoring->writes++;
    return anchoring_ask(turn, MSG_STEP_ANCHOR_WRITE, &turn->state->sealed[anchoring->at].item);
}

// Writes the next item that is not written; at the end says whether all are.
static struct err seal_go_on(struct turn *turn)
{
    struct state *state = turn->state;
    size_t *at = &state->anchoring.at;

    for (; *at < ARRAY_LEN(state->sealed); ++*at)
        if (state->sealed[*at].item.counter > 0 && !state->sealed[*at].written)
            return seal_write(turn);
    state->anchored = anchor_seals_stand(state);
    return anchoring_done(turn);
}

// After a conflict a look at what stands there, and, if need be, the seal is written over it.
static struct err seal_anchored(struct turn *turn, const struct msg_anchor_answer *m)
{
    struct state *state = turn->state;
    struct state_anchoring *anchoring = &state->anchoring;
    struct state_sealed *sealed = &state->sealed[anchoring->at];
    bool wrote = anchoring->waits_for == MSG_STEP_ANCHOR_WRITE;

    if (wrote && m->outcome == MSG_ANCHOR_CONFLICT)
        return anchoring_ask(turn, MSG_STEP_ANCHOR_READ, &sealed->item);
    if (wrote && m->outcome == MSG_ANCHOR_WRITTEN)
        anchor_seal_stands(state, anchoring->at);
    if (!wrote && anchor_seal_over(state, anchoring->at, m) &&
        anchoring->writes < VAULT_SEAL_WRITES)
        return seal_write(turn);
    anchoring->at++;
    anchoring->writes = 0;
    return seal_go_on(turn);
}

struct err admin_anchored(struct turn *turn, const struct msg_anchor_answer *m)
{
    return turn->state->phase == PHASE_SEALED ? seal_anchored(turn, m) : manifest_anchored(turn, m);
}

// Wipes first and writes then. Again while SEALED: writes what the anchor has not got.
struct err admin_seal(struct turn *turn)
{
    struct state *state = turn->state;

    if (state->phase != PHASE_SEALED)
        admin_lock(state);
    state->anchoring.at = 0;
    state->anchoring.writes = 0;
    return seal_go_on(turn);
}

struct err admin_unseal(struct turn *turn)
{
    struct state *state = turn->state;
    struct rd rd = rd_of(turn->body);
    struct bytes approvals = approval_read_list(&rd);
    uint8_t message[32];

    TRY(rd_end(&rd));
    approval_unseal_message(message, &state->config.deployment, &state->boot, state->seals);
    TRY(approval_check(&state->config, message, approvals));
    TRY(deployment_make_keys(state));
    anchor_unseal(state);
    state->anchored = false;
    state->anchoring.operation = 0;
    state->phase = PHASE_CONFIGURED;
    return OK;
}
