// SPDX-License-Identifier: Apache-2.0
// parent/broadcast.h and parent/fill.h: one key, one transaction, whatever fails in between.
#include "parent/broadcast.h"

#include "base/must.h"
#include "net/json.h"
#include "parent/fill.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <poll.h>
#include <stdio.h>

#include "expect.h"
#include "fake_parent.h"

static char dir[64];
static struct fake_enclave enclave;
static struct fake_node node;
static struct store *store;
static struct enclave_link *connection;
static struct broadcast *broadcast;
static struct store_account account;
static uint8_t configuration[CONFIG_BYTES_MAX];
static struct config config;

static void start_broadcast(void)
{
    const struct broadcast_options options = { store, connection, &config, node.http.url };

    must(!broadcast_new(&broadcast, &options).code);
    // What is stored in the very millisecond of the start is sent twice, which does no harm but to
    // counts.
    (void)poll(NULL, 0, 3);
}

static void add_account(void)
{
    const struct store_keyset keyset = {
        .id = "a1", .name = "main", .record = BYTES_LIT("r"), .receipt = BYTES_LIT("q")
    };

    account = (struct store_account) { .id = "0f",
                                       .user = "u",
                                       .name = "n",
                                       .keyset = "a1",
                                       .address = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
                                       .policy = "unrestricted",
                                       .record = BYTES_LIT("sealed"),
                                       .receipt = BYTES_LIT("q") };
    must(!store_add_keyset(store, &keyset).code);
    must(!store_account_add(store, &account).code);
}

static int set_up(void **state)
{
    struct addr addr = { .kind = ADDR_UNIX };
    char path[128];

    (void)state;
    fake_dir(dir);
    (void)fake_configuration(configuration, &config);
    fake_enclave_start(&enclave, dir);
    fake_node_start(&node);
    fake_path(path, sizeof(path), dir, "store.db");
    must(!store_open(&store, path).code);
    (void)snprintf(addr.host, sizeof(addr.host), "%s", enclave.path);
    must(!enclave_link_new(&connection, &addr).code);
    for (int i = 0; i < 3000 && !enclave_link_is_up(connection); i++)
        (void)poll(NULL, 0, 10);
    add_account();
    start_broadcast();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    broadcast_free(&broadcast);
    enclave_link_free(&connection);
    store_close(&store);
    fake_http_stop(&node.http);
    fake_enclave_stop(&enclave);
    fake_dir_remove(dir);
    return 0;
}

static struct detail detail;

// Sends `tx` (JSON) under `key`; the copy that is parsed lives until the call is over.
static struct err send_tx(struct store_send *out, const char *key, const char *tx, uint64_t wait)
{
    uint8_t text[1024];
    struct json nodes[64];
    struct broadcast_request request = { .account = &account, .key = key, .wait_ms = wait };

    detail = (struct detail) { 0 };
    *out = (struct store_send) { 0 };
    memcpy(text, tx, strlen(tx));
    TRY(json_parse(&request.tx, nodes, 64, text, strlen(tx)));
    return broadcast_send(broadcast, &request, out, &detail);
}

static void same_key_same_transaction(void **state)
{
    AUTO(store_send_free) struct store_send first = { 0 };
    AUTO(store_send_free) struct store_send again = { 0 };
    AUTO(store_send_free) struct store_send other = { 0 };

    (void)state;
    expect_ok("first", send_tx(&first, "k", "{\"value\":1,\"gas\":21000}", 0));
    assert_int_equal(first.status, STORE_SEND_SENT);
    assert_int_equal(first.nonce, 7);
    node.mines = true;
    expect_ok("again", send_tx(&again, "k", "{\"gas\":21000,\"value\":1}", 30000));
    assert_int_equal(again.status, STORE_SEND_MINED);
    assert_memory_equal(again.hash, first.hash, 32);
    assert_true(again.receipt.n > 0);
    assert_int_equal(atomic_load(&enclave.signs), 1);
    assert_int_equal(node.raw_calls, 1);
    expect_err("other content", send_tx(&other, "k", "{\"value\":2}", 0), ERR_EXISTS, NULL);
}

