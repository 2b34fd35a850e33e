// SPDX-License-Identifier: Apache-2.0
// Fixed tables under one lock. Label values are literals of this program, so that nobody outside
// can make the tables grow or put text into them; what finds no row any more is counted as "other".
#include "parent/metrics.h"

#include "base/must.h"
#include "base/u256.h"

#include <pthread.h>
#include <string.h>
#include <time.h>

#define METRICS_ROUTES   64U
#define METRICS_METHODS  32U
#define METRICS_BUCKETS  14U
#define METRICS_STATUSES 16U

struct metrics_route {
    const char *method, *path;
    uint64_t status[METRICS_STATUSES];
    uint64_t bucket[METRICS_BUCKETS]; // not cumulative
    uint64_t count, sum_ns;
};

enum metrics_kms {
    KMS_SUCCESS,
    KMS_THROTTLED,
    KMS_FAILED,
    KMS_DENIED,
    KMS_UNREACHABLE,
    KMS_OTHER,
    KMS_OUTCOMES
};

struct metrics_method {
    char name[32];
    uint64_t code[ERR_CODES];
    uint64_t kms[KMS_OUTCOMES]; // of methods that need AWS KMS
    uint64_t count, sum_ns;
};

static const char *const metrics_outcomes[KMS_OUTCOMES] = {
    [KMS_SUCCESS] = "success", [KMS_THROTTLED] = "throttled",     [KMS_FAILED] = "5xx",
    [KMS_DENIED] = "denied",   [KMS_UNREACHABLE] = "unreachable", [KMS_OTHER] = "other",
};

// What AWS KMS names when it has nothing against the call itself ("Common errors" of its API
// reference). The name stands first in the enclave's words (PROTOCOL.md section 1).
static const struct {
    const char *name;
    enum metrics_kms outcome;
} metrics_kms_names[] = {
    { "ThrottlingException", KMS_THROTTLED }, { "LimitExceededException", KMS_THROTTLED },
    { "KMSInternalException", KMS_FAILED },   { "DependencyTimeoutException", KMS_FAILED },
    { "InternalFailure", KMS_FAILED },        { "ServiceUnavailable", KMS_FAILED },
    { "UnknownError", KMS_FAILED }, // no answer of KMS's form
};

static const struct {
    uint64_t ns;
    const char *seconds;
} metrics_buckets[METRICS_BUCKETS] = {
    { 500000, "0.0005" },  { 1000000, "0.001" },   { 2500000, "0.0025" }, { 5000000, "0.005" },
    { 10000000, "0.01" },  { 25000000, "0.025" },  { 50000000, "0.05" },  { 100000000, "0.1" },
    { 250000000, "0.25" }, { 500000000, "0.5" },   { 1000000000, "1" },   { 5000000000, "5" },
    { 30000000000, "30" }, { UINT64_MAX, "+Inf" },
};
static const unsigned metrics_statuses[METRICS_STATUSES] = {
    200, 201, 204, 400, 401, 403, 404, 405, 409, 413, 500, 502, 503, 504, 0,
};

static const struct {
    const char *name, *labels, *help; // help NULL: of the same family as the one before
} metrics_counters[METRICS_COUNTERS] = {
    [METRICS_RELAY_OPENED] = { "cloister_relay_connections_total", "result=\"opened\"",
                               "Connections of the enclave to hosts of its configuration." },
    [METRICS_RELAY_CLOSED] = { "cloister_relay_connections_total", "result=\"closed\"", NULL },
    [METRICS_RELAY_REFUSED] = { "cloister_relay_connections_total", "result=\"refused\"", NULL },
    [METRICS_RELAY_UNREACHABLE] = { "cloister_relay_connections_total", "result=\"unreachable\"",
                                    NULL },
    [METRICS_RELAY_FROM_ENCLAVE] = { "cloister_relay_bytes_total", "direction=\"from_enclave\"",
                                     "Bytes relayed for the enclave." },
    [METRICS_RELAY_TO_ENCLAVE] = { "cloister_relay_bytes_total", "direction=\"to_enclave\"", NULL },
    [METRICS_TUNNEL_ACCEPTED] = { "cloister_tunnel_connections_total", "result=\"accepted\"",
                                  "Connections of clients to the data plane." },
    [METRICS_TUNNEL_CLOSED] = { "cloister_tunnel_connections_total", "result=\"closed\"", NULL },
    [METRICS_TUNNEL_UNREACHABLE] = { "cloister_tunnel_connections_total", "result=\"unreachable\"",
                                     NULL },
    [METRICS_TUNNEL_TIMED_OUT] = { "cloister_tunnel_connections_total", "result=\"timed_out\"",
                                   NULL },
    [METRICS_TUNNEL_EVICTED] = { "cloister_tunnel_connections_total", "result=\"evicted\"", NULL },
    [METRICS_TUNNEL_TO_ENCLAVE] = { "cloister_tunnel_bytes_total", "direction=\"to_enclave\"",
                                    "Bytes of clients of the data plane, as they came (TLS)." },
    [METRICS_TUNNEL_FROM_ENCLAVE] = { "cloister_tunnel_bytes_total", "direction=\"from_enclave\"",
                                      NULL },
    [METRICS_SENDS_STORED] = { "cloister_sends_total", "status=\"stored\"",
                               "Transactions that reached this status." },
    [METRICS_SENDS_SENT] = { "cloister_sends_total", "status=\"sent\"", NULL },
    [METRICS_SENDS_MINED] = { "cloister_sends_total", "status=\"mined\"", NULL },
    [METRICS_SENDS_FAILED] = { "cloister_sends_total", "status=\"failed\"", NULL },
    [METRICS_SENDS_REFUSED] = { "cloister_sends_total", "status=\"refused\"", NULL },
    [METRICS_ACCOUNTS_DELETED] = { "cloister_accounts_deleted_total", "",
                                   "Accounts deleted after their announced time." },
};

