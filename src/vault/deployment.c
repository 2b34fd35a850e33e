// SPDX-License-Identifier: Apache-2.0
#include "vault/deployment.h"

#include "base/ct.h"
#include "base/must.h"
#include "proto/receipt.h"
#include "vault/entropy.h"
#include "vault/tls.h"

#include <string.h>

static struct err pcr16_expect(struct state *state, const uint8_t value[static 48], bool locked)
{
    uint8_t now[ATTEST_PCR_BYTES];
    bool is_locked = false;

    TRY(nsm_describe_pcr(&state->nsm, NSM_PCR_CONFIG, now, &is_locked));
    ENSURE(is_locked == locked, ERR_DEVICE, "PCR16: its lock is not as it must be");
    ENSURE(ct_equal(BYTES_OF(now), bytes_of(value, sizeof(now))), ERR_DEVICE,
           "PCR16: its value is not as it must be");
    return OK;
}

struct err deployment_boot(struct state *state)
{
    static uint8_t document[ATTEST_BYTES_MAX];
    static const uint8_t zero[ATTEST_PCR_BYTES];
    struct wr wr = WR_OF(document);
    uint64_t timestamp_ms = 0;

    TRY(pcr16_expect(state, zero, false));
    TRY(nsm_attest(&state->nsm, &(struct nsm_request) { 0 }, &wr, &timestamp_ms));
    clock_feed(&state->clock, timestamp_ms);
    TRY(entropy_id(&state->nsm, &state->boot));
    TRY(deployment_make_keys(state));
    state->phase = PHASE_UNCONFIGURED;
    return OK;
}

struct err deployment_make_keys(struct state *state)
{
    AUTO(seckey_wipe) struct seckey scalar = { 0 };

    deployment_forget_keys(state);
    TRY(entropy_seed(&state->nsm));
    TRY(rsa_key_new(&state->recipient));
    TRY(rsa_key_spki(state->recipient, state->recipient_spki));
    TRY(entropy_key(&state->nsm, &scalar));
    TRY(hpke_key_of(&state->import_key, &scalar));
    return hpke_key_public(state->import_key, state->import_public);
}

void deployment_forget_keys(struct state *state)
{
    rsa_key_free(&state->recipient);
    hpke_key_free(&state->import_key);
    ct_wipe(state->import, sizeof(state->import));
}

struct err deployment_status(struct turn *turn)
{
    const struct state *state = turn->state;
    struct msg_status status = {
        .phase = (uint8_t)state->phase,
        .boot = state->boot,
        .now_ms = clock_now_ms(&state->clock),
        .sequence = state->sequence,
        .accounts_open = state->secret->accounts.used,
        .accounts_slots = VAULT_ACCOUNTS,
        .manifest_serial = state->manifest.serial,
        .seals = state->seals,
        .anchored = state->anchored,
    };

    memcpy(status.audit_head, state->audit_head, sizeof(status.audit_head));
    memcpy(status.pcr16, state->pcr16, sizeof(status.pcr16));
    for (size_t i = 0; i < ARRAY_LEN(state->secret->keyring.entry); i++) {
        const struct keyring_entry *entry = &state->secret->keyring.entry[i];

        if (!entry->used)
            continue;
        status.keyset[status.keysets_open] = entry->id;
        status.keyset_name[status.keysets_open++] = bytes_of(entry->name, entry->name_len);
    }
    msg_write_status(turn->out, &status);
    return OK;
}

// A release enclave in debug mode (its console readable by the parent) has PCR0 zero.
static struct err debug_refuse(const struct state *state)
{
    uint8_t pcr0[ATTEST_PCR_BYTES];
    bool locked = false;

    if (!state->env->release)
        return OK;
    ENSURE(state->config.anchor != CONFIG_ANCHOR_FILE, ERR_DENIED,
           "anchor: the kind file is for development only");
    TRY(nsm_describe_pcr(&state->nsm, 0, pcr0, &locked));
    ENSURE(!ct_is_zero(BYTES_OF(pcr0)), ERR_DENIED,
           "configure: this enclave runs in debug mode (PCR0 is zero)");
    return OK;
}