static void reverted(void **state)
{
    AUTO(store_send_free) struct store_send send = { 0 };

    (void)state;
    node.mines = node.reverts = true;
    expect_ok("send", send_tx(&send, "k", "{\"value\":1}", 30000));
    assert_int_equal(send.status, STORE_SEND_FAILED);
}

struct sender {
    char key[8];
    struct err err;
    struct store_send send;
};

// What the node's thread reads under its lock.
static void refuse_with(const char *words)
{
    must(pthread_mutex_lock(&node.lock) == 0);
    (void)snprintf(node.refuse, sizeof(node.refuse), "%s", words);
    must(pthread_mutex_unlock(&node.lock) == 0);
}

static void *send_one(void *context)
{
    struct sender *sender = context;
    uint8_t text[64] = "{\"value\":1}";
    struct json nodes[8];
    struct detail words = { 0 };
    struct broadcast_request request = { .account = &account, .key = sender->key };

    must(!json_parse(&request.tx, nodes, 8, text, 11).code);
    sender->err = broadcast_send(broadcast, &request, &sender->send, &words);
    return NULL;
}

// Sends `n` at once under keys that repeat every `keys`, and counts nonces that differ.
static unsigned nonces_of(struct sender *senders, size_t n, size_t keys)
{
    pthread_t threads[16];
    unsigned different = 0;

    memset(senders, 0, n * sizeof(*senders));
    for (size_t i = 0; i < n; i++) {
        (void)snprintf(senders[i].key, sizeof(senders[i].key), "k%zu", i % keys);
        must(pthread_create(&threads[i], NULL, send_one, &senders[i]) == 0);
    }
    for (size_t i = 0; i < n; i++)
        must(pthread_join(threads[i], NULL) == 0);
    for (size_t i = 0; i < n; i++) {
        bool seen = false;

        expect_ok("send", senders[i].err);
        for (size_t k = 0; k < i; k++)
            seen = seen || senders[k].send.nonce == senders[i].send.nonce;
        different += !seen;
    }
    for (size_t i = 0; i < n; i++)
        store_send_free(&senders[i].send);
    return different;
}

static void sends_at_once(void **state)
{
    struct sender senders[12];

    (void)state;
    assert_int_equal(nonces_of(senders, 12, 12), 12);
    assert_int_equal(node.taken, 12);
}

static void same_key_at_once(void **state)
{
    struct sender senders[8];

    (void)state;
    assert_int_equal(nonces_of(senders, 8, 1), 1);
    assert_int_equal(atomic_load(&enclave.signs), 1);
}

static void nothing_is_left_when_signing_fails(void **state)
{
    AUTO(store_send_free) struct store_send send = { 0 };

    (void)state;
    atomic_store(&enclave.refuse, ERR_DENIED);
    expect_err("denied", send_tx(&send, "k", "{\"value\":1}", 0), ERR_DENIED, NULL);
    assert_string_equal(detail.text, "words of the enclave");
    atomic_store(&enclave.refuse, 0);
    expect_ok("same key", send_tx(&send, "k", "{\"value\":2}", 0));
    assert_int_equal(send.nonce, 7);
}

static const struct {
    const char *words;
    enum err_code code;
    enum store_send_status status;
} refusals[] = {
    { "insufficient funds for gas * price + value", ERR_DENIED, STORE_SEND_REFUSED },
    { "Transaction underpriced", ERR_DENIED, STORE_SEND_REFUSED },
    { "nonce too low: next nonce 9, tx nonce 7", ERR_DENIED, STORE_SEND_REFUSED },
    { "already known", ERR_NONE, STORE_SEND_SENT },
    { "txpool is full", ERR_UNREACHABLE, STORE_SEND_STORED },
    { "something new", ERR_UNREACHABLE, STORE_SEND_STORED },
};

