// SPDX-License-Identifier: Apache-2.0
// `cloister status` and `cloister version`. Who may include it: cli.
#pragma once

#include "cli/cli.h"

// Which anchor is in force, whether what is in force stands in it, and what that makes of revoking
// and deleting.
void service_show_anchor(struct out *out, struct bytes kind, bool anchored);
FALLIBLE service_status(struct cli *cli);
FALLIBLE service_version(struct cli *cli);
