// SPDX-License-Identifier: Apache-2.0
// cli/txjson.h: amounts become wei, and a signed transaction that differs from the one asked for in
// any field is refused.
#include "cli/txjson.h"

#include "base/must.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "expect.h"

#define TO "0x000000000000000000000000000000000000dEaD"
#define FULL                                                                          \
    "{\"type\":2,\"chainId\":31337,\"nonce\":7,\"gas\":\"0x5208\",\"to\":\"" TO "\"," \
    "\"value\":\"0.5ether\",\"maxFeePerGas\":\"30gwei\","                             \
    "\"maxPriorityFeePerGas\":1000000000,\"data\":\"0x1234\","                        \
    "\"accessList\":[{\"address\":\"" TO "\",\"storageKeys\":["                       \
    "\"0x0000000000000000000000000000000000000000000000000000000000000001\"]}]}"

static uint8_t text[4096];
static struct json nodes[256];
static uint8_t list_buf[128];

static const struct json *parse(const char *json)
{
    const struct json *root = NULL;

    memcpy(text, json, strlen(json));
    expect_ok(json, json_parse(&root, nodes, 256, text, strlen(json)));
    return root;
}

// [[0x...dEaD, [1]]]
static struct bytes access_list(void)
{
    static const uint8_t head[] = { 0xf8, 0x38, 0xf7, 0x94 };

    memset(list_buf, 0, sizeof(list_buf));
    memcpy(list_buf, head, 4);
    list_buf[22] = 0xde;
    list_buf[23] = 0xad;
    list_buf[24] = 0xe1;
    list_buf[25] = 0xa0;
    list_buf[57] = 1;
    return bytes_of(list_buf, 58);
}

static struct tx sample(void)
{
    struct tx tx = { .kind = TX_FEE_MARKET,
                     .chain_id = 31337,
                     .nonce = 7,
                     .gas = 21000,
                     .max_fee = u256_of(30000000000),
                     .max_priority_fee = u256_of(1000000000),
                     .has_to = true,
                     .value = u256_of(500000000000000000),
                     .data = BYTES_LIT("\x12\x34"),
                     .access_list = access_list() };

    tx.to[18] = 0xde;
    tx.to[19] = 0xad;
    return tx;
}

static void writes_wei(void **state)
{
    uint8_t out[1024];
    struct wr wr = WR_OF(out);
    struct jw jw = jw_of(&wr);
    struct bytes field;

    (void)state;
    expect_ok("tx", txjson_write(&jw,
                                 parse("{\"value\":\"0.5ether\",\"maxFeePerGas\":\"30gwei\","
                                       "\"gasPrice\":7,\"to\":null,\"x\":[1]}"),
                                 &field));
    assert_true(bytes_equal_str(
        wr_done(&wr), "{\"value\":\"500000000000000000\",\"maxFeePerGas\":\"30000000000\","
                      "\"gasPrice\":7,\"to\":null,\"x\":[1]}"));
}

static void write_refusals(void **state)
{
    static const struct {
        const char *json, *field;
    } cases[] = {
        { "[]", NULL },
        { "\"x\"", NULL },
        { "{\"value\":\"0.5\"}", "value" },
        { "{\"nonce\":1,\"gasPrice\":\"1.5wei\"}", "gasPrice" },
        { "{\"maxFeePerGas\":\"abc\"}", "maxFeePerGas" },
        { "{\"value\":1,\"to\":\"0x00\"}", "to" },
        { "{\"to\":\"0x000000000000000000000000000000000000DeAD\"}", "to" },
        { "{\"data\":\"0x0\"}", "data" },
        { "{\"data\":\"zz\"}", "data" },
        { "{\"input\":\"12\"}", "input" },
    };
    uint8_t out[1024];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct wr wr = WR_OF(out);
        struct jw jw = jw_of(&wr);
        struct bytes field;

        expect_err(cases[i].json, txjson_write(&jw, parse(cases[i].json), &field), ERR_MALFORMED,
                   NULL);
        assert_true(bytes_equal(field, bytes_str(cases[i].field)));
    }
}

