// SPDX-License-Identifier: Apache-2.0
// The X.509 path of an attestation document and the P-384 signature under its leaf. The path is
// checked by libcrypto (RFC 5280) with these additions: the root is equal, byte for byte, to the
// pinned one; every key is P-384, every signature ecdsa-with-SHA384; CAs have basicConstraints CA
// and keyCertSign; the leaf is no CA and may sign; certificates are DER, with each extension once
// and none critical but basicConstraints and keyUsage. The last second of notAfter counts as
// expired. libcrypto's error queue is left as it was.
#pragma once

#include "base/bytes.h"
#include "base/err.h"

#define X509_CHAIN_MAX 8

struct x509_path {
    struct bytes root;                   // pinned, DER
    struct bytes bundle[X509_CHAIN_MAX]; // root first, as in the document
    size_t bundle_len;
    struct bytes leaf;
};

// Validity is judged at `at_ms` (Unix milliseconds). ERR_UNTRUSTED names what did not verify;
// ERR_EXPIRED when a certificate is not valid at that time.
FALLIBLE x509_check_path(const struct x509_path *path, uint64_t at_ms);
// ECDSA with P-384 and SHA-384 under the certificate's key; signature is r || s, 48 bytes each.
FALLIBLE x509_check_es384(struct bytes certificate, struct bytes signed_bytes,
                          const uint8_t signature[static 96]);
