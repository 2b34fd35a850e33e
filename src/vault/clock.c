// SPDX-License-Identifier: Apache-2.0
#include "vault/clock.h"

#include "base/deadline.h"

void clock_feed(struct clock *clock, uint64_t timestamp_ms)
{
    if (timestamp_ms <= clock_now_ms(clock))
        return;
    clock->wall_ms = timestamp_ms;
    clock->boot_ms = deadline_now_ms();
}

uint64_t clock_now_ms(const struct clock *clock)
{
    if (clock->wall_ms == 0)
        return 0;
    return clock->wall_ms + (uint64_t)(deadline_now_ms() - clock->boot_ms);
}
