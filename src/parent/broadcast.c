// SPDX-License-Identifier: Apache-2.0
// The order is what matters: look for the key, fill in, then under the account's lock look again,
// choose the nonce, sign and store; only then the node sees the bytes (broadcast_push.c). A crash
// at any point leaves either nothing or a stored transaction that is sent again as it is. Nonces
// are unique by the database; the lock only keeps two sends from racing for one.
#include "parent/broadcast.h"

#include "base/base64.h"
#include "base/hex.h"
#include "base/must.h"
#include "eth/tx.h"
#include "net/tls.h"
#include "parent/accounts.h"
#include "parent/broadcast_push.h"
#include "parent/fill.h"
#include "parent/log.h"
#include "parent/stamp.h"
#include "proto/limits.h"
#include "proto/tag.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BROADCAST_LANES    64U
#define BROADCAST_TAG      "cloisterd-send-1"
#define BROADCAST_CALL_MS  10000
#define BROADCAST_TURN_S   30
#define BROADCAST_YOUNG_MS 15000U // a request is still busy with younger ones

struct broadcast {
    struct broadcast_options options;
    struct tls_context *tls; // for https nodes
    uint64_t started_ms;
    pthread_mutex_t lane[BROADCAST_LANES];
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool stopping; // under lock
    bool running;
};

// One request on its way.
struct broadcast_job {
    struct broadcast *broadcast;
    const struct broadcast_request *request;
    struct store_send *send;
    struct detail *detail;
    struct rpc rpc;
    struct fill fill;
    uint8_t hash[32]; // of the request
};

static void *broadcast_run(void *context);
static struct err broadcast_begin(struct broadcast_job *job);
static struct err broadcast_stored(struct broadcast_job *job);
static struct err broadcast_sign(struct broadcast_job *job);

struct err broadcast_new(struct broadcast **out, const struct broadcast_options *options)
{
    AUTO(broadcast_free) struct broadcast *b = calloc(1, sizeof(*b));

    *out = NULL;
    ENSURE(b, ERR_FULL, "broadcast: no memory");
    b->options = *options;
    b->started_ms = stamp_now_ms();
    must(pthread_mutex_init(&b->lock, NULL) == 0);
    must(pthread_cond_init(&b->wake, NULL) == 0);
    for (size_t i = 0; i < BROADCAST_LANES; i++)
        must(pthread_mutex_init(&b->lane[i], NULL) == 0);
    if (strncmp(options->node, "https:", 6) == 0)
        TRY(tls_client_new_system(&b->tls));
    ENSURE(pthread_create(&b->thread, NULL, broadcast_run, b) == 0, ERR_FULL,
           "broadcast: no thread");
    b->running = true;
    *out = b;
    b = NULL;
    return OK;
}

void broadcast_free(struct broadcast **broadcast)
{
    struct broadcast *b = *broadcast;

    if (!b)
        return;
    must(pthread_mutex_lock(&b->lock) == 0);
    b->stopping = true;
    must(pthread_cond_broadcast(&b->wake) == 0);
    must(pthread_mutex_unlock(&b->lock) == 0);
    if (b->running)
        must(pthread_join(b->thread, NULL) == 0);
    for (size_t i = 0; i < BROADCAST_LANES; i++)
        (void)pthread_mutex_destroy(&b->lane[i]);
    (void)pthread_mutex_destroy(&b->lock);
    (void)pthread_cond_destroy(&b->wake);
    if (b->tls)
        tls_context_free(&b->tls);
    free(b);
    *broadcast = NULL;
}

static struct err broadcast_work(struct broadcast_job *job)
{
    struct err err = broadcast_stored(job);

    if (err.code == ERR_NOT_FOUND)
        err = broadcast_begin(job);
    TRY(err);
    if (job->send->status == STORE_SEND_STORED) {
        err = broadcast_push(job->broadcast->options.store, &job->rpc, job->send);
        if (err.code)
            *job->detail = job->rpc.detail;
        TRY(err);
    }
    if (job->send->status == STORE_SEND_REFUSED) {
        detail_set(job->detail, "", bytes_str(job->send->reason));
        return FAIL(ERR_DENIED, "the node refused the transaction");
    }
    if (job->send->status == STORE_SEND_SENT)
        broadcast_push_await(job->broadcast->options.store, &job->rpc, job->send,
                             deadline_in((int64_t)job->request->wait_ms));
    return OK;
}

// The hash of what the client asked for, whatever was filled in.
static struct err broadcast_hash(struct broadcast_job *job)
{
    uint8_t *text = malloc(FRAME_BYTES_MAX);
    struct wr wr = wr_of(text, FRAME_BYTES_MAX);
    struct bytes field;
    struct err err;

