// SPDX-License-Identifier: Apache-2.0
// A vault for tests: vault_run in a process of its own, without the sandbox, with an emulated NSM
// behind its socket. The test holds the other end of the channel, where a front would be, and
// stands in for KMS: it knows every data key, so it can unseal whatever the vault sealed.
#pragma once

#include "base/seckey.h"
#include "proto/msg.h"
#include "proto/policy.h"

#include <sys/types.h>

#define VAULTHOST_ARN                         \
    "arn:aws:kms:eu-west-1:111122223333:key/" \
    "11111111-2222-3333-4444-555555555555"
#define VAULTHOST_ARN_2                       \
    "arn:aws:kms:eu-west-1:444455556666:key/" \
    "22222222-2222-3333-4444-555555555555"
#define VAULTHOST_ARN_3                       \
    "arn:aws:kms:eu-west-1:777788889999:key/" \
    "33333333-2222-3333-4444-555555555555"
#define VAULTHOST_DATA_KEYS 64

struct vaulthost {
    pid_t pid;
    int channel;
    struct nsmdev *nsm;
    int nsm_fd;
    uint8_t in[1 << 19];
    size_t in_len;
    uint64_t last_id;
    struct seckey data_key[VAULTHOST_DATA_KEYS]; // blob i is { i }
    unsigned data_keys;
    void (*seen)(void *context, struct bytes received); // every byte the vault sends
    void *seen_context;
    size_t (*module)(uint8_t *answer, size_t n); // changes what the module answers; the new length
    bool silent; // the module answers nothing; what it was asked waits until it does
};

struct vaulthost_answer {
    struct msg_verdict verdict;
    char text[WHAT_BYTES_MAX + 1]; // of an error
    struct bytes result;           // valid until the next call
};

// First in every main: becomes the vault when the program was started as one, else returns.
void vaulthost_main(int argc, char **argv);
// Starts everything; ends the test program when it cannot. `pki` is the build's pki directory.
void vaulthost_start(struct vaulthost *host, const char *pki);
// The same, with the anchors of a release, and in an enclave in debug mode (PCR0 is zero).
void vaulthost_start_as(struct vaulthost *host, const char *pki, bool release, bool debug);
void vaulthost_stop(struct vaulthost *host);
// False once the vault's process has ended.
bool vaulthost_alive(struct vaulthost *host);
// Waits for the vault's end; false when it goes on.
bool vaulthost_ends(struct vaulthost *host);
// Sends one message and waits for its answer.
struct vaulthost_answer vaulthost_call(struct vaulthost *host, uint16_t type, struct bytes body);
// Sends raw bytes; reads no answer.
void vaulthost_send(struct vaulthost *host, struct bytes raw);

// A configuration of the tests: keyset "main" under n CMKs, administrators, chain 31337.
struct vaulthost_options {
    uint8_t deployment, k, n; // k and n: 0 means 1
    bool second;              // another keyset, "next", under VAULTHOST_ARN
    bool tls;                 // another keyset, "tls", for TLS keys, under VAULTHOST_ARN
    uint8_t admin_threshold, admins;
    struct config_key admin[CONFIG_ADMINS];
    bool anchor; // of the kind file
};
struct bytes vaulthost_config_of(const struct vaulthost_options *options);
// One keyset "main" under VAULTHOST_ARN, chain 31337.
struct bytes vaulthost_config(uint8_t deployment);
void vaulthost_configure(struct vaulthost *host, uint8_t deployment);
// Plays KMS for a step: the answer to GenerateDataKey (a new data key) or Decrypt.
struct vaulthost_answer vaulthost_kms(struct vaulthost *host, const struct msg_step *step);
// Reads a step out of an answer; ends the program when the vault refused.
struct msg_step vaulthost_step(const struct vaulthost_answer *answer);
// Creates and opens keyset "main"; the record is copied into `record`, its length returned.
size_t vaulthost_keyset(struct vaulthost *host, uint8_t record[static KEYSET_BYTES_MAX],
                        struct id *id);
// The same for another one of the configuration.
size_t vaulthost_keyset_of(struct vaulthost *host, const char *name,
                           uint8_t record[static KEYSET_BYTES_MAX], struct id *id);
// Creates the keyset without opening it.
size_t vaulthost_keyset_create(struct vaulthost *host, const char *name,
                               uint8_t record[static KEYSET_BYTES_MAX]);
enum err_code vaulthost_keyset_open(struct vaulthost *host, struct bytes record);
size_t vaulthost_account(struct vaulthost *host, const struct id *keyset,
                         uint8_t record[static RECORD_BYTES_MAX]);
// A TLS key in a keyset for them.
size_t vaulthost_tls_key(struct vaulthost *host, const struct id *keyset,
                         uint8_t record[static RECORD_BYTES_MAX]);
// What creates an account or a key, or begins an import; valid until the next call.
struct bytes vaulthost_account_body(const struct id *keyset, enum policy_kind kind);
// Asks for a signature of a small transfer on chain 31337, with the account's record inline.
struct vaulthost_answer vaulthost_sign(struct vaulthost *host, struct bytes record);
// What the vault keeps secret, by unsealing with the known data key.
void vaulthost_keyset_key(struct vaulthost *host, struct bytes keyset_record, struct seckey *out);
void vaulthost_account_key(const struct seckey *keyset_key, struct bytes record,
                           struct seckey *out);
