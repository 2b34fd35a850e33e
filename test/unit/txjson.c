// SPDX-License-Identifier: Apache-2.0
// front/txjson.h: eth-account's field names into struct tx; every unknown, missing, malformed and
// contradicting field is refused by name.
#include "front/txjson.h"

#include "base/hex.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TO     "\"to\":\"0x3535353535353535353535353535353535353535\""
#define BASE   "\"chainId\":1,\"nonce\":9,\"gas\":21000,"
#define LEGACY BASE TO ",\"gasPrice\":20000000000,\"value\":\"1000000000000000000\""
#define FEES   "\"maxFeePerGas\":\"0x10\",\"maxPriorityFeePerGas\":2"

static struct txjson_space space;
static struct json nodes[256];
static char text[4096];

static struct err read_tx(struct tx *tx, struct bytes *unknown, const char *json)
{
    const struct json *root;
    size_t n = strlen(json);

    assert_true(n < sizeof(text));
    memcpy(text, json, n);
    assert_int_equal(json_parse(&root, nodes, 256, (uint8_t *)text, n).code, 0);
    return txjson_read(tx, &space, unknown, root);
}

// The signing payload as hex, which shows every field at once.
static void check_payload(const char *json, const char *expected)
{
    uint8_t payload[1024];
    char hex[2049];
    struct wr wr = WR_OF(payload);
    struct bytes unknown;
    struct tx tx;
    struct err err = read_tx(&tx, &unknown, json);

    if (err.code)
        fail_msg("%s: %s", json, err_text(err));
    assert_int_equal(tx_write_unsigned(&wr, &tx).code, 0);
    hex_encode(hex, wr_done(&wr));
    assert_string_equal(hex, expected);
}

static void test_accepted(void **state)
{
    (void)state;
    // The example of EIP-155.
    check_payload(
        "{" LEGACY "}",
        "ec098504a817c800825208943535353535353535353535353535353535353535880de0b6b3a764000"
        "080018080");
    check_payload(
        "{" LEGACY ",\"type\":\"0x0\",\"data\":\"0x\"}",
        "ec098504a817c800825208943535353535353535353535353535353535353535880de0b6b3a764000"
        "080018080");
    check_payload("{" BASE FEES ",\"to\":null,\"data\":\"0x60AA\",\"input\":\"0x60aa\"}",
                  "02cd0109021082520880808260aac0");
}

static void test_access_list(void **state)
{
    struct bytes unknown;
    struct tx tx;
    char hex[256];
    struct err err = read_tx(&tx, &unknown,
                             "{" BASE TO "," FEES ",\"type\":2,\"accessList\":[{\"address\":"
                             "\"0x1111111111111111111111111111111111111111\",\"storageKeys\":["
                             "\"0x0000000000000000000000000000000000000000000000000000000000000001"
                             "\"]},{\"address\":\"0x2222222222222222222222222222222222222222\","
                             "\"storageKeys\":[]}]}");

    (void)state;
    assert_int_equal(err.code, 0);
    hex_encode(hex, tx.access_list);
    assert_string_equal(hex, "f84f"
                             "f7941111111111111111111111111111111111111111"
                             "e1a00000000000000000000000000000000000000000000000000000000000000001"
                             "d6942222222222222222222222222222222222222222c0");
}

