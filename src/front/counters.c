// SPDX-License-Identifier: Apache-2.0
// One table of samples; families that stand for each error code, and the requests by route and
// class, are arrays beside it. Both ways of telling walk through the same samples in the same
// order, families together. What ends in `_total` only grows, until the front is started again.
#include "front/counters.h"

#include "base/must.h"
#include "front/routes.h"

#include <string.h>

#define SAMPLE_BYTES 160U

static const struct counters_row {
    const char *name, *labels, *help; // help NULL: of the same family as the one before
} counters_rows[COUNTERS_ROWS] = {
    [COUNTERS_KMS_CALLS] = { "kms_calls_total", "", "Calls of AWS KMS that the vault asked for." },
    [COUNTERS_KMS_ATTEMPTS] = { "kms_attempts_total", "", "Attempts at those calls." },
    [COUNTERS_KMS_RETRIES] = { "kms_retries_total", "", "Attempts after the first one." },
    [COUNTERS_ANCHOR_EXCHANGES] = { "anchor_exchanges_total", "",
                                    "Exchanges with the anchor that the vault asked for." },
    [COUNTERS_HANDSHAKES_FULL] = { "tls_handshakes_total", "result=\"full\"",
                                   "TLS handshakes of the data plane." },
    [COUNTERS_HANDSHAKES_RESUMED] = { "tls_handshakes_total", "result=\"resumed\"", NULL },
    [COUNTERS_HANDSHAKES_FAILED] = { "tls_handshakes_total", "result=\"failed\"", NULL },
    [COUNTERS_CONNECTIONS_ACCEPTED] = { "data_connections_total", "result=\"accepted\"",
                                        "Connections to the data plane." },
    [COUNTERS_CONNECTIONS_EVICTED] = { "data_connections_total", "result=\"evicted\"", NULL },
    [COUNTERS_CONNECTIONS_REFUSED] = { "data_connections_total", "result=\"refused\"", NULL },
    [COUNTERS_CONNECTIONS] = { "data_connections", "", "Connections to the data plane now." },
    [COUNTERS_DENIED_UNKNOWN] = { "data_denials_total", "reason=\"unauthorized\"",
                                  "Requests that the manifest in force does not allow." },
    [COUNTERS_DENIED_KNOWN] = { "data_denials_total", "reason=\"denied\"", NULL },
    [COUNTERS_DENIED_HOST] = { "data_denials_total", "reason=\"host\"", NULL },
    [COUNTERS_DENIED_ORIGIN] = { "data_denials_total", "reason=\"origin\"", NULL },
    [COUNTERS_DENIALS_REPORTED] = { "data_denials_reported_total", "",
                                    "Denials that were told to the vault for the audit." },
    [COUNTERS_BYTES_RECEIVED] = { "data_body_bytes_total", "direction=\"received\"",
                                  "Bytes of bodies of the data plane." },
    [COUNTERS_BYTES_SENT] = { "data_body_bytes_total", "direction=\"sent\"", NULL },
};

// One sample on its way to one of the two forms.
struct counters_sample {
    const char *name, *help; // as in a row
    struct bytes labels;
    uint64_t value;
};

struct counters_teller {
    void (*tell)(const struct counters_teller *teller, const struct counters_sample *sample);
    struct jw *jw;
    struct wr *wr;
};

void counters_request(struct counters *counters, size_t route, unsigned status)
{
    must(route < COUNTERS_ROUTES && status >= 200 && status < 600);
    counters->requests[route][status < 300 ? 0 : status / 100 - 3]++;
}

static void counters_label(struct wr *wr, const char *name, const char *value)
{
    if (wr->len > 0)
        wr_u8(wr, ',');
    wr_str(wr, name);
    wr_str(wr, "=\"");
    wr_str(wr, value);
    wr_u8(wr, '"');
}