// Extends, locks and compares. Whatever fails here leaves a PCR in an unknown state: fatal.
static struct err measure(struct state *state, struct bytes canonical)
{
    static const uint8_t zero[ATTEST_PCR_BYTES];
    uint8_t digest[48], now[ATTEST_PCR_BYTES], expected[48];

    config_digest(digest, canonical);
    config_pcr16(expected, canonical);
    TRY(pcr16_expect(state, zero, false));
    TRY(nsm_extend_pcr(&state->nsm, NSM_PCR_CONFIG, BYTES_OF(digest), now));
    TRY(nsm_lock_pcr(&state->nsm, NSM_PCR_CONFIG));
    TRY(nsm_lock_pcrs(&state->nsm, ATTEST_PCRS));
    TRY(pcr16_expect(state, expected, true));
    memcpy(state->pcr16, expected, sizeof(expected));
    return OK;
}

struct err deployment_configure(struct turn *turn)
{
    struct state *state = turn->state;
    struct bytes copy;
    struct err err;

    must(turn->body.n <= sizeof(state->config_bytes));
    TRY(config_read(&state->config, turn->body));
    TRY(debug_refuse(state));
    memcpy(state->config_bytes, turn->body.p, turn->body.n);
    copy = bytes_of(state->config_bytes, turn->body.n);
    TRY(config_read(&state->config, copy)); // views into our own copy
    err = measure(state, copy);
    if (err.code) {
        state->fatal = true;
        return err;
    }
    state->config_len = copy.n;
    state->phase = PHASE_CONFIGURED;
    return OK;
}

struct err deployment_config(struct turn *turn)
{
    wr_bytes(turn->out, bytes_of(turn->state->config_bytes, turn->state->config_len));
    return OK;
}

static struct err document_for(struct state *state, const struct nsm_request *request,
                               struct wr *out)
{
    uint64_t timestamp_ms = 0;

    TRY(nsm_attest(&state->nsm, request, out, &timestamp_ms));
    clock_feed(&state->clock, timestamp_ms);
    return OK;
}

struct err deployment_kms_document(struct state *state, struct wr *out)
{
    struct nsm_request request = { .public_key = BYTES_OF(state->recipient_spki) };

    return document_for(state, &request, out);
}

// A token bucket as one number (the generic cell rate algorithm, ITU-T I.371).
struct err deployment_admit(struct state *state)
{
    int64_t now = deadline_now_ms();
    int64_t next = (state->documents_ms > now ? state->documents_ms : now) + VAULT_DOCUMENT_MS;

    ENSURE(next - now <= VAULT_DOCUMENT_MS * VAULT_DOCUMENT_BURST, ERR_BUSY,
           "attestation: more than 100 documents a second; try again");
    state->documents_ms = next;
    return OK;
}

struct err deployment_receipt(struct state *state, struct bytes user_data, struct bytes nonce,
                              struct wr *out)
{
    struct nsm_request request = {
        .user_data = user_data,
        .nonce = nonce.n ? nonce : BYTES_NONE,
    };

    return document_for(state, &request, out);
}

struct err deployment_attestation(struct turn *turn)
{
    struct state *state = turn->state;
    struct rd rd = rd_of(turn->body);
    uint8_t user_data[192];
    struct receipt_tls key;
    struct wr wr = WR_OF(user_data);
    struct receipt_status status = {
        .phase = (uint8_t)state->phase,
        .boot = state->boot,
        .sequence = state->sequence,
        .manifest_serial = state->manifest.serial,
        .seals = state->seals,
        .anchor = (uint8_t)(state->config_len ? state->config.anchor : CONFIG_ANCHOR_NONE),
        .anchored = state->anchored,
    };

    struct msg_attestation m;

    TRY(msg_read_attestation(&m, &rd));
    if (m.key.n)
        TRY(tls_attested(state, m.key, &key));
    TRY(deployment_admit(state));
    memcpy(status.manifest_digest, state->manifest_digest, sizeof(status.manifest_digest));
    memcpy(status.audit_head, state->audit_head, sizeof(status.audit_head));
    if (m.key.n)
        receipt_write_tls(&wr, &key, &status);
    else
        receipt_write_status(&wr, &status);
    TRY(wr_end(&wr));
    return deployment_receipt(state, wr_done(&wr), m.nonce, turn->out);
}
