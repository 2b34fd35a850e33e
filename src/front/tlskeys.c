// SPDX-License-Identifier: Apache-2.0
// TLS keys of the data plane: the vault makes and keeps them and builds what they sign; the front
// has their certificates. Both methods on a record open it first (again, when it is open already:
// a restarted front knows nothing), then ask for what is missing.
#include "front/tlskeys.h"

#include "base/base64.h"
#include "front/accounts.h"
#include "front/params.h"
#include "front/report.h"
#include "front/tlscert.h"
#include "front/tlsnames.h"
#include "proto/policy.h"
#include "proto/record.h"

#define DAYS_DEFAULT 397U // what browsers take at most
#define LINE_BYTES   48U  // of a PEM line of 64 characters (RFC 7468 2)
#define PEM_BYTES    8192U
#define CERTIFY_MAX  (20U + MSG_TLS_NAMES * (2U + MSG_TLS_NAME_MAX)) // the vault's message

static void tlskeys_opened(void *context, struct link_answer *answer);

struct err tlskeys_create(struct call *call, const struct json *params)
{
    call->makes_tls = true;
    return accounts_ask(call, params, POLICY_NOTHING,
                        &(struct accounts_way) { MSG_ACCOUNT_CREATE, report_account_created });
}

struct err tlskeys_import(struct call *call, const struct json *params)
{
    return accounts_ask(call, params, POLICY_NOTHING,
                        &(struct accounts_way) { MSG_IMPORT_BEGIN, report_import_ready });
}

// Opens the record; what the certificate shall say is kept as the vault's message, whose key
// follows.
static struct err tlskeys_ask(struct call *call, const struct json *params,
                              const struct msg_tls_certify *m)
{
    uint8_t space[CERTIFY_MAX];
    struct wr wr = WR_OF(space);
    struct bytes record;

    msg_write_tls_certify(&wr, m);
    TRY(wr_end(&wr));
    call->certify = m->kind;
    TRY(call_keep(call, wr_done(&wr)));
    TRY(params_read_blob(&record, params, &params_record));
    return call_ask(call, MSG_TLS_OPEN, record, tlskeys_opened);
}

struct err tlskeys_csr(struct call *call, const struct json *params)
{
    struct msg_tls_certify m = { .kind = MSG_TLS_REQUEST };

    TRY(tlsnames_read(&m, json_get(params, "names")));
    return tlskeys_ask(call, params, &m);
}

static struct err tlskeys_open_chain(struct call *call, const struct json *params,
                                     struct bytes chain)
{
    struct bytes record;

    ENSURE(chain.p, ERR_MALFORMED, "certificate_pem: expected a string");
    ENSURE(!json_get(params, "names") && !json_get(params, "days"), ERR_MALFORMED,
           "certificate_pem: not together with names or days");
    TRY(call_keep(call, chain));
    TRY(params_read_blob(&record, params, &params_record));
    return call_ask(call, MSG_TLS_OPEN, record, tlskeys_opened);
}

struct err tlskeys_open(struct call *call, const struct json *params)
{
    struct msg_tls_certify m = { .kind = MSG_TLS_SELF_SIGNED };
    const struct json *chain = json_get(params, "certificate_pem");
    const struct json *days = json_get(params, "days");
    uint64_t count = DAYS_DEFAULT;

    if (chain)
        return tlskeys_open_chain(call, params, json_string(chain));
    ENSURE((!days || !json_u64(&count, days).code) && count >= 1 && count <= MSG_TLS_DAYS_MAX,
           ERR_MALFORMED, "days: expected 1 to 3650");
    m.days = (uint16_t)count;
    TRY(tlsnames_read(&m, json_get(params, "names")));
    return tlskeys_ask(call, params, &m);
}

