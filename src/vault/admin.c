// SPDX-License-Identifier: Apache-2.0
#include "vault/admin.h"

#include "base/must.h"
#include "proto/approval.h"
#include "proto/tag.h"
#include "vault/deployment.h"
#include "vault/pending.h"

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

struct err admin_allows(const struct state *state, const struct record *record)
{
    ENSURE(!manifest_disables(&state->manifest, &record->id), ERR_DENIED,
           "account: disabled by the administrators' manifest");
    ENSURE(record->generation >= manifest_floor(&state->manifest, &record->id), ERR_DENIED,
           "record: of an older generation than the administrators' manifest asks for");
    return OK;
}

// Closes every keyset that the manifest no longer admits. Accounts are closed in any case: they are
// opened again, under the new rules, by their records.
static void manifest_enforce(struct state *state)
{
    struct keyring *ring = &state->secret->keyring;

    accounts_close_all(&state->secret->accounts);
    pending_drop_all(state);
    for (size_t i = 0; i < ARRAY_LEN(ring->entry); i++)
        if (ring->entry[i].used &&
            !manifest_admits(&state->manifest, &ring->entry[i].id, ring->entry[i].digest))
            keyring_drop(&ring->entry[i]);
    if (state->phase == PHASE_READY && keyring_count(ring) == 0)
        state->phase = PHASE_CONFIGURED;
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
    manifest_message(message, m.manifest);
    TRY(approval_check(&state->config, message, m.signatures));
    TRY(manifest_newer(state, &next, m.manifest));
    must(m.manifest.n <= sizeof(state->manifest_bytes));
    memcpy(state->manifest_bytes, m.manifest.p, m.manifest.n);
    state->manifest_view = bytes_of(state->manifest_bytes, m.manifest.n);
    TRY(manifest_read(&state->manifest, state->manifest_view)); // views into our own copy
    manifest_enforce(state);
    return OK;
}

// The vault's own keys go too: who kept KMS's answers of this boot could open keysets with them
// again, without asking KMS.
struct err admin_seal(struct turn *turn)
{
    struct state *state = turn->state;
    struct keyring *ring = &state->secret->keyring;

    accounts_close_all(&state->secret->accounts);
    pending_drop_all(state);
    for (size_t i = 0; i < ARRAY_LEN(ring->entry); i++)
        keyring_drop(&ring->entry[i]);
    deployment_forget_keys(state);
    state->seals++;
    state->phase = PHASE_SEALED;
    return OK;
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
    state->phase = PHASE_CONFIGURED;
    return OK;
}
