// SPDX-License-Identifier: Apache-2.0
// libcloister-verify: verifies AWS Nitro attestation documents and what a Cloister enclave attests
// with them: receipts of accounts and keysets, its status, and the key of its TLS connections. See
// cloister-verify(3).
//
// Every function is safe to call from any thread, keeps nothing between calls, allocates nothing
// that outlives the call, reads no file, environment or clock, and returns for every input. Bytes
// are public: nothing here is secret. Integers in structures of the protocol are big-endian; here
// they are the machine's.
#pragma once

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif
#ifdef __GNUC__
#pragma GCC visibility push(default)
#endif

#define CLOISTER_VERIFY_PCRS          32
#define CLOISTER_VERIFY_PCR_BYTES     48
#define CLOISTER_VERIFY_MESSAGE_BYTES 200

// What the caller can do about it. New codes may come: treat unknown ones as a refusal.
enum cloister_verify_code {
    CLOISTER_VERIFY_OK = 0,
    CLOISTER_VERIFY_USAGE = 1,       // the caller's own arguments are wrong or pin nothing
    CLOISTER_VERIFY_MALFORMED = 2,   // not in the agreed form
    CLOISTER_VERIFY_UNSUPPORTED = 3, // well formed, of a version or kind that is not known here
    CLOISTER_VERIFY_UNTRUSTED = 4,   // does not verify, or is not what was pinned
    CLOISTER_VERIFY_EXPIRED = 5,     // not valid at the time in question
    CLOISTER_VERIFY_INTERNAL = 6     // no memory
};

// Why something was refused. The message names the field and what was expected; it never contains
// bytes of the input.
struct cloister_verify_error {
    int code; // enum cloister_verify_code
    char message[CLOISTER_VERIFY_MESSAGE_BYTES];
};

// Bytes of the caller; owns nothing.
struct cloister_verify_bytes {
    const uint8_t *data; // may be NULL when size is 0
    size_t size;
};

// Flags of struct cloister_verify_trust. Each gives up one check; none is for production use of a
// Cloister enclave.
#define CLOISTER_VERIFY_ALLOW_DEBUG       1U // take documents of debug-mode enclaves (PCR0 zero)
#define CLOISTER_VERIFY_ANY_IMAGE         2U // no pcr0: the caller compares it (documents only)
#define CLOISTER_VERIFY_ANY_CONFIGURATION 4U // no pcr16: the deployment is not verified

// What you know beforehand. Zero it, set struct_size, and what you pin. Nothing is kept of it.
struct cloister_verify_trust {
    size_t struct_size;                    // sizeof(struct cloister_verify_trust)
    const uint8_t *root_sha256;            // 32 bytes: fingerprint of the root certificate
    struct cloister_verify_bytes root_der; // the root itself, instead; neither: AWS's Nitro root
    const uint8_t (*pcr0)[CLOISTER_VERIFY_PCR_BYTES]; // images: the document must show one of them
    size_t pcr0_count;
    const uint8_t *pcr16;                       // 48 bytes: the measured configuration
    struct cloister_verify_bytes configuration; // canonical, measured here; instead of pcr16
    struct cloister_verify_bytes nonce;         // 1 to 512 bytes that you chose; none: not compared
    uint64_t at_ms; // Unix milliseconds at which certificates must be valid; 0: the document's own
                    // time (documents and receipts; a status needs it)
    uint32_t flags;
};

// What kind of document of Cloister it is, by its user_data.
enum cloister_verify_kind {
    CLOISTER_VERIFY_OTHER = 0, // not one of Cloister's
    CLOISTER_VERIFY_ACCOUNT = 1,
    CLOISTER_VERIFY_KEYSET = 2,
    CLOISTER_VERIFY_STATUS = 3,
    CLOISTER_VERIFY_UNCONFIGURED = 4, // a status before there was a configuration
    CLOISTER_VERIFY_IMPORT = 5,
    CLOISTER_VERIFY_TLS = 6 // a status that names a TLS key
};

// What a verified document says. Set struct_size before the call. After a refusal everything else
// is zero. The bytes point into the caller's document.
struct cloister_verify_document {
    size_t struct_size;    // sizeof(struct cloister_verify_document)
    uint64_t timestamp_ms; // Unix, from the hypervisor
    struct cloister_verify_bytes module_id, public_key, user_data,
        nonce;            // data NULL: null or absent
    uint32_t pcr_present; // bit i: PCR i is there
    uint8_t pcr[CLOISTER_VERIFY_PCRS][CLOISTER_VERIFY_PCR_BYTES];
    int kind; // enum cloister_verify_kind
};