static pthread_mutex_t metrics_lock = PTHREAD_MUTEX_INITIALIZER;
static uint64_t metrics_count[METRICS_COUNTERS];
static struct metrics_route metrics_route[METRICS_ROUTES];
static struct metrics_method metrics_method[METRICS_METHODS];

uint64_t metrics_clock_ns(void)
{
    struct timespec now = { 0 };

    must(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
    return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

void metrics_add(enum metrics_counter counter, uint64_t n)
{
    must(pthread_mutex_lock(&metrics_lock) == 0);
    metrics_count[counter] += n;
    must(pthread_mutex_unlock(&metrics_lock) == 0);
}

static struct metrics_route *metrics_find_route(const char *method, const char *path)
{
    size_t i = 0;

    while (
        i + 1 < METRICS_ROUTES && metrics_route[i].path &&
        (strcmp(metrics_route[i].path, path) != 0 || strcmp(metrics_route[i].method, method) != 0))
        i++;
    if (!metrics_route[i].path) {
        metrics_route[i].method = method;
        metrics_route[i].path = path;
    }
    return &metrics_route[i];
}

void metrics_request(const char *method, const char *path, unsigned status, uint64_t ns)
{
    struct metrics_route *route;
    size_t s = 0, b = 0;

    while (s + 1 < METRICS_STATUSES && metrics_statuses[s] != status && metrics_statuses[s] != 0)
        s++;
    while (b + 1 < METRICS_BUCKETS && ns > metrics_buckets[b].ns)
        b++;
    must(pthread_mutex_lock(&metrics_lock) == 0);
    route = metrics_find_route(method, path);
    route->status[s]++;
    route->bucket[b]++;
    route->count++;
    route->sum_ns += ns;
    must(pthread_mutex_unlock(&metrics_lock) == 0);
}

static enum metrics_kms metrics_kms_outcome(enum err_code code, const char *words)
{
    if (code == ERR_NONE)
        return KMS_SUCCESS;
    if (code == ERR_UNREACHABLE || code == ERR_CLOSED || code == ERR_TIMEOUT ||
        code == ERR_UNTRUSTED)
        return KMS_UNREACHABLE;
    for (size_t i = 0; code == ERR_KMS && i < ARRAY_LEN(metrics_kms_names); i++)
        if (strncmp(words, metrics_kms_names[i].name, strlen(metrics_kms_names[i].name)) == 0)
            return metrics_kms_names[i].outcome;
    return code == ERR_KMS || code == ERR_EXPIRED ? KMS_DENIED : KMS_OTHER;
}

void metrics_call(const char *method, enum err_code code, const char *words, uint64_t ns)
{
    size_t i = 0;

    must(pthread_mutex_lock(&metrics_lock) == 0);
    while (i + 1 < METRICS_METHODS && metrics_method[i].name[0] &&
           strcmp(metrics_method[i].name, method) != 0)
        i++;
    if (!metrics_method[i].name[0])
        (void)bytes_to_str(bytes_str(method), metrics_method[i].name,
                           sizeof(metrics_method[i].name));
    metrics_method[i].code[code < ERR_CODES ? code : ERR_INTERNAL]++;
    metrics_method[i].kms[metrics_kms_outcome(code, words)]++;
    metrics_method[i].count++;
    metrics_method[i].sum_ns += ns;
    must(pthread_mutex_unlock(&metrics_lock) == 0);
}

static void metrics_head(struct wr *wr, const char *name, const char *type, const char *help)
{
    wr_str(wr, "# HELP ");
    wr_str(wr, name);
    wr_str(wr, " ");
    wr_str(wr, help);
    wr_str(wr, "\n# TYPE ");
    wr_str(wr, name);
    wr_str(wr, " ");
    wr_str(wr, type);
    wr_str(wr, "\n");
}

static void metrics_line(struct wr *wr, const char *name, const char *labels, uint64_t value)
{
    wr_str(wr, name);
    if (labels[0]) {
        wr_str(wr, "{");
        wr_str(wr, labels);
        wr_str(wr, "}");
    }
    wr_str(wr, " ");
    u256_write_decimal(wr, u256_of(value));
    wr_str(wr, "\n");
}

// One gauge with its head.
static void metrics_gauge(struct wr *wr, const char *name, const char *help, uint64_t value)
{
    metrics_head(wr, name, "gauge", help);
    metrics_line(wr, name, "", value);
}

// "NAME{method=...,route=..." without the end; of the two label values the path has no quotes.
static void metrics_route_labels(struct wr *wr, const char *name, const struct metrics_route *route)
{
    wr_str(wr, name);
    wr_str(wr, "{method=\"");
    wr_str(wr, route->method);
    wr_str(wr, "\",route=\"");
    wr_str(wr, route->path);
    wr_str(wr, "\"");
}

static void metrics_end(struct wr *wr, const char *label, const char *text, uint64_t value)
{
    wr_str(wr, label);
    wr_str(wr, text);
    wr_str(wr, label[0] ? "\"} " : "} ");
    u256_write_decimal(wr, u256_of(value));
    wr_str(wr, "\n");
}

static void metrics_status(struct wr *wr, const struct metrics_route *route, size_t s)
{
    char text[4] = "any";
    unsigned status = metrics_statuses[s];

    for (int i = 2; status && i >= 0; i--, status /= 10)
        text[i] = (char)('0' + status % 10);
    metrics_route_labels(wr, "cloister_requests_total", route);
    metrics_end(wr, ",status=\"", text, route->status[s]);
}

// Seconds with nine digits after the point.
static void metrics_seconds(struct wr *wr, uint64_t ns)
{
    char digits[10] = "000000000";

    u256_write_decimal(wr, u256_of(ns / 1000000000U));
    ns %= 1000000000U;
    for (int i = 8; i >= 0; i--, ns /= 10)
        digits[i] = (char)('0' + ns % 10);
    wr_str(wr, ".");
    wr_str(wr, digits);
    wr_str(wr, "\n");
}

static void metrics_histogram(struct wr *wr, const struct metrics_route *route)
{
    uint64_t sum = 0;

    for (size_t b = 0; b < METRICS_BUCKETS; b++) {
        sum += route->bucket[b];
        metrics_route_labels(wr, "cloister_request_seconds_bucket", route);
        metrics_end(wr, ",le=\"", metrics_buckets[b].seconds, sum);
    }
    metrics_route_labels(wr, "cloister_request_seconds_sum", route);
    wr_str(wr, "} ");
    metrics_seconds(wr, route->sum_ns);
    metrics_route_labels(wr, "cloister_request_seconds_count", route);
    metrics_end(wr, "", "", route->count);
}

static void metrics_requests(struct wr *wr)
{
    metrics_head(wr, "cloister_requests_total", "counter", "REST requests by route and status.");
    for (size_t i = 0; i < METRICS_ROUTES && metrics_route[i].path; i++)
        for (size_t s = 0; s < METRICS_STATUSES; s++)
            if (metrics_route[i].status[s])
                metrics_status(wr, &metrics_route[i], s);
    metrics_head(wr, "cloister_request_seconds", "histogram", "Time to answer, by route.");
    for (size_t i = 0; i < METRICS_ROUTES && metrics_route[i].path; i++)
        metrics_histogram(wr, &metrics_route[i]);
}

static void metrics_one_call(struct wr *wr, const struct metrics_method *method, enum err_code code)
{
    wr_str(wr, "cloister_enclave_calls_total{method=\"");
    wr_str(wr, method->name);
    metrics_end(wr, "\",code=\"", err_name(code), method->code[code]);
}

static void metrics_signatures(struct wr *wr, const struct metrics_method *method)
{
    metrics_head(wr, "cloister_signatures_total", "counter", "Signatures of the enclave.");
    metrics_line(wr, "cloister_signatures_total", "", method->code[ERR_NONE]);
    metrics_head(wr, "cloister_refusals_total", "counter",
                 "Signatures that the enclave or the way to it refused, by code.");
    for (int code = ERR_NONE + 1; code < ERR_CODES; code++) {
        if (!method->code[code])
            continue;
        wr_str(wr, "cloister_refusals_total");
        metrics_end(wr, "{code=\"", err_name((enum err_code)code), method->code[code]);
    }
}

// What cloisterd sees of AWS KMS: operations that need it, whose calls and retries are the
// enclave's.
static void metrics_kms(struct wr *wr)
{
    metrics_head(wr, "cloister_kms_operations_total", "counter",
                 "Keysets created or opened, each with one KMS call or more, by outcome.");
    for (size_t i = 0; i < METRICS_METHODS; i++) {
        const struct metrics_method *method = &metrics_method[i];

        for (size_t o = 0; strncmp(method->name, "keyset.", 7) == 0 && o < KMS_OUTCOMES; o++) {
            wr_str(wr, "cloister_kms_operations_total{operation=\"");
            wr_str(wr, method->name);
            metrics_end(wr, "\",outcome=\"", metrics_outcomes[o], method->kms[o]);
        }
    }
}

static void metrics_call_seconds(struct wr *wr)
{
    metrics_head(wr, "cloister_enclave_call_seconds", "summary",
                 "Time of calls to the enclave; of keyset.*, with AWS KMS and the retries.");
    for (size_t i = 0; i < METRICS_METHODS && metrics_method[i].name[0]; i++) {
        wr_str(wr, "cloister_enclave_call_seconds_sum{method=\"");
        wr_str(wr, metrics_method[i].name);
        wr_str(wr, "\"} ");
        metrics_seconds(wr, metrics_method[i].sum_ns);
        wr_str(wr, "cloister_enclave_call_seconds_count{method=\"");
        metrics_end(wr, metrics_method[i].name, "", metrics_method[i].count);
    }
}

static void metrics_calls(struct wr *wr)
{
    struct metrics_method none = { .name = "" };
    const struct metrics_method *sign = &none;

    metrics_head(wr, "cloister_enclave_calls_total", "counter",
                 "Calls to the enclave by method and error code (ok: none).");
    for (size_t i = 0; i < METRICS_METHODS && metrics_method[i].name[0]; i++) {
        if (strcmp(metrics_method[i].name, "sign_transaction") == 0)
            sign = &metrics_method[i];
        for (int code = ERR_NONE; code < ERR_CODES; code++)
            if (metrics_method[i].code[code])
                metrics_one_call(wr, &metrics_method[i], (enum err_code)code);
    }
    metrics_signatures(wr, sign);
    metrics_kms(wr);
    metrics_call_seconds(wr);
}

static void metrics_gauges(struct wr *wr, const struct metrics_now *now)
{
    static const char *const phases[] = { "UNKNOWN", "UNCONFIGURED", "CONFIGURED", "READY",
                                          "SEALED" };

    metrics_head(wr, "cloister_enclave_phase", "gauge", "1 for the phase of the enclave.");
    for (size_t i = 0; i < ARRAY_LEN(phases); i++) {
        wr_str(wr, "cloister_enclave_phase");
        metrics_end(wr, "{phase=\"", phases[i], strcmp(phases[i], now->phase) == 0);
    }
    metrics_gauge(wr, "cloister_ready", "1 when every keyset is open.", now->ready);
    metrics_gauge(wr, "cloister_manifest_serial", "Serial of the stored manifest; 0: none.",
                  now->manifest_serial);
    metrics_gauge(wr, "cloister_credentials_expire_timestamp_seconds",
                  "When the AWS credentials of the enclave expire (Unix time); 0: none.",
                  now->expires_ms / 1000);
    metrics_gauge(wr, "cloister_tls_certificate_expire_timestamp_seconds",
                  "When the certificate of the data plane expires (Unix time); 0: none.",
                  now->tls_expires_s);
    metrics_gauge(wr, "cloister_store_bytes", "Size of the store.", now->store_bytes);
    metrics_gauge(wr, "cloister_relay_connections_open", "Relayed connections that are open.",
                  metrics_count[METRICS_RELAY_OPENED] - metrics_count[METRICS_RELAY_CLOSED]);
    metrics_gauge(wr, "cloister_tunnel_connections_open", "Connections of clients that are open.",
                  now->tunnel_connections);
}

void metrics_write(struct wr *wr, const struct metrics_now *now)
{
    must(pthread_mutex_lock(&metrics_lock) == 0);
    metrics_gauges(wr, now);
    for (size_t i = 0; i < METRICS_COUNTERS; i++) {
        if (metrics_counters[i].help)
            metrics_head(wr, metrics_counters[i].name, "counter", metrics_counters[i].help);
        metrics_line(wr, metrics_counters[i].name, metrics_counters[i].labels, metrics_count[i]);
    }
    metrics_calls(wr);
    metrics_requests(wr);
    must(pthread_mutex_unlock(&metrics_lock) == 0);
}
