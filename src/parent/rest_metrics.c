// SPDX-License-Identifier: Apache-2.0
// Counters, and what is measured at the moment of asking. Numbers about the whole daemon: no user,
// no account, no address.
#include "parent/rest_metrics.h"

#include "base/must.h"
#include "parent/metrics.h"
#include "parent/store_manifest.h"
#include "parent/store_tls.h"
#include "parent/tunnel.h"

struct err rest_metrics_show(struct rest_call *call)
{
    AUTO(store_manifest_free) struct store_manifest manifest = { 0 };
    AUTO(store_tls_free) struct store_tls tls = { 0 };
    struct supervise_view view;
    struct addr bound;
    struct metrics_now now = { 0 };
    struct err err = store_manifest_get(call->rest->store, &manifest);

    ENSURE(!err.code || err.code == ERR_NOT_FOUND, err.code, "store: cannot be read");
    err = store_tls_used(call->rest->store, &tls);
    ENSURE(!err.code || err.code == ERR_NOT_FOUND, err.code, "store: cannot be read");
    now.tls_expires_s = tls.certificate.not_after_s;
    TRY(store_size(call->rest->store, &now.store_bytes));
    if (call->rest->tunnel)
        tunnel_look(call->rest->tunnel, &bound, &now.tunnel_connections);
    supervise_look(call->rest->supervise, &view);
    now.phase = view.phase;
    now.ready = view.ready;
    now.expires_ms = view.expires_ms;
    now.manifest_serial = manifest.serial;
    call->response->content_type = "text/plain; version=0.0.4; charset=utf-8";
    metrics_write(&call->response->body, &now);
    return OK;
}
