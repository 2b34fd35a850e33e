// SPDX-License-Identifier: Apache-2.0
// COSE_Sign1 (RFC 9052 4.2) with ES384, tagged (18) or not, as attestation documents are.
#pragma once

#include "base/bytes.h"
#include "base/err.h"
#include "base/wr.h"

// The only protected header there is: {1: -35}.
#define COSE_HEADER_ES384 BYTES_LIT("\xa1\x01\x38\x22")

struct cose {
    struct bytes protected_header; // as received, inside its byte string
    struct bytes payload;
    uint8_t signature[96]; // r || s
};

// ERR_MALFORMED unless it is exactly such a structure with {1: -35} and nothing after it.
FALLIBLE cose_parse(struct cose *cose, struct bytes document);
// Writes the Sig_structure (RFC 9052 4.4) over the bytes as received.
void cose_signed_bytes(struct wr *wr, const struct cose *cose);
// Writes an untagged COSE_Sign1 from its parts (the emulated NSM's side).
void cose_write(struct wr *wr, const struct cose *cose);
