// SPDX-License-Identifier: Apache-2.0
// The certificates under which an emulated NSM signs: regional, zonal, instance and leaf, all
// P-384, with AWS's profile (pathLen 2, 1, 0 and no CA; 20 days, 5 days, 24 hours, 3 hours).
#pragma once

#include "base/err.h"
#include "emu/cert.h"

#define NSMCHAIN_CERT_MAX 1024 // the NSM's own limit for each certificate
#define NSMCHAIN_BUNDLE   4    // root, regional, zonal, instance

struct nsmchain_cert {
    uint8_t der[NSMCHAIN_CERT_MAX];
    size_t len;
};

struct nsmchain {
    struct nsmchain_cert bundle[NSMCHAIN_BUNDLE];
    struct nsmchain_cert leaf;
    struct cert_key *instance_key, *leaf_key;
    int64_t instance_until_s, leaf_until_s;
};

struct nsmchain_names {
    const char *pki; // directory with nsm-root.{key,der}
    const char *region, *instance_id, *module_id;
};

// Makes all certificates, valid from `now_s` on. Free with nsmchain_done; accepts zeroed objects.
FALLIBLE nsmchain_init(struct nsmchain *chain, const struct nsmchain_names *names, int64_t now_s);
// Issues a new leaf (and, when needed, a new chain) in the last ten minutes of the old one's life.
FALLIBLE nsmchain_renew(struct nsmchain *chain, const struct nsmchain_names *names, int64_t now_s);
void nsmchain_done(struct nsmchain *chain);
