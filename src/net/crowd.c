// SPDX-License-Identifier: Apache-2.0
// The choice of the connection that has to go. Duty: one rule for all servers. It looks at kinds
// and times only, never at what a peer sent; it closes nothing itself.
#include "net/crowd.h"

void *crowd_victim(const struct crowd *crowd)
{
    bool is_flood = crowd->newcomers > crowd->count / 2;

    if (crowd->oldest[CROWD_KNOWN] && !is_flood)
        return crowd->oldest[CROWD_KNOWN];
    return crowd->oldest[crowd->oldest[CROWD_NEWCOMER] ? CROWD_NEWCOMER : CROWD_TRUSTED];
}

void crowd_look(struct crowd *crowd, void *conn, enum crowd_kind kind, int64_t since_ms)
{
    crowd->count++;
    if (kind >= CROWD_KINDS)
        return;
    crowd->newcomers += kind == CROWD_NEWCOMER;
    if (crowd->oldest[kind] && crowd->since_ms[kind] < since_ms)
        return;
    crowd->oldest[kind] = conn;
    crowd->since_ms[kind] = since_ms;
}
