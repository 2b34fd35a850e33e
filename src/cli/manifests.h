// SPDX-License-Identifier: Apache-2.0
// `cloister manifest create|sign|show|apply`. Who may include it: cli.
#pragma once

#include "cli/cli.h"

FALLIBLE manifests_create(struct cli *cli);
FALLIBLE manifests_sign(struct cli *cli);
FALLIBLE manifests_show(struct cli *cli);
FALLIBLE manifests_apply(struct cli *cli);
