// SPDX-License-Identifier: Apache-2.0
// `cloister attest show|verify`: how an outsider checks a running signer. Verification needs a
// document and what the user knows beforehand, and no service when the document is in a file.
// Who may include it: cli.
#pragma once

#include "cli/cli.h"

FALLIBLE attestation_show(struct cli *cli);
FALLIBLE attestation_verify(struct cli *cli);
