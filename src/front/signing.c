// SPDX-License-Identifier: Apache-2.0
// Signing: the client's JSON becomes the canonical payload, which the vault decodes again and
// judges. The payload is kept until the answer, to put the signature where it belongs. On the data
// plane the key's id and address come from the client, too, and its permissions are judged by
// them: the vault opens no record in which they are others'.
#include "front/signing.h"

#include "base/hex.h"
#include "crypto/ecdsa.h"
#include "front/methods.h"
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

// Turns the transaction into the payload and asks the vault.
static struct err signing_ask(struct call *call, struct msg_sign_tx *m, const struct json *value)
{
    struct wr payload = WR_OF(payload_space);
    struct bytes unknown = BYTES_NONE;
    struct tx tx;
    struct err err;
    struct wr *wr;

    err = txjson_read(&tx, &tx_space, &unknown, value);
    if (err.code && unknown.p) {
        call_fail_named(call, err.code, err_text(err), unknown);
        return OK;
    }
    TRY(err);
    TRY(tx_write_unsigned(&payload, &tx));
    TRY(wr_end(&payload));
    m->payload = wr_done(&payload);
    TRY(call_keep(call, m->payload));
    TRY(link_begin(call->core->link, &wr, MSG_SIGN_TX, m->record.n + m->payload.n + 64));
    msg_write_sign_tx(wr, m);
    return link_end(call->core->link, (struct link_done) { report_signed, call });
}

struct err signing_transaction(struct call *call, const struct json *params)
{
    struct msg_sign_tx m = { 0 };

    TRY(signing_read_account(&m, params));
    return signing_ask(call, &m, json_get(params, "tx"));
}

// "0x" and the digits of the address that the record's public key has.
static struct err signing_read_address(char out[static 2 * 20 + 3], const struct record *record)
{
    uint8_t address[20];

    ENSURE(record->key_type == RECORD_SECP256K1 && record->public_key.n == ECDSA_PUBLIC_BYTES,
           ERR_MISMATCH, "record_b64: expected the record of an account");
    TRY(ecdsa_address(address, record->public_key.p));
    out[0] = '0';
    out[1] = 'x';
    hex_encode(out + 2, BYTES_OF(address));
    return OK;
}

// Reads the record, which must be that of the path's account, and judges the client by it.
static struct err signing_judge(struct call *call, const struct routes_request *request,
                                struct msg_sign_tx *m, const struct json *body)
{
    struct permits_key key = { .id = request->id };
    char address[2 * 20 + 3];
    struct record record;

    ENSURE(!id_parse(&m->account, request->id).code && !id_is_zero(&m->account), ERR_MALFORMED,
           "path: expected an id of 32 lower-case hex digits that is not zero");
    if (!json_get(body, "record_b64"))
        return routes_permit(call, request, CLIENTS_SIGN_TX, &key);
    TRY(params_read_blob(&m->record, body, &params_record));
    ENSURE(!record_read(&record, m->record).code, ERR_MALFORMED,
           "record_b64: expected a sealed record");
    ENSURE(id_equal(&record.id, &m->account), ERR_MISMATCH,
           "record_b64: expected the record of the account in the path");
    m->account = (struct id) { { 0 } };
    if (permits_check(&request->who, CLIENTS_SIGN_TX, &key).code) { // by its id; then by both
        TRY(signing_read_address(address, &record));
        key.address = bytes_str(address);
    }
    return routes_permit(call, request, CLIENTS_SIGN_TX, &key);
}

struct err signing_route(struct call *call, const struct routes_request *request)
{
    static const char *const members[] = { "record_b64", "tx", NULL };
    struct msg_sign_tx m = { 0 };
    const struct json *body, *unknown;

    ENSURE(request->query.n == 0, ERR_MALFORMED, "query: expected none");
    TRY(methods_parse(&body, request->body));
    unknown = json_unknown(body, members);
    if (unknown) {
        call_fail_named(call, ERR_MALFORMED, "unknown field", unknown->key);
        return OK;
    }
    TRY(signing_judge(call, request, &m, body));
    return signing_ask(call, &m, json_get(body, "tx"));
}
