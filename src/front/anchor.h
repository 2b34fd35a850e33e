// SPDX-License-Identifier: Apache-2.0
// One exchange with the anchor over HTTPS, waiting (PROTOCOL.md, "Anchor"). Who may include it:
// front.
#pragma once

#include "front/kms.h"
#include "net/client.h"

// Carries out the job's step; what came of it is left in job->anchored. The answer goes through
// buf[cap].
FALLIBLE anchor_exchange(struct client *client, struct kms_job *job, uint8_t *buf, size_t cap,
                         struct deadline until);
