// SPDX-License-Identifier: Apache-2.0
// `cloister image describe` and `verify`: enclave images of anybody, which are hostile until they
// verify. Who may include it: cli.
#pragma once

#include "cli/cli.h"
#include "cli/eifsig.h"

// Shows without judging; what is shown was read strictly, its checksum and PCRs computed here.
FALLIBLE imageview_describe(struct cli *cli);
// Checks form, checksum, signature, and compares PCR0 (and PCR8) with what the user trusts. Says
// what it checked. CLI_UNVERIFIED when something is another, CLI_DEPLOYMENT when there was nothing
// to compare PCR0 with.
FALLIBLE imageview_verify(struct cli *cli);
// PCR0, 1, 2 and, unless `sig` is NULL, 8: a table, or an object as nitro-cli's "Measurements".
void imageview_measurements(struct out *out, const struct eif *eif, const struct eifsig *sig);
