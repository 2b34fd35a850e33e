// SPDX-License-Identifier: Apache-2.0
// `cloister tx sign|send|decode`. Who may include it: cli.
#pragma once

#include "cli/cli.h"

FALLIBLE transact_sign(struct cli *cli);
FALLIBLE transact_send(struct cli *cli);
FALLIBLE transact_decode(struct cli *cli);