static void the_node_refuses(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(refusals); i++) {
        AUTO(store_send_free) struct store_send send = { 0 };
        AUTO(store_send_free) struct store_send stored = { 0 };
        const char *name = refusals[i].words;
        char key[8];

        (void)snprintf(key, sizeof(key), "k%zu", i);
        refuse_with(name);
        expect_err(name, send_tx(&send, key, "{\"value\":1}", 0), refusals[i].code, NULL);
        if (refusals[i].code)
            assert_non_null(strstr(detail.text, name));
        expect_ok(name, store_send_get(store, &stored, account.id, key));
        assert_int_equal(stored.status, refusals[i].status);
        assert_int_equal(stored.nonce, i < 3 ? 7 : 7 + i - 3);
        store_send_free(&send);
        refuse_with("");
        expect_err(name, send_tx(&send, key, "{\"value\":1}", 0),
                   refusals[i].code == ERR_UNREACHABLE ? ERR_NONE : refusals[i].code, NULL);
    }
}

// The answer to the first attempt was lost, though the node took it and mined it.
static void lost_answer(void **state)
{
    AUTO(store_send_free) struct store_send first = { 0 };
    AUTO(store_send_free) struct store_send again = { 0 };

    (void)state;
    refuse_with("header not found");
    expect_err("first", send_tx(&first, "k", "{\"value\":1}", 0), ERR_UNREACHABLE, NULL);
    memcpy(node.hash[0], first.hash, 32);
    node.taken = 1;
    node.mines = true;
    refuse_with("nonce too low");
    expect_ok("again", send_tx(&again, "k", "{\"value\":1}", 0));
    assert_int_equal(again.status, STORE_SEND_MINED);
    assert_int_equal(atomic_load(&enclave.signs), 1);
}

static void sent_again_at_start(void **state)
{
    AUTO(store_send_free) struct store_send send = { 0 };
    AUTO(store_send_free) struct store_send got = { 0 };

    (void)state;
    refuse_with("not now");
    expect_err("first", send_tx(&send, "k", "{\"value\":1}", 0), ERR_UNREACHABLE, NULL);
    assert_non_null(strstr(detail.text, "not now"));
    broadcast_free(&broadcast);
    refuse_with("");
    start_broadcast();
    for (int i = 0; i < 3000 && got.status == STORE_SEND_STORED; i++) {
        store_send_free(&got);
        (void)poll(NULL, 0, 10);
        expect_ok("get", store_send_get(store, &got, account.id, "k"));
    }
    assert_int_equal(got.status, STORE_SEND_SENT);
    broadcast_free(&broadcast); // its thread has ended: the node is quiet
    assert_int_equal(node.taken, 1);
    assert_memory_equal(node.hash[0], send.hash, 32);
}

static void node_is_down(void **state)
{
    AUTO(store_send_free) struct store_send send = { 0 };

    (void)state;
    node.down = true;
    expect_err("down", send_tx(&send, "k", "{\"value\":1}", 0), ERR_UNREACHABLE, "node");
    fake_http_stop(&node.http);
    expect_err("gone", send_tx(&send, "k", "{\"value\":1}", 0), ERR_UNREACHABLE, NULL);
    assert_int_equal(atomic_load(&enclave.signs), 0);
    fake_node_start(&node);
}

static void chains(void **state)
{
    AUTO(store_send_free) struct store_send send = { 0 };

    (void)state;
    expect_err("other chain", send_tx(&send, "k", "{\"chainId\":1,\"value\":1}", 0), ERR_MISMATCH,
               "chainId");
    config.network[0].chain_id = 5;
    expect_err("not configured", send_tx(&send, "k", "{\"value\":1}", 0), ERR_DENIED, "chainId");
    assert_int_equal(atomic_load(&enclave.signs), 0);
}

