// SPDX-License-Identifier: Apache-2.0
// What `cloister` checks of the enclave, by libcloister-verify, in the words of this program:
// receipts, status documents and offers of an import key (proto/receipt.h and proto/offer.h say
// what is in them).
#pragma once

#include "crypto/attest.h"
#include "proto/receipt.h"

#include <cloister/verify.h>

// What the verifier knows beforehand, from its trust file.
struct proof_trust {
    struct bytes root_der;
    const uint8_t (*pcr0)[48]; // any of these
    size_t pcr0_len;
    const uint8_t *pcr16; // 48 bytes; NULL: not compared (the caller must say so to its user)
    bool allow_debug;
};

// Each compares the nonce when `nonce.p` is not NULL. Errors: ERR_UNTRUSTED, ERR_EXPIRED,
// ERR_MALFORMED, ERR_UNSUPPORTED; their text is valid until the next check.

// Verifies any document at its own time: root, PCR0, PCR16, public_key null, user_data with a tag
// of ours. What the user_data says is the caller's to judge.
FALLIBLE proof_check_document(const struct proof_trust *trust, struct bytes document,
                              struct bytes nonce, struct attest *out);
// Verifies an account's receipt off the parent, for this very record, and computes its address.
FALLIBLE proof_check_account(const struct proof_trust *trust, struct bytes record,
                             struct bytes document, struct bytes nonce,
                             struct cloister_verify_account *out);
// The same for a record of any kind of key, without looking at what it says: the caller has read it
// and compares. trust->pcr16 must be there.
FALLIBLE proof_check_record(const struct proof_trust *trust, const struct record *record,
                            struct bytes document, struct bytes nonce);
FALLIBLE proof_check_keyset(const struct proof_trust *trust, struct bytes record,
                            struct bytes document, struct bytes nonce);
// Verifies a live status document at `now_ms` +- 5 minutes.
FALLIBLE proof_check_status(const struct proof_trust *trust, struct bytes document,
                            struct bytes nonce, uint64_t now_ms,
                            struct cloister_verify_status *out);
// What came over a TLS connection.
struct proof_tls {
    struct bytes document, nonce; // the nonce that was sent, at least 16 bytes
    const uint8_t *spki_sha256;   // 32 bytes, of the key that this very connection has proved
    uint64_t now_ms;
    const struct id *keyset; // any of these; none: not compared (say so to the user)
    size_t keyset_len;
};

// Verifies that the connection ends inside the enclave: a live document of this image and
// configuration that names its key, and a keyset of asked->keyset.
FALLIBLE proof_check_tls(const struct proof_trust *trust, const struct proof_tls *asked,
                         struct cloister_verify_status *out);
// Whether it is one of asked->keyset, or none was asked for.
bool proof_takes_keyset(const struct proof_tls *asked, const struct id *keyset);
// Verifies no more of a document than who signed it, at `now_ms`: to say in steps what the others
// say at once.
FALLIBLE proof_check_signature(const struct proof_trust *trust, struct bytes document,
                               uint64_t now_ms, struct attest *out);
// Verifies the offer: a live document of this image and configuration (`trust->pcr16` must be
// there: anybody can give the genuine program a configuration of his own) that names this public
// key and these terms. It does not say whether their keyset is one to trust: a front that was taken
// over can play KMS for a keyset that it makes itself, so the caller compares the id with one that
// it knows. ERR_UNTRUSTED, ERR_EXPIRED.
FALLIBLE proof_check_offer(const struct proof_trust *trust, struct bytes document,
                           struct bytes nonce, uint64_t now_ms, const uint8_t digest[static 32]);
