// SPDX-License-Identifier: Apache-2.0
// Fees follow EIP-1559: at most twice the next block's base fee plus the tip, so that six full
// blocks in a row do not leave the transaction behind. The node's numbers are taken as they are:
// it could make the sender overpay, which the account's policy has to bound.
#include "parent/fill.h"

#include "base/hex.h"
#include "eth/address.h"

#include <stdlib.h>

#define FILL_BYTES_MAX    (1U << 20)
#define FILL_TRANSFER_GAS 21000U // Yellow Paper, appendix G: G_transaction

static const char *const fill_fields[] = { "type",
                                           "chainId",
                                           "nonce",
                                           "gas",
                                           "to",
                                           "value",
                                           "data",
                                           "input",
                                           "gasPrice",
                                           "maxFeePerGas",
                                           "maxPriorityFeePerGas",
                                           "accessList",
                                           NULL };

static struct err fill_number(struct u256 *out, bool *given, const struct json *tx,
                              const char *name)
{
    const struct json *value = json_get(tx, name);

    *given = value != NULL;
    return value ? json_u256(out, value) : OK;
}

static struct err fill_number_u64(uint64_t *out, bool *given, const struct json *tx,
                                  const char *name)
{
    struct u256 value = { 0 };

    TRY(fill_number(&value, given, tx, name));
    return u256_to_u64(out, value);
}

static struct err fill_read_numbers(struct fill *fill)
{
    const struct json *tx = fill->tx;
    bool given;

    ENSURE(!fill_number_u64(&fill->chain_id, &fill->has_chain_id, tx, "chainId").code,
           ERR_MALFORMED, "chainId: expected a number of 64 bits");
    ENSURE(!fill_number_u64(&fill->nonce, &fill->has_nonce, tx, "nonce").code &&
               fill->nonce <= INT64_MAX,
           ERR_MALFORMED, "nonce: expected a number below 2^63");
    ENSURE(!fill_number(&fill->gas, &fill->has_gas, tx, "gas").code, ERR_MALFORMED,
           "gas: expected a number");
    ENSURE(!fill_number(&fill->value, &given, tx, "value").code, ERR_MALFORMED,
           "value: expected a number of 256 bits");
    ENSURE(!fill_number(&fill->gas_price, &fill->has_gas_price, tx, "gasPrice").code, ERR_MALFORMED,
           "gasPrice: expected a number of 256 bits");
    ENSURE(!fill_number(&fill->max_fee, &fill->has_max_fee, tx, "maxFeePerGas").code, ERR_MALFORMED,
           "maxFeePerGas: expected a number of 256 bits");
    ENSURE(!fill_number(&fill->priority, &fill->has_priority, tx, "maxPriorityFeePerGas").code,
           ERR_MALFORMED, "maxPriorityFeePerGas: expected a number of 256 bits");
    return OK;
}

// The recipient and the data, before the node is asked about them: its words would not name them.
static struct err fill_check_texts(const struct json *tx)
{
    const struct json *data = json_get(tx, json_get(tx, "data") ? "data" : "input");
    struct bytes to = json_string(json_get(tx, "to"));
    struct bytes digits = bytes_skip(json_string(data), 2);
    uint8_t address[ADDRESS_BYTES];

    ENSURE(to.n == 0 || !address_parse(address, to).code, ERR_MALFORMED,
           "to: expected 0x and 40 hex digits with a right EIP-55 checksum");
    ENSURE(json_string(data).n == 0 ||
               (bytes_equal_str(bytes_take(json_string(data), 2), "0x") && digits.n % 2 == 0),
           ERR_MALFORMED, "data: expected 0x and an even number of hex digits");
    for (size_t i = 0; i < digits.n; i++)
        ENSURE(hex_digit(digits.p[i]) >= 0, ERR_MALFORMED, "data: expected hex digits after 0x");
    return OK;
}

struct err fill_read(struct fill *fill, const struct json *tx, struct detail *detail)
{
    const struct json *unknown = json_unknown(tx, fill_fields);
    uint64_t type = 0;
    bool typed;

    *fill = (struct fill) { .tx = tx };
    ENSURE(tx && tx->type == JSON_OBJECT, ERR_MALFORMED, "tx: expected an object");
    if (unknown) {
        detail_set(detail, "tx: unknown field: ", bytes_take(unknown->key, 64));
        return FAIL(ERR_MALFORMED, "tx: unknown field");
    }
    ENSURE(!fill_number_u64(&type, &typed, tx, "type").code && (type == 0 || type == 2),
           ERR_UNSUPPORTED, "type: expected 0 or 2");
    TRY(fill_read_numbers(fill));
    fill->legacy = typed ? type == 0 : fill->has_gas_price;
    ENSURE(!(json_get(tx, "data") && json_get(tx, "input")), ERR_MALFORMED,
           "data, input: expected one of them");
    TRY(fill_check_texts(tx));
    ENSURE(!fill->has_gas_price || fill->legacy, ERR_MALFORMED,
           "gasPrice: not for transactions of type 2");
    ENSURE(!fill->legacy ||
               (!fill->has_max_fee && !fill->has_priority && !json_get(tx, "accessList")),
           ERR_MALFORMED,
           "maxFeePerGas, maxPriorityFeePerGas, accessList: not for transactions of type 0");
    ENSURE(!fill->has_max_fee || !fill->has_priority ||
               u256_compare(fill->priority, fill->max_fee) <= 0,
           ERR_MALFORMED, "maxPriorityFeePerGas: expected at most maxFeePerGas");
    return OK;
}