static void own_nonce(void **state)
{
    AUTO(store_send_free) struct store_send a = { 0 };
    AUTO(store_send_free) struct store_send b = { 0 };
    AUTO(store_send_free) struct store_send c = { 0 };

    (void)state;
    expect_ok("given", send_tx(&a, "a", "{\"nonce\":7,\"value\":1}", 0));
    expect_ok("replacement", send_tx(&b, "b", "{\"nonce\":\"0x7\",\"value\":2}", 0));
    expect_ok("chosen", send_tx(&c, "c", "{\"value\":1}", 0));
    assert_int_equal(c.nonce, 8);
}

static const struct {
    const char *name, *tx, *what;
} malformed[] = {
    { "no object", "[]", "object" },
    { "unknown field", "{\"from\":1}", "unknown field" },
    { "negative", "{\"value\":-1}", "value" },
    { "fraction", "{\"value\":1.5}", "value" },
    { "nonce", "{\"nonce\":\"0x8000000000000000\"}", "nonce" },
    { "data and input", "{\"data\":\"0x\",\"input\":\"0x\"}", "data, input" },
    { "type 2 with gasPrice", "{\"type\":2,\"gasPrice\":1}", "gasPrice" },
    { "type 0 with maxFeePerGas", "{\"type\":0,\"maxFeePerGas\":1}", "maxFeePerGas" },
    { "gasPrice with accessList", "{\"gasPrice\":1,\"accessList\":[]}", "accessList" },
    { "tip above fee", "{\"maxFeePerGas\":1,\"maxPriorityFeePerGas\":2}", "at most" },
};

static void transactions_are_refused(void **state)
{
    AUTO(store_send_free) struct store_send send = { 0 };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(malformed); i++)
        expect_err(malformed[i].name, send_tx(&send, "k", malformed[i].tx, 0), ERR_MALFORMED,
                   malformed[i].what);
    expect_err("type 1", send_tx(&send, "k", "{\"type\":1}", 0), ERR_UNSUPPORTED, "type");
    assert_int_equal(node.raw_calls, 0);
}

static void filled_in(void **state)
{
    uint8_t text[] = "{\"to\":null,\"value\":\"5\",\"data\":\"0x00\"}", out[1024];
    struct json nodes[16];
    const struct json *tx;
    struct detail words;
    struct fill fill;
    struct rpc rpc;
    struct wr wr = WR_OF(out);

    (void)state;
    expect_ok("json", json_parse(&tx, nodes, 16, text, sizeof(text) - 1));
    expect_ok("read", fill_read(&fill, tx, &words));
    expect_ok("rpc", rpc_open(&rpc, node.http.url, NULL));
    expect_ok("complete", fill_complete(&fill, &rpc, account.address));
    rpc_close(&rpc);
    fill.chain_id = FAKE_CHAIN;
    fill.nonce = 3;
    fill_write(&wr, &fill);
    out[wr.len] = 0;
    // Base fee of the next block 7: twice that and the tip of 1.
    assert_string_equal((char *)out,
                        "{\"type\":\"0x2\",\"chainId\":\"0x7a69\",\"nonce\":\"0x3\","
                        "\"gas\":\"0x5208\",\"to\":null,\"value\":\"0x5\",\"data\":\"0x00\","
                        "\"maxFeePerGas\":\"0xf\",\"maxPriorityFeePerGas\":\"0x1\"}");
}

int main(void)
{
#define SEND_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        SEND_TEST(same_key_same_transaction),
        SEND_TEST(reverted),
        SEND_TEST(sends_at_once),
        SEND_TEST(same_key_at_once),
        SEND_TEST(nothing_is_left_when_signing_fails),
        SEND_TEST(the_node_refuses),
        SEND_TEST(lost_answer),
        SEND_TEST(sent_again_at_start),
        SEND_TEST(node_is_down),
        SEND_TEST(chains),
        SEND_TEST(own_nonce),
        SEND_TEST(transactions_are_refused),
        SEND_TEST(filled_in),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
