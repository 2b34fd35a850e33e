// SPDX-License-Identifier: Apache-2.0
// What the data plane tells about itself, in the form that Web3Signer's clients and probes know.
#include "front/service.h"

#include "base/hex.h"
#include "front/report.h"
#include "net/accept.h"

#define NONCE_BYTES_MIN 16U // a document is for the one who asked only if nobody else asked it

static struct err service_no_query(const struct routes_request *request)
{
    ENSURE(request->query.n == 0, ERR_MALFORMED, "query: expected none");
    return OK;
}

// Text unless JSON is what the client would rather have.
struct err service_upcheck(struct call *call, const struct routes_request *request)
{
    struct bytes accept = http_field_get(request->head, "Accept");

    TRY(service_no_query(request));
    if (accept_weight(accept, "application/json") > accept_weight(accept, "text/plain")) {
        jw_cstring(jw_key(call_begin(call), "status"), "OK");
        call_end(call);
        return OK;
    }
    wr_str(call_begin_text(call), "OK");
    call_end_text(call, CALL_TEXT);
    return OK;
}

// One check; `phase` (or NULL) is its data.
static void service_check(struct jw *jw, const char *id, bool is_up, const char *phase)
{
    jw_object(jw);
    jw_cstring(jw_key(jw, "id"), id);
    jw_cstring(jw_key(jw, "status"), is_up ? "UP" : "DOWN");
    if (phase) {
        jw_object(jw_key(jw, "data"));
        jw_cstring(jw_key(jw, "phase"), phase);
        jw_object_end(jw);
    }
    jw_object_end(jw);
}

// Whoever asks was answered over TLS; what can be missing is an open keyset.
struct err service_healthcheck(struct call *call, const struct routes_request *request)
{
    bool is_up = call->core->phase == PHASE_READY;
    struct jw *jw;

    TRY(service_no_query(request));
    call->status = is_up ? 200 : 503;
    jw = call_begin(call);
    jw_cstring(jw_key(jw, "status"), is_up ? "UP" : "DOWN");
    jw_array(jw_key(jw, "checks"));
    service_check(jw, "default-check", true, NULL);
    service_check(jw, "keys-check/keysets", is_up, core_phase_name(call->core->phase));
    jw_array_end(jw);
    jw_cstring(jw_key(jw, "outcome"), is_up ? "UP" : "DOWN");
    call_end(call);
    return OK;
}

struct err service_version(struct call *call, const struct routes_request *request)
{
    struct jw *jw;

    TRY(service_no_query(request));
    jw = call_begin(call);
    jw_cstring(jw_key(jw, "program"), "cloister-enclave");
    jw_cstring(jw_key(jw, "version"), CORE_VERSION);
    jw_cstring(jw_key(jw, "anchors"), call->core->anchors->name);
    call_end(call);
    return OK;
}

// nonce=HEX and nothing else; "0x" before it or not.
static struct err service_read_nonce(uint8_t out[static NONCE_BYTES_MAX], size_t *n,
                                     struct bytes query)
{
    struct bytes text = bytes_skip(query, 6);

    *n = 0;
    if (bytes_equal_str(bytes_take(text, 2), "0x"))
        text = bytes_skip(text, 2);
    ENSURE(bytes_equal_str(bytes_take(query, 6), "nonce=") && text.n <= 2 * NONCE_BYTES_MAX &&
               text.n >= 2 * NONCE_BYTES_MIN && !hex_decode(out, text.n / 2, text).code,
           ERR_MALFORMED, "query: expected nonce= and 16 to 64 bytes of hex");
    *n = text.n / 2;
    return OK;
}

struct err service_attestation(struct call *call, const struct routes_request *request)
{
    uint8_t nonce[NONCE_BYTES_MAX];
    const struct id *key = data_key(call);
    struct msg_attestation m = { 0 };
    struct wr *wr;

    TRY(service_read_nonce(nonce, &m.nonce.n, request->query));
    m.nonce.p = nonce;
    ENSURE(key, ERR_PHASE, "the TLS key of this connection is not open any more; connect anew");
    TRY(data_admit_document(call, &request->who));
    m.key = BYTES_OF(key->b);
    TRY(link_begin(call->core->link, &wr, MSG_ATTESTATION,
                   2 + NONCE_BYTES_MAX + sizeof(struct id)));
    msg_write_attestation(wr, &m);
    return link_end(call->core->link, (struct link_done) { report_attestation, call });
}

struct err service_metrics(struct call *call, const struct routes_request *request)
{
    TRY(service_no_query(request));
    data_count(call->core->data, &call->core->counters);
    counters_write_text(call_begin_text(call), &call->core->counters);
    call_end_text(call, CALL_METRICS);
    return OK;
}
