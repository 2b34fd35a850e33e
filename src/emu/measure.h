// SPDX-License-Identifier: Apache-2.0
// What the emulated hypervisor measures of an enclave (DESIGN 11.10): PCR0 = PCR1 =
// SHA384(0^48 || SHA384(file)), PCR2 the same of no bytes, PCR3 of the role's ARN, PCR4 of the
// instance id. Of an EIF it measures what AWS's hypervisor does: PCR0 the kernel, command line and
// ramdisks, PCR1 those without the ramdisks after the first, PCR2 these, PCR8 the certificate of a
// signed one.
#pragma once

#include "emu/nsmdev.h"

// `role` and `instance_id` may be NULL: that PCR is then zero, as on an instance without a role.
// ERR_NOT_FOUND or ERR_IO when the file cannot be read.
FALLIBLE measure_enclave(struct nsmdev_pcrs *out, const char *path, const char *role,
                         const char *instance_id);

// The same of an enclave image file, version 4 (aws-nitro-enclaves-image-format). ERR_MALFORMED
// names what is wrong with it; its checksum is not looked at. A signature must be that of the
// image, as AWS demands (imagesig_measure).
FALLIBLE measure_eif(struct nsmdev_pcrs *out, const char *path, const char *role,
                     const char *instance_id);
