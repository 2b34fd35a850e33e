// SPDX-License-Identifier: Apache-2.0
// What the vault says of itself and how it is bound to one deployment: status, configuration with
// its measurement into PCR16, and attestation for clients.
#pragma once

#include "vault/state.h"

// Boot id, first timestamp, own keys. PCR16 must be zero and unlocked, else ERR_DEVICE.
FALLIBLE deployment_boot(struct state *state);
// New keys of the vault's own: the one that KMS seals to and the one that owners seal to. What was
// sealed to older ones opens no more.
FALLIBLE deployment_make_keys(struct state *state);
// Wipes both, and the imports that wait for an envelope.
void deployment_forget_keys(struct state *state);
FALLIBLE deployment_status(struct turn *turn);
FALLIBLE deployment_configure(struct turn *turn);
FALLIBLE deployment_config(struct turn *turn);
FALLIBLE deployment_attestation(struct turn *turn);
// A document for KMS: the recipient key as public_key, nothing else. Appended to `out`.
FALLIBLE deployment_kms_document(struct state *state, struct wr *out);
// Before a document that somebody else asked for: ERR_BUSY when too many were (vault/limits.h).
FALLIBLE deployment_admit(struct state *state);
// A receipt: user_data as given (proto/receipt.h), the client's nonce or none.
FALLIBLE deployment_receipt(struct state *state, struct bytes user_data, struct bytes nonce,
                            struct wr *out);