    ENSURE(text, ERR_FULL, "no memory");
    fill_write_request(&wr, &job->fill);
    err = wr_end(&wr);
    field = wr_done(&wr);
    if (!err.code)
        tag_hash(job->hash, BROADCAST_TAG, &field, 1);
    free(text);
    return err;
}

struct err broadcast_send(struct broadcast *broadcast, const struct broadcast_request *request,
                          struct store_send *out, struct detail *detail)
{
    struct broadcast_job job = {
        .broadcast = broadcast, .request = request, .send = out, .detail = detail
    };
    struct err err;

    *out = (struct store_send) { 0 };
    TRY(fill_read(&job.fill, request->tx, detail));
    TRY(broadcast_hash(&job));
    err = rpc_open(&job.rpc, broadcast->options.node, broadcast->tls);
    if (!err.code)
        err = broadcast_work(&job);
    rpc_close(&job.rpc);
    return err;
}

// The send with this key, if there is one; it must be of the same request.
static struct err broadcast_stored(struct broadcast_job *job)
{
    const struct broadcast_request *request = job->request;

    TRY(store_send_get(job->broadcast->options.store, job->send, request->account->id,
                       request->key));
    ENSURE(memcmp(job->send->request_hash, job->hash, sizeof(job->hash)) == 0, ERR_EXISTS,
           "Idempotency-Key: was used for another transaction");
    return OK;
}

static struct err broadcast_check_chain(struct broadcast_job *job)
{
    struct u256 chain;
    uint64_t id;

    TRY(rpc_quantity(&job->rpc, &chain, "eth_chainId", BYTES_LIT("[]")));
    ENSURE(!u256_to_u64(&id, chain).code, ERR_UNREACHABLE, "node: chain id exceeds 64 bits");
    ENSURE(!job->fill.has_chain_id || job->fill.chain_id == id, ERR_MISMATCH,
           "chainId: the node serves another chain");
    job->fill.chain_id = id;
    ENSURE(config_find_chain(job->broadcast->options.config, id), ERR_DENIED,
           "chainId: no network of the configuration");
    return OK;
}

static struct err broadcast_nonce(struct broadcast_job *job)
{
    const struct store_account *account = job->request->account;
    char params[80];
    struct u256 count;
    uint64_t pending;

    if (job->fill.has_nonce)
        return OK;
    (void)snprintf(params, sizeof(params), "[\"%s\",\"pending\"]", account->address);
    TRY(rpc_quantity(&job->rpc, &count, "eth_getTransactionCount", bytes_str(params)));
    ENSURE(!u256_to_u64(&pending, count).code, ERR_UNREACHABLE, "node: nonce exceeds 64 bits");
    return store_send_free_nonce(job->broadcast->options.store, &job->fill.nonce, account->id,
                                 job->fill.chain_id, pending);
}

static struct err broadcast_locked(struct broadcast_job *job)
{
    struct err err = broadcast_stored(job);

    if (err.code != ERR_NOT_FOUND)
        return err;
    err = broadcast_nonce(job);
    if (err.code)
        *job->detail = job->rpc.detail;
    TRY(err);
    return broadcast_sign(job);
}

static struct err broadcast_begin(struct broadcast_job *job)
{
    const char *id = job->request->account->id;
    pthread_mutex_t *lane;
    struct err err = broadcast_check_chain(job);

    if (!err.code)
        err = fill_complete(&job->fill, &job->rpc, job->request->account->address);
    if (err.code)
        *job->detail = job->rpc.detail;
    TRY(err);
    // Account ids are random, so that two digits spread them over the lanes.
    lane = &job->broadcast->lane[((unsigned)hex_digit((uint8_t)id[0]) * 16U +
                                  (unsigned)hex_digit((uint8_t)id[1])) %
                                 BROADCAST_LANES];
    must(pthread_mutex_lock(lane) == 0);
    err = broadcast_locked(job);
    must(pthread_mutex_unlock(lane) == 0);
    return err;
}

// The signed transaction must be the one that was asked for: another nonce or chain would upset
// the books of this store.
static struct err broadcast_take(struct broadcast_job *job, const struct json *result)
{
    struct bytes text = json_string(json_get(result, "raw_tx"));
    struct store_send *send = job->send;
    uint8_t *raw = malloc(text.n / 2 + 1);
    uint8_t signature[TX_SIGNATURE_BYTES];
    struct tx tx;
    size_t n;

