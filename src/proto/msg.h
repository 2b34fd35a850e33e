// SPDX-License-Identifier: Apache-2.0
// Messages between front and vault (PROTOCOL.md, "Vault messages"): u32 length of what follows,
// u16 type, u64 request id, body. An answer has the request's id and its type | MSG_ANSWER. Both
// sides decode with the functions here; the vault takes nothing else from the front.
#pragma once

#include "base/rd.h"
#include "base/wr.h"
#include "proto/config.h"
#include "proto/receipt.h"

#define MSG_HEAD_BYTES 14 // length, type, id
#define MSG_ANSWER     0x8000U

enum msg_type {
    MSG_STATUS = 1,         // -> msg_status
    MSG_CONFIGURE = 2,      // canonical configuration -> nothing
    MSG_CONFIG = 3,         // -> the canonical configuration
    MSG_KEYSET_CREATE = 4,  // msg_keyset_create -> msg_step
    MSG_KEYSET_OPEN = 5,    // keyset record -> msg_step
    MSG_KMS_ANSWER = 6,     // msg_kms_answer -> msg_step
    MSG_ACCOUNT_CREATE = 7, // msg_account_create -> msg_created
    MSG_ACCOUNT_OPEN = 8,   // sealed record -> msg_account
    MSG_SIGN_TX = 9,        // msg_sign_tx -> msg_signed
    MSG_ATTESTATION = 10,   // msg_attestation -> document
    MSG_MANIFEST = 11,      // signed manifest (proto/manifest.h) -> msg_step
    MSG_SEAL = 12,          // -> msg_step; every key is wiped
    MSG_UNSEAL = 13,        // approvals (proto/approval.h) -> nothing
    MSG_KMS_FAILED = 14,    // operation (u64) -> msg_step: the KMS call asked for did not succeed
    MSG_IMPORT_BEGIN = 15,  // msg_account_create -> msg_import_ready
    MSG_IMPORT_FINISH = 16, // msg_import_finish -> msg_created
    MSG_ANCHOR_ANSWER = 17, // msg_anchor_answer -> msg_step
    MSG_TLS_OPEN = 18,      // sealed record -> msg_tls_key
    MSG_TLS_SIGN = 19,      // msg_tls_sign -> DER of an ECDSA signature
    MSG_TLS_CERTIFY = 20,   // msg_tls_certify -> DER of a request or a certificate
    MSG_CLIENTS = 21,       // -> msg_clients
    MSG_DENIAL = 22,        // msg_denial -> nothing
};

struct msg {
    uint16_t type;
    uint64_t id;
    struct bytes body;
};

// As frame_next: *whole is 0 while more is needed. ERR_MALFORMED or ERR_TOO_LARGE: the stream is
// broken and its other end cannot be trusted any more.
FALLIBLE msg_next(struct bytes stream, size_t *whole, struct msg *out);
// Starts a message; returns where its length stands, for msg_end.
size_t msg_begin(struct wr *wr, uint16_t type, uint64_t id);
void msg_end(struct wr *wr, size_t at);

// Every answer's body starts with a verdict: u16 error code (0 done), then for decisions the audit
// position; then the result, or the error's text.
struct msg_verdict {
    uint16_t code;     // enum err_code
    bool audited;      // position fields are set
    uint64_t sequence; // of this decision
    uint8_t head[32];  // audit head after it
};
struct msg_verdict msg_read_verdict(struct rd *rd);
void msg_write_verdict(struct wr *wr, const struct msg_verdict *verdict);

struct msg_status {
    uint8_t phase; // enum receipt_phase
    struct id boot;
    uint64_t now_ms; // trusted wall clock: NSM timestamp at boot and CLOCK_BOOTTIME since
    uint64_t sequence;
    uint8_t audit_head[32];
    uint8_t pcr16[48]; // zero before CONFIGURED
    uint32_t accounts_open, accounts_slots;
    uint64_t manifest_serial; // 0: none
    uint32_t seals;           // how often this boot was sealed
    bool anchored;            // as in the attestation (proto/receipt.h)
    uint8_t keysets_open;
    struct id keyset[CONFIG_KEYSETS];
    struct bytes keyset_name[CONFIG_KEYSETS];
};
void msg_write_status(struct wr *wr, const struct msg_status *status);
FALLIBLE msg_read_status(struct msg_status *out, struct rd *rd);