void fill_write_request(struct wr *wr, const struct fill *fill)
{
    struct jw jw = jw_of(wr);

    jw_object(&jw);
    for (size_t i = 0; fill_fields[i]; i++) {
        const struct json *value = json_get(fill->tx, fill_fields[i]);

        if (!value)
            continue;
        jw_key(&jw, fill_fields[i]);
        jw_value(&jw, value);
    }
    jw_object_end(&jw);
}

static void fill_copy(struct jw *jw, const struct fill *fill, const char *name)
{
    const struct json *value = json_get(fill->tx, name);

    if (!value)
        return;
    jw_key(jw, name);
    jw_value(jw, value);
}

static void fill_put(struct jw *jw, const char *name, struct u256 value)
{
    jw_key(jw, name);
    jw_quantity(jw, value);
}

// What the call would use, and a fifth more when it is not a plain transfer: state may change
// before it is mined.
static struct err fill_gas(struct fill *fill, struct rpc *rpc, const char *from)
{
    uint8_t *params = malloc(FILL_BYTES_MAX);
    struct wr wr = wr_of(params, FILL_BYTES_MAX);
    struct jw jw = jw_of(&wr);
    struct u256 more;
    struct err err;

    ENSURE(params, ERR_FULL, "no memory");
    jw_array(&jw);
    jw_object(&jw);
    jw_key(&jw, "from");
    jw_cstring(&jw, from);
    fill_copy(&jw, fill, "to");
    fill_put(&jw, "value", fill->value);
    fill_copy(&jw, fill, "data");
    fill_copy(&jw, fill, "input");
    fill_copy(&jw, fill, "accessList");
    jw_object_end(&jw);
    jw_array_end(&jw);
    err = wr_end(&wr);
    if (!err.code)
        err = rpc_quantity(rpc, &fill->gas, "eth_estimateGas", wr_done(&wr));
    free(params);
    TRY(err);
    if (u256_compare(fill->gas, u256_of(FILL_TRANSFER_GAS)) <= 0)
        return OK;
    (void)u256_div_u64(&more, fill->gas, 5);
    ENSURE(!u256_add(&fill->gas, fill->gas, more).code, ERR_UNREACHABLE,
           "node: gas exceeds 256 bits");
    return OK;
}

// The base fee of the next block (the last entry of eth_feeHistory) times two, plus the tip.
static struct err fill_max_fee(struct fill *fill, struct rpc *rpc)
{
    const struct json *result, *last = NULL;
    struct u256 base;

    TRY(rpc_call(rpc, &result, "eth_feeHistory", BYTES_LIT("[\"0x1\",\"latest\",[]]")));
    result = json_get(result, "baseFeePerGas");
    for (const struct json *at = result ? result->child : NULL; at; at = at->next)
        last = at;
    ENSURE(last && !json_u256(&base, last).code, ERR_UNREACHABLE,
           "node: expected baseFeePerGas from eth_feeHistory");
    ENSURE(!u256_mul_u64(&base, base, 2).code &&
               !u256_add(&fill->max_fee, base, fill->priority).code,
           ERR_UNREACHABLE, "node: baseFeePerGas exceeds 256 bits");
    return OK;
}

static struct err fill_fees(struct fill *fill, struct rpc *rpc)
{
    if (fill->legacy) {
        if (!fill->has_gas_price)
            TRY(rpc_quantity(rpc, &fill->gas_price, "eth_gasPrice", BYTES_LIT("[]")));
        return OK;
    }
    if (!fill->has_priority)
        TRY(rpc_quantity(rpc, &fill->priority, "eth_maxPriorityFeePerGas", BYTES_LIT("[]")));
    if (!fill->has_max_fee)
        return fill_max_fee(fill, rpc);
    if (u256_compare(fill->priority, fill->max_fee) > 0)
        fill->priority = fill->max_fee;
    return OK;
}

struct err fill_complete(struct fill *fill, struct rpc *rpc, const char *from)
{
    if (!fill->has_gas)
        TRY(fill_gas(fill, rpc, from));
    return fill_fees(fill, rpc);
}

void fill_write(struct wr *wr, const struct fill *fill)
{
    struct jw jw = jw_of(wr);

    jw_object(&jw);
    fill_put(&jw, "type", u256_of(fill->legacy ? 0 : 2));
    fill_put(&jw, "chainId", u256_of(fill->chain_id));
    fill_put(&jw, "nonce", u256_of(fill->nonce));
    fill_put(&jw, "gas", fill->gas);
    fill_copy(&jw, fill, "to");
    fill_put(&jw, "value", fill->value);
    fill_copy(&jw, fill, "data");
    fill_copy(&jw, fill, "input");
    if (fill->legacy) {
        fill_put(&jw, "gasPrice", fill->gas_price);
    } else {
        fill_put(&jw, "maxFeePerGas", fill->max_fee);
        fill_put(&jw, "maxPriorityFeePerGas", fill->priority);
        fill_copy(&jw, fill, "accessList");
    }
    jw_object_end(&jw);
}
