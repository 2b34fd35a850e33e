// SPDX-License-Identifier: Apache-2.0
// eth/tx.h: the example of EIP-155, each field's range, and mutated encodings. Hundreds of
// transactions from another implementation are in eth_vectors.c.
#include "eth/tx.h"

#include "base/hex.h"
#include "base/must.h"
#include "eth/rlp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "expect.h"

#define EIP155_UNSIGNED \
    "ec098504a817c800825208943535353535353535353535353535353535353535880de0b6b3a764000080018080"
#define EIP155_HASH "daf5a779ae972f972197303d7b574746c7ef83eadac0f2791ad23db92e4c8e53"
#define EIP155_SIGNED                                                                         \
    "f86c098504a817c800825208943535353535353535353535353535353535353535880de0b6b3a7640000802" \
    "5a028ef61340bd939bc2195fe537567866003e1a15d3c71ff63e1590620aa636276a067cbe9d8997f761aec" \
    "b703304b3800ccf555c9f3dc64214b297fb1966a3b6d83"
#define RS                                                               \
    "a028ef61340bd939bc2195fe537567866003e1a15d3c71ff63e1590620aa636276" \
    "a067cbe9d8997f761aecb703304b3800ccf555c9f3dc64214b297fb1966a3b6d83"
#define TO "943535353535353535353535353535353535353535"

static uint8_t in[1024];
static uint8_t out_buf[TX_BYTES_MAX + 16];

static struct bytes from_hex(const char *hex)
{
    size_t n = strlen(hex) / 2;

    assert_true(n <= sizeof(in));
    assert_int_equal(hex_decode(in, n, bytes_str(hex)).code, 0);
    return bytes_of(in, n);
}

static void expect_bytes(struct bytes got, const char *hex)
{
    char text[2049];

    hex_encode(text, got);
    assert_string_equal(text, hex);
}

static void eip155_example(void **state)
{
    uint8_t hash[32];
    uint8_t signature[TX_SIGNATURE_BYTES];
    struct wr wr = WR_OF(out_buf);
    struct u256 cost;
    struct tx tx;

    (void)state;
    expect_ok("unsigned", tx_read_unsigned(&tx, from_hex(EIP155_UNSIGNED)));
    assert_int_equal(tx.kind, TX_LEGACY);
    assert_int_equal(tx.nonce, 9);
    assert_int_equal(tx.chain_id, 1);
    assert_int_equal(tx.gas, 21000);
    assert_true(tx.has_to);
    expect_ok("write", tx_write_unsigned(&wr, &tx));
    expect_bytes(wr_done(&wr), EIP155_UNSIGNED);
    tx_hash(hash, wr_done(&wr));
    expect_bytes(BYTES_OF(hash), EIP155_HASH);
    expect_ok("cost", tx_max_cost(&cost, &tx));
    assert_int_equal(u256_compare(cost, u256_of(1000000000000000000 + 21000 * 20000000000)), 0);
    expect_ok("signed", tx_read_signed(&tx, signature, from_hex(EIP155_SIGNED)));
    assert_int_equal(tx.chain_id, 1);
    assert_int_equal(signature[64], 0);
    wr = WR_OF(out_buf);
    expect_ok("write", tx_write_signed(&wr, &tx, signature));
    expect_bytes(wr_done(&wr), EIP155_SIGNED);
}

static const uint8_t access_list[] = {
    0xf8, 0x38, 0xf7, 0x94, 1,    2,    3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15, 16,
    17,   18,   19,   20,   0xe1, 0xa0, 1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14,
    15,   16,   17,   18,   19,   20,   21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32,
};

static struct tx sample(void)
{
    return (struct tx) {
        .kind = TX_FEE_MARKET,
        .chain_id = 31337,
        .nonce = 1,
        .gas = 21000,
        .max_fee = u256_of(2000000000),
        .max_priority_fee = u256_of(1000000000),
        .has_to = true,
        .to = { 0x35, 0x35 },
        .value = u256_of(1),
        .data = BYTES_LIT("data"),
        .access_list = BYTES_OF(access_list),
    };
}

static void fee_market(void **state)
{
    static const uint8_t signature[TX_SIGNATURE_BYTES] = { [31] = 1, [63] = 2, [64] = 1 };
    uint8_t back_signature[TX_SIGNATURE_BYTES];
    struct tx tx = sample();
    struct wr wr = WR_OF(out_buf);
    struct tx back;

    (void)state;
    expect_ok("write", tx_write_unsigned(&wr, &tx));
    expect_ok("read", tx_read_unsigned(&back, wr_done(&wr)));
    assert_true(bytes_equal(back.access_list, tx.access_list));
    assert_true(bytes_equal(back.data, tx.data));
    assert_int_equal(back.chain_id, 31337);
    assert_int_equal(u256_compare(back.max_fee, tx.max_fee), 0);
    wr = WR_OF(out_buf);
    expect_ok("write", tx_write_signed(&wr, &tx, signature));
    expect_ok("read", tx_read_signed(&back, back_signature, wr_done(&wr)));
    assert_memory_equal(signature, back_signature, sizeof(signature));
    for (size_t n = 0; n < wr.len; n++)
        assert_int_not_equal(
            tx_read_signed(&back, back_signature, bytes_take(wr_done(&wr), n)).code, 0);
}

