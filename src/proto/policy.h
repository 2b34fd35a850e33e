// SPDX-License-Identifier: Apache-2.0
// Policies and authorisers in canonical form. Version 1 knows two policies: `nothing` (the account
// signs nothing) and `unrestricted` (any transaction of a configured network; never raw hashes or
// EIP-7702 tuples), and the empty list of authorisers. Rules come as further kinds.
#pragma once

#include "base/rd.h"
#include "base/wr.h"

#define POLICY_VERSION 1
enum policy_kind { POLICY_NOTHING = 0, POLICY_UNRESTRICTED = 1 };

struct policy {
    enum policy_kind kind;
};

FALLIBLE policy_read(struct policy *out, struct bytes canonical);
void policy_write(struct wr *wr, const struct policy *policy);
void policy_hash(uint8_t out[static 32], struct bytes canonical);
// The canonical form of "no authorisers" and the hash of a list.
void policy_write_no_authorisers(struct wr *wr);
void policy_authoriser_hash(uint8_t out[static 32], struct bytes canonical);
// ERR_UNSUPPORTED unless it is the empty list.
FALLIBLE policy_check_authorisers(struct bytes canonical);
const char *policy_kind_name(enum policy_kind kind);
