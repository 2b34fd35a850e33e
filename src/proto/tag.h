// SPDX-License-Identifier: Apache-2.0
// Domain-separated hashing of our own structures: SHA-256 over the tag, a zero byte, and each
// field with its length (u32) before it. The tags of all structures stand here and nowhere else.
#pragma once

#include "base/bytes.h"

#define TAG_CONFIG       "cloister-config-1"       // SHA-384 into PCR16
#define TAG_RECEIPT      "cloister-receipt-1"      // user_data of an account's receipt
#define TAG_KEYSET       "cloister-keyset-1"       // user_data of a keyset's receipt
#define TAG_STATUS       "cloister-status-2"       // user_data of `attestation`
#define TAG_UNCONFIGURED "cloister-unconfigured-2" // user_data before CONFIGURED
#define TAG_TLS          "cloister-tls-1"          // user_data of `attestation` with a TLS key
#define TAG_POLICY       "cloister-policy-1"
#define TAG_AUTHORISERS  "cloister-authorisers-1"
#define TAG_AUDIT        "cloister-audit-1"
#define TAG_RECORD_KEY   "cloister-record-key-1" // HKDF info of a sealed record's key
#define TAG_SHARE        "cloister-share-1"      // AAD of a keyset share
#define TAG_KEYSET_CHECK "cloister-keyset-check-1"
#define TAG_KEYSET_ID    "cloister-keyset-id-1" // a keyset's id, under its key
#define TAG_MANIFEST     "cloister-manifest-1"  // what administrators sign
#define TAG_UNSEAL       "cloister-unseal-1"
#define TAG_ANCHOR       "cloister-anchor-1"     // what an item's MAC is over
#define TAG_ANCHOR_KEY   "cloister-anchor-key-1" // HKDF info of its key
#define TAG_IMPORT       "cloister-import-1"     // user_data, HPKE info and fields of an import
#define TAG_PAYLOAD      "cloister-payload-1"    // payload hash in the audit chain

// `out` receives 32 bytes.
void tag_hash(uint8_t out[static 32], const char *tag, const struct bytes *fields, size_t count);
