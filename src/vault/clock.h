// SPDX-License-Identifier: Apache-2.0
// Trusted wall clock: the hypervisor's signed timestamp at boot, then CLOCK_BOOTTIME. Every later
// document moves it forward only, so that nobody can turn it back.
#pragma once

#include <stdint.h>

struct clock {
    uint64_t wall_ms; // Unix time of the newest document
    int64_t boot_ms;  // CLOCK_BOOTTIME when it was taken
};

// Takes the time of a document in.
void clock_feed(struct clock *clock, uint64_t timestamp_ms);
// Unix milliseconds; 0 before the first document.
uint64_t clock_now_ms(const struct clock *clock);
