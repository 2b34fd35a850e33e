// SPDX-License-Identifier: Apache-2.0
// What the front counts, told as JSON (control plane, `metrics`) and as Prometheus reads it (data
// plane, `GET /metrics`; text exposition format 0.0.4). Names and numbers of this program only: no
// text of a request, no identity, no key. The loop's thread owns them. Who may include it: front.
#pragma once

#include "base/err.h"
#include "net/json.h"

// The rows of the table in counters.c.
enum counters_id {
    COUNTERS_KMS_CALLS,
    COUNTERS_KMS_ATTEMPTS,
    COUNTERS_KMS_RETRIES,
    COUNTERS_ANCHOR_EXCHANGES,
    COUNTERS_HANDSHAKES_FULL,
    COUNTERS_HANDSHAKES_RESUMED,
    COUNTERS_HANDSHAKES_FAILED,
    COUNTERS_CONNECTIONS_ACCEPTED,
    COUNTERS_CONNECTIONS_EVICTED,
    COUNTERS_CONNECTIONS_REFUSED,
    COUNTERS_CONNECTIONS,
    COUNTERS_DENIED_UNKNOWN,
    COUNTERS_DENIED_KNOWN,
    COUNTERS_DENIED_HOST,
    COUNTERS_DENIED_ORIGIN,
    COUNTERS_DENIALS_REPORTED,
    COUNTERS_BYTES_RECEIVED,
    COUNTERS_BYTES_SENT,
    COUNTERS_ROWS
};

#define COUNTERS_ROUTES   16U // at least the routes of the data plane, ROUTES_ALL
#define COUNTERS_CLASSES  3U  // 2xx, 4xx, 5xx
#define COUNTERS_TEXT_MAX 32768U

struct counters {
    uint64_t row[COUNTERS_ROWS];
    uint64_t control[ERR_CODES];      // requests of the control plane, by what became of them
    uint64_t kms_outcomes[ERR_CODES]; // calls of KMS and exchanges with the anchor, the same
    uint64_t requests[COUNTERS_ROUTES][COUNTERS_CLASSES];
};

// An answer of the data plane; `route` as in routes_path.
void counters_request(struct counters *counters, size_t route, unsigned status);
// The members of an object: sample names without "cloister_", as in PROTOCOL.md section 12.
void counters_write_json(struct jw *jw, const struct counters *counters);
// All samples with their HELP and TYPE lines, at most COUNTERS_TEXT_MAX bytes.
void counters_write_text(struct wr *wr, const struct counters *counters);