static void tlskeys_write_pem(struct wr *wr, const char *label, struct bytes der)
{
    wr_str(wr, "-----BEGIN ");
    wr_str(wr, label);
    wr_str(wr, "-----\n");
    for (; der.n > 0; der = bytes_skip(der, LINE_BYTES)) {
        base64_write(wr, bytes_take(der, LINE_BYTES));
        wr_u8(wr, '\n');
    }
    wr_str(wr, "-----END ");
    wr_str(wr, label);
    wr_str(wr, "-----\n");
}

static void tlskeys_write_facts(struct jw *jw, const struct tlscert_facts *facts)
{
    const struct tls_server_leaf *leaf = &facts->leaf;
    bool is_exposed = facts->key.provenance != RECORD_GENERATED;

    jw_digits(jw_key(jw, "key"), BYTES_OF(facts->key.key.b));
    jw_digits(jw_key(jw, "spki_sha256"), BYTES_OF(leaf->spki_sha256));
    jw_digits(jw_key(jw, "certificate_sha256"), BYTES_OF(leaf->sha256));
    jw_u64(jw_key(jw, "not_after"), leaf->not_after_s);
    jw_cstring(jw_key(jw, "provenance"), is_exposed ? "exposed" : "generated");
}

void tlskeys_report(struct jw *jw, const struct core *core)
{
    const struct tlscert_facts *facts = tlscert_facts(core->tlscert);

    if (!facts) {
        jw_null(jw);
        return;
    }
    jw_object(jw);
    tlskeys_write_facts(jw, facts);
    jw_object_end(jw);
}

// The chain that is kept goes into use.
static struct err tlskeys_use(struct call *call, const struct msg_verdict *verdict)
{
    struct core *core = call->core;
    struct jw *jw;

    TRY(tlscert_use(core->tlscert, &call->tls, call_kept(call)));
    jw = call_begin(call);
    tlskeys_write_facts(jw, tlscert_facts(core->tlscert));
    jw_string(jw_key(jw, "certificate_pem"), call_kept(call));
    report_audit(jw, core, verdict);
    call_end(call);
    return OK;
}

static struct err tlskeys_take_der(struct call *call, const struct link_answer *answer)
{
    bool is_request = call->certify == MSG_TLS_REQUEST;
    uint8_t space[PEM_BYTES];
    struct wr pem = WR_OF(space);

    tlskeys_write_pem(&pem, is_request ? "CERTIFICATE REQUEST" : "CERTIFICATE",
                      answer->result.left);
    TRY(wr_end(&pem));
    if (!is_request) {
        TRY(call_keep(call, wr_done(&pem)));
        return tlskeys_use(call, &answer->verdict);
    }
    jw_string(jw_key(call_begin(call), "csr_pem"), wr_done(&pem));
    call_end(call);
    return OK;
}

static void tlskeys_certified(void *context, struct link_answer *answer)
{
    struct call *call = context;
    struct err err;

    if (report_refusal(call, answer))
        return;
    err = tlskeys_take_der(call, answer);
    if (err.code)
        call_fail(call, err);
}

static struct err tlskeys_certify(struct call *call)
{
    struct bytes m = call_kept(call);
    struct wr *wr;

    TRY(link_begin(call->core->link, &wr, MSG_TLS_CERTIFY, m.n));
    id_write(wr, &call->tls.key);
    wr_bytes(wr, bytes_skip(m, sizeof(call->tls.key)));
    return link_end(call->core->link, (struct link_done) { tlskeys_certified, call });
}

static struct err tlskeys_take_key(struct call *call, struct link_answer *answer)
{
    TRY(msg_read_tls_key(&call->tls, &answer->result));
    TRY(rd_end(&answer->result));
    return call->certify ? tlskeys_certify(call) : tlskeys_use(call, &answer->verdict);
}

static void tlskeys_opened(void *context, struct link_answer *answer)
{
    struct call *call = context;
    struct err err;

    if (report_refusal(call, answer))
        return;
    err = tlskeys_take_key(call, answer);
    if (err.code)
        call_fail(call, err);
}
