// SPDX-License-Identifier: Apache-2.0
// The parent's AWS credentials, in a locked page of their own: set, used for signatures until they
// expire, wiped. Who may include it: front.
#pragma once

#include "base/bytes.h"
#include "base/err.h"
#include "net/sigv4.h"

struct credentials;

FALLIBLE credentials_new(struct credentials **out);
void credentials_free(struct credentials **credentials);
// Replaces what was there. ERR_MALFORMED, or ERR_EXPIRED, which keep the old ones.
FALLIBLE credentials_set(struct credentials *credentials, const struct sigv4_credentials *given,
                         uint64_t expires_s, uint64_t now_s);
// When they expire (Unix seconds); 0 when there are none. Wipes them when that time has come.
uint64_t credentials_expires(struct credentials *credentials, uint64_t now_s);
// ERR_EXPIRED when there are none or no more.
FALLIBLE credentials_check(struct credentials *credentials, uint64_t now_s);
// Writes the Authorization header of a request, and the session token (perhaps empty). Callable
// from any thread. ERR_EXPIRED, or ERR_TOO_LARGE.
FALLIBLE credentials_sign(struct credentials *credentials, struct wr *authorization,
                          struct wr *token, const struct sigv4_request *request);
