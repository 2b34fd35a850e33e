// SPDX-License-Identifier: Apache-2.0
// A private key on its way into the enclave: what was asked of the service, whom it is sealed to,
// and the envelope. It leaves this machine only sealed to an import key of which a live attestation
// document says: made by trusted code, under the trusted configuration, for these very terms. Who
// may include it: cli.
#pragma once

#include "cli/cli.h"
#include "crypto/openssl/hpke.h"
#include "proto/offer.h"
#include "proto/policy.h"

#define SEALING_PLAINTEXT_MAX 160U // 32 key, three ids, two hashes

struct sealing {
    struct seckey key; // set by the caller
    struct id id;      // which the vault chose for it
    uint8_t public_key[HPKE_PUBLIC_BYTES];
    struct offer_terms terms;
    uint8_t digest[32];
    uint8_t enc[HPKE_ENC_BYTES];
    uint8_t sealed[SEALING_PLAINTEXT_MAX + HPKE_TAG_BYTES];
    size_t sealed_len;
    uint8_t nonce[CLI_NONCE_BYTES]; // of the receipt
};

// What is imported: where the service takes it, how it calls the id, and under which policy.
struct sealing_kind {
    const char *target; // "/v1/imports": begin; with /ID behind it: finish
    const char *id_field;
    enum policy_kind policy;
};

// `AUTO(sealing_wipe) struct sealing sealing = { 0 };`
void sealing_wipe(struct sealing *sealing);
// Begins with the body that the caller wrote, which asks with `nonce`, verifies whom the key would
// be sealed to, and seals it. The keyset must be one that the trust file names, or administrators
// admit them: else nobody knows whose it is. Sets the exit code. ERR_UNTRUSTED.
FALLIBLE sealing_begin(struct cli *cli, struct sealing *sealing, const struct sealing_kind *kind,
                       struct bytes body, struct bytes nonce);
// Sends the envelope. *answer is what the service made of it: to be verified with sealing->nonce.
FALLIBLE sealing_finish(struct cli *cli, struct sealing *sealing, const struct sealing_kind *kind,
                        const struct json **answer);
