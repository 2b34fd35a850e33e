// SPDX-License-Identifier: Apache-2.0
// One KMS call over HTTPS, waiting. Used by one thread. Who may include it: front/kms.c.
#pragma once

#include "front/kms.h"

struct kmscall; // TLS context, kept connections, buffers

FALLIBLE kmscall_new(struct kmscall **out, struct credentials *credentials,
                     const struct front_env *env);
void kmscall_free(struct kmscall **call);
// Makes the call of the job and fills in its outcome; at most 15 seconds.
void kmscall_run(struct kmscall *call, struct kms_job *job);
