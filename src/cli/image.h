// SPDX-License-Identifier: Apache-2.0
// `cloister image build`: writes an enclave image from a kernel and the enclave's program
// (doc/image.md). The same input gives the same bytes, on any machine, for any user; only a
// signature is new each time. Who may include it: cli.
#pragma once

#include "cli/cli.h"

FALLIBLE image_build(struct cli *cli);
