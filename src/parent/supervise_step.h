// SPDX-License-Identifier: Apache-2.0
// One turn of the supervisor. Who may include it: parent/supervise.c, tests.
#pragma once

#include "parent/supervise.h"

struct supervise_step {
    struct supervise_options options;
    char phase[16];
    bool connected, ready;
    uint64_t expires_ms;          // credentials handed over; 0: none
    uint64_t refresh_ms;          // when to fetch the next ones
    struct err refresh_err;       // of the last attempt, shown until the next one
    struct detail refresh_detail; // of it
    struct detail detail;         // of the error, when somebody else gave its text
    uint8_t params[65536];        // a keyset record of the largest size as base64 fits
};

// Looks at the enclave and does what is missing. The error tells what stands in the way of READY,
// or, when `ready` is set, what failed without harm yet (fresh credentials).
FALLIBLE supervise_step(struct supervise_step *step);
