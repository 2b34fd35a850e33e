// SPDX-License-Identifier: Apache-2.0
// `cloister account disable|enable|delete|undelete`: the service's own rules. Who may include it:
// cli.
#pragma once

#include "cli/cli.h"

FALLIBLE custody_disable(struct cli *cli);
FALLIBLE custody_enable(struct cli *cli);
FALLIBLE custody_delete(struct cli *cli);
FALLIBLE custody_undelete(struct cli *cli);
