// SPDX-License-Identifier: Apache-2.0
// `cloister account import`: brings a key that the user has into the enclave. Who may include it:
// cli.
#pragma once

#include "cli/cli.h"

FALLIBLE import_account(struct cli *cli);