static void same(void **state)
{
    struct tx tx = sample();

    (void)state;
    expect_ok("every field", txjson_check(parse(FULL), &tx));
    tx.access_list = BYTES_LIT("\xc0");
    expect_ok("few fields", txjson_check(parse("{\"to\":\"" TO "\",\"value\":\"500000000gwei\","
                                               "\"input\":\"0x1234\"}"),
                                         &tx));
    tx = (struct tx) { .kind = TX_LEGACY, .chain_id = 1, .gas_price = u256_of(5) };
    expect_ok("creation", txjson_check(parse("{\"gasPrice\":5,\"to\":null}"), &tx));
    expect_ok("creation", txjson_check(parse("{}"), &tx));
}

struct change {
    const char *what;
    void (*change)(struct tx *tx);
};

#define CHANGE(name, ...)           \
    static void name(struct tx *tx) \
    {                               \
        __VA_ARGS__;                \
    }

CHANGE(other_kind, tx->kind = TX_LEGACY)
CHANGE(other_chain, tx->chain_id = 1)
CHANGE(other_nonce, tx->nonce++)
CHANGE(other_gas, tx->gas++)
CHANGE(other_fee, tx->max_fee = u256_of(1))
CHANGE(other_priority, tx->max_priority_fee = u256_of(1))
CHANGE(other_recipient, tx->to[0] ^= 1)
CHANGE(no_recipient, tx->has_to = false)
CHANGE(other_value, tx->value = u256_of(5))
CHANGE(other_data, tx->data = BYTES_LIT("\x12\x35"))
CHANGE(no_data, tx->data = BYTES_NONE)
CHANGE(no_list, tx->access_list = BYTES_LIT("\xc0"))
CHANGE(other_address, list_buf[4] ^= 1; tx->access_list.p = list_buf)
CHANGE(other_key, list_buf[57] ^= 1; tx->access_list.p = list_buf)

static void differences(void **state)
{
    static const struct change cases[] = {
        { "type", other_kind },
        { "chainId", other_chain },
        { "nonce", other_nonce },
        { "gas", other_gas },
        { "maxFeePerGas", other_fee },
        { "maxPriorityFeePerGas", other_priority },
        { "to", other_recipient },
        { "to", no_recipient },
        { "value", other_value },
        { "data", other_data },
        { "data", no_data },
        { "accessList", no_list },
        { "accessList", other_address },
        { "accessList", other_key },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct tx tx = sample();

        cases[i].change(&tx);
        expect_err(cases[i].what, txjson_check(parse(FULL), &tx), ERR_UNTRUSTED, cases[i].what);
    }
}

// What was not asked for is not the service's to add.
static void additions(void **state)
{
    static const struct {
        const char *json, *what;
    } cases[] = {
        { "{\"value\":\"0.5ether\",\"data\":\"0x1234\"}", "to" },
        { "{\"to\":\"" TO "\",\"data\":\"0x1234\"}", "value" },
        { "{\"to\":\"" TO "\",\"value\":\"0.5ether\"}", "data" },
        { "{\"to\":\"" TO "\",\"value\":\"0.5ether\",\"data\":\"0x1234\"}", "accessList" },
        { "{\"to\":\"" TO "\",\"value\":\"0.5ether\",\"data\":\"0x1234\",\"gasPrice\":1}",
          "gasPrice" },
        { "{\"to\":\"" TO "\",\"value\":\"0.5ether\",\"data\":\"0x1234\",\"accessList\":[]}",
          "accessList" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct tx tx = sample();

        expect_err(cases[i].json, txjson_check(parse(cases[i].json), &tx), ERR_UNTRUSTED,
                   cases[i].what);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_wei),  cmocka_unit_test(write_refusals), cmocka_unit_test(same),
        cmocka_unit_test(differences), cmocka_unit_test(additions),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
