// SPDX-License-Identifier: Apache-2.0
// Deadlines on the monotonic clock: every wait in the project ends at one of these.
#pragma once

#include <stdint.h>

struct deadline {
    int64_t at_ms; // CLOCK_BOOTTIME, milliseconds
};

int64_t deadline_now_ms(void);
struct deadline deadline_in(int64_t ms);
// Milliseconds left, 0 when it has passed; fits poll() and epoll_wait().
int deadline_left_ms(struct deadline d);
// The earlier of the two.
struct deadline deadline_min(struct deadline a, struct deadline b);
