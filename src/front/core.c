// SPDX-License-Identifier: Apache-2.0
// The front's knowledge of its vault: phase, clock, configuration. Everything here came from the
// vault; none of it decides about a key.
#include "front/core.h"

#include "base/deadline.h"
#include "base/must.h"
#include "front/tlscert.h"

#include <stdio.h>
#include <string.h>

uint64_t core_now_s(const struct core_clock *clock)
{
    return (clock->wall_ms + (uint64_t)(deadline_now_ms() - clock->boot_ms)) / 1000;
}

void core_set_status(struct core *core, const struct msg_status *status)
{
    core->boot = status->boot;
    core->clock = (struct core_clock) { status->now_ms, deadline_now_ms() };
    core_set_phase(core, status->phase);
}

void core_set_phase(struct core *core, uint8_t phase)
{
    if (phase != core->phase)
        core_event(CORE_EVENT_PHASE, phase, 0);
    core->phase = phase;
    if (phase != PHASE_READY && core->tlscert)
        tlscert_drop(core->tlscert); // no keyset is open, and so no key
}

struct err core_set_config(struct core *core, struct bytes canonical)
{
    ENSURE(canonical.n <= sizeof(core->config_bytes), ERR_TOO_LARGE,
           "configuration: expected at most 16384 bytes");
    memcpy(core->config_bytes, canonical.p, canonical.n);
    core->config_len = canonical.n;
    TRY(config_read(&core->config, bytes_of(core->config_bytes, core->config_len)));
    core->configured = true;
    return OK;
}

const char *core_phase_name(uint8_t phase)
{
    static const char *const names[] = { [PHASE_UNCONFIGURED] = "UNCONFIGURED",
                                         [PHASE_CONFIGURED] = "CONFIGURED",
                                         [PHASE_READY] = "READY",
                                         [PHASE_SEALED] = "SEALED" };

    return phase < ARRAY_LEN(names) && names[phase] ? names[phase] : "UNKNOWN";
}

void core_event(enum core_event event, int64_t a, int64_t b)
{
    (void)fprintf(stderr, "event %d %lld %lld\n", (int)event, (long long)a, (long long)b);
}
