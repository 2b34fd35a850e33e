// SPDX-License-Identifier: Apache-2.0
// What a node's refusal means stands in one table. Nodes have no error codes for it (the Execution
// API leaves -32000 for everything), so that their words are looked at: those of go-ethereum, which
// the others follow. Words that are not known mean "not now": sending the same signed bytes again
// does no harm, while giving up too early would free a nonce that may still be used.
#include "parent/broadcast_push.h"

#include "base/hex.h"
#include "base/must.h"
#include "eth/tx.h"
#include "parent/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PUSH_POLL_MS 250

enum push_verdict { PUSH_LATER, PUSH_KNOWN, PUSH_NONCE_USED, PUSH_REFUSED };

static const struct {
    const char *words; // in any case
    enum push_verdict verdict;
} push_words[] = {
    { "already known", PUSH_KNOWN },
    { "known transaction", PUSH_KNOWN },
    { "already imported", PUSH_KNOWN },
    { "alreadyknown", PUSH_KNOWN },
    { "nonce too low", PUSH_NONCE_USED },
    { "nonce is too low", PUSH_NONCE_USED },
    { "oldnonce", PUSH_NONCE_USED },
    { "insufficient funds", PUSH_REFUSED },
    { "intrinsic gas too low", PUSH_REFUSED },
    { "intrinsic gas too high", PUSH_REFUSED },
    { "exceeds block gas limit", PUSH_REFUSED },
    { "exceeds the configured cap", PUSH_REFUSED },
    { "underpriced", PUSH_REFUSED },
    { "max fee per gas less than block base fee", PUSH_REFUSED },
    { "max priority fee per gas higher than max fee per gas", PUSH_REFUSED },
    { "max initcode size exceeded", PUSH_REFUSED },
    { "oversized data", PUSH_REFUSED },
    { "invalid sender", PUSH_REFUSED },
    { "invalid chain id", PUSH_REFUSED },
    { "gas required exceeds allowance", PUSH_REFUSED },
};

static enum push_verdict push_judge(const struct detail *detail)
{
    for (size_t i = 0; i < ARRAY_LEN(push_words); i++)
        if (strcasestr(detail->text, push_words[i].words))
            return push_words[i].verdict;
    return PUSH_LATER;
}

static void push_hash_params(char out[static 80], const struct store_send *send)
{
    char hash[65];

    hex_encode(hash, BYTES_OF(send->hash));
    (void)snprintf(out, 80, "[\"0x%s\"]", hash);
}

// The nonce is used: by this very transaction (it was sent before), or by another one.
static struct err push_check_used(struct rpc *rpc, const struct store_send *send,
                                  enum push_verdict *verdict)
{
    const struct detail words = rpc->detail;
    const struct json *result;
    char params[80];

    push_hash_params(params, send);
    TRY(rpc_call(rpc, &result, "eth_getTransactionByHash", bytes_str(params)));
    *verdict = result->type == JSON_OBJECT ? PUSH_KNOWN : PUSH_REFUSED;
    rpc->detail = words;
    return OK;
}

static struct err push_raw(struct rpc *rpc, const struct store_send *send)
{
    size_t cap = 2 * send->raw_tx.n + 16;
    uint8_t *params = malloc(cap);
    struct wr wr = wr_of(params, cap);
    const struct json *result;
    struct err err;

    ENSURE(params, ERR_FULL, "no memory");
    wr_str(&wr, "[\"");
    hex_write_0x(&wr, send->raw_tx);
    wr_str(&wr, "\"]");
    err = rpc_call(rpc, &result, "eth_sendRawTransaction", wr_done(&wr));
    free(params);
    return err;
}

struct err broadcast_push(struct store *store, struct rpc *rpc, struct store_send *send)
{
    struct err err = push_raw(rpc, send);
    enum push_verdict verdict = err.code ? push_judge(&rpc->detail) : PUSH_KNOWN;

    ENSURE(!err.code || err.code == ERR_DENIED, err.code, "node: the transaction is not sent yet");
    if (verdict == PUSH_NONCE_USED)
        TRY(push_check_used(rpc, send, &verdict));
    ENSURE(verdict != PUSH_LATER, ERR_UNREACHABLE, "node: refused for now");
    send->status = verdict == PUSH_KNOWN ? STORE_SEND_SENT : STORE_SEND_REFUSED;
    if (verdict == PUSH_REFUSED)
        (void)snprintf(send->reason, sizeof(send->reason), "%s", rpc->detail.text);
    log_event(LOG_INFO, "broadcast", verdict == PUSH_KNOWN ? "sent" : "refused", "account",
              send->account);
    return store_send_mark(store, send);
}

// Keeps the receipt's text when it is not too long. The row's views lie in its block, which is
// replaced by one with both.
static struct err push_keep_receipt(struct store_send *send, const struct json *receipt)
{
    struct bytes *const views[] = { &send->raw_tx, &send->receipt };
    uint8_t *text = malloc(STORE_RECEIPT_MAX);
    struct wr wr = wr_of(text, STORE_RECEIPT_MAX);
    struct jw jw = jw_of(&wr);
    void *old = send->block;
    struct err err;

    ENSURE(text, ERR_FULL, "no memory");
    jw_value(&jw, receipt);
    send->receipt = wr_done(&wr);
    err = store_hold(&send->block, views, ARRAY_LEN(views));
    if (err.code)
        send->block = old;
    else
        free(old);
    if (err.code)
        send->receipt = BYTES_NONE;
    free(text);
    return err;
}

// True when the receipt is there and stored.
static bool push_take_receipt(struct store *store, struct rpc *rpc, struct store_send *send)
{
    const struct json *receipt;
    struct u256 status;
    char params[80];
    struct err err;

    push_hash_params(params, send);
    err = rpc_call(rpc, &receipt, "eth_getTransactionReceipt", bytes_str(params));
    if (err.code || receipt->type != JSON_OBJECT ||
        json_u256(&status, json_get(receipt, "status")).code)
        return false;
    err = push_keep_receipt(send, receipt);
    if (!err.code) {
        send->status = u256_is_zero(status) ? STORE_SEND_FAILED : STORE_SEND_MINED;
        err = store_send_mark(store, send);
    }
    if (err.code)
        log_error(LOG_WARN, "broadcast", "receipt", err);
    return !err.code;
}

void broadcast_push_await(struct store *store, struct rpc *rpc, struct store_send *send,
                          struct deadline until)
{
    struct timespec pause = { 0, PUSH_POLL_MS * 1000000L };

    while (!push_take_receipt(store, rpc, send)) {
        if (deadline_left_ms(until) == 0)
            return;
        (void)nanosleep(&pause, NULL);
    }
}
