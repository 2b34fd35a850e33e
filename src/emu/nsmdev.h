// SPDX-License-Identifier: Apache-2.0
// The emulated Nitro Security Module: 32 PCRs, their locks, random bytes and attestation documents
// that are really signed. Speaks the CBOR of /dev/nsm byte for byte (aws-nitro-enclaves-nsm-api).
#pragma once

#include "base/wr.h"

#include <stdint.h>

#define NSMDEV_PCRS         32
#define NSMDEV_PCR_BYTES    48
#define NSMDEV_REQUEST_MAX  4096
#define NSMDEV_RESPONSE_MAX 12288

struct nsmdev;

// What the hypervisor measured before the enclave's first instruction.
struct nsmdev_pcrs {
    uint8_t image[NSMDEV_PCR_BYTES];       // PCR0
    uint8_t boot[NSMDEV_PCR_BYTES];        // PCR1
    uint8_t application[NSMDEV_PCR_BYTES]; // PCR2
    uint8_t role[NSMDEV_PCR_BYTES];        // PCR3; zero without a role
    uint8_t instance[NSMDEV_PCR_BYTES];    // PCR4
    uint8_t signer[NSMDEV_PCR_BYTES];      // PCR8; zero when the image is not signed
};

struct nsmdev_options {
    struct nsmdev_pcrs pcrs;
    const char *pki;         // directory of the development PKI
    const char *region;      // in certificate names
    const char *instance_id; // "i-" and 17 hex digits
    const char *module_id;   // the instance id, "-enc" and 16 hex digits
    int64_t clock_skew_s;    // added to the system's clock in timestamps and certificates
    bool debug;              // PCR0, 1 and 2 are zero, as with nitro-cli --debug-mode
};

// A module as it is when an enclave starts: PCRs 0 to 15 set and locked, the others zero. Strings
// are copied. One caller at a time. Free with nsmdev_free, which accepts NULL inside.
FALLIBLE nsmdev_new(struct nsmdev **out, const struct nsmdev_options *options);
void nsmdev_free(struct nsmdev **dev);
// Answers one request. Whatever the request is, there is an answer: errors are answers, too.
void nsmdev_answer(struct nsmdev *dev, struct wr *answer, struct bytes request);