// A family that has a sample for each code that occurred, and for `ok` in any case.
static void counters_tell_codes(const struct counters_teller *teller, struct counters_sample sample,
                                const char *label, const uint64_t count[static ERR_CODES])
{
    for (unsigned code = 0; code < ERR_CODES; code++) {
        uint8_t space[SAMPLE_BYTES];
        struct wr labels = WR_OF(space);

        if (code > 0 && count[code] == 0)
            continue;
        counters_label(&labels, label, err_name((enum err_code)code));
        sample.labels = wr_done(&labels);
        sample.value = count[code];
        teller->tell(teller, &sample);
        sample.help = NULL;
    }
}

static void counters_tell_requests(const struct counters_teller *teller,
                                   const struct counters *counters)
{
    static const char *const classes[COUNTERS_CLASSES] = { "2xx", "4xx", "5xx" };
    struct counters_sample sample = { "data_requests_total", "Requests of the data plane.",
                                      BYTES_NONE, 0 };

    for (size_t i = 0; i < ROUTES_ALL * COUNTERS_CLASSES; i++) {
        uint8_t space[SAMPLE_BYTES];
        struct wr labels = WR_OF(space);

        counters_label(&labels, "route", routes_path(i / COUNTERS_CLASSES));
        counters_label(&labels, "status", classes[i % COUNTERS_CLASSES]);
        sample.labels = wr_done(&labels);
        sample.value = counters->requests[i / COUNTERS_CLASSES][i % COUNTERS_CLASSES];
        teller->tell(teller, &sample);
        sample.help = NULL;
    }
}

static void counters_tell(const struct counters_teller *teller, const struct counters *counters)
{
    struct counters_sample control = { "control_requests_total", "Requests of the control plane.",
                                       BYTES_NONE, 0 };
    struct counters_sample failures = { "kms_outcomes_total",
                                        "Calls of AWS KMS, and exchanges with the anchor, by what "
                                        "became of them.",
                                        BYTES_NONE, 0 };

    counters_tell_codes(teller, control, "outcome", counters->control);
    counters_tell_codes(teller, failures, "outcome", counters->kms_outcomes);
    for (size_t i = 0; i < COUNTERS_ROWS; i++) {
        const struct counters_row *row = &counters_rows[i];

        teller->tell(teller, &(struct counters_sample) {
                                 row->name, row->help, bytes_str(row->labels), counters->row[i] });
    }
    counters_tell_requests(teller, counters);
}

static void counters_write_name(struct wr *wr, const struct counters_sample *sample)
{
    wr_str(wr, sample->name);
    if (sample->labels.n == 0)
        return;
    wr_u8(wr, '{');
    wr_bytes(wr, sample->labels);
    wr_u8(wr, '}');
}

static void counters_tell_json(const struct counters_teller *teller,
                               const struct counters_sample *sample)
{
    char key[SAMPLE_BYTES];
    struct wr wr = wr_of(key, sizeof(key));

    counters_write_name(&wr, sample);
    wr_u8(&wr, 0);
    must(!wr.bad); // names and labels are literals
    jw_u64(jw_key(teller->jw, key), sample->value);
}

void counters_write_json(struct jw *jw, const struct counters *counters)
{
    counters_tell(&(struct counters_teller) { counters_tell_json, jw, NULL }, counters);
}

static void counters_write_line(struct wr *wr, const char *head, const char *name, const char *rest)
{
    wr_str(wr, head);
    wr_str(wr, name);
    wr_u8(wr, ' ');
    wr_str(wr, rest);
    wr_u8(wr, '\n');
}

static void counters_tell_text(const struct counters_teller *teller,
                               const struct counters_sample *sample)
{
    size_t n = strlen(sample->name);
    bool grows = n > 6 && strcmp(sample->name + n - 6, "_total") == 0;
    struct wr *wr = teller->wr;

    if (sample->help) {
        counters_write_line(wr, "# HELP cloister_", sample->name, sample->help);
        counters_write_line(wr, "# TYPE cloister_", sample->name, grows ? "counter" : "gauge");
    }
    wr_str(wr, "cloister_");
    counters_write_name(wr, sample);
    wr_u8(wr, ' ');
    u256_write_decimal(wr, u256_of(sample->value));
    wr_u8(wr, '\n');
}

void counters_write_text(struct wr *wr, const struct counters *counters)
{
    counters_tell(&(struct counters_teller) { counters_tell_text, NULL, wr }, counters);
}