static void creation(void **state)
{
    struct tx tx = sample();
    struct wr wr = WR_OF(out_buf);
    struct tx back;

    (void)state;
    tx.has_to = false;
    tx.access_list = BYTES_NONE;
    expect_ok("write", tx_write_unsigned(&wr, &tx));
    expect_ok("read", tx_read_unsigned(&back, wr_done(&wr)));
    assert_false(back.has_to);
    assert_true(bytes_equal(back.access_list, BYTES_LIT("\xc0")));
}

struct change {
    const char *name;
    void (*change)(struct tx *tx);
    enum err_code code;
    const char *what;
};

#define CHANGE(name, ...)           \
    static void name(struct tx *tx) \
    {                               \
        __VA_ARGS__;                \
    }

static const uint8_t short_key[] = { 0xdb, 0xda, 0x94, 1,    2,    3,  4,  5,  6,  7,
                                     8,    9,    10,   11,   12,   13, 14, 15, 16, 17,
                                     18,   19,   20,   0xc4, 0x83, 1,  2,  3 };

CHANGE(chain_0, tx->chain_id = 0)
CHANGE(chain_large, tx->chain_id = TX_CHAIN_ID_MAX + 1)
CHANGE(nonce_max, tx->nonce = UINT64_MAX)
CHANGE(priority_above, tx->max_priority_fee = u256_of(2000000001))
CHANGE(kind_1, tx->kind = (enum tx_kind)1)
CHANGE(kind_4, tx->kind = (enum tx_kind)4)
CHANGE(legacy_with_list, tx->kind = TX_LEGACY)
CHANGE(list_a_string, tx->access_list = BYTES_LIT("\x80"))
CHANGE(list_trailing, tx->access_list = BYTES_LIT("\xc0\xc0"))
CHANGE(list_of_nothing, tx->access_list = BYTES_LIT("\xc1\xc0"))
CHANGE(list_cut, tx->access_list.n--)
CHANGE(list_key, tx->access_list = BYTES_OF(short_key))
CHANGE(data_large, tx->data = bytes_of(out_buf, TX_BYTES_MAX))
CHANGE(data_larger, tx->data = bytes_of(out_buf, TX_BYTES_MAX + 1))

static void field_refusals(void **state)
{
    static const struct change cases[] = {
        { "chain 0", chain_0, ERR_MALFORMED, "chainId" },
        { "chain too large", chain_large, ERR_MALFORMED, "chainId" },
        { "nonce 2^64 - 1", nonce_max, ERR_MALFORMED, "nonce" },
        { "priority above fee", priority_above, ERR_MALFORMED, "maxPriorityFeePerGas" },
        { "type 1", kind_1, ERR_UNSUPPORTED, "type" },
        { "type 4", kind_4, ERR_UNSUPPORTED, "type" },
        { "legacy with access list", legacy_with_list, ERR_MALFORMED, "accessList" },
        { "access list a string", list_a_string, ERR_MALFORMED, "accessList" },
        { "access list and more", list_trailing, ERR_MALFORMED, "accessList" },
        { "entry of nothing", list_of_nothing, ERR_MALFORMED, "accessList" },
        { "access list cut", list_cut, ERR_MALFORMED, "accessList" },
        { "key of 3 bytes", list_key, ERR_MALFORMED, "accessList" },
        { "128 KiB of data", data_large, ERR_TOO_LARGE, "128 KiB" },
        { "more data", data_larger, ERR_TOO_LARGE, "128 KiB" },
    };
    static const uint8_t signature[TX_SIGNATURE_BYTES] = { [31] = 1, [63] = 2 };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct tx tx = sample();
        struct wr wr = WR_OF(out_buf);

        cases[i].change(&tx);
        expect_err(cases[i].name, tx_write_unsigned(&wr, &tx), cases[i].code, cases[i].what);
        wr = WR_OF(out_buf);
        expect_err(cases[i].name, tx_write_signed(&wr, &tx, signature), cases[i].code,
                   cases[i].what);
    }
}

