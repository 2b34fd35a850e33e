// SPDX-License-Identifier: Apache-2.0
// Signing hands the stored record to the enclave with the transaction, so that nothing has to be
// open there. Sending needs an Idempotency-Key: without it a retry after a lost answer could pay
// twice.
#include "parent/rest_tx.h"

#include "base/must.h"
#include "parent/accounts.h"
#include "parent/broadcast.h"
#include "parent/store_account.h"
#include "parent/store_send.h"

#include <stdlib.h>

#define TX_SIGN_MS   10000
#define TX_NODES_MAX 65536U

static struct err tx_params(struct wr *wr, const struct store_account *account,
                            const struct json *tx)
{
    struct jw jw = jw_of(wr);

    jw_object(&jw);
    jw_key(&jw, "record_b64");
    jw_base64(&jw, account->record);
    jw_key(&jw, "tx");
    jw_value(&jw, tx);
    jw_object_end(&jw);
    return wr_end(wr);
}

static void tx_copy(struct jw *jw, const struct json *result, const char *name)
{
    const struct json *value = json_get(result, name);

    if (!value)
        return;
    jw_key(jw, name);
    jw_value(jw, value);
}

static struct err tx_call(struct rest_call *call, const struct store_account *account,
                          struct enclave_link_reply *reply)
{
    uint8_t *params = malloc(FRAME_BYTES_MAX);
    struct wr wr = wr_of(params, FRAME_BYTES_MAX);
    struct err err;

    ENSURE(params, ERR_FULL, "no memory");
    err = tx_params(&wr, account, json_get(call->body, "tx"));
    if (!err.code)
        err = enclave_link_call(call->rest->link, reply, "sign_transaction", wr_done(&wr),
                                deadline_in(TX_SIGN_MS));
    free(params);
    return err;
}

struct err rest_tx_sign(struct rest_call *call)
{
    static const char *const known[] = { "tx", NULL };
    const struct accounts accounts = { call->rest->store, call->rest->link, call->rest->config };
    AUTO(store_account_free) struct store_account account = { 0 };
    AUTO(enclave_link_free_reply) struct enclave_link_reply reply = { 0 };
    const struct json *tx = json_get(call->body, "tx");
    struct err err;

    TRY(rest_call_only(call, known));
    ENSURE(tx && tx->type == JSON_OBJECT, ERR_MALFORMED, "tx: expected an object");
    TRY(accounts_use(&accounts, &account, call->id));
    err = tx_call(call, &account, &reply);
    if (err.code)
        call->detail = reply.detail;
    TRY(err);
    TRY(accounts_check_sender(&account, reply.result));
    jw_object(&call->jw);
    tx_copy(&call->jw, reply.result, "raw_tx");
    tx_copy(&call->jw, reply.result, "hash");
    tx_copy(&call->jw, reply.result, "from");
    tx_copy(&call->jw, reply.result, "audit");
    jw_object_end(&call->jw);
    return OK;
}

// The stored text of the receipt as a value of the answer. It was written by our own JSON writer.
static void tx_write_receipt(struct jw *jw, struct bytes text)
{
    struct json *nodes = malloc(TX_NODES_MAX * sizeof(*nodes));
    uint8_t *copy = malloc(text.n + 1);
    struct wr wr = wr_of(copy, text.n);
    const struct json *root;

    if (nodes && copy && text.n) {
        wr_bytes(&wr, text);
        if (!json_parse(&root, nodes, TX_NODES_MAX, copy, text.n).code) {
            jw_key(jw, "receipt");
            jw_value(jw, root);
        }
    }
    free(nodes);
    free(copy);
}

static void tx_write_send(struct jw *jw, const struct store_send *send)
{
    static const char *const names[] = { "stored", "sent", "mined", "failed", "failed" };

    jw_object(jw);
    jw_key(jw, "hash");
    jw_hex(jw, BYTES_OF(send->hash));
    jw_key(jw, "raw_tx");
    jw_hex(jw, send->raw_tx);
    jw_key(jw, "nonce");
    jw_u64(jw, send->nonce);
    jw_key(jw, "status");
    jw_cstring(jw, names[send->status]);
    tx_write_receipt(jw, send->receipt);
    jw_object_end(jw);
}

static struct err tx_wait_ms(uint64_t *out, const struct json *value)
{
    *out = 0;
    if (!value)
        return OK;
    ENSURE(value->type == JSON_NUMBER && !json_u64(out, value).code &&
               *out <= BROADCAST_WAIT_MS_MAX,
           ERR_MALFORMED, "wait_ms: expected 0 to 30000");
    return OK;
}

struct err rest_tx_send(struct rest_call *call)
{
    static const char *const known[] = { "tx", "wait_ms", NULL };
    const struct accounts accounts = { call->rest->store, call->rest->link, call->rest->config };
    AUTO(store_account_free) struct store_account account = { 0 };
    AUTO(store_send_free) struct store_send send = { 0 };
    struct bytes key = http_field_get(call->request->head, "Idempotency-Key");
    char key_text[STORE_TEXT_MAX + 1];
    struct broadcast_request request = { .account = &account, .key = key_text };

    TRY(rest_call_only(call, known));
    ENSURE(call->rest->broadcast, ERR_UNSUPPORTED,
           "send-transaction: no Ethereum node is set (key `node` of the settings)");
    ENSURE(accounts_check_text(key) && bytes_to_str(key, key_text, sizeof(key_text)), ERR_MALFORMED,
           "Idempotency-Key: expected a header of 1 to 128 bytes");
    TRY(tx_wait_ms(&request.wait_ms, json_get(call->body, "wait_ms")));
    request.tx = json_get(call->body, "tx");
    TRY(accounts_use(&accounts, &account, call->id));
    TRY(broadcast_send(call->rest->broadcast, &request, &send, &call->detail));
    tx_write_send(&call->jw, &send);
    return OK;
}
