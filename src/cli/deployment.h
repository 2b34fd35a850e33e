// SPDX-License-Identifier: Apache-2.0
// `cloister config build|measure`. Needs no service. Who may include it: cli.
#pragma once

#include "cli/cli.h"

FALLIBLE deployment_build(struct cli *cli);
FALLIBLE deployment_measure(struct cli *cli);
