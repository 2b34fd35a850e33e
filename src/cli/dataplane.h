// SPDX-License-Identifier: Apache-2.0
// Who may use the data plane, from the options of `manifest create`: --clients, --known-clients,
// --known-clients-operations, --known-clients-keys, --host and --origin. Who may include it: cli.
#pragma once

#include "cli/cli.h"

// Both sections in canonical form, in static memory; empty where nothing was given.
FALLIBLE dataplane_of_options(struct cli *cli, struct bytes *clients, struct bytes *web);