static void test_refused(void **state)
{
    static const struct {
        const char *json, *message;
        enum err_code code;
    } cases[] = {
        { "[]", "tx: expected an object", ERR_MALFORMED },
        { "{" LEGACY ",\"gasLimit\":1}", "tx: unknown field", ERR_MALFORMED },
        { "{" LEGACY ",\"\":1}", "tx: unknown field", ERR_MALFORMED },
        { "{\"nonce\":9,\"gas\":1,\"gasPrice\":1," TO "}", "tx.chainId: missing", ERR_MALFORMED },
        { "{\"chainId\":1,\"gas\":1,\"gasPrice\":1," TO "}", "tx.nonce: missing", ERR_MALFORMED },
        { "{\"chainId\":1,\"nonce\":1,\"gasPrice\":1," TO "}", "tx.gas: missing", ERR_MALFORMED },
        { "{" BASE TO "}", "tx.gasPrice: missing", ERR_MALFORMED },
        { "{" BASE TO ",\"maxFeePerGas\":1}", "tx.maxPriorityFeePerGas: missing", ERR_MALFORMED },
        { "{" BASE TO ",\"maxPriorityFeePerGas\":1}", "tx.maxFeePerGas: missing", ERR_MALFORMED },
        { "{" LEGACY "," FEES "}", "tx.gasPrice: not in a transaction of type 2", ERR_MALFORMED },
        { "{" LEGACY ",\"type\":2}", "tx.gasPrice: not in a transaction of type 2", ERR_MALFORMED },
        { "{" BASE TO "," FEES ",\"type\":0}", "tx.maxFeePerGas: not in a transaction of type 0",
          ERR_MALFORMED },
        { "{" LEGACY ",\"type\":0,\"accessList\":[]}",
          "tx.accessList: not in a transaction of type 0", ERR_MALFORMED },
        { "{" LEGACY ",\"type\":1}", "tx.type: expected 0 or 2", ERR_UNSUPPORTED },
        { "{" LEGACY ",\"type\":\"two\"}", "tx.type: expected 0 or 2", ERR_MALFORMED },
        { "{" LEGACY ",\"type\":null}", "tx.type: expected 0 or 2", ERR_MALFORMED },
        { "{" LEGACY ",\"data\":\"0x1\"}", NULL, ERR_MALFORMED },
        { "{" LEGACY ",\"data\":\"11\"}", NULL, ERR_MALFORMED },
        { "{" LEGACY ",\"data\":5}", "tx.data: expected a 0x string", ERR_MALFORMED },
        { "{" LEGACY ",\"data\":\"0x11\",\"input\":\"0x12\"}", "tx.input: differs from tx.data",
          ERR_MALFORMED },
        { "{" LEGACY ",\"data\":\"0x11\",\"input\":\"0x\"}", "tx.input: differs from tx.data",
          ERR_MALFORMED },
        { "{" LEGACY ",\"data\":null,\"input\":\"0x\"}", "tx.input: differs from tx.data",
          ERR_MALFORMED },
        { "{" BASE "\"gasPrice\":1,\"to\":\"0x35\"}", NULL, ERR_MALFORMED },
        { "{" BASE "\"gasPrice\":1,\"to\":\"\"}", NULL, ERR_MALFORMED },
        { "{" BASE "\"gasPrice\":1,\"to\":0}", "tx.to: expected an address or null",
          ERR_MALFORMED },
        { "{" BASE "\"gasPrice\":1}", NULL, ERR_MALFORMED },
        { "{" BASE TO ",\"gasPrice\":1.5}", "tx.gasPrice: expected an integer of 256 bits",
          ERR_MALFORMED },
        { "{" BASE TO ",\"gasPrice\":-1}", "tx.gasPrice: expected an integer of 256 bits",
          ERR_MALFORMED },
        { "{" BASE TO ",\"gasPrice\":1,\"value\":1e18}",
          "tx.value: expected an integer of 256 bits", ERR_MALFORMED },
        { "{" BASE TO "," FEES ",\"accessList\":{}}", "tx.accessList: expected a list",
          ERR_MALFORMED },
        { "{" BASE TO "," FEES ",\"accessList\":[1]}", "tx.accessList: expected objects",
          ERR_MALFORMED },
        { "{" BASE TO "," FEES ",\"accessList\":[{\"storageKeys\":[]}]}",
          "tx.accessList.address: missing", ERR_MALFORMED },
        { "{" BASE TO "," FEES ",\"accessList\":[{\"address\":\"0x\"}]}",
          "tx.accessList.storageKeys: missing", ERR_MALFORMED },
        { "{" BASE TO "," FEES ",\"accessList\":[{\"address\":"
          "\"0x1111111111111111111111111111111111111111\",\"storageKeys\":[\"0x01\"]}]}",
          "tx.accessList.storageKeys: expected 0x and 64 hex digits", ERR_MALFORMED },
        { "{" BASE TO "," FEES ",\"accessList\":[{\"address\":"
          "\"0x1111111111111111111111111111111111111111\",\"storageKeys\":[],\"x\":1}]}",
          "tx: unknown field", ERR_MALFORMED },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct bytes unknown;
        struct tx tx;
        struct err err = read_tx(&tx, &unknown, cases[i].json);

        if (err.code != cases[i].code ||
            (cases[i].message && strcmp(err_text(err), cases[i].message) != 0))
            fail_msg("%s: %s", cases[i].json, err_text(err));
        assert_int_equal(unknown.p != NULL, strcmp(err_text(err), "tx: unknown field") == 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accepted),
        cmocka_unit_test(test_access_list),
        cmocka_unit_test(test_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