// A verified account. Whose it is (a user's name) is not attested: compare deployment and keyset
// with the ones that you know, and give the nonce when the account is new.
struct cloister_verify_account {
    size_t struct_size;
    char address[43]; // 0x and 40 digits with the checksum of EIP-55, NUL
    uint8_t address_bytes[20];
    uint8_t public_key[33]; // secp256k1, compressed
    uint8_t deployment[16], keyset[16], account[16];
    uint8_t policy_sha256[32], authorisers_sha256[32]; // tagged hashes (PROTOCOL.md section 6)
    uint8_t provenance; // 1 generated in the enclave, 2 imported, 3 exposed
    uint32_t generation;
    uint64_t created_ms, timestamp_ms; // of the record; of the receipt
};

// A verified keyset.
struct cloister_verify_keyset {
    size_t struct_size;
    char name[33]; // NUL at its end
    uint8_t deployment[16], keyset[16];
    uint8_t purpose;         // 1 accounts, 2 validators, 3 tls
    uint8_t threshold, cmks; // k of n KMS keys open it
    uint64_t created_ms, timestamp_ms;
    uint8_t public_sha256[32]; // the digest in the receipt, which administrators admit
};

// A verified status.
struct cloister_verify_status {
    size_t struct_size;
    uint8_t phase; // 1 UNCONFIGURED, 2 CONFIGURED, 4 READY, 8 SEALED
    uint8_t boot[16];
    uint64_t audit_sequence;
    uint8_t audit_head[32];
    uint64_t manifest_serial;    // 0: none
    uint8_t manifest_digest[32]; // SHA-256 of its canonical bytes; zero without one
    uint32_t seals;              // of this boot
    uint8_t anchor;              // 0 none, 1 file, 2 dynamodb
    uint8_t anchored; // 1: what is in force stands in the anchor (PROTOCOL.md section 11)
    uint64_t timestamp_ms;
    uint8_t keyset[16]; // of cloister_verify_tls: in which the key was generated; else zero
};

// The library's version, "MAJOR.MINOR.PATCH".
const char *cloister_verify_version(void);

// The PCR16 of a canonical configuration (PROTOCOL.md section 4), 48 bytes. Does not look into it.
void cloister_verify_measure(uint8_t pcr16[CLOISTER_VERIFY_PCR_BYTES],
                             struct cloister_verify_bytes configuration);

// Each of the following returns a code of enum cloister_verify_code. `error` may be NULL; else its
// code and message are set, also when it is CLOISTER_VERIFY_OK. `out` may be NULL when only the
// verdict counts.

// A document of any Nitro enclave: signature, certificate path, PCR0, and PCR16 and nonce when
// given.
int cloister_verify_document(const struct cloister_verify_trust *trust,
                             struct cloister_verify_bytes document,
                             struct cloister_verify_document *out,
                             struct cloister_verify_error *error);

// The receipt of an Ethereum account: `record` is the sealed record as stored by the service.
int cloister_verify_account(const struct cloister_verify_trust *trust,
                            struct cloister_verify_bytes record,
                            struct cloister_verify_bytes document,
                            struct cloister_verify_account *out,
                            struct cloister_verify_error *error);

// The receipt of a keyset.
int cloister_verify_keyset(const struct cloister_verify_trust *trust,
                           struct cloister_verify_bytes record,
                           struct cloister_verify_bytes document,
                           struct cloister_verify_keyset *out, struct cloister_verify_error *error);

// A live status: the document must be of the five minutes around trust->at_ms. Give a fresh nonce.
int cloister_verify_status(const struct cloister_verify_trust *trust,
                           struct cloister_verify_bytes document,
                           struct cloister_verify_status *out, struct cloister_verify_error *error);

// The document that an enclave gives out over a TLS connection (GET /attestation?nonce=). It says
// that the connection ends inside: the key that it has proved was generated in an enclave of the
// deployment, never left one in clear, and is in use in this one. `spki_sha256` is SHA-256 (32
// bytes) of the peer's SubjectPublicKeyInfo (DER), taken from the very connection over which the
// document came; a document that names another key is refused. As live as a status; trust->nonce
// must be there, of at least 16 bytes. The connection's certificate, its names and its chain, is
// not judged: this takes their place. Where no administrators are configured, compare out->keyset
// with one that you know: whoever can make a keyset of his own knows the keys in it.
int cloister_verify_tls(const struct cloister_verify_trust *trust,
                        struct cloister_verify_bytes document, const uint8_t *spki_sha256,
                        struct cloister_verify_status *out, struct cloister_verify_error *error);

#ifdef __GNUC__
#pragma GCC visibility pop
#endif
#ifdef __cplusplus
}
#endif
