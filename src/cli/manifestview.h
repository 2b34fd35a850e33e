// SPDX-License-Identifier: Apache-2.0
// A manifest in words. Who may include it: cli.
#pragma once

#include "cli/out.h"
#include "proto/manifest.h"

// All that is in it, with the digest by which an attestation names it; `bytes` is its canonical
// form.
void manifestview_show(struct out *out, const struct manifest *m, struct bytes bytes);
// On standard error: what a signature under it will say.
void manifestview_say(const struct manifest *m);
