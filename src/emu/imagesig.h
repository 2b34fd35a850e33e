// SPDX-License-Identifier: Apache-2.0
// The signature section of an enclave image, as nitro-cli checks it before it starts one, and PCR8,
// which the hypervisor measures from it (doc/image.md has the format). Shares no code with the
// command line, which writes such sections: each is a check of the other.
#pragma once

#include "base/bytes.h"
#include "base/err.h"

#include <stdint.h>

#define IMAGESIG_MAX       32768 // of a section, the format's own limit
#define IMAGESIG_PCR_BYTES 48

// PCR8 of an image with this PCR0: SHA384(0^48 || SHA384(DER of the certificate)). ERR_MALFORMED or
// ERR_UNSUPPORTED when the section is another one than ES384 by one certificate; ERR_UNTRUSTED when
// its key did not sign this PCR0; ERR_EXPIRED when the certificate is not valid now.
FALLIBLE imagesig_measure(uint8_t pcr8[static IMAGESIG_PCR_BYTES], struct bytes section,
                          const uint8_t pcr0[static IMAGESIG_PCR_BYTES]);
