// SPDX-License-Identifier: Apache-2.0
// Certificate requests (PKCS#10, RFC 2986) that came from the service, by libcrypto: before anybody
// has one signed it must be of the key whose receipt verified, by that key, for the names that were
// asked for and no others. Who may include it: cli.
#pragma once

#include "base/err.h"
#include "base/wr.h"

#define CSR_PEM_MAX   8192U
#define CSR_NAMES_MAX 16U

// Appends the request alone, as PEM, without what stood around it. `names`: DNS names or IP
// addresses as text, 1 to 16. ERR_MALFORMED for what is no request; ERR_UNTRUSTED when its key,
// signature or names are others.
FALLIBLE csr_check(struct wr *out, struct bytes pem, const uint8_t spki_sha256[static 32],
                   const struct bytes *names, size_t count);
