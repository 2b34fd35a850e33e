// SPDX-License-Identifier: Apache-2.0
// TLS keys: opened from their records, and used for two things only. A signature of a server's
// handshake, whose input the vault puts together, and certificates and requests that it writes
// itself. No other bytes are ever signed with them, and the front, which does TLS, never has one.
#pragma once

#include "proto/receipt.h"
#include "vault/state.h"

FALLIBLE tls_open(struct turn *turn);
FALLIBLE tls_sign(struct turn *turn);
FALLIBLE tls_certify(struct turn *turn);
// What attestation says of an open key. ERR_NOT_FOUND, or ERR_DENIED when the key was not generated
// inside: others may have it.
FALLIBLE tls_attested(struct state *state, struct bytes key, struct receipt_tls *out);
// Wipes the keys whose keyset is not open any more or that the manifest in force does not allow.
void tls_enforce(struct state *state);
void tls_close_all(struct state *state);
