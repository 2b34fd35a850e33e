// SPDX-License-Identifier: Apache-2.0
// The JSON form of who may use the data plane, as administrators write it: an array of
// {"label", one of "certificate_sha256" | "certificate_pem_file" | "token_sha256" |
// "authority_pem_file" | "anyone": true, "operations": [...], "keys": [...]}. Who may include it:
// cli.
#pragma once

#include "cli/roster.h"
#include "net/json.h"

#define CLIENTSJSON_WHERE 96

// Adds each client. `where` is the JSON field that an error is about, e.g. "[3].keys[0]", or empty.
// Relative paths of PEM files are put behind `folder`; NULL: none is read. ERR_MALFORMED,
// ERR_UNSUPPORTED, ERR_EXISTS, ERR_TOO_LARGE, and those of reading a file.
FALLIBLE clientsjson_read(struct roster *out, char where[static CLIENTSJSON_WHERE],
                          const struct json *root, const char *folder);
