// SPDX-License-Identifier: Apache-2.0
// The check that the service sent what it was told to send. A parent that changes a recipient
// cannot forge a signature, but it could ask the enclave for another one: an unrestricted account
// would give it. So the user's own tool looks at the signed bytes.
#include "cli/txjson.h"

#include "base/hex.h"
#include "base/must.h"
#include "cli/ether.h"
#include "eth/address.h"
#include "eth/rlp.h"

#include <string.h>

static uint8_t scratch[TX_BYTES_MAX];

static const char *const amounts[] = { "value", "gasPrice", "maxFeePerGas",
                                       "maxPriorityFeePerGas" };

static bool is_amount(struct bytes key)
{
    for (size_t i = 0; i < ARRAY_LEN(amounts); i++)
        if (bytes_equal_str(key, amounts[i]))
            return true;
    return false;
}

// A member's number, with a unit or without.
static FALLIBLE read_amount(struct u256 *out, const struct json *value)
{
    if (value->type == JSON_STRING)
        return ether_parse(out, value->text);
    return json_u256(out, value);
}

// What a person can get wrong in a recipient or in data, before anybody else reads it.
static FALLIBLE check_member(const struct json *member)
{
    uint8_t address[ADDRESS_BYTES];
    struct bytes text = json_string(member);
    size_t n;

    if (text.n == 0)
        return OK;
    if (bytes_equal_str(member->key, "to"))
        return address_parse(address, text);
    if (bytes_equal_str(member->key, "data") || bytes_equal_str(member->key, "input"))
        ENSURE(!hex_decode_0x(scratch, sizeof(scratch), &n, text).code, ERR_MALFORMED,
               "expected 0x and an even number of hex digits, at most 128 KiB of data");
    return OK;
}

struct err txjson_write(struct jw *jw, const struct json *tx, struct bytes *field)
{
    *field = BYTES_NONE;
    ENSURE(tx && tx->type == JSON_OBJECT, ERR_MALFORMED, "transaction: expected a JSON object");
    jw_object(jw);
    for (const struct json *member = tx->child; member; member = member->next) {
        char key[64];
        struct u256 wei;

        *field = member->key;
        ENSURE(bytes_to_str(member->key, key, sizeof(key)), ERR_MALFORMED, "unknown field");
        TRY(check_member(member));
        jw_key(jw, key);
        if (!is_amount(member->key) || member->type != JSON_STRING) {
            jw_value(jw, member);
            continue;
        }
        TRY(read_amount(&wei, member));
        jw_decimal(jw, wei);
    }
    *field = BYTES_NONE;
    jw_object_end(jw);
    return OK;
}

// Equal, or absent.
static bool number_is(const struct json *tx, const char *key, struct u256 got)
{
    const struct json *value = json_get(tx, key);
    struct u256 want;

    return !value || (read_amount(&want, value).code == 0 && u256_compare(want, got) == 0);
}

static FALLIBLE check_numbers(const struct json *tx, const struct tx *got)
{
    bool is_legacy = got->kind == TX_LEGACY;

    ENSURE(number_is(tx, "type", u256_of((uint64_t)got->kind)), ERR_UNTRUSTED,
           "type: another one was signed");
    ENSURE(number_is(tx, "chainId", u256_of(got->chain_id)), ERR_UNTRUSTED,
           "chainId: another one was signed");
    ENSURE(number_is(tx, "nonce", u256_of(got->nonce)), ERR_UNTRUSTED,
           "nonce: another one was signed");
    ENSURE(number_is(tx, "gas", u256_of(got->gas)), ERR_UNTRUSTED, "gas: another one was signed");
    ENSURE(is_legacy ? number_is(tx, "gasPrice", got->gas_price) : !json_get(tx, "gasPrice"),
           ERR_UNTRUSTED, "gasPrice: another one was signed");
    ENSURE(is_legacy ? !json_get(tx, "maxFeePerGas") : number_is(tx, "maxFeePerGas", got->max_fee),
           ERR_UNTRUSTED, "maxFeePerGas: another one was signed");
    ENSURE(is_legacy ? !json_get(tx, "maxPriorityFeePerGas")
                     : number_is(tx, "maxPriorityFeePerGas", got->max_priority_fee),
           ERR_UNTRUSTED, "maxPriorityFeePerGas: another one was signed");
    ENSURE(json_get(tx, "value") ? number_is(tx, "value", got->value) : u256_is_zero(got->value),
           ERR_UNTRUSTED, "value: another one was signed");
    return OK;
}

static FALLIBLE check_to(const struct json *tx, const struct tx *got)
{
    const struct json *value = json_get(tx, "to");
    uint8_t want[ADDRESS_BYTES];

    if (!value || value->type == JSON_NULL || json_string(value).n == 0) {
        ENSURE(!got->has_to, ERR_UNTRUSTED, "to: a recipient was signed instead of none");
        return OK;
    }
    TRY(address_parse(want, json_string(value)));
    ENSURE(got->has_to && bytes_equal(BYTES_OF(want), BYTES_OF(got->to)), ERR_UNTRUSTED,
           "to: another recipient was signed");
    return OK;
}

static FALLIBLE check_data(const struct json *tx, const struct tx *got)
{
    const struct json *value = json_get(tx, "data") ? json_get(tx, "data") : json_get(tx, "input");
    size_t n = 0;

    if (json_string(value).n > 0)
        TRY(hex_decode_0x(scratch, sizeof(scratch), &n, json_string(value)));
    ENSURE(bytes_equal(bytes_of(scratch, n), got->data), ERR_UNTRUSTED,
           "data: other bytes were signed");
    return OK;
}

// True when the next string of `rd` is the hex of `value`.
static bool string_is(struct rd *rd, const struct json *value)
{
    struct bytes got = rlp_string(rd);
    uint8_t want[32];
    size_t n = 0;

    return !rd->bad && hex_decode_0x(want, sizeof(want), &n, json_string(value)).code == 0 &&
           bytes_equal(got, bytes_of(want, n));
}

static bool entry_is(struct rd *entries, const struct json *want)
{
    struct rd entry = rlp_list(entries);
    bool is_same = string_is(&entry, json_get(want, "address"));
    struct rd keys = rlp_list(&entry);
    const struct json *list = json_get(want, "storageKeys");

    for (const struct json *key = list ? list->child : NULL; key; key = key->next)
        is_same = is_same && string_is(&keys, key);
    return is_same && rd_end(&keys).code == 0;
}

static FALLIBLE check_access_list(const struct json *tx, const struct tx *got)
{
    const struct json *list = json_get(tx, "accessList");
    struct rd rd = rd_of(got->access_list);
    struct rd entries = rd_of(BYTES_NONE);
    bool is_same = true;

    if (got->access_list.n > 0)
        entries = rlp_list(&rd);
    for (const struct json *want = list ? list->child : NULL; want; want = want->next)
        is_same = is_same && entry_is(&entries, want);
    ENSURE(is_same && rd_end(&entries).code == 0, ERR_UNTRUSTED,
           "accessList: another one was signed");
    return OK;
}

struct err txjson_check(const struct json *tx, const struct tx *got)
{
    TRY(check_numbers(tx, got));
    TRY(check_to(tx, got));
    TRY(check_data(tx, got));
    return check_access_list(tx, got);
}
