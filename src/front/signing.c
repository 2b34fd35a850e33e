// SPDX-License-Identifier: Apache-2.0
// Signing: the client's JSON becomes the canonical payload, which the vault decodes again and
// judges. The payload is kept until the answer, to put the signature where it belongs.
#include "front/signing.h"

#include "front/params.h"
#include "front/report.h"
#include "front/txjson.h"

// One request at a time, in the loop's thread.
static struct txjson_space tx_space;
static uint8_t payload_space[TX_PAYLOAD_MAX];

static struct err signing_read_account(struct msg_sign_tx *m, const struct json *params)
{
    const struct json *account = json_get(params, "account");
    bool inline_record = json_get(params, "record_b64") != NULL;

    ENSURE(account || inline_record, ERR_MALFORMED, "account: missing, and record_b64 too");
    ENSURE(!account || !inline_record, ERR_MALFORMED, "account: not together with record_b64");
    if (inline_record)
        return params_read_blob(&m->record, params, &params_record);
    ENSURE(!id_parse(&m->account, json_string(account)).code, ERR_MALFORMED,
           "account: expected an id of 32 lower-case hex digits");
    ENSURE(!id_is_zero(&m->account), ERR_MALFORMED, "account: expected an id that is not zero");
    return OK;
}

struct err signing_transaction(struct call *call, const struct json *params)
{
    struct wr payload = WR_OF(payload_space);
    struct msg_sign_tx m = { 0 };
    struct bytes unknown = BYTES_NONE;
    struct tx tx;
    struct err err;
    struct wr *wr;

    TRY(signing_read_account(&m, params));
    err = txjson_read(&tx, &tx_space, &unknown, json_get(params, "tx"));
    if (err.code && unknown.p) {
        call_fail_named(call, err.code, err_text(err), unknown);
        return OK;
    }
    TRY(err);
    TRY(tx_write_unsigned(&payload, &tx));
    TRY(wr_end(&payload));
    m.payload = wr_done(&payload);
    TRY(call_keep(call, m.payload));
    TRY(link_begin(call->core->link, &wr, MSG_SIGN_TX, m.record.n + m.payload.n + 64));
    msg_write_sign_tx(wr, &m);
    return link_end(call->core->link, (struct link_done) { report_signed, call });
}
