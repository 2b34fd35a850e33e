// SPDX-License-Identifier: Apache-2.0
// Sharing a secret among n holders, any k of whom have it (A. Shamir, How to Share a Secret, 1979):
// each byte is the constant term of a random polynomial of degree k - 1 over GF(256) with the
// polynomial of AES (FIPS 197 4.2); share x holds its values at x. Fewer than k shares say nothing
// about the secret; nothing tells a wrong share from a right one: whoever joins checks the result.
#pragma once

#include "base/err.h"
#include "base/seckey.h"

#define SHAMIR_SHARES_MAX 5

// share[i] (apart from `secret`) is the one at x = i + 1; with k = 1 each is the secret itself.
// `coefficient` has k - 1 random ones, which are as secret as the shares. ERR_MALFORMED unless 1 <=
// k
// <= n <= SHAMIR_SHARES_MAX.
FALLIBLE shamir_split(struct seckey share[], unsigned k, unsigned n, const struct seckey *secret,
                      const struct seckey coefficient[]);
// The secret from k shares, share[i] being the one at x[i]. ERR_MALFORMED unless 1 <= k <=
// SHAMIR_SHARES_MAX and x are k different numbers from 1 to 255.
FALLIBLE shamir_join(struct seckey *secret, const struct seckey share[], const uint8_t *x,
                     unsigned k);