struct msg_keyset_create {
    struct bytes name;
    struct bytes nonce; // for the receipt; may be empty
};
void msg_write_keyset_create(struct wr *wr, const struct msg_keyset_create *m);
FALLIBLE msg_read_keyset_create(struct msg_keyset_create *out, struct rd *rd);

// What the vault wants next while it creates or opens a keyset, applies a manifest or seals. The
// front carries out exactly one KMS call and sends its answer back with MSG_KMS_ANSWER, or one
// exchange with the anchor and MSG_ANCHOR_ANSWER, or drops the operation.
enum msg_step_kind {
    MSG_STEP_DONE = 0,
    MSG_STEP_GENERATE = 1,
    MSG_STEP_DECRYPT = 2,
    MSG_STEP_ANCHOR_READ = 3,
    MSG_STEP_ANCHOR_WRITE = 4
};
struct msg_step {
    enum msg_step_kind kind;
    uint64_t operation; // names the pending operation
    struct bytes cmk;   // full ARN: host and region follow from it
    struct bytes name;  // keyset name, for the encryption context
    struct bytes blob;  // MSG_STEP_DECRYPT: what to decrypt; MSG_STEP_ANCHOR_WRITE: the item
    struct bytes
        document;        // attestation document with the recipient key; DONE: the receipt, or none
    struct id keyset;    // DONE; whose item to read or write
    struct bytes record; // DONE after create: the keyset record
};
void msg_write_step(struct wr *wr, const struct msg_step *m);
FALLIBLE msg_read_step(struct msg_step *out, struct rd *rd);

struct msg_kms_answer {
    uint64_t operation;
    struct bytes cmk;  // KeyId of the response, as it was
    struct bytes blob; // CiphertextBlob after GenerateDataKey, else empty
    struct bytes cms;  // CiphertextForRecipient
};
void msg_write_kms_answer(struct wr *wr, const struct msg_kms_answer *m);
FALLIBLE msg_read_kms_answer(struct msg_kms_answer *out, struct rd *rd);

enum msg_anchor_outcome {
    MSG_ANCHOR_FAILED = 0, // no answer, or one that means nothing
    MSG_ANCHOR_FOUND = 1,
    MSG_ANCHOR_ABSENT = 2,
    MSG_ANCHOR_WRITTEN = 3,
    MSG_ANCHOR_CONFLICT = 4 // another version stands there than the one to be replaced
};
struct msg_anchor_answer {
    uint64_t operation;
    enum msg_anchor_outcome outcome;
    uint64_t version;  // FOUND: the store's number of the item
    struct bytes item; // FOUND
};
void msg_write_anchor_answer(struct wr *wr, const struct msg_anchor_answer *m);
FALLIBLE msg_read_anchor_answer(struct msg_anchor_answer *out, struct rd *rd);

struct msg_account_create {
    struct id keyset;
    struct bytes policy;      // canonical
    struct bytes authorisers; // canonical
    struct bytes nonce;
};
void msg_write_account_create(struct wr *wr, const struct msg_account_create *m);
FALLIBLE msg_read_account_create(struct msg_account_create *out, struct rd *rd);

// How an owner seals a key for the vault: to `public_key`, for this account id (PROTOCOL.md,
// "Import").
struct msg_import_ready {
    struct id account;
    uint8_t public_key[32]; // X25519
    struct bytes document;  // user_data binds public key, account, keyset and policies
};
void msg_write_import_ready(struct wr *wr, const struct msg_import_ready *m);
FALLIBLE msg_read_import_ready(struct msg_import_ready *out, struct rd *rd);

#define MSG_IMPORT_PLAIN_BYTES  144 // key, deployment, keyset, account, policy and authoriser hash
#define MSG_IMPORT_CIPHER_BYTES (MSG_IMPORT_PLAIN_BYTES + 16)
struct msg_import_finish {
    struct id account;
    uint8_t enc[32];         // HPKE's ephemeral public key
    struct bytes ciphertext; // MSG_IMPORT_CIPHER_BYTES
    struct bytes nonce;      // of the receipt; may be empty
};
void msg_write_import_finish(struct wr *wr, const struct msg_import_finish *m);
FALLIBLE msg_read_import_finish(struct msg_import_finish *out, struct rd *rd);

struct msg_created {
    struct bytes record;
    struct bytes document; // receipt
};
void msg_write_created(struct wr *wr, const struct msg_created *m);
FALLIBLE msg_read_created(struct msg_created *out, struct rd *rd);

