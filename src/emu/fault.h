// SPDX-License-Identifier: Apache-2.0
// Faults on order, so that tests see what the product does when KMS is slow, busy, broken or false.
// They stand in DIR/faults, one in a line, and are read again for every request; those with a
// count are struck off when they were used. The form of a line is NAME[,OPTION=NUMBER]...:
//
//   throttle            ThrottlingException
//   internal            KMSInternalException; status=500 (default) or 503
//   latency,ms=N        the answer comes N milliseconds later, at most 60000
//   wrong-key-id        another KeyId in the answer
//   plaintext           Plaintext in the answer, whether or not there is a Recipient
//   corrupt-cms         one bit of CiphertextForRecipient flipped; at=N: in byte N (default: the
//                       middle, which is inside the encrypted key)
//   wrong-recipient     CiphertextForRecipient for another key than the attested one
//   other-data-key      Decrypt answers other bytes than were encrypted
//   cut,bytes=N         the connection ends after N bytes of the answer, its head included
//
// Options of all: count=N (for the next N requests), percent=N (of the requests, at random),
// operation=NAME (of these requests only, e.g. Decrypt).
#pragma once

#include "base/bytes.h"
#include "base/err.h"

#define FAULT_LINES_MAX 32

// What one request meets.
struct fault {
    bool throttle, wrong_key_id, plaintext, corrupt_cms, wrong_recipient, other_data_key;
    unsigned internal_status; // 0: none
    unsigned latency_ms;
    size_t corrupt_at; // SIZE_MAX: the middle
    size_t cut;        // 0: not
};

// Adds one line. ERR_MALFORMED names what was expected; ERR_FULL past FAULT_LINES_MAX.
FALLIBLE fault_add(const char *dir, struct bytes spec);
// Takes all away.
FALLIBLE fault_clear(const char *dir);
// The faults of the next request for this operation, which are counted as used. No file: none.
FALLIBLE fault_take(struct fault *out, const char *dir, const char *operation);
