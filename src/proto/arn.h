// SPDX-License-Identifier: Apache-2.0
// KMS key ARNs and the host names that belong to them. Only full key ARNs of a strict form are
// taken (no aliases, no bare ids), so that the response's KeyId can be compared byte for byte.
#pragma once

#include "base/err.h"
#include "base/wr.h"

struct arn {
    struct bytes partition; // "aws", "aws-us-gov", "aws-cn"
    struct bytes region;    // "eu-west-1"
    struct bytes account;   // 12 digits
    struct bytes key;       // UUID or "mrk-" and 32 digits
};

// Views point into `text`. ERR_MALFORMED says what was expected.
FALLIBLE arn_parse(struct arn *out, struct bytes text);
// Writes the KMS endpoint of the key: kms.REGION.amazonaws.com (.cn in the China partition).
void arn_write_host(struct wr *wr, const struct arn *arn);
// True for host names of the compiled suffix table with a region of strict form: the only names
// a configuration may list as egress.
bool arn_host_allowed(struct bytes host);