    ENSURE(raw, ERR_FULL, "no memory");
    send->block = raw;
    TRY(hex_decode_0x(raw, text.n / 2, &n, text));
    send->raw_tx = bytes_of(raw, n);
    TRY(tx_read_signed(&tx, signature, send->raw_tx));
    ENSURE(tx.chain_id == job->fill.chain_id && tx.nonce == job->fill.nonce, ERR_MISMATCH,
           "sign_transaction: the enclave signed another transaction");
    tx_hash(send->hash, send->raw_tx);
    return OK;
}

static struct err broadcast_store(struct broadcast_job *job, const struct json *result)
{
    struct store_send *send = job->send;
    const struct broadcast_request *request = job->request;

    *send = (struct store_send) { .status = STORE_SEND_STORED, .created_ms = stamp_now_ms() };
    TRY(broadcast_take(job, result));
    (void)snprintf(send->account, sizeof(send->account), "%s", request->account->id);
    (void)snprintf(send->key, sizeof(send->key), "%s", request->key);
    memcpy(send->request_hash, job->hash, sizeof(job->hash));
    send->chain_id = job->fill.chain_id;
    send->nonce = job->fill.nonce;
    send->assigned = !job->fill.has_nonce;
    return store_send_add(job->broadcast->options.store, send);
}

static struct err broadcast_sign(struct broadcast_job *job)
{
    AUTO(enclave_link_free_reply) struct enclave_link_reply reply = { 0 };
    uint8_t *params = malloc(FRAME_BYTES_MAX);
    struct wr wr = wr_of(params, FRAME_BYTES_MAX);
    struct err err;

    ENSURE(params, ERR_FULL, "no memory");
    err = store_account_usable(job->broadcast->options.store, job->request->account->id);
    wr_str(&wr, "{\"record_b64\":\"");
    base64_write(&wr, job->request->account->record);
    wr_str(&wr, "\",\"tx\":");
    fill_write(&wr, &job->fill);
    wr_str(&wr, "}");
    if (!err.code)
        err = wr_end(&wr);
    if (!err.code)
        err = enclave_link_call(job->broadcast->options.link, &reply, "sign_transaction",
                                wr_done(&wr), deadline_in(BROADCAST_CALL_MS));
    free(params);
    if (err.code)
        *job->detail = reply.detail;
    TRY(err);
    TRY(accounts_check_sender(job->request->account, reply.result));
    return broadcast_store(job, reply.result);
}

static bool broadcast_rest(struct broadcast *b, long seconds)
{
    struct timespec at;
    bool stopping;

    must(clock_gettime(CLOCK_MONOTONIC, &at) == 0);
    at.tv_sec += seconds;
    must(pthread_mutex_lock(&b->lock) == 0);
    if (!b->stopping && seconds > 0)
        (void)pthread_cond_clockwait(&b->wake, &b->lock, CLOCK_MONOTONIC, &at);
    stopping = b->stopping;
    must(pthread_mutex_unlock(&b->lock) == 0);
    return !stopping;
}

// True when the node answered, but with a refusal for now: the next one may fare better.
static bool broadcast_was_heard(struct err err, const struct rpc *rpc)
{
    return err.code == ERR_UNREACHABLE && rpc->detail.text[0] != 0;
}

// Sends what is stored, oldest first; stops when the node does not answer. What was stored before
// this start is nobody's any more; the request of a younger one may still be at work.
static struct err broadcast_catch_up(struct broadcast *b, struct rpc *rpc)
{
    uint64_t after = 0, chain_id;
    struct u256 chain;
    struct err err = OK;

    TRY(rpc_quantity(rpc, &chain, "eth_chainId", BYTES_LIT("[]")));
    TRY(u256_to_u64(&chain_id, chain));
    while (!err.code && broadcast_rest(b, 0)) {
        AUTO(store_send_free) struct store_send send = { 0 };
        bool due;

        err = store_send_next_stored(b->options.store, &send, after);
        if (err.code)
            break;
        after = send.seq;
        // In the very millisecond of the start: the same bytes twice do no harm, a rest until later
        // does.
        due = send.created_ms <= b->started_ms ||
              send.created_ms + BROADCAST_YOUNG_MS < stamp_now_ms();
        if (send.chain_id == chain_id && due)
            err = broadcast_push(b->options.store, rpc, &send);
        if (broadcast_was_heard(err, rpc))
            err = OK;
    }
    return err.code == ERR_NOT_FOUND ? OK : err;
}

static void *broadcast_run(void *context)
{
    struct broadcast *b = context;

    do {
        struct rpc rpc;
        struct err err = rpc_open(&rpc, b->options.node, b->tls);

        if (!err.code)
            err = broadcast_catch_up(b, &rpc);
        rpc_close(&rpc);
        if (err.code)
            log_error(LOG_WARN, "broadcast", "not_sent", err);
    } while (broadcast_rest(b, BROADCAST_TURN_S));
    return NULL;
}
