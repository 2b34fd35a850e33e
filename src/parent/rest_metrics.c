// SPDX-License-Identifier: Apache-2.0
// Counters, and what is measured at the moment of asking; those of the enclave are asked of it.
// Numbers about the whole service: no user, no account, no address.
#include "parent/rest_metrics.h"

#include "base/must.h"
#include "parent/metrics.h"
#include "parent/store_manifest.h"
#include "parent/store_tls.h"
#include "parent/tunnel.h"

#include <string.h>

#define METRICS_CALL_MS    2000
#define METRICS_SAMPLE_MAX 160U

// The name of a sample without its labels.
static struct bytes enclave_family(struct bytes sample)
{
    const uint8_t *labels = sample.n ? memchr(sample.p, '{', sample.n) : NULL;

    return labels ? bytes_take(sample, (size_t)(labels - sample.p)) : sample;
}

// PROTOCOL.md section 12. Whatever else came would be the enclave's text in a document of ours.
static bool enclave_is_sample(const struct json *sample)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789_{}=\",/*-";
    uint64_t value;

    for (size_t i = 0; i < sample->key.n; i++)
        if (!memchr(allowed, sample->key.p[i], sizeof(allowed) - 1))
            return false;
    return sample->key.n > 0 && sample->key.n <= METRICS_SAMPLE_MAX &&
           sample->type == JSON_NUMBER && !json_u64(&value, sample).code;
}

static void enclave_write_head(struct wr *wr, struct bytes family)
{
    bool grows = family.n > 6 && memcmp(family.p + family.n - 6, "_total", 6) == 0;

    wr_str(wr, "# HELP cloister_");
    wr_bytes(wr, family);
    wr_str(wr, " Counted in the enclave (PROTOCOL.md section 12).\n# TYPE cloister_");
    wr_bytes(wr, family);
    wr_str(wr, grows ? " counter\n" : " gauge\n");
}

static void enclave_write(struct wr *wr, const struct json *counters)
{
    struct bytes last = BYTES_NONE;

    for (const struct json *at = counters ? counters->child : NULL; at; at = at->next) {
        struct bytes family = enclave_family(at->key);

        if (!enclave_is_sample(at))
            continue;
        if (!bytes_equal(family, last))
            enclave_write_head(wr, family);
        last = family;
        wr_str(wr, "cloister_");
        wr_bytes(wr, at->key);
        wr_u8(wr, ' ');
        wr_bytes(wr, at->text);
        wr_u8(wr, '\n');
    }
}

// Without the enclave its samples are missing, as those of any target that is down.
static void enclave_ask(struct rest_call *call)
{
    AUTO(enclave_link_free_reply) struct enclave_link_reply reply = { 0 };
    struct err err = enclave_link_call(call->rest->link, &reply, "metrics", BYTES_NONE,
                                       deadline_in(METRICS_CALL_MS));

    if (!err.code)
        enclave_write(&call->response->body, json_get(reply.result, "counters"));
}

static struct err metrics_look(const struct rest *rest, struct metrics_now *now)
{
    AUTO(store_manifest_free) struct store_manifest manifest = { 0 };
    AUTO(store_tls_free) struct store_tls tls = { 0 };
    struct err err = store_manifest_get(rest->store, &manifest);
    struct addr bound;

    ENSURE(!err.code || err.code == ERR_NOT_FOUND, err.code, "store: cannot be read");
    err = store_tls_used(rest->store, &tls);
    ENSURE(!err.code || err.code == ERR_NOT_FOUND, err.code, "store: cannot be read");
    now->manifest_serial = manifest.serial;
    now->tls_expires_s = tls.certificate.not_after_s;
    if (rest->tunnel)
        tunnel_look(rest->tunnel, &bound, &now->tunnel_connections);
    return store_size(rest->store, &now->store_bytes);
}

struct err rest_metrics_show(struct rest_call *call)
{
    struct supervise_view view;
    struct metrics_now now = { 0 };

    TRY(metrics_look(call->rest, &now));
    supervise_look(call->rest->supervise, &view);
    now.phase = view.phase;
    now.ready = view.ready;
    now.expires_ms = view.expires_ms;
    call->response->content_type = "text/plain; version=0.0.4; charset=utf-8";
    metrics_write(&call->response->body, &now);
    enclave_ask(call);
    return OK;
}
