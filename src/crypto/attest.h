// SPDX-License-Identifier: Apache-2.0
// Nitro attestation documents: reading, and verification against a pinned root (AWS Nitro Enclaves
// "Attestation process" document). Nothing in a document may be used before attest_verify said OK.
#pragma once

#include "base/bytes.h"
#include "base/err.h"
#include "crypto/openssl/x509.h"

#define ATTEST_PCRS      32
#define ATTEST_PCR_BYTES 48
#define ATTEST_BYTES_MAX 16384
#define ATTEST_USER_MAX  512
#define ATTEST_NONCE_MAX 512
#define ATTEST_FRESH_MS  300000 // live documents: within five minutes of now

struct attest {
    struct bytes module_id; // text
    uint64_t timestamp_ms;  // Unix, signed by the hypervisor
    uint32_t pcr_present;   // bit i: PCR i is in the document
    uint8_t pcr[ATTEST_PCRS][ATTEST_PCR_BYTES];
    struct bytes certificate;
    struct bytes bundle[X509_CHAIN_MAX]; // root first
    size_t bundle_len;
    bool has_public_key, has_user_data, has_nonce; // false: null or absent
    struct bytes public_key, user_data, nonce;
};

// Reads without verifying (to show, or to find the time at which to verify). Views point into
// `document`. ERR_MALFORMED names the field.
FALLIBLE attest_parse(struct attest *out, struct bytes document);
// Reads and verifies signature and path to `root_der`, certificates valid at `at_ms`; with at_ms
// 0 at the document's own timestamp (receipts). Refuses an all-zero PCR0 (debug mode) unless
// `allow_debug`. Freshness, PCRs, nonce and user data are the caller's to compare.
FALLIBLE attest_verify(struct attest *out, struct bytes document, struct bytes root_der,
                       uint64_t at_ms, bool allow_debug);
// ERR_EXPIRED unless the document's time lies within ATTEST_FRESH_MS of now.
FALLIBLE attest_fresh(const struct attest *doc, uint64_t now_ms);
// All bytes zero or the PCR absent.
bool attest_pcr_is_zero(const struct attest *doc, unsigned index);
// The next value of a PCR: SHA-384(old || data).
void attest_pcr_extend(uint8_t pcr[static ATTEST_PCR_BYTES], struct bytes data);
