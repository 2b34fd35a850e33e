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
// Those of a virtual machine's vsock; a connection meets the faults that were in force when it
// began:
//
//   link-drop,packets=N       every Nth packet with data is lost
//   link-delay,ms=N           up to N milliseconds, at random, between packets to the guest
//   link-reorder              streams overtake each other, data overtakes credit
//   link-half-close,bytes=N   the parent ends its direction after N bytes (of both)
//   link-cut,bytes=N          the stream is reset after N bytes
//   link-flood,packets=N      N packets of no stream go to the guest first
//
// Options of all: count=N (for the next N requests or connections), percent=N (of them, at random),
// operation=NAME (of these only: an operation of KMS, e.g. Decrypt; for link faults Control, made
// by the parent, or Egress, made by the guest).
#pragma once

#include "base/bytes.h"
#include "base/err.h"

#define FAULT_LINES_MAX 32
#define FAULT_CONTROL   "Control"
#define FAULT_EGRESS    "Egress"

// What one connection of the vsock meets; 0: not.
struct fault_link {
    unsigned drop, delay_ms, flood;
    uint64_t half_close, cut;
    bool reorder;
};

// What one request meets.
struct fault {
    bool throttle, wrong_key_id, plaintext, corrupt_cms, wrong_recipient, other_data_key;
    unsigned internal_status; // 0: none
    unsigned latency_ms;
    size_t corrupt_at; // SIZE_MAX: the middle
    size_t cut;        // 0: not
    struct fault_link link;
};

// Adds one line. ERR_MALFORMED names what was expected; ERR_FULL past FAULT_LINES_MAX.
FALLIBLE fault_add(const char *dir, struct bytes spec);
// Takes all away.
FALLIBLE fault_clear(const char *dir);
// The faults of the next request for this operation, or of the next connection (FAULT_CONTROL,
// FAULT_EGRESS), which are counted as used. No file: none.
FALLIBLE fault_take(struct fault *out, const char *dir, const char *operation);
