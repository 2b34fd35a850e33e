// SPDX-License-Identifier: Apache-2.0
// Counters of the whole process, as Prometheus reads them (text exposition format 0.0.4). Any
// thread may count. Names and numbers only: no user, no account, no address. Who may include it:
// parent.
#pragma once

#include "base/err.h"
#include "base/wr.h"

enum metrics_counter {
    METRICS_RELAY_OPENED,
    METRICS_RELAY_CLOSED,
    METRICS_RELAY_REFUSED,      // too many at once
    METRICS_RELAY_UNREACHABLE,  // the host could not be dialled
    METRICS_RELAY_FROM_ENCLAVE, // bytes
    METRICS_RELAY_TO_ENCLAVE,   // bytes
    METRICS_TUNNEL_ACCEPTED,
    METRICS_TUNNEL_CLOSED,      // this and the next three: how each of them ended
    METRICS_TUNNEL_UNREACHABLE, // the enclave could not be dialled
    METRICS_TUNNEL_TIMED_OUT,
    METRICS_TUNNEL_EVICTED,      // too many at once
    METRICS_TUNNEL_TO_ENCLAVE,   // bytes
    METRICS_TUNNEL_FROM_ENCLAVE, // bytes
    METRICS_SENDS_STORED,        // the next five in the order of enum store_send_status
    METRICS_SENDS_SENT,
    METRICS_SENDS_MINED,
    METRICS_SENDS_FAILED,
    METRICS_SENDS_REFUSED,
    METRICS_ACCOUNTS_DELETED,
    METRICS_COUNTERS,
};

// What is measured when somebody asks.
struct metrics_now {
    const char *phase; // of the enclave
    bool ready;
    uint64_t expires_ms; // credentials; 0: none
    uint64_t store_bytes;
    uint64_t manifest_serial; // 0: none
    size_t tunnel_connections;
    uint64_t tls_expires_s; // the certificate of the data plane; 0: none
};

// Monotonic nanoseconds, for the times below.
uint64_t metrics_clock_ns(void);
void metrics_add(enum metrics_counter counter, uint64_t n);
// A request that was answered: the route's own method and path (string literals; "other" for none).
void metrics_request(const char *method, const char *path, unsigned status, uint64_t ns);
// A call to the enclave, how it ended with which words of the enclave (perhaps ""), and its time.
void metrics_call(const char *method, enum err_code code, const char *words, uint64_t ns);
void metrics_write(struct wr *wr, const struct metrics_now *now);
