// SPDX-License-Identifier: Apache-2.0
// `cloister status` and `cloister version`. Who may include it: cli.
#pragma once

#include "cli/cli.h"

FALLIBLE service_status(struct cli *cli);
FALLIBLE service_version(struct cli *cli);
