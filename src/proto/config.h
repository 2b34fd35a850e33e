// SPDX-License-Identifier: Apache-2.0
// The configuration of a deployment in its canonical binary form (PROTOCOL.md, "Configuration").
// The vault measures and decodes the same bytes; JSON is seen by `cloister config build` only.
#pragma once

#include "base/rd.h"
#include "base/wr.h"
#include "proto/id.h"
#include "proto/limits.h"

#define CONFIG_VERSION 1
// The largest chain id for which EIP-155's v = 35 + 2 * id + parity fits 64 bits (EIP-2294).
#define CONFIG_CHAIN_ID_MAX 0x7fffffffffffffdbULL

enum config_mode { CONFIG_PARENT_TRUSTED = 1, CONFIG_HOSTILE_PARENT = 2 };
enum config_purpose { CONFIG_ACCOUNTS = 1, CONFIG_VALIDATORS = 2, CONFIG_TLS = 3 };
enum config_anchor { CONFIG_ANCHOR_NONE = 0, CONFIG_ANCHOR_FILE = 1, CONFIG_ANCHOR_DYNAMODB = 2 };
enum config_admin { CONFIG_ADMIN_ED25519 = 1, CONFIG_ADMIN_P256 = 2 };

struct config_keyset {
    struct bytes name;
    enum config_purpose purpose;
    uint8_t k, n;
    struct bytes cmk[CONFIG_CMKS]; // full ARNs
    struct bytes recovery;         // X25519 public keys, 32 bytes each; none in version 1's tools
};

struct config_network {
    struct bytes name;
    uint64_t chain_id; // at least 1
};

struct config_key {
    enum config_admin type;
    struct bytes key; // 32 bytes Ed25519, 33 bytes compressed P-256
};

struct config {
    struct id deployment;
    enum config_mode mode;     // of the data plane and custody
    enum config_mode slashing; // of slashing protection
    uint8_t admin_threshold;   // 0: no administrators
    uint8_t admins;
    struct config_key admin[CONFIG_ADMINS];
    uint8_t keysets;
    struct config_keyset keyset[CONFIG_KEYSETS];
    uint8_t networks;
    struct config_network network[CONFIG_NETWORKS];
    enum config_anchor anchor;
    struct bytes anchor_parameters;
    uint8_t hosts; // egress: vsock port 8000 + i is host[i]
    struct bytes host[CONFIG_HOSTS];
};

// Decodes and checks everything: versions, ranges, names unique, ARNs of strict form, each CMK's
// KMS host listed, hosts allowed, k <= n. Views point into `canonical`. ERR_MALFORMED and
// ERR_UNSUPPORTED name the field. What the format can say but this version does not enforce
// (hostile-parent modes, recovery keys, dynamodb) is ERR_UNSUPPORTED: a measured promise must be
// kept.
FALLIBLE config_read(struct config *out, struct bytes canonical);
// Writes the canonical form (does not check; config_read of the result does).
void config_write(struct wr *wr, const struct config *config);
// What ExtendPCR(16) is given: SHA-384(TAG_CONFIG || 0 || canonical).
void config_digest(uint8_t out[static 48], struct bytes canonical);
// PCR16 after that from zero: SHA-384(0^48 || digest).
void config_pcr16(uint8_t out[static 48], struct bytes canonical);
// NULL when there is none.
const struct config_keyset *config_find_keyset(const struct config *config, struct bytes name);
const struct config_network *config_find_chain(const struct config *config, uint64_t chain_id);
// True for 1 to 32 of a-z 0-9 - _, as names of keysets and networks are.
bool config_name_ok(struct bytes name);
// The index of a host in the egress list, or -1.
int config_find_host(const struct config *config, struct bytes host);
// Text forms of the enums; "unknown" for a number out of range.
const char *config_mode_name(enum config_mode mode);
const char *config_purpose_name(enum config_purpose purpose);
const char *config_anchor_name(enum config_anchor anchor);