struct msg_account {
    struct id id;
    uint8_t address[20];
};
void msg_write_account(struct wr *wr, const struct msg_account *m);
FALLIBLE msg_read_account(struct msg_account *out, struct rd *rd);

struct msg_sign_tx {
    struct id account;      // zero when a record stands inline
    struct bytes record;    // empty: the account must be open
    struct bytes payload;   // unsigned transaction (eth/tx.h)
    struct bytes approvals; // empty in version 1
};
void msg_write_sign_tx(struct wr *wr, const struct msg_sign_tx *m);
FALLIBLE msg_read_sign_tx(struct msg_sign_tx *out, struct rd *rd);

struct msg_signed {
    uint8_t address[20];
    uint8_t signature[65]; // r || s || y parity
};
void msg_write_signed(struct wr *wr, const struct msg_signed *m);
FALLIBLE msg_read_signed(struct msg_signed *out, struct rd *rd);

struct msg_attestation {
    struct bytes nonce; // may be empty
    struct bytes key;   // empty, or the id of an open TLS key that was generated inside
};
void msg_write_attestation(struct wr *wr, const struct msg_attestation *m);
FALLIBLE msg_read_attestation(struct msg_attestation *out, struct rd *rd);

struct msg_tls_key {
    struct id key;
    uint8_t public_key[33]; // P-256, compressed
    uint8_t provenance;     // enum record_provenance
};
void msg_write_tls_key(struct wr *wr, const struct msg_tls_key *m);
FALLIBLE msg_read_tls_key(struct msg_tls_key *out, struct rd *rd);

enum msg_tls_sign_kind {
    MSG_TLS_VERIFY13 = 1,  // CertificateVerify of a TLS 1.3 server (RFC 8446 4.4.3)
    MSG_TLS_EXCHANGE12 = 2 // ServerKeyExchange of TLS 1.2 (RFC 8422 5.4)
};
#define MSG_TLS_INPUT_MAX 165U // two randoms and the parameters of P-384
struct msg_tls_sign {
    struct id key;
    uint8_t kind;       // enum msg_tls_sign_kind
    struct bytes input; // VERIFY13: transcript hash; EXCHANGE12: randoms and ServerECDHParams
};
void msg_write_tls_sign(struct wr *wr, const struct msg_tls_sign *m);
// Checks kind and length limit; the form of `input` is the vault's to check.
FALLIBLE msg_read_tls_sign(struct msg_tls_sign *out, struct rd *rd);

enum msg_tls_certify_kind { MSG_TLS_REQUEST = 1, MSG_TLS_SELF_SIGNED = 2 };
enum msg_tls_name_type { MSG_TLS_DNS = 1, MSG_TLS_IP = 2 };
#define MSG_TLS_NAMES    16U
#define MSG_TLS_NAME_MAX 253U  // a DNS name without its last dot (RFC 1035 2.3.4)
#define MSG_TLS_DAYS_MAX 3650U // of a self-signed certificate
struct msg_tls_name {
    uint8_t type;      // enum msg_tls_name_type
    struct bytes name; // DNS: lower-case labels, the first may be "*"; IP: 4 or 16 bytes
};
struct msg_tls_certify {
    struct id key;
    uint8_t kind;  // enum msg_tls_certify_kind
    uint16_t days; // 0 for a request
    uint8_t names; // at least 1
    struct msg_tls_name name[MSG_TLS_NAMES];
};
void msg_write_tls_certify(struct wr *wr, const struct msg_tls_certify *m);
// Checks every field.
FALLIBLE msg_read_tls_certify(struct msg_tls_certify *out, struct rd *rd);

// Sections of the manifest in force; empty without.
struct msg_clients {
    uint64_t serial;      // of that manifest; 0: none
    uint8_t mode;         // enum config_mode of the configuration
    struct bytes clients; // proto/clients.h; checked by the reader
    struct bytes web;
};
void msg_write_clients(struct wr *wr, const struct msg_clients *m);
FALLIBLE msg_read_clients(struct msg_clients *out, struct rd *rd);

// A request on the data plane that the front denied, for the audit chain.
struct msg_denial {
    uint8_t operation;    // enum clients_operation
    uint8_t identity[32]; // as in the manifest's entries; zero: none
    struct bytes source;  // where it came from, as the parent says; may be empty
};
void msg_write_denial(struct wr *wr, const struct msg_denial *m);
FALLIBLE msg_read_denial(struct msg_denial *out, struct rd *rd);
