// SPDX-License-Identifier: Apache-2.0
// `cloister seal` and `cloister unseal request|sign|apply`. Who may include it: cli.
#pragma once

#include "cli/cli.h"

FALLIBLE unsealing_seal(struct cli *cli);
FALLIBLE unsealing_request(struct cli *cli);
FALLIBLE unsealing_sign(struct cli *cli);
FALLIBLE unsealing_apply(struct cli *cli);
