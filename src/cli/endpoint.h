// SPDX-License-Identifier: Apache-2.0
// An enclave's data plane as an outsider meets it: one TLS connection, the document that comes over
// it, and the key that this very connection has proved. The certificate in the handshake is not
// judged, neither chain nor names: the attestation takes their place. Who may include it: cli.
#pragma once

#include "base/deadline.h"
#include "cli/out.h"
#include "cli/proof.h"

#define ENDPOINT_NONCE_LEAST 16U // bytes; the server takes no shorter one
#define ENDPOINT_NONCE_BYTES 32U // of one that is chosen here

struct endpoint {
    struct bytes document; // not verified; valid until the next call
    uint8_t spki_sha256[32];
    unsigned status; // of the HTTP answer; 0 when none came
};

// True for SCHEME://...: what is not https is refused, and never looked for as a file.
bool endpoint_is_url(const char *text);
// ERR_MALFORMED unless it is https://HOST[:PORT].
FALLIBLE endpoint_check_url(const char *url);
// GET /attestation?nonce= on one connection to https://HOST[:PORT]; nothing is followed anywhere
// else. ERR_UNREACHABLE, ERR_CLOSED, ERR_TIMEOUT when nobody answers, or has no time; other codes
// when what answers is no data plane.
FALLIBLE endpoint_fetch(struct endpoint *out, const char *url, struct bytes nonce,
                        struct deadline until);
// The checks of proof_check_tls one by one, each with what it means, as the table "checks". It only
// explains: the verdict is proof_check_tls's.
void endpoint_explain(struct out *out, const struct proof_trust *trust,
                      const struct proof_tls *asked);
