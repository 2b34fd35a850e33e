// SPDX-License-Identifier: Apache-2.0
// The Nitro Security Module's seven requests as CBOR (nsm-api; reference: linux/nsm.h and the
// crate's serde form) over the call that the environment gives. Trusts the device, checks the form
// of every answer.
#pragma once

#include "base/wr.h"
#include "crypto/attest.h"

#define NSM_REQUEST_BYTES 4096  // the driver's own limits (NSM_REQUEST_MAX_SIZE,
#define NSM_ANSWER_BYTES  12288 // NSM_RESPONSE_MAX_SIZE)
#define NSM_PCR_CONFIG    16U

struct nsm_worker;

// Requests go through `worker`, if there is one; else `call` is made at once.
struct nsm {
    struct err (*call)(int fd, struct bytes request, uint8_t *answer, size_t cap, size_t *n);
    int fd;
    struct nsm_worker *worker;
};

// n random bytes of the module, n <= 256.
FALLIBLE nsm_random(const struct nsm *nsm, uint8_t *out, size_t n);
FALLIBLE nsm_describe_pcr(const struct nsm *nsm, unsigned index,
                          uint8_t value[static ATTEST_PCR_BYTES], bool *locked);
// The PCR's new value into `value`.
FALLIBLE nsm_extend_pcr(const struct nsm *nsm, unsigned index, struct bytes data,
                        uint8_t value[static ATTEST_PCR_BYTES]);
FALLIBLE nsm_lock_pcr(const struct nsm *nsm, unsigned index);
// Locks PCRs 0 to range - 1.
FALLIBLE nsm_lock_pcrs(const struct nsm *nsm, unsigned range);

// What a document shall carry; views with p == NULL become null.
struct nsm_request {
    struct bytes user_data, nonce, public_key;
};
// Appends a document to `out`; *timestamp_ms is the time it names.
FALLIBLE nsm_attest(const struct nsm *nsm, const struct nsm_request *request, struct wr *out,
                    uint64_t *timestamp_ms);
