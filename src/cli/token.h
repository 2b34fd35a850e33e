// SPDX-License-Identifier: Apache-2.0
// `cloister token new`: bearer tokens of the data plane. Who may include it: cli.
#pragma once

#include "cli/cli.h"

FALLIBLE token_new(struct cli *cli);
