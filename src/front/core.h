// SPDX-License-Identifier: Apache-2.0
// What the parts of the front share: the loop's thread owns all of it. Who may include it: front.
#pragma once

#include "front/counters.h"
#include "front/credentials.h"
#include "front/front.h"
#include "front/link.h"
#include "net/json.h"
#include "proto/config.h"
#include "proto/receipt.h"

#define CORE_VERSION "0.1.0"

// Numbers of the events that the front writes to stderr: `event NUMBER INTEGER INTEGER`. Never
// text of a request.
enum core_event {
    CORE_EVENT_READY = 17,       // phase, 0
    CORE_EVENT_END = 18,         // enum err_code, 0
    CORE_EVENT_PHASE = 19,       // phase, 0
    CORE_EVENT_KMS_FAILED = 20,  // enum err_code, HTTP status
    CORE_EVENT_CREDENTIALS = 21, // minutes that they are valid, 0
    CORE_EVENT_DENIED = 22,      // data plane: enum clients_operation, HTTP status
    CORE_EVENT_TLS = 23,         // a certificate is in use: when it expires (Unix s); 0: none is
    CORE_EVENT_AUTHORITIES = 24, // of the manifest are no certificates: how many there are, 0
};

// The trusted wall clock: the vault's, and CLOCK_BOOTTIME since.
struct core_clock {
    uint64_t wall_ms; // the vault's clock at
    int64_t boot_ms;  // this time of CLOCK_BOOTTIME
};

struct core {
    struct loop *loop;
    struct link *link;
    struct control *control;
    struct kms *kms;
    struct credentials *credentials;
    struct permits *permits;
    struct tlssign *tlssign;
    struct tlscert *tlscert;
    struct data *data;
    unsigned calls, data_calls; // under way, those of connections that have gone included
    struct counters counters;
    const struct anchors *anchors;

    // As the vault said last. Every decision is the vault's; these are for early, clear refusals.
    uint8_t phase; // enum receipt_phase; 0 until the vault has told
    struct id boot;
    struct core_clock clock;

    struct config config; // views into config_bytes
    bool configured;
    size_t config_len;
    uint8_t config_bytes[CONFIG_BYTES_MAX];
};

uint64_t core_now_s(const struct core_clock *clock);
// Takes over phase, boot and time of the vault.
void core_set_status(struct core *core, const struct msg_status *status);
void core_set_phase(struct core *core, uint8_t phase);
// Takes over a configuration: the vault's, or one that it has just accepted.
FALLIBLE core_set_config(struct core *core, struct bytes canonical);
const char *core_phase_name(uint8_t phase);
void core_event(enum core_event event, int64_t a, int64_t b);
