// SPDX-License-Identifier: Apache-2.0
// `cloister tls csr|install`: certificates for keys of the data plane. Who may include it: cli.
#pragma once

#include "cli/cli.h"
#include "cli/verify.h"

FALLIBLE tlscert_csr(struct cli *cli);
FALLIBLE tlscert_install(struct cli *cli);

// Installs a chain (PEM) for the key whose receipt verified; `name` is the service's for it. The
// first certificate must be of that key: ERR_MISMATCH. *json is the service's answer.
FALLIBLE tlscert_install_chain(struct cli *cli, const char *name, const struct verify_tls *key,
                               struct bytes chain, const struct json **json);
