// SPDX-License-Identifier: Apache-2.0
// The signature section of an Enclave Image: CBOR, a list of one map with the certificate's PEM
// text and a COSE_Sign1 over {register_index: 0, register_value: PCR0}, both as lists of small
// integers. The hypervisor measures the certificate into PCR8. Who may include it: cli.
#pragma once

#include "cli/eif.h"
#include "cli/openssl/codesign.h"
#include "crypto/cose.h"

struct eifsig {
    struct codesign cert;
    uint8_t pcr8[EIF_PCR_BYTES];
    uint8_t pcr0[EIF_PCR_BYTES]; // that the signature speaks of
    struct cose cose;            // views into cose_buf
    uint8_t cose_buf[1024];
};

// Reads without verifying. ERR_MALFORMED or ERR_UNSUPPORTED names the field.
FALLIBLE eifsig_read(struct eifsig *out, struct bytes section);
// ERR_UNTRUSTED unless the certificate's key signed the image with this PCR0.
FALLIBLE eifsig_verify(const struct eifsig *sig, const uint8_t pcr0[static EIF_PCR_BYTES]);
// Signs PCR0 (codesign_sign) and writes the section.
FALLIBLE eifsig_write(struct wr *out, const struct codesign *cert, struct bytes key_pem,
                      const uint8_t pcr0[static EIF_PCR_BYTES]);