static void unsigned_refusals(void **state)
{
    static const struct {
        const char *name, *hex;
        enum err_code code;
        const char *what;
    } cases[] = {
        { "empty", "", ERR_MALFORMED, "expected bytes" },
        { "type 1", "01c0", ERR_UNSUPPORTED, "type" },
        { "type 3", "03c0", ERR_UNSUPPORTED, "type" },
        { "type 4", "04c0", ERR_UNSUPPORTED, "type" },
        { "EIP-191 prefix", "19c0", ERR_UNSUPPORTED, "type" },
        { "type 2 of nothing", "02c0", ERR_MALFORMED, "exactly the fields" },
        { "type 2, a string", "0280", ERR_MALFORMED, NULL },
        { "trailing byte", EIP155_UNSIGNED "00", ERR_MALFORMED, "after its end" },
        { "pre EIP-155", "e9098504a817c800825208" TO "880de0b6b3a764000080", ERR_MALFORMED,
          "exactly the fields" },
        { "chain id 0", "ec098504a817c800825208" TO "880de0b6b3a764000080808080", ERR_MALFORMED,
          "chainId" },
        { "r not zero", "ec098504a817c800825208" TO "880de0b6b3a764000080010180", ERR_MALFORMED,
          "two zeros" },
        { "s not zero", "ec098504a817c800825208" TO "880de0b6b3a764000080018001", ERR_MALFORMED,
          "two zeros" },
        { "a field more", "ed098504a817c800825208" TO "880de0b6b3a76400008001808080", ERR_MALFORMED,
          "exactly the fields" },
        { "nonce 0 as a byte", "ec008504a817c800825208" TO "880de0b6b3a764000080018080",
          ERR_MALFORMED, "strict RLP" },
        { "gas with leading zero", "ec098504a817c800820008" TO "880de0b6b3a764000080018080",
          ERR_MALFORMED, "strict RLP" },
        { "to of 19 bytes",
          "eb098504a817c80082520893353535353535353535353535353535353535"
          "35880de0b6b3a764000080018080",
          ERR_MALFORMED, "to" },
        { "a list in data's place", "ec098504a817c800825208" TO "880de0b6b3a7640000c0018080",
          ERR_MALFORMED, "strict RLP" },
    };
    struct tx tx;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        expect_err(cases[i].name, tx_read_unsigned(&tx, from_hex(cases[i].hex)), cases[i].code,
                   cases[i].what);
    expect_err("too large", tx_read_unsigned(&tx, bytes_of(out_buf, TX_BYTES_MAX + 1)),
               ERR_TOO_LARGE, "128 KiB");
}

static void signed_refusals(void **state)
{
    static const struct {
        const char *name, *hex;
        enum err_code code;
        const char *what;
    } cases[] = {
        { "v 27", "f86c098504a817c800825208" TO "880de0b6b3a7640000801b" RS, ERR_UNSUPPORTED,
          "EIP-155" },
        { "v 35: chain 0", "f86c098504a817c800825208" TO "880de0b6b3a76400008023" RS, ERR_MALFORMED,
          "chainId" },
        { "unsigned", EIP155_UNSIGNED, ERR_UNSUPPORTED, "EIP-155" },
        { "r 0",
          "f84c098504a817c800825208" TO "880de0b6b3a76400008025"
          "80a067cbe9d8997f761aecb703304b3800ccf555c9f3dc64214b297fb1966a3b6d83",
          ERR_MALFORMED, "r and s" },
        { "s 0",
          "f84c098504a817c800825208" TO "880de0b6b3a76400008025"
          "a067cbe9d8997f761aecb703304b3800ccf555c9f3dc64214b297fb1966a3b6d8380",
          ERR_MALFORMED, "r and s" },
        { "high s",
          "f86c098504a817c800825208" TO "880de0b6b3a76400008025"
          "a028ef61340bd939bc2195fe537567866003e1a15d3c71ff63e1590620aa636276"
          "a07fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a1",
          ERR_MALFORMED, "EIP-2" },
    };
    uint8_t signature[TX_SIGNATURE_BYTES] = { [31] = 1, [63] = 1, [64] = 2 };
    struct tx tx;
    struct wr wr = WR_OF(out_buf);

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        expect_err(cases[i].name, tx_read_signed(&tx, signature, from_hex(cases[i].hex)),
                   cases[i].code, cases[i].what);
    tx = sample();
    signature[64] = 2;
    expect_err("parity 2", tx_write_signed(&wr, &tx, signature), ERR_MALFORMED, "parity");
}

static void costs(void **state)
{
    struct tx tx = sample();
    struct u256 cost;

    (void)state;
    expect_ok("cost", tx_max_cost(&cost, &tx));
    assert_int_equal(u256_compare(cost, u256_of(21000 * 2000000000ULL + 1)), 0);
    tx.max_fee = (struct u256) { { 0, 0, 0, UINT64_MAX } };
    expect_err("fee overflow", tx_max_cost(&cost, &tx), ERR_TOO_LARGE, NULL);
    tx = sample();
    tx.value = (struct u256) { { UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX } };
    expect_err("sum overflow", tx_max_cost(&cost, &tx), ERR_TOO_LARGE, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(eip155_example),
        cmocka_unit_test(fee_market),
        cmocka_unit_test(creation),
        cmocka_unit_test(field_refusals),
        cmocka_unit_test(unsigned_refusals),
        cmocka_unit_test(signed_refusals),
        cmocka_unit_test(costs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
