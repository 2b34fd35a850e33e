// SPDX-License-Identifier: Apache-2.0
// The JSON form of a configuration (PROTOCOL.md section 4), turned into the canonical form that the
// enclave measures. Who may include it: cli.
#pragma once

#include "cli/pempub.h"
#include "net/json.h"
#include "proto/config.h"

struct confjson {
    struct config config; // views into the JSON text and `hosts`
    // Derived from the ARNs: the same one again and again, for each key of each keyset.
    uint8_t hosts[CONFIG_KEYSETS * CONFIG_CMKS * HOST_BYTES_MAX];
    struct wr hosts_wr;
    struct pempub admin[CONFIG_ADMINS]; // their keys
    char where[96]; // the JSON field that an error is about, e.g. "keysets[0].keys[1]"
};

// Reads the object and derives the hosts, in order of first appearance. Relative
// paths of administrators' PEM files are put behind `folder`; NULL: none is read. ERR_MALFORMED and
// ERR_UNSUPPORTED, with out->where.
FALLIBLE confjson_read(struct confjson *out, const struct json *root, const char *folder);
