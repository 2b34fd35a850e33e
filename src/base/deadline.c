// SPDX-License-Identifier: Apache-2.0
#include "base/deadline.h"

#include "base/must.h"

#include <limits.h>
#include <time.h>

int64_t deadline_now_ms(void)
{
    struct timespec now;

    must(clock_gettime(CLOCK_BOOTTIME, &now) == 0);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

struct deadline deadline_in(int64_t ms)
{
    return (struct deadline) { .at_ms = deadline_now_ms() + ms };
}

int deadline_left_ms(struct deadline d)
{
    int64_t left = d.at_ms - deadline_now_ms();

    if (left <= 0)
        return 0;
    return left > INT_MAX ? INT_MAX : (int)left;
}

struct deadline deadline_min(struct deadline a, struct deadline b)
{
    return a.at_ms < b.at_ms ? a : b;
}
