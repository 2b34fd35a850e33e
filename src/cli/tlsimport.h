// SPDX-License-Identifier: Apache-2.0
// `cloister tls import`: brings a server's key and certificates into the enclave, for migration.
// Who may include it: cli.
#pragma once

#include "cli/cli.h"

FALLIBLE tlsimport_pkcs12(struct cli *cli);
